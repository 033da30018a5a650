"""Fills by what they belong to: the entry of a suggestion, the exit of its position."""

from collections.abc import Sequence
from dataclasses import dataclass

from feeds.contract import MULTIPLIER
from reports.formatting import clock
from vocabulary import ExitReason, Fill, PastFill

CENT = 0.005
"""Dollars that sums of the same amounts in another order may be apart, and much more."""


@dataclass(slots=True)
class Leg:
    """The fills of an entry or of the exit of its position, oldest first."""

    name: str
    fills: list[PastFill]

    @property
    def cash(self) -> float:
        """Dollars it brought, fees deducted."""
        return sum(cash_of(one.fill) for one in self.fills)

    @property
    def is_settlement(self) -> bool:
        """Whether the position was settled at the close."""
        return any(one.exit_reason is ExitReason.SETTLEMENT for one in self.fills)

    def words(self) -> str:
        """Every fill in words."""
        return "; ".join(map(fill_words, self.fills)) or "nothing"


def cash_of(fill: Fill) -> float:
    """Dollars that a fill brought (negative: cost), its fee deducted."""
    fee = 0.0 if fill.fee != fill.fee else fill.fee
    return -fill.side * fill.price * fill.quantity * MULTIPLIER - fee


def closing_equity(ts: int, cash: float, worth: float, fills: Sequence[PastFill]) -> float:
    """Dollars of a session: as at its last bar `ts`, and what was filled or settled after it.

    `cash` and `worth` (of the open position) are those of that bar, `fills` the session's.
    """
    later = [past.fill for past in fills if past.fill.ts > ts]
    is_open = sum(past.fill.side * past.fill.quantity for past in fills) != 0
    return cash + (worth if is_open or not later else 0.0) + sum(map(cash_of, later))


def legs(fills: Sequence[PastFill]) -> dict[str, Leg]:
    """Fills by what they belong to: an entry by its suggestion, an exit to the entry before it."""
    found: dict[str, Leg] = {}
    entry = "an unknown entry"
    for one in sorted(fills, key=lambda past: past.fill.ts):
        if one.suggestion is not None and one.exit_reason is None:
            entry = one.suggestion.id
            key = f"entry of {entry}"
        else:
            key = f"exit of {entry}"
        found.setdefault(key, Leg(key, [])).fills.append(one)
    return found


def same_leg(ours: Leg, theirs: Leg) -> bool:
    """Whether both have the same fills: time, contract, quantity, price, fee and reason."""
    if len(ours.fills) != len(theirs.fills):
        return False
    return all(map(_same_fill, ours.fills, theirs.fills))


def _same_fill(one: PastFill, other: PastFill) -> bool:
    a, b = one.fill, other.fill
    terms = [(f.ts, f.contract, f.side, f.quantity) for f in (a, b)]
    money = abs(a.price - b.price) < 1e-9 and abs(a.fee - b.fee) < CENT
    return terms[0] == terms[1] and money and one.exit_reason == other.exit_reason


def fill_words(one: PastFill) -> str:
    """A fill in words."""
    fill = one.fill
    verb = "bought" if fill.side > 0 else "sold"
    why = f", {one.exit_reason}" if one.exit_reason is not None else ""
    return (
        f"{verb} {fill.quantity} {fill.contract} at {fill.price:.4g} "
        f"({clock(fill.ts)}, fee {fill.fee:.2f}{why})"
    )
