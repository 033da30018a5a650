"""Turns of Cerebro without a bar: wake tokens keep their place, and bars can be held back."""

import threading
import time
from typing import Any

import backtrader as bt
import pytest
from hypothesis import given
from hypothesis import strategies as some
from market import market

from feeds.chain import ChainDay
from feeds.live.live_feed import LiveFeed
from feeds.live.row_queue import RowQueue, Signal

DAY = market().day()


def row(minute: int) -> ChainDay:
    return DAY.row(minute)


class Turns(bt.brokers.BackBroker):
    """Notes at every turn how many bars there are; ends the run by what it is told to do."""

    def __init__(self, data: Any, act: Any = None) -> None:
        super().__init__()
        self.watched, self.act = data, act
        self.bars: list[int] = []

    def next(self) -> None:
        self.bars.append(len(self.watched))
        if self.act is not None:
            self.act(self)


def turns_of(feed: LiveFeed, act: Any = None) -> list[int]:
    cerebro = bt.Cerebro(stdstats=False, quicknotify=True)
    cerebro.adddata(feed)
    cerebro.addstrategy(bt.Strategy)
    broker = Turns(feed, act)
    cerebro.setbroker(broker)
    cerebro.run()
    return broker.bars


def test_a_wake_token_before_a_row_is_a_turn_of_its_own() -> None:
    feed = LiveFeed(newest_only=False)
    for minute in range(3):
        feed.put(row(minute))
        feed.wake()
    feed.end()
    assert turns_of(feed) == [1, 1, 2, 2, 3, 3]


def test_a_wake_token_is_a_turn_before_the_newest_of_waiting_rows_too() -> None:
    feed = LiveFeed()
    feed.wake()
    feed.put(row(0))
    feed.put(row(1))
    feed.end()
    assert turns_of(feed) == [0, 1]
    assert feed.skipped == 1


def test_tokens_side_by_side_are_one_turn() -> None:
    feed = LiveFeed(newest_only=False)
    for minute in range(2):
        for _ in range(5):
            feed.wake()
        feed.put(row(minute))
    feed.end()
    assert turns_of(feed) == [0, 1, 1, 2]


def test_a_token_is_never_lost_in_a_full_queue() -> None:
    queue = RowQueue(most=1)
    assert queue.put(row(0), 0)
    queue.wake()
    assert not queue.put(row(1), 0)
    assert [queue.take(0), queue.take(0), queue.take(0)][1:] == [Signal.WAKE, None]


def test_held_rows_wait_and_tokens_pass_them_without_a_busy_wait() -> None:
    feed = LiveFeed(newest_only=False)
    begun: list[float] = []

    def act(broker: Turns) -> None:
        if len(broker.bars) == 1:  # at the first bar
            begun.append(time.monotonic())
            feed.pace(0.0)
            feed.put(row(1))
            threading.Timer(0.2, feed.wake).start()
            threading.Timer(0.5, feed.pace, (None,)).start()
            threading.Timer(0.55, feed.end).start()

    feed.put(row(0))
    turns = turns_of(feed, act)
    assert 0.5 <= time.monotonic() - begun[0] < 5
    assert turns[0] == 1 and turns[-1] == 2
    assert 3 < turns.count(1) < 20


def test_paced_rows_come_no_faster_than_told() -> None:
    feed = LiveFeed(newest_only=False)
    seen: dict[int, float] = {}

    def act(broker: Turns) -> None:
        seen.setdefault(broker.bars[-1], time.monotonic())
        if len(broker.bars) == 1:
            feed.pace(300.0)  # a minute in a fifth of a second
            for minute in (1, 2):
                feed.put(row(minute))
            feed.end()

    feed.put(row(0))
    turns_of(feed, act)
    assert seen[2] - seen[1] >= 0.2
    assert seen[3] - seen[1] >= 0.4


def test_pace_without_a_bar_holds_nothing() -> None:
    feed = LiveFeed(newest_only=False)
    feed.pace(0.0)
    feed.put(row(0))
    feed.end()
    assert turns_of(feed)[-1] == 1


@pytest.mark.parametrize("most", [0, 3])
@given(script=some.lists(some.sampled_from(["row", "wake", "take"]), max_size=40))
def test_whatever_is_put_comes_out_in_its_order_and_once(most: int, script: list[str]) -> None:
    queue, model, minute = RowQueue(most), list[Any](), 0
    for step in script:
        if step == "row":
            one = row(minute)
            room = not most or sum(item is not Signal.WAKE for item in model) < most
            assert queue.put(one, 0) is room
            model += [one] if room else []
            minute += 1
        elif step == "wake":
            queue.wake()
            model += [Signal.WAKE] if not model or model[-1] is not Signal.WAKE else []
        else:
            assert queue.has_something() == bool(model)
            assert queue.take(0) is (model.pop(0) if model else None)
        assert queue.rows == sum(item is not Signal.WAKE for item in model)
