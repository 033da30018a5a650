"""The words a person may type: answers, instructions, remarks. One grammar for every text channel.

docs/approval.md lists them.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from errors import UserError
from vocabulary import REASON_CODES, Answer, Command, Instruction


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer as it was typed, with its reason."""

    answer: Answer
    reason: str = ""
    reason_code: str = ""


@dataclass(frozen=True, slots=True)
class Remark:
    """A reason that was typed before its answer."""

    reason: str
    reason_code: str = ""


class Wish(StrEnum):
    """What concerns the screen and not the market."""

    HELP = "help"
    QUIT = "quit"


Said = Reply | Remark | Instruction | Wish

POSSIBLE = "y, n, skip, close, pause, resume, stop, qty, limit, reason, kill, flatten, accept"
LATCHES = ("", "daily loss", "kill", "books")
HELP = f"""\
y | n | skip [WORDS]   answer; words are the reason, first a code if you like:
                       {", ".join(REASON_CODES)}
reason WORDS           a reason for the answer that you give next
qty N | limit PRICE    fewer contracts, or the worst price, of the open question
stop PRICE             move the open position's stop nearer to the market
close                  close the open position now
pause | resume         suggest nothing, suggest again; resume daily loss | kill | books
kill | flatten         cancel everything and stop suggesting; then close what is open
accept                 take the broker's books for true, when they differ from the desk's
help | quit            this text; stop the desk in order"""

_ANSWERS = {
    **dict.fromkeys(("y", "yes"), Answer.YES),
    **dict.fromkeys(("n", "no"), Answer.NO),
    **dict.fromkeys(("s", "skip"), Answer.SKIP),
}
_PRICE = re.compile(r"\$?(\d{1,6}(?:\.\d{1,2})?|\.\d{1,2})", re.ASCII)
_COUNT = re.compile(r"[1-9]\d{0,3}", re.ASCII)


def understand(line: str, channel: str = "terminal") -> Said:
    """What a line means. Capitals do not matter.

    Raises `UserError` with one line that says what is possible.
    """
    word, _, rest = " ".join(line.split()).partition(" ")
    word = word.lower()
    if word in _ANSWERS:
        return Reply(_ANSWERS[word], *_reason(rest))
    if word == "reason":
        return _remark(rest)
    if word in ("help", "?", "h"):
        return Wish.HELP
    if word in ("quit", "exit"):
        return Wish.QUIT
    if word in _INSTRUCTIONS:
        command, read = _INSTRUCTIONS[word]
        value, text = read(word, rest)
        return Instruction(command, value, text, channel)
    raise UserError(f"not understood: {line.strip()[:40]!r}; possible: {POSSIBLE}, help, quit")


def _reason(words: str) -> tuple[str, str]:
    """Words and code of a reason: the first word may be one of `REASON_CODES`."""
    first, _, rest = words.partition(" ")
    code = first.lower().rstrip(":,.")
    return (rest, code) if code in REASON_CODES else (words, "")


def _remark(words: str) -> Remark:
    if not words:
        raise UserError(f"reason needs words; codes: {', '.join(REASON_CODES)}")
    return Remark(*_reason(words))


Figures = tuple[float | None, str]


def _price(word: str, rest: str) -> Figures:
    found = _PRICE.fullmatch(rest)
    if not found or float(found[1]) <= 0:
        raise UserError(f"{word} needs a price in dollars and cents: {word} 2.35")
    return float(found[1]), rest


def _count(word: str, rest: str) -> Figures:
    if not _COUNT.fullmatch(rest):
        hint = "; to leave type quit" if word == "q" else ""
        raise UserError(f"{word} needs a number of contracts: {word} 1{hint}")
    return float(rest), rest


def _nothing(word: str, rest: str) -> Figures:
    if rest:
        raise UserError(f"{word} stands alone; not done")
    return None, ""


def _words(word: str, rest: str) -> Figures:
    return None, rest


def _latch(word: str, rest: str) -> Figures:
    if rest.lower() not in LATCHES:
        raise UserError("resume lifts a pause; or resume daily loss, resume kill, resume books")
    return None, rest.lower()


_INSTRUCTIONS: dict[str, tuple[Command, Callable[[str, str], Figures]]] = {
    "close": (Command.CLOSE, _nothing),
    "pause": (Command.PAUSE, _words),
    "resume": (Command.RESUME, _latch),
    "stop": (Command.STOP, _price),
    **dict.fromkeys(("q", "qty", "quantity"), (Command.QUANTITY, _count)),
    "limit": (Command.LIMIT, _price),
    "kill": (Command.KILL, _words),
    "flatten": (Command.FLATTEN, _nothing),
    "accept": (Command.ACCEPT, _nothing),
}
