"""Versions: the tables are those of the vocabulary, and files of older ones are brought up."""

import sqlite3
from pathlib import Path

import pytest
from journals import FACTS, bar, open_journal

from brokers.journal import schema
from brokers.journal.journal import Journal
from brokers.journal.reader import JournalReader
from brokers.journal.rows import OWN_COLUMNS
from errors import JournalError
from vocabulary import JOURNAL_COLUMNS, JOURNAL_VERSION


def second(connection: sqlite3.Connection) -> None:
    """A change that some later version may make."""
    connection.execute("ALTER TABLE bars ADD COLUMN mood TEXT")
    connection.execute("UPDATE bars SET mood = 'calm'")


def failing(connection: sqlite3.Connection) -> None:
    second(connection)
    connection.execute("ALTER TABLE nothing ADD COLUMN mood TEXT")


def version(path: Path) -> int:
    with sqlite3.connect(path) as connection:
        found = int(connection.execute("PRAGMA user_version").fetchone()[0])
    connection.close()
    return found


def test_the_tables_have_the_columns_of_the_vocabulary(tmp_path: Path) -> None:
    with open_journal(tmp_path / "j.db"):
        pass
    with sqlite3.connect(tmp_path / "j.db") as connection:
        for table, columns in JOURNAL_COLUMNS.items():
            assert set(schema.column_types(connection, table)) == {*OWN_COLUMNS, *columns}, table
    connection.close()
    assert version(tmp_path / "j.db") == len(schema.MIGRATIONS) == JOURNAL_VERSION


def test_an_older_file_is_copied_and_brought_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "j.db"
    with open_journal(path) as journal:
        journal.write(bar(1), bar(2))
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, second))
    with pytest.raises(JournalError, match="version 1"):
        JournalReader(path)
    with open_journal(path) as journal:
        assert journal.resumed
        journal.write(bar(3, mood="wild"))
    with JournalReader(path) as reader:
        assert [row["mood"] for row in reader.rows("bars")] == ["calm", "calm", "wild"]
    assert version(path) == 2
    assert version(tmp_path / "j.db.version-1") == 1


def test_a_migration_that_fails_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "j.db"
    with open_journal(path) as journal:
        journal.write(bar(1))
    with monkeypatch.context() as newer:
        newer.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, failing))
        with pytest.raises(JournalError, match="nothing"):
            Journal(path)
    assert version(path) == 1
    with open_journal(path) as journal:
        assert journal.resumed
        with sqlite3.connect(path) as connection:
            assert "mood" not in schema.column_types(connection, "bars")
        connection.close()


@pytest.mark.parametrize("how", [Journal, JournalReader])
def test_a_newer_file_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: type
) -> None:
    path = tmp_path / "j.db"
    with monkeypatch.context() as newer:
        newer.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, second))
        with Journal(path) as journal:
            journal.open_session(FACTS)
    with pytest.raises(JournalError, match="version 2") as refused:
        how(path)
    assert "\n" not in str(refused.value)
    assert version(path) == 2
