"""What the broker knows of bars: whether one has just come, what positions are worth at its mids.

It also dates what happens between two bars, so that nothing seems to happen after a bar that the
desk has not seen yet: the journal's order of things is then the order in which the desk lived it.
"""

from typing import Any

from brokers.ib.ledger import Ledger
from feeds.contract import MULTIPLIER, Contract
from feeds.option_contract import OptionContract

_LONGEST_WAIT = 300_000_000_000
"""A bar that is later than this (nanoseconds) will not come: happenings keep their own time."""


class BarView:
    """Bars of the first data of `cerebro`, and positions at their mids.

    Attributes:
        worth: of all positions at the last bar, dollars.
    """

    def __init__(self, ledger: Ledger, bar_seconds: int) -> None:
        """Before the first bar; one comes every `bar_seconds`."""
        self.worth = 0.0
        self._ledger = ledger
        self._period = bar_seconds * 1_000_000_000
        self._marks: dict[OptionContract, float] = {}
        self._bars = 0
        self._at_bar = False
        self._feed: Any = None

    def look(self, feed: Any) -> None:
        """Notice a new bar of `feed`, and value positions at its mids."""
        self._feed, bars = feed, len(feed)
        self._at_bar = bars != self._bars
        self._bars = bars
        if self._at_bar:
            self._show_restored()
            for data in self._ledger.positions:
                self._mark(data)
            self.worth = sum(map(self.value, self._ledger.positions))

    def data(self, contract: Contract) -> OptionContract:
        """Backtrader's data of a contract."""
        data: OptionContract = self._feed.contract(contract)
        return data

    def value(self, data: OptionContract) -> float:
        """An open position at its last known mid, dollars; at its average price before one."""
        position = self._ledger.positions[data]
        return float(position.size * self._marks.get(data, position.price) * MULTIPLIER)

    def stamp(self, now: int) -> int:
        """Market time (nanoseconds) that belongs to what happens at `now`.

        At a bar it is never later than the bar; between bars it is before the next one, although
        that may be under way already.
        """
        if not self._bars:
            return now
        snapshot = self._feed.snapshot()
        bar = int(snapshot.ts)
        if self._at_bar:
            return min(now, bar)
        following = min(self._following(bar, snapshot.session.open_ns), snapshot.session.close_ns)
        is_awaited = bar < following <= now < following + _LONGEST_WAIT
        return following - 1 if is_awaited else now

    def _following(self, bar: int, open_ns: int) -> int:
        """When the bar after `bar` stands."""
        return int(open_ns + ((bar - open_ns) // self._period + 1) * self._period)

    def _show_restored(self) -> None:
        """Positions of an earlier process get their Backtrader data with the first bar."""
        for contract in self._ledger.held():
            if self.data(contract) not in self._ledger.positions:
                self._ledger.show(self.data(contract))

    def _mark(self, data: OptionContract) -> None:
        mid = data.quote().mid
        if mid == mid:
            self._marks[data] = mid
