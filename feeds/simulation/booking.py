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
    cents = fair.value * 100
    floor = _floor(cents)
    flat = (shape[0], -1)
    moved = _quoted_at(cents.reshape(flat), floor.reshape(flat), stress > 0).reshape(shape)
    fresh_bid, fresh_ask = _fresh(path, fair, floor, stress, rng)
    bid = np.take_along_axis(fresh_bid, moved, 0)
    ask = np.take_along_axis(fresh_ask, moved, 0)
    bid_size, ask_size = _sizes(fair.deviations, moved, stress, rng)
    bid_size[bid == 0] = 0
    return Book(bid / 100, ask / 100, bid_size, ask_size)


def _stress(path: DayPath) -> Floats:
    """[T] cents added to the spread at the money: opening, announcement and closing minutes."""
    stress = np.zeros(path.price.size)
    stress[: figures.OPENING_CENTS.size] = figures.OPENING_CENTS
    stress[-figures.CLOSING_CENTS.size :] = figures.CLOSING_CENTS
    if path.event is not None:
        stress[path.event : path.event + figures.EVENT_CENTS.size] = figures.EVENT_CENTS
    return stress


def _floor(cents: Floats) -> Floats:
    """The whole cent at or below a fair value; a penny from where somebody bids for it."""
    floor = np.floor(cents)
    floor[(floor == 0) & (cents >= 100 * figures.ZERO_BID_BELOW)] = 1.0
    return floor


def _quoted_at(cents: Floats, floor: Floats, forced: npt.NDArray[np.bool_]) -> Integers:
    """[T, C] row at which the quote standing at each row was made.

    A quote stands until the fair value has left its cent by the slack. It is made anew on `forced`
    rows and on the row after one, when spreads change for all.
    """
    slack = 100 * figures.REQUOTE_SLACK
    penny = 100 * figures.ZERO_BID_BELOW
    low = np.where(floor == 1, min(penny, 1.0), floor) - slack
    high = np.where(floor == 0, penny, floor + 1) + slack
    forced = forced | np.concatenate(([True], forced[:-1]))
    made = np.empty(cents.shape, np.int64)
    standing, least, most = np.zeros(cents.shape[1], np.int64), low[0].copy(), high[0].copy()
    for row, value in enumerate(cents):
        new = (value < least) | (value > most) if not forced[row] else np.ones(value.size, bool)
        np.copyto(standing, row, where=new)
        np.copyto(least, low[row], where=new)
        np.copyto(most, high[row], where=new)
        made[row] = standing
    return made


def _fresh(
    path: DayPath, fair: FairValues, floor: Floats, stress: Floats, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Bids and asks in cents as they would be made at every row."""
    shape = floor.shape
    luck = rng.random(shape, dtype=np.float32)
    width = _near_width(fair.deviations, luck)
    deep, held = _deep_width(path, fair, rng)
    loose = deep > 0
    width = np.where(loose, deep, width) + _stressed(fair.value, stress, luck)
    below = np.where(loose, held, rng.random(shape, dtype=np.float32))
    bid = floor - np.floor(below * width)
    ask = bid + width
    worthless = floor == 0
    bid = np.where(worthless, 0.0, np.maximum(bid, 1.0))
    ask = np.where(worthless, 1.0, np.maximum(ask, bid + (width > 0)))
    return bid, ask


def _near_width(deviations: Floats, luck: npt.NDArray[np.float32]) -> Floats:
    """Spread in cents near the money, drawn from its distribution at that moneyness."""
    bucket = np.searchsorted(figures.NEAR_EDGES, deviations)
    width = np.ones(deviations.shape)
    for column in figures.NEAR_WIDTHS.T:
        width += luck > column[bucket]
    at_the_money = np.abs(deviations) < figures.NEAR_EDGES[5]
    width[at_the_money & (luck < figures.LOCKED_SHARE)] = 0.0
    return width


def _deep_width(
    path: DayPath, fair: FairValues, rng: np.random.Generator
) -> tuple[Floats, npt.NDArray[np.float32]]:
    """Spread in cents of quotes deep in the money, 0 elsewhere, and where the bid stands in it.

    Both last about half an hour a contract: these quotes are left to run along with the price.
    """
    rows, contracts = fair.value.shape[0], fair.value.shape[1:]
    blocks = rows // figures.WIDE_HOLD + 2
    start = rng.integers(0, figures.WIDE_HOLD, contracts)
    block = (np.arange(rows)[:, None, None] + start) // figures.WIDE_HOLD
    mode, size, below = (
        np.take_along_axis(rng.random((blocks, *contracts), dtype=np.float32), block, 0)
        for _ in range(3)
    )
    edge = figures.LOOSE_FROM + figures.LOOSE_SLOPE * np.log(np.clip(size / (1 - size), 0.01, 99))
    usual = np.interp(fair.inside, figures.LOOSE_DISTANCE, figures.LOOSE_CENTS)
    loose = np.where(fair.deviations > edge, np.rint(usual * (0.75 + 0.5 * size)), 0.0)
    return np.where(mode < _wide_share(path, fair.inside), _wide_width(fair.inside, size), loose), below


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


def _wide_width(inside: Floats, size: npt.NDArray[np.float32]) -> Floats:
    least, start, slope, cap = figures.WIDE_CENTS
    most = np.minimum(start + slope * np.maximum(inside, 0.0), cap)
    return np.asarray(np.rint(least + (most - least) * size**0.7))


def _stressed(value: Floats, stress: Floats, luck: npt.NDArray[np.float32]) -> Floats:
    """Extra cents on stressed rows, less for cheap options."""
    extra = np.zeros(value.shape)
    rows = stress > 0
    share = np.minimum(1.0, value[rows] / 0.5)
    extra[rows] = np.floor(stress[rows, None, None] * share * (0.4 + 1.2 * luck[rows]) + 0.5)
    return extra


def _sizes(
    deviations: Floats, moved: Integers, stress: Floats, rng: np.random.Generator
) -> tuple[Sizes, Sizes]:
    """Bid and ask sizes in contracts; each stands until its quote moves or somebody refreshes it."""
    shape = deviations.shape
    rows = np.arange(shape[0])[:, None, None]
    refreshed = (rng.random(shape, dtype=np.float32) < figures.SIZE_REFRESH) | (moved == rows)
    refreshed[0] = True
    made = np.maximum.accumulate(np.where(refreshed, rows, 0), axis=0)
    bucket = np.searchsorted(figures.SIZE_EDGES, deviations)
    calm = np.where(stress > 1.0, 1 / (1 + stress), 1.0)[:, None, None]
    return tuple(
        np.take_along_axis(_drawn(median[bucket] * calm, rng), made, 0)
        for median in (figures.BID_SIZE, figures.ASK_SIZE)
    )  # type: ignore[return-value]


def _drawn(median: Floats, rng: np.random.Generator) -> Sizes:
    ticket = np.frombuffer(rng.bytes(median.size), np.uint8).reshape(median.shape)
    return np.maximum(1, median * _SIZE_FACTOR[ticket]).astype(np.int32)


_SIZE_FACTOR = np.exp(
    np.interp((np.arange(256) + 0.5) / 256, figures.SIZE_SHARES, np.log(figures.SIZE_FACTORS))
)
