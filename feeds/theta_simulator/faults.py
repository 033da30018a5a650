"""What can go wrong, by name; any combination, switched on and off while the terminal runs.

`NAME` holds until it is cleared. For the answers by number `NAME=COUNT` spoils so many requests and
clears itself; `latency=SECONDS` needs its figure.
"""

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from errors import SettingError

FAULTS: Mapping[str, str] = {
    "latency": "REST: data take so many seconds longer, and their slot (latency=0.5)",
    "403": "REST: not entitled, as terminals answer in practice",
    "429": "REST: too many requests",
    "471": "REST: not entitled, as documented",
    "474": "connection to the vendor lost: 474, status DISCONNECTED, no quotes",
    "476": "REST: wrong host",
    "478": "another terminal took the session: 478, status UNVERIFIED, no quotes",
    "500": "the same in its older form: 500 BadSession, status UNVERIFIED, no quotes",
    "570": "REST: too much data asked for",
    "571": "the terminal is starting",
    "hung": "REST and WebSocket accept and never answer",
    "dropped": "the WebSocket is cut off without a word, and refused while this is on",
    "silent": "WebSocket: heartbeats, but no quotes",
    "no-heartbeats": "WebSocket: quotes, but no heartbeats",
    "stale": "REST snapshots stand still from now on",
    "crossed": "every third quote is crossed",
    "zero": "every third quote is 0 at 0",
    "duplicated": "WebSocket: every quote comes twice",
    "reordered": "WebSocket: quotes of one burst come in reverse order",
    "malformed": "every third quote of the WebSocket, and every CSV and JSON body, is cut short",
    "late-strikes": "every fifth strike is listed at noon only",
    "fpss": "streaming alone is down: fpss status and header DISCONNECTED, no quotes",
}

NUMBERED = frozenset(name for name in FAULTS if name.isdigit())


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault that is on: its figure (seconds, or requests left; None until it is cleared)."""

    name: str
    figure: float | None = None


def fault(text: str) -> Fault:
    """The fault of `NAME` or `NAME=FIGURE`. Raises `SettingError` where there is none such."""
    name, equals, figure = text.partition("=")
    if name not in FAULTS:
        raise SettingError(f"fault {name!r} is unknown: choose from {', '.join(FAULTS)}")
    if name == "latency" and not equals:
        raise SettingError("fault latency needs seconds: latency=0.5")
    if equals and name != "latency" and name not in NUMBERED:
        raise SettingError(f"fault {name} takes no figure")
    try:
        value = float(figure) if equals else None
    except ValueError:
        value = -1.0
    if value is not None and not 0 <= value < 1e6:
        raise SettingError(f"fault {text}: the figure must be a number from 0")
    return Fault(name, value)


class Faults:
    """The faults that are on. Safe to change from any thread."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        """With the faults of `texts` on. Raises `SettingError` for an unknown one."""
        self._lock = threading.Lock()
        self._on = {one.name: one for one in map(fault, texts)}

    def __contains__(self, name: object) -> bool:
        return name in self._on

    @property
    def names(self) -> list[str]:
        """Those that are on, by name."""
        return sorted(self._on)

    @property
    def latency(self) -> float:
        """Seconds that data take longer over REST."""
        slow = self._on.get("latency")
        return slow.figure or 0.0 if slow else 0.0

    @property
    def session_lost(self) -> bool:
        """Whether another terminal has the session."""
        return "478" in self or "500" in self

    @property
    def disconnected(self) -> bool:
        """Whether nothing arrives from the vendor's streaming side."""
        return "474" in self or "fpss" in self or self.session_lost

    def switch_on(self, texts: Iterable[str]) -> None:
        """Raises `SettingError` for an unknown one, and then changes nothing."""
        more = {one.name: one for one in map(fault, texts)}
        with self._lock:
            self._on = self._on | more

    def clear(self, names: Iterable[str] = ()) -> None:
        """Switch the named ones off; all when none is named."""
        gone = set(names)
        with self._lock:
            self._on = {n: one for n, one in self._on.items() if gone and n not in gone}

    def answer(self, names: Iterable[str]) -> str | None:
        """The first of `names` that is on, and one request less of it to spoil."""
        with self._lock:
            for name in names:
                one = self._on.get(name)
                if one is not None:
                    self._spend(one)
                    return name
        return None

    def _spend(self, one: Fault) -> None:
        if one.figure is None:
            return
        left = one.figure - 1
        rest = {name: other for name, other in self._on.items() if name != one.name}
        self._on = rest | ({one.name: Fault(one.name, left)} if left > 0 else {})
