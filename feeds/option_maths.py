"""Option maths of a whole chain: time to expiry, forward, at-the-money strike, IV and Greeks.

One convention everywhere: the forward comes from put-call parity, the implied volatility of a
strike from its out-of-the-money side on that forward, and both rights share it. The other side is
American, and its mid is often below intrinsic, so it has no solution or a false one.

Shapes: time T, right 2 (call, put), strike K, as in `feeds.chain`. Row t of a result depends on
row t of the inputs alone. The model itself is `feeds.black76`, whose functions are offered here
too.
"""

import numpy as np
import numpy.typing as npt

from errors import SettingError
from feeds import quotes
from feeds.black76 import (
    Greeks,
    greeks_at,
    implied_volatility,
    option_price,
    volatility_and_greeks,
)
from feeds.contract import Right

__all__ = [
    "Greeks",
    "atm_index",
    "atm_volatility",
    "chain_greeks",
    "greeks_at",
    "implied_volatility",
    "option_price",
    "parity_forward",
    "volatility_and_greeks",
    "year_fraction",
]

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]

MINUTES_A_YEAR = 365 * 24 * 60
TRADING_MINUTES_A_YEAR = 252 * 390
VENDOR_EXTRA_MINUTES = 30
SHORTEST_MINUTES = 1.0
NEAR_THE_MONEY = 5
SMALLEST_SPREAD = 0.01
SMALLEST_TIME_VALUE = 1e-6
"""Dollars above intrinsic below which the last bit of a float would decide on a volatility."""


def year_fraction(until_close: Floats, convention: str) -> Floats:
    """Years to expiry of an option that expires at the close.

    Args:
        until_close: minutes to the close, any shape; below one minute they count as one.
        convention: "calendar" (minutes of 365 days), "trading" (minutes of 252 sessions of 390),
            "t252" (always 1/252) or "vendor" (calendar minutes to half an hour after the close,
            which is what Cboe's published volatilities agree with).

    Raises `SettingError` on any other convention.
    """
    minutes = np.maximum(until_close, SHORTEST_MINUTES)
    if convention == "calendar":
        return np.asarray(minutes / MINUTES_A_YEAR)
    if convention == "trading":
        return np.asarray(minutes / TRADING_MINUTES_A_YEAR)
    if convention == "t252":
        return np.full(minutes.shape, 1 / 252)
    if convention == "vendor":
        return np.asarray((minutes + VENDOR_EXTRA_MINUTES) / MINUTES_A_YEAR)
    raise SettingError(
        f"year convention {convention!r} is unknown: use calendar, trading, t252 or vendor"
    )


def parity_forward(spot: Floats, strikes: Floats, bid: Floats, ask: Floats) -> Floats:
    """[T] forward in dollars by put-call parity, `spot` where no strike near it has both mids.

    The mean of strike + call mid - put mid over the strike nearest to spot and five on each side,
    weighted by 1 / spread^2 with the spread of both legs together, a cent at least. Strikes that
    nobody quotes at an instant do not count there: they may be listed later that day.

    Args:
        spot: [T] dollars; where it is NaN, the money is where call and put cost most nearly alike.
        strikes: [K] dollars, rising.
        bid, ask: [T, 2, K] dollars, clean.
    """
    if not len(strikes):
        return np.array(spot, np.float64)
    unknown = np.isnan(spot)
    money = np.where(unknown, _evenly_priced(strikes, bid, ask), spot) if unknown.any() else spot
    window, inside = _window(money, strikes)
    bids, asks = _gather(bid, window), _gather(ask, window)
    gaps = np.flatnonzero((inside & ~_is_listed(bids, asks)).any(axis=1))
    if gaps.size:
        listed = _is_listed(bid[gaps], ask[gaps])
        window[gaps], inside[gaps] = _listed_window(money[gaps], strikes, listed)
        bids[gaps] = _gather(bid[gaps], window[gaps])
        asks[gaps] = _gather(ask[gaps], window[gaps])
    mids = quotes.mid(bids, asks)
    parity = strikes[window] + mids[:, Right.CALL] - mids[:, Right.PUT]
    spread = np.maximum((asks - bids).sum(axis=1), SMALLEST_SPREAD)
    known = inside & ~np.isnan(parity)
    weight = np.where(known, spread**-2.0, 0.0)
    total = weight.sum(axis=1)
    weighted = (weight * np.where(known, parity, 0.0)).sum(axis=1)
    forward = np.array(spot, np.float64)
    return np.asarray(np.divide(weighted, total, out=forward, where=total > 0))


