"""The words that strategies, brokers, models and reports share: frozen types and protocols.

Strategies and brokers never import each other; what passes between them is defined here. Times
named `ts` or `*_ts` are int64 nanoseconds since 1970 UTC, prices are dollars a share, money is
dollars.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from feeds.contract import Contract

FEATURES = (
    "minutes_since_open",
    "spy_price",
    "atm_iv",
    "has_position",
    "position_pnl",
    "time_in_position",
    "risk_score",
    "minutes_until_close",
)
"""Names of the 8 features, in order (version 1)."""

FEATURE_VERSION = 1
JOURNAL_VERSION = 1


class Action(IntEnum):
    """What a model may want. The first three are the user's table; own models may append CLOSE."""

    HOLD = 0
    SELL_CALL = 1
    SELL_PUT = 2
    CLOSE = 3


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


class Answer(StrEnum):
    """How a question ended."""

    YES = "y"
    NO = "n"
    SKIP = "skip"
    TIMEOUT = "timeout"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether something is allowed, and why not."""

    allowed: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """What one yes agrees to: the entry and every protective exit after it.

    Args:
        limit: price the entry is worked at first.
        worst_price: the entry is never filled worse than this.
        credit: dollars received at `limit`, fees not deducted.
        stop_price: option price at which the stop buys back.
        stop_loss: dollars lost when the stop fills at its price.
        time_exit_ts: when the position is closed whatever happens; None is hold to expiry.
        pnl_up, pnl_down: dollars at expiry with the underlying 1 % higher and lower.
        margin: dollars the position binds.
    """

    limit: float
    worst_price: float
    credit: float
    stop_price: float
    stop_loss: float
    time_exit_ts: int | None
    pnl_up: float
    pnl_down: float
    margin: float


@dataclass(frozen=True, slots=True)
class Suggestion:
    """An order the model (or an exit rule) wants now, with everything it was decided on."""

    id: str
    ts: int
    action: Action
    contract: Contract
    side: int
    quantity: int
    bid: float
    ask: float
    spot: float
    risk_score: float
    stop_multiple: float
    features: tuple[float, ...]
    probabilities: tuple[float, ...]
    mask: tuple[bool, ...]
    model: str
    exit_reason: ExitReason | None = None
    plan: Plan | None = None

    @property
    def is_entry(self) -> bool:
        """Whether it opens a position."""
        return self.exit_reason is None


@dataclass(frozen=True, slots=True)
class Decision:
    """The end of a question: the first answer of any channel, or why there was none."""

    suggestion_id: str
    answer: Answer
    channel: str
    latency_seconds: float = 0.0
    reason: str = ""


class Clock(Protocol):
    """Two times: rules and ages follow the market's, sockets and time-outs the wall's."""

    def market_now(self) -> int:
        """Market (or simulated) time, nanoseconds since 1970 UTC."""

    def wall_now(self) -> datetime:
        """Wall time, tz-aware."""

    def monotonic(self) -> float:
        """Seconds for measuring wall intervals."""


class Approver(Protocol):
    """A channel that puts a suggestion before a person and never blocks."""

    def ask(self, suggestion: Suggestion) -> None:
        """Show the question."""

    def answer(self, suggestion: Suggestion) -> Decision | None:
        """The decision once there is one; polled on every loop."""

    def withdraw(self, suggestion: Suggestion, reason: str) -> None:
        """Take the question back and say why."""


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


@dataclass(frozen=True, slots=True)
class Moment:
    """What a policy is asked on: one decision, or an array of them (leading shape `...`).

    Args:
        features: float32 [..., 8].
        mask: bool [..., actions], True where the action is legal; hold always is.
        session: [...] the session's date as a proleptic ordinal (`date.toordinal`).
        slot: [...] index of the decision slot in the session.
        minutes: [...] exact minutes since the open.
        previous: [...] minutes since the open of the decision before, -inf at the first.
    """

    features: npt.NDArray[np.float32]
    mask: npt.NDArray[np.bool_]
    session: Any
    slot: Any
    minutes: Any
    previous: Any


class Policy(Protocol):
    """What a strategy is given: a model, a baseline, or anything with these three."""

    name: str
    actions: int
    obeys_waits: bool

    def probabilities(self, moment: Moment) -> npt.NDArray[np.float64]:
        """Probability of each action [..., actions], zero where the mask is False."""


@dataclass(frozen=True, slots=True)
class JournalRecord:
    """A journal row of version 1: `kind` names the table, `values` its columns.

    The columns of each kind are in `JOURNAL_COLUMNS`; a field without a value is None.
    """

    kind: str
    ts: int
    values: Mapping[str, Any] = field(default_factory=dict)


JOURNAL_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "suggestions": (
        *("id", "ts_utc", "ts_new_york", "session_date", "mode", "model_sha256", "model_schema"),
        *(f"feature_{name}" for name in FEATURES),
        *("feature_version", "action", "action_name", "probabilities", "mask", "value"),
        *("deterministic", "policy_probability", "gate_version", "gate_probability", "gate_tau"),
        *("gate_vetoed", "gate_probe", "shown", "show_probability", "refused_reason"),
        *("wait_left_minutes", "trades_today", "right", "strike", "expiration"),
        *("bid", "ask", "mid", "iv", "delta", "spot", "spot_bid", "spot_ask", "quote_age_ms"),
        *("quantity", "stop_multiple", "stop_price", "risk_score", "snapshot_reference"),
    ),
    "decisions": (
        *("suggestion_id", "response", "response_ms", "channel", "reason_code", "comment"),
        *("bid_at_response", "ask_at_response", "spot_at_response"),
    ),
    "intents": ("order_ref", "suggestion_id", "side", "quantity", "limit", "account", "payload"),
    "orders": ("order_ref", "broker_order_id", "status", "limit", "filled", "message"),
    "executions": (
        *("execution_id", "order_ref", "side", "quantity", "price", "commission"),
        *("underlying", "mid", "slippage"),
    ),
    "positions": ("contract", "side", "quantity", "average_price", "opened_by", "closed_reason"),
    "session_events": ("event", "detail"),
    "outcomes": (
        *("suggestion_id", "exit_ts", "exit_price", "exit_reason", "pnl", "mae", "mfe"),
        *("shadow_entry", "shadow_exit", "shadow_reason", "shadow_pnl", "label_used_in"),
    ),
}
"""Columns of the tables of version 1 (the gate's stay empty until there is one)."""
