"""Suggestions sent to a phone, by mail or to the desktop: told only, never answered there.

Needs the optional library apprise (`pip install "zdte[notify]"`). A thread of its own sends; what
cannot be sent is told once and dropped: it never delays the desk. Nothing that lets anybody in is
ever in a message: no link, no token, no account.
"""

import importlib
import logging
import queue
import threading
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from brokers.prompt import QUESTION, suggestion_text
from desk.context import Context
from errors import SettingError
from feeds.sessions import to_new_york
from vocabulary import Answer, Decision, Suggestion

MOST_WAITING = 20
"""Notices that wait; of more the oldest are dropped: they are out of date."""


@dataclass(frozen=True, slots=True)
class Notice:
    """What is sent."""

    title: str
    body: str


class Notices:
    """A `desk.context.Channel` that tells and leaves the answer to others."""

    channel = "notices"
    needs_time = False

    def __init__(self, context: Context) -> None:
        """Nothing is sent before `start`."""
        self._context = context
        self._waiting: queue.Queue[Notice | None] = queue.Queue(MOST_WAITING)
        self._thread = threading.Thread(target=self._run, name="notices", daemon=True)
        self._sender: Any = None
        self._failing = False
        self._seen = ""

    def start(self) -> None:
        """Check the addresses. Raises `SettingError` for a wrong one, or without the library."""
        self._sender = _sender(self._context)
        self._thread.start()

    def close(self) -> None:
        """Send no more; what is being sent may take a few seconds and is left to itself."""
        self._put(None)
        if self._thread.is_alive():
            self._thread.join(2.0)

    def ask(self, suggestion: Suggestion) -> None:
        """Tell a new question; changed terms of it are on the screen."""
        if suggestion.id != self._seen:
            self._seen = suggestion.id
            self._put(Notice(f"{_title(suggestion)}?", self._body(suggestion)))

    def answer(self, suggestion: Suggestion) -> Decision | None:
        """None is ever given here: the others are waited for."""
        return Decision(suggestion.id, Answer.TIMEOUT, self.channel, 0.0, "only told")

    def withdraw(self, suggestion: Suggestion, reason: str) -> None:
        """Tell that the question is over, and why; an answer elsewhere is told with its outcome."""
        if not reason.startswith("answered "):
            self._put(Notice(f"OVER: {_title(suggestion)}", reason))

    def conclude(self, suggestion: Suggestion, decision: Decision, outcome: str) -> None:
        """Tell what became of an answer."""
        told = f"answered {decision.answer} at the {decision.channel}: {outcome}"
        self._put(Notice(f"OVER: {_title(suggestion)}", told))

    def _body(self, suggestion: Suggestion) -> str:
        text = suggestion_text(suggestion).removesuffix(QUESTION).rstrip()
        if not suggestion.is_entry:
            return f"{text}\nAnswer at the desk."
        seconds = self._context.settings.rules.question_seconds
        ends = to_new_york(self._context.clock.market_now()) + timedelta(seconds=seconds)
        return f"{text}\nAnswer at the desk within {seconds:g} s, until {ends:%H:%M:%S} New York."

    def _put(self, notice: Notice | None) -> None:
        while True:
            try:
                self._waiting.put_nowait(notice)
                return
            except queue.Full:
                try:
                    self._waiting.get_nowait()
                except queue.Empty:
                    continue

    def _run(self) -> None:
        while (notice := self._waiting.get()) is not None:
            self._send(notice)

    def _send(self, notice: Notice) -> None:
        """A failure is told once, until one is sent again; addresses are never told."""
        try:
            sent = bool(self._sender.notify(title=notice.title, body=notice.body))
        except Exception:  # of any service behind the library
            sent = False
        if not sent and not self._failing:
            self._context.say("a notification could not be sent: look at live.notify")
        self._failing = not sent


def _title(suggestion: Suggestion) -> str:
    verb = "SELL" if suggestion.side < 0 else "BUY"
    contract = suggestion.contract
    terms = f"{contract.underlying} {contract.strike:g} {contract.right.name}"
    return f"{verb} {suggestion.quantity} {terms}"


def _sender(context: Context) -> Any:
    secret = context.settings.live.notify
    try:
        library = importlib.import_module("apprise")
    except ImportError as error:
        raise SettingError(
            'live.notify needs the library apprise: pip install "zdte[notify]"'
        ) from error
    quiet = logging.getLogger("apprise")  # it would print addresses
    quiet.addHandler(logging.NullHandler())
    quiet.propagate = False
    sender = library.Apprise()
    addresses = secret.get_secret_value().split() if secret is not None else []
    for number, address in enumerate(addresses, 1):
        if not sender.add(address):
            raise SettingError(f"live.notify: address {number} is none that apprise understands")
    return sender
