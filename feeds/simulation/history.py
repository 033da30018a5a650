"""The chain of days behind a simulated day.

A price must go on where it stopped, so the days of a seed are walked once from a fixed first date.
Only what a day inherits is kept; its path is walked again when it is asked for. So a day is the
same in whichever range it is asked for.
"""

from datetime import date
from functools import cache, lru_cache
from threading import Lock

import numpy as np

from errors import DataError
from feeds.sessions import Session, sessions_between
from feeds.simulation import calibration as figures
from feeds.simulation.paths import Climate, DayPath, walk_day

FIRST_DATE, LAST_DATE = date(2021, 1, 4), date(2027, 12, 31)


class History:
    """The walk of one seed through all sessions since the first date; safe across threads."""

    def __init__(self, seed: int) -> None:
        """Nothing is walked yet."""
        self._seed = seed
        self._sessions, self._index = _calendar()
        self._before = [Climate(float(np.log(figures.LINE_DOLLARS[0])), 0.0)]
        self._lock = Lock()

    def path(self, session: Session) -> DayPath:
        """The path of a session: a fraction of a millisecond a day not yet walked, and its own.

        Raises `DataError` outside 2021 to 2027.
        """
        index = self._index.get(session.date)
        if index is None:
            raise DataError(
                f"{session.date} cannot be simulated: choose sessions from {FIRST_DATE} "
                f"to {LAST_DATE}"
            )
        with self._lock:
            while len(self._before) <= index:
                past = self._sessions[len(self._before) - 1]
                self._before.append(walk_day(past, self._before[-1], self._seed).after)
        return walk_day(session, self._before[index], self._seed)


@cache
def _calendar() -> tuple[list[Session], dict[date, int]]:
    """All sessions that can be simulated, and where each stands."""
    sessions = sessions_between(FIRST_DATE, LAST_DATE)
    return sessions, {session.date: i for i, session in enumerate(sessions)}


@lru_cache(maxsize=8)
def history(seed: int) -> History:
    """The one history of a seed, shared by all markets made from it."""
    return History(seed)
