"""Whom the order room deals with: the link it sends by, and the listener it tells (the broker)."""

from typing import Protocol

from brokers.ib.orders import IBOrder
from brokers.ib.records import Books, ExecutionSeen, LinkEvent, LinkState, OrderTicket
from errors import BrokerError


class Link(Protocol):
    """What is used of the link to the gateway (`brokers.ib.link.IBLink`)."""

    account: str
    state: LinkState
    line: str

    def drain(self) -> list[LinkEvent]:
        """Everything since the last call."""

    def place(self, ticket: OrderTicket) -> None:
        """Send a new order or a change."""

    def cancel(self, order_id: int) -> None:
        """Send a cancellation."""

    def ask_books(self) -> None:
        """Ask for complete books."""

    def take_books(self) -> Books | BrokerError | None:
        """The answer once it is there."""


class Listener(Protocol):
    """Who is told what became certain (the broker)."""

    def executed(self, order: IBOrder, now: ExecutionSeen, before: ExecutionSeen | None) -> None:
        """An execution, or the correction of one."""

    def charged(self, order: IBOrder, execution_id: str, commission: float) -> None:
        """The commission of an execution, dollars; told again where it changes."""

    def settled(self, books: Books) -> None:
        """Complete books came; all orders follow them already."""
