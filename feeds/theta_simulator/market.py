"""All sessions of a source as tapes, a few of them in memory."""

import threading
from collections import OrderedDict
from datetime import date, timedelta

from feeds.sessions import to_new_york
from feeds.source import ChainSource
from feeds.theta_simulator.tape import Tape, tape

KEPT = 4
MEMORY_DAYS = 7


class Market:
    """The tapes of a `ChainSource`. Safe to ask from any thread."""

    def __init__(self, source: ChainSource, zero_at_open: bool, spread_quotes: bool) -> None:
        """The two switches are those of `feeds.theta_simulator.tape.tape`."""
        self.symbol = source.underlying
        self.sessions = {one.date: one for one in source.sessions}
        self._source = source
        self._number = {one.date: i for i, one in enumerate(source.sessions)}
        self._switches = zero_at_open, spread_quotes
        self._lock = threading.Lock()
        self._kept: OrderedDict[date, Tape] = OrderedDict()

    def tape(self, day: date) -> Tape | None:
        """The tape of a date, None where the source has no session.

        Raises `DataError` where the source cannot be read.
        """
        if day not in self._number:
            return None
        with self._lock:
            if day not in self._kept:
                self._kept[day] = tape(self._source.load(self._number[day]), *self._switches)
            self._kept.move_to_end(day)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
            return self._kept[day]

    def begun(self, now: int) -> list[date]:
        """Dates of all sessions that have opened by `now` (nanoseconds), oldest first."""
        return [day for day, session in self.sessions.items() if session.open_ns <= now]

    def remembered(self, now: int, only_today: bool) -> list[date]:
        """Dates whose last quotes a snapshot at `now` (nanoseconds) may show, oldest first."""
        today = to_new_york(now).date()
        oldest = today if only_today else today - timedelta(days=MEMORY_DAYS)
        return [day for day in self.begun(now) if oldest <= day <= today]
