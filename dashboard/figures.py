"""What an order does to the book: Greeks before and after, and dollars if SPY moves.

Greeks are those of the last bar's chain (`feeds.option_maths`), in units a desk thinks in: delta in
shares, gamma in shares per 1 % of the underlying, theta in dollars an hour, vega in dollars a
volatility point.
"""

import math
from dataclasses import dataclass

import numpy as np

from feeds.contract import Contract, Right
from feeds.option_maths import Greeks, option_price
from feeds.snapshot import ChainSnapshot

MOVES = (-2, -1, 0, 1, 2)
"""Per cent of the underlying at which a position is looked at."""

HOURS_A_DAY = 24


@dataclass(frozen=True, slots=True)
class BookGreeks:
    """Of a whole position; NaN where the chain has no volatility at its strike."""

    delta: float
    gamma: float
    theta: float
    vega: float

    def __add__(self, other: "BookGreeks") -> "BookGreeks":
        """Of both together."""
        return BookGreeks(
            self.delta + other.delta,
            self.gamma + other.gamma,
            self.theta + other.theta,
            self.vega + other.vega,
        )


FLAT = BookGreeks(0.0, 0.0, 0.0, 0.0)


class ChainFigures:
    """Greeks of one snapshot, computed when first asked for."""

    def __init__(self, snapshot: ChainSnapshot) -> None:
        """Of `snapshot`, which may be read from any thread."""
        self.snapshot = snapshot
        self._greeks: Greeks | None = None

    @property
    def greeks(self) -> Greeks:
        """Arrays [1, 2, K]."""
        if self._greeks is None:
            self._greeks = self.snapshot.greeks()
        return self._greeks

    def of(self, contract: Contract, signed: int) -> BookGreeks:
        """Of `signed` contracts: above 0 bought, below 0 sold."""
        if not signed:
            return FLAT
        place = self._place(contract)
        if place is None:
            return BookGreeks(math.nan, math.nan, math.nan, math.nan)
        shares = signed * contract.multiplier
        _, delta, gamma, theta, vega = (float(values[place]) for values in self.greeks)
        return BookGreeks(
            delta * shares,
            gamma * shares * self.snapshot.spot / 100,
            theta * shares / HOURS_A_DAY,
            vega * shares,
        )

    def at_once(self, contract: Contract, signed: int, price: float, per_cent: float) -> float:
        """Dollars of `signed` contracts bought or sold at `price`, if SPY moved this moment.

        Black-76 at the strike's present volatility, the forward moved by `per_cent`; NaN where
        there is no volatility.
        """
        place = self._place(contract)
        if place is None:
            return math.nan
        volatility = float(self.greeks.iv[place])
        if not math.isfinite(volatility):
            return math.nan
        forward = self.snapshot.forward * (1 + per_cent / 100)
        is_call = contract.right is Right.CALL
        worth = option_price(
            np.array([forward]),
            np.array([contract.strike]),
            np.array([self.snapshot.years]),
            np.array([volatility]),
            np.array([is_call]),
        )
        return float(signed * contract.multiplier * (worth[0] - price))

    def _place(self, contract: Contract) -> tuple[int, int, int] | None:
        strikes = self.snapshot.strikes
        k = int(np.searchsorted(strikes, contract.strike_thousandths))
        foreign = contract.expiration != self.snapshot.session.date
        if foreign or k == len(strikes) or strikes[k] != contract.strike_thousandths:
            return None
        return 0, int(contract.right), k


def at_expiry(contract: Contract, signed: int, price: float, spot: float, per_cent: float) -> float:
    """Dollars at the close if SPY is then `per_cent` from `spot`, fees excluded."""
    level = spot * (1 + per_cent / 100)
    is_call = contract.right is Right.CALL
    intrinsic = max(0.0, level - contract.strike if is_call else contract.strike - level)
    return signed * contract.multiplier * (intrinsic - price)
