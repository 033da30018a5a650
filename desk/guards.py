"""What looks after the desk in every loop: fresh data, clocks, the kill switch, alarms."""

from collections.abc import Callable, Sequence
from typing import Any

import backtrader as bt

from brokers.piped import Timed
from desk.blind import masked_position
from desk.instructions import Inbox
from desk.markets.market import LiveMarket
from desk.safety import KillSwitch
from desk.safety_expiry import ExpiryAlarms
from desk.safety_guards import ClockGuard, StaleGuard
from errors import DataError
from feeds.sessions import to_new_york
from settings import Settings
from vocabulary import Clock, Position


class Guards:
    """One place that knows why data or clocks hold the desk back.

    Attributes:
        kill_switch: armed by whoever runs the desk in the main thread.
    """

    def __init__(
        self,
        market: LiveMarket,
        settings: Settings,
        clock: Clock,
        inbox: Inbox,
        say: Callable[[str], None],
        timed: Sequence[Timed] = (),
    ) -> None:
        """`say` hears alarms; kills, and `timed` instructions, come into `inbox`."""
        self.kill_switch = KillSwitch(settings.live.kill_file, clock.monotonic)
        self._market, self._clock, self._inbox, self._say = market, clock, inbox, say
        self._stale = StaleGuard(
            settings,
            clock,
            is_accelerated=market.is_accelerated,
            bar_seconds=market.bar_seconds,
        )
        self._clocks = ClockGuard(clock, market.is_simulated, say=say)
        self._alarms = ExpiryAlarms(market.session, settings)
        self._clock_fault = ""
        self._timed = list(timed)

    def heed(self, status: int) -> None:
        """Backtrader's word on the feed: LIVE, DISCONNECTED and so on."""
        if status == bt.feed.DataBase.DISCONNECTED:
            self._stale.lost()
        elif status == bt.feed.DataBase.LIVE:
            self._stale.found()

    def look(self) -> None:
        """Before anything else in a loop: the kill switch, the clocks, timed instructions."""
        kill = self.kill_switch.poll()
        if kill is not None:
            self._inbox.put(kill)
        self._clock_fault = self._clocks.halted()
        now = self._clock.market_now()
        while self._timed and to_new_york(now).time() >= self._timed[0][0]:
            self._inbox.put(self._timed.pop(0)[1])

    def watch(self, position: Position | None) -> None:
        """After the fills of a loop: the alarms of a position that is still open."""
        snapshot = self._snapshot()
        if position is None or snapshot is None:
            return
        now = self._clock.market_now()
        shown, spot = masked_position(position, self._market.mask), snapshot.spot
        level = self._market.mask.level(spot)
        for words in self._alarms.look(now, shown, level):
            self._say(f"ALARM: {words}")

    @property
    def halted(self) -> str:
        """Why no entry may be made; empty when data and clocks are well."""
        return self.kill_switch.halted or self._clock_fault or self._stale.halted(self._snapshot())

    def _snapshot(self) -> Any:
        try:
            return self._market.feed.snapshot()
        except DataError:
            return None
