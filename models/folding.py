"""Constant standardisation of the 8 features, and folding it into a network's first layer.

In raw scaling the figures that matter most (atm_iv) vary least, and the policy does not see them.
Training therefore runs on z = (x - mean) / sd; afterwards W z + b = (W / sd) x + (b - W mean / sd)
is an ordinary first layer on the raw features.
"""

import numpy as np
import numpy.typing as npt

from models.card import Standardisation

Floats = npt.NDArray[np.float64]

_LEAST_SD = 1e-6


def measure(features: npt.NDArray[np.floating]) -> Standardisation:
    """Mean and standard deviation of features [..., 8], all of them from training days.

    A feature that never varied (no position was open, say) is centred and left in its own scale.
    """
    rows = features.reshape(-1, features.shape[-1]).astype(np.float64)
    sd = rows.std(axis=0)
    sd[sd < _LEAST_SD] = 1.0
    return Standardisation(mean=tuple(rows.mean(axis=0).tolist()), sd=tuple(sd.tolist()))


def standardise(
    features: npt.NDArray[np.floating], constants: Standardisation
) -> npt.NDArray[np.float32]:
    """(x - mean) / sd of features [..., 8], as float32; nothing is clipped."""
    scaled = (features - np.array(constants.mean)) / np.array(constants.sd)
    single: npt.NDArray[np.float32] = scaled.astype(np.float32)
    return single


def fold(
    weight: npt.NDArray[np.floating], bias: npt.NDArray[np.floating], constants: Standardisation
) -> tuple[Floats, Floats]:
    """First layer [outputs, 8] and bias [outputs] that take raw features instead of standardised.

    In double precision: a mean may be many deviations from zero, and float32 would lose digits.
    """
    mean, sd = np.array(constants.mean), np.array(constants.sd)
    scaled: Floats = weight.astype(np.float64) / sd
    return scaled, bias.astype(np.float64) - scaled @ mean
