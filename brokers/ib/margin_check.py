"""What an entry costs in margin, asked of IB by whatIf before it is sent.

The question is put to IB when the suggestion is put before the person, so that the answer is there
at the yes. Dollars; ages in wall seconds.
"""

import math
from dataclasses import dataclass
from typing import Protocol

from brokers.ib.codes import MARGIN_WORDS
from brokers.ib.records import MarginImpact, OrderTicket
from errors import BrokerError
from feeds.contract import Contract
from vocabulary import Clock, Suggestion

FRESH_SECONDS = 60.0
"""An answer is used for so long; older ones are asked for again."""


class WhatIfLink(Protocol):
    """What is used of the link."""

    def ask_what_if(self, ticket: OrderTicket) -> None:
        """Ask without waiting."""

    def take_what_if(self, order_ref: str) -> MarginImpact | BrokerError | None:
        """The answer once it is there."""


@dataclass(frozen=True, slots=True)
class MarginVerdict:
    """Empty `refusal` allows; `is_margin` says whether money is what is missing."""

    refusal: str = ""
    is_margin: bool = False


@dataclass(slots=True)
class _Question:
    contract: Contract
    side: int
    quantity: int
    order_ref: str
    asked: float
    answer: MarginImpact | BrokerError | None = None


class MarginCheck:
    """Asks whatIf and judges the answer."""

    def __init__(
        self, link: WhatIfLink, clock: Clock, fraction: float, answer_seconds: float
    ) -> None:
        """Initial margin may take `fraction` of the excess liquidity."""
        self._link = link
        self._clock = clock
        self._fraction = fraction
        self._answer_seconds = answer_seconds
        self._asked: _Question | None = None
        self._count = 0

    def ask(self, suggestion: Suggestion, limit: float) -> None:
        """Ask IB unless an answer that is fresh enough is there or on its way."""
        known = self._asked
        if known is not None and self._serves(known, suggestion) and self._is_fresh(known):
            return
        self._count += 1
        ref = f"whatif-{self._count}"
        terms = suggestion.contract, suggestion.side, suggestion.quantity
        self._asked = _Question(*terms, ref, self._clock.monotonic())
        self._link.ask_what_if(OrderTicket(ref, *terms, limit=limit))

    def verdict(self, suggestion: Suggestion, excess_liquidity: float) -> MarginVerdict | None:
        """What IB's answer means; None while it has not come."""
        known = self._asked
        if known is None or not self._serves(known, suggestion):
            return None
        if known.answer is None:
            known.answer = self._link.take_what_if(known.order_ref)
        if known.answer is None:
            late = self._clock.monotonic() - known.asked > 2 * self._answer_seconds
            return MarginVerdict("IB has not said what margin it needs") if late else None
        if isinstance(known.answer, BrokerError):
            self._asked = None
            return MarginVerdict(f"IB has not said what margin it needs: {known.answer}")
        return self._judge(known.answer, excess_liquidity)

    def forget(self) -> None:
        """Ask anew next time: the account has changed."""
        self._asked = None

    def _serves(self, known: _Question, suggestion: Suggestion) -> bool:
        """Whether it was asked for at least as much (a person may lower the quantity)."""
        same = known.contract == suggestion.contract and known.side == suggestion.side
        return same and known.quantity >= suggestion.quantity

    def _is_fresh(self, known: _Question) -> bool:
        return self._clock.monotonic() - known.asked < FRESH_SECONDS

    def _judge(self, impact: MarginImpact, excess: float) -> MarginVerdict:
        if impact.refused:
            money = any(word in impact.refused.lower() for word in MARGIN_WORDS)
            return MarginVerdict(f"IB would refuse it: {impact.refused}", money)
        change = impact.initial_change
        if math.isnan(change) or math.isnan(excess):
            return MarginVerdict("IB has not told margin and excess liquidity", True)
        if change > self._fraction * excess:
            return MarginVerdict(
                f"initial margin {change:,.0f} is more than {self._fraction:.0%} of the excess "
                f"liquidity {excess:,.0f}",
                True,
            )
        return MarginVerdict()
