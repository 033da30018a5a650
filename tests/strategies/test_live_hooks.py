"""What the live desk tells the strategy: gates, a person's commands, corrections of fills."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import backtrader as bt
import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as tries
from hypothesis import strategies as some
from market import (
    EVERY_MINUTE,
    PUT,
    SESSION,
    Market,
    Scripted,
    desk,
    from_knobs,
    market,
    rules,
    wishes,
)

from brokers.approval import ApprovalBroker
from brokers.approvers import ScriptedApprover
from brokers.chain_broker import ChainBroker
from feeds.chain_feed import ChainFeed
from settings import Settings
from strategies.ppo_strategy import PPOStrategy
from strategies.recorder import OFF_SLOT
from strategies.rules import Refusal
from vocabulary import ExitReason, Fill

SELL_AT_TEN = wishes((6, 2))
Step = Callable[["Commanded"], Any]


class Commanded(PPOStrategy):
    """Obeys `steps[minute]` after its own work at that bar, and keeps every answer it gave."""

    params = (("steps", None),)

    def __init__(self) -> None:
        super().__init__()
        self.todo: dict[float, Step] = dict(self.p.steps or {})
        self.said: list[Any] = []
        self.orders: dict[int, bt.Order] = {}
        self.together = 0

    def notify_order(self, order: bt.Order) -> None:
        super().notify_order(order)
        self.orders[order.ref] = order

    def next(self) -> None:
        super().next()
        minute = self.feed.snapshot().minutes_since_open
        for due in [key for key in self.todo if key <= minute]:
            self.said.append(self.todo.pop(due)(self))


def play(
    made: Market,
    steps: dict[float, Step] | None = None,
    script: Sequence[int] = SELL_AT_TEN,
    settings: Settings | None = None,
    policy: Any = None,
    **terms: Any,
) -> Commanded:
    policy = policy or Scripted(script)
    ran = desk([made.day()], policy, settings, strategy=Commanded, steps=steps, **terms)
    assert isinstance(ran, Commanded)
    return ran


def minute(ts: int | None) -> float:
    assert ts is not None
    return (ts - SESSION.open_ns) / 60e9


def test_the_wait_that_is_left_is_told_from_the_answer_on() -> None:
    def left(strategy: Commanded) -> float:
        return strategy.wait_left(strategy.feed.snapshot().ts)

    ran = play(market(), dict.fromkeys((29.0, 40.0, 100.0, 380.0), left))
    (trip,) = ran.tracker.round_trips
    sold = minute(trip.decided_ts)
    assert ran.said[0] == 0.0 and ran.said[-1] == 0.0
    assert ran.said[1] - ran.said[2] == 60.0, "a minute less every minute"
    assert ran.said[1] + 40.0 - sold in (120.0, 180.0, 240.0), "a wait of the rules"


# --- the gate ------------------------------------------------------------------------------------


def test_a_halted_desk_is_not_asked_and_the_reason_is_recorded() -> None:
    policy = Scripted([2])
    ran = play(market(), policy=policy, gate=lambda: "the line is down")
    assert ran.tracker.round_trips == [] and policy.asked == []
    slots = ran.recorder.action != OFF_SLOT
    assert set(ran.recorder.reason[slots]) == {Refusal.HALTED}
    assert not ran.recorder.allowed.any()


def test_a_gate_that_opens_lets_entries_through() -> None:
    closed = [True]
    ran = play(
        market(),
        {60: lambda s: closed.clear()},
        [2],
        gate=lambda: "paused" if closed else "",
    )
    assert minute(ran.tracker.round_trips[0].decided_ts) == 65.0


def test_a_halt_never_holds_back_an_exit() -> None:
    made = market()
    made.price(PUT, 628, made.between(100, 391), 9.0)
    closed: list[bool] = []
    steps: dict[float, Step] = {40: lambda s: closed.append(True)}
    ran = play(made, steps, gate=lambda: "paused" if closed else "")
    (trip,) = ran.tracker.round_trips
    assert (trip.exit_reason, minute(trip.exit_decided_ts)) == (ExitReason.STOP_LOSS, 100.0)


def test_a_halted_model_may_still_close() -> None:
    closed: list[bool] = []
    steps: dict[float, Step] = {40: lambda s: closed.append(True)}
    policy = Scripted(wishes((6, 2), (12, 3)), actions=4)
    ran = play(market(), steps, policy=policy, gate=lambda: "paused" if closed else "")
    (trip,) = ran.tracker.round_trips
    assert (trip.exit_reason, minute(trip.exit_decided_ts)) == (ExitReason.MODEL, 60.0)


# --- a person's close ----------------------------------------------------------------------------


@pytest.mark.parametrize("reason", [ExitReason.MANUAL, ExitReason.KILL])
def test_a_person_closes_the_position_once(reason: ExitReason) -> None:
    close: Step = lambda s: (s.close_position(reason), s.close_position(reason))  # noqa: E731
    ran = play(market(), {60: close})
    (trip,) = ran.tracker.round_trips
    assert (trip.exit_reason, minute(trip.exited_ts)) == (reason, 61.0)
    assert ran.said == [("", f"an exit works already ({reason})")]
    assert ran.broker.inner.positions == {} and ran.stop_price is None


def test_a_close_takes_the_place_of_an_exit_that_is_only_asked() -> None:
    """Nobody answers the stop's question; `close` needs no further answer."""
    made = market()
    made.price(PUT, 628, made.between(60, 391), 9.0)
    asked = ScriptedApprover(["y"])
    settings = Settings(live={"exits": "ask"})
    steps: dict[float, Step] = {
        62: lambda s: s.close_position(ExitReason.MANUAL),
        62.5: lambda s: s.close_position(ExitReason.MANUAL),
    }
    terms = {"exits": "ask", "repeat_seconds": 1e9}
    cerebro = bt.Cerebro(stdstats=False, quicknotify=True)
    cerebro.adddata(ChainFeed([made.day()]))
    cerebro.setbroker(ApprovalBroker(ChainBroker(), asked, **terms))
    policy = Scripted(SELL_AT_TEN)
    cerebro.addstrategy(Commanded, policy=policy, settings=settings, steps=steps)
    ran = cerebro.run()[0]
    (trip,) = ran.tracker.round_trips
    assert (trip.exit_reason, minute(trip.exited_ts)) == (ExitReason.MANUAL, 63.0)
    assert ran.said == ["", "there is no open position"]
    assert asked.withdrawn and ran.broker.inner.positions == {}


