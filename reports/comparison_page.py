"""The page that sets several runs side by side."""

from collections.abc import Callable, Sequence
from pathlib import Path

from reports.charts import runs as chart
from reports.charts.style import png, styled
from reports.findings import proof
from reports.formatting import DASH, count, money, number, percent
from reports.metrics import Metrics
from reports.page import Picture, render_page, write_page
from reports.run_comparison import (
    Comparison,
    Paired,
    compare,
    differing_settings,
    luck,
    paired,
    warnings,
)
from reports.summary import span
from reports.tables import Table, interval_cell, signed

_ROWS: Sequence[tuple[str, Callable[[Metrics], str]]] = (
    ("Model", lambda m: str(m["model"])),
    ("Data", lambda m: str(m["data"])),
    ("Sessions", lambda m: f"{m['sessions']:,}"),
    ("Sessions in sample", lambda m: f"{m['sessions_in_sample']:,}"),
    ("Trades", lambda m: f"{m['trades']:,}"),
    ("Net P&L", lambda m: signed(m["net_pnl"])),
    ("Mean a session", lambda m: signed(m["daily_mean"])),
    ("95 % of the mean", lambda m: interval_cell(m["daily_mean_interval"])),
    ("t of the mean", lambda m: number(m["t_statistic"])),
    ("Sharpe, a year", lambda m: number(m["daily_sharpe"])),
    ("95 % of the Sharpe", lambda m: _numbers(m["daily_sharpe_interval"])),
    ("Win rate", lambda m: percent(m["win_rate"])),
    ("Profit factor", lambda m: number(m["profit_factor"])),
    ("Max drawdown", lambda m: money(m["max_drawdown"])),
    ("In the market", lambda m: percent(m["exposure"])),
    ("Fees", lambda m: money(m["fees"])),
    ("All fills at the mid", lambda m: signed(m["pnl_at_mid"])),
    ("All fills a tick worse", lambda m: signed(m["pnl_at_natural_plus_tick"])),
)


def draw_comparison(folders: Sequence[Path], page: Path) -> Path:
    """Write the page on the runs in `folders` to `page`; its path.

    Raises `DataError` where a folder holds no finished run or is named twice.
    """
    comparison = compare(folders)
    pairs = [paired(comparison, run) for run in range(1, len(comparison.runs))]
    return write_page(
        page,
        render_page(
            "comparison.html.j2",
            _pictures(comparison, pairs),
            names=[run.name for run in comparison.runs],
            common=count(len(comparison.common), "common session"),
            spans=[(run.name, span(run.result.sessions)) for run in comparison.runs],
            warnings=warnings(comparison),
            simulated=all(run.result.is_simulated for run in comparison.runs),
            proofs=[(run.name, proof(run.metrics)) for run in comparison.runs],
            luck=luck(comparison),
            figures=figures(comparison),
            differences=differences(comparison, pairs),
            settings=settings(comparison),
        ),
    )


def _pictures(comparison: Comparison, pairs: Sequence[Paired]) -> list[Picture]:
    if not comparison.common:
        return []
    names = [run.name for run in comparison.runs[1:]]
    with styled():
        return [
            Picture(
                "curves",
                "Net P&L added up session by session, all runs on the same sessions.",
                png(chart.curves(comparison)),
            ),
            Picture(
                "differences",
                f"What each run earned less {comparison.runs[0].name}, session by session. An "
                "interval that holds zero does not tell the two apart.",
                png(chart.differences(names, pairs)),
            ),
        ]


def figures(comparison: Comparison) -> Table:
    """The figures of each run on its own sessions, a column a run."""
    rows = [(name, *(cell(run.metrics) for run in comparison.runs)) for name, cell in _ROWS]
    return Table(("", *(run.name for run in comparison.runs)), rows)


def _numbers(ends: Sequence[float] | None) -> str:
    return DASH if ends is None else f"{number(ends[0])} to {number(ends[1])}"


def differences(comparison: Comparison, pairs: Sequence[Paired]) -> Table:
    """Each run on the common sessions, and less the first."""
    columns = (
        *("Run", "Net P&L", "Mean a session", "Less the first, a session", "95 %"),
        *("Days better", "Days worse", "Days alike", "Correlation"),
    )
    rows = []
    for run, daily, pair in zip(comparison.runs, comparison.daily, [None, *pairs], strict=True):
        mean = float(daily.mean()) if daily.size else None
        start = (run.name, signed(float(daily.sum())), signed(mean))
        if pair is None:
            rows.append((*start, "the first", *[DASH] * 5))
            continue
        alike = pair.difference.size - pair.better - pair.worse
        rows.append(
            (
                *start,
                signed(pair.mean),
                interval_cell(pair.interval),
                *(f"{amount:,}" for amount in (pair.better, pair.worse, alike)),
                number(pair.correlation),
            )
        )
    return Table(columns, rows)


def settings(comparison: Comparison) -> Table:
    """Settings that differ."""
    found = differing_settings(comparison)
    columns = ("Setting", *(run.name for run in comparison.runs))
    return Table(columns, [(name, *values) for name, values in found.items()])
