"""Connections to a journal's file, for its writer and for readers, and what their errors mean."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from brokers.journal import schema
from errors import DataError, JournalError, SettingError

BUSY_SECONDS = 1.0
"""How long to wait for a lock of another program."""

_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


@contextmanager
def told_in_one_line(path: Path, doing: str) -> Iterator[None]:
    """Turns SQLite's errors into `JournalError`: "journal PATH cannot be DOING: why"."""
    try:
        yield
    except sqlite3.ProgrammingError:
        raise  # a wrong thread, a closed connection: ours to mend
    except sqlite3.DatabaseError as error:
        if _primary_code(error) in _DAMAGED:
            raise damaged(path, str(error)) from error
        raise JournalError(f"journal {path} cannot be {doing}: {error}") from error
    except OSError as error:
        raise JournalError(f"journal {path} cannot be {doing}: {error}") from error


def damaged(path: Path, words: str) -> JournalError:
    """The error of a file that is no sound journal."""
    return JournalError(
        f"journal {path} is damaged ({words}): move it away and put a backup in its place"
    )


def _primary_code(error: sqlite3.DatabaseError) -> int:
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def make_room(path: Path) -> None:
    """Make a journal's folder.

    Raises `SettingError` where a file is in its place, `JournalError` where it cannot be made.
    """
    with told_in_one_line(path, "opened"):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise SettingError(
                f"journal {path} needs a folder {path.parent}, and a file is in its place: move it"
            ) from None


def open_for_writing(path: Path, durable: bool) -> sqlite3.Connection:
    """The writer's connection: WAL, migrated, sound. The caller holds the writer's lock.

    `durable` makes every transaction wait for the disk; otherwise only those that ask for it.
    Raises `JournalError` where the file is newer, damaged, of another program or not writable.
    """
    with told_in_one_line(path, "opened"):
        connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
        try:
            _prepare(connection, path, durable)
        except BaseException:
            connection.close()
            raise
        return connection


def _prepare(connection: sqlite3.Connection, path: Path, durable: bool) -> None:
    version = schema.version_of(connection, str(path))
    schema.refuse_newer(version, str(path), len(schema.MIGRATIONS))
    faults = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if faults != "ok":
        raise damaged(path, str(faults).splitlines()[-1])
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA wal_autocheckpoint = 0")  # `Journal.write` chooses the moment
    connection.execute("PRAGMA synchronous = FULL")
    if 0 < version < len(schema.MIGRATIONS):
        copy(connection, path.with_name(f"{path.name}.version-{version}"))
    schema.migrate(connection, str(path), schema.MIGRATIONS)
    if not durable:
        connection.execute("PRAGMA synchronous = NORMAL")


def open_for_reading(path: Path) -> sqlite3.Connection:
    """A read-only connection, beside a writer or alone.

    Raises `DataError` where there is no such journal, `JournalError` for a version not ours.
    """
    if not path.is_file():
        raise DataError(f"there is no journal {path}: `run.py live` writes one")
    address = f"{path.resolve().as_uri()}?mode=ro"
    with told_in_one_line(path, "read"):
        connection = sqlite3.connect(address, uri=True, timeout=BUSY_SECONDS, isolation_level=None)
        try:
            _check_version(connection, path)
        except BaseException:
            connection.close()
            raise
        return connection


def _check_version(connection: sqlite3.Connection, path: Path) -> None:
    version, known = schema.version_of(connection, str(path)), len(schema.MIGRATIONS)
    schema.refuse_newer(version, str(path), known)
    if version < known:
        raise JournalError(
            f"journal {path} is of version {version}, this desk reads version {known}: "
            "the next `run.py live` on it brings it up"
        )


def copy(connection: sqlite3.Connection, target: Path) -> None:
    """Copy the whole journal to `target` while it is in use (SQLite's online backup)."""
    with closing(sqlite3.connect(target)) as other:
        connection.backup(other)


def copy_for_backup(connection: sqlite3.Connection, target: Path) -> None:
    """`copy`, with a tag of its own: a restored journal never allots an order_ref again.

    Raises `SettingError` where `target` exists already, or its folder does not.
    """
    if target.exists():
        raise SettingError(f"{target} exists already: name a new file for the backup")
    if not target.parent.is_dir():
        raise SettingError(f"there is no folder {target.parent} for the backup")
    copy(connection, target)
    with closing(sqlite3.connect(target, isolation_level=None)) as other:
        other.execute("UPDATE facts SET value = lower(hex(randomblob(2))) WHERE name = 'tag'")
        other.execute("PRAGMA journal_mode = DELETE")  # one file, nothing beside it
