"""Quote hygiene: which bids and asks may be believed, and what the mid is.

All functions take arrays of any shape (or scalars) in dollars; NaN means "no quote".
"""

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

PENNY_ASK = 0.02
"""With no bid, an ask up to this still tells the value: half of it."""

LAST_MINUTE = 1.0
"""Minutes before the close in which quotes are a yard wide."""

UNLIMITED_SIZE = np.iinfo(np.int32).max
"""Size of a quote whose source names none."""


def clean(bid: Floats, ask: Floats) -> tuple[Floats, Floats]:
    """Bids and asks with everything unbelievable turned into NaN.

    Crossed quotes (ask < bid), negative or infinite prices are no quote on both sides; a zero
    ask is none on its side. A zero bid stays: it says that nobody buys.
    """
    bid, ask = np.asarray(bid, float), np.asarray(ask, float)
    with np.errstate(invalid="ignore"):
        broken = (ask < bid) | (bid < 0) | (ask < 0) | np.isinf(bid) | np.isinf(ask)
        no_ask = broken | (ask == 0)
    return np.where(broken, np.nan, bid), np.where(no_ask, np.nan, ask)


def mid(bid: Floats, ask: Floats) -> Floats:
    """Mid of clean quotes: (bid + ask) / 2, half the ask where nobody bids for a penny option.

    NaN where a side is missing, or where there is no bid and the ask is above two cents.
    """
    with np.errstate(invalid="ignore"):
        known = (bid > 0) | ((bid == 0) & (ask <= PENNY_ASK))
        return np.where(known, (bid + ask) / 2, np.nan)


def crossed(bid: Floats, ask: Floats) -> npt.NDArray[np.bool_]:
    """Where the ask is below the bid."""
    with np.errstate(invalid="ignore"):
        return np.asarray(ask < bid)


def is_last_minute(until_close: Any) -> Any:
    """Whether less than one minute is left to the close (a number, or an array of any shape).

    Nothing is decided, filled or marked then: an order that still works is settled instead.
    """
    return until_close < LAST_MINUTE
