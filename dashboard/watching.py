"""The thread that looks at the desk and tells the browsers what has changed.

It reads frozen values and the journal, and writes nothing: it can be late, and never in the way.
While nobody follows it does nothing.
"""

import math
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

EVERY_SECONDS = 0.04
"""Pages are told of every new state of the desk at once, but not more often than this; the desk
makes one every 100 ms, and sooner when something happens."""

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
        self._broken: set[str] = set()
        self._parts = {
            "chain": self._chain,
            "card": self._card,
            "log": self._log,
            "day": self._day,
        }
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
        """One round; what fails costs its part of the page, which says so, and never the desk."""
        try:
            self._hub.publish(self._topics(status))
        except Exception as error:
            self._tell(error)

    def _tell(self, error: Exception) -> None:
        """At the desk, once for each reason."""
        words = str(error) if isinstance(error, DeskError) else repr(error)
        if words not in self._faults:
            self._faults.add(words)
            self._failed(f"the web page cannot show everything: {words}")

    def _topics(self, raw: DeskStatus) -> dict[str, Any]:
        """What is new, and the moving figures, with the names of what could not be made."""
        topics: dict[str, Any] = {}
        for topic, make in self._parts.items():
            try:
                made = make(raw)
            except Exception as error:  # tried again in the next round
                self._tell(error)
                self._told.pop(topic, None)
                self._broken.add(topic)
                continue
            topics |= made
            self._broken -= made.keys()
        shown, ended = self._questions.view()
        silent = time.monotonic() - self._context.status.told_at
        now = now_frame(raw, self._context, shown, ended, silent, self._hub.followers)
        return topics | {"now": now | {"broken": sorted(self._broken)}}

    def _chain(self, raw: DeskStatus) -> dict[str, Any]:
        bar = last_snapshot(self._context)
        if bar is not None and (self._figures is None or self._figures.snapshot is not bar):
            self._figures = ChainFigures(bar)
        if not self._is_news("chain", (bar and bar.ts, *_held(raw))):
            return {}
        return {"chain": chain_frame(self._figures, raw, self._context)}

    def _card(self, raw: DeskStatus) -> dict[str, Any]:
        shown, ended = self._questions.view()
        bar = self._figures and self._figures.snapshot.ts
        if not self._is_news("card", (self._questions.version, bar, *_held(raw))):
            return {}
        if shown is None:
            return {"card": closed_card(ended, time.monotonic())}
        return {"card": open_card(shown, raw, self._figures, self._context)}

    def _log(self, raw: DeskStatus) -> dict[str, Any]:
        if not self._is_news("log", (*raw.messages[-1:], len(raw.messages))):
            return {}
        return {"log": log_frame(raw, self._context)}

    def _day(self, raw: DeskStatus) -> dict[str, Any]:
        now, bar = time.monotonic(), self._figures and self._figures.snapshot.ts
        if self._is_news("happened", (self._questions.version, bar, *_held(raw), raw.orders)):
            self._day_until = now + SETTLE_SECONDS
        if not self._day_due <= now < self._day_until:
            return {}
        day = self._read()
        return {"day": day} if self._is_news("day", day) else {}

    def _is_news(self, topic: str, key: Any) -> bool:
        if topic in self._told and self._told[topic] == key:
            return False
        self._told[topic] = key
        return True

    def _read(self) -> dict[str, Any]:
        """The day from the journal; a long one is read the less often."""
        until, self._day_until = self._day_until, math.inf  # read again where this fails
        self._day_due = time.monotonic() + DAY_SECONDS
        if self._reader is None:
            self._reader = JournalReader(self._context.journal)
        began = time.thread_time()
        day = day_frame(self._reader, self._context.session_id, self._place)
        cost = (time.thread_time() - began) / DAY_SHARE
        self._day_due = time.monotonic() + max(DAY_SECONDS, cost)
        self._day_until = max(until, self._day_due + DAY_SECONDS)
        return day


def _held(raw: DeskStatus) -> tuple[Any, ...]:
    """The position and the name of the open question."""
    return raw.position, None if raw.question is None else raw.question.suggestion.id
