"""Which strikes around spot are streamed, chosen anew only when spot has moved away from them."""

from datetime import date

import numpy as np

from feeds.chain import Integers
from feeds.contract import Contract, Right

RECENTRE_STRIKES = 5
"""The strikes are chosen anew when spot has left their middle by so many."""


class StrikeWindow:
    """The streamed contracts of one expiration, the nearest to the money first."""

    def __init__(self, underlying: str, expiration: date, each_side: int | None) -> None:
        """`each_side`: strikes on each side of spot, None for all of the chain."""
        self._underlying, self._expiration, self._each_side = underlying, expiration, each_side
        self._middle: int | None = None

    def around(self, spot: float, strikes: Integers) -> tuple[Contract, ...]:
        """The contracts to stream.

        Args:
            spot: dollars; where it is NaN the last middle stands, and before one all is streamed.
            strikes: thousandths of a dollar, rising, not empty; a strike listed since is streamed
                where it lies in the window.
        """
        if np.isfinite(spot):
            self._look(int(np.abs(strikes - spot * 1000).argmin()), strikes)
        chosen = strikes
        if self._middle is not None:
            centre = int(np.searchsorted(strikes, self._middle))
            if self._each_side is not None:
                first = max(0, centre - self._each_side)
                chosen = strikes[first : centre + self._each_side + 1]
            chosen = chosen[np.argsort(np.abs(chosen - self._middle), kind="stable")]
        return tuple(
            Contract(self._underlying, self._expiration, int(strike), right)
            for strike in chosen
            for right in Right
        )

    def _look(self, nearest: int, strikes: Integers) -> None:
        """Move the middle to the strike nearest to spot, where the old one is too far away."""
        if self._middle is not None:
            away = nearest - int(np.searchsorted(strikes, self._middle))
            if abs(away) < RECENTRE_STRIKES:
                return
        self._middle = int(strikes[nearest])