def test_a_close_while_flat_is_refused() -> None:
    ran = play(market(), {10: lambda s: s.close_position(ExitReason.MANUAL)})
    assert ran.said == ["there is no open position"]
    assert len(ran.tracker.round_trips) == 1


def test_a_close_takes_the_rest_of_the_entry_back() -> None:
    made = market()
    made.quote(PUT, 628, made.between(31, 32), size=1)
    made.quote(PUT, 628, made.between(32, 34), size=0)
    rich = Settings(capital=300_000.0, contracts=3)
    steps: dict[float, Step] = {32: lambda s: s.close_position(ExitReason.MANUAL)}
    ran = play(made, steps, settings=rich)
    (trip,) = ran.tracker.round_trips
    assert (trip.quantity, trip.exit_reason) == (1, ExitReason.MANUAL)
    assert ran.broker.inner.positions == {}


def test_an_entry_is_canceled_or_its_question_taken_back() -> None:
    made = market()
    made.quote(PUT, 628, made.between(31, 36), bid=0.0)
    ran = play(made, {31: lambda s: (s.cancel_entry("killed"), s.cancel_entry("killed"))})
    assert ran.said == [("", "no entry is working")] and ran.tracker.round_trips == []
    asked = ScriptedApprover([])
    ran = play(market(), {31: lambda s: s.cancel_entry("killed")}, approver=asked)
    assert [reason for _, reason in asked.withdrawn] == ["killed"]
    assert ran._waits.answered == ran._waits.skipped == -np.inf  # a question withdrawn starts none


# --- the stop ------------------------------------------------------------------------------------


def test_a_stop_only_comes_nearer() -> None:
    def draw(strategy: Commanded) -> list[str]:
        plan = strategy.stop_price
        assert plan is not None
        tries = [strategy.tighten_stop(price) for price in (plan, plan + 1, 0.0, np.nan, 0.01)]
        assert strategy.stop_price == plan
        assert strategy.tighten_stop(plan - 0.5) == ""
        assert strategy.stop_price == plan - 0.5
        return [*tries, strategy.tighten_stop(plan - 0.4)]

    ran = play(market(), {40: draw})
    (said,) = ran.said
    assert "already: it can only come nearer" in said[0]
    assert "come nearer" in said[1] and "no price" in said[2] and "no price" in said[3]
    assert "is hit already" in said[4] and "come nearer" in said[5]


