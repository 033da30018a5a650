"""The desk's markets: what they tell of themselves, their time, recordings and refusals."""

import math
import os
import re
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import backtrader as bt
import numpy as np
import pytest
from market import HALF_DAY, SESSION, market

from desk.markets import Mask, mock_market, replay_market, theta_market
from desk.markets.archive import put_in_order
from desk.markets.recording import SafeRecording
from desk.markets.theta import TerminalMarket
from errors import DataError, NoSubscriptionError, SettingError
from feeds.chain import ChainDay
from feeds.contract import Contract, Right
from feeds.live.live_feed import LiveFeed
from feeds.live.recorder import SessionRecorder
from feeds.sessions import Session
from feeds.simulation.market import SimulatedMarket
from feeds.source import MemorySource
from feeds.store import ChainStore
from feeds.theta.market_time import MarketTime
from feeds.theta.rest import ThetaRest
from feeds.theta.tiers import Tiers
from feeds.theta_simulator.server import SimulatedTerminal
from feeds.underlying import OfficialClose
from settings import Settings

MINUTES = Settings()
HALF = HALF_DAY.date
SECOND = 1_000_000_000
STRIKES = tuple(range(600, 660))


def day(seconds: int = 1200) -> ChainDay:
    """A market that changes every second."""
    ticks = np.arange(seconds)
    made: ChainDay = market(ticks / 60, 630.0 - ticks * 0.005, strikes=STRIKES).day()
    return made


def until(condition: Callable[[], Any], seconds: float = 10.0) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.01)
    raise AssertionError("it did not happen in time")


class Looking(bt.Strategy):
    """Calls `look` at every bar; it says whether to stop."""

    params: Any = (("look", None),)

    def next(self) -> None:
        if self.p.look(self):
            self.env.runstop()


def run(feed: LiveFeed, look: Callable[[Any], bool]) -> None:
    cerebro = bt.Cerebro(stdstats=False, quicknotify=True)
    cerebro.adddata(feed)
    cerebro.addstrategy(Looking, look=look)
    cerebro.run()


# --- played sessions -----------------------------------------------------------------------------


def test_a_market_says_what_it_is_and_a_blind_one_neither_date_nor_level(tmp_path: Path) -> None:
    made = replace(market().day(), source="imported")
    ChainStore(tmp_path).write(made, 60)
    settings = Settings(data=str(tmp_path))
    seen = replay_market(settings, SESSION.date, 60.0, None)
    hidden = replay_market(settings, SESSION.date, 60.0, None, blind=True)
    assert str(SESSION.date) in seen.label and "imported" in seen.label
    assert not seen.mask.hides
    assert (seen.mask.level(628.5), seen.mask.day(SESSION.date)) == (628.5, "2026-10-30")
    assert not re.search(r"\d", hidden.label)
    assert hidden.mask.hides and not re.search(r"\d", hidden.mask.day(SESSION.date))
    assert hidden.mask.level(float(made.spot[0])) == 500.0
    assert hidden.mask.level(float(made.spot[0]) * 1.01) == pytest.approx(505.0, abs=0.01)
    assert seen.is_simulated and seen.is_accelerated and hidden.session == SESSION
    assert Mask().level(1.005) == 1.005


@pytest.mark.parametrize("speed", [0.0, -1.0, math.nan])
def test_a_speed_that_is_none_is_refused(speed: float) -> None:
    with pytest.raises(SettingError, match="write a number above 0, or max"):
        mock_market(MINUTES, HALF, speed, None)


def test_a_session_that_is_none_or_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no trading day"):
        mock_market(MINUTES, date(2026, 12, 25), 1.0, None)
    missing = Settings(data=str(tmp_path / "none"))
    with pytest.raises(DataError, match="there is no data folder"):
        replay_market(missing, SESSION.date, 1.0, None)


def test_nothing_happens_before_the_start_and_closing_is_idempotent() -> None:
    with mock_market(MINUTES, HALF, 60.0, None) as one:
        assert one.line == "not started"
        assert one.now() == HALF_DAY.open_ns
        assert one.board.latest(Contract("SPY", HALF, 630_000, Right.PUT)) is None
    one.close()


def test_time_at_a_speed_passes_so_fast_and_no_faster_than_the_wall_when_held() -> None:
    rates: dict[str, float] = {}
    with mock_market(MINUTES, HALF, 60.0, None) as one:
        one.start()

        def measure(name: str) -> None:
            market_ts, wall = one.now(), time.monotonic()
            time.sleep(0.2)
            rates[name] = (one.now() - market_ts) / 1e9 / (time.monotonic() - wall)

        def look(strategy: Any) -> bool:
            assert one.now() >= strategy.data.snapshot().ts
            if len(strategy) == 2:
                measure("free")
                one.hold(True)
                one.hold(True)
                measure("held")
                one.hold(False)
                measure("freed")
            return len(strategy) == 2

        run(one.feed, look)
    assert 0 < rates["held"] <= 1.05
    assert 10 < rates["free"] <= 61 and 10 < rates["freed"] <= 61


