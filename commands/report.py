"""`run.py report`: draw reports again from their files, or say what journals tell of sessions."""

import argparse
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from commands.options import add_settings
from commands.run_folder import RUNS, is_among_runs
from commands.screen import say
from errors import SettingError
from settings import Settings

COMPARISON = "comparison.html"
OUTCOMES = "outcomes.json"
"""In the folder of an evaluation."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `report`."""
    parser.add_argument(
        "folders",
        nargs="+",
        type=Path,
        metavar="DIR",
        help="folder of a run, or a journal; several runs are compared on one page",
    )
    parser.add_argument(
        "--session", metavar="DATE", help="the session whose chart is drawn, or that is replayed"
    )
    parser.add_argument(
        "--out",
        dest="page",
        type=Path,
        metavar="FILE",
        help="where the page of a comparison or of --human is written",
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--ask",
        action="store_true",
        help="ask the run's policy what it wants over time and volatility, and draw that too",
    )
    which.add_argument(
        "--drift", action="store_true", help="replay live sessions and tell what differs"
    )
    which.add_argument(
        "--human", action="store_true", help="what a person's answers in a journal have earned"
    )
    add_settings(parser, ())


def main(arguments: argparse.Namespace, settings: Settings) -> int:
    """Draw or tell each; 0 when all are done (and, with --drift, green)."""
    folders: Sequence[Path] = arguments.folders
    _refuse_page(arguments)
    _refuse_journals(arguments)
    if arguments.drift:
        return max(_drift(target, settings, arguments.session) for target in folders)
    if arguments.human:
        return max(_human(target, settings, arguments.page) for target in folders)
    if arguments.ask:
        _ask(folders)
    if len(folders) > 1:
        if arguments.session is not None:
            raise SettingError("--session: a comparison draws no single session; name one run")
        say(f"comparison: {_compare(folders, arguments.page)}")
    else:
        say(f"report: {_draw(folders[0], _date(arguments.session))}")
    _renew_index(folders)
    return 0


def _refuse_page(arguments: argparse.Namespace) -> None:
    """`--out` must name one page that there will be."""
    amount = len(arguments.folders)
    if arguments.page is not None and (arguments.drift or (amount > 1) is bool(arguments.human)):
        raise SettingError(
            f"--out {arguments.page}: only a comparison of several runs, or --human of one "
            "journal, is written to a page of your choice"
        )
    if arguments.page is not None and arguments.page.is_dir():
        raise SettingError(f"--out {arguments.page} is a folder; name a file")


def _refuse_journals(arguments: argparse.Namespace) -> None:
    """A file is a journal, and has no report of a backtest."""
    files = [path for path in arguments.folders if path.is_file()]
    if files and not (arguments.drift or arguments.human):
        raise SettingError(
            f"{files[0]} is a file, not a run's folder: of a journal, say --human or --drift"
        )


def _draw(folder: Path, session: date | None) -> Path:
    if (folder / OUTCOMES).is_file():
        from reports.evaluation_report import draw_evaluation

        return draw_evaluation(folder)
    from reports.backtest_report import draw_report

    return draw_report(folder, session)


def _compare(folders: Sequence[Path], page: Path | None) -> Path:
    from reports.comparison_page import draw_comparison

    return draw_comparison(folders, page or folders[0].parent / COMPARISON)


def _ask(folders: Sequence[Path]) -> None:
    from commands.decision_grid import ask_run

    for folder in folders:
        ask_run(folder)


def _renew_index(folders: Sequence[Path]) -> None:
    """Only where runs lie in the folder of all runs: another folder's index is not ours."""
    from reports.runs_index import write_index

    if any(is_among_runs(folder) for folder in folders):
        say(f"index: {write_index(RUNS)}")


def _drift(target: Path, settings: Settings, session: str | None) -> int:
    from commands.drift_report import report_drift

    return report_drift(target, settings, session)


def _human(target: Path, settings: Settings, page: Path | None) -> int:
    from commands.drift_report import report_human

    return report_human(target, settings, page)


def _date(text: str | None) -> date | None:
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError as error:
        raise SettingError(f"--session {text}: write a date as 2026-10-30") from error
