"""Suggestions, and how they are put before a person."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from feeds.contract import Contract
from vocabulary.books import ExitReason
from vocabulary.deciding import Action


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


REASON_CODES = ("spread", "event", "volatility", "direction", "size", "timing", "other")
"""Short reasons a person may give with an answer; free text may follow."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The end of a question: the first answer of any channel, or why there was none.

    Args:
        suggestion_id: of the suggestion that was asked about.
        answer: how it ended.
        channel: where the answer came from.
        latency_seconds: wall seconds from the question to the answer.
        reason: words of the person, or why the question was taken back.
        reason_code: one of `REASON_CODES`, empty where none was given.
        ts: market time (nanoseconds) of the snapshot at which the answer took effect.
        at_bar: whether it took effect as that snapshot became a bar, before the strategy saw it;
            otherwise between that bar and the next. Replays need the difference.
    """

    suggestion_id: str
    answer: Answer
    channel: str
    latency_seconds: float = 0.0
    reason: str = ""
    reason_code: str = ""
    ts: int = 0
    at_bar: bool = False


class Clock(Protocol):
    """Two times: rules and ages follow the market's, sockets and time-outs the wall's."""

    def market_now(self) -> int:
        """Market (or simulated) time, nanoseconds since 1970 UTC."""

    def wall_now(self) -> datetime:
        """Wall time, tz-aware."""

    def monotonic(self) -> float:
        """Seconds for measuring wall intervals."""


class Approver(Protocol):
    """A channel that puts a suggestion before a person and never blocks.

    All calls come from Cerebro's thread and return at once.
    """

    channel: str

    def ask(self, suggestion: Suggestion) -> None:
        """Show the question; asked again with the same id, show what has changed."""

    def answer(self, suggestion: Suggestion) -> Decision | None:
        """The decision once there is one; polled on every loop."""

    def withdraw(self, suggestion: Suggestion, reason: str) -> None:
        """Take the question back and say why: timed out, answered elsewhere, desk stopped."""

    def conclude(self, suggestion: Suggestion, decision: Decision, outcome: str) -> None:
        """Say what became of an answer: "sent", or why a yes was refused."""