def test_a_stop_that_was_drawn_in_closes_at_its_price_and_is_forgotten_with_the_position() -> None:
    made = market()
    plain = play(made).tracker.round_trips[0]
    stop = round(1.5 * plain.entry_price, 2)
    made.price(PUT, 628, made.between(100, 101), round(stop - 0.02, 2))
    made.price(PUT, 628, made.between(101, 110), stop)
    settings = rules(wait_minutes=(15, 15, 15))
    steps: dict[float, Step] = {40: lambda s: s.tighten_stop(stop), 155: lambda s: s.stop_price}
    ran = play(made, steps, wishes((6, 2), (30, 2)), settings)
    first, second = ran.tracker.round_trips
    assert ran.said == ["", second.stop_multiple * second.entry_price]
    assert (first.exit_reason, minute(first.exit_decided_ts)) == (ExitReason.STOP_LOSS, 101.0)
    assert second.exit_reason is ExitReason.TIME_EXIT
    assert play(made, None, wishes((6, 2)), settings).tracker.round_trips[0].exit_reason is (
        ExitReason.TIME_EXIT
    )


def test_there_is_no_stop_to_draw_in_while_flat() -> None:
    ran = play(market(), {10: lambda s: s.tighten_stop(1.0)})
    assert ran.said == ["there is no open position"]


# --- the daily loss ------------------------------------------------------------------------------


def losing() -> Market:
    made = market(spot=np.where(EVERY_MINUTE < 60, 628.2013, 620.0013))
    return made.price(PUT, 628, made.between(60, 391), 8.0)


def test_the_daily_loss_is_told_once_and_counts_anew_when_resumed() -> None:
    told: list[float] = []
    settings = rules(daily_loss=0.005, wait_minutes=(15, 15, 15))

    def resume(strategy: Commanded) -> tuple[bool, float, float, float, float]:
        before = strategy.daily_loss, strategy.loss_left
        strategy.resume_after_daily_loss()
        assert not strategy.daily_loss
        return (*before, strategy.opening, strategy.peak, strategy.equity)

    ran = play(losing(), {200: resume}, [2], settings, on_daily_loss=told.append)
    ((latched, left, opening, peak, equity),) = ran.said
    assert latched and left < 0
    assert opening == peak == equity
    assert len(told) == 1 and told[0] > 400
    entered = [minute(trip.decided_ts) for trip in ran.tracker.round_trips]
    assert entered[:2] == [30.0, 205.0]


# --- corrections ---------------------------------------------------------------------------------


def revise(strategy: Commanded, **changes: Any) -> None:
    """What a broker does when it hears more of its first fill: replace it, and tell again."""
    order = next(order for _, order in sorted(strategy.orders.items()) if order.info.get("fills"))
    fills = order.info["fills"]
    fills[0] = replace(fills[0], **changes)
    strategy.notify_order(order)
    strategy.notify_order(order)


@pytest.mark.parametrize("when", [40.0, 390.0])
def test_a_commission_that_comes_late_is_counted_once(when: float) -> None:
    ran = play(market(), {when: lambda s: revise(s, fee=3.0, execution_id="x")})
    (trip,) = ran.tracker.round_trips
    plain = play(market()).tracker.round_trips[0]
    assert trip.fees == pytest.approx(plain.fees - 1.05 + 3.0)
    assert ran.tracker.realised_pnl == trip.net_pnl == trip.gross_pnl - trip.fees


def test_a_corrected_price_moves_the_stop_and_the_result() -> None:
    ran = play(market(), {40: lambda s: (revise(s, price=5.0), s.stop_price)})
    (trip,) = ran.tracker.round_trips
    assert trip.entry_price == 5.0 and ran.said[0][1] == 15.0


def test_a_fill_of_an_earlier_process_is_corrected_by_an_order_nobody_has_seen() -> None:
    """Its order died with that process: the broker brings the news by one that is over."""

    def restate(strategy: Commanded) -> float | None:
        revise(strategy, execution_id="e1")  # as it is in the books after a restart
        first = next(order for order in strategy.orders.values() if order.info.get("fills"))
        order = bt.SellOrder(
            owner=strategy, data=first.data, size=1, exectype=bt.Order.Market, simulated=True
        )
        order.addinfo(fills=[replace(first.info["fills"][0], price=5.0)], order_ref="x")
        order.completed()
        strategy.notify_order(order)
        return strategy.stop_price

    ran = play(market(), {40: restate}, gate=lambda: "")
    (trip,) = ran.tracker.round_trips
    assert ran.said == [15.0] and trip.entry_price == 5.0 and trip.quantity == 1
    assert ran.books_fault == ""


