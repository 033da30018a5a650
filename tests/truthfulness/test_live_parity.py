"""A day as it arrives live gives the bars, decisions and trades of its backtest, to the last bit.

Backtest: the day whole, through `ChainFeed`. Live: its rows one at a time, raw as a vendor sends
them, through `ChainBook`, `BarClock` on the data's watermark and `LiveFeed` in another thread.
"""

import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import backtrader as bt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from market import HALF_DAY, MONDAY, SESSION, Market, from_knobs

from brokers.approval import ApprovalBroker
from brokers.approvers import AutomaticApprover
from brokers.chain_broker import ChainBroker
from feeds.chain import ChainDay
from feeds.chain_feed import ChainFeed
from feeds.live.bars import BarClock, BarMaker
from feeds.live.book import ChainBook
from feeds.live.live_feed import LiveFeed
from feeds.live.recorder import SessionRecorder
from feeds.simulation import MarketFaults
from feeds.simulation.market import NO_FAULTS, SimulatedMarket, default_sessions
from feeds.snapshot import ChainSnapshot
from feeds.store import ChainStore
from feeds.underlying import OfficialClose
from settings import Settings
from strategies.baselines import baseline
from strategies.ppo_strategy import PPOStrategy
from vocabulary import Moment, Policy

QUICK = Settings(rules={"wait_minutes": (15, 20, 25)})


class Restless:
    """Wants something at every decision, by a hash of what it sees."""

    name, actions, obeys_waits = "restless", 4, True

    def probabilities(self, moment: Moment) -> np.ndarray:
        features = np.asarray(moment.features, float)
        mixed = (features * np.arange(7, 15)).sum(-1)[..., None] * np.arange(3, 7)
        wish = np.where(moment.mask, 1 + np.sin(997 * mixed), 0.0)
        return wish / wish.sum(-1, keepdims=True)


class Watched(PPOStrategy):
    """Keeps every snapshot it sees, and the bar's own figures."""

    def __init__(self) -> None:
        super().__init__()
        self.shots: list[ChainSnapshot] = []
        self.bars: list[tuple[float, float]] = []

    def next(self) -> None:
        self.shots.append(self.feed.snapshot())
        self.bars.append((self.feed.datetime[0], self.feed.close[0]))
        super().next()


def run(feed: Any, policy: Policy) -> Watched:
    cerebro = bt.Cerebro(stdstats=False, quicknotify=True)
    cerebro.adddata(feed)
    broker = ChainBroker(QUICK.capital, QUICK.fills)
    cerebro.setbroker(ApprovalBroker(broker, AutomaticApprover()))
    cerebro.addstrategy(Watched, policy=policy, settings=QUICK)
    ran: Watched = cerebro.run()[0]
    return ran


def feed_row(book: ChainBook, day: Market | ChainDay, t: int, period: int) -> None:
    """The quotes of a row in the order of no one, as one table.

    What is not quoted is left out where rows are farther apart than quotes may be old, so that
    strikes are listed as the day goes on; otherwise it says so, as a quote that is withdrawn does.
    """
    there = ~(np.isnan(day.bid[t]) & np.isnan(day.ask[t])) | (period < 60)
    right, k = np.nonzero(there)
    mixed = np.random.default_rng(t).permutation(right.size)
    right, k = right[mixed], k[mixed]
    ts = int(day.ts[t])
    book.set_underlying(ts, "quotes", price=float(day.spot[t]))
    book.apply_table(
        ts=np.full(right.size, ts),
        strike=day.strikes[k],
        right=right,
        bid=day.bid[t][right, k],
        ask=day.ask[t][right, k],
        bid_size=day.bid_size[t][right, k],
        ask_size=day.ask_size[t][right, k],
    )


def produce(days: Sequence[Any], feed: LiveFeed, period: int, takers: Sequence[Any] = ()) -> None:
    """Feed the rows of `days`, then say that the market closed, then end."""
    for day in days:
        recorded = day.recorded if isinstance(day, ChainDay) else day.ts.size
        book = ChainBook(day.session)
        clock = BarClock(day.session, period, by_watermark=True)
        maker = BarMaker(book, clock, [feed.put, *takers])
        for t in range(recorded):
            maker.advance(int(day.ts[t]))
            feed_row(book, day, t, period)
        maker.advance(day.session.close_ns + 1)
    feed.end()


def live(days: Sequence[Any], policy: Policy, period: int = 60, takers: Any = ()) -> Watched:
    feed = LiveFeed(most_rows=16, newest_only=False)
    for day in days:
        feed.set_official_close(day.session, day.official_close, "end-of-day")
    sender = threading.Thread(target=produce, args=(days, feed, period, takers), daemon=True)
    sender.start()
    ran = run(feed, policy)
    sender.join(10)
    assert not sender.is_alive()
    assert feed.skipped == 0
    return ran


