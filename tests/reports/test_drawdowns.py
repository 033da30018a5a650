"""The drawdown table lists the deepest falls once each, with where they began and ended."""

import factory
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports import statistics
from reports.drawdowns import HALF_A_CENT, drawdowns_of, worst_drawdowns
from reports.trade_tables import drawdowns

WHOLE = st.lists(st.integers(-500, 500).map(float), min_size=1, max_size=60)


def test_a_fall_by_hand():
    # start 100; peak 120 in row 1; lowest 90 in row 3; 120 again in row 5
    (fall,) = worst_drawdowns(np.array([110.0, 120, 100, 90, 110, 120, 130]), 100.0)
    assert (fall.depth, fall.peak) == (30, 120)
    assert (fall.first, fall.lowest, fall.recovered) == (2, 3, 5)


def test_a_fall_from_the_start_that_never_came_back():
    (fall,) = worst_drawdowns(np.array([95.0, 90, 99]), 100.0)
    assert (fall.depth, fall.peak, fall.first, fall.recovered) == (10, 100, 0, None)


def test_the_rounding_of_sums_is_no_fall():
    assert worst_drawdowns(np.array([100.0, 100 - 1e-9, 100.0]), 100.0) == []
    assert worst_drawdowns(np.empty(0), 100.0) == []


@given(WHOLE, st.integers(1, 6))
def test_the_first_is_the_largest_drawdown_and_none_overlap(steps, most):
    equity, start = 1_000 + np.cumsum(steps), 1_000.0
    falls = worst_drawdowns(equity, start, most)
    deepest = falls[0].depth if falls else 0.0
    assert deepest == pytest.approx(statistics.max_drawdown(equity, start), abs=HALF_A_CENT)
    assert [fall.depth for fall in falls] == sorted((fall.depth for fall in falls), reverse=True)
    covered = [
        row
        for fall in falls
        for row in range(fall.first, equity.size if fall.recovered is None else fall.recovered)
    ]
    assert len(covered) == len(set(covered))


@given(WHOLE)
def test_every_fall_stays_below_its_peak_until_it_is_back(steps):
    equity = 1_000 + np.cumsum(steps)
    for fall in worst_drawdowns(equity, 1_000.0, most=100):
        end = equity.size if fall.recovered is None else fall.recovered
        assert (equity[fall.first : end] < fall.peak).all()
        assert equity[fall.lowest] == pytest.approx(fall.peak - fall.depth)
        if fall.recovered is not None:
            assert equity[fall.recovered] >= fall.peak
        before = 1_000.0 if not fall.first else equity[fall.first - 1]
        assert before == pytest.approx(fall.peak)


def test_the_table_counts_sessions_with_both_ends():
    result = factory.result(12, 1.5, seed=3)
    found = drawdowns_of(result)
    table = drawdowns(result)
    assert 1 <= len(found) == len(table.rows) <= 5
    dates = [session.date for session in result.sessions]
    opens = np.array([session.open_ns for session in result.sessions])
    for one in found:
        end = result.equity.ts[-1] if one.recovered_ts is None else one.recovered_ts
        inside = (opens > one.first_ts) & (opens <= end)
        assert one.sessions == 1 + inside.sum() <= len(dates)
        assert (one.sessions_to_recover is None) is (one.recovered_ts is None)
    assert any("not yet" in row for row in table.rows) is any(
        one.recovered_ts is None for one in found
    )
