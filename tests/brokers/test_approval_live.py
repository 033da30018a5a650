"""Questions in a live loop: idle loops between bars, time-outs, changed terms, asked exits.

Rows are fed to a real `LiveFeed`, with idle loops between them; a hand answers when it is told to.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import backtrader as bt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from market import PUT, SESSION, Market, Scripted, at, contract, market, wishes

from brokers.approval import ApprovalBroker
from brokers.approvers import AutomaticApprover, ScriptedApprover
from brokers.chain_broker import ChainBroker
from brokers.terms import changed, refused_change
from errors import JournalError
from feeds.live.live_feed import LiveFeed
from feeds.snapshot import ChainSnapshot
from settings import Settings
from strategies.entry import entry_plan
from strategies.ppo_strategy import PPOStrategy
from vocabulary import Action, Answer, Decision, ExitReason, LiveQuote, Plan, Suggestion, Verdict

SELL_AT_TEN = wishes((6, 2))


class Ticking:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.market = 0

    def market_now(self) -> int:
        return self.market

    def wall_now(self) -> datetime:
        return datetime(2026, 10, 30, tzinfo=UTC)

    def monotonic(self) -> float:
        return self.seconds


class Hand:
    """Answers when told to, from another thread; keeps what it was told."""

    channel = "hand"

    def __init__(self) -> None:
        self.asked: list[Suggestion] = []
        self.withdrawn: list[str] = []
        self.concluded: list[tuple[str, str]] = []
        self._given: deque[Decision] = deque()

    def say(self, answer: str, latency: float = 0.0, **words: str) -> None:
        self._given.append(Decision("", Answer(answer), self.channel, latency, **words))

    def ask(self, suggestion: Suggestion) -> None:
        self.asked.append(suggestion)

    def answer(self, suggestion: Suggestion) -> Decision | None:
        given = self._given.popleft() if self._given else None
        return None if given is None else replace(given, suggestion_id=suggestion.id)

    def withdraw(self, suggestion: Suggestion, reason: str) -> None:
        self.withdrawn.append(reason)

    def conclude(self, suggestion: Suggestion, decision: Decision, outcome: str) -> None:
        self.concluded.append((str(decision.answer), outcome))


class Inner(ChainBroker):
    """Counts loops, and does in one of them what the test wants done on Cerebro's thread."""

    def __init__(self) -> None:
        super().__init__(80_000.0)
        self.loops = 0
        self.todo: deque[Callable[[], Any]] = deque()
        self.reached: list[bt.Order] = []

    def submit(self, order: bt.Order) -> bt.Order:
        self.reached.append(order)
        return super().submit(order)

    def next(self) -> None:
        super().next()
        self.loops += 1
        while self.todo:
            self.todo.popleft()()


