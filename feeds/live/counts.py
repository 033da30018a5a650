"""What became of quotes: nothing is dropped without a count."""

from dataclasses import dataclass


@dataclass(slots=True)
class QuoteCounts:
    """What became of the quotes of a session.

    Attributes:
        applied: taken into the book, crossed ones included.
        foreign: of another session, expiration or underlying: refused.
        out_of_order: older than the quote the book holds already: refused.
        crossed: ask below bid; they replace what was there, but no one can trade on them.
        stale: quotes left out of snapshots because of their live age, summed over snapshots.
    """

    applied: int = 0
    foreign: int = 0
    out_of_order: int = 0
    crossed: int = 0
    stale: int = 0
