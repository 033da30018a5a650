"""Approval at the terminal: the plan, the suggestion, `Execute? (y/n/skip):`, and instructions."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import TextIO

from brokers.prompt import QUESTION, plan_text, suggestion_text
from brokers.words import HELP, Remark, Reply, Wish, understand
from desk.terminal.fronts import Front
from desk.terminal.screen import TerminalScreen
from desk.terminal.toolbar import toolbar
from errors import UserError
from vocabulary import Decision, DeskStatus, Instruction, Suggestion

LATE_SECONDS = 60.0
"""So long an answer to a question that is gone is told why it is."""

IDLE = "> "


@dataclass
class _Shown:
    """The question on the screen. Belongs to the terminal's thread."""

    suggestion: Suggestion
    asked_at: float
    remark: Remark | None = None
    answered: bool = False


def has_same_terms(one: Suggestion, other: Suggestion) -> bool:
    """Whether an answer to `one` is an answer to `other`: prices may move, terms may not."""
    return (one.id, one.quantity, one.plan) == (other.id, other.quantity, other.plan)


class TerminalApprover:
    """A `vocabulary.Approver` on a screen. `ask`, `answer`, `withdraw`, `conclude` never block."""

    channel = "terminal"

    def __init__(
        self,
        status: Callable[[], DeskStatus],
        instruct: Callable[[Instruction], None],
        wake: Callable[[], None],
        quit: Callable[[], None],
        *,
        lost: Callable[[str], None] = lambda reason: None,
        explain: Callable[[Suggestion], str] = plan_text,
        monotonic: Callable[[], float] = time.monotonic,
        stdin: TextIO | None = None,
        stdout: TextIO | None = None,
        refresh_seconds: float = 0.25,
    ) -> None:
        """Wire a terminal; `start` takes it.

        Args:
            status: the desk now, for the toolbar; called in the terminal's thread.
            instruct: given every instruction, in the terminal's thread; must not block.
            wake: called after each answer and instruction, so that they are looked at now.
            quit: called at quit, Ctrl-C and Ctrl-D: stop in order.
            lost: told once when the terminal is gone; the desk goes on without it.
            explain: the lines above a suggestion's block.
            monotonic: seconds, for latencies.
            stdin, stdout: a terminal, the standard ones where None.
            refresh_seconds: between two drawings of the toolbar.
        """
        self._instruct, self._wake, self._quit = instruct, wake, quit
        self._explain, self._monotonic = explain, monotonic
        self._answers: SimpleQueue[tuple[Suggestion, Decision]] = SimpleQueue()
        self._shown: _Shown | None = None
        self._ended: tuple[str, float] | None = None
        self.screen = TerminalScreen(
            self._entered,
            self._prompt,
            lambda: toolbar(status()),
            self._leave,
            lost,
            stdin=stdin,
            stdout=stdout,
            refresh_seconds=refresh_seconds,
        )

    @property
    def gone(self) -> str:
        """Why the terminal is gone, empty while it is there."""
        return self.screen.gone

    def start(self) -> None:
        """Take the terminal. Raises `UserError` where there is none."""
        self.screen.start()

    def close(self) -> None:
        """Give the terminal back."""
        self.screen.close()

    def say(self, text: str) -> None:
        """Print lines above the prompt, from any thread."""
        self.screen.say(text)

    # The approver: Cerebro's thread --------------------------------------------------------------

    def ask(self, suggestion: Suggestion) -> None:
        """Show the question and ring."""
        now = self._monotonic()
        self.screen.post(lambda front: self._show(front, suggestion, now))

    def answer(self, suggestion: Suggestion) -> Decision | None:
        """The decision that was typed for these terms."""
        while True:
            try:
                meant, decision = self._answers.get_nowait()
            except Empty:
                return None
            if has_same_terms(meant, suggestion):
                return decision
            self.say("not taken: the terms changed meanwhile; answer again")

    def withdraw(self, suggestion: Suggestion, reason: str) -> None:
        """Take the question from the screen; an answer on its way is told to be late."""
        late = self._drain()
        now = self._monotonic()
        self.screen.post(lambda front: self._end(front, suggestion, reason, now, late))

    def conclude(self, suggestion: Suggestion, decision: Decision, outcome: str) -> None:
        """Show what became of an answer."""
        where = "" if decision.channel == self.channel else f" ({decision.channel})"
        text = f"{decision.answer}{where}: {outcome}"
        now = self._monotonic()
        self.screen.post(
            lambda front: self._finish(front, suggestion, f"answered {decision.answer}", now, text)
        )

    def _drain(self) -> bool:
        """Drop answers nobody waits for; whether there were any."""
        found = False
        while not self._answers.empty():
            self._answers.get_nowait()
            found = True
        return found

    # The screen: the terminal's thread -----------------------------------------------------------

    def _prompt(self) -> str:
        return IDLE if self._shown is None or self._shown.answered else f"{QUESTION} "

    def _show(self, front: Front, suggestion: Suggestion, asked_at: float) -> None:
        shown = self._shown
        if shown is not None and has_same_terms(shown.suggestion, suggestion):
            shown.suggestion = suggestion
            front.show(self._block(suggestion))
        else:
            typed = front.clear()  # meant for what was on the screen before
            again = shown is not None and shown.suggestion.id == suggestion.id
            began = shown.asked_at if shown is not None and again else asked_at
            self._shown = _Shown(suggestion, began)
            front.show(f"\n{self._explain(suggestion)}\n\n{self._block(suggestion)}")
            if typed:
                front.show(f"({typed!r} was typed before this question: cleared)")
        front.ring()

    @staticmethod
    def _block(suggestion: Suggestion) -> str:
        """The block without its last line, which is the prompt."""
        return suggestion_text(suggestion).removesuffix(f"\n{QUESTION}")

    def _end(
        self, front: Front, suggestion: Suggestion, reason: str, now: float, late: bool
    ) -> None:
        text = f"question withdrawn: {reason}"
        self._finish(front, suggestion, reason, now, text)
        if late:
            front.show(f"too late: {reason}")

    def _finish(
        self, front: Front, suggestion: Suggestion, ended: str, now: float, text: str
    ) -> None:
        """The question is no longer open."""
        if self._shown is not None and self._shown.suggestion.id == suggestion.id:
            self._shown = None
            self._ended = ended, now
        front.show(text)

    def _entered(self, line: str) -> None:
        """A line of the person."""
        if not line.strip():
            return
        try:
            said = understand(line, self.channel)
        except UserError as error:
            self.say(str(error))
            return
        if isinstance(said, Reply):
            self._reply(said)
        elif isinstance(said, Remark):
            self._remark(said)
        elif isinstance(said, Instruction):
            self._instruct(said)
            self._wake()
        elif said is Wish.HELP:
            self.say(HELP)
        else:
            self._leave()

    def _reply(self, reply: Reply) -> None:
        shown = self._shown
        if shown is None or shown.answered:
            self.say(self._too_late(shown))
            return
        shown.answered = True
        before = shown.remark if not (reply.reason or reply.reason_code) else None
        reason = reply if before is None else before
        decision = Decision(
            shown.suggestion.id,
            reply.answer,
            self.channel,
            self._monotonic() - shown.asked_at,
            reason.reason,
            reason.reason_code,
        )
        self._answers.put((shown.suggestion, decision))
        self._wake()

    def _too_late(self, shown: _Shown | None) -> str:
        if shown is not None:
            return "answered already: wait for what becomes of it"
        if self._ended is None or self._monotonic() - self._ended[1] > LATE_SECONDS:
            return "there is no question to answer now"
        ended, at = self._ended
        return f"too late: {ended} {self._monotonic() - at:.0f} s ago"

    def _remark(self, remark: Remark) -> None:
        if self._shown is None or self._shown.answered:
            self.say("there is no question that a reason could go with")
        else:
            self._shown.remark = remark
            self.say("noted: it goes with your answer")

    def _leave(self) -> None:
        self.say("stopping in order")
        self._quit()
        self._wake()
