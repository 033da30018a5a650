"""Mock and replay: every speed, holds and a session gone on with give the bars of the backtest."""

import math
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import backtrader as bt
import numpy as np
import pytest
from market import HALF_DAY, market
from test_live_parity import (
    QUICK,
    Restless,
    Watched,
    assert_same,
    assert_same_snapshot,
    run,
)

from brokers.approval import ApprovalBroker
from brokers.approvers import AutomaticApprover
from brokers.chain_broker import ChainBroker
from desk.markets import LiveMarket, mock_market, replay_market
from feeds.chain_feed import ChainFeed
from feeds.sessions import session_on
from feeds.simulation.market import SimulatedMarket
from feeds.store import ChainStore

HALF = HALF_DAY.date
MINUTE = 60_000_000_000


def backtest_of(day: date) -> Watched:
    made = SimulatedMarket([session_on(day)]).load(0)
    made = replace(made, spot=(made.underlying_bid + made.underlying_ask) / 2)
    return run(ChainFeed([made]), Restless())


class Attended(Watched):
    """Does something at each bar; ends its run after the closing one, as the desk does."""

    params: Any = (("at_bar", None), ("last_ts", None))

    def next(self) -> None:
        super().next()
        if self.p.at_bar is not None:
            self.p.at_bar(self)
        ts = self.feed.snapshot().ts
        if ts >= self.feed.snapshot().session.close_ns or ts == self.p.last_ts:
            self.env.runstop()


def attended(
    market: LiveMarket, at_bar: Callable[[Any], None] | None = None, last_ts: int | None = None
) -> Watched:
    cerebro = bt.Cerebro(stdstats=False, quicknotify=True)
    cerebro.adddata(market.feed)
    broker = ChainBroker(QUICK.capital, QUICK.fills)
    cerebro.setbroker(ApprovalBroker(broker, AutomaticApprover()))
    cerebro.addstrategy(Attended, policy=Restless(), settings=QUICK, at_bar=at_bar, last_ts=last_ts)
    with market:
        market.start()
        ran: Watched = cerebro.run()[0]
        assert "stream: quotes of" in market.line or "recorded books" in market.line
    assert market.feed.skipped == 0
    return ran


@pytest.mark.parametrize("speed", [math.inf, 4000.0])
def test_every_speed_gives_the_day_of_the_backtest(speed: float, tmp_path: Path) -> None:
    market = mock_market(QUICK, HALF, speed, None, folder=tmp_path)
    ran = attended(market)
    backtest = backtest_of(HALF)
    assert len(backtest.tracker.round_trips) >= 1
    assert_same(backtest, ran)
    stored = ChainStore(tmp_path / "recorded").select()
    assert_same(run(ChainFeed(stored), Restless()), ran)


def test_a_session_gone_on_with_has_the_bars_of_one_that_was_not_stopped(tmp_path: Path) -> None:
    whole = backtest_of(HALF).shots
    stopped_at = whole[97].ts
    first = attended(mock_market(QUICK, HALF, 4000.0, None, folder=tmp_path), last_ts=stopped_at)
    rest = attended(mock_market(QUICK, HALF, math.inf, stopped_at, folder=tmp_path))
    shots = [*first.shots, *rest.shots]
    assert [shot.ts for shot in shots] == [shot.ts for shot in whole]
    for one, other in zip(whole, shots, strict=True):
        assert_same_snapshot(one, other)
    stored = ChainStore(tmp_path / "recorded").select().load(0)
    assert stored.ts[: stored.recorded].tolist() == [shot.ts for shot in whole]


@pytest.mark.parametrize("speed", [math.inf, 4000.0])
def test_holds_change_no_bar_and_let_no_time_pass_faster_than_the_wall(speed: float) -> None:
    market = mock_market(QUICK, HALF, speed, None)
    held: list[float] = []

    def hold(strategy: Any) -> None:
        """Hold at every fiftieth bar; look a moment later what time it is."""
        if len(strategy.shots) % 50 == 7:
            market.hold(True)
            bar, begun = len(strategy.shots), time.monotonic()
            at = market.now()

            def release() -> None:
                held.append((market.now() - at) / 1e9 - (time.monotonic() - begun))
                assert len(strategy.shots) == bar
                market.hold(False)

            threading.Timer(0.3, release).start()

    ran = attended(market, hold)
    assert_same(backtest_of(HALF), ran)
    assert len(held) == 5
    assert max(held) < 0.2


def test_a_replayed_session_is_its_backtest_and_so_is_the_rest_of_it(tmp_path: Path) -> None:
    """Its spot is no mid of any quote of the underlying, and it has a gap."""
    minutes = np.setdiff1d(np.arange(1, 60), np.arange(20, 33))
    day = market(minutes, 628.1234, strikes=(626, 628, 630), volatility=0.5).day()
    settings = QUICK.model_copy(update={"data": str(tmp_path / "data")})
    sizes = np.full_like(day.bid_size, 40)
    day = replace(day, source="imported", bid_size=sizes, ask_size=sizes)
    ChainStore(tmp_path / "data").write(day, 60)
    stored = ChainStore(tmp_path / "data").select().load(0)
    whole = run(ChainFeed([stored]), Restless())
    assert not ((stored.underlying_bid + stored.underlying_ask) / 2 == stored.spot).all()
    assert_same(whole, attended(replay_market(settings, day.session.date, math.inf, None)))
    after = whole.shots[30].ts
    rest = attended(replay_market(settings, day.session.date, math.inf, after, blind=True))
    for one, other in zip(whole.shots[31:], rest.shots, strict=True):
        assert_same_snapshot(one, other)


@pytest.mark.parametrize("speed", [math.inf, 20_000.0])
def test_books_that_stand_at_odd_seconds_are_replayed_as_they_were(
    speed: float, tmp_path: Path
) -> None:
    minutes = np.arange(4.3, 389.0, 5.0)
    day = market(minutes, 628.1234, strikes=(626, 628, 630), volatility=0.5).day()
    day = replace(day, source="imported", official_close=None, flags=())
    day = replace(day, official_close=float(day.spot[-1]), close_source="end-of-day")
    settings = QUICK.model_copy(update={"data": str(tmp_path / "data")})
    ChainStore(tmp_path / "data").write(day, 300)
    stored = ChainStore(tmp_path / "data").select().load(0)
    whole = run(ChainFeed([stored]), Restless())
    folder = tmp_path / "run"
    opened = replay_market(settings, day.session.date, speed, None, folder=folder)
    assert opened.bar_seconds == 300
    assert_same(whole, attended(opened))
    recorded = ChainStore(folder / "recorded").select()
    assert_same(whole, run(ChainFeed(recorded), Restless()))
    after = whole.shots[20].ts
    rest = attended(replay_market(settings, day.session.date, math.inf, after))
    for one, other in zip(whole.shots[21:], rest.shots, strict=True):
        assert_same_snapshot(one, other)
