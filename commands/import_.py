"""`run.py import`: bring tidy option quotes of any vendor into the chain store."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
from rich.table import Table

from commands.market_data import store_to_fill
from commands.options import add_settings
from errors import DataError
from feeds.data_quality import ImportSummary
from feeds.importing import import_files
from settings import DEFAULT_FOLDER, Settings

COLUMNS = (
    *("session", "snap-\nshots", "con-\ntracts", "gaps", "worst\ngap"),
    *("crossed", "zero\nbids", "one-\nsided", "parity\nbreaks", "close"),
)
"""Headings of the table of sessions."""

TABLE_WIDTH = 80
"""Columns it needs; in a narrower terminal its lines wrap, and no figure is cut."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `run.py import`."""
    parser.add_argument("files", nargs="+", metavar="FILE", help="tidy quotes, CSV or Parquet")
    parser.add_argument(
        "--underlying",
        nargs="+",
        action="extend",
        default=[],
        metavar="FILE",
        help="bars of the underlying, stamped with their end; they give the official close",
    )
    parser.add_argument(
        "--close-from-last-quote",
        action="store_true",
        help="settle on the last quote where no official close is known",
    )
    parser.add_argument(
        "--data",
        default=argparse.SUPPRESS,
        metavar="DIR",
        help=f"the chain store to fill (default {DEFAULT_FOLDER})",
    )
    add_settings(parser, [])


def main(arguments: argparse.Namespace, settings: Settings) -> int:
    """Run the command and return its exit code. Raises `DataError` for a file that is not tidy."""
    run(
        arguments.files,
        arguments.underlying,
        settings.filled_folder,
        close_from_last_quote=(
            arguments.close_from_last_quote or settings.market.close_from_last_quote
        ),
        time_exit_minutes=settings.rules.time_exit_minutes,
    )
    return 0


def run(
    files: Sequence[str],
    underlying: Sequence[str],
    data: Path,
    *,
    close_from_last_quote: bool = False,
    time_exit_minutes: float = 15.0,
    console: Console | None = None,
) -> ImportSummary:
    """Import `files` into the store at `data`, with a progress bar and a summary.

    Raises `DataError` where a file is not tidy, or where not one session could be kept.
    """
    console, store = console or Console(), store_to_fill(data)
    columns = TextColumn("{task.description}"), BarColumn(), TaskProgressColumn()
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("opening", total=1.0)
        summary = import_files(
            files,
            underlying,
            store,
            lambda what, fraction: bar.update(task, description=what, completed=fraction),
            close_from_last_quote=close_from_last_quote,
            time_exit_minutes=time_exit_minutes,
        )
    if summary.kept:
        console.width = max(console.width, TABLE_WIDTH)
        console.print(_table(summary))
    for line in summary.to_text():
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    if not summary.kept:
        raise DataError(f"no session could be stored in {data}: the reasons are above")
    return summary


def _table(summary: ImportSummary) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0))
    for heading in COLUMNS:
        table.add_column(heading, justify="left" if heading == "session" else "right", no_wrap=True)
    for one in summary.kept:
        gap = f"{one.worst_gap / 60:.0f} min" if one.gaps else ""
        counts = (one.crossed, one.zero_bids, one.one_sided, one.parity_breaks)
        table.add_row(
            *(str(one.date), str(one.snapshots), str(one.contracts), str(one.gaps), gap),
            *(f"{count:,}" for count in counts),
            f"{one.official_close:.2f}",
        )
    return table
