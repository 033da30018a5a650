"""An option contract, and the two rights as an axis of arrays."""

from dataclasses import dataclass
from datetime import date
from enum import IntEnum

TICK = 0.01
"""Smallest price step of SPY options in dollars, at every price."""

MULTIPLIER = 100
"""Shares a contract stands for."""


class Right(IntEnum):
    """Call or put; the value is the index on the right axis of every chain array."""

    CALL = 0
    PUT = 1

    @property
    def sign(self) -> int:
        """+1 for a call, -1 for a put: intrinsic = max(0, sign * (spot - strike))."""
        return 1 - 2 * self


@dataclass(frozen=True, slots=True, order=True)
class Contract:
    """One option: strike in integer thousandths of a dollar, so that equality is exact."""

    underlying: str
    expiration: date
    strike_thousandths: int
    right: Right
    multiplier: int = MULTIPLIER

    @property
    def strike(self) -> float:
        """Strike in dollars."""
        return self.strike_thousandths / 1000

    def intrinsic(self, spot: float) -> float:
        """Dollars a share that exercise would pay at `spot`."""
        gain = spot - self.strike_thousandths / 1000
        return max(0.0, gain if self.right == Right.CALL else -gain)

    def __str__(self) -> str:
        return f"{self.underlying} {self.expiration} {self.strike:g} {self.right.name}"
