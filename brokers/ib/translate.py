"""Library objects to records and back: pure functions, the one place that knows IB's field names.

Library objects are typed `Any`: either library's will do.
"""

import math
import re
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from brokers.ib.records import (
    CommissionSeen,
    ExecutionSeen,
    HeldPosition,
    MarginImpact,
    OrderSeen,
    OrderTicket,
)
from brokers.ib.tick_ladder import TickLadder
from feeds.contract import Contract, Right

NEW_YORK = ZoneInfo("America/New_York")
UNSET = 1e300
"""IB writes what it does not know as the largest float."""

_INSTANT = re.compile(r"(\d{8})([ -]+)(\d\d:\d\d:\d\d)(?:\.\d+)?(?:Z|\s+(\S.*?))?\s*")


def execution_instant(text: str) -> int:
    """Nanoseconds UTC of an execution's time stamp; raises `ValueError` for none.

    `20260413 15:27:04 US/Eastern` names its zone, `20260413-15:27:04` is UTC, and old gateways
    write `20260413  15:27:04`: the time of the exchange, New York.
    """
    matched = _INSTANT.fullmatch(text)
    if matched is None:
        raise ValueError(f"execution time {text!r} is of no known form")
    day, between, clock, zone = matched.groups()
    naive = datetime.strptime(f"{day} {clock}", "%Y%m%d %H:%M:%S")
    if zone is None:
        aware = naive.replace(tzinfo=UTC if "-" in between else NEW_YORK)
    else:
        aware = naive.replace(tzinfo=_zone(zone))
    return int(aware.timestamp()) * 1_000_000_000


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"time zone {name!r} of an execution is unknown") from error


def split_execution_id(text: str) -> tuple[str, int]:
    """(what all revisions share, revision) of an execution's id.

    "0000e0d5.6a1b2c3d.01.02" is ("0000e0d5.6a1b2c3d.01", 2): a correction repeats the id with a
    higher last part; an id without a number there has no revisions.
    """
    first, dot, last = text.rpartition(".")
    return (first, int(last)) if dot and last.isdigit() else (text, 0)


def option_fields(contract: Contract) -> dict[str, Any]:
    """How an option is asked for: SMART and its trading class, else several contracts answer."""
    return {
        "symbol": contract.underlying,
        "lastTradeDateOrContractMonth": f"{contract.expiration:%Y%m%d}",
        "strike": contract.strike,
        "right": "C" if contract.right == Right.CALL else "P",
        "exchange": "SMART",
        "multiplier": str(contract.multiplier),
        "currency": "USD",
        "tradingClass": contract.underlying,
    }


def option_of(seen: Any) -> Contract | None:
    """Our contract of a library's; None for anything but an option with day, strike and right."""
    day = seen.lastTradeDateOrContractMonth[:8]
    if seen.secType != "OPT" or len(day) != 8 or seen.right[:1] not in ("C", "P"):
        return None
    return Contract(
        seen.symbol,
        date(int(day[:4]), int(day[4:6]), int(day[6:])),
        round(float(seen.strike) * 1000),
        Right.CALL if seen.right[:1] == "C" else Right.PUT,
        int(float(seen.multiplier or 100)),
    )


def describe(seen: Any) -> str:
    """A contract in words a person knows: its local symbol, or symbol and kind."""
    return " ".join(str(seen.localSymbol).split()) or f"{seen.symbol} {seen.secType}"


