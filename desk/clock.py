"""The desk's two times: the market's for rules and ages, the wall's for people and sockets."""

import time
from collections.abc import Callable
from datetime import datetime

from feeds.sessions import NEW_YORK


class DeskClock:
    """`vocabulary.Clock` over a market's time."""

    def __init__(self, market_now: Callable[[], int] = time.time_ns) -> None:
        """`market_now` gives nanoseconds since 1970 UTC; simulated markets have their own."""
        self._market_now = market_now

    def market_now(self) -> int:
        """Market time, nanoseconds since 1970 UTC."""
        return self._market_now()

    def wall_now(self) -> datetime:
        """Wall time in New York."""
        return datetime.now(NEW_YORK)

    def monotonic(self) -> float:
        """Seconds for measuring wall intervals."""
        return time.monotonic()
