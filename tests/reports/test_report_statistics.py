"""Figures agree with values worked out by hand, and admit it when they cannot be known."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports import statistics, trades

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
    gross = trades.pnl_at_mid(
        side, size, entry, exit_, floats(2.45, math.nan), floats(1.05, math.nan)
    )
    assert gross == pytest.approx([140, 150])


def test_a_tick_worse_costs_a_tick_a_fill_and_nothing_at_settlement():
    side, size = np.array([-1, 1, -1]), floats(100, 100, 300)
    entry, exit_ = floats(2.40, 2.00, 1.00), floats(1.10, 2.50, 0.00)
    settled = np.array([False, False, True])
    gross = trades.pnl_a_tick_worse(side, size, entry, exit_, settled)
    assert gross == pytest.approx([130 - 2, 50 - 2, 300 - 3])


def test_a_price_never_falls_below_zero():
    gross = trades.pnl_a_tick_worse(
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


def resampled_one_by_one(daily, resamples, seed):
    """The stationary bootstrap day by day, from the same draws: no sums of blocks."""
    random, days = np.random.default_rng(seed), np.arange(daily.size)
    opens = random.random((resamples, daily.size), np.float32) < (
        1 / statistics.mean_block(daily.size)
    )
    starts = random.integers(0, daily.size, (resamples, daily.size))
    samples, where = np.empty((resamples, daily.size)), 0
    for row in range(resamples):
        for day in days:
            is_first = day == 0 or opens[row, day]
            where = starts[row, day] if is_first else (where + 1) % daily.size
            samples[row, day] = daily[where]
    deviations = samples.std(axis=1, ddof=1)
    deviations[np.ptp(samples, axis=1) == 0] = np.nan
    return samples.mean(axis=1), samples.mean(axis=1) / deviations * math.sqrt(252)


@given(
    st.lists(st.sampled_from([0.0, 0.0, -412.1, 17.9, 17.9, 88.35, -1e6]), min_size=2, max_size=40),
    st.integers(0, 3),
)
def test_sums_of_blocks_are_the_means_and_sharpe_ratios_of_the_days_in_them(amounts, seed):
    daily = np.array(amounts)
    found = statistics.bootstrap(daily, 40, seed)
    means, sharpes = resampled_one_by_one(daily, 40, seed)
    assert found.means == pytest.approx(means, rel=1e-9, abs=1e-9 * np.abs(daily).max(initial=0))
    assert np.array_equal(np.isnan(found.sharpes), np.isnan(sharpes))
    assert found.sharpes == pytest.approx(sharpes, rel=1e-3, abs=1e-6, nan_ok=True)


def test_an_interval_that_ends_at_zero_ends_at_zero_exactly():
    daily = np.where(np.arange(40) % 13 == 0, 0.1, 0.0)
    means = statistics.bootstrap(daily).means
    assert means.min() == 0.0
    won_and_lost = statistics.bootstrap(np.tile([0.1, 0.2, -0.3], 5)).means
    assert not np.any((won_and_lost != 0) & (np.abs(won_and_lost) < 1e-9))


def test_resampled_figures_that_others_will_read_cannot_be_changed():
    means = statistics.bootstrap(np.random.default_rng(0).normal(size=30)).means
    with pytest.raises(ValueError, match="read-only"):
        means += 1
