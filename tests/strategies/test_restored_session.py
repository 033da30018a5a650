"""A session that is interrupted at any bar and restored goes on as if nothing had happened."""

from dataclasses import dataclass, replace
from typing import Any

import backtrader as bt
import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as tries
from hypothesis import strategies as some
from market import (
    MONDAY,
    PUT,
    SESSION,
    Market,
    Scripted,
    from_knobs,
    market,
    random_market,
    rules,
    wishes,
)

from brokers.approval import ApprovalBroker
from brokers.approvers import AutomaticApprover, ScriptedApprover
from brokers.chain_broker import ChainBroker
from errors import InternalError
from feeds.chain_feed import ChainFeed
from settings import Settings
from strategies.ppo_strategy import PPOStrategy
from strategies.recorder import RunRecorder
from vocabulary import Answer, DeskMemory, ExitReason, Moment, PastFill

QUICK = Settings(capital=300_000.0, contracts=3, rules={"wait_minutes": (15, 20, 25)})
SELL_AT_TEN = wishes((6, 2))


class Restless:
    """Wants something at every decision, by a hash of what it sees; closes too."""

    name, actions, obeys_waits = "restless", 4, True

    def probabilities(self, moment: Moment) -> np.ndarray:
        features = np.asarray(moment.features, float)
        mixed = (features * np.arange(7, 15)).sum(-1)[..., None] * np.arange(3, 7)
        wish = np.where(moment.mask, 1 + np.sin(997 * mixed), 0.0)
        return wish / wish.sum(-1, keepdims=True)


@dataclass(frozen=True)
class Left:
    """What a process left when it died after a bar."""

    memory: DeskMemory
    exit: tuple[ExitReason, int] | None
    rows: int


class Mortal(PPOStrategy):
    """Notes what a process would leave at each bar; at `dies` its entry ends as by a death."""

    params = (("dies", None), ("draws", None))

    def __init__(self) -> None:
        super().__init__()
        self.told: list[PastFill] = []
        self.left: Left | None = None
        self._bars = 0

    def notify_order(self, order: bt.Order) -> None:
        mine = [past for past in self.told if past.order_ref == str(order.ref)]
        for fill in (order.info.get("fills") or [])[len(mine) :]:
            info = order.info
            self.told.append(
                PastFill(
                    fill,
                    info.get("suggestion"),
                    info.get("exit_reason"),
                    info.get("exit_decided_ts"),
                    str(order.ref),
                )
            )
        super().notify_order(order)

    def next(self) -> None:
        super().next()
        if self._bars == self.p.draws:
            self.tighten_stop(round(0.9 * (self.stop_price or 0.0), 2))
        if self._bars == self.p.dies:
            self.cancel_entry("death")
            self.left = self._leave()
        self._bars += 1

    def _leave(self) -> Left:
        snapshot, waits = self.feed.snapshot(), self._waits
        assert self._session is not None
        opened = self._session.open_ns
        back = [None if m == -np.inf else opened + round(m * 60e9) for m in self._answered(waits)]
        memory = DeskMemory(
            fills=tuple(self.told),
            answered_ts=back[0],
            skipped_ts=back[1],
            slot=self._slot,
            decided_ts=back[2],
            last_ts=snapshot.ts,
            opening=self.opening,
            peak=self.peak,
            daily_loss=self.daily_loss,
            stop_price=self._drawn_stop,
        )
        works = self._exit is not None and self._exit.alive()
        info = self._exit.info if self._exit is not None else {}
        working = (info["exit_reason"], info["exit_decided_ts"]) if works else None
        return Left(memory, working, len(self.recorder.equity_ts))

    def _answered(self, waits: Any) -> tuple[float, float, float]:
        answered = waits.answered
        entry = self._entry
        said = None if entry is None else entry.info.get("decision")
        if said is not None and said.answer is Answer.YES:  # told in the next loop
            assert entry is not None
            answered = max(answered, self._minutes(entry.info["suggestion"].ts))
        return answered, waits.skipped, self._previous


def run(made: Market, policy: Any, settings: Settings, broker: ChainBroker, **terms: Any) -> Mortal:
    cerebro = bt.Cerebro(stdstats=False, quicknotify=True)
    cerebro.adddata(ChainFeed([made.day()]))
    cerebro.setbroker(ApprovalBroker(broker, terms.pop("approver", None) or AutomaticApprover()))
    cerebro.addstrategy(Mortal, policy=policy, settings=settings, **terms)
    ran: Mortal = cerebro.run()[0]
    return ran


def later(made: Market, row: int) -> Market:
    """The rows after `row`."""
    names = ("ts", "spot", "bid", "ask", "bid_size", "ask_size")
    return replace(made, **{name: getattr(made, name)[row + 1 :] for name in names})


def prefilled(ran: Mortal, rows: int) -> RunRecorder:
    """The record as far as the process before had come."""
    kept, old = RunRecorder(ran.recorder.actions), ran.recorder
    for i in range(rows):
        kept.row(old.decision_ts[i])[:] = old.features[i]
        kept.equity(old.equity_ts[i], old.cash[i], old.position_value[i])
    return kept