def test_books_that_cannot_follow_halt_entries_and_not_the_desk() -> None:
    def twice(strategy: Commanded) -> str:
        order = max(strategy.orders.values(), key=lambda one: one.ref)
        order.info["fills"].append(order.info["fills"][0])
        strategy.notify_order(order)
        return strategy.books_fault

    settings = rules(wait_minutes=(15, 15, 15))
    steps: dict[float, Step] = {
        60: lambda s: s.close_position(ExitReason.MANUAL),
        62: twice,
    }
    ran = play(market(), steps, [2], settings, gate=lambda: "")
    assert "without a position" in ran.said[1] and len(ran.tracker.round_trips) == 1
    with pytest.raises(ValueError, match="without a position"):
        play(market(), steps, [2], settings)  # a backtest must not go on


def test_a_stop_at_the_broker_ends_our_own_exit() -> None:
    """A native stop closes two of three: the time exit may buy back one, not three."""

    def native(strategy: Commanded) -> int:
        held = strategy.tracker.position
        assert held is not None
        data = strategy.feed.contract(held.contract)
        reason = {"exit_reason": ExitReason.STOP_LOSS, "exit_decided_ts": 0}
        strategy.buy(data=data, size=2, **reason)
        return held.quantity

    rich = Settings(capital=300_000.0, contracts=3)
    ran = play(market(), {100: native}, settings=rich)
    (trip,) = ran.tracker.round_trips
    assert ran.said == [3] and trip.quantity == 3
    bought = [f.quantity for o in ran.orders.values() if o.isbuy() for f in o.info["fills"] or ()]
    assert bought == [2, 1]
    assert ran.broker.inner.positions == {}


# --- whatever a person does ----------------------------------------------------------------------

COMMANDS = ("close", "kill", "stop", "cancel", "resume", "close twice")


def command(name: str, share: float) -> Step:
    def carried_out(strategy: Commanded) -> None:
        if name == "stop":
            strategy.tighten_stop(round(share * (strategy.stop_price or 1.0), 2))
        elif name == "cancel":
            strategy.cancel_entry("a person")
        elif name == "resume":
            strategy.resume_after_daily_loss()
        else:
            strategy.close_position(ExitReason.KILL if name == "kill" else ExitReason.MANUAL)
            if name == "close twice":
                strategy.close_position(ExitReason.MANUAL)

    return carried_out


@tries(max_examples=40, deadline=None)
@given(
    seed=some.integers(0, 2**32 - 1),
    jump=some.sampled_from([0.0, -6.0, 6.0]),
    sizes=some.booleans(),
    commands=some.dictionaries(
        some.integers(30, 389), some.tuples(some.sampled_from(COMMANDS), some.floats(0.1, 1.2))
    ),
)
def test_whatever_a_person_commands_no_exit_exceeds_the_position_and_the_day_ends_flat(
    seed: int, jump: float, sizes: bool, commands: dict[int, tuple[str, float]]
) -> None:
    made = from_knobs(SESSION, seed, "minute", 0.12, jump, 25, 0.3, 0.05, sizes)
    steps: dict[float, Step] = {at: command(*what) for at, what in commands.items()}
    quick = {"wait_minutes": (15, 20, 25), "stop_multiples": (1.5, 1.6, 1.7)}
    settings = Settings(capital=300_000.0, contracts=3, rules=quick)
    ran = play(made, steps, [2], settings)
    assert ran.tracker.position is None and ran.broker.inner.positions == {}
    held, fills = 0, all_fills(ran)
    for fill in fills:
        held += fill.side * fill.quantity
        assert -3 <= held <= 0
    assert held == 0
    equity = ran.recorder.cash[-1] + ran.recorder.position_value[-1]
    assert equity == pytest.approx(settings.capital + ran.tracker.realised_pnl)


def all_fills(ran: Commanded) -> list[Fill]:
    fills = [fill for order in ran.orders.values() for fill in order.info.get("fills") or ()]
    return sorted(fills, key=lambda fill: (fill.ts, -fill.side))