def known(value: Any) -> float | None:
    """A price that is set: None for empty, unset and what is no number."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) and abs(number) < UNSET else None


def order_seen(order_id: int, seen: Any, order: Any, state: Any, completed: bool) -> OrderSeen:
    """openOrder or completedOrder as a record; `order_id` 0 for an order of somebody else."""
    filled = known(getattr(order, "filledQuantity", None)) or 0.0
    kind = str(order.orderType)
    return OrderSeen(
        order_ref=str(order.orderRef),
        order_id=order_id,
        permanent_id=int(order.permId),
        status=str(state.status),
        contract=option_of(seen),
        side=-1 if str(order.action).upper().startswith("S") else 1,
        quantity=round(max(known(order.totalQuantity) or 0.0, filled)),
        order_type=kind,
        limit=known(order.lmtPrice) if "LMT" in kind else None,
        stop_price=known(order.auxPrice) if kind.startswith("STP") else None,
        completed=completed,
        warning=str(state.completedStatus if completed else state.warningText),
    )


def execution_seen(seen: Any, execution: Any, client_id: int) -> ExecutionSeen:
    """execDetails as a record; its order id is 0 where another client or a person traded."""
    execution_id, revision = split_execution_id(execution.execId)
    ours = execution.clientId == client_id and 0 < execution.orderId < 2**31 - 1
    return ExecutionSeen(
        execution_id=execution_id,
        revision=revision,
        order_ref=str(execution.orderRef),
        order_id=int(execution.orderId) if ours else 0,
        permanent_id=int(execution.permId),
        account=str(execution.acctNumber),
        contract=option_of(seen),
        description=describe(seen),
        side=-1 if str(execution.side).upper().startswith("S") else 1,
        quantity=round(float(execution.shares)),
        price=float(execution.price),
        ts=int(execution.time.timestamp()) * 1_000_000_000,
    )


def commission_seen(report: Any) -> CommissionSeen:
    """commissionReport as a record."""
    execution_id, revision = split_execution_id(report.execId)
    return CommissionSeen(execution_id, revision, float(report.commission))


def held_position(account: str, seen: Any, quantity: float, average_cost: float) -> HeldPosition:
    """A position message as a record."""
    return HeldPosition(
        account=account,
        contract=option_of(seen),
        symbol=str(seen.symbol),
        security=str(seen.secType),
        quantity=float(quantity),
        average_cost=float(average_cost),
    )


def margin_impact(state: Any) -> MarginImpact | None:
    """What whatIf answered; None where the answer has no margin yet."""
    initial, maintenance = known(state.initMarginChange), known(state.maintMarginChange)
    if initial is None or maintenance is None:
        return None
    fee = known(state.commission)
    fee = known(state.maxCommission) if fee is None else fee
    return MarginImpact(initial, maintenance, 0.0 if fee is None else fee)


def ticket_problem(ticket: OrderTicket) -> str:
    """Why a ticket must not be sent, in words; empty when it may."""
    if not isinstance(ticket.contract, Contract):
        return "only single options are traded, no combinations"
    if ticket.side not in (1, -1) or ticket.quantity < 1:
        return f"side {ticket.side}, quantity {ticket.quantity}: nothing to trade"
    if not ticket.order_ref:
        return "an order without a reference could not be found again"
    if (ticket.limit is None) == (ticket.stop_price is None):
        return "an order has either a limit or a stop price"
    price = ticket.limit if ticket.stop_price is None else ticket.stop_price
    if price is None or not math.isfinite(price) or price <= 0:
        return f"price {price} is no price"
    return ""


def order_fields(ticket: OrderTicket, account: str, ladder: TickLadder) -> dict[str, Any]:
    """The fields of an order as it is sent: DAY, the account named, prices on their ticks."""
    fields: dict[str, Any] = {
        "action": "BUY" if ticket.side > 0 else "SELL",
        "totalQuantity": ticket.quantity,
        "tif": "DAY",
        "account": account,
        "orderRef": ticket.order_ref,
        "outsideRth": False,
        "transmit": True,
        "triggerMethod": ticket.trigger_method,
    }
    if ticket.limit is not None:
        return fields | {"orderType": "LMT", "lmtPrice": ladder.limit(ticket.limit, ticket.side)}
    assert ticket.stop_price is not None  # ticket_problem() has looked
    return fields | {"orderType": "STP", "auxPrice": ladder.nearest(ticket.stop_price)}
