"""A quote between two bars, and the two ages of every quote: see `feeds.live.book`."""

from typing import NamedTuple

import numpy as np

from feeds.sessions import Floats

NEVER = np.iinfo(np.int64).min // 2
"""The stamp of a quote that has not come yet; half of the range, so that ages do not overflow."""


class QuoteAges(NamedTuple):
    """Seconds since the exchange's stamp and since the last proof of life, both [2, K].

    Infinite where there is no quote, negative for a stamp ahead of the clock.
    """

    market: Floats
    live: Floats


class StandingQuote(NamedTuple):
    """A quote as a book has it: dollars, NaN where there is none, sizes in contracts.

    `ts` is the exchange's stamp and `proved_ts` when it was last known to stand, nanoseconds UTC.
    `spot` is the underlying's price then.
    """

    ts: int
    proved_ts: int
    bid: float
    ask: float
    bid_size: int
    ask_size: int
    spot: float
