"""Every live session goes into the chain store, so that each day can be backtested that night.

Rows go to a file of their own first (`feeds.live.row_file`), in the store's folder `.recording`;
at the end of the session, or when the desk is stopped, they become a session of the store. What a
killed process left there is appended to when the same session is recorded again, and put into the
store by `recover` otherwise. A session that is stored in part already is merged, never replaced.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np

from errors import DataError
from feeds.chain import ChainDay, chain_day
from feeds.data_quality import thinness
from feeds.live.row_file import RecordedRow, RowFile, RowLock, read_rows
from feeds.manifest import StoredSession
from feeds.parquet_day import decode_day
from feeds.sessions import FULL_DAY_MINUTES, Session, session_on
from feeds.store import ChainStore, read_checked
from feeds.underlying import OfficialClose

FOLDER = ".recording"
SOURCE = "recorded"
UNKNOWN_CLOSE = OfficialClose(None)


@dataclass(frozen=True, slots=True)
class Recording:
    """What became of the rows of a session.

    Attributes:
        session: the trading day.
        stored: its entry in the store; None where there was not one row to store.
        rows: snapshots in the store now, those of earlier parts included.
        merged: of them, those that were stored before.
        unpriced: rows left out because nothing told spot.
        off_cent: quotes left out because their price is no whole number of cents.
        torn_bytes: end of the file that a crash left unreadable: the row it was writing.
        problem: why an earlier part could not be merged; empty mostly.
    """

    session: Session
    stored: StoredSession | None
    rows: int = 0
    merged: int = 0
    unpriced: int = 0
    off_cent: int = 0
    torn_bytes: int = 0
    problem: str = ""


class SessionRecorder:
    """Records one session. Use it in the thread that makes the rows; call `finish` at the end."""

    def __init__(
        self,
        store: ChainStore,
        session: Session,
        period_seconds: int,
        underlying: str = "SPY",
        source: str = SOURCE,
        time_exit_minutes: float = 15.0,
    ) -> None:
        """Goes on where an earlier process of the same session stopped.

        Raises `DataError` where another process records it.

        Args:
            store: where the session will be.
            session: the trading day.
            period_seconds: spacing of the rows.
            underlying: symbol.
            source: kind of source in the store; "simulated" where the market is.
            time_exit_minutes: a recording that ends longer than this before the close is thin.
        """
        self.store = store
        self.session = session
        self._terms = _Terms(underlying, source, session.date, period_seconds)
        self._time_exit_minutes = time_exit_minutes
        self._file = RowFile(self._terms.path(store.root))

    def add(self, row: ChainDay) -> None:
        """Write a row (`ChainBook.snapshot`); one that is not of the market is left out.

        Rows of another session are refused with `DataError`.
        """
        if row.session != self.session:
            raise DataError(f"a row of {row.session.date} is no part of {self.session.date}")
        if row.recorded:
            self._file.append(row)

    def finish(self, close: OfficialClose = UNKNOWN_CLOSE) -> Recording:
        """Put the session into the store and delete the file; twice does no harm.

        Without an official close the session is stored too; a later `finish` may bring it.
        """
        self._file.seal()
        try:
            done = _assemble(self.store, self._terms, close, self._time_exit_minutes)
        finally:
            self._file.close()
        return replace(done, off_cent=self._file.off_cent, torn_bytes=self._file.torn_bytes)

    def close(self) -> None:
        """Close the file and leave it for `recover`."""
        self._file.close()


def recover(
    store: ChainStore,
    before: date,
    close_of: Callable[[Session], OfficialClose] = lambda session: UNKNOWN_CLOSE,
    time_exit_minutes: float = 15.0,
) -> list[Recording]:
    """Put every session before a day into the store that a crash left in files; oldest first.

    A session of the day itself is gone on with by its `SessionRecorder`. `close_of` gives the
    official close of a session that is over.
    """
    files = sorted((store.root / FOLDER).glob("*.rows"))
    named = [terms for terms in map(_Terms.of, files) if terms is not None]
    found = [terms for terms in named if terms.day < before]
    done = []
    for terms in sorted(found, key=lambda terms: terms.day):
        try:
            lock = RowLock(terms.path(store.root))
        except DataError:  # whoever records it will put it into the store
            continue
        try:
            close = close_of(session_on(terms.day))
            done.append(_assemble(store, terms, close, time_exit_minutes))
        finally:
            lock.release()
    return done


@dataclass(frozen=True, slots=True)
class _Terms:
    """What the name of a file says."""

    underlying: str
    source: str
    day: date
    period_seconds: int

    @classmethod
    def of(cls, path: Path) -> "_Terms | None":
        match = re.fullmatch(r"(.+)_([\w-]+)_(\d{4}-\d\d-\d\d)_(\d+)s", path.stem)
        if match is None:
            return None
        return cls(match[1], match[2], date.fromisoformat(match[3]), int(match[4]))

    def path(self, root: Path) -> Path:
        name = f"{self.underlying}_{self.source}_{self.day}_{self.period_seconds}s.rows"
        return root / FOLDER / name


def _assemble(
    store: ChainStore, terms: _Terms, close: OfficialClose, time_exit_minutes: float
) -> Recording:
    """The rows of a file, and those that are stored already, as one session of the store."""
    session, path = session_on(terms.day), terms.path(store.root)
    read = read_rows(path)
    priced = [row for row in read.rows if np.isfinite(row.spot) and row.strikes.size]
    earlier, problem = _stored_part(store, terms)
    by_ts = {row.ts: row for row in (*_rows_of(earlier), *priced)}
    stored = None
    if by_ts and (priced or close.price is not None):
        known = close if close.price is not None or earlier is None else _close_of(earlier)
        day = _merged(session, terms, [by_ts[ts] for ts in sorted(by_ts)], known)
        stored = store.write(_flagged(day, time_exit_minutes), terms.period_seconds)
    path.unlink(missing_ok=True)
    return Recording(
        session=session,
        stored=stored,
        rows=len(by_ts),
        merged=0 if earlier is None else earlier.recorded,
        unpriced=len(read.rows) - len(priced),
        torn_bytes=read.torn_bytes,
        problem=problem,
    )


def _stored_part(store: ChainStore, terms: _Terms) -> tuple[ChainDay | None, str]:
    """What is stored of the session already, and why it cannot be used if so."""
    wanted = terms.source, terms.underlying, terms.day, terms.period_seconds
    for entry in store.entries:
        facts = entry.facts
        if (entry.kind, facts.underlying, entry.date, facts.period_seconds) == wanted:
            try:
                return decode_day(read_checked(store.root, entry)), ""
            except DataError as error:
                return None, str(error)
    return None, ""


def _rows_of(day: ChainDay | None) -> list[RecordedRow]:
    if day is None:
        return []
    return [
        RecordedRow(
            int(day.ts[t]),
            float(day.spot[t]),
            float(day.underlying_bid[t]),
            float(day.underlying_ask[t]),
            day.spot_source,
            day.strikes,
            day.bid[t],
            day.ask[t],
            day.bid_size[t],
            day.ask_size[t],
        )
        for t in range(day.recorded)
    ]


def _close_of(day: ChainDay) -> OfficialClose:
    return OfficialClose(day.official_close, day.close_source)


def _merged(
    session: Session, terms: _Terms, rows: Sequence[RecordedRow], close: OfficialClose
) -> ChainDay:
    """Rows as a day; a strike that was listed later has no quotes before."""
    strikes = np.unique(np.concatenate([row.strikes for row in rows]))
    shape = (len(rows), 2, strikes.size)
    bid, ask = np.full(shape, np.nan), np.full(shape, np.nan)
    bid_size, ask_size = np.zeros(shape, np.int32), np.zeros(shape, np.int32)
    for t, row in enumerate(rows):
        place = np.searchsorted(strikes, row.strikes)
        bid[t][:, place], ask[t][:, place] = row.bid, row.ask
        bid_size[t][:, place], ask_size[t][:, place] = row.bid_size, row.ask_size
    sources = dict.fromkeys(name for row in rows for name in row.spot_source.split(" + "))
    return chain_day(
        session=session,
        underlying=terms.underlying,
        ts=np.array([row.ts for row in rows], np.int64),
        spot=np.array([row.spot for row in rows]),
        underlying_bid=np.array([row.underlying_bid for row in rows]),
        underlying_ask=np.array([row.underlying_ask for row in rows]),
        strikes=strikes,
        bid=bid,
        ask=ask,
        bid_size=bid_size,
        ask_size=ask_size,
        source=terms.source,
        spot_source=" + ".join(sources),
        official_close=close.price,
        close_source=close.source,
    )


def _flagged(day: ChainDay, time_exit_minutes: float) -> ChainDay:
    flags = {
        "thin": bool(thinness(day, time_exit_minutes)),
        "half day": day.session.minutes < FULL_DAY_MINUTES,
        "no official close": day.official_close is None,
    }
    return replace(day, flags=tuple(name for name, raised in flags.items() if raised))
