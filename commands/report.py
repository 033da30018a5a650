"""`run.py report`: draw reports again from their files, or say what journals tell of sessions."""

import argparse
from datetime import date
from pathlib import Path

from commands.options import add_settings
from commands.screen import say
from errors import SettingError
from settings import Settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `report`."""
    parser.add_argument(
        "folders", nargs="+", type=Path, metavar="DIR", help="folder of a run, or a journal"
    )
    parser.add_argument(
        "--session", metavar="DATE", help="the session whose chart is drawn, or that is replayed"
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--drift", action="store_true", help="replay live sessions and tell what differs"
    )
    which.add_argument(
        "--human", action="store_true", help="what a person's answers in a journal have earned"
    )
    add_settings(parser, ())


def main(arguments: argparse.Namespace, settings: Settings) -> int:
    """Draw or tell each; 0 when all are done (and, with --drift, green)."""
    if arguments.drift:
        return max(_drift(target, settings, arguments.session) for target in arguments.folders)
    if arguments.human:
        return max(_human(target, settings) for target in arguments.folders)
    from reports.backtest_report import draw_report

    session = _date(arguments.session)
    for folder in arguments.folders:
        say(f"report: {draw_report(folder, session)}")
    return 0


def _drift(target: Path, settings: Settings, session: str | None) -> int:
    from commands.drift_report import report_drift

    return report_drift(target, settings, session)


def _human(target: Path, settings: Settings) -> int:
    from commands.drift_report import report_human

    return report_human(target, settings)


def _date(text: str | None) -> date | None:
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError as error:
        raise SettingError(f"--session {text}: write a date as 2026-10-30") from error
