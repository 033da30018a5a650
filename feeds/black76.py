"""Black-76 for options that live a day: prices, implied volatilities and Greeks, on arrays.

Black (1976), "The pricing of commodity contracts", without discounting: premium and exercise of a
same-day option settle on the same later day, so r = 0. The forward is `option_maths`' business.

All functions take arrays that broadcast together and return float64 arrays of the common shape.
Prices, forwards and strikes are dollars, `years` is time to expiry in years, volatilities are per
square root of a year (0.15 is 15 %), `is_call` is True for a call and False for a put. A row that
has no answer is NaN: nothing raises or warns, and no row touches another.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from feeds.total_volatility import (
    ROOT_HALF,
    ROOT_TWO_PI,
    scaled_beta,
    scaled_erfc_positive,
    total_volatility,
)

Floats = npt.NDArray[np.float64]
ArrayLike = npt.ArrayLike

DAYS_A_YEAR = 365
VOLATILITY_POINT = 0.01

_BLOCK = 4096
"""Rows worked on at a time: all temporaries of a block stay in the processor's cache."""

_TOTAL_RANGE = 1e-100, 50.0
"""Below the one an option is worth its intrinsic to the last bit, above the other its cap."""


class Greeks(NamedTuple):
    """Implied volatility and Greeks; all arrays have one shape.

    Attributes:
        iv: volatility per square root of a year, 0.15 is 15 %.
        delta: dollars per dollar of the forward; negative for puts.
        gamma: delta per dollar of the forward.
        theta: dollars a share per calendar day (a 365th of a year), negative.
        vega: dollars a share per volatility point (0.01).
    """

    iv: Floats
    delta: Floats
    gamma: Floats
    theta: Floats
    vega: Floats


def implied_volatility(
    price: ArrayLike, forward: ArrayLike, strike: ArrayLike, years: ArrayLike, is_call: ArrayLike
) -> Floats:
    """The volatility at which Black-76 gives `price`.

    NaN where there is none: a price at or below intrinsic, at or above its cap (the forward for a
    call, the strike for a put), and any row with a NaN, infinite or non-positive figure.
    """
    rows, shape = _flat(price, forward, strike, years, _sign(is_call))
    volatility = np.empty(rows[0].size)
    with np.errstate(all="ignore"):
        for block in _blocks(volatility.size):
            p, f, k, t, sign = (row[block] for row in rows)
            volatility[block] = total_volatility(p, f, k, t, sign) / np.sqrt(t)
    return volatility.reshape(shape)


def volatility_and_greeks(
    price: ArrayLike, forward: ArrayLike, strike: ArrayLike, years: ArrayLike, is_call: ArrayLike
) -> Greeks:
    """Implied volatility of `price` and the Greeks at it; NaN as in `implied_volatility`."""
    rows, shape = _flat(price, forward, strike, years, _sign(is_call))
    found = np.empty((len(Greeks._fields), rows[0].size))
    with np.errstate(all="ignore"):
        for block in _blocks(rows[0].size):
            p, f, k, t, sign = (row[block] for row in rows)
            total, root = total_volatility(p, f, k, t, sign), np.sqrt(t)
            _write_greeks(found[:, block], total / root, total, f, k, root, sign)
    return Greeks(*found.reshape(len(found), *shape))


def greeks_at(
    volatility: ArrayLike,
    forward: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    is_call: ArrayLike,
) -> Greeks:
    """The Greeks at a known volatility; NaN where it is negative or any figure is unusable.

    Without time (years <= 0) or volatility, delta is the step of intrinsic, a half exactly at the
    money, and gamma, theta and vega are 0.
    """
    rows, shape = _flat(volatility, forward, strike, years, _sign(is_call))
    found = np.empty((len(Greeks._fields), rows[0].size))
    with np.errstate(all="ignore"):
        for block in _blocks(rows[0].size):
            sigma, f, k, t, sign = (row[block] for row in rows)
            sigma, root = _usable(sigma, f, k, t), np.sqrt(np.maximum(t, 0.0))
            out, total = found[:, block], sigma * root
            _write_greeks(out, sigma, np.maximum(total, _TOTAL_RANGE[0]), f, k, root, sign)
            out[2:] = np.where(total == 0, 0.0, out[2:])
    return Greeks(*found.reshape(len(found), *shape))


def option_price(
    forward: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    volatility: ArrayLike,
    is_call: ArrayLike,
) -> Floats:
    """Black-76 value in dollars a share, intrinsic without time (years <= 0) or volatility.

    Far wings keep their relative accuracy. NaN where the volatility is negative or any figure is
    unusable.
    """
    rows, shape = _flat(forward, strike, years, volatility, _sign(is_call))
    price = np.empty(rows[0].size)
    with np.errstate(all="ignore"):
        for block in _blocks(price.size):
            f, k, t, sigma, sign = (row[block] for row in rows)
            total = _usable(sigma, f, k, t) * np.sqrt(np.maximum(t, 0.0))
            bounded = np.clip(total, *_TOTAL_RANGE)
            scaled, exponent = scaled_beta(np.abs(np.log(f / k)) / bounded, 0.5 * bounded)
            time_value = np.maximum(np.sqrt(f * k) * scaled * np.exp(exponent), 0.0)
            time_value[total == 0] = 0.0
            price[block] = np.maximum(sign * (f - k), 0.0) + time_value
    return price.reshape(shape)


def _sign(is_call: ArrayLike) -> Floats:
    """+1 for calls, -1 for puts."""
    return np.where(np.asarray(is_call, bool), 1.0, -1.0)


def _flat(*columns: ArrayLike) -> tuple[list[Floats], tuple[int, ...]]:
    """The columns broadcast together and flattened, and their common shape."""
    together = np.broadcast_arrays(*(np.asarray(column, np.float64) for column in columns))
    return [column.reshape(-1) for column in together], together[0].shape


def _blocks(size: int) -> Iterator[slice]:
    return (slice(start, start + _BLOCK) for start in range(0, size, _BLOCK))


def _usable(volatility: Floats, forward: Floats, strike: Floats, years: Floats) -> Floats:
    """The volatility, NaN where it or its companions make no sense."""
    sensible = (volatility >= 0) & (forward > 0) & (strike > 0)
    sensible &= np.isfinite(volatility + forward + strike + years)
    return np.where(sensible, volatility, np.nan)


def _write_greeks(
    out: Floats,
    volatility: Floats,
    total: Floats,
    forward: Floats,
    strike: Floats,
    root: Floats,
    sign: Floats,
) -> None:
    """Fill the rows of `out` in the order of `Greeks`; `total` is `volatility` x `root`.

    `root` is sqrt(years). Formulas: Hull, "Options, Futures, and Other Derivatives", the Greeks of
    options on futures, at r = 0.
    """
    d1 = np.log(forward / strike) / total + 0.5 * total
    bell = np.exp(-0.5 * d1 * d1)
    tail = 0.5 * bell * scaled_erfc_positive(np.abs(d1) * ROOT_HALF)
    weight = forward * bell / ROOT_TWO_PI
    out[0] = volatility
    np.multiply(sign, np.where(sign * d1 > 0, 1 - tail, tail), out=out[1])
    np.divide(weight, forward * forward * total, out=out[2])
    np.multiply(weight, volatility / (-2 * DAYS_A_YEAR * root), out=out[3])
    np.multiply(weight, VOLATILITY_POINT * root, out=out[4])
