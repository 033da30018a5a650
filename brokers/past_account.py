"""What the process before left in a simulated account, from its fills."""

from dataclasses import dataclass

from backtrader.position import Position

from brokers.option_commission import OptionCommission
from feeds.contract import Contract
from vocabulary import DeskMemory, ExitReason

_COMMISSION = OptionCommission()


@dataclass(frozen=True, slots=True)
class PastAccount:
    """Cash (dollars), open positions, and the exit that worked, of which `exit_filled` was filled.

    `exit_reason` and `exit_decided_ts` (nanoseconds) are None where none worked.
    """

    cash: float
    positions: dict[Contract, Position]
    exit_reason: ExitReason | None
    exit_decided_ts: int | None
    exit_filled: int


def past_account(
    cash: float,
    memory: DeskMemory,
    exit_reason: ExitReason | None = None,
    exit_decided_ts: int | None = None,
) -> PastAccount:
    """The account that began with `cash` dollars, after the fills in `memory`.

    Cash is counted in the order and by the operations of the broker itself, so that no bit differs.
    """
    positions: dict[Contract, Position] = {}
    for past in memory.fills:
        fill, size = past.fill, past.fill.side * past.fill.quantity
        positions.setdefault(fill.contract, Position()).update(size, fill.price)
        cash -= _COMMISSION.getvaluesize(size, fill.price) + fill.fee
    held = {contract: position for contract, position in positions.items() if position.size}
    mine = (exit_reason, exit_decided_ts)
    filled = sum(
        past.fill.quantity
        for past in memory.fills
        if past.fill.contract in held and (past.exit_reason, past.exit_decided_ts) == mine
    )
    return PastAccount(cash, held, exit_reason, exit_decided_ts, filled)
