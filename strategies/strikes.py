"""The strike to sell, by a named rule that is part of the model's card."""

import numpy as np

from feeds.chain import ChainDay, Integers
from feeds.contract import Right

RIGHT_SIGNS = np.array([Right.CALL.sign, Right.PUT.sign])


def strike_indices(rule: str, day: ChainDay) -> Integers:
    """[T, 2] index of the strike each right would be sold at, -1 where nothing is quoted.

    Args:
        rule: `atm` (nearest to spot, the lower on a tie), `otm` (nearest not in the money) or
            `delta=0.20` (the absolute delta nearest to 0.20).
        day: a session, or one instant of it; no row looks at another.
    """
    if rule == "atm":
        return day.atm_index
    if rule == "otm":
        return _nearest(_out_of_the_money_distance(day))
    return _nearest(_delta_distance(day, float(rule.removeprefix("delta="))))


def _out_of_the_money_distance(day: ChainDay) -> np.ndarray:
    above = (day.strikes[None, :] - day.spot[:, None] * 1000)[:, None, :] * RIGHT_SIGNS[:, None]
    return np.where((above >= -1e-6) & _quoted(day), above, np.inf)


def _delta_distance(day: ChainDay, target: float) -> np.ndarray:
    from feeds.option_maths import chain_greeks

    greeks = chain_greeks(day.forward, day.strikes / 1000, day.bid, day.ask, day.years)
    distance = np.abs(np.abs(greeks.delta) - target)
    return np.where(_quoted(day) & np.isfinite(distance), distance, np.inf)


def _quoted(day: ChainDay) -> np.ndarray:
    return np.isfinite(day.mid)


def _nearest(distance: np.ndarray) -> Integers:
    best = distance.argmin(axis=-1)
    found = np.isfinite(np.take_along_axis(distance, best[..., None], -1)[..., 0])
    return np.where(found, best, -1)
