"""Trading sessions of the New York Stock Exchange, half days and holidays included.

The calendar is `exchange_calendars` XNYS; a session is the only place where opening and closing
times come from. Instants inside arrays are int64 nanoseconds since 1970 UTC.
"""

from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from errors import DataError

NEW_YORK = ZoneInfo("America/New_York")
FULL_DAY_MINUTES = 390.0
NANOSECONDS_A_MINUTE = 60_000_000_000
FIRST_DAY, LAST_DAY = date(2010, 1, 4), date(2027, 12, 31)

Nanoseconds = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, order=True)
class Session:
    """One trading day; `open` and `close` are tz-aware New York times.

    `open_ns` and `close_ns` are the same instants in nanoseconds since 1970 UTC.
    """

    date: date
    open: datetime
    close: datetime
    open_ns: int = field(init=False, repr=False, compare=False)
    close_ns: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "open_ns", to_nanoseconds(self.open))
        object.__setattr__(self, "close_ns", to_nanoseconds(self.close))

    @property
    def minutes(self) -> float:
        """Length in minutes: 390, or 210 on a half day."""
        return (self.close_ns - self.open_ns) / NANOSECONDS_A_MINUTE

    def minutes_since_open(self, ts: Nanoseconds) -> Floats:
        """Exact fractional minutes from the open to `ts` (nanoseconds, any shape)."""
        return (ts - self.open_ns) / NANOSECONDS_A_MINUTE

    def minutes_until_close(self, ts: Nanoseconds) -> Floats:
        """Exact fractional minutes from `ts` (nanoseconds, any shape) to the close."""
        return (self.close_ns - ts) / NANOSECONDS_A_MINUTE


def to_nanoseconds(moment: datetime) -> int:
    """Nanoseconds since 1970 UTC of a tz-aware `moment`, exact to its microsecond."""
    whole = int(moment.replace(microsecond=0).timestamp())
    return whole * 1_000_000_000 + moment.microsecond * 1_000


def to_new_york(ts: int) -> datetime:
    """The tz-aware New York time of `ts` nanoseconds, floored to the microsecond."""
    seconds, rest = divmod(int(ts), 1_000_000_000)
    return datetime.fromtimestamp(seconds, NEW_YORK).replace(microsecond=rest // 1_000)


@cache
def _calendar() -> Any:
    import exchange_calendars

    return exchange_calendars.get_calendar("XNYS", start=str(FIRST_DAY), end=str(LAST_DAY))


@cache
def session_on(day: date) -> Session:
    """The session of `day`.

    Raises `DataError` on a weekend, a holiday, or a day outside the calendar.
    """
    if not FIRST_DAY <= day <= LAST_DAY:
        raise DataError(f"{day} is outside the calendar ({FIRST_DAY} to {LAST_DAY})")
    calendar = _calendar()
    if not calendar.is_session(str(day)):
        raise DataError(f"{day} ({day:%A}) is no trading day of the New York Stock Exchange")
    opening = calendar.session_open(str(day)).to_pydatetime().astimezone(NEW_YORK)
    closing = calendar.session_close(str(day)).to_pydatetime().astimezone(NEW_YORK)
    return Session(day, opening, closing)


def is_session(day: date) -> bool:
    """Whether the exchange opens on `day`."""
    return FIRST_DAY <= day <= LAST_DAY and bool(_calendar().is_session(str(day)))


def sessions_between(first: date, last: date) -> list[Session]:
    """All sessions from `first` to `last`, both included.

    Raises `DataError` where the range is reversed or outside the calendar.
    """
    if first > last:
        raise DataError(f"the range from {first} to {last} is reversed")
    if first < FIRST_DAY or last > LAST_DAY:
        raise DataError(f"{first} to {last} is outside the calendar ({FIRST_DAY} to {LAST_DAY})")
    return [session_on(d.date()) for d in _calendar().sessions_in_range(str(first), str(last))]


def last_sessions(count: int, end: date) -> list[Session]:
    """The last `count` sessions (at least 1) up to and including `end`.

    Raises `DataError` where they do not all lie inside the calendar.
    """
    within = FIRST_DAY <= end <= LAST_DAY
    days = _calendar().sessions_in_range(str(FIRST_DAY), str(end)) if within else ()
    if not 1 <= count <= len(days):
        raise DataError(
            f"{count} sessions up to {end} are not in the calendar ({FIRST_DAY} to {LAST_DAY})"
        )
    return [session_on(day.date()) for day in days[-count:]]
