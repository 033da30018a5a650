"""Backtrader's order behind each execution: the strategy's own, or one that the broker makes.

The broker makes one where nobody in this process ordered what IB executed: a native stop that
fired, an entry of an earlier process, a person's trade at IB's own screen.
"""

from typing import TYPE_CHECKING, Any

import backtrader as bt
from backtrader.order import BuyOrder, SellOrder

from brokers.ib.ledger import COMMISSION
from brokers.ib.orders import IBOrder
from brokers.ib.records import ExecutionSeen
from vocabulary import ExitReason, Suggestion

if TYPE_CHECKING:
    from brokers.ib.broker import IBBroker


class Takers:
    """Finds or makes the order that takes an execution.

    Attributes:
        suggestions: approved in this session, by the order_ref of their entries.
        owner: whose orders are made, None for the first strategy.
    """

    def __init__(self, broker: "IBBroker") -> None:
        """For `broker`, whose parts it uses."""
        self.suggestions: dict[str, Suggestion] = {}
        self.owner: bt.Strategy | None = None
        self._broker = broker
        self._stopped_out: bt.Order | None = None

    def taker(self, order: IBOrder) -> bt.Order:
        """Backtrader's order that an execution of `order` belongs to."""
        entered = self._broker.entries.behind(order)
        if entered is not None:
            return entered
        if order.purpose == "entry":
            return self._late_entry(order)
        leaving = self._broker.closing.exit
        if leaving is not None and leaving.started_ts is not None and leaving.order.alive():
            leaving.order.addinfo(order_ref=order.order_ref)
            return leaving.order
        return self._stop_order(order)

    def adopt(self, seen: ExecutionSeen) -> None:
        """Take somebody else's execution that closes our position as a manual exit of ours."""
        broker, contract = self._broker, seen.contract
        held = 0 if contract is None else broker.ledger.held().get(contract, 0)
        if contract is None or held * seen.side >= 0 or seen.quantity > abs(held):
            return
        order = broker.room.adopt_manual(seen, contract)
        made = self._made(order, seen.quantity, exit_reason=ExitReason.MANUAL)
        made.addinfo(exit_decided_ts=broker.stamp())
        broker.bookings.book_manual(order, seen, made)

    def _stop_order(self, order: IBOrder) -> bt.Order:
        """The native stop has fired: an exit that nobody ordered in this process."""
        known = self._stopped_out
        if known is not None and known.alive() and known.info["order_ref"] == order.order_ref:
            return known
        held = self._broker.ledger.held().get(order.ticket.contract, 0)
        left = abs(held) or order.ticket.quantity
        made = self._made(order, left, exit_reason=ExitReason.STOP_LOSS)
        made.addinfo(exit_decided_ts=self._broker.stamp())
        self._stopped_out = made
        return made

    def _late_entry(self, order: IBOrder) -> bt.Order:
        """An entry of an earlier process that was filled while it was being cancelled."""
        suggestion = self.suggestions[order.order_ref]
        made = self._made(order, order.ticket.quantity, suggestion=suggestion)
        self._broker.entries.adopt(made, suggestion, order)
        return made

    def _made(self, order: IBOrder, size: int, **info: Any) -> bt.Order:
        """An order that Backtrader's strategy has not made, told as Submitted and Accepted."""
        broker = self._broker
        kind = BuyOrder if order.ticket.side > 0 else SellOrder
        owner = self.owner if self.owner is not None else broker.cerebro.runningstrats[0]
        made = broker.new_order(kind, owner, order.ticket.contract, size, **info)
        made.addinfo(fills=[], order_ref=order.order_ref)
        made.addcomminfo(COMMISSION)
        made.submit(broker)
        broker.tell(made)
        made.accept(broker)
        broker.tell(made)
        return made