def atm_index(spot: Floats, strikes: Integers, bid: Floats, ask: Floats) -> Integers:
    """[T, 2] index of the strike nearest to spot among those where that right has a mid.

    The lower strike on a tie, -1 where the right has no mid at any strike.

    Args:
        spot: [T] dollars.
        strikes: int64 [K], thousandths of a dollar, rising.
        bid, ask: [T, 2, K] dollars, clean.
    """
    if not len(strikes):
        return np.full((len(spot), 2), -1, np.int64)
    level = np.round(spot * 1000, 3)  # to a millionth of a dollar: a tie is a tie
    window, inside = _window(level, strikes)
    mids = quotes.mid(_gather(bid, window), _gather(ask, window))
    distance = np.abs(strikes[window] - level[:, None])
    place, reach = _nearest(inside[:, None] & ~np.isnan(mids), distance)
    found = np.where(place >= 0, np.take_along_axis(window, place, axis=1), -1)

    more_below, more_above = window[:, 0] > 0, window[:, -1] < len(strikes) - 1
    left = np.where(more_below, distance[:, 0], np.inf)
    right = np.where(more_above, distance[:, -1], np.inf)
    doubtful = np.flatnonzero((reach > np.minimum(left, right)[:, None]).any(axis=1))
    if doubtful.size:  # a strike outside the window may be nearer, or the only one
        known = ~np.isnan(quotes.mid(bid[doubtful], ask[doubtful]))
        found[doubtful], _ = _nearest(known, np.abs(strikes - level[doubtful, None]))
    return found


def atm_volatility(
    forward: Floats,
    strikes: Floats,
    bid: Floats,
    ask: Floats,
    years: Floats,
    atm_index: Integers,
) -> Floats:
    """[T] mean of the implied volatilities at the call's and at the put's at-the-money strike.

    Each is solved from the out-of-the-money side of its strike, from the other side where that
    gives none. One alone stands for both; NaN where there is neither.

    Args:
        forward: [T] dollars.
        strikes: [K] dollars.
        bid, ask: [T, 2, K] dollars, clean.
        years: [T] years to expiry.
        atm_index: [T, 2] as `atm_index` gives it, -1 for none.
    """
    if not len(strikes):
        return np.full(len(forward), np.nan)
    strike = strikes[atm_index]
    level, time = (np.broadcast_to(column[:, None], strike.shape) for column in (forward, years))
    is_call = strike >= level
    row = np.arange(len(forward))[:, None]

    def side_mid(call: Booleans) -> Floats:
        side = np.where(call, int(Right.CALL), int(Right.PUT))
        mid = quotes.mid(bid[row, side, atm_index], ask[row, side, atm_index])
        return np.where(atm_index >= 0, mid, np.nan)

    volatility = implied_volatility(side_mid(is_call), level, strike, time, is_call)
    other = side_mid(~is_call)
    retry = np.isnan(volatility) & (other - np.abs(level - strike) > SMALLEST_TIME_VALUE)
    if retry.any():
        volatility[retry] = implied_volatility(
            other[retry], level[retry], strike[retry], time[retry], ~is_call[retry]
        )
    call, put = volatility[:, Right.CALL], volatility[:, Right.PUT]
    return np.where(np.isnan(call), put, np.where(np.isnan(put), call, (call + put) / 2))


