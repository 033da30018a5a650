"""What an earlier process of this session left behind, read back from the journal.

Orders come back as UNKNOWN (unless the journal saw their end) and wait for the gateway's books.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from brokers.ib.orders import FINAL, IBOrder, OrderState
from brokers.ib.records import ExecutionSeen, OrderTicket
from brokers.journal.payload import suggestion_from_payload
from feeds.contract import Contract, Right
from vocabulary import Suggestion

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Recovery:
    """What was found at the start.

    Args:
        sentences: for the screen, the important ones first.
        halted: why nothing new may be opened; empty when books and journal agree.
        missed: executions that the journal did not have.
        cancelled: entries that still worked and were cancelled: their approval was stale.
    """

    sentences: tuple[str, ...] = ()
    halted: str = ""
    missed: int = 0
    cancelled: int = 0


def past_orders(
    intents: Iterable[Row], orders: Iterable[Row], executions: Iterable[Row]
) -> list[IBOrder]:
    """Orders of the journal's rows, oldest first, with the executions that it has."""
    last = {row["order_ref"]: row for row in orders}
    known = list(executions)
    return [_order(row, last.get(row["order_ref"]), known) for row in intents]


def contract_of(intent: Row) -> Contract:
    """The contract of an intent's row."""
    expiration, strike = intent["expiration"], round(intent["strike"] * 1000)
    day = expiration if isinstance(expiration, date) else date.fromisoformat(expiration)
    return Contract(intent["underlying"], day, strike, Right[intent["right"]])


def suggestion_of(intent: Row) -> Suggestion | None:
    """The suggestion that was approved, of an entry's intent."""
    values = (intent["payload"] or {}).get("suggestion")
    return None if values is None else suggestion_from_payload(values)


def _order(intent: Row, seen: Row | None, executions: list[Row]) -> IBOrder:
    is_stop = intent["purpose"] == "stop"
    ref, side, contract = intent["order_ref"], intent["side"], contract_of(intent)
    ticket = OrderTicket(
        order_ref=ref,
        contract=contract,
        side=side,
        quantity=intent["quantity"],
        limit=None if is_stop else intent["limit"],
        stop_price=intent["limit"] if is_stop else None,
        order_id=(seen["broker_order_id"] or 0) if seen else 0,
    )
    order = IBOrder(ticket, intent["purpose"], OrderState.UNKNOWN, doubt="the desk was restarted")
    if seen is not None:
        order.permanent_id = seen["permanent_id"] or 0
        order.message = seen["message"] or ""
        if seen["status"] in FINAL:
            order.state, order.doubt = OrderState(seen["status"]), ""
    order.executions = {
        row["execution_id"]: _execution(row, order) for row in executions if row["order_ref"] == ref
    }
    order.commissions = {
        row["execution_id"]: (row["revision"], row["commission"])
        for row in executions
        if row["order_ref"] == ref and row["commission"] is not None
    }
    return order


def _execution(row: Row, order: IBOrder) -> ExecutionSeen:
    return ExecutionSeen(
        execution_id=row["execution_id"],
        revision=row["revision"],
        order_ref=order.order_ref,
        order_id=order.order_id,
        permanent_id=order.permanent_id,
        account="",
        contract=order.ticket.contract,
        description="",
        side=row["side"],
        quantity=row["quantity"],
        price=row["price"],
        ts=row["broker_time"] or row["ts"],
    )
