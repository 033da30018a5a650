"""Markets whose time is ours: the simulated market, and sessions of the past, by real wire.

    with mock_market(settings, None, 60.0, None, folder=run_folder) as market:
        cerebro.adddata(market.feed)
        market.start()
        cerebro.run()

A terminal in this process plays one session over HTTP and WebSocket, and `ThetaMarket` reads it by
the data's watermark. Its time begins when all is subscribed, waits for a bar that nobody has taken
yet, and loses no message; so every speed gives the same bars, and so do holds and a session that is
gone on with. At the greatest speed market time is that of the bar Cerebro is at.
"""

import math
import threading
from contextlib import ExitStack
from dataclasses import replace
from datetime import date
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from desk.markets.boards import BarBoard, PlayedBoard, StreamedBoard
from desk.markets.market import SHOWN_LEVEL, Board, Mask
from desk.markets.recorded import RecordedMarket, recording_in, stands_at_bars
from desk.markets.recording import SafeRecording
from errors import DataError, SettingError
from feeds.chain import ChainDay
from feeds.live.live_feed import LiveFeed
from feeds.sessions import session_on
from feeds.simulation.market import SimulatedMarket
from feeds.source import MemorySource
from feeds.store import ChainStore
from feeds.theta.market import ThetaMarket
from feeds.theta.playback import Playback
from feeds.theta.rest import ThetaRest
from feeds.theta.tiers import Tiers
from feeds.theta_simulator.server import SimulatedTerminal
from feeds.underlying import OfficialClose
from settings import Settings

SIMULATED = "simulated"
LAST_SIMULATED = date(2026, 10, 30)
RECORDED = "recorded"
"""Folder of the run's own chain store."""

EVERYTHING = Tiers(True, True, True, True, True)


def mock_market(
    settings: Settings,
    day: date | None,
    speed: float,
    start_ts: int | None,
    *,
    folder: Path | None = None,
) -> "PlayedMarket":
    """A session of the simulated market of `settings.seed`; spot is the mid of the underlying.

    Args:
        settings: seed, bar length, year convention, age limit.
        day: the session; None for the last of the default ones.
        speed: market seconds a wall second, infinity for as fast as possible.
        start_ts: go on after this bar (nanoseconds UTC); None from the open.
        folder: of the run, whose `recorded` holds the session; None records nothing.

    Raises `DataError` for a day that is none of the exchange, `SettingError` for a speed.
    """
    session = session_on(day or LAST_SIMULATED)
    source = SimulatedMarket(
        [session], settings.seed, year_convention=settings.market.year_convention
    )
    made = source.load(0)
    made = replace(made, spot=(made.underlying_bid + made.underlying_ask) / 2)
    return PlayedMarket(made, source.label, settings, speed, start_ts, folder)


def replay_market(
    settings: Settings,
    day: date,
    speed: float,
    start_ts: int | None,
    blind: bool = False,
    *,
    folder: Path | None = None,
) -> "PlayedMarket | RecordedMarket":
    """A session of `settings.data`, a store's folder or the simulated market.

    Books that do not stand at whole bars are shown as they were recorded. `blind` hides date and
    level from screens; the other arguments are those of `mock_market`.
    Raises `DataError` where there is no such session.
    """
    convention = settings.market.year_convention
    if settings.data == SIMULATED:
        made = SimulatedMarket([session_on(day)], settings.seed, year_convention=convention).load(0)
    else:
        store = Path(settings.data)
        if not store.is_dir():
            raise DataError(f"there is no data folder {store}; fill one with run.py download")
        made = ChainStore(store, convention).select(day, day).load(0)
    mask = Mask()
    if blind:
        first = made.spot[np.isfinite(made.spot)]
        mask = Mask(SHOWN_LEVEL / float(first[0]) if first.size else 1.0, hides_date=True)
    label = "a session of the past, blind" if blind else f"replay of {day} ({made.source})"
    if stands_at_bars(made, settings.live.bar_seconds):
        made = _told_by_its_stock(made)
        return PlayedMarket(made, label, settings, speed, start_ts, folder, mask)
    recording = None if folder is None else recording_in(folder / RECORDED, made, settings)
    return RecordedMarket(made, label, settings, speed, start_ts, recording, mask)


