"""Market time: as fast as the wall, N times as fast, a row at a time, or by hand."""

import math
import time
from collections.abc import Callable
from datetime import date

from errors import SettingError
from feeds.sessions import to_new_york

MANUAL = 0.0
AS_FAST_AS_POSSIBLE = math.inf


class MarketClock:
    """Nanoseconds since 1970 UTC of the simulated market.

    At a finite speed it follows the wall clock. At 0 and at infinity it stands still until
    somebody sets it: by hand, or a row at a time while the socket takes the messages.
    """

    def __init__(
        self, start: int, speed: float, wall: Callable[[], float] = time.monotonic
    ) -> None:
        """Begins at `start` (nanoseconds). Raises `SettingError` for a speed below 0 or NaN."""
        self._wall = wall
        self._speed = _checked(speed)
        self._stands = False
        self._anchor = start, wall(), self._rate()

    @property
    def speed(self) -> float:
        """Market seconds a wall second; 0 by hand, infinity a row at a time."""
        return self._speed

    @property
    def runs(self) -> bool:
        """Whether it moves by itself, or would if it were not told to stand."""
        return 0 < self._speed < math.inf

    @property
    def today(self) -> date:
        """The date in New York."""
        return to_new_york(self.now()).date()

    def now(self) -> int:
        """Market time in nanoseconds since 1970 UTC."""
        start, since, rate = self._anchor
        return start + round((self._wall() - since) * rate * 1e9) if rate else start

    def set(self, ts: int) -> None:
        """Go on from `ts` nanoseconds."""
        self._anchor = ts, self._wall(), self._rate()

    def set_speed(self, speed: float) -> None:
        """Go on from now at another speed. Raises `SettingError` as the constructor."""
        self._speed = _checked(speed)
        self.set(self.now())

    def stand(self, still: bool) -> None:
        """Stand still at the present instant, or go on from it."""
        if still != self._stands:
            self._stands = still
            self.set(self.now())

    def _rate(self) -> float:
        return self._speed if self.runs and not self._stands else 0.0


def _checked(speed: float) -> float:
    if not speed >= 0:
        raise SettingError(f"speed is {speed:g}: choose a number above 0, or max")
    return float(speed)
