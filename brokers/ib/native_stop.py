"""The one closing order of a position at IB: a native stop, turned into the limit of an exit.

There is never a second one. What is wanted (`Wanted`) is compared with what IB has; the answer is
one act, or none while an act is on its way. Quantities are whole contracts.
"""

from dataclasses import dataclass, replace

from brokers.ib.orders import IBOrder
from brokers.ib.records import OrderTicket
from brokers.ib.walking import to_tick
from feeds.contract import Contract


@dataclass(frozen=True, slots=True)
class Wanted:
    """The closing order as it should be: a limit, or a stop with its trigger method."""

    contract: Contract
    side: int
    quantity: int
    limit: float | None = None
    stop_price: float | None = None
    trigger_method: int = 0


@dataclass(frozen=True, slots=True)
class Place:
    """Send a new order."""

    wanted: Wanted


@dataclass(frozen=True, slots=True)
class Change:
    """Send the order again under its id with these terms."""

    ticket: OrderTicket


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Cancel the order."""

    reason: str


def closing_quantity(ours: int, theirs: int) -> int:
    """Contracts that may be closed: never more than both books hold (signed, same contract)."""
    if ours * theirs <= 0:
        return 0
    return min(abs(ours), abs(theirs))


def trigger_price(stop_price: float, factor: float) -> float:
    """Price of the native stop of a short: behind the desk's own, rounded away from it."""
    return to_tick(stop_price * factor, upwards=True)


def act(wanted: Wanted | None, order: IBOrder | None) -> Place | Change | Withdraw | None:
    """The next act that brings IB's closing order to what is wanted; None to wait or to rest.

    A change that IB refused is not tried again: the order is withdrawn, and once that is certain
    a new one takes its place for what is left.
    """
    if order is None or order.is_final:
        return None if wanted is None or wanted.quantity == 0 else Place(wanted)
    if not order.can_act:
        return None
    if wanted is None or wanted.quantity == 0:
        return Withdraw("nothing is left to close")
    if wanted.contract != order.ticket.contract or wanted.side != order.ticket.side:
        return Withdraw("another position is open")
    ticket = _ticket(wanted, order)
    if ticket == order.ticket:
        return None
    if order.change_refused:
        return Withdraw(f"its change was refused: {order.change_refused}")
    return Change(ticket)


def _ticket(wanted: Wanted, order: IBOrder) -> OrderTicket:
    """The order's terms with its total quantity: what is filled and what is left to close."""
    return replace(
        order.ticket,
        quantity=order.filled + wanted.quantity,
        limit=wanted.limit,
        stop_price=wanted.stop_price,
        trigger_method=wanted.trigger_method,
        order_id=order.order_id,
    )
