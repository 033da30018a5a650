"""Whether what the desk sees can be trusted: fresh data, and clocks that agree.

The guards refuse entries and say why, with the age; they never hold back an exit.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from feeds.snapshot import ChainSnapshot
from settings import Settings
from vocabulary import Clock, LiveQuote

BARS_MISSED = 2.0
"""So many bar lengths without a bar are silence."""
WALL_SILENCE_SECONDS = 5.0
"""Accelerated markets: so long without a bar by the wall is silence."""
JUMP_SECONDS = 2.0
"""A wall clock that gains or loses so much against the steady one has been set, or slept."""
SKEW_SECONDS = 2.0
"""A real market's time may differ so much from the wall's."""


@dataclass
class StaleGuard:
    """Says why data is too old for an entry; all ages are market time.

    Attributes:
        connected: what the feed said last (Backtrader's LIVE or DISCONNECTED).
        source: how the present outage is named.
        is_accelerated: whether market time runs faster than the wall's. Then a machine that is busy
            for a moment is minutes late, so bars must be missing by the wall too.
        bar_seconds: the usual time between two bars; that of the settings where None.
    """

    settings: Settings
    clock: Clock
    connected: bool = True
    source: str = "market data"
    is_accelerated: bool = False
    bar_seconds: float | None = None
    _lost_ts: int = 0
    _bar: tuple[int, float] = (0, 0.0)

    def lost(self) -> None:
        """The feed is disconnected."""
        if self.connected:
            self.connected, self._lost_ts = False, self.clock.market_now()

    def found(self) -> None:
        """The feed is live."""
        self.connected = True

    def halted(self, snapshot: ChainSnapshot | None, quote: LiveQuote | None = None) -> str:
        """Why no entry may be made, empty when data is fresh.

        Args:
            snapshot: the last bar; None before the first one.
            quote: the freshest quote of the contract in question, where one is watched.
        """
        now = self.clock.market_now()
        if snapshot is None:
            return f"no {self.source} has arrived yet"
        if not self.connected:
            return f"{self.source} has been gone for {_age(now - self._lost_ts)}"
        if snapshot.minutes_until_close <= 0:
            return ""  # the day is over: the entry window says so
        limit = BARS_MISSED * (self.bar_seconds or self.settings.live.bar_seconds)
        waited = (min(now, snapshot.session.close_ns) - snapshot.ts) / 1e9
        silent = self._silent(snapshot.ts) or not self.is_accelerated
        if waited > limit and silent:
            return f"the last bar is {_age(now - snapshot.ts)} old, {limit:g} s are allowed"
        if not _has_quotes(snapshot):
            return "the last bar has no quotes"
        return self._of_quote(quote, now)

    def _silent(self, bar_ts: int) -> bool:
        """Whether the bar at `bar_ts` has been the last one for some seconds of the wall."""
        steady = self.clock.monotonic()
        if bar_ts != self._bar[0]:
            self._bar = bar_ts, steady
        return steady - self._bar[1] > WALL_SILENCE_SECONDS

    def _of_quote(self, quote: LiveQuote | None, now: int) -> str:
        limit = self.settings.rules.quote_age_seconds
        if quote is None or quote.age_seconds <= limit:
            return ""
        return f"quotes are {quote.age_seconds:.1f} s old, {limit:g} s are allowed"


def _age(nanoseconds: int) -> str:
    seconds = max(0.0, nanoseconds / 1e9)
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} minutes"


def _has_quotes(snapshot: ChainSnapshot) -> bool:
    return bool(np.isfinite(snapshot.bid).any() or np.isfinite(snapshot.ask).any())


class ClockGuard:
    """Notices a wall clock that was set, a machine that slept, and a market's time gone astray."""

    def __init__(
        self,
        clock: Clock,
        is_simulated: bool,
        rest_seconds: float = 60.0,
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        """Entries rest for `rest_seconds` of steady time after a jump; `say` hears of each one.

        Only a real market's time (`is_simulated` False) is compared with the wall's.
        """
        self._clock, self._is_simulated = clock, is_simulated
        self._rest, self._say = rest_seconds, say
        self._steady = clock.monotonic()
        self._wall = clock.wall_now().timestamp()
        self._quiet_from = float("-inf")
        self._why = ""

    def halted(self) -> str:
        """Why no entry may be made, empty when the clocks agree; call it in every loop."""
        steady, wall = self._clock.monotonic(), self._clock.wall_now().timestamp()
        jump = (wall - self._wall) - (steady - self._steady)
        self._steady, self._wall = steady, wall
        if abs(jump) > JUMP_SECONDS:
            self._why = f"the clock jumped by {jump:+.0f} s (set, or the machine slept)"
            self._quiet_from = steady + self._rest
            self._say(self._why)
        if steady < self._quiet_from:
            return f"{self._why}: entries rest for {self._quiet_from - steady:.0f} s more"
        return self._skew(wall)

    def _skew(self, wall: float) -> str:
        skew = self._clock.market_now() / 1e9 - wall
        if self._is_simulated or abs(skew) <= SKEW_SECONDS:
            return ""
        return f"market time is {skew:+.1f} s off the wall clock: set this machine's clock"
