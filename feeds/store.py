"""The chain store: a folder of Parquet files, one a session, with a manifest and checksums.

    DIR/manifest.json
    DIR/SPY/2026/SPY_2026-07-17_imported_5m.parquet

A session may be there more than once, from several sources or at several periods; a selection
takes one that is not thin, of those the best source, and of that the file with the most snapshots.
Files are read through their checksum: a damaged one is named and left out, and never spoils the
others.
"""

import hashlib
import re
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from errors import DataError
from feeds.chain import ChainDay
from feeds.manifest import (
    MANIFEST,
    Manifest,
    StoredSession,
    read_manifest,
    write_atomically,
    write_manifest,
)
from feeds.parquet_day import decode_clock, decode_day, encode_day, session_facts
from feeds.sessions import Floats, Nanoseconds, Session, sessions_between
from feeds.source import SkippedSession

SOURCES = ("recorded", "downloaded", "imported", "simulated")
"""Kinds of sources, the one believed most first."""


class ChainStore:
    """A store of option chains at `root`, for one writer and any number of readers.

    Args:
        root: its folder; made by the first write.
        year_convention: given to every day that is loaded; files do not depend on it.
        prefer: kinds of sources, best first, for sessions that are stored more than once.
    """

    def __init__(
        self, root: Path, year_convention: str = "calendar", prefer: Sequence[str] = SOURCES
    ) -> None:
        """Opens nothing yet: the manifest is read when it is needed."""
        self.root = Path(root)
        self.year_convention = year_convention
        self.prefer = tuple(prefer)
        self._seen: tuple[int, int] | None = None
        self._known = Manifest({}, {})

    @property
    def entries(self) -> list[StoredSession]:
        """All stored files by path. Raises `DataError` where the manifest is damaged."""
        return sorted(self._manifest().sessions.values(), key=lambda stored: stored.path)

    @property
    def skipped(self) -> list[SkippedSession]:
        """Sessions that had to be left out and are not stored by any other source."""
        return [entry for _, entry in sorted(self._manifest().skipped.items())]

    def write(self, day: ChainDay, period_seconds: int) -> StoredSession:
        """Store the recorded rows of `day`, replacing the same session, source and period.

        Args:
            day: the session; the closing row added by `chain_day` is not written.
            period_seconds: usual spacing of its snapshots, 0 where there is only one.

        Raises `DataError` where the day cannot be stored (see `feeds.parquet_day.encode_day`).
        """
        facts = session_facts(day, period_seconds)
        path = _relative_path(day, period_seconds)
        content = encode_day(day, facts)
        digest = hashlib.sha256(content).hexdigest()
        stored = StoredSession(
            facts=facts,
            path=path,
            size=len(content),
            sha256=digest,
            snapshots=day.recorded,
            contracts=2 * day.strikes.size,
            range_pct=_range_pct(day.spot[: day.recorded]),
        )
        write_atomically(self.root / path, content)
        known = self._manifest()
        skipped = dict(known.skipped)
        skipped.pop((day.underlying, day.session.date), None)
        self._save(Manifest(known.sessions | {path: stored}, skipped))
        return stored

    def skip(
        self, day: date, reason: str, range_pct: float | None = None, underlying: str = "SPY"
    ) -> None:
        """Remember that a session could not be stored, why, and how wild the day was (percent).

        A session that another source or an earlier attempt has stored is not skipped.
        """
        known, entry = self._manifest(), SkippedSession(day, reason, range_pct)
        there = {(one.facts.underlying, one.date) for one in known.sessions.values()}
        if (underlying, day) not in there:
            self._save(Manifest(known.sessions, known.skipped | {(underlying, day): entry}))

    def select(
        self, first: date | None = None, last: date | None = None, underlying: str = "SPY"
    ) -> "StoreSource":
        """The sessions from `first` to `last` (both included, None is the store's own end).

        Files that are missing, cut short or damaged move to `skipped` of the result. Raises
        `DataError` where not one session remains.
        """
        held = [entry for entry in self.entries if entry.facts.underlying == underlying]
        if not held:
            raise DataError(f"no session of {underlying} is stored in {self.root}: import some")
        best = self._best(held, first or date.min, last or date.max)
        if not best:
            raise DataError(self._nothing_between(held, first, last, underlying))
        broken = {day: reason for day, one in best.items() if (reason := self._damage(one))}
        if len(broken) == len(best):
            raise DataError(f"{self.root}: no session can be read: {next(iter(broken.values()))}")
        left_out = [
            entry
            for (symbol, day), entry in self._manifest().skipped.items()
            if symbol == underlying and (first or date.min) <= day <= (last or date.max)
        ]
        unreadable = [
            SkippedSession(day, reason, best[day].range_pct) for day, reason in broken.items()
        ]
        chosen = [one for day, one in sorted(best.items()) if day not in broken]
        skipped = sorted(left_out + unreadable, key=lambda entry: entry.date)
        return StoreSource(self.root, underlying, self.year_convention, chosen, skipped)

    def _best(
        self, held: Sequence[StoredSession], first: date, last: date
    ) -> dict[date, StoredSession]:
        ranks = {kind: rank for rank, kind in enumerate(self.prefer)}

        def worth(one: StoredSession) -> tuple[bool, int, int, str]:
            whole = "thin" not in one.facts.flags  # half a recorded day is worse than a whole one
            return whole, -ranks.get(one.kind, len(ranks)), one.snapshots, one.path

        best: dict[date, StoredSession] = {}
        for one in sorted(held, key=worth):
            if first <= one.date <= last:
                best[one.date] = one
        return best

    def _damage(self, stored: StoredSession) -> str:
        try:
            read_checked(self.root, stored)
        except DataError as error:
            return str(error)
        return ""

    def _nothing_between(
        self,
        held: Sequence[StoredSession],
        first: date | None,
        last: date | None,
        underlying: str,
    ) -> str:
        days = sorted({entry.date for entry in held})
        holds = f"{self.root} holds {len(days)} sessions of {underlying}, {days[0]} to {days[-1]}"
        if first and last:
            open_days = sessions_between(first, last)
            closed = "" if open_days else " (the New York Stock Exchange is closed)"
            return f"no session from {first} to {last}{closed}: {holds}"
        return f"no session {f'from {first} on' if first else f'up to {last}'}: {holds}"

    def _manifest(self) -> Manifest:
        stamp = self._stamp()
        if stamp != self._seen:
            self._known, self._seen = read_manifest(self.root), stamp
        return self._known

    def _save(self, manifest: Manifest) -> None:
        write_manifest(self.root, manifest)
        self._known, self._seen = manifest, self._stamp()

    def _stamp(self) -> tuple[int, int] | None:
        try:
            status = (self.root / MANIFEST).stat()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise DataError(f"{self.root / MANIFEST} cannot be read: {error.strerror}") from error
        return status.st_mtime_ns, status.st_ino