class Noting(PPOStrategy):
    """Keeps the statuses of every order by kind."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[tuple[str, str, str]] = []

    def notify_order(self, order: bt.Order) -> None:
        super().notify_order(order)
        kind = str(order.info.get("exit_reason") or "entry")
        self.told.append((kind, order.getstatusname(), str(order.info.get("reason", ""))))


class Desk:
    """Cerebro over a live feed in a thread; `bar` and `idle` come back when it has looked."""

    def __init__(self, approver: Any, made: Market | None = None, **terms: Any) -> None:
        self.clock, self.inner, self.events = Ticking(), Inner(), []
        self.day = (made or market()).day()
        self.feed = LiveFeed(newest_only=False, qcheck=0.001)
        note = self._note
        self.broker = ApprovalBroker(
            self.inner,
            approver,
            **{
                "clock": self.clock,
                "asked": note("asked"),
                "decided": note("decided"),
                "concluded": note("concluded"),
                "told": note("told"),
                **terms,
            },
        )
        self.cerebro = bt.Cerebro(stdstats=False, quicknotify=True)
        self.cerebro.adddata(self.feed)
        self.cerebro.setbroker(self.broker)
        self.cerebro.addstrategy(Noting, policy=Scripted(SELL_AT_TEN), settings=Settings())
        self.ran: list[Any] = []
        self.failed: list[BaseException] = []
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _note(self, kind: str) -> Callable[..., None]:
        return lambda *facts: self.events.append((kind, *facts))

    def _run(self) -> None:
        try:
            self.ran = self.cerebro.run()
        except BaseException as error:
            self.failed.append(error)

    def of(self, kind: str) -> list[tuple[Any, ...]]:
        return [event[1:] for event in self.events if event[0] == kind]

    def idle(self) -> None:
        """Two whole loops."""
        wanted, end = self.inner.loops + 2, time.monotonic() + 10
        while self.inner.loops < wanted and time.monotonic() < end and self.thread.is_alive():
            time.sleep(0.0005)
        assert not self.failed, self.failed

    def bar(self, *minutes: int) -> None:
        """A bar at each of these minutes, with idle loops after each."""
        for minute in minutes:
            self.feed.put(self.day.row(minute))
            self.idle()

    def do(self, action: Callable[[], Any]) -> Any:
        """Have it done on Cerebro's thread."""
        results: list[Any] = []
        self.inner.todo.append(lambda: results.append(action()))
        self.idle()
        return results[0]

    def end(self) -> Noting:
        if self.thread.is_alive():
            self.feed.end()
            self.thread.join(10)
        assert not self.failed, self.failed
        ran: Noting = self.ran[0]
        return ran

    def entry_news(self) -> list[tuple[str, str]]:
        return [(status, reason) for kind, status, reason in self.end().told if kind == "entry"]


@pytest.fixture
def hand() -> Hand:
    return Hand()


@pytest.fixture
def make() -> Iterator[Callable[..., Desk]]:
    made: list[Desk] = []

    def desk(*approver: Any, **terms: Any) -> Desk:
        made.append(Desk(*approver, **terms))
        return made[-1]

    yield desk
    for one in made:
        one.feed.end()
        one.thread.join(10)


Make = Callable[..., Desk]


def test_an_answer_takes_effect_in_an_idle_loop_and_says_so(make: Make, hand: Hand) -> None:
    desk = make(hand)
    desk.bar(29, 30)
    hand.say("y", latency=2.5)
    desk.idle()
    ((_, decision),) = desk.of("decided")
    assert (decision.ts, decision.at_bar) == (at(SESSION, 30), False)
    assert (decision.answer, decision.latency_seconds) == ("y", 2.5)
    desk.bar(31)
    assert ("Completed", "") in desk.entry_news()


def test_an_answer_that_comes_with_a_bar_says_so(make: Make, hand: Hand) -> None:
    desk = make(hand)
    desk.bar(29, 30)
    with_bar = Decision("", Answer.YES, "hand")
    seen = []

    def answer(suggestion: Suggestion) -> Decision | None:
        ts = desk.feed.snapshot().ts
        seen.append(ts)
        return replace(with_bar, suggestion_id=suggestion.id) if ts > at(SESSION, 30) else None

    hand.answer = answer  # type: ignore[method-assign]
    desk.bar(31)
    ((_, decision),) = desk.of("decided")
    assert (decision.ts, decision.at_bar) == (at(SESSION, 31), True)
    assert desk.inner.reached[0].info["decision"] is decision


def test_a_channel_that_knows_at_once_answers_at_the_bar_of_the_question(make: Make) -> None:
    desk = make(AutomaticApprover())
    desk.bar(29, 30)
    ((_, decision),) = desk.of("decided")
    assert (decision.ts, decision.at_bar) == (at(SESSION, 30), False)


def test_the_journal_is_told_in_order(make: Make, hand: Hand) -> None:
    desk = make(hand)
    desk.bar(29, 30)
    assert [event[0] for event in desk.events] == ["asked", "told"]
    order, suggestion, snapshot = desk.of("asked")[0]
    assert order.info["suggestion"] is suggestion and snapshot.ts == suggestion.ts
    hand.say("y")
    desk.idle()
    assert [event[0] for event in desk.events[2:5]] == ["decided", "concluded", "told"]
    assert desk.of("concluded")[0][2] == "sent"
    assert hand.concluded == [("y", "sent")]
    statuses = [order.getstatusname() for (order,) in desk.of("told")]
    desk.end()
    assert statuses == [status for _, status, _ in desk.ran[0].told][: len(statuses)]


