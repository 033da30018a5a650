"""No entry without a yes; the same order object; and the inner broker seen through the wrapper."""

from typing import Any

import backtrader as bt
import pytest
from market import PUT, SESSION, Market, Scripted, at, contract, desk, market, wishes

from brokers.approval import ApprovalBroker
from brokers.approvers import ScriptedApprover
from brokers.chain_broker import ChainBroker
from feeds.chain_feed import ChainFeed
from feeds.snapshot import ChainSnapshot
from settings import Settings
from strategies.ppo_strategy import PPOStrategy
from vocabulary import Answer, Decision, ExitReason, Suggestion, Verdict

SELL_AT_TEN = wishes((6, 2))


class Late(ScriptedApprover):
    """Answers only from a minute of the session on, as a person does."""

    def __init__(self, answer: str, minute: float) -> None:
        super().__init__([answer])
        self.from_ts = at(SESSION, minute)
        self.now = 0

    def answer(self, suggestion: Suggestion) -> Decision | None:
        return super().answer(suggestion) if self.now >= self.from_ts else None


class Inner(ChainBroker):
    """The simulated broker, with a record of what reached it."""

    def __init__(self, cash: float = 80_000.0) -> None:
        super().__init__(cash)
        self.reached: list[bt.Order] = []

    def submit(self, order: bt.Order) -> bt.Order:
        self.reached.append(order)
        return super().submit(order)


