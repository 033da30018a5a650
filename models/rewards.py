"""The reward of training: the change of what the session would leave if it were closed now.

r_t = (E_t - E_{t-1}) / 100 with E = cash + positions bought back at the ask, fees included. Over a
session it adds up to the net P&L, so nothing but money is learned. For training alone three terms
may be taken off it: the gain of the position's delta (a control variate: it has a mean of about
zero and most of the variance, so that little data says more), new drawdown, and a loss in the tail.
Results are always judged on the net P&L.
"""

import numpy as np

from feeds.chain import Integers
from feeds.sessions import Floats
from models.desk import Desk
from models.valuation import hedge_gain, liquidation_value
from settings import TrainingSettings

DOLLARS_A_POINT = 100.0


class RewardMeter:
    """Measures the reward of each of a desk's B sessions from decision to decision."""

    def __init__(self, desk: Desk, training: TrainingSettings) -> None:
        """`training` says which terms are taken off."""
        self._desk = desk
        self._training = training
        size = len(desk.session)
        self._equity, self._hedge = np.zeros(size), np.zeros(size)
        self._peak, self._drawdown = np.zeros(size), np.zeros(size)

    def start(self, which: Integers) -> None:
        """Begin new sessions on the desks `which`."""
        for figures in (self._equity, self._hedge, self._peak, self._drawdown):
            figures[which] = 0.0

    def measure(self) -> Floats:
        """[B] reward since the last call, in hundreds of dollars."""
        arrays, state, row = self._desk.arrays, self._desk.book.state, self._desk.row
        training = self._training
        equity = liquidation_value(arrays, state, row, self._desk.settings.fills)
        gain = equity - self._equity
        self._equity = equity
        if training.hedge:
            hedge = hedge_gain(arrays, state, row)
            gain -= hedge - self._hedge
            self._hedge = hedge
        if training.drawdown_penalty:
            gain -= training.drawdown_penalty * self._new_drawdown(equity)
        if training.tail_penalty:
            beyond = np.maximum(-equity - training.tail_loss, 0.0)
            gain -= training.tail_penalty * np.where(self._desk.is_over, beyond, 0.0)
        return gain / DOLLARS_A_POINT

    def _new_drawdown(self, equity: Floats) -> Floats:
        """[B] dollars by which the session's deepest drawdown grew."""
        self._peak = np.maximum(self._peak, equity)
        deepest = np.maximum(self._drawdown, self._peak - equity)
        growth = deepest - self._drawdown
        self._drawdown = deepest
        return growth
