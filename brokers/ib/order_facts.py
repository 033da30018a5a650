"""What is known of one order at Interactive Brokers: its terms, its state, and what was executed.

How that changes with what the gateway says is in `orders`.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from brokers.ib.records import ExecutionSeen, OrderTicket


class OrderState(StrEnum):
    """What is known of an order. Only the last three are final, and a proof may still undo them."""

    INTENDED = "intended"
    SENT = "sent"
    WORKING = "working"
    CANCELLING = "cancelling"
    UNKNOWN = "unknown"
    FILLED = "filled"
    CANCELLED = "cancelled"
    REJECTED = "rejected"


FINAL = frozenset((OrderState.FILLED, OrderState.CANCELLED, OrderState.REJECTED))


@dataclass(slots=True, eq=False)
class OrderFacts:
    """One order of ours, as far as it is known.

    Attributes:
        ticket: its terms as last acknowledged (as first sent, before that).
        purpose: "entry" or "exit".
        change: terms on their way, None where nothing is changed.
        cancel_reason: why it is to be cancelled; empty where it is not.
        executions: by id, the highest revision of each.
        commissions: (revision, dollars) by execution id.
        doubt: why its state is UNKNOWN.
        message: the last words of IB.
        change_refused: IB's words for the last refused change; empty after an accepted one.
        try_again: a change met an order still in process: once more, later.
        is_margin: rejected for want of money.
    """

    ticket: OrderTicket
    purpose: str
    state: OrderState = OrderState.INTENDED
    permanent_id: int = 0
    change: OrderTicket | None = None
    cancel_reason: str = ""
    executions: dict[str, ExecutionSeen] = field(default_factory=dict)
    commissions: dict[str, tuple[int, float]] = field(default_factory=dict)
    doubt: str = ""
    message: str = ""
    change_refused: str = ""
    try_again: bool = False
    is_margin: bool = False

    @property
    def order_ref(self) -> str:
        """Our own unique name of it."""
        return self.ticket.order_ref

    @property
    def order_id(self) -> int:
        """Its id at our client, 0 while it has none."""
        return self.ticket.order_id

    @property
    def filled(self) -> int:
        """Contracts executed, by executions alone."""
        return sum(one.quantity for one in self.executions.values())

    @property
    def remaining(self) -> int:
        """Contracts that may still be executed: under the larger of two quantities in doubt."""
        return max(0, self._most - self.filled)

    @property
    def is_final(self) -> bool:
        """Whether nothing more can come of it, as far as can be known."""
        return self.state in FINAL

    @property
    def can_act(self) -> bool:
        """Whether a change or a cancellation may be sent now."""
        return self.state is OrderState.WORKING and self.change is None

    # --- our own acts

    def asked_to_change(self, ticket: OrderTicket) -> None:
        """New terms left for the gateway."""
        self.change, self.try_again = ticket, False

    def asked_to_cancel(self, reason: str) -> None:
        """A cancellation left for the gateway."""
        self.cancel_reason = reason
        self.state = OrderState.CANCELLING

    def lose_sight(self, why: str) -> None:
        """Nothing is certain any more: the line broke, or an answer is missing."""
        if not self.is_final:
            self.state, self.doubt = OrderState.UNKNOWN, why

    # --- quantities in doubt

    @property
    def _most(self) -> int:
        """The larger quantity, where a change of it is in doubt."""
        asked = 0 if self.change is None else self.change.quantity
        return max(self.ticket.quantity, asked)

    @property
    def _quantities(self) -> set[int]:
        asked = set() if self.change is None else {self.change.quantity}
        return {self.ticket.quantity, *asked}
