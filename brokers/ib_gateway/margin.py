"""What a position ties up: the plain Reg-T rule for single options and shares, in dollars.

CBOE Margin Manual, equity and ETF options: a short option without cover needs its value plus 20% of
the underlying less what it is out of the money, at least its value plus 10% of the underlying (a
put: of the strike). Spreads are not recognised, as nobody here trades them. A long option has no
loan value: all of it is required. Shares need 50%, and 25% to be kept.
"""

from dataclasses import dataclass

from brokers.ib_gateway.records import Instrument

BROAD, FLOOR = 0.20, 0.10
SHARES_INITIAL, SHARES_KEPT = 0.50, 0.25


@dataclass(frozen=True, slots=True)
class Requirement:
    """Dollars needed to open, and to keep."""

    initial: float = 0.0
    kept: float = 0.0

    def __add__(self, other: "Requirement") -> "Requirement":
        return Requirement(self.initial + other.initial, self.kept + other.kept)


def requirement(instrument: Instrument, quantity: int, mark: float, spot: float) -> Requirement:
    """Of `quantity` (signed) of an instrument at `mark`, with the underlying at `spot`."""
    contract = instrument.contract
    if contract is None:
        value = abs(quantity) * mark
        return Requirement(SHARES_INITIAL * value, SHARES_KEPT * value)
    lots = abs(quantity) * instrument.multiplier
    if quantity >= 0:
        return Requirement(lots * mark, lots * mark)
    strike = contract.strike
    away = max(0.0, contract.right.sign * (strike - spot))
    least = FLOOR * (spot if contract.right.sign > 0 else strike)
    needed = lots * (mark + max(BROAD * spot - away, least))
    return Requirement(needed, needed)