@pytest.mark.parametrize(
    ("answer", "words", "reason"),
    [
        ("n", {}, "the person said no"),
        ("n", {"reason": "too risky"}, "too risky"),
        ("n", {"reason": "too wide", "reason_code": "spread"}, "spread: too wide"),
        ("skip", {}, "skip"),
    ],
)
def test_without_a_yes_the_outcome_is_not_sent(
    make: Make, hand: Hand, answer: str, words: dict[str, str], reason: str
) -> None:
    desk = make(hand)
    desk.bar(29, 30)
    hand.say(answer, **words)
    desk.idle()
    assert desk.of("concluded")[0][2] == "not sent"
    assert desk.entry_news()[-1][1] == reason
    assert desk.inner.reached == []


def test_a_question_times_out_by_the_clock_and_not_by_bars(make: Make, hand: Hand) -> None:
    desk = make(hand, question_seconds=60.0)
    desk.bar(29, 30, 31, 32)
    desk.clock.seconds = 59.9
    desk.idle()
    assert desk.of("decided") == []
    assert desk.do(lambda: desk.broker.open_question)[2] == pytest.approx(0.1)
    desk.clock.seconds = 60.0
    desk.idle()
    ((_, decision),) = desk.of("decided")
    assert (decision.answer, decision.latency_seconds) == (Answer.TIMEOUT, 60.0)
    assert hand.withdrawn == ["it timed out"]
    assert hand.concluded == []
    assert desk.do(lambda: desk.broker.open_question) is None
    assert desk.entry_news()[-1] == ("Canceled", "no answer within 60 s")


def test_an_answer_given_in_time_counts_though_it_is_collected_late(make: Make, hand: Hand) -> None:
    desk = make(hand, question_seconds=60.0)
    desk.bar(29, 30)

    def both() -> None:
        desk.clock.seconds = 61.0
        hand.say("y", latency=59.9)

    desk.do(both)
    desk.idle()
    assert desk.of("decided")[0][1].answer is Answer.YES


def test_an_answer_after_the_time_is_no_answer(make: Make, hand: Hand) -> None:
    desk = make(hand, question_seconds=60.0)
    desk.bar(29, 30)

    def both() -> None:
        desk.clock.seconds = 61.0
        hand.say("y", latency=60.1)

    desk.do(both)
    desk.idle()
    assert [decision.answer for _, decision in desk.of("decided")] == [Answer.TIMEOUT]
    assert desk.inner.reached == []


def test_a_refused_yes_tells_the_person_why(make: Make, hand: Hand) -> None:
    desk = make(hand, recheck=lambda order, snapshot: Verdict(False, "drifted 4 ticks"))
    desk.bar(29, 30)
    hand.say("y")
    desk.idle()
    assert hand.concluded == [("y", "drifted 4 ticks")]
    assert desk.of("concluded")[0][2] == "drifted 4 ticks"


def test_an_order_that_the_inner_broker_refuses_was_not_sent(make: Make, hand: Hand) -> None:
    desk = make(hand)
    desk.bar(29, 30)
    desk.do(lambda: setattr(desk.broker.open_question[0], "exectype", bt.Order.Stop))
    hand.say("y")
    desk.idle()
    assert hand.concluded[0][1].startswith("order type Stop is not simulated")


def test_everything_open_can_be_withdrawn(make: Make, hand: Hand) -> None:
    desk = make(hand)
    desk.bar(29, 30)
    desk.do(lambda: desk.broker.withdraw_all("the broker is away"))
    assert hand.withdrawn == ["the broker is away"]
    assert desk.of("decided")[0][1].answer is Answer.WITHDRAWN
    assert desk.entry_news()[-1] == ("Canceled", "the broker is away")


# --- a journal that cannot be written ------------------------------------------------------------


def unwritable(*facts: Any) -> None:
    raise JournalError("the disk is full")


