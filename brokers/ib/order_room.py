"""All orders of ours at IB: sent, changed, cancelled, and followed through everything IB says.

It owns the order state machines and decides when the gateway must be asked for its books: after
each connection, for each order whose state is unclear, and for everything that is not ours. While
that is open nothing is sent (`is_clear`). An intent is on the disk before its order leaves. All
calls come from Cerebro's thread; none blocks.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from brokers.ib.books_request import BooksRequest
from brokers.ib.journal_queue import JournalQueue
from brokers.ib.order_parties import Link, Listener
from brokers.ib.orders import IBOrder, OrderState
from brokers.ib.records import (
    Books,
    CommissionSeen,
    ErrorSeen,
    ExecutionSeen,
    LinkChanged,
    LinkEvent,
    LinkState,
    OrderSeen,
    OrderSent,
    OrderTicket,
    StatusSeen,
)
from feeds.contract import Contract
from vocabulary import Clock, ExitReason, JournalRecord

STALE = "its approval is stale"
"""Why an entry is cancelled that works at IB without an order of Backtrader's behind it."""

_EXPECTING = (OrderState.INTENDED, OrderState.SENT, OrderState.CANCELLING)


class OrderRoom:
    """The orders of a session.

    Attributes:
        orders: by order_ref.
        state: of the line, as far as its events were taken.
        unwritten: what the journal has not taken yet, and why.
    """

    def __init__(
        self, link: Link, journal: Any, clock: Clock, listener: Listener, answer_seconds: float
    ) -> None:
        """An empty room; orders without an answer for `answer_seconds` (wall) are asked for."""
        self.link = link
        self.journal = journal
        self.clock = clock
        self.listener = listener
        self.answer_seconds = answer_seconds
        self.orders: dict[str, IBOrder] = {}
        self.state = LinkState.DOWN
        self.unwritten = JournalQueue()
        self._waiting: dict[str, float] = {}
        self._acts = 0
        self._last_act: dict[str, int] = {}
        self._books = BooksRequest(link, 2 * answer_seconds)
        self._unclear_since: float | None = None
        self._early: dict[str, CommissionSeen] = {}

    # --- what is known

    @property
    def is_clear(self) -> bool:
        """Whether the line is up, and every order's state and the books are known."""
        return self.state is LinkState.UP and not self._books.is_open and not self._is_in_doubt

    @property
    def unclear_seconds(self) -> float:
        """Wall seconds for which it has not been clear, 0 when it is."""
        since = self._unclear_since
        return 0.0 if since is None else self.clock.monotonic() - since

    @property
    def doubts(self) -> list[str]:
        """In words: which orders are unknown, and why."""
        unknown = (one for one in self.orders.values() if one.state is OrderState.UNKNOWN)
        return [f"{one.order_ref}: {one.doubt}" for one in unknown]

    def live(self) -> list[IBOrder]:
        """Orders that may still be executed."""
        return [one for one in self.orders.values() if not one.is_final]

    # --- own acts

    def send(self, purpose: str, terms: Mapping[str, Any], **intent: Any) -> IBOrder:
        """Write the intent, then send the order. Raises `JournalError`: nothing was sent then.

        `terms` are fields of `OrderTicket`; `intent` what `Journal.intend` takes beside them.
        """
        stop = terms.get("stop_price")
        ref = self.journal.intend(
            self.clock.market_now(),
            purpose=purpose,
            contract=terms["contract"],
            side=terms["side"],
            quantity=terms["quantity"],
            limit=terms.get("limit") if stop is None else stop,
            account=self.link.account,
            **intent,
        )
        order = IBOrder(OrderTicket(ref, **terms), purpose)
        self.orders[ref] = order
        self._acted(order)
        self.link.place(order.ticket)
        return order

    def change(self, order: IBOrder, ticket: OrderTicket) -> None:
        """Send other terms of a working order."""
        order.asked_to_change(ticket)
        self._acted(order)
        self.link.place(ticket)

    def cancel(self, order: IBOrder, reason: str) -> None:
        """Cancel an order now, or as soon as it is known to work."""
        order.cancel_reason = order.cancel_reason or reason
        ready = order.state in (OrderState.SENT, OrderState.WORKING) and order.order_id
        if ready and self.state is LinkState.UP:
            order.asked_to_cancel(order.cancel_reason)
            self._acted(order)
            self.link.cancel(order.order_id)

    def ask_for_books(self, after_seconds: float = 0.0) -> None:
        """Have the gateway's books compared soon; nothing is sent until then."""
        self._books.want(self.clock.monotonic() + after_seconds)

    def adopt(self, order: IBOrder) -> None:
        """Take over an order of an earlier process."""
        self.orders[order.order_ref] = order
        self._last_act[order.order_ref] = 0

    # --- one turn

    def turn(self) -> None:
        """Take everything IB said, and ask it where something is unclear."""
        for event in self.link.drain():
            self._hear(event)
        now = self.clock.monotonic()
        self._look_at_clocks(now)
        answer = self._books.take(now)
        if answer is not None:
            self.take(*answer)
        if self.state is LinkState.UP:
            self._books.ask(now, self._is_in_doubt, self._acts)
        for order in self.live():
            if order.cancel_reason and order.state is OrderState.WORKING and self.is_clear:
                self.cancel(order, order.cancel_reason)
        self._unclear_since = None if self.is_clear else self._unclear_since or now
        self.unwritten.try_again()

    @property
    def _is_in_doubt(self) -> bool:
        return any(one.state is OrderState.UNKNOWN for one in self.orders.values())

    def _hear(self, event: LinkEvent) -> None:
        if isinstance(event, LinkChanged):
            self._line_changed(event)
        elif isinstance(event, CommissionSeen):
            self._hear_commission(event)
        else:
            for order in self._meant(event):
                known = order.state, order.doubt
                self.follow(order, partial(order.see, event))
                if order.state is OrderState.UNKNOWN and known != (order.state, order.doubt):
                    self._doubted(order)

    def _line_changed(self, event: LinkChanged) -> None:
        self.state = event.state
        self._books.start_anew()
        if event.state is not LinkState.UP:
            for order in self.live():
                self.follow(order, partial(order.lose_sight, f"the line: {event.reason}"))

    def _hear_commission(self, event: CommissionSeen) -> None:
        for order in self.orders.values():
            if event.execution_id in order.executions:
                self.follow(order, partial(order.see, event))
                return
        self._early[event.execution_id] = event

    def _meant(
        self, event: OrderSent | OrderSeen | StatusSeen | ExecutionSeen | ErrorSeen
    ) -> list[IBOrder]:
        """Whom an event is about; what is about nobody of ours makes us look at the books."""
        if isinstance(event, ErrorSeen) and event.order_ref in self.orders:
            return [self.orders[event.order_ref]]
        if isinstance(event, StatusSeen | ErrorSeen):
            return self._with_id(event)
        order = self.orders.get(event.order_ref)
        if order is None and not isinstance(event, OrderSent):
            self._books.is_wanted = self._books.is_wanted or event.contract is not None
        return [] if order is None else [order]

    def _with_id(self, event: StatusSeen | ErrorSeen) -> list[IBOrder]:
        if event.order_id <= 0:
            return []
        ours = [one for one in self.orders.values() if one.order_id == event.order_id]
        if isinstance(event, StatusSeen) and event.permanent_id:
            ids = (0, event.permanent_id)
            ours = [one for one in ours if one.permanent_id in ids]
        return ours[-1:]

    def follow(self, order: IBOrder, step: Callable[[], None]) -> None:
        """Let an order take a step, and tell what became certain by it."""
        executions, commissions = dict(order.executions), dict(order.commissions)
        shown = self._shown(order)
        step()
        for key, execution in order.executions.items():
            if executions.get(key) is not execution:
                self.listener.executed(order, execution, executions.get(key))
                early = self._early.pop(key, None)
                if early is not None:
                    order.see(early)
        for key, (revision, dollars) in order.commissions.items():
            if commissions.get(key, (revision, None))[1] != dollars:
                self.listener.charged(order, key, dollars)
        if order.state in _EXPECTING or (order.change is not None and not order.is_final):
            self._waiting.setdefault(order.order_ref, self.clock.monotonic())
        else:
            self._waiting.pop(order.order_ref, None)
        if self._shown(order) != shown:
            self.unwritten.write(partial(self.journal.write, self._row(order)))

    @staticmethod
    def _shown(order: IBOrder) -> tuple[Any, ...]:
        ticket = order.ticket
        price = ticket.limit if ticket.stop_price is None else ticket.stop_price
        return order.state, order.order_id, order.permanent_id, price, order.filled, order.message

    def _row(self, order: IBOrder) -> JournalRecord:
        state, order_id, permanent_id, price, filled, message = self._shown(order)
        row = {"order_ref": order.order_ref, "broker_order_id": order_id, "status": state}
        row |= {"permanent_id": permanent_id, "limit": price, "filled": filled, "message": message}
        return JournalRecord("orders", self.clock.market_now(), row)

    # --- clocks and books

    def _acted(self, order: IBOrder) -> None:
        self._acts += 1
        self._last_act[order.order_ref] = self._acts
        self._waiting[order.order_ref] = self.clock.monotonic()

    def _doubted(self, order: IBOrder) -> None:
        """Books that are on their way may be older than the doubt: they prove nothing of it."""
        self._acts += 1
        self._last_act[order.order_ref] = self._acts

    def _look_at_clocks(self, now: float) -> None:
        """An order without an answer is unknown."""
        for ref, since in tuple(self._waiting.items()):
            if now - since > self.answer_seconds:
                del self._waiting[ref]
                order = self.orders[ref]
                why = f"IB has not answered for {self.answer_seconds:g} s"
                self.follow(order, partial(order.lose_sight, why))

    def take(self, books: Books, acts: int | None = None) -> None:
        """Let every order follow complete books; `acts`: our acts when they were asked for."""
        limit = self._acts if acts is None else acts
        for ref, order in self.orders.items():
            proves = self._last_act[ref] <= limit
            self.follow(order, partial(order.settle, books, proves))
        self.listener.settled(books)

    def line_is(self, state: LinkState) -> None:
        """Believe the line's own word where its event was taken by somebody else."""
        self.state = state

    def adopt_manual(
        self, seen: ExecutionSeen, contract: Contract, reason: ExitReason, **payload: Any
    ) -> IBOrder:
        """Give what was not our doing an order of ours, so that journal and books have one."""
        ref = self.journal.intend(
            self.clock.market_now(),
            purpose="exit",
            contract=contract,
            side=seen.side,
            quantity=seen.quantity,
            limit=seen.price,
            account=self.link.account,
            exit_reason=reason,
            exit_decided_ts=self.clock.market_now(),
            payload={"execution_id": seen.execution_id, **payload},
        )
        ticket = OrderTicket(ref, contract, seen.side, seen.quantity, limit=seen.price)
        order = IBOrder(ticket, "manual", OrderState.FILLED)
        order.permanent_id = seen.permanent_id
        order.executions = {seen.execution_id: seen}
        self.adopt(order)
        return order
