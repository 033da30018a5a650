"""The quotes that orders are priced on: the desk's own, IB's, the last known, else intrinsic."""

import math
from collections.abc import Callable
from typing import Protocol

from brokers.ib.walking import NOWHERE, Sides, reference
from feeds.contract import Contract
from vocabulary import LiveQuote

Quotes = Callable[[Contract], LiveQuote | None]


class QuoteLink(Protocol):
    """What is used of the link."""

    def watch(self, contract: Contract) -> None:
        """Subscribe to IB's market data."""

    def unwatch(self, contract: Contract) -> None:
        """End it."""

    def quote(self, contract: Contract) -> LiveQuote | None:
        """IB's own quote."""


class ExitQuotes:
    """Remembers the last quote of every contract it was asked for."""

    def __init__(self, quotes: Quotes, link: QuoteLink, age_limit: float) -> None:
        """Quotes older than `age_limit` (market seconds) are not current."""
        self._quotes = quotes
        self._link = link
        self._age_limit = age_limit
        self._last: dict[Contract, Sides] = {}
        self._watched: Contract | None = None
        self.spot = math.nan

    def watch(self, contract: Contract | None) -> None:
        """Have IB's own quotes of the one contract that is held, None for no longer."""
        if contract == self._watched:
            return
        if self._watched is not None:
            self._link.unwatch(self._watched)
        if contract is not None:
            self._link.watch(contract)
        self._watched = contract

    def now(self, contract: Contract) -> Sides:
        """The desk's current quote; `NOWHERE` where it has none or an old one."""
        quote = self._quotes(contract)
        if quote is not None and quote.spot > 0:
            self.spot = quote.spot
        return self._current(quote)

    def mid(self, contract: Contract) -> float:
        """Mid of the current quote, NaN without one."""
        bid, ask = self.now(contract)
        return (bid + ask) / 2

    def for_exit(self, contract: Contract, side: int) -> Sides:
        """What an exit is priced on, see `walking.reference`."""
        here = self.now(contract)
        there = self._current(self._link.quote(contract))
        last = self._last.get(contract, NOWHERE)
        found = reference(side, contract, self.spot, here, there, last)
        if here.serves(side) or there.serves(side):
            self._last[contract] = found
        return found

    def _current(self, quote: LiveQuote | None) -> Sides:
        if quote is None or quote.age_seconds > self._age_limit:
            return NOWHERE
        return Sides(quote.bid, quote.ask)
