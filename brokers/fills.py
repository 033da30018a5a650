"""What a simulated order gets and costs: pure functions on arrays of any shape.

Training, backtest, replay and shadow trading call these and nothing else. Sides are +1 for a
buyer and -1 for a seller; prices are dollars a share and NaN where there is no quote.
"""

from typing import Any

import numpy as np

from feeds.contract import TICK
from settings import FillSettings

Array = Any
"""A float, an int or a numpy array of any shape."""


def may_fill(ts: Array, decided_ts: Array, latency_seconds: float) -> Array:
    """Whether a snapshot at `ts` is strictly after the decision plus the latency (nanoseconds)."""
    return ts > decided_ts + round(latency_seconds * 1e9)


def due_ts(decided_ts: int, latency_seconds: float, good_after: int | None = None) -> int:
    """The first nanosecond at which an order may fill.

    Strictly after the decision plus the latency; an order placed in advance (`good_after`) was at
    the market before its time came, so it may fill at that very instant.
    """
    if good_after is not None:
        return max(good_after, decided_ts + 1)
    return decided_ts + round(latency_seconds * 1e9) + 1


def fill_price(side: Array, bid: Array, ask: Array, slippage: float = 0.0) -> Array:
    """The natural side of the quote: sellers get the bid, buyers pay the ask, worse by slippage.

    NaN where that side is not quoted; a sale never goes below one tick.
    """
    with np.errstate(invalid="ignore"):
        sale = np.where(bid > 0, np.maximum(bid - slippage, TICK), np.nan)
        return np.where(side > 0, ask + slippage, sale)


def fill_quantity(side: Array, wanted: Array, bid_size: Array, ask_size: Array) -> Array:
    """Contracts that trade: what is wanted, limited to the quoted size of that side."""
    return np.minimum(wanted, np.where(side > 0, ask_size, bid_size))


def limit_allows(side: Array, price: Array, limit: Array) -> Array:
    """Whether `price` is no worse than a limit; NaN limits are market orders."""
    with np.errstate(invalid="ignore"):
        return np.isnan(limit) | (side * (price - limit) <= 1e-9)


def order_fee(quantity: Array, settings: FillSettings) -> Array:
    """Dollars an order of `quantity` contracts costs: max(minimum, rate n) + exchange n.

    An order without a fill costs nothing. Partial fills pay the difference between the fee of
    all that is filled and what was paid before, so that the minimum is paid once an order.
    """
    commission = np.maximum(settings.fee_minimum, settings.fee_per_contract * quantity)
    return np.where(quantity > 0, commission + settings.fee_exchange * quantity, 0.0)


def settlement_price(right_sign: Array, strike: Array, official_close: Array) -> Array:
    """Intrinsic value in dollars a share at the official close; `right_sign` +1 call, -1 put."""
    return np.maximum(right_sign * (official_close - strike), 0.0)
