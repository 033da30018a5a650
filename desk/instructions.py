"""What a person may tell the desk beside answers, and what each command does.

Instructions come from any thread and are carried out in Cerebro's, one after another, at the
beginning of a loop. Each says in one line what became of it.
"""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from brokers.approval import ApprovalBroker
from brokers.journal.events import Event
from desk.safety import Latch, Latches
from strategies.ppo_strategy import PPOStrategy
from vocabulary import Command, ExitReason, Instruction

BOOKS, DAILY_LOSS, KILL = "books", "daily loss", "kill"
"""What `resume` may be followed by, beside nothing."""


class Inbox:
    """Instructions that wait for their turn. `put` from any thread, `take` from Cerebro's."""

    def __init__(self, wake: Callable[[], None]) -> None:
        """`wake` ends Cerebro's wait."""
        self._waiting: deque[Instruction] = deque()
        self._wake = wake

    def put(self, instruction: Instruction) -> None:
        """Hand one over."""
        self._waiting.append(instruction)
        self._wake()

    def take(self) -> Instruction | None:
        """The oldest, None when there is none."""
        return self._waiting.popleft() if self._waiting else None


def _unwritten(event: Event, detail: Mapping[str, Any]) -> None:
    """A desk without a journal: a replay."""


@dataclass
class Controls:
    """Carries instructions out; `note` journals what a restarted desk must know of them."""

    strategy: PPOStrategy
    approval: ApprovalBroker
    latches: Latches
    books: Any
    note: Callable[[Event, Mapping[str, Any]], None] = _unwritten

    def carry_out(self, instruction: Instruction) -> str:
        """Do it; what became of it, in words for the person."""
        return _DEEDS[instruction.command](self, instruction)

    def _close(self, instruction: Instruction) -> str:
        return self.strategy.close_position(ExitReason.MANUAL) or "closing the position"

    def _pause(self, instruction: Instruction) -> str:
        channel = instruction.channel
        self.latches.set(Latch.PAUSED, f"paused at the {channel}", channel)
        self.approval.withdraw_all("paused")
        return "paused: no new suggestions; an open position follows its plan. resume goes on"

    def _resume(self, instruction: Instruction) -> str:
        what = instruction.text.strip().lower()
        if what == BOOKS:
            differs = self._books_differ()
            if differs:
                return f"the books still differ: {differs}. accept takes IB's as they are"
            return "the books agree"
        latch = {"": Latch.PAUSED, DAILY_LOSS: Latch.DAILY_LOSS, KILL: Latch.KILLED}.get(what)
        detail: dict[str, Any] = {}
        if latch is None:
            return f"resume what? resume, resume {DAILY_LOSS}, resume {KILL} or resume {BOOKS}"
        if not self.latches.is_set(latch):
            held = self.latches.halted
            return f"that does not hold the desk back; this does: {held}" if held else "it runs"
        if latch is Latch.DAILY_LOSS:
            self.strategy.resume_after_daily_loss()
            detail = {"opening": self.strategy.opening, "peak": self.strategy.peak}
        self.latches.lift(latch, instruction.channel, **detail)
        left = self.latches.halted
        return f"still halted: {left}" if left else "resumed"

    def _books_differ(self) -> str:
        disputes = getattr(self.books, "disputes", None)
        return "; ".join(disputes.confirmed) if disputes is not None else ""

    def _stop(self, instruction: Instruction) -> str:
        if instruction.value is None or not instruction.value > 0:
            return "stop at which price? stop 3.20, say"
        refused = self.strategy.tighten_stop(instruction.value)
        if refused:
            return refused
        detail = {"price": instruction.value, "channel": instruction.channel}
        self.note(Event.STOP_TIGHTENED, detail)
        follow = getattr(self.books, "tighten_stop", None)
        if follow is not None:
            follow(instruction.value)
        return f"the stop is at {instruction.value:.2f} now"

    def _quantity(self, instruction: Instruction) -> str:
        if instruction.value is None or instruction.value != int(instruction.value):
            return "how many contracts? qty 1, say"
        number = int(instruction.value)
        return self.approval.amend(quantity=number) or f"quantity {number} now"

    def _limit(self, instruction: Instruction) -> str:
        if instruction.value is None:
            return "which limit? limit 2.40, say"
        price = instruction.value
        return self.approval.amend(limit=price) or f"worst price {price:.2f} now"

    def _kill(self, instruction: Instruction) -> str:
        channel = instruction.channel
        self.latches.set(Latch.KILLED, f"killed by {instruction.text or channel}", channel)
        self.approval.withdraw_all("killed")
        self.strategy.cancel_entry("killed")
        if self.strategy.tracker.position is None:
            return "KILLED: working orders are cancelled, there is no position"
        return "KILLED: entries are cancelled, the stop still protects. flatten closes the position"

    def _flatten(self, instruction: Instruction) -> str:
        return self.strategy.close_position(ExitReason.KILL) or "flattening the position"

    def _accept(self, instruction: Instruction) -> str:
        accept = getattr(self.books, "accept_books", None)
        accepted = accept() if accept is not None else ()
        if not accepted:
            return "there is nothing to accept: the books agree"
        self.note(Event.BOOKS_ACCEPTED, {"channel": instruction.channel, "accepted": accepted})
        return f"accepted: {'; '.join(accepted)}"


_DEEDS: dict[Command, Callable[[Controls, Instruction], str]] = {
    Command.CLOSE: Controls._close,
    Command.PAUSE: Controls._pause,
    Command.RESUME: Controls._resume,
    Command.STOP: Controls._stop,
    Command.QUANTITY: Controls._quantity,
    Command.LIMIT: Controls._limit,
    Command.KILL: Controls._kill,
    Command.FLATTEN: Controls._flatten,
    Command.ACCEPT: Controls._accept,
}
