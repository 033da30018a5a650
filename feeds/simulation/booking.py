"""Quotes around fair values: cents, zero bids, sizes, and how rarely a quote moves.

A quote brackets the fair value of the moment it was made, and is made anew when the fair value has
left its cent. So no two quotes of a chain can be traded against each other for a sure profit, and
wings stand still for hours, as they do in the market. Nobody bids for an option worth less than a
cent: its quote is 0 at 0.01, and there is no other zero bid. Everything is in whole cents until
the end.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from feeds.simulation import calibration as figures
from feeds.simulation.calibration import Floats
from feeds.simulation.paths import DayPath
from feeds.simulation.spreads import spreads, stress
from feeds.simulation.surface import FairValues

Integers = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]
Sizes = npt.NDArray[np.int32]

SIZE_TICKETS = 256
_SIZE_FACTOR = np.exp(
    np.interp(
        (np.arange(SIZE_TICKETS) + 0.5) / SIZE_TICKETS,
        figures.SIZE_SHARES,
        np.log(figures.SIZE_FACTORS),
    )
)


@dataclass(frozen=True, slots=True)
class Book:
    """Quotes of a day: dollars and contracts, [T, 2, K] each."""

    bid: Floats
    ask: Floats
    bid_size: Sizes
    ask_size: Sizes


def book(path: DayPath, fair: FairValues, rng: np.random.Generator) -> Book:
    """The quotes of a day around its fair values."""
    extra = stress(path)
    made = _made_at(fair.value * 100, extra > 0)
    bid, ask = _fresh(path, fair, rng)
    bid, ask = np.take_along_axis(bid, made, 0), np.take_along_axis(ask, made, 0)
    bid_size, ask_size = _sizes(fair.deviations, made, extra, rng)
    bid_size[bid == 0] = 0
    return Book(bid / 100, ask / 100, bid_size, ask_size)


def _made_at(cents: Floats, forced: Booleans) -> Integers:
    """[T, 2, K] the row at which the quote standing at each row was made.

    A quote stands until the fair value has left its cent by the slack. On `forced` rows [T] and on
    the row after one, when spreads change for all, every quote is made anew.
    """
    floor = np.floor(cents)
    low, high = floor - figures.REQUOTE_SLACK, floor + 1 + figures.REQUOTE_SLACK
    forced = forced | np.concatenate(([True], forced[:-1]))
    made = np.empty(cents.shape, np.int64)
    standing, least, most = np.zeros(cents.shape[1:], np.int64), low[0].copy(), high[0].copy()
    for row, value in enumerate(cents):
        new = (value < least) | (value > most) | forced[row]
        np.copyto(standing, row, where=new)
        np.copyto(least, low[row], where=new)
        np.copyto(most, high[row], where=new)
        made[row] = standing
    return made


def _fresh(path: DayPath, fair: FairValues, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Bids and asks [T, 2, K] in cents as they would be made at every row."""
    width, below = spreads(path, fair, rng)
    floor = np.floor(fair.value * 100)
    bid = np.maximum(floor - np.floor(below * width), 1.0)
    ask = np.maximum(floor - np.floor(below * width) + width, bid + (width > 0))
    worthless = floor == 0
    return np.where(worthless, 0.0, bid), np.where(worthless, 1.0, ask)


def _sizes(
    deviations: Floats, made: Integers, extra: Floats, rng: np.random.Generator
) -> tuple[Sizes, Sizes]:
    """Bid and ask sizes; each stands until its quote is made anew or somebody refreshes it."""
    rows = np.arange(deviations.shape[0])[:, None, None]
    refreshed = rng.random(deviations.shape, dtype=np.float32) < figures.SIZE_REFRESH
    since = np.maximum.accumulate(np.where(refreshed | (made == rows), rows, 0), axis=0)
    bucket = np.searchsorted(figures.SIZE_EDGES, deviations)
    calm = np.where(extra > 1.0, 1 / (1 + extra), 1.0)[:, None, None]
    bid, ask = (
        np.take_along_axis(_drawn(median[bucket] * calm, rng), since, 0)
        for median in (figures.BID_SIZE, figures.ASK_SIZE)
    )
    return bid, ask


def _drawn(median: Floats, rng: np.random.Generator) -> Sizes:
    """Sizes around their medians, at least one contract."""
    ticket = np.frombuffer(rng.bytes(median.size), np.uint8).reshape(median.shape)
    return np.maximum(1, median * _SIZE_FACTOR[ticket]).astype(np.int32)
