"""The live Backtrader feed: rows from a queue become bars, notices and a clean end."""

import os
import pickle
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import backtrader as bt
import pytest
from market import HALF_DAY, MONDAY, PUT, SESSION, Scripted, at, contract, market, rules, wishes

from brokers.approval import ApprovalBroker
from brokers.approvers import AutomaticApprover
from brokers.chain_broker import ChainBroker
from errors import DataError
from feeds.chain import ChainDay
from feeds.live.book import ChainBook
from feeds.live.live_feed import LiveFeed
from feeds.sessions import Session
from strategies.ppo_strategy import PPOStrategy

PATIENCE = 10.0
"""Seconds after which a test gives up; none is waited for unless something is broken."""


def row(minute: int, session: Session = SESSION) -> ChainDay:
    return market(session=session).day().row(minute)


class Watcher(bt.Strategy):
    """Notes bars and notices in their order; calls `at_bar` with itself at each bar."""

    params = (("at_bar", None),)

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.stopped = False

    def notify_data(self, data: Any, status: int, *args: Any, **kwargs: Any) -> None:
        self.events.append(data._getstatusname(status))

    def next(self) -> None:
        self.events.append(round(self.data.snapshot().minutes_since_open))
        if self.p.at_bar is not None:
            self.p.at_bar(self)

    def stop(self) -> None:
        self.stopped = True


def cerebro_of(feed: LiveFeed, at_bar: Callable[[Any], None] | None = None) -> bt.Cerebro:
    cerebro = bt.Cerebro(stdstats=False, quicknotify=True)
    cerebro.adddata(feed)
    cerebro.addstrategy(Watcher, at_bar=at_bar)
    return cerebro


def watch(feed: LiveFeed, at_bar: Callable[[Any], None] | None = None) -> Watcher:
    (ran,) = cerebro_of(feed, at_bar).run()
    assert ran.stopped
    return ran


def filled(*rows: ChainDay, newest_only: bool = False) -> LiveFeed:
    feed = LiveFeed(newest_only=newest_only)
    for one in rows:
        feed.put(one)
    feed.end()
    return feed


def blind(minute: int) -> ChainDay:
    """A row without one quote."""
    return ChainBook(SESSION).snapshot(SESSION.open_ns + minute * 60_000_000_000)


# --- bars and notices ----------------------------------------------------------------------------


def test_rows_become_bars_between_delayed_live_and_disconnected() -> None:
    ran = watch(filled(row(0), row(1), row(2)))
    assert ran.events == ["DELAYED", "LIVE", 0, 1, 2, "DISCONNECTED"]


def test_the_bar_has_the_rows_time_spot_and_volatility() -> None:
    seen = []

    def look(strategy: Any) -> None:
        data, shot = strategy.data, strategy.data.snapshot()
        seen.append(data.datetime.datetime(0).time().isoformat())
        assert data.open[0] == data.high[0] == data.low[0] == data.close[0] == shot.spot
        assert data.atm_iv[0] == shot.atm_iv > 0
        assert strategy.datetime.datetime(0) == shot.time.replace(tzinfo=None)
        assert len(data) == len(seen)

    watch(filled(row(0), row(97)), look)
    assert seen == ["09:30:00", "11:07:00"]


def test_a_row_without_quotes_is_a_bar_and_a_disconnection() -> None:
    ran = watch(filled(row(0), blind(1), blind(2), row(3)))
    events = ["DELAYED", "LIVE", 0, "DISCONNECTED", 1, 2, "LIVE", 3, "DISCONNECTED"]
    assert ran.events == events


def test_a_disconnection_is_told_at_once_and_ended_by_the_next_quotes() -> None:
    feed = LiveFeed()

    def step(strategy: Any) -> None:
        if len(strategy.data) == 1:
            feed.disconnected()
            feed.disconnected()
            feed.put(row(5))
            feed.end()

    feed.put(row(0))
    ran = watch(feed, step)
    events = ["DELAYED", "LIVE", 0, "DISCONNECTED", "LIVE", 5, "DISCONNECTED"]
    assert ran.events == events


# --- the newest row ------------------------------------------------------------------------------


def test_of_waiting_rows_only_the_newest_is_a_bar_and_the_others_are_counted() -> None:
    feed = filled(*(row(minute) for minute in range(40)), newest_only=True)
    assert watch(feed).events == ["DELAYED", "LIVE", 39, "DISCONNECTED"]
    assert feed.skipped == 39


def test_every_row_is_a_bar_in_accelerated_time() -> None:
    feed = filled(*(row(minute) for minute in range(40)))
    assert watch(feed).events[2:-1] == list(range(40))
    assert feed.skipped == 0


def test_the_closing_row_is_never_skipped() -> None:
    feed = filled(row(388), row(389), row(390), row(0, MONDAY), row(1, MONDAY), newest_only=True)
    assert watch(feed).events == ["DELAYED", 390, "LIVE", 1, "DISCONNECTED"]
    assert feed.skipped == 3


def test_a_row_that_is_not_newer_is_no_bar() -> None:
    feed = filled(row(5), row(5), row(4), row(6))
    assert watch(feed).events[2:-1] == [5, 6]
    assert feed.skipped == 2


# --- the wait ------------------------------------------------------------------------------------


