"""Quotes around fair values: spreads, sizes, zero bids, and how rarely a quote moves.

A quote brackets the fair value of the moment it was made, and is made anew when the fair value has
left its cent. So no two quotes of a chain can be traded against each other for a sure profit, and
the wings stand still for hours, as they do in the market. Everything is in whole cents until the
end.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from feeds.simulation import calibration as figures
from feeds.simulation.calibration import Floats
from feeds.simulation.paths import DayPath
from feeds.simulation.surface import FairValues

Integers = npt.NDArray[np.int64]
Sizes = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Book:
    """Quotes of a day: dollars and contracts, [T, 2, K]."""

    bid: Floats
    ask: Floats
    bid_size: Sizes
    ask_size: Sizes


def book(path: DayPath, fair: FairValues, rng: np.random.Generator) -> Book:
    """The quotes of a day."""
    shape = fair.value.shape
    stress = _stress(path)
    cents = (fair.value * 100).reshape(shape[0], -1)
    floor = np.floor(cents + (1 - 100 * figures.ZERO_BID_BELOW))
    source = _quoted_at(cents, floor, stress > 0)
    bid, ask = _fresh(path, fair, floor.reshape(shape), stress, rng)
    pick = source.reshape(shape)
    bid, ask = np.take_along_axis(bid, pick, 0), np.take_along_axis(ask, pick, 0)
    bid_size, ask_size = _sizes(fair.deviations, pick, stress, rng)
    bid_size[bid == 0] = 0
    return Book(bid / 100, ask / 100, bid_size, ask_size)
