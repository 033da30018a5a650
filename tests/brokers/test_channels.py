"""Several channels: the first answer wins, the others are told, none of them is fatal."""

import threading
from dataclasses import replace
from queue import Empty, SimpleQueue

import pytest
from market import contract

from brokers.approvers import AutomaticApprover
from brokers.channels import Channels
from vocabulary import Action, Answer, Decision, Suggestion


def question() -> Suggestion:
    terms = (-1, 1, 2.35, 2.45, 628.5, 0.2, 3.0, (), (), (), "m")
    return Suggestion("1", 0, Action.SELL_PUT, contract(), *terms)


class Page:
    """A channel whose answers come from another thread."""

    def __init__(self, channel: str) -> None:
        self.channel = channel
        self.asked: list[Suggestion] = []
        self.withdrawn: list[str] = []
        self.outcomes: list[str] = []
        self._given: SimpleQueue[Decision] = SimpleQueue()

    def press(self, answer: str, latency: float = 0.0) -> None:
        self._given.put(Decision("1", Answer(answer), self.channel, latency))

    def ask(self, suggestion: Suggestion) -> None:
        self.asked.append(suggestion)

    def answer(self, suggestion: Suggestion) -> Decision | None:
        try:
            return self._given.get_nowait()
        except Empty:
            return None

    def withdraw(self, suggestion: Suggestion, reason: str) -> None:
        self.withdrawn.append(reason)

    def conclude(self, suggestion: Suggestion, decision: Decision, outcome: str) -> None:
        self.outcomes.append(outcome)


class Broken(AutomaticApprover):
    """Raises at one of its calls."""

    channel = "broken"

    def __init__(self, call: str) -> None:
        self.call = call

    def ask(self, suggestion: Suggestion) -> None:
        self._raise("ask")

    def answer(self, suggestion: Suggestion) -> Decision | None:
        self._raise("answer")
        return None

    def withdraw(self, suggestion: Suggestion, reason: str) -> None:
        self._raise("withdraw")

    def conclude(self, suggestion: Suggestion, decision: Decision, outcome: str) -> None:
        self._raise("conclude")

    def _raise(self, call: str) -> None:
        if call == self.call:
            raise ConnectionError("the page is closed")


def test_all_are_asked_and_the_first_answer_wins() -> None:
    terminal, web = Page("terminal"), Page("web")
    channels = Channels([terminal, web])
    channels.ask(question())
    assert len(terminal.asked) == len(web.asked) == 1
    assert channels.answer(question()) is None
    web.press("n")
    decision = channels.answer(question())
    assert decision is not None and decision.channel == "web"
    assert terminal.withdrawn == ["answered n at the web"]
    assert web.withdrawn == []
    channels.conclude(question(), decision, "not sent")
    assert terminal.outcomes == web.outcomes == ["not sent"]


def test_of_two_answers_the_one_that_was_given_first_counts() -> None:
    terminal, web = Page("terminal"), Page("web")
    channels = Channels([terminal, web])
    terminal.press("y", latency=2.0)
    web.press("n", latency=1.9)
    decision = channels.answer(question())
    assert decision is not None and decision.answer is Answer.NO
    assert terminal.withdrawn == ["answered n at the web"]


def test_two_threads_that_race_give_one_answer_and_one_loser() -> None:
    for _ in range(200):
        pages = [Page("terminal"), Page("web")]
        channels = Channels(pages)
        channels.ask(question())
        start = threading.Barrier(3)

        def press(page: Page, start: threading.Barrier = start) -> None:
            start.wait()
            page.press("y")

        threads = [threading.Thread(target=press, args=(page,)) for page in pages]
        for thread in threads:
            thread.start()
        start.wait()
        decision = None
        while decision is None:
            decision = channels.answer(question())
        for thread in threads:
            thread.join()
        winner, loser = sorted(pages, key=lambda page: page.channel != decision.channel)
        assert winner.withdrawn == []
        assert loser.withdrawn == [f"answered y at the {winner.channel}"]


@pytest.mark.parametrize("call", ["ask", "answer", "withdraw", "conclude"])
def test_a_channel_that_raises_is_dropped_with_a_message(call: str) -> None:
    said: list[str] = []
    page = Page("web")
    channels = Channels([Broken(call), page], said.append)
    channels.ask(question())
    channels.answer(question())
    channels.withdraw(question(), "it timed out")
    channels.conclude(question(), Decision("1", Answer.YES, "web"), "sent")
    assert said == ["the channel broken is dropped: ConnectionError('the page is closed')"]
    assert channels.names == ("web",)
    page.press("y")
    assert channels.answer(question()) is not None


def test_a_channel_without_more_answers_waits_for_the_others() -> None:
    class Ended(Page):
        def answer(self, suggestion: Suggestion) -> Decision | None:
            return Decision("1", Answer.TIMEOUT, self.channel, reason="no more answers")

    web = Page("web")
    channels = Channels([Ended("piped"), web])
    assert channels.answer(question()) is None
    web.press("y")
    decision = channels.answer(question())
    assert decision is not None and decision.answer is Answer.YES
    alone = Channels([Ended("piped")]).answer(replace(question()))
    assert alone is not None and alone.answer is Answer.TIMEOUT


def test_a_channel_is_dropped_on_standard_error_by_default(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Channels([Broken("ask")]).ask(question())
    assert "the channel broken is dropped" in capsys.readouterr().err
