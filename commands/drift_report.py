"""`run.py report --drift` and `--human`: what journals say about sessions of the desk."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from brokers.journal.reader import JournalReader
from commands.policies import choose_policy
from commands.screen import progress, say
from desk.human import answered, play_session
from desk.human_report import human_report
from desk.recordings import recording_of, session_settings
from errors import DataError, DeskError
from reports.formatting import count
from settings import Settings
from vocabulary import Policy

JOURNALS = (Path("runs/journal.db"), Path("runs/practice.db"))
"""Where sessions are looked for that a run's folder is named of."""

ASSUMED_SCHEMA = 1
"""Of a zip without a card: the desk ran it, so somebody said so then."""

Facts = Mapping[str, Any]


def report_drift(target: Path, settings: Settings, session: str | None = None) -> int:
    """Replay sessions and tell what differs; 0 when all are green, 1 otherwise.

    Args:
        target: a journal, or the folder of a run.
        settings: name the journal of `live.journal`, among which a run's folder is looked for.
        session: an id, its beginning, or a date; the last session where None.

    Raises `DataError` where there is no such session, or no recording of it.
    """
    from desk.drift import drift_of
    from desk.journaled_session import read_session

    journal, wanted = _found(target, settings, session)
    is_green = True
    with JournalReader(journal) as reader:
        for facts in wanted:
            ran_with = session_settings(facts)
            report = drift_of(
                recording_of(facts, ran_with),
                read_session(reader, facts["id"]),
                choose_policy(ran_with, ASSUMED_SCHEMA).policy,
                ran_with,
            )
            say(report.text())
            is_green &= report.is_green
    return 0 if is_green else 1


def report_human(journal: Path, settings: Settings, page: Path | None = None) -> int:
    """Tell what the answers in a journal earned, and draw them on a page; 0, also without any.

    `page` is where it is written, None for beside the journal; there is none where there is nothing
    to tell.
    """
    with JournalReader(journal) as reader, reader.at_one_instant():
        tables = [reader.rows(name) for name in ("suggestions", "decisions", "outcomes")]
        sessions = reader.rows("sessions")
    table = answered(*tables)
    played, notes = _played(sessions) if len(table) else ({}, [])
    say(human_report(table, settings.rules, played, notes))
    if len(table):
        from commands.human_page import draw_page, page_beside

        page = page or page_beside(journal)
        say(f"page: {draw_page(table, tables[0], settings.rules, played, notes, page)}")
    return 0


def _found(target: Path, settings: Settings, session: str | None) -> tuple[Path, Sequence[Facts]]:
    """The journal and the sessions that are meant."""
    if not target.is_dir():
        wanted = [row for row in _sessions(target) if session is None or _is_named(row, session)]
        if not wanted:
            raise DataError(f"{target} has no session {session or 'at all'}: run.py journal lists")
        return target, wanted[-1:] if session is None else wanted
    named = settings.live.journal
    for journal in (*((named,) if named is not None else ()), *JOURNALS):
        rows = _sessions(journal) if journal.is_file() else []
        wanted = [row for row in rows if _is_of(row, target)]
        if wanted:
            return journal, wanted
    raise DataError(f"{target} is not the folder of a run that a journal knows")


def _sessions(journal: Path) -> list[dict[str, Any]]:
    with JournalReader(journal) as reader:
        return reader.rows("sessions")


def _is_named(row: Facts, session: str) -> bool:
    return str(row["id"]).startswith(session) or row["session_date"] == session


def _is_of(row: Facts, folder: Path) -> bool:
    return bool(row["run_folder"]) and Path(row["run_folder"]).resolve() == folder.resolve()


class _Players:
    """Settings and policies of sessions, each made once: most sessions share theirs."""

    def __init__(self) -> None:
        self._settings: dict[str, Settings] = {}
        self._policies: dict[str, Policy] = {}

    def play(self, facts: Facts) -> dict[str, float]:
        """What the session's model alone and the baselines earned in it."""
        key = json.dumps(facts["settings"], sort_keys=True)
        if key not in self._settings:
            self._settings[key] = session_settings(facts)
        settings = self._settings[key]
        day = recording_of(facts, settings)
        if key not in self._policies:
            self._policies[key] = choose_policy(settings, ASSUMED_SCHEMA).policy
        return play_session(day, self._policies[key], settings)


def _played(sessions: Sequence[Facts]) -> tuple[dict[str, dict[str, float]], list[str]]:
    """What the model alone and the baselines earned in each session; why some are missing."""
    played: dict[str, dict[str, float]] = {}
    missing: list[str] = []
    players = _Players()
    with progress("model and clocks", len(sessions)) as advance:
        for facts in sessions:
            try:
                earned = players.play(facts)
            except DeskError as error:
                missing.append(str(error))
            else:
                for name, dollars in earned.items():
                    played.setdefault(name, {})[str(facts["id"])] = dollars
            advance()
    if not missing:
        return played, []
    counted = f"{len(missing):,} of {count(len(sessions), 'session')}"
    return played, [f"{counted} {_are(missing)} held against nobody: {missing[0]}"]


def _are(missing: Sequence[str]) -> str:
    return "is" if len(missing) == 1 else "are"
