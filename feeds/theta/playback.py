"""How accelerated time begins and ends, told by whoever makes it pass."""

import time
from collections.abc import Callable
from dataclasses import dataclass

IDLE_SECONDS = 2.0
"""A market whose time is over, and that is silent for so long, has nothing more to say."""


@dataclass(frozen=True, slots=True)
class Playback:
    """What a market by the data's watermark needs from the maker of its time.

    Attributes:
        after: no bar at or before this instant (nanoseconds UTC), where a session is gone on with.
        ready: called once, in the market's thread, when the chain was read and all is subscribed:
            from now on nothing is missed.
        is_over: whether the last news of the session were sent.
    """

    after: int | None = None
    ready: Callable[[], object] = lambda: None
    is_over: Callable[[], bool] = lambda: True


class Ending:
    """Notices when accelerated time is over: its maker says so, and nothing comes any more."""

    def __init__(self, playback: Playback) -> None:
        """Not over."""
        self._playback = playback
        self._quiet_since: float | None = None

    def has_come(self, busy: bool) -> bool:
        """Whether it is over; ask in every turn, `busy` where something came in it."""
        if busy or not self._playback.is_over():
            self._quiet_since = None
            return False
        if self._quiet_since is None:
            self._quiet_since = time.monotonic()
        return time.monotonic() - self._quiet_since > IDLE_SECONDS