class PlayedMarket:
    """A `LiveMarket` that plays one day. Nothing is opened before `start`."""

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
        mask: Mask | None = None,
    ) -> None:
        """Arguments as `mock_market`. Raises `SettingError` for a speed that is not above 0."""
        if not speed > 0:
            raise SettingError(f"--speed {speed:g}: write a number above 0, or max")
        self.session, self.mask = day.session, mask or Mask()
        self.label = label if self.mask.hides_date else f"{label}, {day.session.date}"
        self.is_accelerated = speed > 1
        self.bar_seconds = float(settings.live.bar_seconds)
        self.feed = LiveFeed(newest_only=False)
        if speed > 1:  # orders walk by market time: the desk has to look more often
            self.feed.p.qcheck = 0.02
        if day.official_close is not None:
            self.feed.set_official_close(day.session, day.official_close, day.close_source)
        self._day, self._settings, self._speed = day, settings, speed
        self._start_ts = start_ts
        self._terminal = SimulatedTerminal(
            MemorySource([day], label),
            speed=0.0,
            zero_at_open=False,
            spread_quotes=True,
            lossless=True,
            may_go=lambda: self.feed.waiting == 0,
        )
        self._streamed = StreamedBoard(self.now, SIMULATED, speed)
        bars = BarBoard(self.feed, SIMULATED)
        self.board: Board = bars if self._is_stepwise else PlayedBoard(self._streamed, bars)
        self._recording: SafeRecording | None = None
        if folder is not None:
            self._recording = SafeRecording(
                folder / RECORDED,
                day.session,
                settings.live.bar_seconds,
                SIMULATED,
                settings.rules.time_exit_minutes,
            )
        self._market: ThetaMarket | None = None
        self._stack = ExitStack()
        self._lock = threading.Lock()
        self._held = self._is_ready = self._is_started = self._is_closed = False

    @property
    def day(self) -> ChainDay:
        """All of the session that is played: for a stand-in broker's quotes, never for a rule."""
        return self._day

    @property
    def _is_stepwise(self) -> bool:
        return math.isinf(self._speed)

    @property
    def line(self) -> str:
        """What the data is worth now and since when, in one line."""
        told = [self._market.line if self._market is not None else "not started"]
        if self._recording is not None and self._recording.problem:
            told.append(self._recording.problem)
        return "; ".join(told)

    def now(self) -> int:
        """Market time in nanoseconds since 1970 UTC."""
        if not self._is_stepwise:
            return self._terminal.now
        try:
            return self.feed.snapshot().ts
        except DataError:
            return self._begin_ts

    def hold(self, held: bool) -> None:
        """No faster than the wall while held; at the greatest speed not at all."""
        with self._lock:
            if held == self._held:
                return
            self._held = held
            self.feed.pace(self._held_speed if held else None)
            if self._is_ready:
                self._terminal.set_speed(self._held_speed if held else self._speed)

    def start(self) -> None:
        """Open the terminal and let its time begin as soon as all is subscribed."""
        if self._is_started:
            return
        self._is_started = True
        terminal = self._stack.enter_context(self._terminal)
        terminal.set_time(self._begin_ts)
        rest = self._stack.enter_context(ThetaRest(terminal.url))
        self._market = self._stack.enter_context(self._theta_market(rest))

    def close(self) -> None:
        """Stop, end the feed, and store what was recorded."""
        if self._is_closed:
            return
        self._is_closed = True
        self._stack.close()
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

    @property
    def _begin_ts(self) -> int:
        """Where market time begins."""
        begin = self.session.open_ns if self._start_ts is None else self._start_ts
        return min(max(begin, self.session.open_ns), self.session.close_ns)

    @property
    def _held_speed(self) -> float:
        return 0.0 if self._is_stepwise else min(self._speed, 1.0)

    def _theta_market(self, rest: ThetaRest) -> ThetaMarket:
        settings = self._settings
        return ThetaMarket(
            rest,
            self._terminal.ws_url,
            self.session,
            self.feed,
            EVERYTHING,
            takers=[self._recording.add] if self._recording is not None else [],
            period_seconds=settings.live.bar_seconds,
            strikes_each_side=None,
            by_watermark=True,
            year_convention=settings.market.year_convention,
            age_limit_seconds=settings.rules.quote_age_seconds,
            now=lambda: self._terminal.now,
            board=self._streamed.quotes,
            outlives_session=True,
            source=SIMULATED,
            playback=Playback(self._start_ts, self._begin, lambda: self._terminal.is_over),
        )

    def _begin(self) -> None:
        """Time begins: in the market's thread, when all is subscribed."""
        with self._lock:
            self._is_ready = True
            self._terminal.set_speed(self._held_speed if self._held else self._speed)

    def _close_of_recording(self) -> OfficialClose:
        """The day's official close, known once its closing bar was seen, by whichever process."""
        try:
            is_over = self.feed.snapshot().ts >= self.session.close_ns
        except DataError:
            is_over = self._begin_ts >= self.session.close_ns
        price = self._day.official_close if is_over else None
        return OfficialClose(price, self._day.close_source if price is not None else "")


def _told_by_its_stock(day: ChainDay) -> ChainDay:
    """The day with an underlying quote whose mid is its spot: a stream tells spot by that alone."""
    with np.errstate(invalid="ignore"):
        same = (day.underlying_bid + day.underlying_ask) / 2 == day.spot
    bid = np.where(same, day.underlying_bid, day.spot)
    ask = np.where(same, day.underlying_ask, day.spot)
    return replace(day, underlying_bid=bid, underlying_ask=ask)