def test_at_the_greatest_speed_time_and_board_are_those_of_the_bar() -> None:
    with mock_market(MINUTES, HALF, math.inf, None) as one:
        one.start()

        def look(strategy: Any) -> bool:
            shot = strategy.data.snapshot()
            contract = shot.atm(Right.PUT)
            one.board.watch(contract)
            told = one.board.latest(contract)
            assert told is not None and one.now() == told.ts == shot.ts
            assert (told.bid, told.ask) == shot.quote(contract)[:2]
            assert (told.spot, told.age_seconds) == (shot.spot, 0.0)
            return len(strategy) == 4

        run(one.feed, look)


def test_at_a_speed_the_board_streams_between_bars() -> None:
    stamps: set[int] = set()
    with mock_market(MINUTES, HALF, 60.0, None) as one:
        one.start()

        def look(strategy: Any) -> bool:
            contract = strategy.data.snapshot().atm(Right.PUT)
            one.board.watch(contract)
            for _ in range(4):
                told = until(lambda: one.board.latest(contract))
                assert told.ts <= one.now() and told.bid <= told.ask
                assert told.age_seconds < 60.0  # a wall second
                stamps.add(told.ts)
                time.sleep(0.2)
            return len(strategy) == 3

        run(one.feed, look)
    assert len(stamps) > 1


def test_memory_of_a_day_does_not_grow_with_it() -> None:
    """At most a few rows wait, however slow the desk is."""
    waiting: list[int] = []
    with mock_market(MINUTES, HALF, math.inf, None) as one:
        one.start()

        def look(strategy: Any) -> bool:
            waiting.append(one.feed.waiting)
            time.sleep(0.01)
            return len(strategy) == 60

        run(one.feed, look)
    assert max(waiting) <= 5


# --- recordings ----------------------------------------------------------------------------------


def test_a_full_disk_is_told_and_stops_nothing(tmp_path: Path) -> None:
    recording, made = SafeRecording(tmp_path, SESSION, 1), day(50)
    for t in range(3):
        recording.add(made.row(t))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    file = next((tmp_path / ".recording").glob("*.rows"))
    resource.setrlimit(resource.RLIMIT_FSIZE, (file.stat().st_size, limits[1]))
    try:
        recording.add(made.row(3))
        recording.add(made.row(4))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert recording.problem.startswith("recording: 2 bars not recorded: ")
    assert "since" in recording.problem and "\n" not in recording.problem
    recording.add(made.row(5))
    recording.finish(OfficialClose(None))
    assert recording.done is not None and recording.done.rows == 4


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    recording = SafeRecording(tmp_path / "data", SESSION, 1)
    recording.add(day(2).row(0))
    recording.finish(OfficialClose(None))
    assert "1 bars not recorded" in recording.problem


def test_a_place_that_is_no_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("no folder")
    recording = SafeRecording(tmp_path / "data", SESSION, 1)
    recording.add(day(2).row(0))
    recording.finish(OfficialClose(None))
    assert "1 bars not recorded" in recording.problem


def test_recordings_of_earlier_days_are_put_in_order_at_a_start(tmp_path: Path) -> None:
    store, made = ChainStore(tmp_path), market().day()
    for t in range(5):
        recorder = SessionRecorder(store, made.session, 60)
        recorder.add(made.row(t))
        recorder.close()
    asked: list[Session] = []

    def unknown(session: Session, ts: Any, spot: Any) -> OfficialClose:
        asked.append(session)
        return OfficialClose(None, problem="not yet")

    def known(session: Session, ts: Any, spot: Any) -> OfficialClose:
        assert ts.size == spot.size == 5
        return OfficialClose(628.5, "end-of-day")

    later = date(2026, 11, 2)
    assert put_in_order(store, later, unknown, 15.0) == ""
    assert asked == [SESSION, SESSION]
    assert "no official close" in store.entries[0].facts.flags
    assert put_in_order(store, later, known, 15.0) == ""
    stored = store.select().load(0)
    assert (stored.official_close, stored.close_source) == (628.5, "end-of-day")
    assert put_in_order(store, later, unknown, 15.0) == ""
    assert len(asked) == 2


# --- a terminal ----------------------------------------------------------------------------------

Opened = tuple[SimulatedTerminal, Settings]


