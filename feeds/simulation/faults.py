"""Faults of real recordings, on request: what a feed has to survive."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from feeds.simulation.booking import Book

Integers = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]

OPENING_ROWS = 4
GAP_MINUTES = (7, 59)


@dataclass(frozen=True, slots=True)
class MarketFaults:
    """Which faults to put into every session; none by default, all drawn from the market's seed.

    Attributes:
        gaps: stretches of 7 to 59 minutes without any row, a session (the first and the last row
            always stay).
        crossed_opening: share of quotes from 09:30 to 09:33 whose ask is below the bid.
        missing_strikes: holes of two or four strikes, leaving steps of $3 and $5.
        silent_contracts: share of contract-minutes without a quote (bid and ask NaN, sizes 0).
    """

    gaps: int = 0
    crossed_opening: float = 0.0
    missing_strikes: int = 0
    silent_contracts: float = 0.0


def kept_rows(count: int, faults: MarketFaults, rng: np.random.Generator) -> Booleans:
    """[count] which minutes of a session were recorded."""
    kept = np.ones(count, bool)
    for _ in range(faults.gaps):
        start = rng.integers(1, count - 1)
        kept[start : start + rng.integers(GAP_MINUTES[0], GAP_MINUTES[1] + 1)] = False
    kept[0] = kept[-1] = True
    return kept


def kept_strikes(count: int, faults: MarketFaults, rng: np.random.Generator) -> Booleans:
    """[count] which strikes are listed."""
    kept = np.ones(count, bool)
    for _ in range(faults.missing_strikes):
        start = rng.integers(0, count)
        kept[start : start + rng.choice((2, 4))] = False
    return kept


def spoil(quotes: Book, faults: MarketFaults, rng: np.random.Generator) -> None:
    """Cross opening quotes and silence contracts, in place."""
    if faults.crossed_opening:
        opening = quotes.bid[:OPENING_ROWS]
        crossed = (rng.random(opening.shape) < faults.crossed_opening) & (opening > 0.05)
        opening[crossed] = quotes.ask[:OPENING_ROWS][crossed] + 0.01
    if faults.silent_contracts:
        silent = rng.random(quotes.bid.shape) < faults.silent_contracts
        quotes.bid[silent] = quotes.ask[silent] = np.nan
        quotes.bid_size[silent] = quotes.ask_size[silent] = 0
