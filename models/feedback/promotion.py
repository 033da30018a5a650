"""Whether an acceptance gate or an updated policy may be used; every refusal says why.

A candidate must pass every check. What becomes of it then is in
`models.feedback.promotion_state`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from models.feedback.rolling import Foretold

Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]

FEWEST_OF_A_CLASS = 5
MOST_P = 0.01
"""Largest permutation p at which a prediction counts as one."""
FEWEST_SESSIONS = 250
LEAST_DIFFERENCE = -3.0
"""Dollars a session; the lower 90 % bound of the paired difference must lie above."""
RATE_BAND = 0.5
TAIL_BAND = 0.10
FEWEST_EFFECTIVE = 20.0
"""Effective number of answers below which a reweighted agreement is no number."""


class Outcome(StrEnum):
    """How a gate ended."""

    PASSED = "passed"
    FAILED = "failed"
    UNKNOWN = "insufficient evidence"


@dataclass(frozen=True, slots=True)
class Check:
    """One gate: its name, how it ended, and the figures behind it in a sentence."""

    name: str
    outcome: Outcome
    why: str

    @property
    def line(self) -> str:
        """For a person."""
        return f"{self.name}: {self.outcome}: {self.why}"


@dataclass(frozen=True, eq=False)
class Predictions:
    """N answers, each predicted before it was known.

    Attributes:
        score: [N] the candidate's; larger means a y is likelier.
        is_probability: whether the score is the probability of a y.
        said: bool [N].
    """

    score: Floats
    is_probability: bool
    said: Booleans

    @property
    def foretold(self) -> Foretold:
        """The same with its measures."""
        return Foretold(self.said.astype(np.float64), self.score)


@dataclass(frozen=True, slots=True)
class AgreementFigures:
    """Share of y among what is shown, and of how many answers (reweighted: effectively)."""

    before: float
    after: float
    effective: float


@dataclass(frozen=True, slots=True)
class PairedFigures:
    """Parent and candidate on the same held-out sessions. Dollars a session.

    Attributes:
        sessions: how many; none that either learned from.
        mean: of the difference, candidate less parent.
        lower: one-sided 90 % bound of that mean.
        suggestions: a session, of parent and candidate.
        shortfall: mean loss of the worst 1 % of sessions, of parent and candidate; positive.
    """

    sessions: int
    mean: float
    lower: float
    suggestions: tuple[float, float]
    shortfall: tuple[float, float]


def snips(weights: Floats, said: Booleans) -> tuple[float, float]:
    """Self-normalised share of y under `weights` [N], and the effective number of answers."""
    total = float(weights.sum())
    if not total > 0:
        return float("nan"), 0.0
    return float((weights * said).sum() / total), total**2 / float((weights**2).sum())


def check_classes(said: Booleans) -> Check:
    """Enough answers of each kind to know the difference."""
    yes = int(said.sum())
    no = said.size - yes
    good = min(yes, no) >= FEWEST_OF_A_CLASS
    why = f"{yes} y and {no} n were predicted, {FEWEST_OF_A_CLASS} of each are needed"
    return Check("answers", Outcome.PASSED if good else Outcome.UNKNOWN, why)


def check_prediction(predictions: Predictions, seed: int = 0) -> Check:
    """The candidate orders answers it has not seen."""
    name, said = "prediction", predictions.said
    if check_classes(said).outcome is not Outcome.PASSED:
        return Check(name, Outcome.UNKNOWN, "too few answers of each kind to order them")
    found, p = predictions.foretold.auc, predictions.foretold.p_value(seed)
    good = p < MOST_P and found > 0.5
    why = (
        f"AUC {found:.2f} on {said.size} answers, permutation p {p:.4f}, below {MOST_P:g} is asked"
    )
    return Check(name, Outcome.PASSED if good else Outcome.FAILED, why)


def check_calibration(predictions: Predictions) -> Check:
    """Probabilities are no worse than the share of y in these very answers (Brier score).

    A candidate without probabilities is judged by its order alone.
    """
    name, foretold = "calibration", predictions.foretold
    if not predictions.is_probability:
        return Check(name, Outcome.PASSED, "it gives an order and no probability")
    if check_classes(predictions.said).outcome is not Outcome.PASSED:
        return Check(name, Outcome.UNKNOWN, "too few answers of each kind")
    good = foretold.brier <= foretold.base_brier
    why = f"Brier {foretold.brier:.3f}, the share of y alone has {foretold.base_brier:.3f}"
    return Check(name, Outcome.PASSED if good else Outcome.FAILED, why)


def check_agreement(figures: AgreementFigures) -> Check:
    """Of what would be shown, no smaller share is said y to."""
    name = "agreement"
    if not figures.effective >= FEWEST_EFFECTIVE:
        why = (
            f"{figures.effective:.0f} held-out answers in effect, {FEWEST_EFFECTIVE:.0f} are needed"
        )
        return Check(name, Outcome.UNKNOWN, why)
    good = figures.after >= figures.before
    why = f"{figures.after:.0%} y of what would be shown, {figures.before:.0%} before"
    return Check(name, Outcome.PASSED if good else Outcome.FAILED, why)


def check_rate(figures: PairedFigures) -> Check:
    """About as much is suggested as before: a model that agrees by silence is none."""
    before, after = figures.suggestions
    if not figures.sessions:
        return Check("suggestion rate", Outcome.UNKNOWN, "no held-out session was played")
    good = before > 0 and abs(after / before - 1) <= RATE_BAND
    why = f"{after:.2f} suggestions a session, {before:.2f} before, within {RATE_BAND:.0%} is asked"
    return Check("suggestion rate", Outcome.PASSED if good else Outcome.FAILED, why)


def check_paired(figures: PairedFigures) -> Check:
    """On the same held-out sessions it earns not much less."""
    name = "paired backtest"
    told = f"{figures.sessions} held-out sessions"
    if figures.sessions < FEWEST_SESSIONS:
        return Check(name, Outcome.UNKNOWN, f"{told}, {FEWEST_SESSIONS} are needed")
    why = (
        f"{figures.mean:+.2f} dollars a session on {told}, at 90 % above {figures.lower:+.2f}; "
        f"above {LEAST_DIFFERENCE:+.2f} is asked"
    )
    if figures.lower > LEAST_DIFFERENCE:
        return Check(name, Outcome.PASSED, why)
    is_worse = figures.mean <= LEAST_DIFFERENCE
    return Check(name, Outcome.FAILED if is_worse else Outcome.UNKNOWN, why)


def check_tail(figures: PairedFigures) -> Check:
    """The worst sessions are not much worse."""
    before, after = figures.shortfall
    if figures.sessions < FEWEST_SESSIONS:
        return Check(
            "tail", Outcome.UNKNOWN, f"{figures.sessions} sessions have no 1 % to speak of"
        )
    good = after <= before + TAIL_BAND * abs(before)
    why = f"the worst 1 % of sessions lose {after:,.0f} dollars, {before:,.0f} before"
    return Check("tail", Outcome.PASSED if good else Outcome.FAILED, why)


def promotion_checks(
    predictions: Predictions, agreement: AgreementFigures, paired: PairedFigures, seed: int = 0
) -> list[Check]:
    """Every gate of a promotion, in order."""
    return [
        check_classes(predictions.said),
        check_prediction(predictions, seed),
        check_calibration(predictions),
        check_agreement(agreement),
        check_rate(paired),
        check_paired(paired),
        check_tail(paired),
    ]


def verdict(checks: Sequence[Check]) -> Outcome:
    """Failed where one failed, unknown where one is unknown, else passed."""
    outcomes = {check.outcome for check in checks}
    if not checks or Outcome.FAILED in outcomes:
        return Outcome.FAILED
    return Outcome.UNKNOWN if Outcome.UNKNOWN in outcomes else Outcome.PASSED
