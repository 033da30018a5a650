"""What holds the desk back until a person lifts it: latches, and the kill switch that sets one.

A latch refuses entries; it never holds back an exit. Each is journaled when it is set and when it
is lifted, so that a restarted desk finds it set. The protective stop stays whatever is latched.
"""

import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import FrameType
from typing import Any

from brokers.journal.events import Event
from vocabulary import Command, DeskMemory, Instruction, JournalRecord

CHECKS_A_SECOND = 10
"""The kill file is looked for at most so often."""


class Latch(StrEnum):
    """What can hold back entries; the value is what is typed after `resume` to lift it."""

    PAUSED = ""
    KILLED = "kill"
    DAILY_LOSS = "daily loss"
    BOOKS = "books"


_EVENTS: Mapping[Latch, tuple[Event, Event]] = {
    Latch.PAUSED: (Event.PAUSED, Event.RESUMED),
    Latch.KILLED: (Event.KILLED, Event.KILL_RESUMED),
    Latch.DAILY_LOSS: (Event.DAILY_LOSS, Event.DAILY_LOSS_RESUMED),
    Latch.BOOKS: (Event.BOOKS_DIFFER, Event.BOOKS_ACCEPTED),
}


@dataclass(frozen=True, slots=True)
class Held:
    """A latch that is set: why, by whom, and since when (market nanoseconds)."""

    reason: str
    channel: str
    ts: int


def _unwritten(record: JournalRecord) -> None:
    """A desk without a journal: a replay."""


class Latches:
    """The latches that are set. For Cerebro's thread."""

    def __init__(
        self,
        write: Callable[[JournalRecord], None] = _unwritten,
        now: Callable[[], int] = lambda: 0,
    ) -> None:
        """None is set.

        Args:
            write: takes a record of `session_events` at every change; what it raises is passed on,
                the latch being set already.
            now: market time, nanoseconds.
        """
        self._write, self._now = write, now
        self._held: dict[Latch, Held] = {}

    def set(self, latch: Latch, reason: str, channel: str = "desk", **detail: Any) -> bool:
        """Set one; False where it was set already. `detail` goes to the journal beside reason."""
        if latch in self._held:
            return False
        held = self._held[latch] = Held(reason, channel, self._now())
        facts = {"reason": reason, "channel": channel, **detail}
        self._write(_event(_EVENTS[latch][0], held.ts, facts))
        return True

    def lift(self, latch: Latch, channel: str = "desk", **detail: Any) -> bool:
        """Lift one once that is journaled; False where it was not set."""
        if latch not in self._held:
            return False
        facts = {"channel": channel, **detail}
        self._write(_event(_EVENTS[latch][1], self._now(), facts))
        del self._held[latch]
        return True

    def restore(self, memory: DeskMemory) -> None:
        """Set what the process before left set; the journal has it already."""
        left = {
            Latch.PAUSED: memory.paused,
            Latch.KILLED: memory.killed,
            Latch.DAILY_LOSS: memory.daily_loss,
        }
        for latch, was_set in left.items():
            if was_set:
                reason = f"{_NAMES[latch]} before the desk was started again"
                self._held[latch] = Held(reason, "journal", memory.last_ts or 0)

    def is_set(self, latch: Latch) -> bool:
        """Whether it is."""
        return latch in self._held

    def held(self, latch: Latch) -> Held | None:
        """Why it is set, None where it is not."""
        return self._held.get(latch)

    @property
    def halted(self) -> str:
        """Why no entry is suggested, and what lifts it; empty where nothing is set."""
        return "; ".join(
            f"{held.reason} (type: {f'resume {latch}'.strip()})"
            for latch, held in sorted(self._held.items(), key=lambda one: _ORDER.index(one[0]))
        )


_ORDER = (Latch.KILLED, Latch.BOOKS, Latch.DAILY_LOSS, Latch.PAUSED)
_NAMES = {
    Latch.PAUSED: "paused",
    Latch.KILLED: "killed",
    Latch.DAILY_LOSS: "the daily loss limit was reached",
}


def _event(event: Event, ts: int, detail: Mapping[str, Any]) -> JournalRecord:
    return JournalRecord("session_events", ts, {"event": str(event), "detail": dict(detail)})


class KillSwitch:
    """Turns a file that appears, and the signal SIGUSR1, into the instruction KILL.

    The third way is the key, which is an instruction already.
    """

    def __init__(self, file: Path, monotonic: Callable[[], float]) -> None:
        """Watches `file`; `monotonic` gives seconds."""
        self._file, self._monotonic = file, monotonic
        self._due = float("-inf")
        self._is_there = False
        self._signals = 0
        self._former: Any = None

    def arm(self, wake: Callable[[], None]) -> None:
        """Listen to SIGUSR1 and `wake` the desk at it; from the main thread, once."""

        def heard(number: int, frame: FrameType | None) -> None:
            self._signals += 1
            wake()

        with suppress(AttributeError):  # Windows has no SIGUSR1
            self._former = signal.signal(signal.SIGUSR1, heard)

    def disarm(self) -> None:
        """Let SIGUSR1 do again what it did before."""
        if self._former is not None:
            signal.signal(signal.SIGUSR1, self._former)
            self._former = None

    def poll(self) -> Instruction | None:
        """KILL once a signal, and once each time the file appears; else None. Cheap."""
        if self._signals:
            self._signals = 0
            return Instruction(Command.KILL, text="signal SIGUSR1", channel="signal")
        now = self._monotonic()
        if now < self._due:
            return None
        self._due = now + 1 / CHECKS_A_SECOND
        was_there, self._is_there = self._is_there, self._file.exists()
        if self._is_there and not was_there:
            return Instruction(Command.KILL, text=f"file {self._file}", channel="file")
        return None

    @property
    def halted(self) -> str:
        """Why the desk stays halted even if the latch is lifted: the file is still there."""
        return f"the kill file {self._file} is there: remove it first" if self._is_there else ""
