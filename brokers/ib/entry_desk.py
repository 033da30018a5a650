"""Entries from the yes to their end: margin, intent, limit, walk, and what Backtrader is told."""

from typing import TYPE_CHECKING

import backtrader as bt

from brokers.ib.entry_order import EntryOrder
from brokers.ib.orders import IBOrder, OrderState
from brokers.ib.records import LinkState
from errors import JournalError
from vocabulary import Suggestion

if TYPE_CHECKING:
    from brokers.ib.broker import IBBroker


class EntryDesk:
    """All entries of a session; the broker lets at most one be alive."""

    def __init__(self, broker: "IBBroker") -> None:
        """For `broker`, whose parts it uses."""
        self._broker = broker
        self._entries: list[EntryOrder] = []

    def alive(self) -> list[EntryOrder]:
        """Entries that Backtrader has not been told the end of."""
        return [one for one in self._entries if one.order.alive()]

    def behind(self, placed: IBOrder) -> bt.Order | None:
        """Backtrader's order of an entry at IB, None where it has none."""
        found = next((one for one in self._entries if one.placed is placed), None)
        return None if found is None else found.order

    def take(self, order: bt.Order) -> None:
        """A new approved entry."""
        entry = EntryOrder(order, order.info["suggestion"], self._broker.clock.monotonic())
        self._entries.append(entry)
        self._send(entry)

    def adopt(self, order: bt.Order, suggestion: Suggestion, placed: IBOrder) -> None:
        """An entry of an earlier process that turned out to be alive."""
        since = self._broker.clock.monotonic()
        self._entries.append(EntryOrder(order, suggestion, since, placed))

    def cancel(self, order: bt.Order, reason: str) -> None:
        """Cancel it; one that is at IB is told as Canceled once IB's books prove it."""
        for entry in self.alive():
            if entry.order == order:
                self._cancel(entry, reason)

    def turn(self) -> None:
        """Tell Backtrader what became certain, send what waits, and walk."""
        for entry in tuple(self._entries):
            if entry.placed is None:
                self._send(entry)
            else:
                self._follow(entry, entry.placed)

    def _send(self, entry: EntryOrder) -> None:
        """Send it as soon as margin and books allow; too late is a refusal."""
        broker = self._broker
        late = broker.clock.monotonic() - entry.since > 2 * broker.settings.ib.answer_seconds
        if broker.room.state is not LinkState.UP or broker.disputes.confirmed:
            self._refuse(entry, broker.halted)
        elif broker.room.is_clear and not broker.disputes.pending:
            self._check_margin(entry)
        elif late:
            self._refuse(entry, broker.halted or "IB did not tell its books in time")

    def _check_margin(self, entry: EntryOrder) -> None:
        broker = self._broker
        broker.margin.ask(entry.suggestion, entry.plan.limit)
        verdict = broker.margin.verdict(entry.suggestion, broker.excess_liquidity)
        if verdict is None:
            return
        if verdict.refusal:
            self._refuse(entry, verdict.refusal, verdict.is_margin)
        else:
            self._place(entry)

    def _place(self, entry: EntryOrder) -> None:
        broker, wanted = self._broker, entry.suggestion
        sides = broker.quotes.now(wanted.contract)
        if not sides.serves(wanted.side):  # margin and books were waited for since the yes
            self._refuse(entry, "the quote is gone or old by now: nothing was sent")
            return
        terms = entry.terms(sides)
        worst = entry.plan.worst_price
        try:
            entry.placed = broker.room.send("entry", terms, suggestion=wanted, worst=worst)
        except JournalError as fault:
            broker.room.unwritten.fault = str(fault)
            self._refuse(entry, f"the journal cannot be written: {fault}")
            return
        broker.closing.multiples[wanted.contract] = wanted.stop_multiple
        entry.order.addinfo(order_ref=entry.placed.order_ref)
        broker.margin.forget()

    def _refuse(self, entry: EntryOrder, reason: str, is_margin: bool = False) -> None:
        self._entries.remove(entry)
        order, broker = entry.order, self._broker
        if is_margin:
            broker.end_order(order, order.margin, reason)
        else:
            broker.end_order(order, order.reject, reason, broker)

    def _cancel(self, entry: EntryOrder, reason: str) -> None:
        entry.order.addinfo(reason=reason)
        if entry.placed is None:
            self._entries.remove(entry)
            self._broker.end_order(entry.order, entry.order.cancel, reason)
        elif not entry.placed.is_final:
            self._broker.room.cancel(entry.placed, reason)

    def _follow(self, entry: EntryOrder, placed: IBOrder) -> None:
        broker, order = self._broker, entry.order
        if order.status == bt.Order.Submitted and placed.state is OrderState.WORKING:
            order.accept(broker)
            broker.tell(order)
        if placed.is_final and order.alive():
            self._end(order, placed)
        if broker.room.is_clear and not placed.is_final:
            sides = broker.quotes.now(entry.suggestion.contract)
            now, seconds = broker.clock.market_now(), broker.settings.ib.walk_seconds
            entry.walk(broker.room, sides, now, seconds)

    def _end(self, order: bt.Order, placed: IBOrder) -> None:
        broker = self._broker
        reason = placed.cancel_reason or placed.message or str(placed.state)
        if placed.state is OrderState.REJECTED and placed.is_margin:
            broker.end_order(order, order.margin, reason)
        elif placed.state is OrderState.REJECTED:
            broker.end_order(order, order.reject, reason, broker)
        else:
            broker.end_order(order, order.cancel, reason)
