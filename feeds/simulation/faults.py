"""Faults of real recordings, on request: what a feed has to survive."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from errors import SettingError
from feeds.contract import TICK
from feeds.simulation.booking import Book

Booleans = npt.NDArray[np.bool_]

OPENING_ROWS = 4
GAP_MINUTES = (7, 59)
HOLE_STRIKES = (2, 4)
CROSSED_ABOVE = 0.05


@dataclass(frozen=True, slots=True)
class MarketFaults:
    """Which faults to put into every session; none by default, all drawn from the market's seed.

    Attributes:
        gaps: stretches of 7 to 59 minutes a session without any row (the first and the last row
            always stay).
        crossed_opening: share of quotes from 09:30 to 09:33 whose ask is a cent below the bid.
            `ChainDay` holds no crossed quote, so that there they are missing.
        missing_strikes: holes of two or four strikes a session, which leave steps of $3 and $5.
        silent_contracts: share of contract-minutes without a quote (NaN, sizes 0).

    Raises `SettingError` on a negative count or a share outside [0, 1].
    """

    gaps: int = 0
    crossed_opening: float = 0.0
    missing_strikes: int = 0
    silent_contracts: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what cannot be drawn."""
        for name in ("gaps", "missing_strikes"):
            if getattr(self, name) < 0:
                raise SettingError(f"{name} is {getattr(self, name)}: choose 0 or more")
        for name in ("crossed_opening", "silent_contracts"):
            if not 0 <= getattr(self, name) <= 1:
                raise SettingError(f"{name} is {getattr(self, name)}: choose a share from 0 to 1")


def kept_rows(count: int, faults: MarketFaults, rng: np.random.Generator) -> Booleans:
    """[count] which minutes of a session were recorded."""
    kept = np.ones(count, bool)
    shortest, longest = GAP_MINUTES
    for _ in range(faults.gaps):
        start = rng.integers(1, count - 1)
        kept[start : start + rng.integers(shortest, longest + 1)] = False
    kept[0] = kept[-1] = True
    return kept


def kept_strikes(count: int, faults: MarketFaults, rng: np.random.Generator) -> Booleans:
    """[count] which strikes are listed."""
    kept = np.ones(count, bool)
    for _ in range(faults.missing_strikes):
        start = rng.integers(0, count)
        kept[start : start + rng.choice(HOLE_STRIKES)] = False
    return kept


def spoil(quotes: Book, faults: MarketFaults, rng: np.random.Generator) -> None:
    """Cross opening quotes and silence contracts, in place."""
    if faults.crossed_opening:
        bid, ask = quotes.bid[:OPENING_ROWS], quotes.ask[:OPENING_ROWS]
        crossed = (rng.random(bid.shape) < faults.crossed_opening) & (bid > CROSSED_ABOVE)
        ask[crossed] = np.round(bid[crossed] - TICK, 2)
    if faults.silent_contracts:
        silent = rng.random(quotes.bid.shape) < faults.silent_contracts
        quotes.bid[silent] = quotes.ask[silent] = np.nan
        quotes.bid_size[silent] = quotes.ask_size[silent] = 0