def chain_greeks(
    forward: Floats, strikes: Floats, bid: Floats, ask: Floats, years: Floats
) -> Greeks:
    """IV and Greeks of every contract, arrays [T, 2, K]; NaN where the strike has no solution.

    Args:
        forward: [T] dollars.
        strikes: [K] dollars.
        bid, ask: [T, 2, K] dollars, clean.
        years: [T] years to expiry.
    """
    level = forward[:, None]
    is_call = strikes >= level
    mids = quotes.mid(bid, ask)
    mid = np.where(is_call, mids[:, Right.CALL], mids[:, Right.PUT])
    one = volatility_and_greeks(mid, level, strikes, years[:, None], is_call)
    # Parity: the call's delta is the put's plus 1; from the small one neither loses digits.
    call = np.where(is_call, one.delta, one.delta + 1)
    put = np.where(is_call, one.delta - 1, one.delta)
    iv, gamma, theta, vega = (
        np.repeat(values[:, None], 2, axis=1) for values in (one.iv, one.gamma, one.theta, one.vega)
    )
    return Greeks(iv, np.stack((call, put), axis=1), gamma, theta, vega)


def _window(spot: Floats, strikes: Floats | Integers) -> tuple[Integers, Booleans]:
    """Indices [T, W] of the strike nearest to spot and its neighbours, and which really exist."""
    right = np.searchsorted(strikes, spot).clip(1, max(len(strikes) - 1, 1))
    left = right - 1
    upper = np.minimum(right, len(strikes) - 1)
    nearest = np.where(strikes[upper] - spot < spot - strikes[left], upper, left)
    window = nearest[:, None] + np.arange(-NEAR_THE_MONEY, NEAR_THE_MONEY + 1)
    inside = (window >= 0) & (window < len(strikes))
    return window.clip(0, len(strikes) - 1), inside


def _is_listed(bid: Floats, ask: Floats) -> Booleans:
    """[T, W] strikes of which a call or a put has a bid or an ask, from quotes [T, 2, W]."""
    return np.asarray((~np.isnan(bid) | ~np.isnan(ask)).any(axis=1))


def _listed_window(money: Floats, strikes: Floats, listed: Booleans) -> tuple[Integers, Booleans]:
    """As `_window`, as if the strikes that are not `listed` [T, K] did not exist."""
    distance = np.where(listed, np.abs(strikes - money[:, None]), np.inf)
    number = np.cumsum(listed, axis=1)
    nearest = np.take_along_axis(number, distance.argmin(axis=1)[:, None], axis=1)
    wanted = nearest + np.arange(-NEAR_THE_MONEY, NEAR_THE_MONEY + 1)
    inside = (wanted >= 1) & (wanted <= number[:, -1:])
    in_order = np.argsort(~listed, axis=1, kind="stable")
    place = (wanted - 1).clip(0, len(strikes) - 1)
    return np.take_along_axis(in_order, place, axis=1), inside


def _evenly_priced(strikes: Floats, bid: Floats, ask: Floats) -> Floats:
    """[T] strike whose call and put mids differ least: the money by the quotes alone."""
    mids = quotes.mid(bid, ask)
    difference = np.abs(mids[:, Right.CALL] - mids[:, Right.PUT])
    nearest = np.where(np.isnan(difference), np.inf, difference).argmin(axis=1)
    return np.asarray(strikes[nearest])


def _gather(values: Floats, window: Integers) -> Floats:
    """[T, 2, W] of `values` [T, 2, K] at the strikes of `window` [T, W]."""
    return np.take_along_axis(values, window[:, None], axis=2)


def _nearest(known: Booleans, distance: Floats) -> tuple[Integers, Floats]:
    """[T, 2] place of the smallest distance [T, W] among the known [T, 2, W], -1 for none."""
    reach = np.where(known & ~np.isnan(distance)[:, None], distance[:, None], np.inf)
    place = reach.argmin(axis=2)
    smallest = np.take_along_axis(reach, place[:, :, None], axis=2)[:, :, 0]
    return np.where(np.isinf(smallest), -1, place), smallest
