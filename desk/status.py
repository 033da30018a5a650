"""The state of the desk for whoever looks at it: terminal, web page, watchdog."""

import threading
import time
from collections import deque
from dataclasses import replace
from typing import Any

from vocabulary import DeskStatus

MESSAGES = 200
"""Messages kept for a screen that comes late."""


class StatusBoard:
    """The newest `DeskStatus`. The desk's thread publishes, any other reads or waits.

    Attributes:
        told_at: monotonic seconds of the last `publish`, changed or not: the desk's sign of life.
    """

    def __init__(self, first: DeskStatus | None = None) -> None:
        """Begins with an empty status unless one is given."""
        self._latest = first if first is not None else DeskStatus()
        self._messages: deque[tuple[int, str]] = deque(self._latest.messages, MESSAGES)
        self._changed = threading.Condition()
        self.told_at = time.monotonic()

    def latest(self) -> DeskStatus:
        """The newest status; frozen, so it may be kept."""
        return self._latest

    def publish(self, **changes: Any) -> None:
        """Replace what changed; those who wait are told when anything did."""
        self.told_at = time.monotonic()
        changed = replace(self._latest, messages=tuple(self._messages), **changes)
        if changed == self._latest:
            return
        with self._changed:
            self._latest = replace(changed, version=self._latest.version + 1)
            self._changed.notify_all()

    def message(self, market_ts: int, text: str) -> None:
        """Add a line for the person; it shows with the next `publish`."""
        self._messages.append((market_ts, text))

    def wait(self, version: int, seconds: float) -> DeskStatus:
        """The status once it is newer than `version`, or as it is after so many seconds."""
        with self._changed:
            self._changed.wait_for(lambda: self._latest.version > version, seconds)
        return self._latest
