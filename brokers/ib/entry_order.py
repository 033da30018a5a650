"""An approved entry on its way: sent at the plan's limit, walked tick by tick to its worst price.

Walking goes by market time, so that a rehearsal at 60 x walks 60 x as fast.
"""

from dataclasses import dataclass, replace
from typing import Any

import backtrader as bt

from brokers.ib.books_request import ASK_AGAIN_SECONDS
from brokers.ib.order_room import OrderRoom
from brokers.ib.orders import IBOrder
from brokers.ib.walking import Sides, first_limit, next_limit
from vocabulary import Plan, Suggestion


@dataclass(slots=True)
class EntryOrder:
    """The one entry.

    Attributes:
        order: Backtrader's.
        suggestion: what was approved; it has a plan.
        since: monotonic seconds at which it was submitted.
        placed: the order at IB, None while margin or books are waited for.
    """

    order: bt.Order
    suggestion: Suggestion
    since: float
    placed: IBOrder | None = None
    _step_ts: int = 0
    _limit: float | None = None
    _retry_at: float = 0.0

    @property
    def plan(self) -> Plan:
        """What the yes agreed to."""
        assert self.suggestion.plan is not None  # the broker refuses entries without one
        return self.suggestion.plan

    @property
    def is_done(self) -> bool:
        """Whether nothing more can come of it."""
        return self.placed is not None and self.placed.is_final

    def terms(self, sides: Sides) -> dict[str, Any]:
        """Fields of its first ticket at the quote now."""
        wanted, plan = self.suggestion, self.plan
        limit = first_limit(wanted.side, plan.limit, plan.worst_price, sides)
        terms = {"contract": wanted.contract, "side": wanted.side, "quantity": wanted.quantity}
        return {**terms, "limit": limit}

    def walk(self, room: OrderRoom, sides: Sides, now: int, walk_seconds: float) -> None:
        """One tick nearer to the market, `walk_seconds` after the last one was acknowledged."""
        order = self.placed
        if order is None or not order.can_act or order.cancel_reason or order.change_refused:
            return
        if order.ticket.limit != self._limit:
            self._limit, self._step_ts = order.ticket.limit, now + round(walk_seconds * 1e9)
            self._retry_at = 0.0
        if order.try_again and not self._may_retry(order, room.clock.monotonic()):
            return
        if now < self._step_ts or order.ticket.limit is None:
            return
        step = next_limit(order.ticket.side, order.ticket.limit, self.plan.worst_price, sides)
        if step is not None:
            room.change(order, replace(order.ticket, limit=step))

    def _may_retry(self, order: IBOrder, wall: float) -> bool:
        """A change that met an order still in process: once more after a second, then no more."""
        if self._retry_at == 0.0:
            self._retry_at = wall + ASK_AGAIN_SECONDS
        elif wall >= self._retry_at and self._retry_at > 0:
            self._retry_at = -1.0
            return True
        return False
