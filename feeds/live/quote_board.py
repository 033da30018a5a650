"""Quotes between bars: what a few contracts are quoted at now, for any thread to look at.

The market's thread publishes the watched contracts from its book; readers take the newest quote of
one and work out its age by market time. So a quote grows old by itself when nobody renews it,
whatever happened to the market.
"""

import threading
import time
from collections.abc import Callable

from feeds.contract import Contract
from feeds.live.book import ChainBook
from feeds.live.standing import NEVER, StandingQuote

PUBLISHING_SECONDS = 0.05
"""The board is renewed at most so often."""


class QuoteBoard:
    """The watched contracts and their newest quotes; every method is for any thread."""

    def __init__(self, wake: Callable[[], object] = lambda: None) -> None:
        """Nothing is watched. `wake` is called whenever something else is."""
        self._wake = wake
        self._lock = threading.Lock()
        self._watched: tuple[Contract, ...] = ()
        self._quotes: dict[Contract, StandingQuote] = {}

    @property
    def watched(self) -> tuple[Contract, ...]:
        """The contracts somebody wants to see, in the order they were asked for."""
        return self._watched

    def on_change(self, wake: Callable[[], object]) -> None:
        """Call `wake` from now on whenever something else is watched."""
        self._wake = wake

    def watch(self, contract: Contract) -> None:
        """Publish `contract` from now on; twice does no harm."""
        with self._lock:
            if contract in self._watched:
                return
            self._watched = (*self._watched, contract)
        self._wake()

    def unwatch(self, contract: Contract) -> None:
        """Publish `contract` no more, and forget its quote."""
        with self._lock:
            self._watched = tuple(one for one in self._watched if one != contract)
            self._quotes = {one: quote for one, quote in self._quotes.items() if one != contract}
        self._wake()

    def latest(self, contract: Contract) -> StandingQuote | None:
        """The newest quote of a watched contract; None before anything was published of it."""
        return self._quotes.get(contract)

    def publish(self, quotes: dict[Contract, StandingQuote]) -> None:
        """Renew the quotes of these contracts; of those that nobody watches any more nothing."""
        with self._lock:
            kept = {one: quotes[one] for one in self._watched if one in quotes}
            self._quotes = self._quotes | kept


class BoardPublisher:
    """Brings what a book says of the watched contracts to the board; for the book's thread."""

    def __init__(self, book: ChainBook, board: QuoteBoard) -> None:
        """Nothing is published yet."""
        self._book, self._board = book, board
        self._due = 0.0

    def renew(self, now: int, proved_ts: int = NEVER) -> None:
        """Publish at market time `now` (nanoseconds), unless that was done a moment ago.

        `proved_ts`: everything the book streams stood then, whatever its messages prove.
        """
        if time.monotonic() < self._due:
            return
        self._due = time.monotonic() + PUBLISHING_SECONDS
        standing = {one: self._book.standing(one, now, proved_ts) for one in self._board.watched}
        self._board.publish({one: quote for one, quote in standing.items() if quote is not None})
