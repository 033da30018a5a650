"""The thread that looks at the desk and tells the browsers what has changed.

It reads frozen values and the journal, and writes nothing: it can be late, and never in the way.
While nobody follows it does nothing.
"""

import threading
import time
from collections.abc import Callable
from typing import Any

from brokers.journal.reader import JournalReader
from dashboard.card import closed_card, open_card
from dashboard.day import DayPlace, day_frame
from dashboard.figures import ChainFigures
from dashboard.frames import chain_frame, last_snapshot, log_frame, now_frame
from dashboard.hub import Hub
from dashboard.questions import Questions
from desk.context import Context
from errors import DeskError
from vocabulary import DeskStatus

EVERY_SECONDS = 0.1
"""Pages are told of moving figures so often."""

QUIET_SECONDS = 0.25
"""With no news from the desk a page still gets a sign of life so often."""

DAY_SECONDS = 0.25
DAY_SHARE = 0.03
"""Reading the day takes at most this part of the time."""

SETTLE_SECONDS = 1.0
"""After something happened the day is read again for so long: the journal may be written later."""


class Watcher:
    """Publishes topics to a hub until it is stopped."""

    def __init__(
        self, context: Context, questions: Questions, hub: Hub, failed: Callable[[str], None]
    ) -> None:
        """`failed` hears what went wrong, once for each reason."""
        self._context, self._questions, self._hub, self._failed = context, questions, hub, failed
        market = context.market
        self._place = DayPlace(market.session, context.mask, questions.key)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="web page watcher", daemon=True)
        self._reader: JournalReader | None = None
        self._faults: set[str] = set()
        self._forget()

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, within a quarter of a second."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(5.0)

    def _forget(self) -> None:
        """The next follower gets everything anew."""
        self._figures: ChainFigures | None = None
        self._told: dict[str, Any] = {}
        self._day_until = self._day_due = 0.0

    def _run(self) -> None:
        version = -1
        while not self._stopped.is_set():
            began = time.monotonic()
            status = self._context.status.wait(version, QUIET_SECONDS)
            version = status.version
            if self._hub.followers:
                self._safely(status)
            else:
                self._forget()
            rest = EVERY_SECONDS - (time.monotonic() - began)
            self._stopped.wait(max(rest, 0.0) if self._hub.followers else QUIET_SECONDS)
        if self._reader is not None:
            self._reader.close()

    def _safely(self, status: DeskStatus) -> None:
        """One round; a fault is told once and costs the page, never the desk."""
        try:
            self._hub.publish(self._topics(status))
        except Exception as error:
            words = str(error) if isinstance(error, DeskError) else repr(error)
            if words not in self._faults:
                self._faults.add(words)
                self._failed(f"the web page cannot show everything: {words}")

    def _topics(self, raw: DeskStatus) -> dict[str, Any]:
        context, now = self._context, time.monotonic()
        shown, ended = self._questions.view()
        silent = now - context.status.told_at
        topics = {"now": now_frame(raw, context, shown, ended, silent, self._hub.followers)}
        bar = last_snapshot(context)
        if bar is not None and (self._figures is None or self._figures.snapshot is not bar):
            self._figures = ChainFigures(bar)
        bar_ts = 0 if bar is None else bar.ts
        held = (raw.position, None if raw.question is None else raw.question.suggestion.id)
        if self._is_news("chain", (bar_ts, held)):
            topics["chain"] = chain_frame(self._figures, raw, context)
        if self._is_news("card", (self._questions.version, bar_ts, held)):
            card = closed_card(ended, now)
            if shown is not None:
                card = open_card(shown, raw, self._figures, context)
            topics["card"] = card
        if self._is_news("log", (*raw.messages[-1:], len(raw.messages))):
            topics["log"] = log_frame(raw, context)
        if self._is_news("happened", (self._questions.version, bar_ts, held, raw.orders)):
            self._day_until = now + SETTLE_SECONDS
        if self._day_due <= now < self._day_until:
            day = self._day()
            if self._is_news("day", day):
                topics["day"] = day
        return topics

    def _is_news(self, topic: str, key: Any) -> bool:
        if topic in self._told and self._told[topic] == key:
            return False
        self._told[topic] = key
        return True

    def _day(self) -> dict[str, Any]:
        """The day from the journal; a long one is read the less often."""
        if self._reader is None:
            self._reader = JournalReader(self._context.journal)
        began = time.thread_time()
        day = day_frame(self._reader, self._context.session_id, self._place)
        cost = (time.thread_time() - began) / DAY_SHARE
        self._day_due = time.monotonic() + max(DAY_SECONDS, cost)
        self._day_until = max(self._day_until, self._day_due + DAY_SECONDS)
        return day
