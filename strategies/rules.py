"""The trading rules, each one pure function on arrays of any shape.

Environment, backtest and live call the same ones. `Refusal` names the first rule that says no.
Opening rules never hold back an exit. What runs at every bar is plain arithmetic and comparisons,
so that plain numbers stay plain and fast; a comparison with NaN is False, which is a refusal.
Comparisons of money allow for the last bit of a float (`EPSILON`), so that 0.30 is three times
0.10 as it is on paper.
"""

from enum import IntEnum
from typing import Any

import numpy as np

from feeds.sessions import NANOSECONDS_A_MINUTE
from settings import RuleSettings

Array = Any
"""A float, a bool or a numpy array of any shape."""

EPSILON = 1e-9
NEVER = -np.inf
"""Minutes of an event that has not happened in this session."""


class Refusal(IntEnum):
    """The first rule that refused an entry, in order of precedence."""

    NONE = 0
    POSITION = 1
    WORKING = 2
    DAILY_LOSS = 3
    FEATURES = 4
    WINDOW = 5
    EVENT = 6
    QUOTE = 7
    SPREAD = 8
    WAIT = 9
    QUANTITY = 10
    CAPITAL = 11


REASONS = {
    Refusal.NONE: "",
    Refusal.POSITION: "a position is open",
    Refusal.WORKING: "an order is working",
    Refusal.DAILY_LOSS: "the daily loss limit was reached",
    Refusal.FEATURES: "a feature is missing or out of bounds",
    Refusal.WINDOW: "outside the entry window",
    Refusal.EVENT: "a scheduled event is near",
    Refusal.QUOTE: "no tradable quote",
    Refusal.SPREAD: "the spread is too wide",
    Refusal.WAIT: "the wait since the last suggestion is not over",
    Refusal.QUANTITY: "the risk score allows no contract",
    Refusal.CAPITAL: "the capital does not cover it",
}


def band(risk: Array, rules: RuleSettings) -> Array:
    """Risk band 0, 1 or 2: below the low bound, below the high one, above."""
    return (risk >= rules.band_low) * 1 + (risk >= rules.band_high) * 1


def in_entry_window(since_open: Array, until_close: Array, rules: RuleSettings) -> Array:
    """Whether entries are allowed at this time; both bounds inclusive, on exact minutes."""
    return (since_open >= rules.entry_after_open) & (until_close >= rules.entry_before_close)


def wait_is_over(
    since_open: Array, answered: Array, skipped: Array, risk: Array, rules: RuleSettings
) -> Array:
    """Whether the waits since the last suggestions have passed.

    Args:
        since_open: minutes of the new decision.
        answered: minutes of the last entry suggestion answered y or n, `NEVER` if none.
        skipped: minutes of the last one skipped or timed out, `NEVER` if none.
        risk: score at the new decision, whose band sets the wait.
        rules: the waits.
    """
    required = np.asarray(rules.wait_minutes)[band(risk, rules)]
    long_over = since_open - answered >= required - EPSILON
    return long_over & (since_open - skipped >= rules.wait_after_skip - EPSILON)


def quantity(risk: Array, capital: float, contracts: int, rules: RuleSettings) -> Array:
    """Contracts an entry may have at this risk score, never more than `contracts`."""
    if capital < rules.small_capital:
        allowed = np.where(risk < rules.small_capital_risk, 1, 0)
    else:
        allowed = np.asarray(rules.quantities)[band(risk, rules)]
    return np.minimum(allowed, contracts)


def stop_multiple(risk: Array, rules: RuleSettings) -> Array:
    """Multiple of the entry price at which the stop buys back, fixed at the entry decision."""
    return np.asarray(rules.stop_multiples)[band(risk, rules)]


def is_quoted(bid: Array, ask: Array) -> Array:
    """Whether an option can be sold and its spread judged: a bid above zero and an ask."""
    return (bid > 0) & (ask >= bid)


