"""The journal read-only, for other processes and threads, while the writer writes.

Every thread opens a reader of its own. Each call sees one consistent state of the file; several
calls do inside `with reader.at_one_instant()`.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from brokers.journal import schema
from brokers.journal.connection import (
    copy_for_backup,
    damaged,
    open_for_reading,
    told_in_one_line,
)
from brokers.journal.memory import memory_of, past_fills
from brokers.journal.rows import taken
from errors import InternalError
from vocabulary import JOURNAL_COLUMNS, DeskMemory, PastFill

if TYPE_CHECKING:
    import pandas as pd

TABLES = ("sessions", *JOURNAL_COLUMNS)
"""Every table that can be read, in order."""

_ANSWER = tuple(name for name in JOURNAL_COLUMNS["decisions"] if name != "suggestion_id")


@dataclass(frozen=True, slots=True)
class PaperRecord:
    """Paper sessions with a day's record, and how many of them had no unexplained drift."""

    sessions: int
    without_drift: int


class JournalReader:
    """Reads a journal. Belongs to the thread that made it; may be used as a context manager."""

    def __init__(self, path: Path) -> None:
        """Raises `DataError` where there is no journal, `JournalError` where it cannot be read."""
        self.path = path
        self._connection = open_for_reading(path)
        self._types = {name: schema.column_types(self._connection, name) for name in TABLES}
        missing = [name for name, columns in self._types.items() if not columns]
        if missing:
            self._connection.close()
            raise damaged(path, f"it has no table {missing[0]}")

    def __enter__(self) -> "JournalReader":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    @contextmanager
    def at_one_instant(self) -> Iterator[None]:
        """All reads of the block see the same state, whatever the writer does meanwhile."""
        self._connection.execute("BEGIN")
        try:
            yield
        finally:
            self._connection.execute("ROLLBACK")

    def rows(
        self, table: str, sessions: Sequence[str] | None = None, **where: Any
    ) -> list[dict[str, Any]]:
        """Rows in the order they were written: times in nanoseconds, JSON decoded, None for none.

        Args:
            table: one of `TABLES`.
            sessions: ids of sessions; all where None.
            where: columns and the value each must have.
        """
        types = self._columns(table)
        names = ", ".join(f'"{name}"' for name in types)
        condition, figures = self._condition(table, sessions, where)
        order = "started_utc, id" if table == "sessions" else "id"
        words = f"SELECT {names} FROM {table} {condition} ORDER BY {order}"
        return [
            {
                name: taken(value, declared)
                for (name, declared), value in zip(types.items(), row, strict=True)
            }
            for row in self._all(words, figures)
        ]

    def table(
        self, table: str, sessions: Sequence[str] | None = None, **where: Any
    ) -> "pd.DataFrame":
        """As `rows`, as a frame: market times in New York's, wall times in UTC, both tz-aware."""
        from brokers.journal.frames import frame

        return frame(self.rows(table, sessions, **where), self._columns(table))

    def sessions(self, **where: Any) -> "pd.DataFrame":
        """The sessions, oldest first."""
        return self.table("sessions", **where)

    def suggestions(
        self, sessions: Sequence[str] | None = None, answer: str | None = None
    ) -> "pd.DataFrame":
        """Suggestions, each with its last answer and what became of it; `answer` selects.

        The columns of `suggestions`, then those of the answer, empty where there was none.
        """
        from brokers.journal.frames import frame

        answers = {
            (row["session_id"], row["suggestion_id"]): row
            for row in self.rows("decisions", sessions)
        }
        joined = [
            row | {name: answers.get(_key(row), {}).get(name) for name in _ANSWER}
            for row in self.rows("suggestions", sessions)
        ]
        wanted = [row for row in joined if answer is None or row["response"] == answer]
        types = self._types["decisions"]
        return frame(wanted, self._types["suggestions"] | {name: types[name] for name in _ANSWER})

    def fills(self, session_id: str) -> list[PastFill]:
        """Fills of the session's own orders, oldest first."""
        with told_in_one_line(self.path, "read"):
            return list(past_fills(self._connection, session_id))

    def memory(self, session_id: str) -> DeskMemory:
        """What a restarted desk would know of the session."""
        with told_in_one_line(self.path, "read"):
            return memory_of(self._connection, session_id)

    def paper_record(self, account: str | None = None) -> PaperRecord:
        """Paper days of an account (of any where None), counted once a date.

        A day counts as without drift where it was compared and nothing was unexplained, in every
        session of that date.
        """
        days: dict[str, bool] = {}
        for day, drift in self._days("paper", account):
            days[day] = days.get(day, True) and drift == 0
        return PaperRecord(len(days), sum(days.values()))

    def live_sessions(self, account: str | None = None, before: date | None = None) -> int:
        """Dates with a finished live session of an account, those before a date alone if given."""
        last = "9999" if before is None else before.isoformat()
        return len({day for day, _ in self._days("live", account) if day < last})

    def backup(self, path: Path) -> None:
        """Copy the whole journal to the new file `path`, while it is written."""
        with told_in_one_line(path, "written"):
            copy_for_backup(self._connection, path)

    def _days(self, mode: str, account: str | None) -> list[Any]:
        words = (
            "SELECT s.session_date, d.drift FROM days d JOIN sessions s ON s.id = d.session_id "
            "WHERE s.mode = ?"
        )
        if account is None:
            return self._all(words, (mode,))
        return self._all(f"{words} AND s.account = ?", (mode, account))

    def _columns(self, table: str) -> Mapping[str, str]:
        if table not in self._types:
            raise InternalError(f"the journal has no table {table}")
        return self._types[table]

    def _condition(
        self, table: str, sessions: Sequence[str] | None, where: Mapping[str, Any]
    ) -> tuple[str, tuple[Any, ...]]:
        unknown = sorted(set(where) - set(self._columns(table)))
        if unknown:
            raise InternalError(f"the journal's table {table} has no column {unknown[0]}")
        parts = [f'"{name}" IS ?' for name in where]
        figures = tuple(where.values())
        if sessions is not None:
            key = "id" if table == "sessions" else "session_id"
            parts.append(f"{key} IN ({', '.join('?' * len(sessions))})")
            figures = (*figures, *sessions)
        return f"WHERE {' AND '.join(parts)}" if parts else "", figures

    def _all(self, words: str, figures: tuple[Any, ...] = ()) -> list[Any]:
        with told_in_one_line(self.path, "read"):
            return self._connection.execute(words, figures).fetchall()


def _key(row: Mapping[str, Any]) -> tuple[str, str]:
    return row["session_id"], row["suggestion_id"]
