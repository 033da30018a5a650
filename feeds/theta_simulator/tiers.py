"""What a subscription may ask for, how much at a time, and how many contracts it may stream.

From the vendor's tables of July 2026: tiers are by class of asset, requests at a time by the higher
of them. Where sources disagree, what is here is said beside it.
"""

from dataclasses import dataclass
from enum import IntEnum

from errors import SettingError


class Tier(IntEnum):
    """A subscription's level."""

    FREE = 0
    VALUE = 1
    STANDARD = 2
    PRO = 3


CONCURRENT = {Tier.FREE: 1, Tier.VALUE: 2, Tier.STANDARD: 4, Tier.PRO: 8}
"""Requests served at a time; endpoints that take no slot are not counted."""

FREE_REQUESTS_A_MINUTE = 30
"""The vendor's pages say both 20 and 30."""

_STREAMS = {
    ("OPTION", "QUOTE"): {Tier.STANDARD: 10_000, Tier.PRO: 15_000},
    ("OPTION", "TRADE"): {Tier.STANDARD: 15_000, Tier.PRO: 15_000},
    ("STOCK", "QUOTE"): {Tier.STANDARD: 1_000, Tier.PRO: 2_000},
    ("STOCK", "TRADE"): {Tier.STANDARD: 1_000, Tier.PRO: 20_000},
}


@dataclass(frozen=True, slots=True)
class Subscription:
    """Tiers of options and of stocks."""

    option: Tier
    stock: Tier

    @property
    def highest(self) -> Tier:
        """The tier that counts for the account as a whole."""
        return max(self.option, self.stock)

    @property
    def concurrent(self) -> int:
        """Requests at a time."""
        return CONCURRENT[self.highest]

    def of(self, asset: str) -> Tier:
        """The tier of "option" or "stock"; of anything else the highest."""
        return {"option": self.option, "stock": self.stock}.get(asset, self.highest)

    def streams(self, security: str, kind: str) -> int:
        """Contracts of "OPTION" or "STOCK" that may stream "QUOTE" or "TRADE"; 0 for none."""
        return _STREAMS.get((security, kind), {}).get(self.of(security.lower()), 0)

    def __str__(self) -> str:
        return f"options {self.option.name.title()}, stocks {self.stock.name.title()}"


def subscription(name: str) -> Subscription:
    """The subscription of a name: "standard" is for both classes, "standard/free" options/stocks.

    Raises `SettingError` for a name that is none.
    """
    option, _, stock = name.upper().partition("/")
    try:
        return Subscription(Tier[option], Tier[stock or option])
    except KeyError:
        allowed = ", ".join(tier.name.lower() for tier in Tier)
        raise SettingError(
            f"tier {name!r} is unknown: choose {allowed}, or two as standard/free (options/stocks)"
        ) from None
