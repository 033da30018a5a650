"""How likely the person says y to a suggestion: p(y | features, action).

A regularised logistic fit, and gradient-boosted trees once there are 30 answers with five of each
kind; each of them at two speeds of forgetting. The one that foretold the later answers best, each
from the earlier ones alone, is kept (`models.feedback.rolling`).
"""

from datetime import date
from typing import Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, model_validator

from errors import InternalError, ModelError
from feeds.sessions import Floats
from models.feedback.answers import HALF_LIFE, Answers
from models.feedback.fits import BoostedFit, LogisticFit, fit_boosted, fit_logistic
from models.feedback.inputs import inputs
from vocabulary import Action

Kind = Literal["logistic", "boosted"]

BOOSTED_FROM, BOOSTED_FROM_EACH = 30, 5
"""Answers, and answers of each kind, from which trees are tried."""


class AcceptanceModel(BaseModel):
    """One fit, and what it was made of.

    Args:
        kind: which of the two fits.
        logistic, boosted: that fit; the other is None.
        half_life: days after which an answer counted half.
        answers, yes: how many there were, and how many y.
        last: New York date of the newest answer.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Kind
    logistic: LogisticFit | None = None
    boosted: BoostedFit | None = None
    half_life: float
    answers: int
    yes: int
    last: date

    @model_validator(mode="after")
    def _holds_its_kind(self) -> Self:
        present = {"logistic": self.logistic, "boosted": self.boosted}
        if [name for name, fit in present.items() if fit is not None] != [self.kind]:
            raise ValueError(f"it says {self.kind} and holds another fit")
        return self

    def probability(
        self, features: npt.NDArray[np.floating], action: npt.NDArray[np.integer]
    ) -> Floats:
        """[...] probability of y, of features [..., 8] and the sale wanted [...].

        NaN where a feature is missing. Raises `InternalError` for an action that sells nothing.
        """
        wanted = np.asarray(action)
        if not np.isin(wanted, (Action.SELL_CALL, Action.SELL_PUT)).all():
            raise InternalError("the acceptance model was asked about an action that sells nothing")
        return self.of(inputs(features, wanted))

    def of(self, phi: Floats) -> Floats:
        """[...] probability of y, of `inputs` [..., 9]; NaN where one is missing."""
        fit = self.logistic if self.logistic is not None else self.boosted
        assert fit is not None  # the validator saw to it
        known = np.asarray(np.isfinite(phi).all(axis=-1))
        logit = fit.logit(np.where(known[..., None], phi, 0.0))
        return np.where(known, sigmoid(logit), np.nan)


def sigmoid(logit: Floats) -> Floats:
    """1 / (1 + exp(-logit)) without overflow."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * logit)))


def may_boost(answers: Answers) -> bool:
    """Whether there are enough answers for trees."""
    return len(answers) >= BOOSTED_FROM and answers.smaller_class >= BOOSTED_FROM_EACH


def fit_acceptance(
    answers: Answers, kind: Kind = "logistic", half_life: float = HALF_LIFE
) -> AcceptanceModel:
    """The model of one kind on all `answers`.

    Raises `ModelError` in one line where there is none, or only y or only n.
    """
    if not len(answers):
        raise ModelError("there is no answer of y or n to learn from")
    if not answers.smaller_class:
        word = "y" if answers.yes[0] else "n"
        raise ModelError(f"all {len(answers)} answers are {word}: nothing tells them apart")
    terms = answers.phi, answers.yes, answers.weight_now(half_life)
    last = date.fromordinal(date(1970, 1, 1).toordinal() + int(answers.day[-1]))
    return AcceptanceModel(
        kind=kind,
        logistic=fit_logistic(*terms) if kind == "logistic" else None,
        boosted=fit_boosted(*terms) if kind == "boosted" else None,
        half_life=half_life,
        answers=len(answers),
        yes=int(answers.yes.sum()),
        last=last,
    )
