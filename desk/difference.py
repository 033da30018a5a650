"""One difference between a journaled session and its replay."""

from dataclasses import dataclass
from enum import StrEnum


class Cause(StrEnum):
    """Why two figures differ."""

    DRIFT = "drift"
    CONSEQUENCE = "consequence"
    EXECUTION = "execution"
    RECORDING = "recording"
    CLOSE = "official close"
    RESTART = "restart"


class Kind(StrEnum):
    """What differs, in the order in which one follows from another at a bar."""

    BAR = "bar"
    FILL = "fill"
    ACCOUNT = "account"
    DECISION = "decision"
    SUGGESTION = "suggestion"


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference.

    Attributes:
        kind: what differs.
        ts: at which bar or fill, nanoseconds.
        what: the figures' names, or the order.
        journaled, replayed: both sides in words.
        dollars: what the account had more than the replay by it, None where it is no money.
        cause: why.
    """

    kind: Kind
    ts: int
    what: str
    journaled: str
    replayed: str
    dollars: float | None = None
    cause: Cause = Cause.DRIFT
