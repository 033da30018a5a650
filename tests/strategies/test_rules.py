"""Every trading rule at its bounds, and scalars against arrays."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from settings import RuleSettings
from strategies import rules
from strategies.rules import NEVER, REASONS, Refusal

RULES = RuleSettings()
BELOW = {bound: float(np.nextafter(bound, 0)) for bound in (0.3, 0.5, 0.6)}
NAN = np.nan


@pytest.mark.parametrize(
    ("risk", "band", "stop", "rich", "poor", "wait"),
    [
        (0.0, 0, 3.0, 3, 1, 120),
        (BELOW[0.3], 0, 3.0, 3, 1, 120),
        (0.3, 1, 4.0, 2, 1, 180),
        (BELOW[0.5], 1, 4.0, 2, 1, 180),
        (0.5, 1, 4.0, 2, 0, 180),
        (BELOW[0.6], 1, 4.0, 2, 0, 180),
        (0.6, 2, 5.0, 1, 0, 240),
        (1.0, 2, 5.0, 1, 0, 240),
    ],
)
def test_the_bands_of_risk_set_stop_quantity_and_wait(
    risk: float, band: int, stop: float, rich: int, poor: int, wait: int
) -> None:
    assert rules.band(risk, RULES) == band
    assert rules.stop_multiple(risk, RULES) == stop
    assert rules.quantity(risk, 100_000.0, 9, RULES) == rich
    assert rules.quantity(risk, 99_999.99, 9, RULES) == poor
    assert not rules.wait_is_over(50.0 + wait - 0.001, 50.0, NEVER, risk, RULES)
    assert rules.wait_is_over(50.0 + wait, 50.0, NEVER, risk, RULES)


@given(
    now=some.floats(0, 390),
    answered=some.floats(0, 390) | some.just(NEVER),
    skipped=some.floats(0, 390) | some.just(NEVER),
    risk=some.floats(0, 1),
)
def test_the_wait_that_is_left_ends_when_the_wait_is_over(
    now: float, answered: float, skipped: float, risk: float
) -> None:
    left = float(rules.wait_left(now, answered, skipped, risk, RULES))
    assert left >= 0.0
    assert rules.wait_is_over(now + left, answered, skipped, risk, RULES)
    if left > 1e-6:
        assert not rules.wait_is_over(now + left - 1e-6, answered, skipped, risk, RULES)


@pytest.mark.parametrize(("contracts", "expected"), [(1, 1), (2, 2), (3, 3), (10, 3)])
def test_never_more_than_the_contracts_of_the_desk(contracts: int, expected: int) -> None:
    assert rules.quantity(0.1, 1e6, contracts, RULES) == expected


@pytest.mark.parametrize(
    ("since", "until", "allowed"),
    [
        (29.999, 360.001, False),
        (30.0, 360.0, True),
        (200.0, 190.0, True),
        (360.0, 30.0, True),
        (360.001, 29.999, False),
        (180.0, 30.0, True),  # the end of a half day
        (30.0, 29.999, False),
    ],
)
def test_entries_are_allowed_inside_the_window_bounds_included(
    since: float, until: float, allowed: bool
) -> None:
    assert rules.in_entry_window(since, until, RULES) == allowed


@pytest.mark.parametrize(
    ("since", "answered", "skipped", "over"),
    [
        (30.0, NEVER, NEVER, True),
        (149.9, 30.0, NEVER, False),
        (150.0, 30.0, NEVER, True),
        (44.9, NEVER, 30.0, False),
        (45.0, NEVER, 30.0, True),
        (150.0, 30.0, 136.0, False),  # both waits count
        (285.71666666666664, 165.71666666666667, NEVER, True),  # two hours from an odd second
    ],
)
def test_the_waits_after_an_answer_and_after_a_skip(
    since: float, answered: float, skipped: float, over: bool
) -> None:
    assert rules.wait_is_over(since, answered, skipped, 0.1, RULES) == over


@given(
    second=some.integers(0, 330 * 60),
    wait=some.sampled_from([120, 180, 240]),
    odd=some.integers(0, 59_999_999_999),
)
def test_a_wait_is_over_to_the_nanosecond_whatever_the_second(
    second: int, wait: int, odd: int
) -> None:
    risk = {120: 0.1, 180: 0.4, 240: 0.7}[wait]
    start = second * 1_000_000_000 + odd
    minutes = [(start + later) / 60e9 for later in (wait * 60 * 10**9, wait * 60 * 10**9 - 1000)]
    assert rules.wait_is_over(minutes[0], start / 60e9, NEVER, risk, RULES)
    assert not rules.wait_is_over(minutes[1], start / 60e9, NEVER, risk, RULES)


@pytest.mark.parametrize(
    ("bid", "ask", "fair"),
    [
        (1.00, 1.05, True),
        (1.00, 1.06, True),  # six cents, and ten per cent of the mid is more
        (0.30, 0.35, True),
        (0.30, 0.36, False),
        (0.10, 0.15, True),  # five cents in floats is a little more
        (9.50, 10.50, True),
        (9.50, 10.51, False),
        (1.00, 1.00, True),
        (NAN, 1.00, False),
        (1.00, NAN, False),
    ],
)
def test_a_spread_is_fair_up_to_five_cents_or_a_tenth_of_the_mid(
    bid: float, ask: float, fair: bool
) -> None:
    assert rules.spread_is_fair(bid, ask, RULES) == fair


@pytest.mark.parametrize(
    ("bid", "ask", "quoted"),
    [(1, 1, True), (0, 1, False), (NAN, 1, False), (1, NAN, False), (2, 1, False)],
)
def test_a_sale_needs_a_bid_above_zero_and_an_ask(bid: float, ask: float, quoted: bool) -> None:
    assert rules.is_quoted(bid, ask) == quoted


@pytest.mark.parametrize(
    ("sign", "strike", "contracts", "spot", "premium", "rule", "dollars"),
    [
        (+1, 628.0, 1, 628.5, 2.0, "strike", 62_800.0),
        (-1, 628.0, 3, 628.5, 2.0, "strike", 188_400.0),
        (-1, 628.0, 1, 628.5, 2.4, "reg_t", (2.4 + 0.20 * 628.5 - 0.5) * 100),
        (-1, 600.0, 2, 700.0, 0.1, "reg_t", (0.1 + 0.10 * 600) * 200),  # the floor of a put
        (+1, 800.0, 1, 700.0, 0.1, "reg_t", (0.1 + 0.10 * 700) * 100),  # the floor of a call
        (+1, 690.0, 1, 700.0, 12.0, "reg_t", (12.0 + 0.20 * 700) * 100),  # in the money
    ],
)
def test_margin_by_rule(
    sign: int,
    strike: float,
    contracts: int,
    spot: float,
    premium: float,
    rule: str,
    dollars: float,
) -> None:
    assert rules.margin(sign, strike, contracts, spot, premium, rule) == pytest.approx(dollars)


@pytest.mark.parametrize(
    ("equity", "opening", "peak", "reached"),
    [
        (78_400.0, 80_000.0, 80_000.0, True),
        (78_400.01, 80_000.0, 80_000.0, False),
        (79_400.0, 80_000.0, 81_000.0, True),  # from the peak
        (78_400.0, 80_000.0, 79_000.0, True),  # from the opening
        (79_999.7 - 1599.7, 80_000.0, 80_000.0, True),  # floats
    ],
)
def test_the_daily_loss_counts_from_opening_and_peak(
    equity: float, opening: float, peak: float, reached: bool
) -> None:
    assert rules.daily_loss_reached(equity, opening, peak, 1_600.0) == reached


@pytest.mark.parametrize(
    ("mid", "intrinsic", "entry", "multiple", "hit"),
    [
        (0.30, 0.0, 0.10, 3.0, True),  # 3 * 0.1 is a little more than 0.3 in floats
        (0.295, 0.0, 0.10, 3.0, False),
        (NAN, 0.30, 0.10, 3.0, True),  # intrinsic alone where there is no mid
        (NAN, 0.29, 0.10, 3.0, False),
        (0.20, 0.31, 0.10, 3.0, True),  # the larger of both
        (7.35, 0.0, 2.45, 3.0, True),
        (7.345, 0.0, 2.45, 3.0, False),
        (9.80, 0.0, 2.45, 4.0, True),
        (12.25, 0.0, 2.45, 5.0, True),
    ],
)
def test_a_stop_is_hit_at_its_multiple(
    mid: float, intrinsic: float, entry: float, multiple: float, hit: bool
) -> None:
    assert rules.stop_is_hit(mid, intrinsic, entry, multiple) == hit


@pytest.mark.parametrize(
    ("ask", "target", "hit"),
    [
        (0.35, 0.5, True),
        (0.36, 0.5, False),
        (0.07, 0.9, True),  # 0.1 * 0.7 in floats
        (0.08, 0.9, False),
        (NAN, 0.5, False),
        (0.01, None, False),
    ],
)
def test_a_profit_target_is_hit_at_the_ask(ask: float, target: float | None, hit: bool) -> None:
    assert rules.profit_target_is_hit(ask, 0.70, target) == hit


# --- which rule is named -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("position", "working", "lost", "valid", "expected"),
    [
        (True, True, True, False, Refusal.POSITION),
        (False, True, True, False, Refusal.WORKING),
        (False, False, True, False, Refusal.DAILY_LOSS),
        (False, False, False, False, Refusal.FEATURES),
        (False, False, False, True, Refusal.NONE),
    ],
)
def test_the_desks_own_state_refuses_in_order(
    position: bool, working: bool, lost: bool, valid: bool, expected: Refusal
) -> None:
    assert rules.state_refusal(position, working, lost, valid) == expected
    arrays = [np.array([flag, flag]) for flag in (position, working, lost, valid)]
    np.testing.assert_array_equal(rules.state_refusal(*arrays), [expected, expected])


@pytest.mark.parametrize(
    ("since", "blocked", "bid", "ask", "expected"),
    [
        (29.0, True, NAN, NAN, Refusal.WINDOW),
        (31.0, True, NAN, NAN, Refusal.EVENT),
        (31.0, False, NAN, NAN, Refusal.QUOTE),
        (31.0, False, 0.0, 0.01, Refusal.QUOTE),
        (31.0, False, 1.0, 1.5, Refusal.SPREAD),
        (31.0, False, 1.0, 1.02, Refusal.NONE),
    ],
)
def test_the_market_refuses_in_order(
    since: float, blocked: bool, bid: float, ask: float, expected: Refusal
) -> None:
    assert rules.market_refusal(since, 300.0, blocked, bid, ask, RULES) == expected


@pytest.mark.parametrize(
    ("waited", "contracts", "required", "expected"),
    [
        (False, 0, 9e9, Refusal.WAIT),
        (True, 0, 9e9, Refusal.QUANTITY),
        (True, 1, 80_000.01, Refusal.CAPITAL),
        (True, 1, 80_000.0, Refusal.NONE),
    ],
)
def test_the_account_refuses_in_order(
    waited: bool, contracts: int, required: float, expected: Refusal
) -> None:
    assert rules.account_refusal(waited, contracts, required, 80_000.0) == expected


def test_state_goes_before_market_before_account() -> None:
    state, market, account = Refusal.POSITION, Refusal.EVENT, Refusal.WAIT
    assert rules.first_refusal(state, market, account) == state
    assert rules.first_refusal(0, market, account) == market
    assert rules.first_refusal(0, 0, account) == account
    assert rules.first_refusal(0, 0, 0) == Refusal.NONE


def test_every_refusal_has_its_words() -> None:
    assert set(REASONS) == set(Refusal)
    assert all(REASONS[code] for code in Refusal if code)


# --- scalars and arrays --------------------------------------------------------------------------

minutes = some.floats(0, 390)
risks = some.floats(0, 1) | some.sampled_from([0.3, 0.5, 0.6, *BELOW.values()])
prices = some.integers(0, 2000).map(lambda cents: cents / 100) | some.just(NAN)


@given(some.lists(some.tuples(minutes, risks, prices, prices), min_size=1, max_size=6))
def test_arrays_give_what_scalars_give(rows: list[tuple[float, float, float, float]]) -> None:
    since, risk, bid, ask = (np.array(column) for column in zip(*rows, strict=True))
    functions = {
        "band": lambda t, r, b, a: rules.band(r, RULES),
        "window": lambda t, r, b, a: rules.in_entry_window(t, 390 - t, RULES),
        "wait": lambda t, r, b, a: rules.wait_is_over(t, 60.0, 200.0, r, RULES),
        "small": lambda t, r, b, a: rules.quantity(r, 80_000.0, 2, RULES),
        "large": lambda t, r, b, a: rules.quantity(r, 300_000.0, 2, RULES),
        "stop multiple": lambda t, r, b, a: rules.stop_multiple(r, RULES),
        "quoted": lambda t, r, b, a: rules.is_quoted(b, a),
        "spread": lambda t, r, b, a: rules.spread_is_fair(b, a, RULES),
        "strike": lambda t, r, b, a: rules.margin(-1, 600.0, 1, t, b, "strike") + 0 * r,
        "reg_t": lambda t, r, b, a: rules.margin(1, 600.0, 1, t, b, "reg_t"),
        "loss": lambda t, r, b, a: rules.daily_loss_reached(t, 200.0, 210.0, 50.0),
        "market": lambda t, r, b, a: rules.market_refusal(t, 390 - t, False, b, a, RULES),
        "stop": lambda t, r, b, a: rules.stop_is_hit(b, a, 1.0, 3.0),
        "target": lambda t, r, b, a: rules.profit_target_is_hit(a, 1.0, 0.5),
    }
    for name, function in functions.items():
        whole = np.broadcast_to(function(since, risk, bid, ask), since.shape)
        single = [function(*row) for row in rows]
        np.testing.assert_array_equal(whole, single, name)
