"""A session of the past whose books do not stand at whole bars: shown as it was recorded.

A terminal's stream would be cut into bars of a minute, most of them without a quote. So the rows
themselves are the bars, one after another, when market time reaches them. Everything after the feed
is the desk's own path.
"""

import math
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from desk.markets.boards import BarBoard
from desk.markets.market import Board, Mask
from desk.markets.recording import SafeRecording
from errors import DataError, SettingError
from feeds.chain import ChainDay
from feeds.live.live_feed import LiveFeed
from feeds.sessions import NANOSECONDS_A_MINUTE
from feeds.theta_simulator.clock import MarketClock
from feeds.underlying import OfficialClose
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


class RecordedMarket:
    """A `LiveMarket` of recorded rows. Nothing runs before `start`."""

    is_simulated = True
    advice = ""

    def __init__(
        self,
        day: ChainDay,
        label: str,
        settings: Settings,
        speed: float,
        start_ts: int | None,
        recording: SafeRecording | None,
        mask: Mask,
    ) -> None:
        """Plays `day` after `start_ts` (nanoseconds; None from the open).

        Raises `SettingError` for a speed that is not above 0.
        """
        if not speed > 0:
            raise SettingError(f"--speed {speed:g}: write a number above 0, or max")
        self.session, self.mask, self.day = day.session, mask, day
        self.label = label if mask.hides_date else f"{label}, {day.session.date}"
        self.is_accelerated = speed > 1
        self.bar_seconds = spacing_seconds(day)
        self.feed = LiveFeed(newest_only=False)
        if day.official_close is not None:
            self.feed.set_official_close(day.session, day.official_close, day.close_source)
        self.board: Board = BarBoard(self.feed, "recorded")
        self._speed, self._recording = speed, recording
        self._begin_ts = day.session.open_ns if start_ts is None else start_ts
        self._start_ts = start_ts
        self._clock = MarketClock(self._begin_ts, 0.0)
        self._held = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._play, name="recorded market", daemon=True)

    @property
    def line(self) -> str:
        """What the data is worth, in one line."""
        told = [f"recorded books, {self.day.recorded} of them"]
        if self._recording is not None and self._recording.problem:
            told.append(self._recording.problem)
        return "; ".join(told)

    def now(self) -> int:
        """Market time in nanoseconds since 1970 UTC; at the greatest speed that of the bar."""
        if not math.isinf(self._speed):
            return min(self._clock.now(), self.session.close_ns + 60 * NANOSECONDS_A_MINUTE)
        with suppress(DataError):
            return self.feed.snapshot().ts
        return self._begin_ts

    def hold(self, held: bool) -> None:
        """No faster than the wall while held; at the greatest speed not at all."""
        self._held = held
        if not math.isinf(self._speed):
            self._clock.set_speed(min(self._speed, 1.0) if held else self._speed)

    def start(self) -> None:
        """Let the bars come; once."""
        if self._thread.ident is None:
            if not math.isinf(self._speed):
                self._clock.set_speed(self._speed)
            self._thread.start()

    def close(self) -> None:
        """Stop, end the feed, and store what was recorded; idempotent."""
        if self._stopping.is_set():
            return
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(2.0)
        self.feed.end()
        if self._recording is not None:
            self._recording.finish(self._close_of_recording())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

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
        if math.isinf(self._speed):
            return not self._held
        return self._clock.now() >= ts

    def _close_of_recording(self) -> OfficialClose:
        with suppress(DataError):
            if self.feed.snapshot().ts >= self.session.close_ns:
                return OfficialClose(self.day.official_close, self.day.close_source)
        return OfficialClose(None)


def recording_in(folder: Path, day: ChainDay, settings: Settings) -> SafeRecording:
    """The recording of such a session, beside the run's other files."""
    spacing = np.median(np.diff(day.ts[: day.recorded])) if day.recorded > 1 else 60e9
    period = max(1, round(float(spacing) / 1e9))
    return SafeRecording(folder, day.session, period, "simulated", settings.rules.time_exit_minutes)
