"""`runs/index.html`: every run with its key figures and a link to its report."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from reports.findings import FEW_SESSIONS
from reports.formatting import count, money, number, percent
from reports.page import render_page, write_page
from reports.run_folder import METRICS
from reports.tables import interval_cell, signed

INDEX = "index.html"
_NAMED = re.compile(r"(\d{4}-\d\d-\d\d)_(\d{6})_([a-z]+)_(.*)")
_MARKS = ("log.jsonl", "config.toml", METRICS)


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run's line in the index: text, and what it links to ("" where there is no page).

    `figures` are sessions, trades, win rate, net P&L, mean a session, its interval, Sharpe ratio
    and drawdown; empty where the run has none.
    """

    name: str
    when: str
    verb: str
    link: str
    model: str = ""
    data: str = ""
    remarks: str = ""
    figures: tuple[str, ...] = ()


def write_index(runs: Path) -> Path:
    """Write `index.html` into the folder of runs, newest run first; its path.

    A folder is a run where it holds a log, settings or figures; one that cannot be read has its
    line and says so. Pages of several runs (`*.html`) are linked below.
    """
    rows = sorted(_rows(runs), key=lambda row: (row.when, row.name), reverse=True)
    pages = [path.name for path in sorted(runs.glob("*.html")) if path.name != INDEX]
    text = render_page("index.html.j2", rows=rows, pages=pages, amount=count(len(rows), "run"))
    return write_page(runs / INDEX, text)


def _rows(runs: Path) -> Iterator[RunRow]:
    for folder in runs.iterdir():
        if folder.is_dir() and any((folder / name).is_file() for name in _MARKS):
            yield run_row(folder)


def run_row(folder: Path) -> RunRow:
    """The line of one run."""
    named = _NAMED.fullmatch(folder.name)
    when, verb = _when(folder), named[3] if named else folder.name
    link = f"{folder.name}/report.html" if (folder / "report.html").is_file() else ""
    start = RunRow(folder.name, when, verb, link, model=named[4] if named else "")
    if not (folder / METRICS).is_file():
        return replace(start, remarks="no figures: unfinished, or no trading")
    try:
        metrics = json.loads((folder / METRICS).read_text(encoding="utf-8"))
        return replace(
            start,
            model=str(metrics["model"]),
            data=str(metrics["data"]),
            remarks=_remarks(metrics),
            figures=_figures(metrics),
        )
    except (KeyError, TypeError, ValueError, OSError) as error:
        return replace(start, remarks=f"{METRICS} cannot be read ({type(error).__name__})")


def _when(folder: Path) -> str:
    named = _NAMED.fullmatch(folder.name)
    if named:
        clock = named[2]
        return f"{named[1]} {clock[:2]}:{clock[2:4]}:{clock[4:]}"
    newest = max(path.stat().st_mtime for name in _MARKS if (path := folder / name).is_file())
    return f"{datetime.fromtimestamp(newest):%Y-%m-%d %H:%M:%S}"


def _remarks(metrics: dict[str, Any]) -> str:
    found = []
    if metrics["sessions_in_sample"]:
        found.append(f"in sample: {metrics['sessions_in_sample']:,}")
    if metrics["sessions_skipped"]:
        found.append(f"{count(metrics['sessions_skipped'], 'session')} skipped")
    t = metrics["t_statistic"]
    if t is None or abs(t) < 2 or metrics["sessions"] < FEW_SESSIONS:
        found.append("proves nothing")
    return ", ".join(found)


def _figures(metrics: dict[str, Any]) -> tuple[str, ...]:
    return (
        f"{metrics['sessions']:,}",
        f"{metrics['trades']:,}",
        percent(metrics["win_rate"]),
        signed(metrics["net_pnl"]),
        signed(metrics["daily_mean"]),
        interval_cell(metrics["daily_mean_interval"]),
        number(metrics["daily_sharpe"]),
        money(metrics["max_drawdown"]),
    )
