"""Figures agree with values worked out by hand, and admit it when they cannot be known."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports import statistics

DOLLARS = st.floats(-1e6, 1e6).map(lambda value: round(value, 2))


def floats(*values):
    return np.array(values, float)


def brute_force_drawdown(equity, start):
    """The largest fall from any earlier value to any later one."""
    values = [start, *equity]
    pairs = [(values[i], late) for i in range(len(values)) for late in values[i:]]
    return max(early - late for early, late in pairs)


@given(st.lists(DOLLARS, max_size=40), DOLLARS)
def test_drawdown_is_the_largest_fall_between_any_two_moments(equity, start):
    expected = brute_force_drawdown(equity, start)
    assert statistics.max_drawdown(np.array(equity), start) == pytest.approx(expected, abs=1e-9)


def test_drawdown_counts_a_loss_from_the_first_trade():
    assert statistics.drawdown(floats(90, 120, 105), 100).tolist() == [-10, 0, -15]
    assert statistics.max_drawdown(floats(90, 95), 100) == 10


def test_win_rate_counts_a_trade_that_broke_even_as_not_won():
    assert statistics.win_rate(floats(10, 0, -5, 3)) == 0.5
    assert math.isnan(statistics.win_rate(floats()))


def test_profit_factor_is_dollars_won_over_dollars_lost():
    assert statistics.profit_factor(floats(30, 10, -20, 0)) == 2
    assert statistics.profit_factor(floats(-20, 0)) == 0
    assert math.isnan(statistics.profit_factor(floats(5)))


def test_sharpe_by_hand():
    # mean 2, deviations -1, 0, 1: sd 1 with n - 1
    assert statistics.sharpe(floats(1, 2, 3)) == pytest.approx(2 * math.sqrt(252))
    assert statistics.t_statistic(floats(1, 2, 3)) == pytest.approx(2 * math.sqrt(3))


@pytest.mark.parametrize("daily", [floats(), floats(5), floats(0, 0, 0), floats(0.1, 0.1, 0.1)])
def test_without_variance_nothing_is_claimed(daily):
    assert math.isnan(statistics.sharpe(daily))
    assert math.isnan(statistics.t_statistic(daily))
    assert math.isnan(statistics.sessions_needed(daily))


def test_sessions_needed_by_hand():
    # mean 1, sd 2: (2 * 2 / 1)^2 = 16
    daily = floats(1 - math.sqrt(2), 1 + math.sqrt(2))
    assert statistics.spread_of(daily) == pytest.approx(2)
    assert statistics.sessions_needed(daily + 1e-9) == 16
    assert math.isnan(statistics.sessions_needed(floats(-1, 1)))


@given(st.lists(DOLLARS, min_size=3, max_size=30))
def test_that_many_sessions_of_the_same_kind_reach_t_of_two(daily):
    daily = np.array(daily)
    needed = statistics.sessions_needed(daily)
    if math.isnan(needed):
        return
    per_session = abs(daily.mean()) / statistics.spread_of(daily)
    assert per_session * math.sqrt(needed) >= 2 - 1e-6
    assert per_session * math.sqrt(needed - 1) < 2 + 1e-6


def test_exposure_is_the_time_held():
    entered, exited = np.array([0, 50]), np.array([10, 80])
    assert statistics.exposure(entered, exited, 160) == 0.25
    assert math.isnan(statistics.exposure(entered, exited, 0))


def test_mid_fills_earn_both_half_spreads_and_keep_prices_without_a_mid():
    side, size = np.array([-1, -1]), floats(100, 200)
    entry, exit_ = floats(2.40, 1.00), floats(1.10, 0.25)
    gross = statistics.pnl_at_mid(
        side, size, entry, exit_, floats(2.45, math.nan), floats(1.05, math.nan)
    )
    assert gross == pytest.approx([140, 150])


def test_a_tick_worse_costs_a_tick_a_fill_and_nothing_at_settlement():
    side, size = np.array([-1, 1, -1]), floats(100, 100, 300)
    entry, exit_ = floats(2.40, 2.00, 1.00), floats(1.10, 2.50, 0.00)
    settled = np.array([False, False, True])
    gross = statistics.pnl_a_tick_worse(side, size, entry, exit_, settled)
    assert gross == pytest.approx([130 - 2, 50 - 2, 300 - 3])


def test_a_price_never_falls_below_zero():
    gross = statistics.pnl_a_tick_worse(
        np.array([1]), floats(100), floats(0.05), floats(0.00), np.array([False])
    )
    assert gross == pytest.approx([-6])


def test_the_bootstrap_repeats_itself_and_follows_its_seed():
    daily = np.random.default_rng(3).normal(5, 50, 80)
    first = statistics.bootstrap(daily, 500)
    assert np.array_equal(first.means, statistics.bootstrap(daily, 500).means)
    assert not np.array_equal(first.means, statistics.bootstrap(daily, 500, seed=1).means)
    assert first.means.size == first.sharpes.size == 500


def test_the_bootstrap_of_independent_days_has_the_textbook_standard_error():
    daily = np.random.default_rng(4).normal(0, 100, 250)
    means = statistics.bootstrap(daily, 4000).means
    assert means.mean() == pytest.approx(daily.mean(), abs=0.5)
    assert means.std() == pytest.approx(daily.std() / math.sqrt(250), rel=0.25)


def test_the_bootstrap_keeps_runs_of_days_together():
    streaks = np.repeat([100.0, -100.0] * 10, 12)
    shuffled = np.random.default_rng(0).permutation(streaks)
    assert statistics.bootstrap(streaks).means.std() > (
        1.5 * statistics.bootstrap(shuffled).means.std()
    )


def test_an_interval_holds_the_level_asked_for():
    assert statistics.interval(np.arange(101.0), 0.90) == pytest.approx((5, 95))
    assert statistics.interval(floats(math.nan, 1, 1)) == (1, 1)
    assert all(map(math.isnan, statistics.interval(floats())))


def test_one_day_is_not_resampled():
    assert statistics.bootstrap(floats(5)).means.size == 0
