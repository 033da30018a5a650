"""What waits between the thread that makes rows and Cerebro's: rows, signals, wake tokens.

All come out in the order they went in. A wake token stands between rows and keeps its place, so
that a replay gives Cerebro the same turns as the day did. A row that is not due yet stays in its
place, and a token behind it comes first.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from enum import Enum

from feeds.chain import ChainDay


class Signal(Enum):
    """What a queue may hold beside rows."""

    WAKE = "wake"
    DISCONNECTED = "disconnected"
    END = "end"


Item = ChainDay | Signal


class RowQueue:
    """A queue with room for `most` rows and signals, 0 for any number; wake tokens need no room."""

    def __init__(self, most: int = 0) -> None:
        """An empty queue."""
        self._most = most
        self._items: deque[Item] = deque()
        self._changed = threading.Condition()
        self._held = 0  # rows and signals that are no wake tokens
        self._rows = 0

    @property
    def rows(self) -> int:
        """How many rows wait."""
        return self._rows

    def put(self, item: Item, timeout: float) -> bool:
        """Put a row or signal behind the others; False if there was no room within `timeout` s."""
        with self._changed:
            if not self._changed.wait_for(self._has_room, timeout):
                return False
            self._held += 1
            self._rows += isinstance(item, ChainDay)
            self._items.append(item)
            self._changed.notify_all()
            return True

    def wake(self) -> None:
        """Put a wake token behind the others, unless one is there already; never waits."""
        with self._changed:
            if not self._items or self._items[-1] is not Signal.WAKE:
                self._items.append(Signal.WAKE)
                self._changed.notify_all()

    def has_something(self, is_due: Callable[[ChainDay], bool] = lambda row: True) -> bool:
        """Whether `take` would find something at once."""
        with self._changed:
            first = self._items[0] if self._items else None
            if isinstance(first, ChainDay) and not is_due(first):
                return Signal.WAKE in self._items
            return first is not None

    def take(
        self, timeout: float, is_due: Callable[[ChainDay], bool] = lambda row: True
    ) -> Item | None:
        """The next item, waiting for it at most `timeout` seconds; None if there is none."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while (item := self._next(is_due)) is None:
                left = deadline - time.monotonic()
                if left <= 0:
                    return None
                self._changed.wait(left)
            self._changed.notify_all()
            return item

    def _has_room(self) -> bool:
        return not self._most or self._held < self._most

    def _next(self, is_due: Callable[[ChainDay], bool]) -> Item | None:
        if not self._items:
            return None
        first = self._items[0]
        if isinstance(first, ChainDay) and not is_due(first):
            if Signal.WAKE not in self._items:
                return None
            self._items.remove(Signal.WAKE)
            return Signal.WAKE
        self._items.popleft()
        self._held -= first is not Signal.WAKE
        self._rows -= isinstance(first, ChainDay)
        return first
