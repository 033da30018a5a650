"""From executions to fills: the ledger, the journal, Backtrader's orders and their owner's news.

An execution is booked once. Its correction and its commission replace the fill in the ledger and
in `order.info["fills"]`, and the order is told again.
"""

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import backtrader as bt

from brokers.ib.exit_quotes import ExitQuotes
from brokers.ib.ledger import Ledger
from brokers.ib.order_room import OrderRoom
from brokers.ib.orders import IBOrder
from brokers.ib.records import ExecutionSeen
from vocabulary import Fill

if TYPE_CHECKING:
    from brokers.ib.takers import Takers

_DAY = 86_400_000_000_000


class Bookings:
    """Books executions of our orders.

    Attributes:
        restoring: orders are of an earlier process: Backtrader's order objects do not exist.
        missed: executions that were booked while restoring.
        known_until: the last bar of an earlier process (nanoseconds): it had not seen them yet.
    """

    def __init__(
        self,
        room: OrderRoom,
        ledger: Ledger,
        quotes: ExitQuotes,
        takers: "Takers",
        tell: Callable[[bt.Order], None],
        stamp: Callable[[], int],
    ) -> None:
        """For the parts of a broker; `tell` tells an order's owner, `stamp` dates fills."""
        self.room = room
        self.ledger = ledger
        self.quotes = quotes
        self.takers = takers
        self.tell = tell
        self.stamp = stamp
        self.restoring = False
        self.missed: list[Fill] = []
        self.known_until = 0
        self._told_by: dict[str, bt.Order] = {}

    def executed(self, order: IBOrder, seen: ExecutionSeen) -> None:
        """Book an execution, or correct it."""
        fill = self._fill(order, seen)
        old = self.ledger.fill(seen.execution_id)
        if old is not None:
            fill = replace(fill, fee=old.fee, ts=old.ts, underlying=old.underlying, mid=old.mid)
        self.room.unwritten.write(partial(self._write, order.order_ref, seen, fill))
        if old is not None:
            self._replace(order, old, fill)
        elif self.restoring:
            self.ledger.put(fill)
            self.missed.append(fill)
        else:
            self._book(self.takers.taker(order), fill)

    def book_manual(self, order: IBOrder, seen: ExecutionSeen, taker: bt.Order) -> None:
        """Book an execution that a person made elsewhere and has accepted as ours."""
        fill = self._fill(order, seen)
        self.room.unwritten.write(partial(self._write, order.order_ref, seen, fill))
        self._book(taker, fill)

    def charged(self, order: IBOrder, execution_id: str, commission: float) -> None:
        """Set the commission of a booked execution."""
        old = self.ledger.fill(execution_id)
        if old is not None and old.fee != commission:
            self.room.unwritten.write(partial(self.room.journal.charged, execution_id, commission))
            self._replace(order, old, replace(old, fee=commission))

    def _book(self, order: bt.Order, fill: Fill) -> None:
        self._told_by[fill.execution_id] = order
        if order.status == bt.Order.Submitted:
            order.accept()
            self.tell(order)
        self.ledger.execute(order, fill)
        if order.executed.remsize * order.size < 0:  # more than it asked for: it is done
            order.completed()
        self.tell(order)

    def _replace(self, order: IBOrder, old: Fill, fill: Fill) -> None:
        """Put `fill` in the place of `old`; the strategy hears of it whoever it was told to."""
        told = self._told_by.get(fill.execution_id)
        if told is None and not self.restoring:
            told = self._told_by[fill.execution_id] = self.takers.restated(order, old)
        self.ledger.replace(told, fill)
        if told is not None:
            self.tell(told)

    def _fill(self, order: IBOrder, seen: ExecutionSeen) -> Fill:
        contract, past = order.ticket.contract, self.restoring
        mid = math.nan if past else self.quotes.mid(contract)
        return Fill(
            contract=contract,
            side=seen.side,
            quantity=seen.quantity,
            price=seen.price,
            fee=0.0,
            ts=self._moment(seen.ts) if past else self.stamp(),
            underlying=math.nan if past else self.quotes.spot,
            mid=mid,
            execution_id=seen.execution_id,
        )

    def _moment(self, broker_ts: int) -> int:
        """When a missed execution counts: IB's own time, but after the last bar that missed it.

        In a rehearsal IB's time may be another day's; then it is the present.
        """
        now = self.stamp()
        moment = broker_ts if 0 <= now - broker_ts < _DAY else now
        return max(moment, self.known_until + 1)

    def _write(self, order_ref: str, seen: ExecutionSeen, fill: Fill) -> None:
        self.room.journal.executed(
            fill.ts,
            execution_id=seen.execution_id,
            order_ref=order_ref,
            side=seen.side,
            quantity=seen.quantity,
            price=seen.price,
            revision=seen.revision,
            underlying=None if math.isnan(fill.underlying) else fill.underlying,
            mid=None if math.isnan(fill.mid) else fill.mid,
            broker_time=seen.ts,
        )
