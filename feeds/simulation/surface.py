"""Fair values: the smile on the day's total volatility, priced by Black-76.

The forward is spot: there is neither interest nor a dividend within a day.
"""

from dataclasses import dataclass

import numpy as np

from feeds.option_maths import option_price
from feeds.simulation import calibration as figures
from feeds.simulation.calibration import Floats
from feeds.simulation.paths import DayPath

_PUT_WING = (figures.PUT_WING, figures.PUT_WING_REACH)
_CALL_WING = (figures.CALL_WING, figures.CALL_WING_REACH)


@dataclass(frozen=True, slots=True)
class FairValues:
    """Fair values of a day's chain, [T, 2, K] each, calls first.

    Attributes:
        value: dollars.
        inside: dollars in the money, negative outside.
        deviations: the same in deviations of the strike's own volatility (delta = N(deviations)).
    """

    value: Floats
    inside: Floats
    deviations: Floats


def smile(z: Floats, profile: Floats, skew: float = 0.0) -> Floats:
    """iv / atm iv at z = ln(K / F) / (atm_iv sqrt(T)), [T, K], at profile minutes [T].

    A cubic near the money (`skew` is added to its slope), then wings that start on the published
    slope and level off.
    """
    a, b, c = (
        _by_time(column, profile) for column in (figures.SMILE_A, figures.SMILE_B, figures.SMILE_C)
    )
    near = np.clip(z, -figures.SMILE_REACH, figures.SMILE_REACH)
    beyond = z - near
    put = _wing(np.minimum(beyond, 0.0), profile, *_PUT_WING)
    call = _wing(np.maximum(beyond, 0.0), profile, *_CALL_WING)
    return np.asarray(1 + near * (a + skew + near * (b + near * c)) + put + call)


def _wing(beyond: Floats, profile: Floats, slope: Floats, reach: Floats) -> Floats:
    """slope x beyond where it begins, levelling off at slope x reach; 0 where `beyond` is."""
    length = _by_time(reach, profile)
    gone = -np.expm1(-np.abs(beyond) / length)
    return np.asarray(_by_time(slope, profile) * np.sign(beyond) * length * gone)


def _by_time(column: Floats, profile: Floats) -> Floats:
    """[T, 1] a column of the smile's table at profile minutes [T]."""
    return np.asarray(np.interp(profile, figures.SMILE_MINUTES, column)[:, None])


def fair_values(path: DayPath, strikes: Floats) -> FairValues:
    """Fair values of strikes [K] (dollars) at every minute of a path.

    Only the out-of-the-money side is priced; the other is the same plus intrinsic.
    """
    forward, total = path.price[:, None], path.total[:, None]
    z = np.log(strikes / forward) / total
    deviation = total * smile(z, path.profile, path.character.skew)
    inside = forward - strikes
    outside = option_price(forward, strikes, 1.0, deviation, inside < 0)
    distance = inside / (forward * deviation)
    return FairValues(
        value=np.stack((outside + np.maximum(inside, 0), outside + np.maximum(-inside, 0)), axis=1),
        inside=np.stack((inside, -inside), axis=1),
        deviations=np.stack((distance, -distance), axis=1),
    )
