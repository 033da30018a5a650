"""Prices as an exchange takes them: whole ticks, and no digit more.

0.1 + 0.2 travels as 0.30000000000000004 and is refused with 110; so every price is rounded to its
tick and then to cents, never to the worse side of what was said.
"""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from feeds.contract import TICK

_NOISE = 1e-6
"""Of a tick: what a float may be off and still be meant as a whole tick."""


@dataclass(frozen=True, slots=True)
class TickLadder:
    """Steps of a price: from each of `edges` on (ascending, the first 0) the step at its index."""

    edges: tuple[float, ...] = (0.0,)
    steps: tuple[float, ...] = (TICK,)

    def step(self, price: float) -> float:
        """The step at a price, dollars."""
        return self.steps[max(0, bisect_right(self.edges, price + _NOISE * TICK) - 1)]

    def limit(self, price: float, side: int) -> float:
        """A limit on a tick: of a purchase (+1) never higher, of a sale (-1) never lower."""
        ticks = price / self.step(price)
        whole = math.floor(ticks + _NOISE) if side > 0 else math.ceil(ticks - _NOISE)
        return round(whole * self.step(price), 2)

    def nearest(self, price: float) -> float:
        """The nearest price on a tick, for stops."""
        return round(round(price / self.step(price)) * self.step(price), 2)


def ladder_of(increments: Sequence[tuple[float, float]]) -> TickLadder:
    """The ladder of a market rule's (low edge, increment) pairs."""
    ordered = sorted(increments)
    return TickLadder(tuple(edge for edge, _ in ordered), tuple(step for _, step in ordered))
