"""Parameters of a request as the terminal understands them, and its refusals."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from feeds.sessions import NEW_YORK, to_nanoseconds
from feeds.theta_simulator.tiers import Tier

OLD_NAMES = {
    "root": "symbol",
    "exp": "expiration",
    "ivl": "interval",
    "use_csv": "format",
    "pretty_time": "unnecessary",
    "rth": "unnecessary",
    "perf_boost": "unnecessary",
    "rate": "rate_type",
    "annual_div": "annual_dividend",
    "under_price": "stock_price",
    "sec": "path",
}
"""Parameters of version 2, and what version 3 has for them."""

INTERVALS = {
    "tick": 0,
    "10ms": 10,
    "100ms": 100,
    "500ms": 500,
    "1s": 1_000,
    "5s": 5_000,
    "10s": 10_000,
    "15s": 15_000,
    "30s": 30_000,
    "1m": 60_000,
    "5m": 300_000,
    "10m": 600_000,
    "15m": 900_000,
    "30m": 1_800_000,
    "1h": 3_600_000,
}
"""Milliseconds of an interval; 0 is every tick."""

MILLISECONDS_A_MINUTE = 60_000
ANY = "*"
LONGEST_DAYS = 31
LONGEST_END_OF_DAY = 365


class Refused(Exception):
    """An answer that is no table: status and text as the terminal gives them."""

    def __init__(self, status: int, text: str) -> None:
        """`text` is the whole body."""
        super().__init__(text)
        self.status = status
        self.text = text


def invalid(text: str) -> Refused:
    """473: a parameter is wrong."""
    return Refused(473, f"Invalid parameters: {text}")


def no_data() -> Refused:
    """472: nothing matches, a normal outcome."""
    return Refused(472, "No data found for your request")


@dataclass(frozen=True, slots=True)
class Query:
    """The parameters of one request; every method raises `Refused` for a value that is wrong."""

    values: Mapping[str, str]
    tier: Tier = Tier.PRO

    def text(self, name: str, default: str | None = None) -> str:
        """A word; required where there is no default."""
        value = self.values.get(name, default)
        if not value:
            raise invalid(f"{name} is required")
        return value

    def flag(self, name: str, default: bool = False) -> bool:
        """true or false."""
        value = self.values.get(name, str(default)).lower()
        if value not in ("true", "false"):
            raise invalid(f"{name} must be true or false, not {value}")
        return value == "true"

    def number(self, name: str) -> float | None:
        """A number, None where it is not given."""
        value = self.values.get(name)
        try:
            return None if value is None else float(value)
        except ValueError:
            raise invalid(f"{name} must be a number, not {value}") from None

    def count(self, name: str) -> int | None:
        """A whole number from 0, None where it is not given."""
        value = self.values.get(name)
        if value is not None and not re.fullmatch(r"\d{1,6}", value):
            raise invalid(f"{name} must be a whole number, not {value}")
        return None if value is None else int(value)

    def symbols(self) -> list[str]:
        """`symbol` as a list; `*` stays as it is."""
        return [one.strip().upper() for one in self.text("symbol").split(",")]

    def day(self, name: str) -> date:
        """A date as YYYYMMDD or YYYY-MM-DD."""
        return parsed_date(name, self.text(name))

    def expiration(self, wildcard: bool) -> date | None:
        """The expiration; None for `*`, where that is allowed."""
        if self.text("expiration") != ANY:
            return self.day("expiration")
        if not wildcard:
            raise invalid("expiration=* is not supported here")
        return None

    def dates(self, longest: int = LONGEST_DAYS) -> list[date]:
        """Every date of `date`, which wins, or of `start_date` to `end_date`."""
        if "date" in self.values:
            return [self.day("date")]
        first, last = self.day("start_date"), self.day("end_date")
        days = (last - first).days
        if days < 0:
            raise invalid("start_date is after end_date")
        if days > longest:
            raise invalid(f"Too many days between start and end date (at most {longest})")
        return [first + timedelta(days=n) for n in range(days + 1)]

    def interval(self) -> int:
        """Milliseconds, 0 for tick; a Value subscription has minutes only."""
        name = self.values.get("interval", "1s")
        if name not in INTERVALS:
            raise invalid(f"interval {name} is none of {', '.join(INTERVALS)}")
        if self.tier < Tier.STANDARD and INTERVALS[name] < MILLISECONDS_A_MINUTE:
            raise Refused(471, "interval below 1m needs a Standard subscription")
        return INTERVALS[name]

    def window(self, day: date) -> tuple[int, int]:
        """`start_time` and `end_time` of `day` in nanoseconds, both inclusive."""
        first = self.instant("start_time", day, "09:30:00")
        return first, self.instant("end_time", day, "16:00:00")

    def instant(self, name: str, day: date, default: str | None = None) -> int:
        """A time of day HH:MM:SS[.SSS] on `day`, in nanoseconds."""
        value = self.text(name, default)
        try:
            if not re.fullmatch(r"\d\d:\d\d:\d\d(\.\d{1,3})?", value):
                raise ValueError
            moment = time.fromisoformat(value)
        except ValueError:
            raise invalid(f"{name} must be HH:MM:SS.SSS, not {value}") from None
        return to_nanoseconds(datetime.combine(day, moment, NEW_YORK))

    def strike(self) -> int | None:
        """The strike in thousandths, None for all."""
        value = self.values.get("strike", ANY)
        if value == ANY:
            return None
        if not re.fullmatch(r"\d{1,7}(\.\d{1,3}0*)?", value):
            raise invalid(f"strike must be dollars or *, not {value}")
        return round(float(value) * 1000)

    def rights(self) -> list[int]:
        """Indices on the right axis."""
        value = self.values.get("right", "both").lower()
        if value not in ("call", "put", "both"):
            raise invalid(f"right must be call, put or both, not {value}")
        return {"call": [0], "put": [1], "both": [0, 1]}[value]


def parsed_date(name: str, value: str) -> date:
    """A date as YYYYMMDD or YYYY-MM-DD. Raises `Refused`."""
    try:
        if not re.fullmatch(r"\d{8}|\d{4}-\d\d-\d\d", value):
            raise ValueError
        return date.fromisoformat(value)
    except ValueError:
        raise invalid(f"{name} must be YYYYMMDD or YYYY-MM-DD, not {value}") from None
