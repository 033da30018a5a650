"""The two boards of the desk: quotes as they stream, and those of the bar itself."""

from collections.abc import Callable

import numpy as np

from errors import DataError
from feeds.contract import Contract
from feeds.live.live_feed import LiveFeed
from feeds.live.quote_board import QuoteBoard
from vocabulary.live import LiveQuote


class StreamedBoard:
    """A `QuoteBoard` whose quotes age by market time."""

    def __init__(self, now: Callable[[], int], source: str = "theta", speed: float = 1.0) -> None:
        """Quotes of a market that streams.

        Args:
            now: market time in nanoseconds.
            source: named in every quote.
            speed: market seconds a wall second, where that is more than one: what a quote's way
                takes in wall time must not count as age of the market's.
        """
        self.quotes = QuoteBoard()
        self._now, self._source, self._speed = now, source, max(speed, 1.0)

    def watch(self, contract: Contract) -> None:
        """Keep the quote of `contract` fresh from now on."""
        self.quotes.watch(contract)

    def unwatch(self, contract: Contract) -> None:
        """No longer keep it fresh."""
        self.quotes.unwatch(contract)

    def latest(self, contract: Contract) -> LiveQuote | None:
        """The newest quote, and the seconds since it was last known to stand."""
        one = self.quotes.latest(contract)
        if one is None:
            return None
        return LiveQuote(
            contract=contract,
            ts=one.ts,
            bid=one.bid,
            ask=one.ask,
            bid_size=one.bid_size,
            ask_size=one.ask_size,
            spot=one.spot,
            age_seconds=max((self._now() - one.proved_ts) / 1e9 / self._speed, 0.0),
            source=self._source,
        )


class BarBoard:
    """The quotes of the current bar, where market time goes from bar to bar.

    At the greatest speed the stream is ahead of what strategy and broker have seen.
    """

    def __init__(self, feed: LiveFeed, source: str) -> None:
        """`source` is named in every quote."""
        self._feed, self._source = feed, source

    def watch(self, contract: Contract) -> None:
        """Every contract of the chain is there anyway."""

    def unwatch(self, contract: Contract) -> None:
        """Every contract of the chain is there anyway."""

    def latest(self, contract: Contract) -> LiveQuote | None:
        """The quote of the current bar, of age 0; None without one."""
        try:
            bar = self._feed.snapshot()
        except DataError:
            return None
        quote = bar.quote(contract)
        if np.isnan(quote.bid) and np.isnan(quote.ask):
            return None
        return LiveQuote(
            contract=contract,
            ts=bar.ts,
            bid=quote.bid,
            ask=quote.ask,
            bid_size=quote.bid_size,
            ask_size=quote.ask_size,
            spot=bar.spot,
            age_seconds=0.0,
            source=self._source,
        )


class PlayedBoard:
    """The stream's quotes where it has any of a contract, else those of the current bar.

    A contract is streamed to the board from the moment somebody watches it; an answer that is given
    in that very moment, by a script, has the bar it was asked at.
    """

    def __init__(self, streamed: StreamedBoard, bars: BarBoard) -> None:
        """Both of one market."""
        self._streamed, self._bars = streamed, bars

    def watch(self, contract: Contract) -> None:
        """Keep the quote of `contract` fresh from now on."""
        self._streamed.watch(contract)

    def unwatch(self, contract: Contract) -> None:
        """No longer keep it fresh."""
        self._streamed.unwatch(contract)

    def latest(self, contract: Contract) -> LiveQuote | None:
        """The newest quote there is; None without any."""
        return self._streamed.latest(contract) or self._bars.latest(contract)
