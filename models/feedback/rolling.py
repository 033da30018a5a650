"""How well the acceptance model foretells answers it has not seen, in the order they came.

Answer k is foretold by a fit on answers 1 to k - 1 alone (prequential; Dawid 1984). Nothing here
sees the future, so that the figures are what a desk would have had.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import pandas as pd

from feeds.sessions import Floats
from models.feedback.acceptance import AcceptanceModel, Kind, fit_acceptance, may_boost
from models.feedback.answers import HALF_LIFE, Answers

FIRST = 10
"""Answers before the first that is foretold by a fit; earlier ones are not counted."""

SHORT_HALF_LIFE = 15.0
"""Days of the quicker of the two memories: for a person who changes."""

SHORT_FROM = 50
"""Answers from which it is tried: with fewer there is nothing to forget."""

RECENT = 60
"""Answers by which the fits are compared."""

REFITS = 5
"""Answers between two refits of the trees, which cost more."""

CLEARLY = 2.0
"""Standard errors by which a short memory must be better."""

PERMUTATIONS = 10_000


class Candidate(NamedTuple):
    """A way to fit."""

    kind: Kind
    half_life: float


CANDIDATES = tuple(
    Candidate(kind, half_life)
    for half_life in (HALF_LIFE, SHORT_HALF_LIFE)
    for kind in ("logistic", "boosted")
)


@dataclass(frozen=True, eq=False)
class Foretold:
    """Answers and what was foretold of them, both [n], oldest first.

    `tried` is how many ways to fit this one was chosen from.
    """

    yes: Floats
    probability: Floats
    tried: int = 1

    def __len__(self) -> int:
        return len(self.yes)

    @property
    def auc(self) -> float:
        """P(a y was given a higher probability than an n); NaN where one of them is missing."""
        return auc(self.yes, self.probability)

    @property
    def log_loss(self) -> float:
        """Mean of -log of the probability of what was said; NaN without answers."""
        return float(log_losses(self.yes, self.probability).mean()) if len(self) else float("nan")

    @property
    def brier(self) -> float:
        """Mean squared error of the probabilities; NaN without answers."""
        return float(np.mean((self.probability - self.yes) ** 2)) if len(self) else float("nan")

    @property
    def base_brier(self) -> float:
        """The same for one who foretells the share of y in these very answers, every time."""
        return float(np.var(self.yes)) if len(self) else float("nan")

    def p_value(self, seed: int = 0) -> float:
        """P(AUC at least as high) where answers have nothing to do with what was foretold.

        By shuffling the answers `PERMUTATIONS` times; times `tried`, because the best of several
        is lucky more often (Bonferroni). 1 where the AUC is not known.
        """
        reached = self.auc
        if reached != reached:
            return 1.0
        ranks = _ranks(self.probability)
        yes = int(self.yes.sum())
        random = np.random.default_rng(seed)
        shuffled = random.permuted(np.tile(ranks, (PERMUTATIONS, 1)), axis=1)
        as_high = _auc_of_ranks(shuffled[:, :yes].sum(axis=1), yes, len(self)) >= reached - 1e-12
        return min(1.0, self.tried * float((1 + as_high.sum()) / (1 + PERMUTATIONS)))


class CalibrationBin(NamedTuple):
    """Answers whose foretold probability lay together: how many, foretold, and said."""

    answers: int
    foretold: float
    said: float


def foretell(answers: Answers, candidate: Candidate, first: int = FIRST) -> Foretold:
    """What fits of one kind foretold of the answers from number `first` on.

    While trees cannot be fitted yet the logistic fit stands in, and while all answers are alike
    the share of y (Laplace's rule: (yes + 1) / (n + 2)).
    """
    probability = np.empty(max(len(answers) - first, 0))
    model: AcceptanceModel | float = float("nan")
    for place, count in enumerate(range(first, len(answers))):
        if place == 0 or not _keeps(candidate, answers.first(count), count):
            model = _fitted(answers.first(count), candidate)
        phi = answers.phi[count]
        probability[place] = model if isinstance(model, float) else float(model.of(phi))
    return Foretold(answers.yes[first:], probability)


def _keeps(candidate: Candidate, known: Answers, count: int) -> bool:
    """Whether the trees of some answers ago still serve."""
    ago = count % REFITS
    return candidate.kind == "boosted" and ago > 0 and may_boost(known.first(count - ago))


def _fitted(known: Answers, candidate: Candidate) -> AcceptanceModel | float:
    """What the next answer is foretold with."""
    if not known.smaller_class:
        return float((known.yes.sum() + 1) / (len(known) + 2))
    kind = candidate.kind if may_boost(known) else "logistic"
    return fit_acceptance(known, kind, candidate.half_life)


def choose(answers: Answers) -> tuple[Candidate, Foretold]:
    """The way to fit that foretold the last `RECENT` answers best, and what it foretold of all.

    A short memory has few answers to go by and fails badly by chance: it must be better than the
    best long one by `CLEARLY` standard errors. The choice is made on the answers it is then judged
    by, among at most four, which flatters the figures a little; `p_value` allows for it.
    """
    tried = [(one, foretell(answers, one)) for one in _possible(answers)]
    long = [pair for pair in tried if pair[0].half_life == HALF_LIFE]
    best = min(long, key=lambda pair: _recent_losses(pair[1]).sum())
    short = [pair for pair in tried if pair not in long and _is_clearly_better(pair[1], best[1])]
    candidate, foretold = min(short or [best], key=lambda pair: _recent_losses(pair[1]).sum())
    return candidate, replace(foretold, tried=len(tried))


def _possible(answers: Answers) -> Iterator[Candidate]:
    for one in CANDIDATES:
        enough = one.half_life == HALF_LIFE or len(answers) >= SHORT_FROM
        if enough and (one.kind == "logistic" or may_boost(answers)):
            yield one


def _recent_losses(foretold: Foretold) -> Floats:
    losses: Floats = log_losses(foretold.yes, foretold.probability)
    return np.asarray(losses[-RECENT:])


def _is_clearly_better(one: Foretold, other: Foretold) -> bool:
    ahead = _recent_losses(other) - _recent_losses(one)
    if len(ahead) < 2:
        return False
    return bool(ahead.mean() > CLEARLY * ahead.std(ddof=1) / np.sqrt(len(ahead)))


def log_losses(yes: Floats, probability: Floats) -> Floats:
    """[n] -log of the probability of what was said; probabilities are kept from 0 and 1."""
    safe = np.clip(probability, 1e-6, 1 - 1e-6)
    return np.asarray(-np.where(yes > 0.5, np.log(safe), np.log1p(-safe)), np.float64)


def auc(yes: Floats, score: Floats) -> float:
    """Area under the ROC curve (Mann and Whitney), ties counted half; NaN for one class."""
    positive = int(yes.sum())
    if positive in (0, len(yes)):
        return float("nan")
    return float(_auc_of_ranks(_ranks(score)[yes > 0.5].sum(), positive, len(yes)))


def calibration(foretold: Foretold, bins: int = 5) -> list[CalibrationBin]:
    """Answers in `bins` groups of rising probability, as equal in number as can be."""
    order = np.argsort(foretold.probability, kind="stable")
    groups = [group for group in np.array_split(order, min(bins, max(len(order), 1))) if len(group)]
    return [
        CalibrationBin(
            len(group),
            float(foretold.probability[group].mean()),
            float(foretold.yes[group].mean()),
        )
        for group in groups
    ]


def _ranks(score: Floats) -> Floats:
    return np.asarray(pd.Series(score).rank(), np.float64)


def _auc_of_ranks(rank_sum: Floats, positive: int, count: int) -> Floats:
    lowest = positive * (positive + 1) / 2
    return np.asarray((rank_sum - lowest) / (positive * (count - positive)), np.float64)
