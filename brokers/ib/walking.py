"""The prices of working orders: an entry's walk to its worst price, an exit's ladder until flat.

Pure rules in whole ticks; sides are +1 for a purchase and -1 for a sale, prices dollars a share,
NaN where there is none. An entry is rounded in its own favour, an exit towards its fill.
"""

import math
from typing import NamedTuple

from feeds.contract import TICK, Contract
from feeds.quotes import mid

LADDER = (0.0, 0.05, 0.15)
"""How far beyond the natural side the rungs after the mid are: at it, 5 % and 15 %."""

LAST_RUNG = len(LADDER)
_DUST = 1e-6
_BLIND_MARGIN = 0.10
"""Dollars beyond intrinsic where nobody quotes at all."""


class Sides(NamedTuple):
    """A bid and an ask in dollars, NaN where that side is not quoted."""

    bid: float
    ask: float

    def natural(self, side: int) -> float:
        """What a purchase pays, what a sale gets."""
        return self.ask if side > 0 else self.bid

    def serves(self, side: int) -> bool:
        """Whether an order of this side finds a price here."""
        return self.natural(side) > 0


NOWHERE = Sides(math.nan, math.nan)


def to_tick(price: float, upwards: bool) -> float:
    """The next price on the tick grid, to two decimals and never below one tick."""
    ticks = price / TICK
    whole = math.ceil(ticks - _DUST) if upwards else math.floor(ticks + _DUST)
    return round(max(1, whole) * TICK, 2)


# --- entries


def first_limit(side: int, limit: float, worst: float, sides: Sides) -> float:
    """Where an entry starts: the plan's limit in its own favour, never past `worst`.

    A market that has moved in our favour is taken: never worse than its natural side now.
    """
    favour = side < 0
    start = to_tick(limit, favour)
    natural = sides.natural(side)
    if natural > 0:
        start = _better(side, start, to_tick(natural, favour))
    return _better(side, start, to_tick(worst, favour))


def next_limit(side: int, limit: float, worst: float, sides: Sides) -> float | None:
    """One tick nearer to the market; None to stay.

    It stays at the worst price, where the market's own side already meets the limit, and where
    nobody knows the market: a price is not given away to a quote that is gone or old.
    """
    natural = sides.natural(side)
    if not natural > 0 or side * (limit - natural) >= -_DUST:
        return None
    step = round(limit + side * TICK, 2)
    past = side * (step - to_tick(worst, side < 0)) > _DUST
    return None if past or step < TICK - _DUST else step


def _better(side: int, one: float, other: float) -> float:
    return min(one, other) if side > 0 else max(one, other)


# --- exits


def rung(elapsed_seconds: float, step_seconds: float) -> int:
    """How many steps an exit has worked; from `LAST_RUNG` on the price is the last one's."""
    return max(0, int(elapsed_seconds / step_seconds + _DUST))


def exit_limit(side: int, step: int, sides: Sides) -> float:
    """The ladder's price: mid, natural side, 5 % and 15 % beyond it, towards the fill.

    `sides` must serve the side (`reference` sees to it).
    """
    natural = sides.natural(side)
    if step <= 0:
        middle = float(mid(sides.bid, sides.ask))  # type: ignore[arg-type]
        price = middle if middle == middle else natural
    else:
        price = natural * (1 + side * LADDER[min(step, LAST_RUNG) - 1])
    return to_tick(price, upwards=side > 0)


def reference(
    side: int, contract: Contract, spot: float, now: Sides, broker: Sides, last: Sides
) -> Sides:
    """The quote that an exit is priced on: the desk's, IB's own, the last known, intrinsic.

    The last known one is never believed against us: a purchase pays at least, a sale asks at most
    what intrinsic says by 10 cents. Without any spot or quote a purchase has no price: NaN.
    """
    for sides in (now, broker):
        if sides.serves(side):
            return sides
    intrinsic = contract.intrinsic(spot) if spot == spot else math.nan
    blind = max(TICK, intrinsic + side * _BLIND_MARGIN) if intrinsic == intrinsic else math.nan
    known = last.natural(side) if last.serves(side) else math.nan
    prices = [price for price in (blind, known) if price == price]
    if not prices:
        return NOWHERE
    price = max(prices) if side > 0 else min(prices)
    return Sides(price, price)
