"""Fair values: the smile on the day's total volatility, priced by Black-76."""

from dataclasses import dataclass

import numpy as np

from feeds.option_maths import option_price
from feeds.simulation import calibration as figures
from feeds.simulation.calibration import Floats
from feeds.simulation.paths import DayPath


@dataclass(frozen=True, slots=True)
class FairValues:
    """Fair values of a day's chain.

    Attributes:
        value: [T, 2, K] dollars, calls first.
        inside: [T, 2, K] dollars in the money, negative outside.
        deviations: [T, 2, K] the same in deviations of the strike's own volatility.
    """

    value: Floats
    inside: Floats
    deviations: Floats


def smile(z: Floats, profile: Floats, skew: float = 0.0) -> Floats:
    """iv / atm iv at z = ln(K / F) / (atm_iv sqrt(T)), [T, K], at profile minutes [T].

    A cubic near the money, then wings that start on the published slope and level off.
    """
    a, b, c = (_by_time(column, profile) for column in _CUBIC)
    near = np.clip(z, -figures.SMILE_REACH, figures.SMILE_REACH)
    wings = np.zeros(z.shape)
    beyond = z - near
    for side, (slope, reach) in ((beyond < 0, _PUT_WING), (beyond > 0, _CALL_WING)):
        length = _by_time(reach, profile)
        rise = _by_time(slope, profile) * -np.sign(z) * length * np.expm1(-np.abs(beyond) / length)
        wings[side] = rise[side]
    return np.asarray(1 + near * (a + skew + near * (b + near * c)) + wings)


_CUBIC = (figures.SMILE_A, figures.SMILE_B, figures.SMILE_C)
_PUT_WING = (figures.PUT_WING, figures.PUT_WING_REACH)
_CALL_WING = (figures.CALL_WING, figures.CALL_WING_REACH)


def _by_time(column: Floats, profile: Floats) -> Floats:
    """[T, 1] a column of the smile's table at profile minutes [T]."""
    return np.asarray(np.interp(profile, figures.SMILE_MINUTES, column)[:, None])


def fair_values(path: DayPath, strikes: Floats) -> FairValues:
    """Fair values of strikes [K] (dollars) at every minute of a path."""
    forward, total = path.price[:, None], path.total[:, None]
    z = np.log(strikes / forward) / total
    deviation = total * smile(z, path.profile, path.skew)
    inside = forward - strikes
    is_call = inside < 0
    outside = option_price(forward, strikes, 1.0, deviation, is_call)
    call = outside + np.maximum(inside, 0.0)
    put = outside + np.maximum(-inside, 0.0)
    distance = inside / (forward * deviation)
    return FairValues(
        value=np.stack((call, put), axis=1),
        inside=np.stack((inside, -inside), axis=1),
        deviations=np.stack((distance, -distance), axis=1),
    )
