"""What passes between the link's thread and Cerebro's: plain frozen records, no library objects.

Prices are dollars a share, `ts` nanoseconds since 1970 UTC, quantities whole contracts; sides are
+1 bought and -1 sold. Order ids are those of our client; 0 is an order somebody else placed.
"""

from dataclasses import dataclass
from enum import StrEnum

from feeds.contract import Contract


class LinkState(StrEnum):
    """What the line to the account is worth."""

    DOWN = "down"
    CONNECTING = "connecting"
    REFUSED = "refused"
    UP = "up"
    BROKEN_BEYOND = "broken beyond the gateway"


@dataclass(frozen=True, slots=True)
class LinkChanged:
    """The line changed; `reason` in words for a person. After UP, reconcile before acting."""

    state: LinkState
    reason: str
    account: str = ""


@dataclass(frozen=True, slots=True)
class OrderTicket:
    """An order as it is sent: limit (LMT) or, with `stop_price`, a native stop (STP).

    `order_id` 0 asks for a new one. The tif is always DAY, the account always named.
    """

    order_ref: str
    contract: Contract
    side: int
    quantity: int
    limit: float | None = None
    stop_price: float | None = None
    trigger_method: int = 0
    order_id: int = 0


@dataclass(frozen=True, slots=True)
class OrderSent:
    """A ticket left for the gateway under this id (not yet acknowledged)."""

    order_ref: str
    order_id: int


@dataclass(frozen=True, slots=True)
class OrderSeen:
    """openOrder or completedOrder: what the gateway says an order is."""

    order_ref: str
    order_id: int
    permanent_id: int
    status: str
    contract: Contract | None
    side: int
    quantity: int
    order_type: str
    limit: float | None
    stop_price: float | None
    completed: bool = False
    warning: str = ""


@dataclass(frozen=True, slots=True)
class StatusSeen:
    """orderStatus: one input among others, never trusted alone."""

    order_id: int
    permanent_id: int
    status: str
    filled: float
    remaining: float
    why_held: str = ""


@dataclass(frozen=True, slots=True)
class ExecutionSeen:
    """An execution. `execution_id` is without its last part, `revision` is that part.

    A higher revision corrects the lower ones. `contract` is None for what is no option of ours.
    """

    execution_id: str
    revision: int
    order_ref: str
    order_id: int
    permanent_id: int
    account: str
    contract: Contract | None
    description: str
    side: int
    quantity: int
    price: float
    ts: int


@dataclass(frozen=True, slots=True)
class CommissionSeen:
    """The commission of an execution, dollars; sent again at every request: set, never add."""

    execution_id: str
    revision: int
    commission: float


@dataclass(frozen=True, slots=True)
class ErrorSeen:
    """An error or warning; `order_id` is -1 where it belongs to no order or request.

    Code 0 is the link's own: nothing left for the gateway. `order_ref` then names the ticket, which
    may be a new order that never had an id (`order_id` 0).
    """

    order_id: int
    code: int
    message: str
    order_ref: str = ""


@dataclass(frozen=True, slots=True)
class HeldPosition:
    """A position of the account: signed quantity; `contract` None for anything but an option."""

    account: str
    contract: Contract | None
    symbol: str
    security: str
    quantity: float
    average_cost: float


@dataclass(frozen=True, slots=True)
class AccountFigures:
    """Dollars of the account; NaN where IB has not told."""

    net_liquidation: float
    available_funds: float
    excess_liquidity: float
    cash: float


@dataclass(frozen=True, slots=True)
class Books:
    """Everything a reconciliation needs, asked anew and complete. Unknown is never empty.

    `quantities` of `orders` are totals; `executions` are those of the day, `commissions` theirs.
    """

    account: str
    orders: tuple[OrderSeen, ...]
    completed: tuple[OrderSeen, ...]
    executions: tuple[ExecutionSeen, ...]
    commissions: tuple[CommissionSeen, ...]
    positions: tuple[HeldPosition, ...]
    figures: AccountFigures


@dataclass(frozen=True, slots=True)
class MarginImpact:
    """What whatIf says of a ticket, dollars; `refused` holds IB's words where it says no."""

    initial_change: float = 0.0
    maintenance_change: float = 0.0
    commission: float = 0.0
    refused: str = ""


LinkEvent = (
    LinkChanged | OrderSent | OrderSeen | StatusSeen | ExecutionSeen | CommissionSeen | ErrorSeen
)


@dataclass(frozen=True, slots=True)
class AccountRule:
    """Which accounts may be traded: paper ones, or exactly one live one.

    `allow_live` names it; a rehearsal or a practice run refuses every live account.
    """

    account: str | None = None
    allow_live: str | None = None
