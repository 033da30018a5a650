"""Logistic timing: the same 8 features, a logistic regression, and no reinforcement learning.

For every decision of the training sessions at which a sale was legal, the sale is played to its end
under the same rules, fills and exits. One regression a right then says how likely such a sale wins.
With the mean gain W of winners and the mean loss L of losers, it is worth p W - (1 - p) L dollars;
the policy sells the right that is worth more, where that is above zero. If a plain regression does
as well as a trained network, the network has learned nothing that needs it.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression

from feeds.chain import Integers
from feeds.sessions import Floats
from models.book import Book
from models.policy_network import Floats as Weights
from models.session_arrays import SessionArrays
from settings import Settings
from strategies import features, rules
from vocabulary import Moment

REGULARISATION = 1.0
"""C of the regression: the inverse weight of the squared coefficients, on standardised features."""

_ROUNDS = 500
_AT_ONCE = 1024
"""Sales played side by side; each has a row of its session's snapshots in memory several times."""


class _Side(NamedTuple):
    """What is known of selling one right: weights [8], constant, dollars won and lost."""

    weights: Weights
    constant: float
    won: float
    lost: float

    def worth(self, observed: npt.NDArray[np.floating]) -> Floats:
        """Expected dollars [...] of a sale at features [..., 8]."""
        chance = 0.5 * (1.0 + np.tanh(0.5 * (observed @ self.weights + self.constant)))
        return np.asarray(chance * self.won - (1 - chance) * self.lost)


class TimingPolicy:
    """Sells where the regression expects a gain."""

    name = "logistic timing"
    actions = 3
    obeys_waits = True

    def __init__(self, call: _Side, put: _Side) -> None:
        """What is known of calls and of puts."""
        self._sides = call, put

    def probabilities(self, moment: Moment) -> Floats:
        """The action that is worth most with certainty [..., 3]; hold is worth zero."""
        observed = moment.features.astype(np.float64)
        sales = [side.worth(observed) for side in self._sides]
        worth = np.stack([np.zeros(sales[0].shape), *sales], axis=-1)
        worth = np.where(moment.mask[..., : self.actions], worth, -np.inf)
        certain: Floats = (worth.argmax(-1)[..., None] == np.arange(self.actions)).astype(float)
        return certain


def fit_timing(arrays: SessionArrays, settings: Settings) -> TimingPolicy:
    """The policy fitted to every sale that was possible on the sessions of `arrays`."""
    return TimingPolicy(*(_fit(*possible_sales(arrays, settings, right)) for right in (0, 1)))


def possible_sales(
    arrays: SessionArrays, settings: Settings, right: int
) -> tuple[npt.NDArray[np.float32], Floats]:
    """Features [n, 8] and net dollars [n] of every sale of a right by a flat desk.

    Each is played alone; an order that was never filled is left out.
    """
    session, decision = np.nonzero(arrays.market_refusal[..., right] == rules.Refusal.NONE)
    since_open, until_close, spot, atm_iv = arrays.clock[session, decision].T
    nothing = np.zeros(session.size)
    risk = features.risk_score(nothing, since_open, atm_iv, settings.risk)
    observed = features.feature_vector(
        since_open, spot, atm_iv, nothing, nothing, nothing, risk, until_close
    )
    quantity = rules.quantity(risk, settings.capital, settings.contracts, settings.rules)
    fit = features.are_valid(observed) & (quantity > 0)
    session, decision, observed = session[fit], decision[fit], observed[fit]
    sales = session, decision, quantity[fit], risk[fit]
    played = [
        _played(arrays, settings, right, *(each[first : first + _AT_ONCE] for each in sales))
        for first in range(0, max(session.size, 1), _AT_ONCE)
    ]
    filled, earned = (np.concatenate(parts) for parts in zip(*played, strict=True))
    return observed[filled], earned[filled]


def _played(
    arrays: SessionArrays,
    settings: Settings,
    right: int,
    session: Integers,
    decision: Integers,
    quantity: Integers,
    risk: Floats,
) -> tuple[npt.NDArray[np.bool_], Floats]:
    """[n] whether each sale was filled, and the net dollars [n] at the end of its session."""
    book = Book(arrays, settings, session.size)
    everyone = np.arange(session.size)
    book.start(everyone, session)
    row = arrays.decision_row[session, decision]
    book.sell(everyone, row, arrays.contract[session, decision, right], quantity, risk)
    book.advance(arrays.decision_row[session, decision + 1])  # an entry works until there
    book.advance(arrays.closing_row[session])
    filled: npt.NDArray[np.bool_] = book.state["entry"]["quantity"] > 0
    return filled, np.array(book.state["cash"], float)


def _fit(observed: npt.NDArray[np.float32], earned: Floats) -> _Side:
    won = earned > 0
    gain = float(earned[won].mean()) if won.any() else 0.0
    loss = float(-earned[~won].mean()) if not won.all() else 0.0
    nothing = np.zeros(observed.shape[1])
    if not earned.size:
        return _Side(nothing, 0.0, 0.0, 0.0)
    if won.all() or not won.any():
        return _Side(nothing, np.inf if won.all() else -np.inf, gain, loss)
    mean, deviation = observed.mean(axis=0, dtype=float), observed.std(axis=0, dtype=float)
    deviation = np.where(deviation > 0, deviation, 1.0)
    regression = LogisticRegression(C=REGULARISATION, max_iter=_ROUNDS)
    regression.fit((observed - mean) / deviation, won)
    weights = regression.coef_[0] / deviation
    return _Side(weights, float(regression.intercept_[0] - mean @ weights), gain, loss)
