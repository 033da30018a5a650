"""The 8 features, version 1: one set of formulas for training, backtest, replay and live.

All functions take arrays of any leading shape or plain numbers. Inputs are exact minutes,
dollars and fractions; nothing is rounded and nothing is clipped in silence.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from feeds.sessions import FULL_DAY_MINUTES
from settings import RiskSettings
from vocabulary import FEATURES

Array = Any
"""A float or a numpy array of any shape."""

SPOT_SCALE = 1000.0
PNL_SCALE = 1000.0
COUNT = len(FEATURES)

_TINY = float(np.finfo(np.float32).tiny)
LOWEST = np.array([0, _TINY, _TINY, 0, -100, 0, 0, 0], np.float32)
HIGHEST = np.array([1, np.finfo(np.float32).max, 5, 1, 100, 1, 1, 1], np.float32)
"""Bounds of the features, both inclusive."""


def risk_score(open_fraction: Array, since_open: Array, atm_iv: Array, risk: RiskSettings) -> Array:
    """Risk in [0, 1]: weighted size, elapsed time and volatility.

    Args:
        open_fraction: open contracts / most contracts allowed.
        since_open: minutes since the open.
        atm_iv: at-the-money implied volatility.
        risk: the weights and the volatility that counts as full risk.
    """
    elapsed = since_open / FULL_DAY_MINUTES
    volatility = atm_iv / risk.volatility_reference
    volatility = volatility - (volatility - 1.0) * (volatility > 1.0)  # at most 1, NaN stays NaN
    weighted = risk.size_weight * open_fraction + risk.elapsed_weight * elapsed
    return weighted + risk.volatility_weight * volatility


def feature_vector(
    since_open: Array,
    spot: Array,
    atm_iv: Array,
    has_position: Array,
    position_pnl: Array,
    minutes_held: Array,
    risk: Array,
    until_close: Array,
    out: npt.NDArray[np.float32] | None = None,
) -> npt.NDArray[np.float32]:
    """The feature vector float32 [..., 8] that every model of version 1 takes.

    Args:
        since_open, until_close: exact minutes.
        spot: dollars.
        atm_iv: a year's volatility under the model's year convention.
        has_position: 0 or 1.
        position_pnl: unrealised dollars, fees excluded; 0 without a position.
        minutes_held: minutes since the position's first fill; 0 without one.
        risk: `risk_score`.
        out: where to write, to spare an allocation.
    """
    if out is None:
        out = np.empty((*np.shape(since_open), COUNT), np.float32)
    columns = out.T if out.ndim <= 2 else np.moveaxis(out, -1, 0)  # cheaper than out[..., i]
    columns[0] = since_open / FULL_DAY_MINUTES
    columns[1] = spot / SPOT_SCALE
    columns[2] = atm_iv
    columns[3] = has_position
    columns[4] = position_pnl / PNL_SCALE
    columns[5] = minutes_held / FULL_DAY_MINUTES
    columns[6] = risk
    columns[7] = until_close / FULL_DAY_MINUTES
    return out


def are_valid(features: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    """[...] whether each vector [..., 8] lies within the bounds; NaN never does."""
    inside = (features >= LOWEST) & (features <= HIGHEST)
    holding = features[..., 3]
    return np.asarray(inside.all(axis=-1) & ((holding == 0) | (holding == 1)))


def fault(features: npt.NDArray[np.float32]) -> str:
    """Which feature of one vector [8] is out of bounds, in words; empty when all is well."""
    for name, value, low, high in zip(FEATURES, features, LOWEST, HIGHEST, strict=True):
        if not low <= value <= high:
            return f"feature {name} is {value:g}, allowed {low:g} to {high:g}"
    return "" if are_valid(features) else f"feature has_position is {features[3]:g}, not 0 or 1"