def test_a_question_that_cannot_be_journaled_is_refused(make: Make, hand: Hand) -> None:
    desk = make(hand, asked=unwritable)
    desk.bar(29, 30)
    assert desk.broker.journal_fault == "the disk is full"
    assert hand.withdrawn == ["the disk is full"]
    assert desk.entry_news()[-1] == ("Rejected", "the disk is full")


def test_a_yes_that_cannot_be_journaled_sends_nothing(make: Make, hand: Hand) -> None:
    desk = make(hand, decided=unwritable)
    desk.bar(29, 30)
    hand.say("y")
    desk.idle()
    assert hand.concluded == [("y", "the disk is full")]
    assert desk.inner.reached == []


def test_exits_go_on_without_a_journal(make: Make, hand: Hand) -> None:
    crash = market(spot=628.2013)
    crash.spot[40:] = 615.0
    desk = make(hand, made=crash, told=unwritable)
    desk.bar(29, 30)
    hand.say("y")
    desk.idle()
    desk.bar(31, *range(32, 44))
    (trip,) = desk.end().tracker.round_trips
    assert trip.exit_reason is ExitReason.STOP_LOSS
    assert desk.broker.journal_fault == "the disk is full"


# --- changed terms -------------------------------------------------------------------------------


def test_fewer_contracts_are_asked_again_and_sent(make: Make, hand: Hand) -> None:
    desk = make(hand)
    desk.bar(29, 30)
    held = desk.do(lambda: desk.broker.open_question[0])

    def three() -> None:  # as if three had been suggested
        suggestion = replace(held.info["suggestion"], quantity=3)
        held.addinfo(suggestion=suggestion)
        desk.broker._held[0].suggestion = suggestion

    desk.do(three)
    assert desk.do(lambda: desk.broker.amend(quantity=4)) == "the quantity can only go down: 1 to 3"
    assert desk.do(lambda: desk.broker.amend(quantity=2)) == ""
    first, again = hand.asked
    assert (again.id, again.quantity) == (first.id, 2)
    hand.say("y")
    desk.idle()
    desk.bar(31)
    (order,) = desk.inner.reached[:1]
    assert (order.size, order.executed.size) == (-2, -2)
    assert order.info["suggestion"].quantity == 2
    assert desk.of("decided")[0][0] is again
    assert desk.end().tracker.position.quantity == 2


def test_a_sale_is_never_worse_than_the_limit_the_person_typed(make: Make, hand: Hand) -> None:
    made = market()
    bid = made.bid[31, PUT, list(made.strikes).index(628_000)]
    desk = make(hand, made=made)
    desk.bar(29, 30)
    limit = round(bid + 0.05, 2)
    assert desk.do(lambda: desk.broker.amend(limit=limit)) == ""
    plan = hand.asked[-1].plan
    assert plan is not None and (plan.worst_price, plan.limit) == (limit, limit)
    hand.say("y")
    desk.idle()
    desk.bar(31, 32, 33)
    desk.end()
    assert desk.ran[0].tracker.position is None  # the bid never was that good
    assert desk.inner.reached[0].exectype == bt.Order.Limit


def test_there_is_nothing_to_change_without_a_question(make: Make, hand: Hand) -> None:
    desk = make(hand)
    desk.bar(29)
    assert desk.do(lambda: desk.broker.amend(quantity=1)) == "there is no question to change"


def a_suggestion(quantity: int = 3) -> Suggestion:
    snapshot = ChainSnapshot(market().day(), 30)
    quote = snapshot.quote(contract())
    plan = entry_plan(snapshot, contract(), quote, quantity, 3.0, Settings())
    facts: dict[str, Any] = {"features": (), "probabilities": (), "mask": (), "model": "m"}
    return Suggestion(
        id="1",
        ts=snapshot.ts,
        action=Action.SELL_PUT,
        contract=contract(),
        side=-1,
        quantity=quantity,
        bid=quote.bid,
        ask=quote.ask,
        spot=snapshot.spot,
        risk_score=0.2,
        stop_multiple=3.0,
        plan=plan,
        **facts,
    )


