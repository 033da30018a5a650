"""An evening's review: windows of past sessions, answered in the terminal or by a pipe.

Date, level and outcome are hidden. What is asked: y, n or skip to a trade; which of two trades was
better; whether the person would have sold where the model held. Some trades come twice, which
measures how consistently the person answers.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from time import monotonic
from typing import TypeVar

import numpy as np

from brokers.prompt import suggestion_text
from brokers.words import Reply, Wish, understand
from desk.blind import masked_suggestion
from desk.markets.market import SHOWN_LEVEL, Mask
from desk.review_answers import PREFERRED, REPEATED, WOULD_HAVE, Answered, ReviewJournal
from desk.review_windows import Kind, Scene, Window
from errors import UserError
from feeds.contract import Right
from feeds.sessions import NANOSECONDS_A_MINUTE, to_new_york
from vocabulary import Action, Answer, Decision, Suggestion

CHANNEL = "review"
HELP = """\
y | n | skip [REASON]   to a trade; the first word of a reason may be a code: spread, event,
                        volatility, direction, size, timing, other
a | b | skip            which of two trades was the better one
call | put | n | skip   what you would have sold where the model held
help | quit             this text; stop here, what was answered is kept"""

Ask = Callable[[str], str | None]
"""Shows a prompt; the line that is typed, None when there are no more."""

T = TypeVar("T")

_RIGHTS = {"call": Action.SELL_CALL, "c": Action.SELL_CALL}
_RIGHTS |= {"put": Action.SELL_PUT, "p": Action.SELL_PUT}


class Ended(Exception):
    """The person stopped, or the lines ended."""


@dataclass
class Evening:
    """What was answered: counts for the person."""

    yes: int = 0
    no: int = 0
    skipped: int = 0
    pairs: int = 0
    repeats: int = 0
    alike: int = 0
    said: dict[str, Answer] = field(default_factory=dict)

    @property
    def answers(self) -> int:
        """Answers that teach something."""
        return self.yes + self.no + self.pairs

    @property
    def line(self) -> str:
        """For the person, at the end."""
        told = f"{self.answers} answers kept: {self.yes} y, {self.no} n, {self.pairs} comparisons"
        told += f"; {self.skipped} skipped"
        if self.repeats:
            told += f"; {self.alike} of {self.repeats} repeated questions answered alike"
        return told


class Review:
    """Asks the windows one after the other and keeps every answer at once."""

    def __init__(
        self, journal: ReviewJournal, market: str, ask: Ask, say: Callable[[str], None]
    ) -> None:
        """`market` is the source's label; `say` shows a text, `ask` a prompt."""
        self._journal, self._market = journal, market
        self._ask, self._say = ask, say
        self.evening = Evening()

    def run(self, windows: Iterable[Window], count: int) -> Evening:
        """Ask all of `windows`, `count` in number, until they or the lines end."""
        asking = {Kind.TRADE: self._trade, Kind.PAIR: self._pair, Kind.HELD: self._held}
        try:
            for number, window in enumerate(windows, 1):
                self._say(f"\nwindow {number} of {count}")
                asking[window.kind](window)
        except Ended:
            self._say("stopped here")
        return self.evening

    def _trade(self, window: Window) -> None:
        scene, suggestion = window.scenes[0], window.suggestions[0]
        self._say(scene_text(scene))
        self._say(_shown(scene, suggestion))
        started = monotonic()
        reply = self._until(_answer, "> ")
        decision = _decision(suggestion, reply, monotonic() - started)
        if window.repeats:
            self._repeated(scene, suggestion, reply.answer)
            return
        self._count(reply.answer)
        self.evening.said[suggestion.id] = reply.answer
        self._journal.keep(self._market, [Answered(scene, suggestion, decision)])

    def _repeated(self, scene: Scene, suggestion: Suggestion, again: Answer) -> None:
        """A repeat is no second label: it only says how sure the first one is."""
        first = self.evening.said[suggestion.id]
        if {first, again} <= {Answer.YES, Answer.NO}:
            self.evening.repeats += 1
            self.evening.alike += first is again
        detail = {"suggestion_id": suggestion.id, "first": first, "again": again}
        self._journal.note(self._market, scene, REPEATED, detail)

    def _pair(self, window: Window) -> None:
        for name, scene, suggestion in zip("ab", window.scenes, window.suggestions, strict=True):
            self._say(f"{name})")
            self._say(scene_text(scene))
            self._say(_shown(scene, suggestion, asks=False))
        better = self._until(_which, "Which was the better trade? (a/b/skip): ")
        if better is None:
            self.evening.skipped += 1
            return
        self.evening.pairs += 1
        both = [Answered(*one, None) for one in zip(window.scenes, window.suggestions, strict=True)]
        ids = [suggestion.id for suggestion in window.suggestions]
        detail = {"better": ids[better], "worse": ids[1 - better]}
        self._journal.keep(self._market, both, [(PREFERRED, detail)])

    def _held(self, window: Window) -> None:
        scene = window.scenes[0]
        self._say(scene_text(scene))
        for suggestion in window.suggestions:
            self._say(_offer(scene, suggestion))
        legal = {suggestion.action: suggestion for suggestion in window.suggestions}
        started = monotonic()
        prompt = "The model held. Would you have sold here? (call/put/n/skip): "
        wanted = self._until(lambda line: _wish(line, legal), prompt)
        seconds = monotonic() - started
        if wanted is None:
            self.evening.skipped += 1
            return
        if wanted is Action.HOLD:
            said = [(one, Reply(Answer.NO)) for one in window.suggestions]
        else:
            said = [(legal[wanted], Reply(Answer.YES, WOULD_HAVE))]
        for _, reply in said:
            self._count(reply.answer)
        self._journal.keep(
            self._market,
            [Answered(scene, one, _decision(one, reply, seconds)) for one, reply in said],
        )

    def _count(self, answer: Answer) -> None:
        self.evening.yes += answer is Answer.YES
        self.evening.no += answer is Answer.NO
        self.evening.skipped += answer is Answer.SKIP

    def _until(self, read: Callable[[str], T], prompt: str) -> T:
        """What the next line that is understood means. Raises `Ended` where there is none."""
        while True:
            line = self._ask(prompt)
            if line is None or line.strip().lower() in ("quit", "exit"):
                raise Ended
            if line.strip().lower() in ("help", "?", "h"):
                self._say(HELP)
                continue
            try:
                return read(line)
            except UserError as error:
                self._say(str(error))


