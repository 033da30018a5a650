"""What Interactive Brokers' error codes say of an order, as data: docs/ib-orders.md has the table.

The same code means different things to an order that was just sent, one that works, a change and
a cancellation. A code that is not listed says nothing: the order is unknown until it is asked for.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple


class Says(StrEnum):
    """What a code says of the order that it names."""

    LIVES = "lives"
    DEAD = "dead"
    UNCLEAR = "unclear"
    TRY_AGAIN = "try again"


class Code(NamedTuple):
    """A code's meaning in words, and what it says by what the order was doing."""

    meaning: str
    new: Says = Says.UNCLEAR
    live: Says = Says.UNCLEAR
    change: Says = Says.UNCLEAR
    cancel: Says = Says.UNCLEAR


def _refusal(meaning: str) -> Code:
    """Kills an order that was just sent; a working one may live on with its old terms."""
    return Code(meaning, new=Says.DEAD)


def _remark(meaning: str) -> Code:
    return Code(meaning, Says.LIVES, Says.LIVES, Says.LIVES, Says.LIVES)


CODES: Mapping[int, Code] = {
    0: Code("could not be handed to the gateway"),
    100: Code("more than 50 messages a second"),
    103: Code("duplicate order id"),
    104: Code("change of a filled order"),
    105: Code("change does not match the order"),
    110: _refusal("price is off the tick"),
    161: Code("cannot be cancelled in this state"),
    200: _refusal("no such contract"),
    201: _refusal("rejected"),
    202: Code("cancelled"),
    320: _refusal("request cannot be read"),
    321: _refusal("request refused: read-only, or a wrong field"),
    387: _refusal("order type is not supported"),
    399: _remark("order message"),
    404: _remark("held while shares are located"),
    434: _refusal("size is zero"),
    435: _refusal("account is missing"),
    436: _refusal("account is wrong"),
    478: _refusal("contract contradicts its id"),
    2102: Code("still in process", change=Says.TRY_AGAIN),
    2109: _remark("outside regular hours is ignored"),
    2137: _remark("would cross a position"),
    10052: _refusal("time in force is missing"),
    10147: Code("order to cancel is not known"),
    10148: Code("order to cancel is in a final state"),
    10268: _refusal("old order flags"),
    10318: _refusal("fractional size"),
    10349: _remark("time in force set to DAY by preset"),
}

MARGIN_WORDS = ("margin", "funds", "equity", "liquidity")
"""Words of a 201 that mean money, not permission."""


def is_margin(code: int, message: str) -> bool:
    """Whether a rejection is about money: Backtrader's Margin instead of Rejected."""
    return code == 201 and any(word in message.lower() for word in MARGIN_WORDS)


def words(code: int, message: str) -> str:
    """A code with its own words, for screen and journal."""
    known = CODES.get(code)
    told = message or (known.meaning if known else "no words")
    return f"IB {code}: {told}" if code else told
