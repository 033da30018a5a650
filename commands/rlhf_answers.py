"""All answers that `run.py rlhf` learns from: journals, reviews and files of earlier desks."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from brokers.journal.reader import JournalReader
from brokers.journal.session import JOURNAL, PRACTICE
from desk.review_answers import REVIEWS, consistency, preferences
from errors import DataError
from models.feedback.preferences import FEWEST_REPEATS
from settings import Settings

if TYPE_CHECKING:
    import pandas as pd

TABLES = ("suggestions", "decisions", "outcomes", "sessions")


@dataclass(frozen=True, slots=True)
class Seen:
    """A finished session of a journal: its date, model, when it began, and gates it journaled."""

    day: date
    model_sha256: str
    started: datetime
    gates: frozenset[str]


@dataclass(frozen=True, eq=False)
class Feedback:
    """What people said.

    Attributes:
        table: `models.feedback.dataset.feedback_table` of everything.
        comparisons: which of two suggestions was better.
        repeats: repeated questions of reviews, and how many were answered alike.
        sessions: finished sessions.
        files: where it comes from.
        notes: lines that could not be used.
    """

    table: "pd.DataFrame"
    comparisons: Sequence[Any]
    repeats: tuple[int, int]
    sessions: Sequence[Seen]
    files: Sequence[Path]
    notes: Sequence[str] = field(default_factory=tuple)

    @property
    def consistency(self) -> float | None:
        """Share of repeated questions that were answered alike, None while they are few."""
        asked, alike = self.repeats
        return alike / asked if asked >= FEWEST_REPEATS else None


def journals_of(named: Sequence[Path], practice: bool, settings: Settings) -> list[Path]:
    """The journals that are meant: those named, else the usual one and the reviews.

    Raises `DataError` where one that was named is not there.
    """
    missing = [path for path in named if not path.is_file()]
    if missing:
        raise DataError(f"there is no journal {missing[0]}: run.py live writes one")
    if named:
        return list(named)
    usual = PRACTICE if practice else settings.live.journal or JOURNAL
    return [path for path in (usual, REVIEWS) if path.is_file()]


def read_feedback_of(journals: Sequence[Path], imports: Sequence[Path] = ()) -> Feedback:
    """Everything in the journals and in files of earlier desks.

    Raises `DataError` where there is neither, `JournalError` for a file that is no journal of this
    desk or of a newer one.
    """
    from models.feedback.dataset import combined

    if not journals and not imports:
        raise DataError(
            "there are no answers yet: run.py live, or run.py rlhf --review, writes a journal"
        )
    parts = [_read(path) for path in journals]
    tables = [part.table for part in parts]
    notes: list[str] = []
    if imports:
        from models.feedback.importing import import_suggestions

        imported = import_suggestions(imports)
        tables.append(imported.table)
        notes += [f"left out: {line}" for line in imported.bad]
    return Feedback(
        table=combined(tables),
        comparisons=[one for part in parts for one in part.comparisons],
        repeats=(sum(p.repeats[0] for p in parts), sum(p.repeats[1] for p in parts)),
        sessions=[one for part in parts for one in part.sessions],
        files=[*journals, *imports],
        notes=notes,
    )


def _read(path: Path) -> Feedback:
    from models.feedback.dataset import feedback_table

    with JournalReader(path) as reader, reader.at_one_instant():
        frames = [reader.table(name) for name in TABLES]
        compared, repeats = preferences(reader), consistency(reader)
        sessions = _finished(reader)
    try:
        table = feedback_table(*frames)
    except DataError as error:
        raise DataError(f"journal {path}: {error}") from None
    return Feedback(table, compared, repeats, sessions, [path])


def _finished(reader: JournalReader) -> list[Seen]:
    gates: dict[str, set[str]] = {}
    for row in reader.rows("suggestions"):
        if row["gate_version"]:
            gates.setdefault(row["session_id"], set()).add(row["gate_version"])
    return [
        Seen(
            date.fromisoformat(row["session_date"]),
            row["model_sha256"] or "",
            _utc(row["started_utc"]),
            frozenset(gates.get(row["id"], ())),
        )
        for row in reader.rows("sessions", state="closed")
    ]


def _utc(value: Any) -> datetime:
    return value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