def scene_text(scene: Scene) -> str:
    """The market up to a moment without its date and level: moves in per cent of the open."""
    day, now = scene.day, scene.snapshot
    seen = day.spot[: int(np.searchsorted(day.ts, now.ts, side="right"))]
    spot = seen[np.isfinite(seen)]
    earlier = int(np.searchsorted(day.ts, now.ts - 30 * NANOSECONDS_A_MINUTE))
    before = day.spot[min(earlier, len(seen) - 1)]
    first = spot[0]
    figures = (
        f"{100 * (now.spot / first - 1):+.2f} % since the open",
        f"{100 * (now.spot / before - 1):+.2f} % in 30 minutes",
        f"range {100 * (spot.max() - spot.min()) / first:.2f} %",
        f"implied volatility {100 * now.atm_iv:.1f} %",
        f"{now.minutes_until_close:.0f} minutes to the close",
    )
    return f"[{to_new_york(now.ts):%I:%M %p}] " + ", ".join(figures)


def mask_of(scene: Scene) -> Mask:
    """Hides the date, and the level by letting every session begin at the same one."""
    spot = scene.day.spot
    return Mask(SHOWN_LEVEL / float(spot[np.isfinite(spot)][0]), hides_date=True)


def _shown(scene: Scene, suggestion: Suggestion, asks: bool = True) -> str:
    text = suggestion_text(masked_suggestion(suggestion, mask_of(scene)))
    return text if asks else text.rpartition("\n\n")[0]


def _offer(scene: Scene, suggestion: Suggestion) -> str:
    hidden = masked_suggestion(suggestion, mask_of(scene))
    right = Right(hidden.contract.right).name
    return (
        f"  {right:<5} {hidden.contract.strike:g} at {hidden.spot:.2f}: "
        f"{hidden.bid:.2f} / {hidden.ask:.2f}"
    )


def _decision(suggestion: Suggestion, reply: Reply, seconds: float) -> Decision:
    return Decision(
        suggestion.id,
        reply.answer,
        CHANNEL,
        seconds,
        reply.reason,
        reply.reason_code,
        ts=suggestion.ts,
        at_bar=True,
    )


def _answer(line: str) -> Reply:
    try:
        said = understand(line, CHANNEL) if line.strip() else Wish.HELP
    except UserError:
        said = Wish.HELP  # the desk's list of words would mislead here
    if not isinstance(said, Reply):
        raise UserError("answer y, n or skip; help tells more")
    return said


def _which(line: str) -> int | None:
    word = line.strip().lower()
    if word in ("s", "skip"):
        return None
    if word not in ("a", "b"):
        raise UserError("answer a, b or skip; help tells more")
    return "ab".index(word)


def _wish(line: str, legal: dict[Action, Suggestion]) -> Action | None:
    word = line.strip().lower()
    if word in ("s", "skip"):
        return None
    if word in ("n", "no"):
        return Action.HOLD
    wanted = _RIGHTS.get(word)
    if wanted not in legal:
        possible = ", ".join(one.name.removeprefix("SELL_").lower() for one in legal)
        raise UserError(f"answer {possible}, n or skip; help tells more")
    return wanted
