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

import threading
from contextlib import ExitStack
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np

from desk.markets.boards import BarBoard, PlayedBoard, StreamedBoard
from desk.markets.known_day import KnownDayMarket
from desk.markets.market import SHOWN_LEVEL, Board, Mask
from desk.markets.recorded import RecordedMarket, stands_at_bars
from errors import DataError
from feeds.chain import ChainDay
from feeds.sessions import session_on
from feeds.simulation.market import LAST_SIMULATED, SimulatedMarket
from feeds.source import MemorySource
from feeds.store import ChainStore
from feeds.theta.market import ThetaMarket
from feeds.theta.playback import Playback
from feeds.theta.rest import ThetaRest
from feeds.theta.tiers import Tiers
from feeds.theta_simulator.server import SimulatedTerminal
from settings import SIMULATED, Settings

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
    return RecordedMarket(made, label, settings, speed, start_ts, folder, mask)


class PlayedMarket(KnownDayMarket):
    """A `LiveMarket` that plays one day by wire."""

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
        bar_seconds = float(settings.live.bar_seconds)
        super().__init__(day, label, settings, speed, start_ts, folder, mask or Mask(), bar_seconds)
        self._settings = settings
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
        self._market: ThetaMarket | None = None
        self._stack = ExitStack()
        self._lock = threading.Lock()
        self._held = self._is_ready = self._is_started = False

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

    def _data_line(self) -> str:
        return self._market.line if self._market is not None else "not started"

    def _running_time(self) -> int:
        return self._terminal.now

    def _stop(self) -> None:
        self._stack.close()

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


def _told_by_its_stock(day: ChainDay) -> ChainDay:
    """The day with an underlying quote whose mid is its spot: a stream tells spot by that alone."""
    with np.errstate(invalid="ignore"):
        same = (day.underlying_bid + day.underlying_ask) / 2 == day.spot
    bid = np.where(same, day.underlying_bid, day.spot)
    ask = np.where(same, day.underlying_ask, day.spot)
    return replace(day, underlying_bid=bid, underlying_ask=ask)
