"""`metrics.json`: every figure of a run, computed once, when the run is written.

The report and `run.py report` read these figures; they never compute their own.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from reports import statistics
from reports.result import BacktestResult, BaselineResult, Floats
from reports.statistics import Interval
from reports.trades import (
    TradeArrays,
    daily_pnl,
    days_like_clock,
    session_of,
    trade_arrays,
)
from vocabulary import ExitReason

Metrics = dict[str, Any]

MOMENTS_A_READER_MISSES = 90.0
"""Median seconds between snapshots above which stops are called approximate."""


def compute_metrics(result: BacktestResult) -> Metrics:
    """All figures of `result`, ready for JSON: unknown ones are None, never NaN.

    Money is dollars, `exposure` and `win_rate` fractions, intervals [low, high] at 95 % by the
    stationary bootstrap that `bootstrap` describes.
    """
    columns = trade_arrays(result.trades)
    daily = daily_pnl(result.trades, result.sessions)
    figures = {
        "model": result.model,
        "model_sha256": result.model_sha256 or None,
        "data": result.data_label,
        "underlying": result.underlying,
        "simulated": result.is_simulated,
        "starting_cash": result.starting_cash,
        **_session_figures(result),
        **_trade_figures(columns),
        **_daily_figures(result, daily),
        "exposure": _exposure(result, columns),
        "exits": _exits(result),
        "unfilled_exits": sum(trade.exit_was_working for trade in result.trades),
        "refusals": _refusals(result),
        "capital_refusals": _capital_refusals(result),
        "clock_days": _clock_days(result),
        "bootstrap": _bootstrap_settings(len(result.sessions)),
        "baselines": {
            name: _baseline_figures(result, baseline, daily)
            for name, baseline in result.baselines.items()
        },
        "notes": list(result.notes),
    }
    return {name: _plain(value) for name, value in figures.items()}


def _session_figures(result: BacktestResult) -> Metrics:
    spacings = [session.spacing_seconds for session in result.sessions]
    resolution = float(np.median(spacings)) if spacings else np.nan
    return {
        "sessions": len(result.sessions),
        "sessions_skipped": len(result.skipped),
        "sessions_traded": len({session_of(trade) for trade in result.trades}),
        "sessions_in_sample": len(result.in_sample),
        "bars": int(result.decisions.ts.size),
        "resolution_seconds": resolution,
        "stops_approximate": resolution > MOMENTS_A_READER_MISSES,
    }


def _trade_figures(columns: TradeArrays) -> Metrics:
    return {
        "trades": int(columns.net_pnl.size),
        "net_pnl": columns.net_pnl.sum(),
        "fees": columns.fees.sum(),
        "pnl_at_mid": columns.net_at_mid.sum(),
        "pnl_at_natural_plus_tick": columns.net_a_tick_worse.sum(),
        "win_rate": statistics.win_rate(columns.net_pnl),
        "profit_factor": statistics.profit_factor(columns.net_pnl),
    }


def _daily_figures(result: BacktestResult, daily: Floats) -> Metrics:
    samples = statistics.bootstrap(daily)
    sharpes = samples.sharpes if daily.size >= statistics.FEWEST_SESSIONS else np.empty(0)
    return {
        "max_drawdown": statistics.max_drawdown(result.equity.equity, result.starting_cash),
        "max_drawdown_by_day": statistics.max_drawdown(daily.cumsum(), 0.0),
        "daily_mean": daily.mean() if daily.size else np.nan,
        "daily_sd": statistics.spread_of(daily),
        "daily_mean_interval": statistics.interval(samples.means),
        "daily_sharpe": statistics.sharpe(daily),
        "daily_sharpe_interval": statistics.interval(sharpes),
        "t_statistic": statistics.t_statistic(daily),
        "sessions_needed": statistics.sessions_needed(daily),
    }


def _exposure(result: BacktestResult, columns: TradeArrays) -> float:
    open_time = sum(session.close_ns - session.open_ns for session in result.sessions)
    return statistics.exposure(columns.entered_ts, columns.exited_ts, open_time)


def _exits(result: BacktestResult) -> Mapping[str, int]:
    counts = Counter(trade.exit_reason for trade in result.trades)
    return {reason.value: counts[reason] for reason in ExitReason}


def _refusals(result: BacktestResult) -> Mapping[str, int]:
    """How many decisions each reason held back, the most frequent first."""
    decisions = result.decisions
    refused = decisions.reason[~decisions.allowed & (decisions.action >= 0)]
    counts = np.bincount(refused, minlength=len(decisions.reasons))
    named = zip(decisions.reasons, counts.tolist(), strict=True)
    ranked = sorted(named, key=lambda pair: (-pair[1], pair[0]))
    return {reason: amount for reason, amount in ranked if reason and amount}


def _capital_refusals(result: BacktestResult) -> int:
    refusals = _refusals(result)
    return sum(amount for reason, amount in refusals.items() if "capital" in reason.lower())


def _clock_days(result: BacktestResult) -> Mapping[str, int] | None:
    """Sessions on which the run entered as each clock did, and as any of them; None without."""
    alike = {
        name: days_like_clock(result.trades, baseline.trades)
        for name, baseline in result.baselines.items()
        if "@" in name
    }
    if not alike:
        return None
    days = {name: len(sessions) for name, sessions in alike.items()}
    return {**days, "any": len(set().union(*alike.values()))}


def _bootstrap_settings(sessions: int) -> Metrics:
    return {
        "method": "stationary bootstrap of daily P&L (Politis and Romano 1994)",
        "mean_block_sessions": statistics.mean_block(sessions),
        "resamples": statistics.RESAMPLES,
        "level": statistics.LEVEL,
        "seed": statistics.SEED,
    }


def _baseline_figures(result: BacktestResult, baseline: BaselineResult, daily: Floats) -> Metrics:
    """Figures of a baseline, and of the run less the baseline, session by session."""
    columns = trade_arrays(baseline.trades)
    own = daily_pnl(baseline.trades, result.sessions)
    difference = daily - own
    figures = {
        **_trade_figures(columns),
        "max_drawdown_by_day": statistics.max_drawdown(own.cumsum(), 0.0),
        "daily_mean": own.mean() if own.size else np.nan,
        "daily_mean_interval": statistics.interval(statistics.bootstrap(own).means),
        "daily_sharpe": statistics.sharpe(own),
        "model_less_baseline": difference.mean() if difference.size else np.nan,
        "model_less_baseline_interval": statistics.interval(statistics.bootstrap(difference).means),
    }
    return {name: _plain(value) for name, value in figures.items()}


def _plain(value: Any) -> Any:
    """`value` as JSON has it: floats to 6 decimals, NaN and infinities as None."""
    if isinstance(value, Interval):
        ends = [_plain(end) for end in value]
        return None if None in ends else ends
    if isinstance(value, float | np.floating):
        return round(float(value), 6) + 0.0 if np.isfinite(value) else None
    if isinstance(value, np.bool_):
        return bool(value)
    return value


def daily_series(result: BacktestResult) -> dict[str, Floats]:
    """[sessions] net dollars of the run and of each baseline by name, the run first."""
    runs: dict[str, Sequence[Any]] = {result.model: result.trades}
    for name, baseline in result.baselines.items():
        runs.setdefault(name, baseline.trades)
    return {name: daily_pnl(trades, result.sessions) for name, trades in runs.items()}
