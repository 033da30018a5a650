"""Rows into the journal's tables: transactions, inserts, changes that leave a trace."""

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from brokers.journal import schema
from brokers.journal.connection import told_in_one_line
from brokers.journal.events import Event
from brokers.journal.rows import OWN_COLUMNS, stored, stored_row
from errors import InternalError
from vocabulary import JOURNAL_COLUMNS

CHECKPOINT_EVERY = 200
"""Transactions (a megabyte or three) after which the write-ahead log is moved into the file."""

_ON_CONFLICT = {
    "suggestions": "ON CONFLICT (session_id, suggestion_id) DO NOTHING",
    "bars": "ON CONFLICT (session_id, ts) DO UPDATE SET {replaced}",
    "outcomes": "ON CONFLICT (session_id, suggestion_id) DO UPDATE SET {replaced}",
    "days": "ON CONFLICT (session_id) DO UPDATE SET {completed}",
}
"""A suggestion asked again stays as first asked; a bar or an outcome written again is replaced; a
day is completed: figures that are given replace, the others stay."""


def wall_utc() -> datetime:
    """Wall time in UTC."""
    return datetime.now(UTC)


class JournalTables:
    """The writer's connection, seen as tables."""

    def __init__(
        self, connection: sqlite3.Connection, path: Path, durable: bool, now: Callable[[], datetime]
    ) -> None:
        """`now` gives the wall time of every row."""
        self.connection = connection
        self.path = path
        self.now = now
        self._durable = durable
        self._in_the_log = 0
        names = (*JOURNAL_COLUMNS, "sessions")
        self._types = {name: schema.column_types(connection, name) for name in names}
        self._insert = {name: _insert_words(name, tuple(self._types[name])) for name in names}

    def wall(self) -> str:
        """Wall time as the tables keep it; its texts sort as the instants do."""
        return self.now().isoformat(timespec="microseconds")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing of the block. Raises `JournalError` where the file does not take it."""
        with told_in_one_line(self.path, "written"):
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self.connection.execute("COMMIT")
                self._in_the_log += 1
            except BaseException:
                if self.connection.in_transaction:  # a full disk has rolled it back already
                    self.connection.execute("ROLLBACK")
                raise

    @contextmanager
    def on_the_disk(self) -> Iterator[None]:
        """A transaction inside is on the disk when it ends, whatever the journal's habit."""
        if self._durable:
            yield
            return
        self.connection.execute("PRAGMA synchronous = FULL")
        try:
            yield
        finally:
            self.connection.execute("PRAGMA synchronous = NORMAL")

    def row(self, words: str, figures: tuple[Any, ...] = ()) -> Any:
        """The first row of a query, None where there is none."""
        with told_in_one_line(self.path, "read"):
            return self.connection.execute(words, figures).fetchone()

    def insert(self, table: str, session: str, ts: int | None, values: Mapping[str, Any]) -> None:
        """One row; raises `InternalError` for a table or column that does not exist."""
        if table not in JOURNAL_COLUMNS:
            raise InternalError(f"the journal has no table {table}")
        own = {"session_id": session, "ts": ts, "wall_utc": self.wall()}
        row = stored_row({**values, **own}, self._types[table], table)
        self.connection.execute(self._insert[table], row)

    def insert_session(self, values: Mapping[str, Any]) -> None:
        """One row of `sessions`."""
        row = stored_row(values, self._types["sessions"], "sessions")
        self.connection.execute(self._insert["sessions"], row)

    def change(
        self, table: str, key: str, value: str, columns: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Update one row; returns what the columns were before, as stored.

        Raises `InternalError` where there is no such row or column.
        """
        types = self._types[table]
        unknown = sorted(set(columns) - set(types))
        if unknown or not columns:
            raise InternalError(f"the journal's table {table} cannot change {unknown}")
        names = ", ".join(f'"{name}"' for name in columns)
        before = self.row(f"SELECT {names} FROM {table} WHERE {key} = ?", (value,))
        if before is None:
            raise InternalError(f"the journal's table {table} has no {key} {value}")
        changes = ", ".join(f'"{name}" = ?' for name in columns)
        figures = [stored(columns[name], types[name]) for name in columns]
        self.connection.execute(f"UPDATE {table} SET {changes} WHERE {key} = ?", (*figures, value))
        return dict(zip(columns, before, strict=True))

    def tell(self, session: str, ts: int | None, event: Event, detail: Mapping[str, Any]) -> None:
        """Write a session event."""
        self.insert("session_events", session, ts, {"event": event, "detail": detail})

    def make_room(self) -> None:
        """Move a long write-ahead log into the file. Never while an order waits for its intent."""
        if self._in_the_log >= CHECKPOINT_EVERY:
            with told_in_one_line(self.path, "written"):
                self.connection.execute("PRAGMA wal_checkpoint(PASSIVE)")  # waits for no reader
            self._in_the_log = 0


def _insert_words(table: str, columns: tuple[str, ...]) -> str:
    names = ", ".join(f'"{name}"' for name in columns)
    marks = ", ".join("?" * len(columns))
    own = [f'"{name}"' for name in columns if name not in OWN_COLUMNS[:2]]
    conflict = _ON_CONFLICT.get(table, "").format(
        replaced=", ".join(f"{name} = excluded.{name}" for name in own),
        completed=", ".join(f"{name} = coalesce(excluded.{name}, {name})" for name in own),
    )
    return f"INSERT INTO {table} ({names}) VALUES ({marks}) {conflict}"
