"""The report of a backtest, drawn from its run folder alone."""

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from errors import DataError
from reports.breakdowns import entry_iv
from reports.charts import (
    account,
    calendar,
    comparison,
    decision_map,
    exposure,
    session,
    trading,
    worst_days,
)
from reports.charts.style import png, styled
from reports.decision_grid import DecisionGrid, read_grid
from reports.metrics import Metrics
from reports.page import REPORT, Picture, keep_pictures, render, write_page
from reports.result import BacktestResult
from reports.run_folder import read_run

_Planned = tuple[str, str, Callable[[], Figure]]

CONFIGURATION = "config.toml"


def draw_report(folder: Path, chosen: date | None = None) -> Path:
    """Draw `report.html` and `pictures/*.png` from the files of a run; the report's path.

    The chart of one session shows `chosen`, by default the one with the largest absolute P&L.
    Raises `DataError` where the folder holds no finished run, or not the chosen session.
    """
    result, metrics = read_run(folder)
    grid = read_grid(folder)
    pictures = draw_pictures(result, metrics, _chosen(result, chosen), grid)
    keep_pictures(folder, pictures)
    configuration = folder / CONFIGURATION
    text = configuration.read_text(encoding="utf-8") if configuration.is_file() else ""
    return write_page(folder / REPORT, render(result, metrics, pictures, text))


def _chosen(result: BacktestResult, chosen: date | None) -> date | None:
    if chosen is None:
        return session.most_eventful(result)
    if chosen not in (each.date for each in result.sessions):
        raise DataError(f"{chosen} is not among the sessions of this run; choose one that is")
    return chosen


def draw_pictures(
    result: BacktestResult,
    metrics: Metrics,
    chosen: date | None,
    grid: DecisionGrid | None = None,
) -> list[Picture]:
    """Every picture there is something to draw on; none without a chosen session."""
    with styled():
        return [
            Picture(name, caption, png(draw()))
            for name, caption, draw in _plan(result, metrics, chosen, grid)
        ]


def _plan(
    result: BacktestResult, metrics: Metrics, chosen: date | None, grid: DecisionGrid | None
) -> Iterator[_Planned]:
    """File name, caption and drawing of each picture there is something to draw on."""
    if chosen is None:
        return
    yield from _account_pictures(result, metrics)
    yield from _day_pictures(result, chosen)
    seen = decision_map.decision_map(result)
    if seen is not None or grid is not None:
        yield (
            "decision_map",
            decision_map.caption(seen, grid),
            lambda: decision_map.wishes(seen, grid),
        )
    if result.trades:
        yield from _trade_pictures(result, metrics)


def _account_pictures(result: BacktestResult, metrics: Metrics) -> Iterator[_Planned]:
    yield (
        "equity",
        "The account on every snapshot, nights left out. Drawdown is counted from the highest "
        "equity so far.",
        lambda: account.equity(result),
    )
    if result.baselines:
        yield (
            "baselines",
            "Net P&L added up session by session, all policies on the same sessions.",
            lambda: comparison.baselines(result),
        )
    if metrics["daily_sd"]:
        yield (
            "bootstrap",
            "Means of resampled sessions; the inner bars hold 95 % of them. Where zero lies "
            "among the inner bars, the run cannot tell a gain from a loss.",
            lambda: comparison.bootstrap(result),
        )


def _day_pictures(result: BacktestResult, chosen: date) -> Iterator[_Planned]:
    yield (
        "calendar",
        "Blue won, orange lost, dollars. A cross is a session that was skipped, an empty field a "
        "day without one.",
        lambda: calendar.calendar(result),
    )
    if len(result.sessions) <= account.BARS_UP_TO:
        yield "sessions", "Blue won, orange lost.", lambda: account.by_session(result)
    worst = worst_days.worst_sessions(result)
    if worst:
        yield (
            "worst_days",
            "Above: the underlying, dashed the strike. Below: mid of the option held, dotted its "
            "stop. Triangles are entries, crosses exits.",
            lambda: worst_days.worst_days(result, worst),
        )
    yield (
        "session",
        "Triangles are entries, crosses exits; prices are fills.",
        lambda: session.session(result, chosen),
    )
    if result.exposure.ts.size and result.trades:
        yield (
            "exposure",
            "Greeks of the book while something was held; a put sold has positive delta, a call "
            "negative, either negative gamma.",
            lambda: exposure.through_the_day(result, chosen),
        )


def _trade_pictures(result: BacktestResult, metrics: Metrics) -> Iterator[_Planned]:
    yield (
        "fill_ladder",
        "The same trades repriced: all filled at the mid, as they were, and a tick worse.",
        lambda: comparison.fill_ladder(metrics),
    )
    yield (
        "trades",
        "Every round trip in order, fees deducted.",
        lambda: trading.pnl_of_each(result),
    )
    yield (
        "entry_time",
        "Every round trip by the time of its entry.",
        lambda: trading.by_entry_time(result),
    )
    if np.isfinite(entry_iv(result)).any():
        yield (
            "entry_iv",
            "Every round trip by at-the-money volatility when its entry was decided.",
            lambda: trading.by_entry_iv(result),
        )
    yield (
        "exits",
        "Why positions were closed, and what each kind of exit brought.",
        lambda: trading.exits(result),
    )