def spread_is_fair(bid: Array, ask: Array, rules: RuleSettings) -> Array:
    """Whether ask - bid <= max(5 cents, 10 % of the mid), by the settings' figures."""
    fair = np.maximum(rules.spread_cents / 100, rules.spread_fraction * (bid + ask) / 2)
    return ask - bid <= fair + EPSILON


def margin(
    right_sign: Array, strike: Array, contracts: Array, spot: Array, premium: Array, rule: str
) -> Array:
    """Dollars that a short of `contracts` binds.

    `strike` is full cash cover (strike x 100) for both rights; `reg_t` is the exchange minimum
    for a naked short: premium + max(20 % of spot less out-of-the-money amount, 10 % of spot for
    a call or of the strike for a put).
    """
    if rule == "strike":
        return strike * 100.0 * contracts
    out_of_the_money = np.maximum(right_sign * (strike - spot), 0.0)
    basis: Array = np.where(right_sign > 0, spot, strike)
    share = np.maximum(0.20 * spot - out_of_the_money, 0.10 * basis)
    return (premium + share) * 100.0 * contracts


def daily_loss_reached(equity: Array, opening: Array, peak: Array, limit: float) -> Array:
    """Whether equity lies `limit` dollars or more below the day's opening or below its peak."""
    return (opening - equity >= limit - EPSILON) | (peak - equity >= limit - EPSILON)


def state_refusal(position: Array, working: Array, lost: Array, valid: Array) -> Array:
    """The desk's own state: an open position, a working order, the daily loss, the features.

    `lost` is the latched daily loss, `valid` whether the features are. Returns `Refusal` codes.
    """
    features = (1 - valid * 1) * int(Refusal.FEATURES)
    loss = lost * int(Refusal.DAILY_LOSS) + (1 - lost * 1) * features
    order = working * int(Refusal.WORKING) + (1 - working * 1) * loss
    return position * int(Refusal.POSITION) + (1 - position * 1) * order


def market_refusal(
    since_open: Array, until_close: Array, blocked: Array, bid: Array, ask: Array, r: RuleSettings
) -> Array:
    """What the market alone decides: the window, events, the quote and its spread."""
    code = np.where(spread_is_fair(bid, ask, r), Refusal.NONE, Refusal.SPREAD)
    code = np.where(is_quoted(bid, ask), code, Refusal.QUOTE)
    code = np.where(blocked, Refusal.EVENT, code)
    return np.where(in_entry_window(since_open, until_close, r), code, Refusal.WINDOW)


def account_refusal(waited: Array, contracts: Array, required: Array, available: Array) -> Array:
    """What the account decides: the wait, the quantity and the capital (dollars)."""
    code = np.where(required <= available + 1e-6, Refusal.NONE, Refusal.CAPITAL)
    code = np.where(contracts >= 1, code, Refusal.QUANTITY)
    return np.where(waited, code, Refusal.WAIT)


def first_refusal(state: Array, market: Array, account: Array) -> Array:
    """The refusal that counts, by precedence: state, then market, then account."""
    return np.where(state != 0, state, np.where(market != 0, market, account))


def time_exit_ts(close_ns: int, rules: RuleSettings) -> int:
    """The instant of the time exit of a session that closes at `close_ns` (nanoseconds)."""
    return close_ns - round(rules.time_exit_minutes * NANOSECONDS_A_MINUTE)


def stop_is_hit(mid: Array, intrinsic: Array, entry_price: Array, multiple: Array) -> Array:
    """Whether a short's value, max(mid, intrinsic), reached multiple x average entry price.

    A mid that is NaN never does.
    """
    level = multiple * entry_price - EPSILON
    return (mid >= level) | (intrinsic >= level)


def profit_target_is_hit(ask: Array, entry_price: Array, target: float | None) -> Array:
    """Whether a short can be bought back at (1 - target) x entry or less; never when off."""
    if target is None:
        return np.zeros(np.shape(ask), bool)
    return ask <= (1.0 - target) * entry_price + EPSILON
