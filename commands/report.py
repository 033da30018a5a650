"""`run.py report DIR...`: draw reports again from the files of their runs."""

import argparse
from datetime import date
from pathlib import Path

from commands.screen import say
from errors import SettingError
from reports.backtest_report import draw_report
from settings import Settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `report`."""
    parser.add_argument("folders", nargs="+", type=Path, metavar="DIR", help="folder of a run")
    parser.add_argument("--session", metavar="DATE", help="the session whose chart is drawn")


def main(arguments: argparse.Namespace, settings: Settings) -> int:
    """Draw each; 0 when all are drawn."""
    session = _date(arguments.session)
    for folder in arguments.folders:
        say(f"report: {draw_report(folder, session)}")
    return 0


def _date(text: str | None) -> date | None:
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError as error:
        raise SettingError(f"--session {text}: write a date as 2026-10-30") from error
