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
    """iv / atm iv at z = ln(K / F) / (atm_iv sqrt(T)), [T, K], at profile minutes [T]."""
    a, b, c, put, call = (
        np.interp(profile, figures.SMILE_MINUTES, column)[:, None]
        for column in (
            figures.SMILE_A + skew,
            figures.SMILE_B,
            figures.SMILE_C,
            figures.PUT_WING,
            figures.CALL_WING,
        )
    )
    near = np.clip(z, -figures.SMILE_REACH, figures.SMILE_REACH)
    beyond = z - near
    wings = np.where(beyond < 0, put, call) * beyond
    return np.asarray(1 + near * (a + near * (b + near * c)) + wings)


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
