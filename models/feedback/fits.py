"""The two fits of the acceptance model, as plain figures that JSON can hold.

scikit-learn finds them; using one needs numpy alone, so that a live desk imports nothing more and
no file is ever unpickled.
"""

from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from feeds.sessions import Floats
from models.feedback.inputs import COUNT, INPUTS

REGULARISATION = 1.0
"""C of the logistic fit."""

TREES, DEPTH, LEARNING_RATE, SMALLEST_LEAF = 40, 2, 0.1, 3

BOOSTED_INPUTS = tuple(INPUTS.index(name) for name in ("is_call", "time", "log_iv", "risk_score"))
"""Trees need no squares and products."""

NineFigures = Annotated[tuple[FiniteFloat, ...], Field(min_length=COUNT, max_length=COUNT)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class LogisticFit(_Section):
    """sigmoid(weights (phi - mean) / sd + bias)."""

    mean: NineFigures
    sd: NineFigures
    weights: NineFigures
    bias: FiniteFloat

    def logit(self, phi: Floats) -> Floats:
        """[...] log-odds of a yes, of `inputs` [..., 9]."""
        scaled = (phi - np.array(self.mean)) / np.array(self.sd)
        return np.asarray(scaled @ np.array(self.weights) + self.bias)


class Tree(_Section):
    """One regression tree; node 0 is the root, a leaf has feature -1.

    A row goes left where its input is at most the threshold (both as scikit-learn compares them:
    the input in single precision).
    """

    feature: tuple[int, ...]
    threshold: tuple[FiniteFloat, ...]
    left: tuple[int, ...]
    right: tuple[int, ...]
    value: tuple[FiniteFloat, ...]

    def at(self, rows: Floats) -> Floats:
        """[n] the leaf's value of each of `rows` [n, inputs]."""
        feature, threshold = np.array(self.feature), np.array(self.threshold)
        left, right = np.array(self.left), np.array(self.right)
        node = np.zeros(len(rows), np.int64)
        for _ in range(DEPTH):
            inner = feature[node] >= 0
            below = rows[np.arange(len(rows)), feature[node]] <= threshold[node]
            node = np.where(inner, np.where(below, left[node], right[node]), node)
        return np.array(self.value)[node]


class BoostedFit(_Section):
    """sigmoid(base + rate sum of trees), on `BOOSTED_INPUTS`."""

    base: FiniteFloat
    rate: FiniteFloat
    trees: tuple[Tree, ...]

    def logit(self, phi: Floats) -> Floats:
        """[...] log-odds of a yes, of `inputs` [..., 9]."""
        shape = phi.shape[:-1]
        chosen = phi[..., list(BOOSTED_INPUTS)].astype(np.float32).astype(np.float64)
        rows = chosen.reshape(-1, len(BOOSTED_INPUTS))
        total = np.full(len(rows), self.base)
        for tree in self.trees:
            total += self.rate * tree.at(rows)
        return np.asarray(total.reshape(shape))


def fit_logistic(phi: Floats, yes: Floats, weight: Floats) -> LogisticFit:
    """Minimise sum of weight x log-loss + |w|^2 / (2 C), the bias free.

    Args:
        phi: [n, 9] finite.
        yes: [n] 1 for y, 0 for n; both must occur.
        weight: [n] what each answer counts.
    """
    from sklearn.linear_model import LogisticRegression

    mean, sd = phi.mean(axis=0), phi.std(axis=0)
    sd = np.where(sd > 1e-9, sd, 1.0)  # an input that never varied stays out: (x - mean) is zero
    fit = LogisticRegression(C=REGULARISATION, solver="newton-cholesky", tol=1e-8, max_iter=200)
    fit.fit((phi - mean) / sd, yes, sample_weight=weight)
    return LogisticFit(
        mean=tuple(mean.tolist()),
        sd=tuple(sd.tolist()),
        weights=tuple(fit.coef_[0].tolist()),
        bias=float(fit.intercept_[0]),
    )


def fit_boosted(phi: Floats, yes: Floats, weight: Floats) -> BoostedFit:
    """Forty trees of depth 2 by gradient boosting; arguments as `fit_logistic`."""
    from sklearn.ensemble import GradientBoostingClassifier

    fit = GradientBoostingClassifier(
        n_estimators=TREES,
        max_depth=DEPTH,
        learning_rate=LEARNING_RATE,
        min_samples_leaf=SMALLEST_LEAF,
        random_state=0,
    )
    fit.fit(phi[:, list(BOOSTED_INPUTS)], yes, sample_weight=weight)
    share = float(np.average(yes, weights=weight))
    trees = tuple(_tree(grown[0].tree_) for grown in fit.estimators_)
    return BoostedFit(base=float(np.log(share / (1 - share))), rate=LEARNING_RATE, trees=trees)


def _tree(grown: Any) -> Tree:
    is_leaf = grown.children_left < 0
    return Tree(
        feature=tuple(np.where(is_leaf, -1, grown.feature).tolist()),
        threshold=tuple(np.where(is_leaf, 0.0, grown.threshold).tolist()),
        left=tuple(grown.children_left.tolist()),
        right=tuple(grown.children_right.tolist()),
        value=tuple(grown.value[:, 0, 0].tolist()),
    )
