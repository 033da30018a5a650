"""What can go wrong at the gateway, by name; switched on and off while it runs.

`NAME` holds until it is cleared, `NAME=COUNT` spoils so many occasions and clears itself; those in
`MEASURED` need seconds.
"""

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from errors import SettingError

FAULTS: Mapping[str, str] = {
    "refused": "nobody listens on the port",
    "half-open": "lines are dead in both directions from now on, their sockets stay",
    "silent": "requests are carried out, nothing is answered or told",
    "slow": "every message leaves so many seconds later (slow=0.5)",
    "id-held": "the id of a line that ended stays taken so many seconds, 326 (id-held=2)",
    "lost-before": "the line is cut as an order arrives: the book never has it",
    "lost-after": "the line is cut once an order is in the book, before a word of it",
    "read-only": "the API is read-only: 321 on orders, the list of open orders never ends",
    "201": "a new order is rejected for want of margin: error 201, then Inactive",
    "110": "a new order is refused for its price: error 110 and no status",
    "inactive": "a new order is rejected by its status alone",
    "unacknowledged": "a new order works and fills without a word",
    "399": "a new order is told 399, a warning, and lives",
    "10349": "a new order is told 10349 (TIF set to DAY) after Submitted, and lives",
    "modify-201": "a change is refused by 201, the order lives unchanged",
    "modify-105": "a change is refused by 105, the order lives unchanged",
    "modify-110": "a change is refused by 110, the order lives unchanged",
    "modify-2102": "a change is refused by 2102 (still in process), the order lives unchanged",
    "cancel-161": "a cancel is refused by 161, the order lives",
    "cancel-10147": "a cancel is refused by 10147 (not found), the order lives",
    "cancel-10148": "a cancel loses the race: the order fills, then 10148",
    "cancel-ignored": "a cancel is never answered, the order lives",
    "held": "nothing fills",
    "one-lot": "an order fills one contract and no more",
    "filled-first": "status Filled comes before the execution",
    "no-details": "fills come as status alone; only reqExecutions shows them",
    "no-status": "fills come as executions alone, without openOrder and orderStatus",
    "twice": "every execution comes twice",
    "corrected": "every execution is corrected at once (.02) to a price one tick worse",
    "late-commission": "commission reports come so many seconds later (late-commission=2)",
    "no-commission": "commission reports never come",
    "354": "market data are refused: no subscription",
    "delayed": "market data are the delayed ones, with 10167",
}

MEASURED = frozenset({"slow", "id-held", "late-commission"})


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault that is on: its seconds, or the occasions left (None until it is cleared)."""

    name: str
    figure: float | None = None


def fault(words: str) -> Fault:
    """The fault of `NAME` or `NAME=FIGURE`. Raises `SettingError` where there is none such."""
    name, equals, figure = words.partition("=")
    if name not in FAULTS:
        raise SettingError(f"fault {name!r} is unknown: choose from {', '.join(FAULTS)}")
    if name in MEASURED and not equals:
        raise SettingError(f"fault {name} needs seconds: {name}=0.5")
    try:
        value = float(figure) if equals else None
    except ValueError:
        value = -1.0
    if value is not None and not 0 <= value < 1e6:
        raise SettingError(f"fault {words}: the figure must be a number from 0")
    return Fault(name, value)


class Faults:
    """The faults that are on. Safe to change from any thread."""

    def __init__(self, words: Iterable[str] = ()) -> None:
        """With the faults of `words` on. Raises `SettingError` for an unknown one."""
        self._lock = threading.Lock()
        self._on = {one.name: one for one in map(fault, words)}

    def __contains__(self, name: object) -> bool:
        return name in self._on

    @property
    def names(self) -> list[str]:
        """Those that are on, by name."""
        return sorted(self._on)

    def seconds(self, name: str) -> float:
        """The figure of a measured fault, 0 while it is off."""
        one = self._on.get(name)
        return one.figure or 0.0 if one else 0.0

    def switch_on(self, *words: str) -> None:
        """Raises `SettingError` for an unknown one, and then changes nothing."""
        more = {one.name: one for one in map(fault, words)}
        with self._lock:
            self._on = self._on | more

    def clear(self, *names: str) -> None:
        """Switch the named ones off; all when none is named."""
        with self._lock:
            self._on = {n: one for n, one in self._on.items() if names and n not in names}

    def strikes(self, name: str) -> bool:
        """Whether `name` is on; spends one of its occasions."""
        with self._lock:
            one = self._on.get(name)
            if one is None:
                return False
            if one.figure is not None:
                rest = {n: other for n, other in self._on.items() if n != name}
                left = one.figure - 1
                self._on = rest | ({name: replace(one, figure=left)} if left > 0 else {})
            return True

    def first(self, *names: str) -> str:
        """The first of `names` that is on, and one occasion less of it; empty for none."""
        return next((name for name in names if self.strikes(name)), "")
