"""A broker that fills as another one did: the replay of a session whose orders were real.

What a real broker fills, and when, no recording can tell. So the replay takes the journal's
executions as they were, and everything else - bars, decisions, suggestions, stops - must follow
from them exactly. What the fills cost against the recorded quotes is told apart (`slippage`).
"""

from collections.abc import Iterator, Sequence
from typing import Any

import backtrader as bt
import numpy as np
from backtrader.order import BuyOrder, SellOrder

from brokers import fills
from brokers.chain_broker import ChainBroker
from desk.difference import Cause, Difference, Kind
from desk.journaled import Instant
from desk.legs import fill_words
from feeds.chain import ChainDay
from feeds.contract import MULTIPLIER
from settings import FillSettings
from vocabulary import ExitReason, PastFill


class ExecutedBroker(ChainBroker):
    """Books given executions on the orders they belong to, at the turn in which they came.

    An execution without its order stays unbooked: the replay had no such order.
    """

    def __init__(self, cash: float, settings: FillSettings, executions: Sequence[PastFill]) -> None:
        """`executions` oldest first; `until` moves with the replay."""
        super().__init__(cash, settings)
        self.until = 0
        self._waiting = list(executions)
        self._cancelled: dict[int, str] = {}

    def cancel(self, order: bt.Order, reason: str = "canceled") -> None:
        """Cancel, but not an order that was filled all the same: the real broker's cancel lost."""
        if any(_belongs(past, order) for past in self._waiting):
            self._cancelled[order.ref] = reason
        else:
            super().cancel(order, reason)

    def next(self) -> None:
        """Book what has come, then mark; at the close nothing is settled by itself."""
        if self._feed is None:
            return
        for past in tuple(self._waiting):
            if past.fill.ts <= self.until and self._book(past):
                self._waiting.remove(past)
        snapshot = self._feed.snapshot()
        if snapshot.minutes_until_close > 0:
            self._mark(snapshot)
        else:
            for working in tuple(self._working):
                super().cancel(working.order, "session_end")

    def _book(self, past: PastFill) -> bool:
        """Whether its order was found, or it is an exit of the broker's own (a native stop)."""
        order = next((one.order for one in self._working if _belongs(past, one.order)), None)
        if order is None:
            order = self._own_exit(past)
        if order is None or past.fill.quantity > abs(order.executed.remsize):
            return False
        fill: Any = past.fill  # of the snapshot only `ts` is asked
        self._execute(order, fill, fill.quantity, fill.price, fill.fee, fill.underlying, fill.mid)
        order.info["fills"][-1] = past.fill
        self._working = [one for one in self._working if one.order.alive()]
        others = (one for one in self._waiting if one is not past)
        if order.ref in self._cancelled and not any(_belongs(one, order) for one in others):
            super().cancel(order, self._cancelled.pop(order.ref))
        return True

    def _own_exit(self, past: PastFill) -> bt.Order | None:
        """An order that the broker had beside the strategy's; None where there is no position."""
        held = [one for one in self.positions if one.contract == past.fill.contract]
        if past.exit_reason is None or not held:
            return None
        kind = BuyOrder if past.fill.side > 0 else SellOrder
        order = self._order(kind, self._owners[held[0]], held[0], past.fill.quantity)
        order.addinfo(fills=[], exit_reason=past.exit_reason)
        order.addinfo(exit_decided_ts=past.exit_decided_ts)
        order.addcomminfo(self.getcommissioninfo(held[0]))
        order.submit(self)
        order.accept(self)
        return order


def _belongs(past: PastFill, order: bt.Order) -> bool:
    suggestion = order.info.get("suggestion")
    if past.exit_reason is None:
        same = past.suggestion is not None and suggestion is not None
        return bool(same and suggestion.id == past.suggestion.id)  # type: ignore[union-attr]
    return bool(order.info.get("exit_reason") == past.exit_reason)


def until(now: Instant, bars: np.ndarray[Any, np.dtype[np.int64]]) -> int:
    """The last nanosecond that belongs to a turn: the bar's own, or all before the next one."""
    following = int(np.searchsorted(bars, now.ts, side="right"))
    if not now.later:
        return now.ts
    return int(bars[following]) - 1 if following < bars.size else int(np.iinfo(np.int64).max)


def slippage(day: ChainDay, executions: Sequence[PastFill]) -> Iterator[Difference]:
    """What each fill brought more than the recorded bid or ask of the bar before it, in dollars."""
    for past in executions:
        if past.exit_reason is ExitReason.SETTLEMENT:
            continue  # nobody traded: the contract was worth what it was
        fill, row = past.fill, int(np.searchsorted(day.ts, past.fill.ts, side="right")) - 1
        k = day.strike_index.get(fill.contract.strike_thousandths)
        if k is None or row < 0:
            continue
        place = row, int(fill.contract.right), k
        price = float(fills.fill_price(fill.side, day.bid[place], day.ask[place]))
        dollars = fill.side * (price - fill.price) * fill.quantity * MULTIPLIER
        if price == price and abs(dollars) > 1e-9:
            quoted = f"{'ask' if fill.side > 0 else 'bid'} {price:.2f}"
            yield Difference(
                *(Kind.FILL, fill.ts, "a fill", fill_words(past), quoted),
                dollars=dollars,
                cause=Cause.EXECUTION,
            )
