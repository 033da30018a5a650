"""A day that comes from a terminal by HTTP and WebSocket is the day of its backtest, to the bit."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from test_live_parity import Restless, Watched, assert_same, run

from feeds.chain import ChainDay
from feeds.chain_feed import ChainFeed
from feeds.live.live_feed import LiveFeed
from feeds.live.recorder import SessionRecorder
from feeds.simulation.market import SimulatedMarket, default_sessions
from feeds.source import MemorySource
from feeds.store import ChainStore
from feeds.theta.market import ThetaMarket
from feeds.theta.rest import ThetaRest
from feeds.theta.tiers import Tiers
from feeds.theta_simulator.server import SimulatedTerminal
from feeds.underlying import OfficialClose

EVERYTHING = Tiers(True, True, True, True, True)


def simulated() -> ChainDay:
    """A day whose spot is the mid of the stock's quote, which is what the stream tells."""
    day = SimulatedMarket(default_sessions(1), strikes_within=0.01).load(0)
    return replace(day, spot=(day.underlying_bid + day.underlying_ask) / 2)


def live(day: ChainDay, *takers: Callable[[ChainDay], object]) -> Watched:
    source = MemorySource([day], "simulated market")
    feed = LiveFeed(most_rows=16, newest_only=False)
    assert day.official_close is not None
    feed.set_official_close(day.session, day.official_close, "end-of-day")
    with (
        SimulatedTerminal(source, speed=math.inf, zero_at_open=False) as terminal,
        ThetaRest(terminal.url) as rest,
        ThetaMarket(
            rest,
            terminal.ws_url,
            day.session,
            feed,
            EVERYTHING,
            takers=takers,
            by_watermark=True,
            strikes_each_side=None,
        ) as market,
    ):
        ran = run(feed, Restless())
        assert market.problem == ""
    assert feed.skipped == 0
    return ran


def test_a_day_by_wire_is_the_day_of_the_backtest() -> None:
    day = simulated()
    backtest = run(ChainFeed([day]), Restless())
    assert len(backtest.tracker.round_trips) >= 3
    assert_same(backtest, live(day))


def test_a_day_by_wire_is_recorded_and_backtested_as_it_was_seen(tmp_path: Path) -> None:
    day, store = simulated(), ChainStore(tmp_path)
    recorder = SessionRecorder(store, day.session, 60)
    alive = live(day, recorder.add)
    done = recorder.finish(OfficialClose(day.official_close, "end-of-day"))
    assert (done.rows, done.unpriced, done.off_cent) == (391, 0, 0)
    assert_same(run(ChainFeed(store.select()), Restless()), alive)
