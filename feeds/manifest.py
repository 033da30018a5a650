"""The table of contents of a chain store: `manifest.json`, one line a session.

It is written last and replaced as a whole, so that a reader sees the store before or after a
change, never between. The checksums in it decide which files are believed.
"""

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

from errors import DataError
from feeds.parquet_day import SessionFacts
from feeds.sessions import Session
from feeds.source import SkippedSession

MANIFEST = "manifest.json"
SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class StoredSession:
    """A file of the store: where it is, what is in it, and the checksum it must have.

    `path` is relative to the store; `range_pct` is how far spot went that day, (high - low) /
    first in percent.
    """

    facts: SessionFacts
    path: str
    size: int
    sha256: str
    snapshots: int
    contracts: int
    range_pct: float

    @property
    def date(self) -> date:
        """The day of the session."""
        return date.fromisoformat(self.facts.date)

    @property
    def session(self) -> Session:
        """The trading day."""
        return self.facts.session

    @property
    def kind(self) -> str:
        """First word of the source: recorded, downloaded, imported or simulated."""
        return self.facts.source.split()[0]


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a store holds and what it had to leave out; `skipped` is keyed (underlying, date)."""

    sessions: dict[str, StoredSession]
    skipped: dict[tuple[str, date], SkippedSession]


def read_manifest(root: Path) -> Manifest:
    """The manifest of the store at `root`; an empty one where there is none yet.

    Raises `DataError` where the file is damaged.
    """
    path = root / MANIFEST
    try:
        content = json.loads(path.read_text("utf-8"))
        if content["schema_version"] != SCHEMA_VERSION:
            raise ValueError(f"schema {content['schema_version']} is of another version")
        sessions = [_stored(fields) for fields in content["sessions"]]
        skipped = dict(_skipped(fields) for fields in content["skipped"])
    except FileNotFoundError:
        return Manifest({}, {})
    except OSError as error:  # its content may be good: never advise to delete it
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} is damaged ({error!r}): delete it and import again") from error
    return Manifest({stored.path: stored for stored in sessions}, skipped)


def write_manifest(root: Path, manifest: Manifest) -> None:
    """Replace the manifest of the store at `root`, sorted so that equal stores are equal files."""
    sessions = [asdict(manifest.sessions[path]) for path in sorted(manifest.sessions)]
    skipped = [
        {
            "underlying": underlying,
            "date": day.isoformat(),
            "reason": entry.reason,
            "range_pct": entry.range_pct,
        }
        for (underlying, day), entry in sorted(manifest.skipped.items())
    ]
    text = (
        f'{{"schema_version": {SCHEMA_VERSION},\n'
        f'"sessions": [\n{_lines(sessions)}\n],\n"skipped": [\n{_lines(skipped)}\n]}}\n'
    )
    write_atomically(root / MANIFEST, text.encode())


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that it is there in full or not at all, also after a power cut."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _lines(entries: Iterable[dict[str, Any]]) -> str:
    return ",\n".join(json.dumps(entry) for entry in entries)


def _stored(fields: dict[str, Any]) -> StoredSession:
    facts = fields["facts"] | {"flags": tuple(fields["facts"]["flags"])}
    return StoredSession(**(fields | {"facts": SessionFacts(**facts)}))


def _skipped(fields: dict[str, Any]) -> tuple[tuple[str, date], SkippedSession]:
    day = date.fromisoformat(fields["date"])
    return (fields["underlying"], day), SkippedSession(day, fields["reason"], fields["range_pct"])
