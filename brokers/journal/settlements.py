"""Settlements in the journal: what the desk booked because a contract expired, and on what grounds.

A broker reports no execution of an expiry, of an exercise or of an assignment. So the desk books
one of its own, at the value of the contract at the official close, and says so: its intent carries
the grounds in `payload["settlement"]`, its execution ends in `.settled`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from brokers.journal.events import Event
from brokers.journal.tables import JournalTables
from feeds.contract import Contract
from vocabulary import ExitReason

SETTLEMENT = "settlement"
"""Key of the grounds in an intent's payload."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """An expired position that is booked.

    Args:
        contract: what expired.
        held: signed contracts that were open.
        price: dollars a share: its value at the official close.
        close: that close, dollars.
        ts: market time from which it counts, nanoseconds.
        account: the broker's.
        grounds: why it is booked so, for a person who reads the journal.
    """

    contract: Contract
    held: int
    price: float
    close: float
    ts: int
    account: str
    grounds: Mapping[str, Any] = field(default_factory=dict)

    @property
    def side(self) -> int:
        """Of the closing execution."""
        return -1 if self.held > 0 else 1


def write_settlement(
    tables: JournalTables, session: str, order_ref: str, settlement: Settlement
) -> None:
    """Intent, state, execution and event of a settlement, within a transaction."""
    one, quantity = settlement, abs(settlement.held)
    intent = {
        "order_ref": order_ref,
        "purpose": "exit",
        "exit_reason": ExitReason.SETTLEMENT,
        "underlying": one.contract.underlying,
        "expiration": one.contract.expiration,
        "strike": one.contract.strike,
        "right": one.contract.right,
        "side": one.side,
        "quantity": quantity,
        "limit": one.price,
        "account": one.account,
        "payload": {SETTLEMENT: dict(one.grounds)},
    }
    tables.insert("intents", session, one.ts, intent)
    state = {"order_ref": order_ref, "status": "filled", "filled": quantity}
    tables.insert("orders", session, one.ts, state | {"message": "settled by the desk"})
    execution = {
        "execution_id": f"{order_ref}.settled",
        "revision": 0,
        "order_ref": order_ref,
        "side": one.side,
        "quantity": quantity,
        "price": one.price,
        "commission": 0.0,
        "underlying": one.close,
    }
    tables.insert("executions", session, one.ts, execution)
    position = {"contract": str(one.contract), "side": -one.side, "quantity": 0}
    position |= {"opened_by": "", "closed_reason": ExitReason.SETTLEMENT}
    tables.insert("positions", session, one.ts, position)
    detail = {"order_ref": order_ref, "contract": str(one.contract), "held": one.held}
    tables.tell(session, one.ts, Event.SETTLED, {**detail, "price": one.price, **one.grounds})