def assert_same_snapshot(one: ChainSnapshot, other: ChainSnapshot) -> None:
    assert one.session == other.session
    for name in ("ts", "spot", "atm_iv", "minutes_until_close", "is_recorded", "years", "forward"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), name)
    for right in (0, 1):
        assert one.atm(right) == other.atm(right)
    strikes = np.intersect1d(one.strikes, other.strikes)
    columns = []
    for shot in (one, other):
        k = np.searchsorted(shot.strikes, strikes)
        elsewhere = np.setdiff1d(np.arange(shot.strikes.size), k)
        assert np.isnan(shot.bid[:, elsewhere]).all() and np.isnan(shot.ask[:, elsewhere]).all()
        chain = shot.chain()
        quoted = ~(np.isnan(shot.bid[:, k]) & np.isnan(shot.ask[:, k]))
        sizes = [np.where(quoted, side[0][:, k], 0) for side in (chain.bid_size, chain.ask_size)]
        columns.append((shot.bid[:, k], shot.ask[:, k], *sizes))
    for first, second in zip(*columns, strict=True):
        np.testing.assert_array_equal(first, second)


def assert_same(backtest: Watched, alive: Watched) -> None:
    assert [shot.ts for shot in backtest.shots] == [shot.ts for shot in alive.shots]
    assert repr(backtest.bars) == repr(alive.bars)  # in words, because NaN is not NaN
    for one, other in zip(backtest.shots, alive.shots, strict=True):
        assert_same_snapshot(one, other)
    trips = [list(map(repr, ran.tracker.round_trips)) for ran in (backtest, alive)]
    assert trips[0] == trips[1]
    for name in ("decision_ts", "features", "probabilities", "action", "allowed", "reason"):
        first, second = (np.asarray(getattr(ran.recorder, name)) for ran in (backtest, alive))
        np.testing.assert_array_equal(first, second, name)
    for name in ("equity_ts", "cash", "position_value"):
        assert getattr(backtest.recorder, name) == getattr(alive.recorder, name)


def simulated(seed: int, faults: MarketFaults = NO_FAULTS) -> list[ChainDay]:
    source = SimulatedMarket(default_sessions(3), seed=seed, faults=faults, strikes_within=0.02)
    return [source.load(index) for index in range(3)]


@pytest.mark.parametrize("name", ["restless", "sell_put@10:00"])
def test_a_simulated_market_is_the_same_live(name: str) -> None:
    days = simulated(3)
    policy = Restless() if name == "restless" else baseline(name, 5)
    backtest = run(ChainFeed(days), policy)
    assert len(backtest.tracker.round_trips) >= 3
    assert_same(backtest, live(days, policy))


def test_a_faulty_market_is_the_same_live() -> None:
    faults = MarketFaults(gaps=3, crossed_opening=0.5, missing_strikes=2, silent_contracts=0.2)
    days = simulated(4, faults)
    backtest = run(ChainFeed(days), Restless())
    assert backtest.tracker.round_trips
    assert_same(backtest, live(days, Restless()))


@given(
    seed=some.integers(0, 2**32 - 1),
    spacing=some.sampled_from(["minute", "sparse", "five minutes", "seconds"]),
    session=some.sampled_from([SESSION, MONDAY, HALF_DAY]),
    faults=some.sampled_from([0.0, 0.1, 0.5]),
    strikes=some.sampled_from([1, 2, 9, 25]),
    jump=some.sampled_from([0.0, -6.0]),
)
@settings(max_examples=12)
def test_any_market_on_whole_seconds_is_the_same_live(
    seed: int, spacing: str, session: Any, faults: float, strikes: int, jump: float
) -> None:
    made = from_knobs(session, seed, spacing, 0.12, jump, strikes, 0.3, faults, sizes=True)
    backtest = run(ChainFeed([made.day()]), Restless())
    assert_same(backtest, live([made], Restless(), period=1))


def test_a_recorded_day_is_backtested_as_it_was_traded(tmp_path: Path) -> None:
    (day, *_) = simulated(5, MarketFaults(silent_contracts=0.1))
    day = replace(day, spot=np.rint(day.spot * 10_000) / 10_000)  # what the store keeps of it
    store = ChainStore(tmp_path)
    recorder = SessionRecorder(store, day.session, 60)
    alive = live([day], Restless(), takers=[recorder.add])
    assert alive.tracker.round_trips
    done = recorder.finish(OfficialClose(day.official_close, "end-of-day"))
    assert (done.rows, done.unpriced, done.off_cent) == (391, 0, 0)
    (stored,) = store.entries
    assert stored.path.endswith("_recorded_1m.parquet")
    assert_same(run(ChainFeed(store.select()), Restless()), alive)


def test_a_quote_that_comes_a_bar_late_is_no_parity() -> None:
    """The comparison sees what it should: a live path that is one quote off differs."""
    (day, *_) = simulated(3)
    backtest = run(ChainFeed([day]), Restless())
    day.bid[200, 1, day.strikes.size // 2] += 0.01
    with pytest.raises(AssertionError):
        assert_same(backtest, live([day], Restless()))
