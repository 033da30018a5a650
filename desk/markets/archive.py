"""Recordings of earlier days, put in order at a start: crashed ones, and official closes due."""

from collections.abc import Callable
from datetime import date, timedelta

import numpy as np

from errors import DeskError
from feeds.live.recorder import SOURCE, SessionRecorder, recover
from feeds.manifest import StoredSession
from feeds.parquet_day import decode_day
from feeds.sessions import Floats, Nanoseconds, Session
from feeds.store import ChainStore, read_checked
from feeds.underlying import OfficialClose

CloseOf = Callable[[Session, Nanoseconds, Floats], OfficialClose]
"""The official close of a session, held against prices [N] at instants [N] of it."""

NO_CLOSE = "no official close"
"""The flag of a stored session that settles on nothing."""

ASKED_DAYS = timedelta(days=10)
"""Closes of sessions older than this are not asked for any more."""


def put_in_order(
    store: ChainStore, today: date, close_of: CloseOf, time_exit_minutes: float
) -> str:
    """Store what crashed processes left of earlier days, and ask for closes that are missing.

    What went wrong in one line, empty when nothing did; never an error.
    """
    nothing: tuple[Nanoseconds, Floats] = np.empty(0, np.int64), np.empty(0)
    try:
        done = recover(store, today, lambda one: close_of(one, *nothing), time_exit_minutes)
        problems = [f"{one.session.date}: {one.problem}" for one in done if one.problem]
        for entry in store.entries:
            if _lacks_close(entry, today):
                _complete(store, entry, close_of, time_exit_minutes)
    except (OSError, DeskError) as error:
        problems = [str(error)]
    return f"earlier recordings: {'; '.join(problems)}" if problems else ""


def _lacks_close(entry: StoredSession, today: date) -> bool:
    is_ours = entry.kind == SOURCE and NO_CLOSE in entry.facts.flags
    return is_ours and today - ASKED_DAYS <= entry.date < today


def _complete(
    store: ChainStore, entry: StoredSession, close_of: CloseOf, time_exit_minutes: float
) -> None:
    """Store the session again with its official close, if there is one now."""
    day = decode_day(read_checked(store.root, entry))
    close = close_of(day.session, day.ts[: day.recorded], day.spot[: day.recorded])
    if close.price is None:
        return
    facts = entry.facts
    recorder = SessionRecorder(
        store,
        day.session,
        facts.period_seconds,
        facts.underlying,
        time_exit_minutes=time_exit_minutes,
    )
    recorder.finish(close)
