"""What was traded: fills, positions, round trips, and what a restarted desk must know of them."""

from dataclasses import dataclass
from enum import StrEnum

from feeds.contract import Contract


class ExitReason(StrEnum):
    """Why a position was closed."""

    MODEL = "model"
    PROFIT_TARGET = "profit_target"
    STOP_LOSS = "stop_loss"
    TIME_EXIT = "time_exit"
    SETTLEMENT = "settlement"
    DAILY_LOSS = "daily_loss"
    MANUAL = "manual"
    KILL = "kill"


NEVER_ASKED = (
    ExitReason.KILL,
    ExitReason.MANUAL,
    ExitReason.SETTLEMENT,
    ExitReason.TIME_EXIT,
)
"""Exits that the person ordered, nobody decides, or that are carried out whoever answers."""


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution: `side` +1 bought, -1 sold; `quantity` contracts at `price`.

    `mid` is the quote's mid at the fill, NaN where there was none; `underlying` is spot then.
    """

    contract: Contract
    side: int
    quantity: int
    price: float
    fee: float
    ts: int
    underlying: float
    mid: float
    execution_id: str = ""


@dataclass(frozen=True, slots=True)
class Position:
    """An open position: `side` +1 long, -1 short. `average_price` is weighted by quantity.

    `risk_score` and `stop_multiple` are those of the entry decision, fixed for its life.
    """

    contract: Contract
    side: int
    quantity: int
    average_price: float
    decided_ts: int
    entered_ts: int
    risk_score: float
    stop_multiple: float

    def pnl(self, mark: float) -> float:
        """Unrealised dollars at `mark`, fees excluded."""
        multiplier = self.contract.multiplier * self.quantity
        return self.side * (mark - self.average_price) * multiplier


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """A closed position; prices are quantity-weighted. `*_ts` None where there was none."""

    contract: Contract
    side: int
    quantity: int
    decided_ts: int
    entered_ts: int
    entry_price: float
    entry_underlying: float
    exit_decided_ts: int | None
    exited_ts: int
    exit_price: float
    exit_underlying: float
    exit_reason: ExitReason
    fees: float
    gross_pnl: float
    model: str
    mid_entry: float
    mid_exit: float
    risk_score: float
    stop_multiple: float
    exit_was_working: bool = False

    @property
    def net_pnl(self) -> float:
        """Dollars after fees."""
        return self.gross_pnl - self.fees