class Listener(PPOStrategy):
    """Keeps the news, and tells a late approver the time."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[tuple[str, str, str]] = []
        self.placed: list[bt.Order] = []

    def next(self) -> None:
        approver = getattr(self.broker, "approver", None)
        if isinstance(approver, Late):
            approver.now = self.feed.snapshot().ts
        super().next()
        if self._entry is not None and all(self._entry is not one for one in self.placed):
            self.placed.append(self._entry)

    def notify_order(self, order: bt.Order) -> None:
        super().notify_order(order)
        kind = str(order.info.get("exit_reason") or "entry")
        self.told.append((kind, order.getstatusname(), str(order.info.get("reason", ""))))


def run(
    approver: Any, made: Market | None = None, script: list[int] = SELL_AT_TEN, **terms: Any
) -> Listener:
    days = [(made or market()).day()]
    cerebro = bt.Cerebro(stdstats=False, quicknotify=True)
    cerebro.adddata(ChainFeed(days))
    how = terms.pop("run", {})
    cerebro.setbroker(ApprovalBroker(Inner(), approver, **terms))
    cerebro.addstrategy(Listener, policy=Scripted(script), settings=Settings())
    ran: Listener = cerebro.run(**how)[0]
    return ran


def entry_news(ran: Listener) -> list[tuple[str, str]]:
    return [(status, reason) for kind, status, reason in ran.told if kind == "entry"]


def test_a_yes_forwards_the_very_object_that_was_held() -> None:
    ran = run(ScriptedApprover(["y"]))
    entry, time_exit = ran.broker.inner.reached
    assert entry is ran.placed[0]
    assert entry.info["decision"].answer is Answer.YES
    assert [status for status, _ in entry_news(ran)] == ["Submitted", "Accepted", "Completed"]
    assert time_exit.info["exit_reason"] is ExitReason.TIME_EXIT


@pytest.mark.parametrize(
    ("answer", "status", "reason"),
    [
        ("n", "Rejected", "the person said no"),
        ("skip", "Canceled", "skip"),
        ("timeout", "Canceled", "timeout"),
        ("withdrawn", "Canceled", "withdrawn"),
    ],
)
def test_without_a_yes_nothing_reaches_the_market(answer: str, status: str, reason: str) -> None:
    ran = run(ScriptedApprover([answer]))
    assert ran.broker.inner.reached == []
    assert entry_news(ran)[-1] == (status, reason)
    assert len(entry_news(ran)) == 2
    assert ran.broker.getcash() == 80_000


def test_a_late_yes_fills_at_the_next_snapshot_and_the_bars_went_on() -> None:
    ran = run(Late("y", 33))
    (trip,) = ran.tracker.round_trips
    assert trip.decided_ts == at(SESSION, 30)
    # told at 33, collected by the broker at 34 before it fills: not earlier than the bar after it
    assert trip.entered_ts == at(SESSION, 35)
    assert len(ran.recorder.decision_ts) == 390


def test_a_yes_in_the_last_minute_is_too_late() -> None:
    approver = Late("y", 389.5)
    ran = run(approver)
    assert entry_news(ran)[-1] == ("Canceled", "session_end")
    assert [reason for _, reason in approver.withdrawn] == ["session_end"]
    assert ran.broker.inner.reached == []


def test_a_question_that_is_still_open_at_the_stop_is_withdrawn() -> None:
    class Stopper(Listener):
        def next(self) -> None:
            super().next()
            if len(self) == 100:
                self.env.runstop()

    approver = ScriptedApprover([])
    cerebro = bt.Cerebro(stdstats=False, quicknotify=True)
    cerebro.adddata(ChainFeed([market().day()]))
    cerebro.setbroker(ApprovalBroker(Inner(), approver))
    cerebro.addstrategy(Stopper, policy=Scripted(SELL_AT_TEN), settings=Settings())
    (ran,) = cerebro.run()
    ran.broker.stop()  # what Cerebro leaves out when a run is stopped
    assert [reason for _, reason in approver.withdrawn] == ["the session was stopped"]
    assert ran.placed[0].status == bt.Order.Canceled


def test_the_market_is_judged_again_at_the_moment_of_yes() -> None:
    asked: list[tuple[bt.Order, int]] = []

    def recheck(order: bt.Order, snapshot: ChainSnapshot) -> Verdict:
        asked.append((order, snapshot.ts))
        return Verdict(False, "drifted 4 ticks against us")

    ran = run(Late("y", 33), recheck=recheck)
    assert entry_news(ran)[-1] == ("Rejected", "drifted 4 ticks against us")
    assert [(order is ran.placed[0], ts) for order, ts in asked] == [(True, at(SESSION, 34))]
    assert ran.broker.inner.reached == []


def test_a_refused_yes_starts_no_wait() -> None:
    approver = ScriptedApprover(["y"] * 99)
    run(approver, script=[2], recheck=lambda order, snapshot: Verdict(False, "no"))
    assert len(approver.asked) == (360 - 30) / 5 + 1


def test_every_decision_is_told_to_the_journal() -> None:
    told: list[tuple[Suggestion, Decision]] = []
    run(
        ScriptedApprover(["skip", "n"]),
        script=[2],
        decided=lambda suggestion, decision: told.append((suggestion, decision)),
    )
    assert [decision.answer for _, decision in told] == ["skip", "n", "withdrawn"]
    assert all(suggestion.id == decision.suggestion_id for suggestion, decision in told)
    assert told[0][1].channel == "script"


def test_protective_exits_need_no_second_yes() -> None:
    approver = ScriptedApprover(["y"])
    crash = market(spot=628.2013)
    crash.spot[60:] = 620.0
    ran = run(approver, crash)
    assert len(approver.asked) == 1
    assert [trip.exit_reason for trip in ran.tracker.round_trips] == [ExitReason.STOP_LOSS]
    kinds = {kind for kind, _, _ in ran.told}
    assert kinds == {"entry", "time_exit", "stop_loss"}


def test_an_entry_that_nobody_can_judge_is_refused() -> None:
    class Careless(bt.Strategy):
        def next(self) -> None:
            if len(self) == 60:
                self.sell(data=self.data.contract(contract()), size=1)

        def notify_order(self, order: bt.Order) -> None:
            self.last = order.getstatusname(), order.info["reason"]

    cerebro = bt.Cerebro(stdstats=False, quicknotify=True)
    cerebro.adddata(ChainFeed([market().day()]))
    broker = ApprovalBroker(Inner(), ScriptedApprover([]))
    cerebro.setbroker(broker)
    cerebro.addstrategy(Careless)
    (ran,) = cerebro.run()
    assert ran.last == ("Rejected", "an entry needs a suggestion that a person can answer")
    assert broker.inner.reached == []


def test_an_open_question_can_be_taken_back_by_a_copy_of_the_order() -> None:
    class Withdrawing(Listener):
        def next(self) -> None:
            super().next()
            if len(self) == 33:
                self.cancel(self.placed[0].clone())

    approver = ScriptedApprover([])
    ran = desk([market().day()], Scripted(SELL_AT_TEN), approver=approver, strategy=Withdrawing)
    assert [reason for _, reason in approver.withdrawn] == ["canceled"]
    assert ran.placed[0].status == bt.Order.Canceled  # type: ignore[attr-defined]


def test_a_working_entry_is_canceled_at_the_inner_broker() -> None:
    made = market().quote(PUT, 628, slice(31, 40), bid=0.0)
    ran = run(ScriptedApprover(["y"]), made)
    assert entry_news(ran)[-1] == ("Canceled", "unfilled")


def test_the_wrapper_answers_as_the_inner_broker_does() -> None:
    seen: list[tuple[Any, ...]] = []

    class Looking(Listener):
        def next(self) -> None:
            super().next()
            broker, inner, data = self.broker, self.broker.inner, self.feed.contract(contract())
            seen.append(
                (
                    broker.getcash() == broker.get_cash() == inner.getcash(),
                    broker.getvalue() == broker.get_value() == inner.getvalue(),
                    broker.getvalue([data]) == inner.getvalue([data]),
                    broker.getposition(data) is inner.getposition(data)
                    or broker.getposition(data).size == 0,
                    broker.positions is inner.positions,
                    broker.fundvalue == inner.fundvalue,
                    broker.fundshares == inner.fundshares,
                    broker.fundmode == inner.fundmode,
                    broker.getcommissioninfo(data) is inner.getcommissioninfo(data),
                    broker.getcommissioninfo(data).p.mult == 100,
                    broker.startingcash == inner.startingcash == 80_000,
                    broker.cerebro is inner.cerebro,
                )
            )

    ran = desk([market().day()], Scripted(SELL_AT_TEN), strategy=Looking)
    assert all(all(row) for row in seen)
    assert len(seen) == 391
    assert ran.tracker.round_trips
    assert ran.broker.fundvalue == ran.broker.getvalue()


@pytest.mark.parametrize("how", [{"runonce": False}, {"preload": False, "runonce": False}])
@pytest.mark.parametrize("answers", [["y", "y"], ["skip", "y", "n"]])
def test_a_live_style_run_asks_and_fills_the_same(how: dict[str, bool], answers: list[str]) -> None:
    usual = run(ScriptedApprover(answers), script=[2])
    other = run(ScriptedApprover(answers), script=[2], run=how)
    assert other.told == usual.told
    assert list(map(repr, other.tracker.round_trips)) == list(map(repr, usual.tracker.round_trips))
    assert len(usual.tracker.round_trips) >= 1
