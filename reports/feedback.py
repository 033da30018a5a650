"""What a feedback report is drawn from: plain figures, no models. Money is dollars."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

import numpy as np
import numpy.typing as npt

from reports.statistics import NO_INTERVAL, Interval

Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]


LearningPoint = tuple[int, int, float, float, int, float, float]
"""See `FeedbackFigures.learning`."""


@dataclass(frozen=True, eq=False)
class AnswerCurve:
    """N answers of y or n in the order in which they were given.

    Attributes:
        said: bool [N].
        foretold: [N] probability of y by fits on earlier answers alone, NaN for the first ones.
        tau: below it a suggestion would have been vetoed.
    """

    said: Booleans
    foretold: Floats
    tau: float


@dataclass(frozen=True, slots=True)
class CalibrationPoint:
    """Answers that were foretold alike: how many, the mean probability, the share of y."""

    count: int
    foretold: float
    said: float


@dataclass(frozen=True, eq=False)
class DecisionMap:
    """Time against volatility.

    Attributes:
        minutes: [T] since the open, `volatilities`: [V]; of the two fine maps.
        policy: [T, V] probability of a sale by a flat desk.
        gate: [T, V] probability of y to the likelier sale.
        edges_minutes: [a + 1], edges_volatility: [b + 1] of the person's map.
        yes, answers: [a, b] how often y, of how many.
        tau: the gate's.
    """

    minutes: Floats
    volatilities: Floats
    policy: Floats
    gate: Floats
    edges_minutes: Floats
    edges_volatility: Floats
    yes: Floats
    answers: Floats
    tau: float


@dataclass(frozen=True, slots=True)
class Earned:
    """What a kind of suggestion earned: dollars each, with the 95 % interval of the mean.

    `known` is whether it is a real trade's P&L; else it is that of shadows.
    """

    name: str
    n: int
    mean: float
    total: float
    interval: Interval = NO_INTERVAL
    is_real: bool = False


@dataclass(frozen=True, eq=False)
class BeforeAfter:
    """Two policies on the same held-out sessions: net dollars each session."""

    name: str
    dates: Sequence[date]
    before: Floats
    after: Floats
    sentence: str


@dataclass(frozen=True, slots=True)
class CheckRow:
    """A check of a promotion as it ended."""

    candidate: str
    name: str
    outcome: str
    why: str


@dataclass(frozen=True, eq=False)
class FeedbackFigures:
    """Everything a report tells.

    Attributes:
        model, sha256: of the policy the answers were given to.
        verdict: the sentence at the top.
        answers, yes, sources: how many answers, how many y, and how many of each source.
        curve, calibration, map: the pictures' figures; None or empty where nothing is known.
        earned: executed, refused, vetoed.
        contests: before and after.
        checks: of every candidate.
        lineage: a line a model, the youngest first.
        rules: proposed rules, a line each.
        learning: what the first 10, 25, ... answers foretold: (answers, later, AUC, log-loss, how
            many would have been shown, share of y among these, share of y of all later ones).
        notes: what was left out, and other cautions.
    """

    model: str
    sha256: str
    verdict: str
    answers: int
    yes: int
    sources: Sequence[tuple[str, int, int]]
    curve: AnswerCurve | None
    calibration: Sequence[CalibrationPoint]
    map: DecisionMap | None
    earned: Sequence[Earned]
    contests: Sequence[BeforeAfter]
    checks: Sequence[CheckRow]
    lineage: Sequence[str]
    rules: Sequence[str] = field(default_factory=tuple)
    learning: Sequence[tuple[int, int, float, float, int, float, float]] = field(
        default_factory=tuple
    )
    notes: Sequence[str] = field(default_factory=tuple)
