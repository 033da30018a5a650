"""How wide quotes are: by moneyness, by the clock, and deep in the money by habit."""

import numpy as np
import numpy.typing as npt

from feeds.simulation import calibration as figures
from feeds.simulation.calibration import Floats
from feeds.simulation.paths import DayPath
from feeds.simulation.surface import FairValues

Draws = npt.NDArray[np.float32]


def stress(path: DayPath) -> Floats:
    """[T] cents added to spreads at the money: opening, announcement and closing minutes."""
    cents = np.zeros(path.price.size)
    cents[: figures.OPENING_CENTS.size] = figures.OPENING_CENTS
    cents[-figures.CLOSING_CENTS.size :] = figures.CLOSING_CENTS
    if path.event is not None:
        cents[path.event : path.event + figures.EVENT_CENTS.size] = figures.EVENT_CENTS
    return cents


def spreads(path: DayPath, fair: FairValues, rng: np.random.Generator) -> tuple[Floats, Draws]:
    """Spreads [T, 2, K] in whole cents as they would be quoted afresh at every row.

    The second array says where in the spread the fair value lies, 0 (just above the bid) to 1.
    """
    luck = rng.random(fair.value.shape, dtype=np.float32)
    below = rng.random(fair.value.shape, dtype=np.float32)
    deep, held = _deep(path, fair, rng)
    width = np.where(deep > 0, deep, _near(fair.deviations, luck))
    return width + _stressed(fair.value, stress(path), luck), np.where(deep > 0, held, below)


def _near(deviations: Floats, luck: Draws) -> Floats:
    """Cents near the money, drawn from the distribution at that moneyness."""
    bucket = np.searchsorted(figures.NEAR_EDGES, deviations)
    width = np.ones(deviations.shape)
    for column in figures.NEAR_WIDTHS.T:
        width += luck > column[bucket]
    at_the_money = np.abs(deviations) < figures.LOCKED_WITHIN
    width[at_the_money & (luck < figures.LOCKED_SHARE)] = 0.0
    return width


def _deep(path: DayPath, fair: FairValues, rng: np.random.Generator) -> tuple[Floats, Draws]:
    """Cents of quotes deep in the money, 0 elsewhere, and where the fair value lies in them.

    Both last about half an hour a contract: such quotes are left to run along with the price.
    """
    mode, size, below = (_held(rng, fair.value.shape) for _ in range(3))
    edge = figures.LOOSE_FROM + figures.LOOSE_SLOPE * np.log(np.clip(size / (1 - size), 0.02, 50.0))
    usual = np.interp(fair.inside, figures.LOOSE_DISTANCE, figures.LOOSE_CENTS)
    loose = np.rint(usual * (0.75 + 0.5 * size))
    loose[fair.deviations + fair.inside / figures.LOOSE_DOLLARS < edge] = 0.0
    wide = mode < _wide_share(path, fair.inside)
    return np.where(wide, _wide(fair.inside, size), loose), below


def _held(rng: np.random.Generator, shape: tuple[int, ...]) -> Draws:
    """Random numbers that change about every half hour, each contract at its own minute."""
    rows, contracts = shape[0], shape[1:]
    draws = rng.random((rows // figures.WIDE_HOLD + 2, *contracts), dtype=np.float32)
    start = rng.integers(0, figures.WIDE_HOLD, contracts)
    block = (np.arange(rows)[:, None, None] + start) // figures.WIDE_HOLD
    return np.take_along_axis(draws, block, 0)


def _wide_share(path: DayPath, inside: Floats) -> Floats:
    """Share of quotes that are dollars wide, by dollars in the money and time."""
    by_time = np.stack(
        [np.interp(path.profile, figures.WIDE_MINUTES, column) for column in figures.WIDE_SHARE.T]
    )
    place = np.interp(inside, figures.WIDE_DISTANCE, np.arange(figures.WIDE_DISTANCE.size))
    left = np.minimum(place.astype(np.int64), figures.WIDE_DISTANCE.size - 2)
    rows = np.arange(inside.shape[0])[:, None, None]
    part = place - left
    return np.asarray(by_time[left, rows] * (1 - part) + by_time[left + 1, rows] * part)


def _wide(inside: Floats, size: Draws) -> Floats:
    least, start, slope, cap = figures.WIDE_CENTS
    most = np.minimum(start + slope * np.maximum(inside, 0.0), cap)
    return np.asarray(np.rint(least + (most - least) * size**0.7))


def _stressed(value: Floats, cents: Floats, luck: Draws) -> Floats:
    """Extra cents on stressed rows, in full from options of half a dollar on."""
    extra = np.zeros(value.shape)
    rows = cents > 0
    share = np.minimum(1.0, value[rows] / 0.5)
    extra[rows] = np.rint(cents[rows, None, None] * share * (0.4 + 1.2 * luck[rows]))
    return extra