class StoreSource:
    """Sessions of a store, oldest first, loaded one at a time (a `feeds.source.ChainSource`)."""

    def __init__(
        self,
        root: Path,
        underlying: str,
        year_convention: str,
        stored: Sequence[StoredSession],
        skipped: Sequence[SkippedSession],
    ) -> None:
        """Made by `ChainStore.select`."""
        self.underlying = underlying
        self.stored = list(stored)
        self.skipped: Sequence[SkippedSession] = list(skipped)
        self.sessions: Sequence[Session] = [one.session for one in stored]
        self.label = " and ".join(sorted({one.kind for one in stored}))
        self._root = root
        self._year_convention = year_convention

    def clock(self, index: int) -> tuple[Nanoseconds, Floats]:
        """Recorded instants int64 [T] (nanoseconds) and spot [T] (dollars) of a session.

        The checksum was proved by the selection and is proved again by `load`, not here. Raises
        `DataError` where the file cannot be read.
        """
        return decode_clock(_read(self._root, self.stored[index]))

    def load(self, index: int) -> ChainDay:
        """The whole session. Raises `DataError` where the file changed since it was selected."""
        content = read_checked(self._root, self.stored[index])
        return decode_day(content, self._year_convention)


def read_checked(root: Path, stored: StoredSession) -> bytes:
    """The bytes of a stored file, or `DataError` naming it where they are not those written."""
    content = _read(root, stored)
    if not content:
        raise DataError(f"{stored.path} is empty")
    if len(content) < stored.size:
        raise DataError(f"{stored.path} is cut short ({len(content)} of {stored.size} bytes)")
    if hashlib.sha256(content).hexdigest() != stored.sha256:
        raise DataError(f"{stored.path} is damaged (its checksum is not the manifest's)")
    return content


def period_name(seconds: int) -> str:
    """A period as people write it: 1s, 90s, 1m, 5m, 1h; `single` where it is unknown (0)."""
    for length, unit in ((3600, "h"), (60, "m"), (1, "s")):
        if seconds and seconds % length == 0:
            return f"{seconds // length}{unit}"
    return "single"


def _read(root: Path, stored: StoredSession) -> bytes:
    try:
        return (root / stored.path).read_bytes()
    except OSError as error:
        raise DataError(f"{stored.path} cannot be read ({error.strerror})") from error


def _range_pct(spot: Floats) -> float:
    """(High - low) / first in percent, to the hundredth."""
    return round(float((spot.max() - spot.min()) / spot[0] * 100), 2)


def _relative_path(day: ChainDay, period_seconds: int) -> str:
    kind, session = day.source.split()[0], day.session.date
    if not re.fullmatch(r"[\w^][\w.-]*", day.underlying) or not re.fullmatch(r"[\w-]+", kind):
        raise DataError(f"{day.underlying!r} of {day.source!r} cannot be a file name")
    name = f"{day.underlying}_{session}_{kind}_{period_name(period_seconds)}.parquet"
    return f"{day.underlying}/{session.year}/{name}"
