"""Luck is counted: the published figures, and what must hold for any of them."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from reports import statistics

DAILY = some.lists(some.floats(-500, 500).map(lambda x: round(x, 2)), min_size=5, max_size=60)


def of_moments(ratio, skewness, kurtosis, days):
    """The probabilistic Sharpe ratio by its formula, from moments."""
    error = math.sqrt((1 - skewness * ratio + (kurtosis - 1) / 4 * ratio**2) / (days - 1))
    return 0.5 * (1 + math.erf(ratio / error / math.sqrt(2)))


def test_the_probabilistic_ratio_is_the_published_formula():
    daily = np.random.default_rng(0).normal(0.1, 1, 400) ** 3
    deviations = (daily - daily.mean()) / daily.std()
    ratio = daily.mean() / daily.std(ddof=1)
    expected = of_moments(ratio, np.mean(deviations**3), np.mean(deviations**4), 400)
    assert statistics.probabilistic_sharpe(daily) == pytest.approx(expected)


def test_the_published_example_of_the_deflated_ratio():
    """Bailey and Lopez de Prado (2014), the numerical example: 100 trials, variance 1/2 a year,
    1,250 days of 250 a year: the best by luck is 0.1132 a day."""
    assert statistics.expected_best_sharpe(100, 0.5 / 250) == pytest.approx(0.1132, abs=5e-5)


def test_the_best_of_worthless_trials_is_what_is_expected():
    best = np.random.default_rng(1).normal(0, 0.05, (20_000, 24)).max(axis=1).mean()
    assert statistics.expected_best_sharpe(24, 0.05**2) == pytest.approx(best, rel=0.03)
    assert statistics.expected_best_sharpe(1, 0.05**2) == 0


def test_rarer_and_larger_losses_make_a_ratio_less_sure():
    steady = np.tile([1.0, -0.8], 100)
    tailed = np.tile([*[0.4222] * 19, -6.0221], 10)
    tailed += steady.mean() / steady.std(ddof=1) * tailed.std(ddof=1) - tailed.mean()
    assert statistics.sharpe(steady) == pytest.approx(statistics.sharpe(tailed))
    assert statistics.probabilistic_sharpe(tailed) < statistics.probabilistic_sharpe(steady) - 0.01


@given(DAILY, some.integers(2, 500))
def test_more_trials_never_make_a_result_surer(daily, trials):
    daily = np.array(daily)
    one, many, more = (statistics.deflated_sharpe(daily, n) for n in (1, trials, trials + 50))
    if math.isnan(statistics.sharpe(daily)):
        assert math.isnan(one)
        return
    assert one == pytest.approx(statistics.probabilistic_sharpe(daily))
    assert 0 <= more <= many <= one <= 1


def test_an_unknown_variance_is_that_of_a_worthless_trial():
    daily = np.random.default_rng(2).normal(3, 20, 101)
    assert statistics.deflated_sharpe(daily, 7) == statistics.deflated_sharpe(daily, 7, 1 / 100)


@pytest.mark.parametrize("daily", [[], [4.0], [3.0, 3.0, 3.0]])
def test_what_does_not_vary_has_no_ratio(daily):
    assert math.isnan(statistics.probabilistic_sharpe(np.array(daily)))
    assert math.isnan(statistics.deflated_sharpe(np.array(daily), 10))


def test_the_shortfall_is_the_mean_of_the_worst_hundredth():
    daily = np.arange(300.0)
    assert statistics.expected_shortfall(daily) == 1.0  # of 0, 1, 2
    assert statistics.expected_shortfall(np.array([5.0, -3.0])) == -3.0
    assert math.isnan(statistics.expected_shortfall(np.array([])))


def test_pairs_take_out_what_both_owe_to_the_day():
    market = np.random.default_rng(3).normal(0, 400, 120)
    ours = market + np.random.default_rng(4).normal(5, 4, 120)
    alone = statistics.paired_difference(ours, np.zeros(120)).interval
    paired = statistics.paired_difference(ours, market)
    assert alone.low < 0 < alone.high
    assert 3.5 < paired.interval.low < paired.mean < paired.interval.high < 6.5


def test_a_difference_that_never_varies_is_exact():
    assert statistics.paired_difference(np.full(9, 4.0), np.full(9, 3.0)) == (1.0, (1.0, 1.0))
    assert math.isnan(statistics.paired_difference(np.empty(0), np.empty(0)).mean)


@given(DAILY)
def test_a_pair_turned_round_is_the_negative(daily):
    ours, theirs = np.array(daily), np.zeros(len(daily))
    one = statistics.paired_difference(ours, theirs)
    other = statistics.paired_difference(theirs, ours)
    assert other.mean == pytest.approx(-one.mean)
    assert other.interval.low == pytest.approx(-one.interval.high, abs=1e-9)
