"""Answers from a file or a pipe, one a line: for scripts, tests and machines without a screen."""

import io
import re
import threading
import time
from collections.abc import Callable
from datetime import time as TimeOfDay
from pathlib import Path
from queue import Empty, SimpleQueue

from brokers.words import Reply, understand
from errors import DataError, UserError
from vocabulary import Answer, Decision, Instruction, Suggestion

NO_MORE = "no more answers"

_TIMED = re.compile(r"@(\d{1,2}):(\d{2})\s+(\S.*)", re.ASCII)

Timed = tuple[TimeOfDay, Instruction]
"""New York time of day, and the instruction that is due then."""


class PipedApprover:
    """Takes the next line at every question, at once; when the lines end, questions time out.

    Lines are `y`, `n too risky`, `skip`; blank ones and those that begin with `#` do not count. A
    file may also hold instructions with a New York time, `@14:30 close`, which are no answers.

    Attributes:
        timed: the instructions of the file, by time.
    """

    channel = "piped"

    def __init__(
        self,
        lines: "SimpleQueue[Reply | None]",
        timed: tuple[Timed, ...] = (),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Use `from_file` or `from_stream`; `lines` end with None."""
        self.timed = timed
        self._lines = lines
        self._monotonic = monotonic
        self._ended = False
        self._open: tuple[str, float] | None = None

    @classmethod
    def from_file(cls, path: Path, used: int = 0, done: int = 0) -> "PipedApprover":
        """The answers of a file (`--answers`), read and checked now.

        Of a session that goes on, the first `used` answers were given already and the first `done`
        timed instructions carried out: they are passed over.

        Raises `DataError` that names the file and the line.
        """
        if path.exists() and not path.is_file():  # it is read again when the session opens
            raise DataError(f"{path} is no file: pipe answers into standard input instead")
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"cannot read the answers in {path}: {error}") from error
        lines: SimpleQueue[Reply | None] = SimpleQueue()
        replies: list[Reply] = []
        timed: list[Timed] = []
        for number, line in enumerate(text.splitlines(), 1):
            try:
                found = read_line(line)
            except UserError as error:
                raise DataError(f"{path}, line {number}: {error}") from error
            if isinstance(found, Reply):
                replies.append(found)
            elif found is not None:
                timed.append(found)
        for reply in (*replies[used:], None):
            lines.put(reply)
        return cls(lines, tuple(sorted(timed, key=lambda one: one[0]))[done:])

    @classmethod
    def from_stream(cls, descriptor: int, say: Callable[[str], None]) -> "PipedApprover":
        """The answers that come by a pipe, read in a thread of their own; they may come later.

        A line that is no answer counts as skip, and `say` (any thread) tells it.
        """
        lines: SimpleQueue[Reply | None] = SimpleQueue()
        threading.Thread(
            target=_follow, args=(descriptor, lines, say), name="answers", daemon=True
        ).start()
        return cls(lines)

    def ask(self, suggestion: Suggestion) -> None:
        """A new question takes a new line; one asked again still waits for its own."""
        if self._open is None or self._open[0] != suggestion.id:
            self._open = suggestion.id, self._monotonic()

    def answer(self, suggestion: Suggestion) -> Decision | None:
        """The line of this question; None while the pipe is open and silent."""
        if self._open is None or self._open[0] != suggestion.id:
            return None
        waited = self._monotonic() - self._open[1]
        reply = self._next()
        if reply is None and not self._ended:
            return None
        if reply is None:  # said as often as asked: another channel may still answer
            return Decision(suggestion.id, Answer.TIMEOUT, self.channel, 0.0, NO_MORE)
        self._open = None
        told = reply.reason, reply.reason_code
        return Decision(suggestion.id, reply.answer, self.channel, waited, *told)

    def withdraw(self, suggestion: Suggestion, reason: str) -> None:
        """The next line belongs to the next question."""
        self._open = None

    def conclude(self, suggestion: Suggestion, decision: Decision, outcome: str) -> None:
        """Nobody to tell."""

    def _next(self) -> Reply | None:
        if self._ended:
            return None
        try:
            reply = self._lines.get_nowait()
        except Empty:
            return None
        self._ended = reply is None
        return reply


def read_line(line: str) -> Reply | Timed | None:
    """An answer, a timed instruction, or None for a blank line or a comment.

    Raises `UserError` in one line where it is none of these.
    """
    line = line.strip()
    if not line or line.startswith("#"):
        return None
    if line.startswith("@"):
        return _read_timed(line)
    said = understand(line, PipedApprover.channel)
    if not isinstance(said, Reply):
        raise UserError(f"{line[:40]!r} is no answer; y, n or skip, or @HH:MM and an instruction")
    return said


def _read_timed(line: str) -> Timed:
    found = _TIMED.fullmatch(line)
    if not found or int(found[1]) > 23 or int(found[2]) > 59:
        raise UserError(f"{line[:40]!r} is no instruction with a time; write @14:30 close")
    said = understand(found[3], PipedApprover.channel)
    if not isinstance(said, Instruction):
        raise UserError(f"{line[:40]!r}: only an instruction can have a time")
    return TimeOfDay(int(found[1]), int(found[2])), said


def _follow(
    descriptor: int, lines: "SimpleQueue[Reply | None]", say: Callable[[str], None]
) -> None:
    """Read a pipe to its end, unbuffered: a lock held at the interpreter's end would abort it."""
    try:
        with io.FileIO(descriptor, closefd=False) as stream:
            while raw := stream.readline():
                _take(raw.decode(errors="replace"), lines, say)
    except OSError as error:
        say(f"answers can no longer be read: {error.strerror}")
    lines.put(None)


def _take(line: str, lines: "SimpleQueue[Reply | None]", say: Callable[[str], None]) -> None:
    try:
        found = read_line(line)
    except UserError as error:
        say(f"taken as skip: {error}")
        found = Reply(Answer.SKIP, "the line was no answer")
    if isinstance(found, Reply):
        lines.put(found)
    elif found is not None:
        say(f"not done: {line.strip()!r}; instructions with a time belong into --answers FILE")