def test_a_wake_token_ends_the_wait_without_a_bar() -> None:
    """The broker's turn comes with the token: were it ignored, this would wait a minute."""
    feed = LiveFeed(qcheck=60.0)
    turns = []

    class Broker(bt.brokers.BackBroker):
        def next(self) -> None:
            turns.append(threading.get_ident())
            if len(turns) == 2:
                feed.end()

    cerebro = cerebro_of(feed)
    cerebro.setbroker(Broker())
    feed.put(row(0))
    threading.Timer(0.1, feed.wake).start()
    started = time.monotonic()
    (ran,) = cerebro.run()
    assert time.monotonic() - started < PATIENCE
    assert ran.events == ["DELAYED", "LIVE", 0, "DISCONNECTED"]


def test_wake_tokens_do_not_fill_a_queue_or_wait() -> None:
    feed = LiveFeed(most_rows=1)
    for _ in range(100):
        feed.wake()


def test_put_waits_for_room_and_gives_up_when_the_feed_stops() -> None:
    feed = LiveFeed(most_rows=1, newest_only=False)
    results: list[bool] = []

    def send() -> None:
        results.extend(feed.put(row(minute)) for minute in range(50))

    sender = threading.Thread(target=send, daemon=True)

    def step(strategy: Any) -> None:
        if len(strategy.data) == 10:
            strategy.env.runstop()

    sender.start()
    ran = watch(feed, step)
    sender.join(PATIENCE)
    assert not sender.is_alive()
    assert ran.events[2:] == list(range(10))
    assert results[:10] == [True] * 10
    assert results[-1] is False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_a_waiting_feed_cleanly(number: int) -> None:
    feed = LiveFeed()
    later = threading.Timer(0.15, os.kill, (os.getpid(), number))
    cerebro = cerebro_of(feed, lambda strategy: later.start())
    before = signal.signal(number, lambda *_: cerebro.runstop())
    try:
        feed.put(row(0))
        (ran,) = cerebro.run()
    finally:
        signal.signal(number, before)
    assert ran.stopped
    assert ran.events[:3] == ["DELAYED", "LIVE", 0]
    assert not feed.put(row(1))


# --- what brokers and strategies rely on ---------------------------------------------------------


def test_before_the_first_bar_there_is_no_snapshot() -> None:
    with pytest.raises(DataError, match="no bar has arrived yet"):
        LiveFeed().snapshot()


def test_a_contract_is_one_data_while_its_session_lasts() -> None:
    seen: dict[Session, set[int]] = {}
    kept = []

    def look(strategy: Any) -> None:
        session = strategy.data.snapshot().session
        option = strategy.data.contract(contract(session=session))
        kept.append(option)
        seen.setdefault(session, set()).add(id(option))
        assert option.quote().bid > 0
        assert len(option) == len(strategy.data)

    ran = watch(filled(row(0), row(1), row(0, MONDAY), row(1, MONDAY)), look)
    assert [len(ids) for ids in seen.values()] == [1, 1]
    assert list(ran.data._contracts) == [contract(PUT, 628, MONDAY)]


@pytest.mark.parametrize("session", [SESSION, HALF_DAY])
def test_the_official_close_is_not_known_before_the_close(session: Session) -> None:
    known, refused = [], []

    def look(strategy: Any) -> None:
        for one in (session, MONDAY):
            try:
                known.append(strategy.data.official_close(one))
            except DataError as error:
                refused.append(str(error))

    length = round(session.minutes)
    feed = filled(row(length - 1, session), row(length, session))
    feed.set_official_close(session, 627.77, "end-of-day")
    watch(feed, look)
    assert known == [627.77]
    assert refused[0] == f"the official close of {session.date} is not known at this bar"
    assert len(refused) == 3
    assert feed.close_sources == {session: "end-of-day"}


def test_without_an_official_close_the_last_spot_settles_and_says_so() -> None:
    settings = rules(hold_to_expiry=True)
    cerebro = bt.Cerebro(stdstats=False, quicknotify=True)
    feed = filled(row(30), row(31), row(32), row(390))
    cerebro.adddata(feed)
    cerebro.setbroker(ApprovalBroker(ChainBroker(80_000.0), AutomaticApprover()))
    cerebro.addstrategy(PPOStrategy, policy=Scripted(wishes((6, 2))), settings=settings)
    (ran,) = cerebro.run()
    (trip,) = ran.tracker.round_trips
    assert str(trip.exit_reason) == "settlement"
    assert trip.exit_price == pytest.approx(max(628 - 628.2013, 0))
    assert feed.close_sources == {SESSION: "last spot"}


def test_a_market_that_cannot_be_seen_is_watched_and_not_traded() -> None:
    feed = filled(*(blind(minute) for minute in range(28, 60)), row(60), row(61), row(62))
    cerebro = bt.Cerebro(stdstats=False, quicknotify=True)
    cerebro.adddata(feed)
    cerebro.setbroker(ApprovalBroker(ChainBroker(80_000.0), AutomaticApprover()))
    cerebro.addstrategy(PPOStrategy, policy=Scripted([2], 3, False), settings=rules())
    (ran,) = cerebro.run()
    assert list(ran.recorder.decision_ts) == [at(SESSION, minute) for minute in range(28, 63)]
    assert not ran.recorder.allowed[:32].any()
    position = ran.tracker.position
    assert position is not None and position.contract == contract()


def test_a_live_feed_is_not_copied_into_other_processes() -> None:
    with pytest.raises(TypeError, match="a LiveFeed reads while it runs and cannot be pickled"):
        pickle.dumps(LiveFeed())
