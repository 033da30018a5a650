"""`run.py journal`: what was suggested, answered and traded; as tables, files or a backup."""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from brokers.journal.reader import TABLES, JournalReader
from brokers.journal.session import JOURNAL, PRACTICE
from commands.journal_tables import print_sessions, print_table
from commands.options import add_settings
from commands.screen import say
from errors import DataError, SettingError
from settings import Settings
from vocabulary import Answer

if TYPE_CHECKING:
    import pandas as pd

ANSWERED_TABLES = ("suggestions", "decisions")
"""Tables that --answer can select from."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Ids of the chosen sessions, and the answer that rows must have (None for any)."""

    sessions: Sequence[str]
    answer: str | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `journal`."""
    place = parser.add_mutually_exclusive_group()
    place.add_argument("--journal", type=Path, metavar="FILE", help=f"default {JOURNAL}")
    place.add_argument("--practice", action="store_true", help=f"read {PRACTICE}")
    parser.add_argument("--table", choices=TABLES, metavar="NAME", help=", ".join(TABLES))
    parser.add_argument("--session", metavar="ID|DATE", help="one session, or those of a date")
    parser.add_argument("--mode", help="mock, replay, shadow, paper, live or rehearsal")
    parser.add_argument("--answer", choices=list(Answer), metavar="ANSWER", help=_list(Answer))
    parser.add_argument("--from", dest="first", type=_day, metavar="DATE", help="first session")
    parser.add_argument("--to", dest="last", type=_day, metavar="DATE", help="last session")
    parser.add_argument(
        "--rows", type=int, default=40, metavar="N", help="show the last N rows (default 40)"
    )
    doing = parser.add_mutually_exclusive_group()
    doing.add_argument(
        "--export",
        type=Path,
        metavar="FILE",
        help="write the table as .csv or .parquet by its suffix; all tables into a folder",
    )
    doing.add_argument(
        "--backup", type=Path, metavar="FILE", help="copy the journal, in use or not"
    )
    add_settings(parser, ())


def main(arguments: argparse.Namespace, settings: Settings) -> int:
    """Show, export or copy; 0 when done.

    Raises `JournalError` where there is no sound journal, `SettingError` for a selection that
    makes no sense, `DataError` for one that holds no session.
    """
    if arguments.rows < 1:
        raise SettingError(f"--rows {arguments.rows}: show at least one")
    with JournalReader(_path(arguments, settings)) as reader:
        if arguments.backup is not None:
            reader.backup(arguments.backup)
            say(f"copied {reader.path} to {arguments.backup}")
            return 0
        with reader.at_one_instant():
            selection = _selection(reader, arguments)
            if arguments.export is not None:
                _export(reader, selection, arguments.table, arguments.export)
            else:
                _show(reader, selection, arguments)
    return 0


def _path(arguments: argparse.Namespace, settings: Settings) -> Path:
    """The journal that is meant. Raises `DataError` where there is none."""
    usual = PRACTICE if arguments.practice else settings.live.journal or JOURNAL
    path: Path = arguments.journal or usual
    if not path.is_file():
        raise DataError(f"there is no journal {path}: `run.py live` writes one")
    return path


def _selection(reader: JournalReader, arguments: argparse.Namespace) -> Selection:
    """The sessions that all of the filters let through."""
    wanted: list[Callable[[dict[str, Any]], bool]] = []
    if arguments.session is not None:
        wanted.append(lambda row: arguments.session in (row["id"], row["session_date"]))
    if arguments.mode is not None:
        wanted.append(lambda row: bool(row["mode"] == arguments.mode))
    if arguments.first is not None:
        wanted.append(lambda row: bool(row["session_date"] >= arguments.first.isoformat()))
    if arguments.last is not None:
        wanted.append(lambda row: bool(row["session_date"] <= arguments.last.isoformat()))
    found = [row["id"] for row in reader.rows("sessions") if all(test(row) for test in wanted)]
    if wanted and not found:
        raise DataError(f"{reader.path} has no such session: `run.py journal` lists all of them")
    return Selection(found, arguments.answer)


def _rows(reader: JournalReader, table: str, selection: Selection) -> "pd.DataFrame":
    """A table of the selection; suggestions come with their answers."""
    if table == "suggestions":
        return reader.suggestions(selection.sessions, selection.answer)
    if selection.answer is None:
        return reader.table(table, selection.sessions)
    if table not in ANSWERED_TABLES:
        raise SettingError(f"--answer selects from {_list(ANSWERED_TABLES)}, not from {table}")
    return reader.table(table, selection.sessions, response=selection.answer)


def _show(reader: JournalReader, selection: Selection, arguments: argparse.Namespace) -> None:
    table = arguments.table or ("suggestions" if selection.answer else "sessions")
    if table == "sessions" and selection.answer is None:
        print_sessions(reader, selection.sessions, arguments.rows)
    else:
        print_table(_rows(reader, table, selection), table, arguments.rows)


def _export(reader: JournalReader, selection: Selection, table: str | None, path: Path) -> None:
    from brokers.journal.frames import FILE_KINDS, write_frame

    if path.suffix in FILE_KINDS:
        rows = _rows(reader, table or "suggestions", selection)
        write_frame(rows, path)
        say(f"{len(rows)} rows of {table or 'suggestions'} are in {path}")
        return
    if path.suffix or path.is_file():
        raise SettingError(f"--export {path}: name a .csv or .parquet file, or a folder")
    if table is not None or selection.answer is not None:
        raise SettingError(f"--export {path}: a folder takes all tables; name a file for one")
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingError(f"--export {path}: {error.strerror}") from error
    for name in TABLES:
        write_frame(_rows(reader, name, selection), path / f"{name}.parquet")
    say(f"{len(TABLES)} tables of {len(selection.sessions)} sessions are in {path}")


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is no date: write 2026-10-30") from None


def _list(names: Any) -> str:
    return ", ".join(names)