@settings(max_examples=40)
@given(some.integers(1, 3), some.integers(1, 900))
def test_a_changed_plan_is_the_plan_of_those_terms(quantity: int, cents: int) -> None:
    """Against the same figures worked out by hand."""
    before, limit = a_suggestion(), cents / 100
    assert refused_change(before, quantity, limit) == ""
    after, old = changed(before, quantity, limit), before.plan
    assert after.plan is not None and old is not None
    entry = max(old.limit, limit)
    intrinsic_up = before.contract.intrinsic(before.spot * 1.01)
    intrinsic_down = before.contract.intrinsic(before.spot * 0.99)
    expected = Plan(
        limit=entry,
        worst_price=limit,
        credit=entry * 100 * quantity,
        stop_price=3 * entry,
        stop_loss=2 * entry * 100 * quantity,
        time_exit_ts=old.time_exit_ts,
        pnl_up=(entry - intrinsic_up) * 100 * quantity,
        pnl_down=(entry - intrinsic_down) * 100 * quantity,
        margin=628 * 100 * quantity,
    )
    for name in Plan.__slots__:
        assert getattr(after.plan, name) == pytest.approx(getattr(expected, name)), name


@pytest.mark.parametrize(
    ("quantity", "limit", "reason"),
    [
        (0, None, "the quantity can only go down: 1 to 3"),
        (4, None, "the quantity can only go down: 1 to 3"),
        (None, 0.004, "a limit is at least $0.01"),
        (None, float("nan"), "a limit is at least $0.01"),
        (None, 2.355, "a limit is in steps of $0.01"),
    ],
)
def test_terms_that_cannot_be(quantity: int | None, limit: float | None, reason: str) -> None:
    assert refused_change(a_suggestion(), quantity, limit) == reason


# --- exits that are asked ------------------------------------------------------------------------


def falling() -> Market:
    made = market()
    made.spot[35:] = 615.0
    made.price(PUT, 628, slice(35, None), 13.0)
    return made


def entered(make: Make, hand: Hand, **terms: Any) -> Desk:
    desk = make(hand, made=falling(), exits="ask", question_seconds=60.0, **terms)
    desk.bar(29, 30)
    hand.say("y")
    desk.idle()
    desk.bar(31, 32)
    assert len(desk.inner.reached) == 2  # the time exit is the plan's, and works by itself
    return desk


def test_an_exit_is_put_before_the_person_and_again_until_yes(make: Make, hand: Hand) -> None:
    desk = entered(make, hand)
    desk.bar(35)
    asked = hand.asked[-1]
    assert (asked.exit_reason, asked.side, asked.quantity) == (ExitReason.STOP_LOSS, 1, 1)
    assert (asked.bid, asked.ask) == (12.99, 13.01)
    assert asked.risk_score == hand.asked[0].risk_score
    desk.clock.seconds = 29.9
    desk.bar(36)
    assert len(hand.asked) == 2
    desk.clock.seconds = 200.0  # far beyond the time-out of an entry
    desk.idle()
    assert len(hand.asked) == 3
    assert hand.asked[2].id == asked.id and hand.asked[2].ts == at(SESSION, 36)
    hand.say("y")
    desk.idle()
    desk.bar(37, 38)
    (trip,) = desk.end().tracker.round_trips
    assert trip.exit_reason is ExitReason.STOP_LOSS
    assert trip.exited_ts == at(SESSION, 37)


@pytest.mark.parametrize("answer", ["n", "skip"])
def test_no_to_an_exit_is_not_now(make: Make, hand: Hand, answer: str) -> None:
    desk = entered(make, hand)
    desk.bar(35)
    hand.say(answer)
    desk.idle()
    assert hand.concluded[-1] == (answer, "not now: asked again in 30 s")
    desk.clock.seconds = 29.0
    desk.bar(36)
    assert len(hand.asked) == 2
    desk.clock.seconds = 30.0
    desk.bar(37)
    assert len(hand.asked) == 3
    assert hand.asked[2].id != hand.asked[1].id  # a new question, answered for itself
    hand.say("y")
    desk.idle()
    desk.bar(38, 39)
    assert len(desk.end().tracker.round_trips) == 1


