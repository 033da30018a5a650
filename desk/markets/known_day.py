"""What the two markets share whose whole day is known before it is played."""

import math
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import Self

from desk.markets.market import Mask
from desk.markets.recording import SafeRecording
from desk.markets.since import MarketSince
from errors import DataError, SettingError
from feeds.chain import ChainDay
from feeds.live.live_feed import LiveFeed
from feeds.underlying import OfficialClose
from settings import SIMULATED, Settings

RECORDED = "recorded"
"""Folder of the run's own chain store."""

QUICK_CHECK_SECONDS = 0.02
"""Orders walk by market time: where that runs fast, the desk has to look more often."""


class KnownDayMarket(ABC):
    """One day at a speed of ours; subclasses make the bars. Nothing runs before they start.

    Attributes:
        day: all of the session: for a stand-in broker's quotes, never for a rule.
    """

    is_simulated = True
    advice = ""

    def __init__(
        self,
        day: ChainDay,
        label: str,
        settings: Settings,
        speed: float,
        start_ts: int | None,
        folder: Path | None,
        mask: Mask,
        bar_seconds: float,
    ) -> None:
        """Arguments as `desk.markets.simulated.mock_market`, with the usual length of a bar.

        Raises `SettingError` for a speed that is not above 0.
        """
        if not speed > 0:
            raise SettingError(f"--speed {speed:g}: write a number above 0, or max")
        self.day, self.session, self.mask = day, day.session, mask
        self.label = label if mask.hides_date else f"{label}, {day.session.date}"
        self.is_accelerated, self.bar_seconds = speed > 1, bar_seconds
        self.feed = LiveFeed(newest_only=False)
        if self.is_accelerated:
            self.feed.p.qcheck = QUICK_CHECK_SECONDS
        if day.official_close is not None:
            self.feed.set_official_close(day.session, day.official_close, day.close_source)
        self._speed, self._start_ts, self._is_closed = speed, start_ts, False
        self._since = MarketSince(self.now)
        self._recording: SafeRecording | None = None
        if folder is not None:
            period, exit_minutes = max(1, round(bar_seconds)), settings.rules.time_exit_minutes
            self._recording = SafeRecording(
                folder / RECORDED, day.session, period, SIMULATED, exit_minutes
            )

    @property
    def line(self) -> str:
        """What the data is worth now and since when, in one line."""
        recording = self._recording.problem if self._recording is not None else ""
        line = f"{self._data_line()}; {recording}" if recording else self._data_line()
        return self._since.told(line)

    def now(self) -> int:
        """Market time in nanoseconds since 1970 UTC; at the greatest speed that of the bar."""
        if not self._is_stepwise:
            return self._running_time()
        try:
            return self.feed.snapshot().ts
        except DataError:
            return self._begin_ts

    def close(self) -> None:
        """Stop, end the feed, and store what was recorded; idempotent."""
        if self._is_closed:
            return
        self._is_closed = True
        self._stop()
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

    @abstractmethod
    def _data_line(self) -> str:
        """What the data is worth, recording aside."""

    @abstractmethod
    def _running_time(self) -> int:
        """Market time at a finite speed, nanoseconds since 1970 UTC."""

    @abstractmethod
    def _stop(self) -> None:
        """End whatever makes bars."""

    @property
    def _is_stepwise(self) -> bool:
        return math.isinf(self._speed)

    @property
    def _begin_ts(self) -> int:
        """Where market time begins."""
        begin = self.session.open_ns if self._start_ts is None else self._start_ts
        return min(max(begin, self.session.open_ns), self.session.close_ns)

    def _close_of_recording(self) -> OfficialClose:
        """The day's official close, known once its closing bar was seen, by whichever process."""
        try:
            is_over = self.feed.snapshot().ts >= self.session.close_ns
        except DataError:
            is_over = self._begin_ts >= self.session.close_ns
        price = self.day.official_close if is_over else None
        return OfficialClose(price, self.day.close_source if price is not None else "")
