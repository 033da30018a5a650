"""When something happened, told in the market's time where that is not the wall's.

A stream and a recorder say since when they are as they are, by the wall. In accelerated time, and
in another year, that says nothing: every other time on the screen is the market's.
"""

import re
from collections.abc import Callable

from feeds.sessions import to_new_york

_WALL = re.compile(r"since (\d\d):(\d\d):(\d\d)")
_DAY_SECONDS = 86_400


class MarketSince:
    """Puts market times in the place of wall times.

    A wall time means the market's time at which it was seen first: a line is looked at several
    times a second.
    """

    def __init__(self, now: Callable[[], int]) -> None:
        """`now` gives the market's time, nanoseconds."""
        self._now = now
        self._known: dict[int, int] = {}

    def told(self, line: str) -> str:
        """`line` with every "since 12:34:56" in the market's time."""
        return _WALL.sub(lambda found: f"since {self._moment(found):%H:%M:%S}", line)

    def _moment(self, found: re.Match[str]) -> object:
        hours, minutes, seconds = map(int, found.groups())
        wall = (hours * 60 + minutes) * 60 + seconds
        near = (wall, (wall - 1) % _DAY_SECONDS, (wall + 1) % _DAY_SECONDS)  # it is rounded
        known = next((one for one in near if one in self._known), None)
        if known is None:
            known, self._known[wall] = wall, self._now()
        return to_new_york(self._known[known])
