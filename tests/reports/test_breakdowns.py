"""Groups of trades lose no dollar, and a calendar loses no session."""

from dataclasses import replace

import factory
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports import breakdowns
from reports.charts.calendar import months_of, short
from reports.charts.worst_days import worst_sessions
from reports.statistics import difference_of_means, wilson
from reports.trades import daily_pnl
from vocabulary import ExitReason


@pytest.fixture(scope="module")
def result():
    return factory.result(40, 1.6, seed=6)


@pytest.mark.parametrize(
    "grouped", [breakdowns.by_exit, breakdowns.by_right, breakdowns.by_entry_iv]
)
def test_every_trade_is_in_exactly_one_group(result, grouped):
    groups = grouped(result)
    assert len({group.name for group in groups}) == len(groups) > 1
    every = np.sort(np.concatenate([group.pnl for group in groups]))
    assert every == pytest.approx(np.sort([trade.net_pnl for trade in result.trades]))


def test_a_group_is_what_its_name_says(result):
    stopped = [t.net_pnl for t in result.trades if t.exit_reason is ExitReason.STOP_LOSS]
    group = next(one for one in breakdowns.by_exit(result) if one.name == "stop loss")
    assert group.pnl.tolist() == stopped
    assert group.mean == pytest.approx(np.mean(stopped))


def test_nine_trades_have_no_interval_and_ten_have_one():
    pnl = np.arange(10.0)
    assert np.isnan(breakdowns.TradeGroup("", pnl[:9]).interval.low)
    low, high = breakdowns.TradeGroup("", pnl).interval
    assert low < 4.5 < high


def test_volatility_is_that_of_the_decision_and_never_of_another_day(result):
    iv = breakdowns.entry_iv(result)
    table = result.decisions
    for trade, value in zip(result.trades, iv, strict=True):
        assert value == table.atm_iv[np.flatnonzero(table.ts == trade.decided_ts)[0]]
    first = result.trades[0]
    early = replace(first, decided_ts=result.sessions[0].open_ns - 1)
    assert np.isnan(breakdowns.entry_iv(replace(result, trades=[early]))[0])
    assert [g.name for g in breakdowns.by_entry_iv(replace(result, trades=[early]))] in (
        [],
        ["unknown"],
    )


@given(st.lists(st.floats(0.05, 0.6), min_size=50, max_size=200, unique=True))
def test_bands_of_volatility_hold_equally_many(values):
    iv = np.array(values)
    edges = breakdowns.iv_edges(iv)
    assert edges.size == 6
    amounts = np.histogram(iv, edges)[0]
    assert amounts.sum() == iv.size
    assert np.ptp(amounts) <= 2


def test_the_calendar_has_every_session_once_and_every_month(result):
    months = months_of(result)
    daily = daily_pnl(result.trades, result.sessions)
    assert np.isfinite(months.grid).sum() == len(result.sessions)
    assert months.sums.sum() == pytest.approx(daily.sum())
    for session, pnl in zip(result.sessions, daily, strict=True):
        row = list(months.months).index((session.date.year, session.date.month - 1))
        assert months.grid[row, session.date.day - 1] == pytest.approx(pnl)


def test_a_month_without_a_session_keeps_its_row(result):
    gap = [result.sessions[0], result.sessions[-1]]
    months = months_of(replace(result, sessions=gap, trades=[]))
    first, last = gap[0].date, gap[1].date
    assert len(months.months) == 12 * (last.year - first.year) + last.month - first.month + 1


def test_amounts_in_the_calendar_are_short():
    minus = "\N{MINUS SIGN}"
    told = [short(value) for value in (0.2, -0.2, 87, -412, 999.6, -1_340, 12_345)]
    assert told == ["0", "0", "87", f"{minus}412", "1.0k", f"{minus}1.3k", "12k"]


def test_the_worst_days_lost_and_come_worst_first(result):
    worst = worst_sessions(result)
    amounts = [pnl for _, pnl in worst]
    assert amounts == sorted(amounts)
    assert all(pnl < 0 for pnl in amounts)
    assert amounts[0] == daily_pnl(result.trades, result.sessions).min()
    assert worst_sessions(replace(result, trades=[])) == []


def test_wilson_by_the_book():
    # 10 of 10 at 95 %: z^2 = 3.8415, low = 1 / (1 + z^2 / 10)
    assert wilson(10, 10) == pytest.approx((1 / 1.38415, 1.0), abs=1e-4)
    assert wilson(0, 10) == pytest.approx((0.0, 1 - 1 / 1.38415), abs=1e-4)
    assert np.isnan(wilson(0, 0).low)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_a_share_lies_in_its_interval_and_the_interval_between_none_and_all(pair):
    part, whole = pair
    low, high = wilson(part, whole)
    assert 0 <= low <= part / whole + 1e-12
    assert part / whole - 1e-12 <= high <= 1


def test_a_difference_of_means_holds_the_true_one_and_needs_two_figures():
    random = np.random.default_rng(0)
    low, high = difference_of_means(random.normal(30, 20, 300), random.normal(10, 20, 200))
    assert 10 < low < 20 < high < 30
    assert np.isnan(difference_of_means(np.ones(1), np.ones(5)).low)
