"""Sessions of same-day options from Theta into the chain store, many at a time.

Threads ask for sessions and put them together; the caller's thread writes what is finished, one
file after the other, so that an interruption at any instant leaves whole sessions and nothing
else. What is stored, and what Theta has no data of, is not asked for again.
"""

import queue
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path

import numpy as np

from errors import DataError, NoSubscriptionError
from feeds.data_quality import SessionQuality
from feeds.manifest import StoredSession
from feeds.sessions import NEW_YORK, Session, sessions_between
from feeds.source import SkippedSession
from feeds.store import ChainStore
from feeds.theta.rest import ThetaRest
from feeds.theta.session_quotes import NO_DATA, SOURCE, DayPrices, SessionOutcome

PERIODS = {
    "1s": 1,
    "5s": 5,
    "10s": 10,
    "15s": 15,
    "30s": 30,
    "1m": 60,
    "5m": 300,
    "10m": 600,
    "15m": 900,
    "30m": 1800,
    "1h": 3600,
}
"""Seconds of the intervals that can be stored."""

DAY_READY, NIGHT_OVER = time(17, 30), time(2, 0)
"""New York. Theta makes its official prices at 17:15, and has none of the day before from midnight
to 01:45."""

LONGEST_RANGE = timedelta(days=364)
"""From the first to the last of the 365 days that one request for official prices may span."""


@dataclass(frozen=True, slots=True)
class DownloadPlan:
    """What a range of dates comes to.

    Attributes:
        wanted: the sessions to ask for, oldest first.
        stored: how many are in the store already.
        empty: how many Theta is known to have no data of.
        unlisted: trading days on which no option of the symbol expires.
        unfinished: sessions that are not over yet, or that Theta is still working on.
    """

    wanted: Sequence[Session]
    stored: int
    empty: int
    unlisted: int
    unfinished: Sequence[date]


@dataclass(frozen=True, slots=True)
class SessionReport:
    """What became of a session: stored with this quality, or skipped; `dropped` counts quotes."""

    quality: SessionQuality | None
    skipped: SkippedSession | None
    dropped: Mapping[str, int]


def plan_download(
    rest: ThetaRest,
    store: ChainStore,
    symbol: str,
    first: date,
    last: date,
    period: int,
    now: datetime,
) -> DownloadPlan:
    """What to ask for from `first` to `last`, both included.

    Args:
        rest: the terminal, for its list of expirations.
        store: where sessions go.
        symbol: the underlying.
        first, last: dates.
        period: spacing in seconds; a session stored at another one is asked for again.
        now: tz-aware.

    Raises `DataError` where the exchange does not open in the range, `FeedError` as `rest` does.
    """
    sessions = sessions_between(first, last)
    if not sessions:
        raise DataError(f"the exchange does not open from {first} to {last}")
    ready = [session for session in sessions if _is_ready(session, now)]
    expirations = set(rest.expirations(symbol)) if ready else set()
    listed = [session for session in ready if session.date in expirations]
    stored = {one.date for one in store.entries if _is_download(one, symbol, period, store.root)}
    empty = {one.date for one in store.skipped if one.reason == NO_DATA}
    there = [one for one in listed if one.date in stored]
    nothing = [one for one in listed if one.date in empty - stored]
    return DownloadPlan(
        wanted=[one for one in listed if one.date not in stored | empty],
        stored=len(there),
        empty=len(nothing),
        unlisted=len(ready) - len(listed),
        unfinished=[one.date for one in sessions if one not in set(ready)],
    )


def official_prices(rest: ThetaRest, symbol: str, first: date, last: date) -> dict[date, DayPrices]:
    """Official closes and ranges by date, none where the account may not see them."""
    prices: dict[date, DayPrices] = {}
    while first <= last:
        until = min(last, first + LONGEST_RANGE)
        try:
            table = rest.stock_days(symbol, first, until)
        except NoSubscriptionError:
            return prices
        ranges = (table.high - table.low) / table.open * 100
        for day, close, ranged in zip(table.date, table.close, ranges, strict=True):
            if np.isfinite(close):
                prices[day] = DayPrices(close, float(ranged) if np.isfinite(ranged) else None)
        first = until + timedelta(days=1)
    return prices


def download(
    read: Callable[[Session], SessionOutcome],
    sessions: Sequence[Session],
    store: ChainStore,
    symbol: str,
    period: int,
    workers: int,
) -> Iterator[SessionReport]:
    """Sessions as they are finished, each of them in the store or in its list of skipped ones.

    Args:
        read: asks for one session, from several threads at once.
        sessions: which ones.
        store: where they go; nobody else may write to it meanwhile.
        symbol: the underlying.
        period: spacing in seconds.
        workers: how many to ask for at a time.

    Raises what `read` raises. What was yielded before is stored for good.
    """
    for leftover in store.root.rglob(".*.tmp"):  # of a writer that was killed
        leftover.unlink()
    crew = _Crew(read, sessions, workers)
    try:
        for outcome in crew.outcomes():
            found, skipped = outcome.found, outcome.skipped
            if found is not None:
                store.write(found.day, period)
            if skipped is not None:
                store.skip(skipped.date, skipped.reason, skipped.range_pct, symbol)
            yield SessionReport(found.quality if found else None, skipped, outcome.dropped)
    finally:
        crew.stop()


class _Crew:
    """Threads that read sessions, at most two each ahead of who takes the outcomes.

    They are daemons: a request that hangs must not keep an interrupted program alive.
    """

    def __init__(
        self,
        read: Callable[[Session], SessionOutcome],
        sessions: Sequence[Session],
        workers: int,
    ) -> None:
        self._read = read
        self._count = len(sessions)
        self._pending: queue.SimpleQueue[Session] = queue.SimpleQueue()
        for session in sessions:
            self._pending.put(session)
        self._done: queue.SimpleQueue[SessionOutcome | Exception] = queue.SimpleQueue()
        self._room = threading.Semaphore(2 * workers)
        self._stopping = threading.Event()
        self._workers = min(workers, self._count)
        for number in range(self._workers):
            threading.Thread(target=self._work, name=f"download-{number}", daemon=True).start()

    def outcomes(self) -> Iterator[SessionOutcome]:
        """One for each session, in the order they are finished."""
        for _ in range(self._count):
            outcome = self._done.get()
            if isinstance(outcome, Exception):
                raise outcome
            yield outcome
            self._room.release()

    def stop(self) -> None:
        """Begin no other session."""
        self._stopping.set()
        self._room.release(max(1, self._workers))

    def _work(self) -> None:
        while True:
            self._room.acquire()
            try:
                session = self._pending.get_nowait()
            except queue.Empty:
                return
            if self._stopping.is_set():
                return
            try:
                self._done.put(self._read(session))
            except Exception as error:  # it belongs to who takes the outcomes
                self._done.put(error)
                return


def _is_ready(session: Session, now: datetime) -> bool:
    """Whether Theta has all of the session, its official close included."""
    local = now.astimezone(NEW_YORK)
    if local < datetime.combine(session.date, DAY_READY, NEW_YORK):
        return False
    night_after = local.date() == session.date + timedelta(days=1) and local.time() < NIGHT_OVER
    return not night_after


def _is_download(one: StoredSession, symbol: str, period: int, root: Path) -> bool:
    """Whether a file of the store is this download's and is there in full."""
    facts, path = one.facts, root / one.path
    wanted = facts.underlying == symbol and one.kind == SOURCE and facts.period_seconds == period
    return wanted and path.is_file() and path.stat().st_size == one.size
