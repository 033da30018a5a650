"""`metrics.json` holds what a reader would compute by hand from the trades and the equity."""

import json
from dataclasses import replace
from datetime import date

import factory
import numpy as np
import pytest

from feeds.contract import Contract, Right
from feeds.sessions import NANOSECONDS_A_MINUTE, session_on
from feeds.source import SkippedSession
from reports.metrics import compute_metrics
from reports.result import (
    BacktestResult,
    BaselineResult,
    DecisionTable,
    EquityTable,
    SessionFacts,
)
from reports.trades import days_like_clock
from vocabulary import ExitReason, RoundTrip

DAYS = [date(2026, 8, 3), date(2026, 8, 4), date(2026, 8, 5)]


def at(day, minutes):
    return session_on(day).open_ns + int(minutes * NANOSECONDS_A_MINUTE)


def facts(day, spacing=60.0):
    session = session_on(day)
    return SessionFacts(
        date=day,
        open_ns=session.open_ns,
        close_ns=session.close_ns,
        snapshots=391,
        spot_open=600.0,
        spot_high=606.0,
        spot_low=597.0,
        spot_close=601.0,
        official_close=601.0,
        source="import",
        spacing_seconds=spacing,
    )


def trade(day, entry, exit_, reason=ExitReason.TIME_EXIT, right=Right.PUT, minutes=31.0, **more):
    settled = reason is ExitReason.SETTLEMENT
    values = {
        "contract": Contract("SPY", day, 600_000, right),
        "side": -1,
        "quantity": 1,
        "decided_ts": at(day, minutes - 1),
        "entered_ts": at(day, minutes),
        "entry_price": entry,
        "entry_underlying": 600.0,
        "exit_decided_ts": None if settled else at(day, minutes + 38),
        "exited_ts": session_on(day).close_ns if settled else at(day, minutes + 39),
        "exit_price": exit_,
        "exit_underlying": 601.0,
        "exit_reason": reason,
        "fees": 1.05 if settled else 2.10,
        "gross_pnl": 100 * (entry - exit_),
        "model": "hand",
        "mid_entry": entry + 0.05,
        "mid_exit": float("nan") if settled else exit_ - 0.05,
        "risk_score": 0.2,
        "stop_multiple": 3.0,
    }
    return RoundTrip(**(values | more))


def decisions(reasons=("",), reason=(0,), allowed=(True,), action=(0,)):
    rows = len(reason)
    return DecisionTable(
        ts=np.arange(rows, dtype=np.int64) + at(DAYS[0], 0),
        features=np.zeros((rows, 8), np.float32),
        action=np.array(action, np.int8),
        probabilities=np.zeros((rows, 3), np.float32),
        allowed=np.array(allowed),
        reason=np.array(reason, np.int16),
        reasons=reasons,
    )


def run(trades, equity=(80_000.0,), **more):
    values = {
        "model": "hand",
        "data_label": "import",
        "starting_cash": 80_000.0,
        "sessions": [facts(day) for day in DAYS],
        "skipped": [SkippedSession(date(2026, 8, 6), "no official close", 1.8)],
        "trades": trades,
        "decisions": decisions(),
        "equity": EquityTable(
            np.arange(len(equity), dtype=np.int64) + at(DAYS[0], 0),
            np.array(equity, float),
            np.zeros(len(equity)),
        ),
    }
    return BacktestResult(**(values | more))


TWO = [
    trade(DAYS[0], 2.40, 1.40),
    trade(DAYS[2], 1.00, 1.50, ExitReason.SETTLEMENT, exit_was_working=True),
]


def test_the_figures_of_two_trades_by_hand():
    figures = compute_metrics(run(TWO, equity=(80_000, 80_120, 79_990, 80_047)))
    assert figures["sessions"] == 3
    assert figures["sessions_skipped"] == 1
    assert figures["sessions_traded"] == 2
    assert figures["trades"] == 2
    assert figures["net_pnl"] == pytest.approx(100 - 2.10 - 50 - 1.05)
    assert figures["fees"] == pytest.approx(3.15)
    assert figures["win_rate"] == 0.5
    assert figures["profit_factor"] == pytest.approx(97.90 / 51.05, abs=1e-6)
    assert figures["max_drawdown"] == 130
    assert figures["exposure"] == pytest.approx((39 + 359) / (3 * 390), abs=1e-6)
    assert figures["resolution_seconds"] == 60
    assert figures["unfilled_exits"] == 1


def test_idle_sessions_count_in_mean_and_sharpe():
    daily = np.array([97.90, 0.0, -51.05])
    figures = compute_metrics(run(TWO))
    assert figures["daily_mean"] == pytest.approx(daily.mean(), abs=1e-6)
    expected = daily.mean() / daily.std(ddof=1) * np.sqrt(252)
    assert figures["daily_sharpe"] == pytest.approx(expected, abs=1e-6)


