"""A session of the past whose books do not stand at whole bars: shown as it was recorded.

A terminal's stream would be cut into bars of a minute, most of them without a quote. So the rows
themselves are the bars, one after another, when market time reaches them. Everything after the feed
is the desk's own path.
"""

import math
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from desk.markets.boards import BarBoard
from desk.markets.known_day import KnownDayMarket
from desk.markets.market import Board, Mask
from feeds.chain import ChainDay
from feeds.sessions import NANOSECONDS_A_MINUTE
from feeds.theta_simulator.clock import MarketClock
from settings import Settings

LOOK_SECONDS = 0.02
"""The longest wait between two looks at the clock."""


def stands_at_bars(day: ChainDay, period_seconds: int) -> bool:
    """Whether every recorded row stands at a whole period after the open, hardly any missing."""
    since = day.ts[: day.recorded] - day.session.open_ns
    period = period_seconds * 1_000_000_000
    whole = (since % period == 0) | (day.ts[: day.recorded] == day.session.close_ns)
    spacing = np.median(np.diff(since)) if since.size > 1 else math.inf
    return bool(whole.all() and spacing <= period)


def spacing_seconds(day: ChainDay) -> float:
    """Median seconds between recorded rows; a minute where there are not two."""
    ts = day.ts[: day.recorded]
    return float(np.median(np.diff(ts))) / 1e9 if ts.size > 1 else 60.0


class RecordedMarket(KnownDayMarket):
    """A `LiveMarket` of recorded rows."""

    def __init__(
        self,
        day: ChainDay,
        label: str,
        settings: Settings,
        speed: float,
        start_ts: int | None,
        folder: Path | None,
        mask: Mask,
    ) -> None:
        """Plays `day` after `start_ts`; arguments and errors as `KnownDayMarket`."""
        super().__init__(day, label, settings, speed, start_ts, folder, mask, spacing_seconds(day))
        self.board: Board = BarBoard(self.feed, "recorded")
        self._clock = MarketClock(self._begin_ts, 0.0)
        self._held = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._play, name="recorded market", daemon=True)

    def hold(self, held: bool) -> None:
        """No faster than the wall while held; at the greatest speed not at all."""
        self._held = held
        if not self._is_stepwise:
            self._clock.set_speed(min(self._speed, 1.0) if held else self._speed)

    def start(self) -> None:
        """Let the bars come; once."""
        if self._thread.ident is None:
            if not self._is_stepwise:
                self._clock.set_speed(self._speed)
            self._thread.start()

    def _data_line(self) -> str:
        return f"recorded books, {self.day.recorded} of them"

    def _running_time(self) -> int:
        return min(self._clock.now(), self.session.close_ns + 60 * NANOSECONDS_A_MINUTE)

    def _stop(self) -> None:
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(2.0)

    def _play(self) -> None:
        """The market's thread: each row when its time has come and the one before was taken."""
        for row in self._rows():
            while not self._is_due(int(row.ts[0])):
                if self._stopping.wait(LOOK_SECONDS if self.feed.waiting == 0 else 0.001):
                    return
            if self._recording is not None:
                self._recording.add(row)
            self.feed.put(row)

    def _rows(self) -> Iterator[ChainDay]:
        for t in range(len(self.day)):
            if self._start_ts is None or self.day.ts[t] > self._start_ts:
                yield replace(self.day.row(t), recorded=int(t < self.day.recorded))

    def _is_due(self, ts: int) -> bool:
        if self.feed.waiting:
            return False
        if self._is_stepwise:
            return not self._held
        return self._clock.now() >= ts
