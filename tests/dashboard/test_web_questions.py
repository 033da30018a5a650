"""The open question between the desk and many browsers."""

import threading
from dataclasses import replace
from typing import Any

from hypothesis import settings
from hypothesis import strategies as some
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from journals import PLAN, SUGGESTION

from dashboard.access import Keys, Once, Rates
from dashboard.questions import Questions
from vocabulary import Answer, ExitReason, Suggestion

LIMIT = 60.0
EXIT = replace(SUGGESTION, side=1, exit_reason=ExitReason.STOP_LOSS, plan=None)
IDS = ("a", "b")
ANSWERS = some.sampled_from([Answer.YES, Answer.NO, Answer.SKIP])


class BrowsersAndDesk(RuleBasedStateMachine):
    """Whatever browsers send, and whenever: the desk gets one answer, to the open terms."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.questions = Questions("web page", LIMIT, lambda: self.now)
        self.open: Suggestion | None = None
        self.asked_at = 0.0
        self.seen: list[tuple[str, str, Suggestion]] = []
        self.taken: tuple[Suggestion, Answer] | None = None

    @rule(name=some.sampled_from(IDS), worst=some.sampled_from([2.30, 2.32]))
    def the_desk_asks(self, name: str, worst: float) -> None:
        one = replace(SUGGESTION, id=name, plan=replace(PLAN, worst_price=worst))
        before, self.open = self.open, one
        if before is None or before.id != name:
            self.asked_at = self.now
        if before != one:
            self.taken = None
        self.questions.ask(one)
        shown, _ = self.questions.view()
        assert shown is not None
        self.seen.append((shown.key, shown.terms, one))

    @rule(bid=some.floats(0.01, 9.0))
    def the_price_moves(self, bid: float) -> None:
        if self.open is not None:
            self.questions.ask(replace(self.open, bid=bid))

    @rule(answer=ANSWERS, data=some.data())
    def a_browser_answers(self, answer: Answer, data: Any) -> None:
        if not self.seen:
            return
        key, terms, meant = data.draw(some.sampled_from(self.seen[-3:]))
        refused = self.questions.reply(key, terms, answer)
        in_time = self.now - self.asked_at <= LIMIT
        wanted = meant == self.open and self.taken is None and in_time
        assert (refused == "") == wanted, refused
        if wanted:
            self.taken = (meant, answer)

    @rule(seconds=some.sampled_from([1.0, 30.0, 61.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def the_desk_takes_it_back(self) -> None:
        if self.open is not None:
            self.questions.end(self.open, "paused")
            self.open = self.taken = None

    @invariant()
    def the_desk_gets_what_was_taken(self) -> None:
        if self.open is None:
            return
        decision = self.questions.answer(self.open)
        assert (decision.answer if decision else None) == (self.taken[1] if self.taken else None)


TestBrowsersAndDesk = BrowsersAndDesk.TestCase
TestBrowsersAndDesk.settings = settings(max_examples=120, stateful_step_count=20, deadline=None)


def test_an_answer_to_terms_that_changed_is_refused() -> None:
    questions = Questions("web page", LIMIT)
    questions.ask(SUGGESTION)
    before, _ = questions.view()
    questions.ask(replace(SUGGESTION, plan=replace(PLAN, worst_price=2.30)))
    now, _ = questions.view()
    assert before is not None and now is not None
    refused = questions.reply(before.key, before.terms, Answer.YES)
    assert refused == "not taken: the terms changed meanwhile; look again"
    assert questions.reply(now.key, now.terms, Answer.YES) == ""


def test_an_answer_that_was_given_to_other_terms_never_reaches_the_desk() -> None:
    questions = Questions("web page", LIMIT)
    questions.ask(SUGGESTION)
    shown, _ = questions.view()
    assert shown is not None
    assert questions.reply(shown.key, shown.terms, Answer.YES) == ""
    changed = replace(SUGGESTION, quantity=2)
    questions.ask(changed)
    assert questions.answer(changed) is None


def test_an_exit_may_be_answered_at_any_time() -> None:
    now = 0.0
    questions = Questions("web page", LIMIT, lambda: now)
    for late, one in ((True, SUGGESTION), (False, replace(EXIT, id="b"))):
        now = 0.0
        questions.ask(one)
        shown, _ = questions.view()
        assert shown is not None
        now = LIMIT + 1
        refused = questions.reply(shown.key, shown.terms, Answer.YES)
        assert refused == ("too late: the 60 s are over" if late else "")


def test_of_a_hundred_answers_at_once_one_is_taken() -> None:
    questions = Questions("web page", LIMIT)
    questions.ask(SUGGESTION)
    shown, _ = questions.view()
    assert shown is not None
    start, refused = threading.Barrier(100), []

    def click() -> None:
        start.wait()
        refused.append(questions.reply(shown.key, shown.terms, Answer.YES))

    clicks = [threading.Thread(target=click) for _ in range(100)]
    for thread in clicks:
        thread.start()
    for thread in clicks:
        thread.join()
    assert refused.count("") == 1


def test_keys_tell_nothing_and_differ_in_every_process() -> None:
    one, other = Questions("web page", LIMIT), Questions("web page", LIMIT)
    assert one.key("1793000000-sell_put") != other.key("1793000000-sell_put")
    assert one.key("1793000000-sell_put") == one.key("1793000000-sell_put")


def test_a_link_gets_too_old() -> None:
    now = 0.0
    keys = Keys(lambda: now)
    token = keys.link(300)
    now = 301.0
    assert keys.enter(token) == ("", "this link is too old: ask for a new one")


def test_a_cookie_ends_after_a_long_day() -> None:
    now = 0.0
    keys = Keys(lambda: now)
    cookie, _ = keys.enter(keys.link())
    assert keys.knows(cookie)
    now = 17 * 3600.0
    assert not keys.knows(cookie)


def test_rates_allow_a_burst_and_then_so_many_a_second() -> None:
    now = 0.0
    rates = Rates(10, 20, most=2, monotonic=lambda: now)
    assert [rates.allows("one") for _ in range(25)].count(True) == 20
    now = 1.0
    assert [rates.allows("one") for _ in range(25)].count(True) == 10
    assert rates.allows("another")


def test_a_number_is_used_once() -> None:
    once = Once(most=2)
    assert [once.is_new(number) for number in ("a", "a", "b", "c")] == [True, False, True, True]