def test_the_ladder_brackets_what_was_earned():
    figures = compute_metrics(run(TWO))
    # mid: half spreads of 5 cents at entry, exit, entry; a tick worse: at the same three fills
    assert figures["pnl_at_mid"] == pytest.approx(figures["net_pnl"] + 15)
    assert figures["pnl_at_natural_plus_tick"] == pytest.approx(figures["net_pnl"] - 3)


def test_every_exit_reason_is_counted_also_those_that_never_happened():
    exits = compute_metrics(run(TWO))["exits"]
    assert set(exits) == {reason.value for reason in ExitReason}
    assert exits["time_exit"] == exits["settlement"] == 1
    assert sum(exits.values()) == 2


def test_baselines_are_measured_on_the_same_sessions_and_against_the_run():
    clock = BaselineResult([trade(day, 2.0, 1.5, model="sell_put@10:00") for day in DAYS])
    idle = BaselineResult([])
    figures = compute_metrics(run(TWO, baselines={"hold": idle, "sell_put@10:00": clock}))
    sold, hold = figures["baselines"]["sell_put@10:00"], figures["baselines"]["hold"]
    assert sold["trades"] == 3
    assert sold["net_pnl"] == pytest.approx(3 * 47.90)
    assert sold["max_drawdown_by_day"] == 0
    assert sold["model_less_baseline"] == pytest.approx(figures["daily_mean"] - 47.90, abs=1e-6)
    assert hold["net_pnl"] == 0
    assert hold["win_rate"] is None
    assert hold["model_less_baseline"] == figures["daily_mean"]
    assert hold["model_less_baseline_interval"] == figures["daily_mean_interval"]


def test_like_a_clock_means_the_same_right_within_five_minutes():
    clock = [trade(day, 2.0, 1.5, minutes=31) for day in DAYS]
    same = trade(DAYS[0], 2.0, 1.5, minutes=36)
    late = trade(DAYS[1], 2.0, 1.5, minutes=36.01)
    other_right = trade(DAYS[2], 2.0, 1.5, right=Right.CALL)
    assert days_like_clock([same, late, other_right], clock) == {DAYS[0]}
    baselines = {"sell_put@10:00": BaselineResult(clock), "random": BaselineResult([late])}
    figures = compute_metrics(run([same, late], baselines=baselines))
    assert figures["clock_days"] == {"sell_put@10:00": 1, "any": 1}
    assert compute_metrics(run(TWO))["clock_days"] is None


def test_refusals_are_counted_on_decision_slots_and_the_capital_rule_is_told_apart():
    table = decisions(
        reasons=("", "the spread is too wide", "the capital does not cover it"),
        reason=(0, 1, 2, 2, 2),
        allowed=(True, False, False, False, False),
        action=(1, 1, 2, 2, -1),
    )
    figures = compute_metrics(run([], decisions=table))
    assert figures["refusals"] == {
        "the capital does not cover it": 2,
        "the spread is too wide": 1,
    }
    assert figures["capital_refusals"] == 2


def test_stops_are_approximate_above_ninety_seconds_only():
    def approximate(spacing):
        sessions = [facts(day, spacing) for day in DAYS]
        return compute_metrics(run([], sessions=sessions))["stops_approximate"]

    assert [approximate(90.0), approximate(90.1)] == [False, True]


@pytest.mark.parametrize(
    "result",
    [
        run([]),
        run([], sessions=[]),
        run(TWO[:1], sessions=[facts(DAYS[0])]),
        run([trade(day, 2.0, 1.5) for day in DAYS], baselines={"hold": BaselineResult([])}),
        factory.result(12, 2, seed=5),
    ],
    ids=["no trades", "no sessions", "one session", "zero variance", "a fortnight"],
)
def test_json_never_holds_nan_or_infinity(result):
    figures = compute_metrics(result)
    assert json.loads(json.dumps(figures, allow_nan=False)) == figures


def test_a_sharpe_ratio_of_few_sessions_has_no_interval():
    few, enough = factory.result(9), factory.result(10)
    assert compute_metrics(few)["daily_sharpe_interval"] is None
    low, high = compute_metrics(enough)["daily_sharpe_interval"]
    assert low < high


def test_simulated_is_told_by_the_label_or_by_any_session():
    assert compute_metrics(run([], data_label="Simulated market, seed 0"))["simulated"]
    mixed = [facts(DAYS[0]), replace(facts(DAYS[1]), source="simulated v1")]
    assert compute_metrics(run([], sessions=mixed))["simulated"]
    assert not compute_metrics(run([]))["simulated"]