def test_an_exit_is_put_at_the_freshest_price(make: Make, hand: Hand) -> None:
    fresh = LiveQuote(contract(), 5, 12.5, 12.6, 1, 1, 615.5, 0.1)
    desk = entered(make, hand, quotes=lambda wanted: fresh)
    desk.bar(35)
    asked = hand.asked[-1]
    assert (asked.bid, asked.ask, asked.spot, asked.ts) == (12.5, 12.6, 615.5, 5)


def test_the_time_exit_is_never_asked(make: Make, hand: Hand) -> None:
    desk = make(hand, exits="ask")
    desk.bar(29, 30)
    hand.say("y")
    desk.idle()
    desk.bar(31, 32, 374, 375, 376)
    assert len(hand.asked) == 1
    (trip,) = desk.end().tracker.round_trips
    assert (trip.exit_reason, trip.exited_ts) == (ExitReason.TIME_EXIT, at(SESSION, 375))


@pytest.mark.parametrize("answer", ["", "n"])
def test_an_exit_without_a_yes_is_carried_out_at_the_time_exit(
    make: Make, hand: Hand, answer: str
) -> None:
    desk = entered(make, hand)
    desk.bar(35)
    if answer:
        hand.say(answer)
        desk.idle()
    desk.bar(36, 374)
    assert len(desk.inner.reached) == 2
    desk.bar(375, 376)
    (trip,) = desk.end().tracker.round_trips
    assert (trip.exit_reason, trip.exited_ts) == (ExitReason.STOP_LOSS, at(SESSION, 376))
    if not answer:
        assert hand.withdrawn == ["the time exit has come: it is carried out without an answer"]
        decision = desk.of("decided")[-1][1]
        assert (decision.answer, decision.ts) == (Answer.TIMEOUT, at(SESSION, 375))
        assert desk.of("concluded")[-1][2] == "sent"


def test_the_time_exit_does_not_wait_for_a_bar_that_never_comes(make: Make, hand: Hand) -> None:
    desk = entered(make, hand)
    desk.bar(35)
    desk.clock.market = at(SESSION, 376) - 1
    desk.idle()
    assert len(desk.inner.reached) == 2
    desk.clock.market = at(SESSION, 376)
    desk.idle()
    assert desk.inner.reached[-1].info["exit_reason"] is ExitReason.STOP_LOSS


@pytest.mark.parametrize("reason", [ExitReason.KILL, ExitReason.MANUAL])
def test_what_the_person_ordered_is_never_asked(make: Make, hand: Hand, reason: ExitReason) -> None:
    desk = entered(make, hand)
    strategy = desk.inner.reached[0].owner
    data = desk.inner.reached[0].data
    desk.do(lambda: desk.broker.buy(strategy, data, 1, exit_reason=reason))
    assert len(hand.asked) == 1
    desk.bar(33)
    assert desk.inner.reached[-1].info["exit_reason"] is reason


def test_a_withdrawn_exit_stays_wanted(make: Make, hand: Hand) -> None:
    desk = entered(make, hand)
    desk.bar(35)
    desk.do(lambda: desk.broker.withdraw_all("the broker is away"))
    assert hand.withdrawn == ["the broker is away"]
    desk.clock.seconds = 31.0
    desk.idle()
    assert len(hand.asked) == 3
    hand.say("y")
    desk.idle()
    desk.bar(36, 37)
    assert len(desk.end().tracker.round_trips) == 1


def test_an_exit_comes_before_an_open_entry_question(make: Make, hand: Hand) -> None:
    desk = make(hand, exits="ask")
    desk.bar(29, 30)
    order = desk.do(lambda: desk.broker.open_question[0])
    terms = {"exit_reason": ExitReason.STOP_LOSS}
    desk.do(lambda: desk.broker.buy(order.owner, order.data, 1, **terms))
    assert hand.withdrawn[:1] == ["an exit has to be decided first"]
    assert hand.asked[-1].exit_reason is ExitReason.STOP_LOSS


def test_asked_again_a_script_does_not_answer_twice() -> None:
    script = ScriptedApprover(["n", "y"])
    one = a_suggestion()
    script.ask(one)
    script.ask(replace(one, quantity=1))
    decision = script.answer(one)
    assert decision is not None and decision.answer is Answer.NO
