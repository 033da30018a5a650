"""Orders at IB as a person sees them."""

from brokers.ib.orders import IBOrder, OrderState
from vocabulary import OrderLine


def order_line(order: IBOrder) -> OrderLine:
    """One line: what it is, its state in words, and how far it is filled."""
    ticket = order.ticket
    verb = "BUY" if ticket.side > 0 else "SELL"
    kind, price = ("LIMIT", ticket.limit) if ticket.stop_price is None else ("STOP", None)
    at = ticket.stop_price if price is None else price
    text = f"{verb} {ticket.quantity} {ticket.contract} {kind} {at or 0:.2f}"
    return OrderLine(order.order_ref, text, _status(order), order.filled, ticket.quantity, price)


def _status(order: IBOrder) -> str:
    if order.state is OrderState.UNKNOWN:
        return f"unknown: {order.doubt}"
    if order.change is not None:
        return "changing"
    return str(order.state)
