"""The recording of a live session. It may fail; the market does not stop for that."""

from datetime import datetime
from pathlib import Path

import numpy as np

from errors import DeskError
from feeds.chain import ChainDay
from feeds.live.recorder import SOURCE, Recording, SessionRecorder
from feeds.sessions import NEW_YORK, Floats, Nanoseconds, Session
from feeds.store import ChainStore
from feeds.underlying import OfficialClose

LAST_ROWS = 5
"""So many last prices are kept, to hold an official close against."""


class SafeRecording:
    """A `SessionRecorder` that tells of its failures instead of raising them."""

    def __init__(
        self,
        folder: Path,
        session: Session,
        period_seconds: int,
        source: str = SOURCE,
        time_exit_minutes: float = 15.0,
    ) -> None:
        """Records `session` into the chain store at `folder`; arguments as `SessionRecorder`."""
        self.store = ChainStore(folder)
        self.session = session
        self.done: Recording | None = None
        self._terms = period_seconds, source, time_exit_minutes
        self._recorder: SessionRecorder | None = None
        self._lost = 0
        self._problem = ""
        self._last: list[tuple[int, float]] = []
        self._open()

    @property
    def problem(self) -> str:
        """What was lost and since when, in one line; empty when all is well."""
        lost = f"{self._lost} bars not recorded: " if self._lost else ""
        return f"recording: {lost}{self._problem}" if self._problem else ""

    @property
    def last_prices(self) -> tuple[Nanoseconds, Floats]:
        """Instants and spot of the last rows."""
        ts, spot = [ts for ts, _ in self._last], [spot for _, spot in self._last]
        return np.array(ts, np.int64), np.array(spot, float)

    def add(self, row: ChainDay) -> None:
        """Record a row; in the market's thread."""
        if row.ts[0] < row.session.close_ns:
            self._last = [*self._last[1 - LAST_ROWS :], (int(row.ts[0]), float(row.spot[0]))]
        if self._recorder is None:
            self._open()
        try:
            if self._recorder is not None:
                self._recorder.add(row)
                return
        except (OSError, DeskError) as error:
            self._fail(error)
        self._lost += 1

    def finish(self, close: OfficialClose) -> None:
        """Put the session into the store; once the market's thread has ended."""
        if self._recorder is None:
            return
        try:
            self.done = self._recorder.finish(close)
        except (OSError, DeskError) as error:
            self._fail(error)

    def _open(self) -> None:
        period, source, time_exit = self._terms
        try:
            self._recorder = SessionRecorder(
                self.store, self.session, period, source=source, time_exit_minutes=time_exit
            )
        except (OSError, DeskError) as error:
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        if not self._problem:
            self._problem = f"{error} (since {datetime.now(NEW_YORK):%H:%M:%S})"
