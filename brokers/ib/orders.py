"""The life of one order at Interactive Brokers, as far as it can be known: a pure state machine.

The only proof of a fill is an execution; the only proof of an end without a fill is a complete
answer of the gateway (`Books`), or a refusal of an order that nobody acknowledged yet. Statuses are
hints: whatever does not fit makes the order UNKNOWN, and nothing is done with it until Books came.
"""

from dataclasses import dataclass, replace

from brokers.ib.codes import CODES, Code, Says, is_margin, words
from brokers.ib.order_facts import FINAL, OrderFacts, OrderState
from brokers.ib.records import (
    Books,
    CommissionSeen,
    ErrorSeen,
    ExecutionSeen,
    OrderSeen,
    OrderSent,
    OrderTicket,
    StatusSeen,
)

__all__ = ["FINAL", "IBOrder", "OrderState"]

_WORKING_WORDS = frozenset(("ApiPending", "PendingSubmit", "PreSubmitted", "Submitted"))
_CANCELLED_WORDS = frozenset(("Cancelled", "ApiCancelled"))
_CENT = 1e-6


@dataclass(slots=True, eq=False)
class IBOrder(OrderFacts):
    """One order of ours, following what the gateway says of it."""

    # --- what the gateway says

    def see(
        self, event: OrderSent | OrderSeen | StatusSeen | ExecutionSeen | CommissionSeen | ErrorSeen
    ) -> None:
        """Take one event, whatever its order and however often it comes."""
        match event:
            case OrderSent():
                self._see_sent(event)
            case OrderSeen():
                self._see_order(event)
            case StatusSeen():
                self._see_status(event)
            case ExecutionSeen():
                self._see_execution(event)
            case CommissionSeen():
                self._see_commission(event)
            case ErrorSeen():
                self._see_error(event)

    def _see_sent(self, event: OrderSent) -> None:
        self.ticket = replace(self.ticket, order_id=event.order_id)
        if self.state is OrderState.INTENDED:
            self.state = OrderState.SENT

    def _see_order(self, seen: OrderSeen) -> None:
        self._take_ids(seen.order_id, seen.permanent_id)
        self.message = seen.warning or self.message
        self._hear(seen.status)
        if seen.status in _WORKING_WORDS and self.state is OrderState.WORKING:
            self._acknowledge(seen)

    def _acknowledge(self, seen: OrderSeen) -> None:
        """An order that works: with the terms on their way, or still with the old ones."""
        if self.change is not None and _has_terms(seen, self.change):
            self.ticket, self.change, self.change_refused = self.change, None, ""

    def _see_status(self, seen: StatusSeen) -> None:
        self._take_ids(seen.order_id, seen.permanent_id)
        self._hear(seen.status)
        if not self.is_final and seen.filled > self.filled + _CENT and seen.status != "Filled":
            self.lose_sight(f"IB counts {seen.filled:g} filled, executions say {self.filled}")

    def _hear(self, status: str) -> None:
        """Take a status as the hint it is."""
        if self.state is OrderState.FILLED:
            return
        if status in _WORKING_WORDS:
            self._hear_working(status)
        elif status == "PendingCancel" and self.state is OrderState.CANCELLING:
            return
        elif self.state not in FINAL:
            self.lose_sight(f"IB says {status}, executions say {self.filled}")
        elif status in ("Filled", "PendingCancel"):
            self._revive(status)

    def _hear_working(self, status: str) -> None:
        if self.state in (OrderState.INTENDED, OrderState.SENT):
            self.state = OrderState.WORKING
        elif self.state in FINAL:
            self._revive(status)

    def _revive(self, status: str) -> None:
        self.state, self.doubt = OrderState.UNKNOWN, f"was {self.state}, IB says {status}"

    def _see_execution(self, seen: ExecutionSeen) -> None:
        self._take_ids(seen.order_id, seen.permanent_id)
        known = self.executions.get(seen.execution_id)
        if known is None or seen.revision > known.revision:
            self.executions[seen.execution_id] = seen
            self._count()

    def _count(self) -> None:
        """Compare executions with the quantities asked for (two while a change is on its way)."""
        filled, most = self.filled, self._most
        if filled == most:
            self._is_filled()
        elif filled > most:
            self.state, self.doubt = OrderState.UNKNOWN, f"{filled} filled of {most}"
        elif filled == self.ticket.quantity or self.state is OrderState.FILLED:
            self.state, self.doubt = OrderState.UNKNOWN, "a fill was corrected or met a change"
        elif self.state in (OrderState.INTENDED, OrderState.SENT):
            self.state = OrderState.WORKING

    def _is_filled(self) -> None:
        self.ticket = replace(self.ticket, quantity=self.filled)
        self.state, self.doubt, self.change = OrderState.FILLED, "", None

    def _see_commission(self, seen: CommissionSeen) -> None:
        known = self.commissions.get(seen.execution_id)
        if known is None or seen.revision >= known[0]:
            self.commissions[seen.execution_id] = seen.revision, seen.commission

    def _see_error(self, error: ErrorSeen) -> None:
        if self.is_final:
            return
        self.message = words(error.code, error.message)
        says = self._says(CODES.get(error.code, Code("unknown")))
        if says is Says.TRY_AGAIN:
            self.change, self.try_again = None, True
        elif says is Says.DEAD:
            self.state, self.doubt = OrderState.REJECTED, ""
            self.is_margin = is_margin(error.code, error.message)
        elif says is Says.UNCLEAR:
            if self.change is not None:
                self.change_refused = self.message
            self.lose_sight(self.message)

    def _says(self, code: Code) -> Says:
        if self.state in (OrderState.INTENDED, OrderState.SENT):
            return code.new
        if self.cancel_reason:
            return code.cancel
        return code.live if self.change is None else code.change

    # --- the proof

    def settle(self, books: Books, asked_after: bool = True) -> None:
        """Take complete Books as the truth.

        Args:
            books: the gateway's complete answer.
            asked_after: whether they were asked for after the last act on this order; if not, the
                order's absence proves nothing and its terms may be older than ours.
        """
        self._take_executions(books)
        if not asked_after:
            return
        seen = next((one for one in books.orders if self._is(one)), None)
        done = next((one for one in books.completed if self._is(one)), None)
        if seen is not None and self._still_works(seen):
            self._is_open(seen)
        elif self.state is not OrderState.FILLED:
            self._is_gone(done)

    def _still_works(self, seen: OrderSeen) -> bool:
        """Whether an entry of the open orders is alive. Inactive without a refusal is: held."""
        if seen.status == "Inactive":
            return not self.message
        return seen.status not in _CANCELLED_WORDS | {"Filled"}

    def _is_open(self, seen: OrderSeen) -> None:
        self._take_ids(seen.order_id, seen.permanent_id)
        asked = self.change
        self.ticket = replace(
            self.ticket,
            quantity=seen.quantity,
            limit=seen.limit if seen.order_type != "STP" else None,
            stop_price=seen.stop_price if seen.order_type != "LMT" else None,
        )
        if asked is not None and _has_terms(seen, asked):
            self.change_refused = ""
        self.change, self.doubt = None, ""
        pending = seen.status == "PendingCancel"
        self.state = OrderState.CANCELLING if pending else OrderState.WORKING
        self._count()

    def _is_gone(self, done: OrderSeen | None) -> None:
        """Absent from the open orders of complete Books: it is over, with the fills it had."""
        filled, claimed = self.filled, done is not None and done.status == "Filled"
        if filled > self._most:  # dead all the same; `reconcile.compare` disputes it
            self.state, self.doubt, self.change = OrderState.FILLED, "", None
        elif claimed and filled not in self._quantities:
            self.lose_sight(f"IB says Filled, its executions say {filled} of {self._most}")
        elif filled in self._quantities:
            self._is_filled()
        else:
            self._is_over(done)

    def _is_over(self, done: OrderSeen | None) -> None:
        arrived = self.permanent_id or self.executions or done is not None
        refused = not arrived or (done is not None and done.status == "Inactive")
        if self.state is not OrderState.REJECTED:
            self.message = (done.warning if done is not None else "") or self.message
            dead = OrderState.REJECTED if refused and not self.executions else OrderState.CANCELLED
            self.state = dead
        if not arrived and not self.message:
            self.message = "never arrived at IB"
        self.change, self.doubt = None, ""

    def _take_executions(self, books: Books) -> None:
        for execution in books.executions:
            if execution.order_ref == self.order_ref:
                self._see_execution(execution)
        for commission in books.commissions:
            if commission.execution_id in self.executions:
                self._see_commission(commission)

    def _is(self, seen: OrderSeen) -> bool:
        if seen.order_ref or not self.permanent_id:
            return seen.order_ref == self.order_ref
        return seen.permanent_id == self.permanent_id

    def _take_ids(self, order_id: int, permanent_id: int) -> None:
        if not self.order_id and order_id > 0:
            self.ticket = replace(self.ticket, order_id=order_id)
        self.permanent_id = self.permanent_id or permanent_id


def _has_terms(seen: OrderSeen, ticket: OrderTicket) -> bool:
    """Whether the gateway shows exactly these terms."""
    if seen.quantity != ticket.quantity:
        return False
    if ticket.stop_price is not None:
        return seen.order_type == "STP" and _same(seen.stop_price, ticket.stop_price)
    return seen.order_type == "LMT" and _same(seen.limit, ticket.limit)


def _same(seen: float | None, asked: float | None) -> bool:
    return seen is not None and asked is not None and abs(seen - asked) < _CENT
