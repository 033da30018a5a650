"""Who is asked: a person at the terminal, a file of answers, or what comes by a pipe."""

import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from brokers.journal.events import Event
from brokers.journal.reader import JournalReader
from brokers.piped import PipedApprover, Timed
from desk.blind import BlindApprover, masked_status
from desk.instructions import Inbox
from desk.markets.market import Mask
from desk.scripted import answers_before, scripted_person
from desk.status import StatusBoard
from desk.terminal.approver import TerminalApprover
from vocabulary import Answer, Approver, Suggestion


@dataclass(frozen=True)
class Person:
    """The channel by which the desk asks and tells.

    Args:
        approver: is asked.
        needs_time: whether somebody sits there now: time passes no faster than theirs meanwhile.
        say: prints one line.
        timed: instructions of a file, by New York time.
    """

    approver: Approver
    needs_time: Callable[[], bool]
    say: Callable[[str], None]
    timed: tuple[Timed, ...] = ()


@dataclass(frozen=True)
class Given:
    """What the file of answers gave the session before the desk was started again.

    Args:
        answers: how many; the first as many of the file are not given once more.
        instructions: likewise, of those with a time.
    """

    answers: int = 0
    instructions: int = 0


def given_before(path: Path, session_id: str) -> Given:
    """What the journal at `path` tells of it."""
    with JournalReader(path) as reader:
        decisions = reader.rows("decisions", [session_id], channel=PipedApprover.channel)
        events = reader.rows("session_events", [session_id], event=Event.INSTRUCTION)
    said = [row for row in decisions if row["response"] in (Answer.YES, Answer.NO, Answer.SKIP)]
    timed = [row for row in events if (row["detail"] or {})["channel"] == PipedApprover.channel]
    return Given(len(said), len(timed))


def open_person(
    answers: Path | None,
    *,
    scripted: str | None,
    journal: Path,
    given: Given,
    status: StatusBoard,
    inbox: Inbox,
    wake: Callable[[], None],
    quit: Callable[[], None],
    mask: Mask,
    explain: Callable[[Suggestion], str],
    plain: Callable[[str], None],
    stack: ExitStack,
) -> Person:
    """Open the channel; `stack` closes it.

    Args:
        answers: a file; else the terminal, or standard input where that is none.
        scripted: a scripted person instead of all these; None for nobody of the kind.
        journal: where a scripted person's earlier answers are counted.
        given: what that file gave already.
        status: for the toolbar.
        inbox: takes instructions.
        wake: ends Cerebro's wait.
        quit: stops the desk in order.
        mask: what may be shown.
        explain: the lines above a suggestion.
        plain: prints where there is no terminal to print above.
        stack: of whoever opens.

    Raises `DataError` for a file of answers that cannot be used.
    """
    if scripted is not None:
        with JournalReader(journal) as reader:
            answered = answers_before(reader.rows("decisions"))
        return Person(scripted_person(scripted, answered), _nobody, plain)
    if answers is not None:
        piped = PipedApprover.from_file(answers, given.answers, given.instructions)
        return Person(piped, _nobody, plain, piped.timed)
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return Person(PipedApprover.from_stream(sys.stdin.fileno(), plain), _nobody, plain)
    terminal = TerminalApprover(
        lambda: masked_status(status.latest(), mask),
        inbox.put,
        wake,
        quit,
        lost=lambda reason: status.message(0, reason),
        explain=explain,
    )
    stack.callback(terminal.close)
    terminal.start()
    shown: Approver = BlindApprover(terminal, mask) if mask.hides else terminal
    return Person(shown, lambda: not terminal.gone, terminal.say)


def _nobody() -> bool:
    """A file or a pipe: what it says, it says at once."""
    return False
