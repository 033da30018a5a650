"""All answers that `run.py rlhf` learns from: journals, reviews and files of earlier desks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from brokers.journal.reader import JournalReader
from brokers.journal.session import JOURNAL, PRACTICE
from desk.review_answers import REVIEWS, consistency, preferences
from errors import DataError, UserError
from feeds.simulation.market import market_label
from models.feedback.preferences import FEWEST_REPEATS
from settings import Settings

if TYPE_CHECKING:
    import pandas as pd

    from models.feedback.importing import Imported

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
        days: market and date of every session with a suggestion; files of earlier desks know no
            market.
        files: where it comes from.
        notes: lines that could not be used.
    """

    table: "pd.DataFrame"
    comparisons: Sequence[Any]
    repeats: tuple[int, int]
    sessions: Sequence[Seen]
    files: Sequence[Path]
    notes: Sequence[str] = field(default_factory=tuple)
    days: frozenset[tuple[str, date]] = frozenset()

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
        return _each_once(named)
    usual = PRACTICE if practice else settings.live.journal or JOURNAL
    return [path for path in (usual, REVIEWS) if path.is_file()]


def _each_once(paths: Sequence[Path]) -> list[Path]:
    """The files in their order; one that is named twice is read once."""
    return list({path.resolve(): path for path in reversed(paths)}.values())[::-1]


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
    imports = _each_once(imports)
    tables = [part.table for part in parts]
    notes: list[str] = []
    if imports:
        from models.feedback.importing import import_suggestions

        imported = import_suggestions(imports)
        tables.append(imported.table)
        notes += _bad_lines(imported)
    days = {("", day) for table in tables[len(parts) :] for day in table["session_date"]}
    return Feedback(
        table=combined(tables),
        comparisons=[one for part in parts for one in part.comparisons],
        repeats=(sum(p.repeats[0] for p in parts), sum(p.repeats[1] for p in parts)),
        sessions=[one for part in parts for one in part.sessions],
        files=[*journals, *imports],
        notes=notes,
        days=frozenset(days).union(*(part.days for part in parts)),
    )


def _bad_lines(imported: "Imported") -> list[str]:
    """How many lines could not be used, then each of them."""
    if not imported.bad:
        return []
    count = f"lines of earlier desks: {len(imported.bad)} left out, {len(imported.table)} kept"
    return [count, *(f"left out: {line}" for line in imported.bad)]


def _read(path: Path) -> Feedback:
    from models.feedback.dataset import feedback_table, fill_prices_of

    try:
        with JournalReader(path) as reader, reader.at_one_instant():
            suggestions, decisions, outcomes, begun = map(reader.table, TABLES)
            compared, repeats = preferences(reader), consistency(reader)
            sessions, days = _finished(reader), _asked_on(reader)
            prices = fill_prices_of(reader.rows("intents"), reader.rows("executions"))
        table = feedback_table(suggestions, decisions, outcomes, begun, prices)
    except UserError as error:
        words = str(error).removeprefix(f"journal {path}: ")
        raise DataError(f"journal {path}: {words}") from None
    except (ValueError, TypeError) as error:  # SQLite keeps any value in any column
        words = str(error).splitlines()[0]
        raise DataError(f"journal {path} holds a value that cannot be read: {words}") from None
    return Feedback(table, compared, repeats, sessions, [path], days=days)


def _asked_on(reader: JournalReader) -> frozenset[tuple[str, date]]:
    """Market and date of the sessions in which something was suggested."""
    asked = {row["session_id"] for row in reader.rows("suggestions")}
    return frozenset(
        (_market(row), date.fromisoformat(row["session_date"]))
        for row in reader.rows("sessions")
        if row["id"] in asked
    )


def _market(session: Mapping[str, Any]) -> str:
    """The label of a session's data; the live desk keeps a simulated market's seed apart."""
    if session["mode"] == "mock":
        return market_label(session["seed"])
    return str(session["market"])


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