@contextmanager
def terminal(made: ChainDay, at: int, **terms: Any) -> Iterator[Opened]:
    with SimulatedTerminal(MemorySource([made]), **({"speed": 4.0} | terms)) as one:
        one.set_time(made.session.open_ns + at * SECOND)
        theta = {"url": one.url, "ws": one.ws_url}
        yield one, Settings(theta=theta, live={"bar_seconds": 1})


def test_a_terminal_gives_bars_a_board_and_a_recording(tmp_path: Path) -> None:
    with (
        terminal(day(), 60) as (_, settings),
        theta_market(settings, folder=tmp_path) as one,
    ):
        assert one.is_simulated and one.is_accelerated and one.advice == ""
        assert "simulated terminal" in one.label
        one.start()
        one.start()

        def look(strategy: Any) -> bool:
            contract = strategy.data.snapshot().atm(Right.PUT)
            if contract is None:
                return False
            one.board.watch(contract)
            told = until(lambda: one.board.latest(contract))
            assert told.age_seconds < 20.0 and told.source == "theta"
            return len(strategy) >= 8

        run(one.feed, look)
        assert "quotes of" in one.line
        (since,) = re.findall(r"since (\d\d:\d\d):\d\d", one.line)
        assert "09:29" <= since <= "09:45"  # the market's time, whatever the wall says
        assert since in one.line  # and it stays
    stored = ChainStore(tmp_path / "recorded").select().load(0)
    assert stored.source.startswith("simulated") and stored.recorded >= 5


def test_without_a_session_now_nothing_starts() -> None:
    made = day(60)
    closed = made.session.close_ns - made.session.open_ns
    with (
        terminal(made, closed // SECOND + 60) as (_, settings),
        pytest.raises(DataError, match=r"closed at 16:00 New York .* nothing left to trade"),
    ):
        theta_market(settings)
    with (
        terminal(made, 86_400) as (_, settings),  # a Saturday
        pytest.raises(DataError, match="is no trading day"),
    ):
        theta_market(settings)


def test_an_account_without_live_quotes_is_told_what_to_buy() -> None:
    with (
        terminal(day(60), 10, tier="free") as (_, settings),
        pytest.raises(NoSubscriptionError, match="options Standard is what the desk needs"),
    ):
        theta_market(settings)


def test_a_start_before_the_open_waits_for_it() -> None:
    with terminal(day(), -8) as (_, settings), theta_market(settings) as one:
        one.start()
        assert "the market opens at 09:30 New York" in one.line
        first: list[int] = []

        def look(strategy: Any) -> bool:
            first.append(strategy.data.snapshot().ts)
            return len(first) == 2

        run(one.feed, look)
        assert 0 <= first[0] - SESSION.open_ns <= 2 * SECOND
        assert "opens" not in one.line


def test_a_poorer_account_is_advised_and_polls() -> None:
    with terminal(day(), 60, tier="value") as (_, settings), theta_market(settings) as one:
        assert "would add streaming" in one.advice
        one.start()
        until(lambda: "read at every bar" in one.line)


def test_a_real_session_is_recorded_into_the_data_folder_with_its_close(tmp_path: Path) -> None:
    source = SimulatedMarket([HALF_DAY], strikes_within=0.003)
    store, earlier = ChainStore(tmp_path), market().day()
    crashed = SessionRecorder(store, earlier.session, 60)
    crashed.add(earlier.row(0))
    crashed.close()
    with (
        SimulatedTerminal(source, speed=0) as one,
        ThetaRest(one.url) as rest,
    ):
        one.set_time(HALF_DAY.close_ns - 60 * SECOND)
        settings = Settings(
            data=str(tmp_path), theta={"url": one.url, "ws": one.ws_url}, live={"bar_seconds": 1}
        )
        time_of = MarketTime(lambda: one.now, 1.0, is_simulated=False)
        tiers = Tiers(True, True, True, True, True)
        real = TerminalMarket(settings, rest, time_of, HALF_DAY, tiers, None)
        with real:
            real.start()
            until(lambda: re.search(r"[1-9]\d* of [1-9]\d* acknowledged", real.line))
            until(lambda: any(entry.date == SESSION.date for entry in store.entries))
            one.set_time(HALF_DAY.close_ns - 59 * SECOND)
            assert real._recording is not None
            recording = real._recording
            until(lambda: np.isfinite(recording.last_prices[1]).any())
            one.set_time(HALF_DAY.close_ns + 60 * SECOND)
    days = {entry.date: entry for entry in store.entries}
    assert set(days) == {SESSION.date, HALF}
    stored = store.select(HALF, HALF).load(0)
    assert stored.source.startswith("recorded")
    assert stored.close_source == "minute bar"
    assert stored.official_close == pytest.approx(source.load(0).official_close, abs=0.05)
