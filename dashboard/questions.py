"""The open question as browsers see it: who answered first, and why a later answer is refused.

Cerebro's thread asks and collects, the server's thread replies; a lock keeps them apart. Keys and
terms are digests: what a browser names says nothing about date or level.
"""

import hashlib
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from vocabulary import Answer, Decision, Suggestion

REMEMBERED = 200
"""Ended questions kept, to tell a late answer what ended it."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A question that is open.

    Args:
        suggestion: as it was put last.
        key: names it to browsers.
        terms: names what a yes agrees to: id, quantity and plan; moving prices change no terms.
        asked_at: monotonic seconds.
        given: the answer of a browser that the desk has not collected yet.
    """

    suggestion: Suggestion
    key: str
    terms: str
    asked_at: float
    given: Decision | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """A question that is over: how, in words, and when (monotonic seconds)."""

    key: str
    words: str
    at: float


class Questions:
    """At most one open question, and the ended ones. For any thread.

    Attributes:
        version: counts up with every change.
    """

    def __init__(
        self,
        channel: str,
        question_seconds: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Answers are given at `channel`; an entry may be answered for `question_seconds`."""
        self.version = 0
        self._channel, self._limit, self._monotonic = channel, question_seconds, monotonic
        self._secret = secrets.token_bytes(32)
        self._shown: Shown | None = None
        self._ended: dict[str, Ended] = {}
        self._lock = threading.Lock()

    def key(self, suggestion_id: str) -> str:
        """The name of a suggestion in this process."""
        return self._digest(suggestion_id)

    def view(self) -> tuple[Shown | None, Ended | None]:
        """The open question, and the one that ended last."""
        with self._lock:
            last = next(reversed(self._ended.values()), None)
            return self._shown, last

    # Cerebro's thread ----------------------------------------------------------------------------

    def ask(self, suggestion: Suggestion) -> None:
        """Open it, or show what changed: an answer to other terms is dropped."""
        key = self.key(suggestion.id)
        terms = self._digest(repr((suggestion.id, suggestion.quantity, suggestion.plan)))
        with self._lock:
            before = self._shown
            if before is not None and before.terms == terms:
                self._shown = replace(before, suggestion=suggestion)
            elif before is not None and before.key == key:
                self._shown = Shown(suggestion, key, terms, before.asked_at)
            else:
                self._shown = Shown(suggestion, key, terms, self._monotonic())
            self.version += 1

    def answer(self, suggestion: Suggestion) -> Decision | None:
        """The answer a browser gave to this suggestion."""
        with self._lock:
            shown = self._shown
            if shown is None or shown.suggestion.id != suggestion.id:
                return None
            return shown.given

    def end(self, suggestion: Suggestion, words: str) -> None:
        """It is over; told again, the words are replaced by those that know more."""
        key = self.key(suggestion.id)
        with self._lock:
            if self._shown is not None and self._shown.key == key:
                self._shown = None
            self._ended.pop(key, None)
            self._ended[key] = Ended(key, words, self._monotonic())
            if len(self._ended) > REMEMBERED:
                self._ended.pop(next(iter(self._ended)))
            self.version += 1

    # The server's thread -------------------------------------------------------------------------

    def reply(self, key: str, terms: str, answer: Answer, reason: str = "", code: str = "") -> str:
        """Give an answer. Returns why it is not taken; empty when it is."""
        now = self._monotonic()
        with self._lock:
            shown = self._shown
            if shown is None or shown.key != key:
                return self._gone(key, now)
            if shown.given is not None:
                return f"answered already: {shown.given.answer} at the {self._channel}"
            waited = now - shown.asked_at
            if shown.suggestion.is_entry and waited > self._limit:
                return f"too late: the {self._limit:g} s are over"
            if shown.terms != terms:
                return "not taken: the terms changed meanwhile; look again"
            told = (self._channel, waited, reason, code)
            decision = Decision(shown.suggestion.id, answer, *told)
            self._shown = replace(shown, given=decision)
            self.version += 1
            return ""

    def _gone(self, key: str, now: float) -> str:
        ended = self._ended.get(key)
        if ended is None:
            return "not taken: this desk has not asked that, or long ago"
        return f"too late: {ended.words}, {now - ended.at:.0f} s ago"

    def _digest(self, text: str) -> str:
        return hashlib.blake2b(text.encode(), key=self._secret, digest_size=12).hexdigest()