def interrupted(
    made: Market, policy: Any, settings: Settings, row: int, draws: int | None = None
) -> tuple[Mortal, Mortal]:
    """The uninterrupted run whose entry ends at `row`, and the one restored after it."""
    whole = run(
        made, policy, settings, ChainBroker(settings.capital, settings.fills), dies=row, draws=draws
    )
    left = whole.left
    assert left is not None
    broker = ChainBroker(settings.capital, settings.fills)
    broker.restore(left.memory, *(left.exit or (None, None)))
    second = run(
        later(made, row),
        policy,
        settings,
        broker,
        memory=left.memory,
        recorder=prefilled(whole, left.rows),
    )
    return whole, second


def same(whole: Mortal, second: Mortal) -> None:
    assert list(map(repr, second.tracker.round_trips)) == list(map(repr, whole.tracker.round_trips))
    assert second.tracker.realised_pnl == whole.tracker.realised_pnl
    for name in ("equity_ts", "cash", "position_value"):
        assert getattr(second.recorder, name) == getattr(whole.recorder, name), name
    assert np.array_equal(second.recorder.features, whole.recorder.features, equal_nan=True)
    assert second.broker.getcash() == whole.broker.getcash()
    assert second.broker.inner.positions == {}


@tries(max_examples=60, deadline=None)
@given(
    made=random_market(),
    policy=some.sampled_from([Restless(), Scripted([2]), Scripted([1, 2, 0])]),
    where=some.floats(0, 1),
    profile=some.sampled_from(
        [{}, {"stop_multiples": (1.1, 1.2, 1.3)}, {"daily_loss": 0.0005}, {"hold_to_expiry": True}]
    ),
)
def test_a_session_interrupted_at_any_bar_ends_as_if_it_had_not_been(
    made: Market, policy: Any, where: float, profile: dict[str, Any]
) -> None:
    if made.ts.size < 3:
        return
    figures = QUICK.rules.model_dump() | profile
    settings = QUICK.model_copy(update={"rules": type(QUICK.rules)(**figures)})
    same(*interrupted(made, policy, settings, int(where * (made.ts.size - 2))))


@pytest.mark.parametrize("row", [29, 30, 31, 32, 60, 200, 373, 374, 375, 376, 388])
def test_a_position_gets_its_time_exit_at_its_time_again(row: int) -> None:
    whole, second = interrupted(market(), Scripted(SELL_AT_TEN), Settings(), row)
    same(whole, second)
    if row > 30:
        (trip,) = second.tracker.round_trips
        assert trip.exit_reason is ExitReason.TIME_EXIT
        assert trip.exited_ts == SESSION.open_ns + round(375 * 60e9)


def test_a_partly_filled_exit_leaves_the_mark_of_what_is_left() -> None:
    made = from_knobs(SESSION, 2354110, "sparse", 0.12, 0.0, 5, 0.8, 0.4, True)
    same(*interrupted(made, Restless(), QUICK, 24))


def test_a_stop_that_was_decided_before_the_death_fills_after_it() -> None:
    made = market()
    made.price(PUT, 628, made.between(100, 391), 9.0)
    whole, second = interrupted(made, Scripted(SELL_AT_TEN), Settings(), 100)
    same(whole, second)
    assert second.tracker.round_trips[0].exit_reason is ExitReason.STOP_LOSS


def test_a_partly_filled_exit_pays_its_minimum_fee_once() -> None:
    made = market()
    made.price(PUT, 628, made.between(100, 391), 9.0).quote(
        PUT, 628, made.between(101, 391), size=1
    )
    for row in (100, 101, 102):
        same(*interrupted(made, Scripted(SELL_AT_TEN), QUICK, row))


def test_a_stop_that_was_drawn_in_stays_drawn_in() -> None:
    made = market()
    whole, second = interrupted(made, Scripted(SELL_AT_TEN), Settings(), 60, draws=40)
    assert whole.left is not None
    drawn = whole.left.memory.stop_price
    assert drawn is not None
    made.price(PUT, 628, made.between(100, 391), drawn)
    whole, second = interrupted(made, Scripted(SELL_AT_TEN), Settings(), 60, draws=40)
    same(whole, second)
    assert second.tracker.round_trips[0].exit_reason is ExitReason.STOP_LOSS


def test_waits_go_on_after_a_restart() -> None:
    for answer in (Answer.NO, Answer.SKIP):
        settings = rules(wait_minutes=(120, 120, 120))
        broker = ChainBroker(settings.capital, settings.fills)
        whole = run(
            market(),
            Scripted([2]),
            settings,
            broker,
            dies=40,
            approver=ScriptedApprover([answer]),
        )
        assert whole.left is not None
        asked = ScriptedApprover([])
        run(
            later(market(), 40),
            Scripted([2]),
            settings,
            ChainBroker(settings.capital),
            memory=whole.left.memory,
            approver=asked,
        )
        wait = 120 if answer is Answer.NO else 15
        assert asked.asked[0].ts == SESSION.open_ns + round((30 + wait) * 60e9)


def test_the_daily_loss_stays_latched() -> None:
    made, settings = market(), rules(wait_minutes=(15, 15, 15))
    memory = DeskMemory(last_ts=int(made.ts[40]), opening=80_000.0, peak=80_000.0, daily_loss=True)
    again = run(later(made, 40), Scripted([2]), settings, ChainBroker(), memory=memory)
    assert again.tracker.round_trips == [] and again.daily_loss


def test_the_memory_of_another_session_is_refused() -> None:
    memory = DeskMemory(last_ts=SESSION.close_ns)
    with pytest.raises(InternalError, match="not of the session 2026-11-02"):
        run(market(session=MONDAY), Scripted([0]), Settings(), ChainBroker(), memory=memory)
