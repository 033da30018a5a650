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

from feeds.contract import TICK
from feeds.sessions import NANOSECONDS_A_MINUTE
from settings import RuleSettings

Array = Any
"""A float, a bool or a numpy array of any shape."""

EPSILON = 1e-9
NEVER = -np.inf
"""Minutes of an event that has not happened in this session."""


class Refusal(IntEnum):
    """The first rule that refused an entry, in order of precedence.

    The last three are the live desk's: `HALTED` comes after the desk's own state and before the
    window; `AGE` and `DRIFT` are asked at the moment of a yes alone (`recheck_refusal`).
    """

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
    HALTED = 12
    AGE = 13
    DRIFT = 14


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
    Refusal.HALTED: "the desk is halted",
    Refusal.AGE: "the quote is too old",
    Refusal.DRIFT: "the price moved against us",
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


def wait_left(
    since_open: Array, answered: Array, skipped: Array, risk: Array, rules: RuleSettings
) -> Array:
    """Minutes until `wait_is_over`, 0 when it is; the arguments are the same."""
    required = np.asarray(rules.wait_minutes)[band(risk, rules)]
    long, short = answered + required, skipped + rules.wait_after_skip
    return np.maximum(np.maximum(long, short) - since_open, 0.0)


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


def adverse_drift(side: Array, bid: Array, ask: Array, then_bid: Array, then_ask: Array) -> Array:
    """Dollars a share that the price moved against us since then; below zero is in our favour.

    A sale (`side` -1) gets the bid, a purchase pays the ask.
    """
    return np.where(np.asarray(side) < 0, then_bid - bid, ask - then_ask)


def drift_is_fair(drift: Array, rules: RuleSettings) -> Array:
    """Whether a drift in dollars is at most `drift_ticks`."""
    return drift <= rules.drift_ticks * TICK + EPSILON


def recheck_refusal(
    halted: Array,
    lost: Array,
    since_open: Array,
    until_close: Array,
    blocked: Array,
    bid: Array,
    ask: Array,
    age_seconds: Array,
    drift: Array,
    required: Array,
    available: Array,
    r: RuleSettings,
) -> Array:
    """What still holds back an entry at the moment of a yes, with the freshest quote.

    Args:
        halted, lost: whether the desk is halted, and the latched daily loss.
        since_open, until_close: exact minutes now.
        blocked: whether a scheduled event blocks entries now.
        bid, ask: dollars a share now.
        age_seconds: live age of that quote.
        drift: `adverse_drift` since the suggestion, dollars a share.
        required, available: dollars of margin, and of capital for it.
        r: the rules.

    Returns `Refusal` codes: the desk's state first, then the market, the quote's age, the drift
    and the capital.
    """
    is_late = until_close <= (0.0 if r.hold_to_expiry else r.time_exit_minutes)
    code = np.where(required <= available + 1e-6, Refusal.NONE, Refusal.CAPITAL)
    code = np.where(drift_is_fair(drift, r), code, Refusal.DRIFT)
    market = market_refusal(since_open, until_close, blocked, bid, ask, r)
    fresh = np.where(age_seconds <= r.quote_age_seconds, Refusal.NONE, Refusal.AGE)
    code = np.where(fresh != 0, fresh, np.where(market == 0, code, market))
    timed = (market == Refusal.WINDOW) | (market == Refusal.EVENT)
    code = np.where(is_late, Refusal.WINDOW, np.where(timed, market, code))
    code = np.where(lost, Refusal.DAILY_LOSS, code)
    return np.where(halted, Refusal.HALTED, code)


def time_exit_ts(close_ns: int, rules: RuleSettings) -> int:
    """The instant of the time exit of a session that closes at `close_ns` (nanoseconds)."""
    return close_ns - round(rules.time_exit_minutes * NANOSECONDS_A_MINUTE)


def stop_is_hit(mid: Array, intrinsic: Array, entry_price: Array, multiple: Array) -> Array:
    """Whether a short's value, max(mid, intrinsic), reached multiple x average entry price.

    A mid that is NaN never does.
    """
    level = multiple * entry_price - EPSILON
    return (mid >= level) | (intrinsic >= level)


def stop_fault(price: float, present: float, value: float) -> str:
    """Why a short's stop cannot be drawn in to `price`; empty where it can.

    `present` is the stop in force, `value` what the option is worth now; dollars a share.
    """
    if not (price > 0 and np.isfinite(price)):
        return f"{price:g} is no price"
    if price >= present - EPSILON:
        return f"the stop is at ${present:.2f} already: it can only come nearer"
    if value >= price - EPSILON:
        return f"the option is worth ${value:.2f} now: a stop at ${price:.2f} is hit already"
    return ""


def profit_target_is_hit(ask: Array, entry_price: Array, target: float | None) -> Array:
    """Whether a short can be bought back at (1 - target) x entry or less; never when off."""
    if target is None:
        return np.zeros(np.shape(ask), bool)
    return ask <= (1.0 - target) * entry_price + EPSILON
