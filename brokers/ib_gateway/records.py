"""What the stand-in keeps: orders, executions, positions. Prices are dollars a share."""

from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

from feeds.contract import Contract, Right


class Status(StrEnum):
    """An order's status as it travels."""

    PRE_SUBMITTED = "PreSubmitted"
    SUBMITTED = "Submitted"
    PENDING_CANCEL = "PendingCancel"
    CANCELLED = "Cancelled"
    FILLED = "Filled"
    INACTIVE = "Inactive"


FINISHED = frozenset({Status.CANCELLED, Status.FILLED, Status.INACTIVE})


@dataclass(frozen=True, slots=True)
class Instrument:
    """What can be held: an option, or the underlying itself (strike 0, no right)."""

    con_id: int
    symbol: str
    expiration: str = ""
    strike_thousandths: int = 0
    right: str = ""
    trading_class: str = ""

    @property
    def security(self) -> str:
        """OPT or STK."""
        return "OPT" if self.right else "STK"

    @property
    def multiplier(self) -> int:
        """Shares it stands for."""
        return 100 if self.right else 1

    @property
    def strike(self) -> float:
        """Dollars."""
        return self.strike_thousandths / 1000

    @property
    def local_symbol(self) -> str:
        """The 21 characters of the OCC for an option."""
        if not self.right:
            return self.symbol
        day, strike = self.expiration[2:], self.strike_thousandths
        return f"{self.trading_class:<6}{day}{self.right}{strike:08d}"

    @property
    def contract(self) -> Contract | None:
        """As the desk knows it; None for the underlying."""
        if not self.right:
            return None
        expiration = date.fromisoformat(self.expiration)
        right = Right.CALL if self.right == "C" else Right.PUT
        return Contract(self.symbol, expiration, self.strike_thousandths, right)


@dataclass(frozen=True, slots=True)
class OrderTerms:
    """What a client asks for; changed by a modification. `side` is +1 to buy, -1 to sell."""

    side: int
    quantity: int
    order_type: str
    limit: float | None = None
    stop: float | None = None
    tif: str = "DAY"
    trigger_method: int = 0
    order_ref: str = ""
    transmit: bool = True
    outside_hours: bool = False


@dataclass(frozen=True, slots=True)
class GatewayOrder:
    """An order in the book.

    Args:
        permanent_id: the broker's own number, for ever.
        client_id, order_id: who placed it; order id 0 for a person at the screen.
        spent: sum of price times quantity over its executions.
        triggered: whether a stop has become an order of its own.
        resting: whether it was seen at the market once and stayed; it then fills at its limit.
        ended: how and when, in words; empty while it lives.
    """

    permanent_id: int
    client_id: int
    order_id: int
    account: str
    con_id: int
    terms: OrderTerms
    status: Status
    placed_ts: int
    filled: int = 0
    spent: float = 0.0
    last_price: float = 0.0
    triggered: bool = False
    resting: bool = False
    ended: str = ""
    ended_ts: int = 0

    @property
    def remaining(self) -> int:
        """Contracts that are still wanted."""
        return self.terms.quantity - self.filled

    @property
    def alive(self) -> bool:
        """Whether it may still fill."""
        return self.status not in FINISHED

    @property
    def average_price(self) -> float:
        """Of what is filled, 0.0 before."""
        return round(self.spent / self.filled, 8) if self.filled else 0.0


@dataclass(frozen=True, slots=True)
class GatewayExecution:
    """An execution. `execution_id` ends in its revision, .01 at first; `side` as in an order.

    `commission` and `realised` (None where it opens a position) are dollars.
    """

    execution_id: str
    permanent_id: int
    client_id: int
    order_id: int
    account: str
    con_id: int
    side: int
    quantity: int
    price: float
    ts: int
    order_ref: str
    cumulative: int
    average_price: float
    commission: float
    realised: float | None
    day: str

    def corrected(self, price: float) -> "GatewayExecution":
        """The next revision, at another price."""
        stem, _, revision = self.execution_id.rpartition(".")
        return replace(self, execution_id=f"{stem}.{int(revision) + 1:02d}", price=price)


@dataclass(frozen=True, slots=True)
class Holding:
    """A position: signed quantity, and dollars a contract (or share) it cost, commission included.

    A short's cost is what it brought in less the commission.
    """

    quantity: int = 0
    average_cost: float = 0.0

    def after(
        self, side: int, quantity: int, value: float, commission: float
    ) -> tuple["Holding", float | None]:
        """The holding after a trade of `value` dollars a contract, and the dollars it realised.

        None realised where the trade only opens.
        """
        closing = min(quantity, abs(self.quantity)) if self.quantity * side < 0 else 0
        opening, fee = quantity - closing, commission / quantity
        cost, held = value + side * fee, self.quantity + side * quantity
        realised = closing * side * (self.average_cost - cost) if closing else None
        if closing and opening == 0:
            return Holding(held, self.average_cost if held else 0.0), realised
        if closing:
            return Holding(held, cost), realised
        total = abs(self.quantity) * self.average_cost + opening * cost
        return Holding(held, total / abs(held)), None
