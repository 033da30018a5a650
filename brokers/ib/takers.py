"""Backtrader's order behind each execution: the strategy's own, or one that the broker makes.

The broker makes one where nobody in this process ordered what IB executed: a native stop that
fired, an entry of an earlier process, a person's trade at IB's own screen.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import backtrader as bt
from backtrader.order import BuyOrder, SellOrder

from brokers.ib.ledger import COMMISSION
from brokers.ib.orders import IBOrder
from brokers.ib.reconcile import assigned, execution_words
from brokers.ib.records import ExecutionSeen
from feeds.contract import Contract
from vocabulary import ExitReason, Fill, Suggestion

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
        order = broker.room.adopt_manual(seen, contract, ExitReason.MANUAL)
        self._book(order, seen, ExitReason.MANUAL)

    def accept(self, accepted: Sequence[str]) -> tuple[str, ...]:
        """Carry out what a person has accepted, in the sentences of the findings; what was booked.

        IB reports no execution of an assignment: intent and execution in the journal are marked as
        the desk's own. Without a price of the underlying nothing is booked.
        """
        broker = self._broker
        findings, books = broker.disputes.latest, broker.books
        broker.room.ask_for_books()
        for seen in findings.foreign_executions:
            if execution_words(seen) in accepted:
                self.adopt(seen)
        shown = {one.contract for one in findings.differences if str(one) in accepted}
        gone = {} if books is None else assigned(broker.ledger.held(), books)
        booked = [self._assign(one, number) for one, number in gone.items() if one in shown]
        return tuple(words for words in booked if words)

    def _assign(self, contract: Contract, gone: int) -> str:
        broker = self._broker
        broker.quotes.now(contract)
        spot = broker.quotes.spot
        if not spot > 0:
            return ""
        price = contract.intrinsic(spot)
        seen = assignment(contract, gone, price, broker.clock.market_now())
        words = (
            f"{contract}: {abs(gone)} assigned, booked at {price:.2f}, its value with "
            f"{contract.underlying} at {spot:.2f}; IB reports no execution of it"
        )
        order = broker.room.adopt_manual(seen, contract, ExitReason.SETTLEMENT, booked=words)
        seen = replace(seen, execution_id=f"{order.order_ref}.assigned")
        order.executions = {seen.execution_id: seen}
        self._book(order, seen, ExitReason.SETTLEMENT)
        return words

    def _book(self, order: IBOrder, seen: ExecutionSeen, reason: ExitReason) -> None:
        made = self._made(order, seen.quantity, exit_reason=reason)
        made.addinfo(exit_decided_ts=self._broker.stamp())
        self._broker.bookings.book_manual(order, seen, made)

    def restated(self, order: IBOrder, known: Fill) -> bt.Order:
        """An order that is over, with a fill of an earlier process: its correction is told by it.

        Nobody in this process has seen the order itself. `info["restated"]` is the fill as it was.
        """
        size, contract = known.quantity, order.ticket.contract
        kind = BuyOrder if known.side > 0 else SellOrder
        broker = self._broker
        made = broker.new_order(kind, self._owner, contract, size, restated=known)
        made.addinfo(fills=[known], order_ref=order.order_ref)
        made.completed()
        return made

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

    @property
    def _owner(self) -> bt.Strategy:
        return self.owner if self.owner is not None else self._broker.cerebro.runningstrats[0]

    def _made(self, order: IBOrder, size: int, **info: Any) -> bt.Order:
        """An order that Backtrader's strategy has not made, told as Submitted and Accepted."""
        broker = self._broker
        kind = BuyOrder if order.ticket.side > 0 else SellOrder
        made = broker.new_order(kind, self._owner, order.ticket.contract, size, **info)
        made.addinfo(fills=[], order_ref=order.order_ref)
        made.addcomminfo(COMMISSION)
        made.submit(broker)
        broker.tell(made)
        made.accept(broker)
        broker.tell(made)
        return made


def assignment(contract: Contract, gone: int, price: float, ts: int) -> ExecutionSeen:
    """What took `gone` contracts (signed) away, as an execution that IB has not reported."""
    return ExecutionSeen(
        execution_id="",
        revision=0,
        order_ref="",
        order_id=0,
        permanent_id=0,
        account="",
        contract=contract,
        description="",
        side=-1 if gone > 0 else 1,
        quantity=abs(gone),
        price=price,
        ts=ts,
    )
