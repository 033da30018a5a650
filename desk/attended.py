"""The broker of a desk with people at it: at every loop of Cerebro the desk gets its turn first.

Backtrader calls a broker's `next` once a bar, before the strategy, and in idle loops between bars.
That is the one place at which everything that comes from outside may enter, in one order:
instructions, then answers, then the market's fills. A replay repeats it exactly.
"""

from collections.abc import Callable
from typing import Any

import backtrader as bt

from brokers.approval import ApprovalBroker
from feeds.live.live_feed import LiveFeed
from strategies.ppo_strategy import PPOStrategy

Turn = Callable[[bool], None]
"""Gets whether this loop has a new bar."""


class AttendedBroker(ApprovalBroker):
    """An `ApprovalBroker` that calls `before` and `after` its own work in every loop."""

    def __init__(self, *arguments: Any, before: Turn, after: Turn, **terms: Any) -> None:
        """As `ApprovalBroker`, with the desk's two turns."""
        super().__init__(*arguments, **terms)
        self._before, self._after = before, after
        self._bars: LiveFeed | None = None
        self._seen = 0

    def watch(self, bars: LiveFeed) -> None:
        """Tell which data's bars count."""
        self._bars = bars

    def next(self) -> None:
        """The desk's turn, the broker's own, and the desk's again.

        With a new bar the strategy comes first: answers wait for the loop after it. Otherwise an
        entry approved as a decision slot begins would be cancelled as unfilled by that very bar.
        """
        count = len(self._bars) if self._bars is not None else 0
        at_bar, self._seen = count > self._seen, count
        self._before(at_bar)
        if at_bar and self._bars is not None:
            self._seen_ts = self._bars.snapshot().ts
            self.inner.next()
            if self._held:
                self._bars.idle_once()
        else:
            super().next()
        self._after(at_bar)


class DeskStrategy(PPOStrategy):
    """`PPOStrategy` that says when it is there, so that the desk can speak to it.

    Params:
        attach: called with the strategy as Cerebro starts.
        heed: called with every word of Backtrader on the feed.
    """

    params: Any = (("attach", None), ("heed", None))

    def start(self) -> None:
        """Backtrader's start."""
        super().start()
        if self.p.attach is not None:
            self.p.attach(self)

    def notify_data(self, data: Any, status: int, *words: Any, **terms: Any) -> None:
        """Backtrader's word on the feed: LIVE, DISCONNECTED and so on."""
        if self.p.heed is not None:
            self.p.heed(status)

    @property
    def open_orders(self) -> list[bt.Order]:
        """Its entry and exit orders at the broker; one that is still a question is not there."""
        orders = (one for one in (self._entry, self._exit) if one is not None)
        return [one for one in orders if one.alive() and one.status != bt.Order.Submitted]
