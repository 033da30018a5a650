"""A chain that a terminal keeps alive: a book, the stream and the REST readings that fill it.

`ThetaMarket` makes bars of it. Everything but the properties is for the market's thread; readings
take place in a thread of their own.
"""

from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime
from types import TracebackType
from typing import Self

from errors import InternalError
from feeds.contract import Contract
from feeds.live.bars import NANOSECONDS_A_SECOND
from feeds.live.book import ChainBook
from feeds.sessions import NEW_YORK
from feeds.theta.polling import ChainPolling
from feeds.theta.rest import ThetaRest
from feeds.theta.seeding import ChainReader, ChainReading, read_chain
from feeds.theta.stream_events import QuoteEvent
from feeds.theta.streamed_chain import StreamedChain
from feeds.theta.tiers import Tiers

SEED_AGE_NS = 2 * NANOSECONDS_A_SECOND
"""Beside a stream a chain whose newest quote is older is no seed: changes would be missing."""


class LiveChain:
    """A book and what fills it, in real time or by the data's watermark; use it as a context."""

    def __init__(
        self,
        rest: ThetaRest,
        book: ChainBook,
        stream: StreamedChain | None,
        tiers: Tiers,
        *,
        by_watermark: bool,
        period_seconds: int,
        age_limit_seconds: float,
        now: Callable[[], int],
        wake: Callable[[], object],
    ) -> None:
        """Nothing is asked yet.

        Args:
            rest, tiers: the terminal, and what the account may see.
            book: what is filled.
            stream: None where the account has none.
            by_watermark: accelerated time: one reading, then the stream alone.
            period_seconds: length of a bar.
            age_limit_seconds: of quotes, live.
            now: market time, nanoseconds UTC.
            wake: called in other threads when there is something to take.
        """
        self.book, self.stream = book, stream
        self.asked_ts = 0
        """Market time at which the newest chain was asked for, 0 before the first."""
        self._rest, self._tiers, self._now = rest, tiers, now
        self._by_watermark = by_watermark
        self._age_ns = round(age_limit_seconds * 1e9)
        self._reader = ChainReader(self._read, wake)
        self._polling = ChainPolling(self._reader, period_seconds)
        self._opened = ExitStack()
        self._read_at = self._failure = ""
        self._is_lost = False

    @property
    def problem(self) -> str:
        """What keeps the chain from being read, and since when; empty when all is well."""
        return self._failure or self._reader.problem

    @property
    def line(self) -> str:
        """What it is worth and since when, in one line."""
        told = [self.problem] if self.problem else []
        if self.stream is not None:
            told.append(self.stream.line)
        if self.polls and not self.problem:
            told.append(f"the chain is read at every bar, last {self._read_at or 'not yet'}")
        return "; ".join(told)

    @property
    def polls(self) -> bool:
        """Whether bars are made from REST readings, for want of a stream."""
        return self.stream is None or self.stream.is_refused or self.stream.is_down

    @property
    def is_subscribed(self) -> bool:
        """Whether a chain was read and everything that is wanted streams."""
        return bool(self.asked_ts) and (self.stream is None or self.stream.is_complete)

    def __enter__(self) -> Self:
        self._opened.callback(self._reader.close)
        self._reader.start()
        if self.stream is not None:
            self._opened.enter_context(self.stream)
        self._reader.ask()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._opened.close()

    def drain(self) -> list[QuoteEvent]:
        """What was streamed, by exchange time.

        A stream whose thread failed is told and done without, in real time; in accelerated time
        nothing stands in for it, and `InternalError` is raised.
        """
        try:
            return self.stream.drain() if self.stream is not None else []
        except InternalError as error:
            if self._by_watermark:
                raise
            self._failure = f"{error} (since {datetime.now(NEW_YORK):%H:%M:%S})"
        self.stream = None
        self.book.stream_lost()
        self._is_lost = True
        return []

    def follow(self) -> bool:
        """Age the book by what became of the stream, and renew it; whether it was lost just now."""
        lost, self._is_lost = self._is_lost, False
        if self.stream is None or self._by_watermark:
            return lost
        lost |= self.stream.follow_losses()
        if self.stream.follow_seeds():
            self._reader.ask(anew=True)
        return lost

    def receive(self) -> ChainReading | None:
        """A reading that has come: its strikes are in the book, in real time its quotes too.

        A chain that is old gives its strikes alone.
        """
        reading = self._reader.take()
        if reading is None:
            return None
        self.asked_ts, self._read_at = reading.asked_ts, f"{datetime.now(NEW_YORK):%H:%M:%S}"
        self.book.add_strikes(reading.quotes.strike)
        if not self._by_watermark and reading.is_fresh(self._limit_ns):
            reading.apply(self.book, all_stand=True)
        return reading

    def choose(self, spot: float, watched: tuple[Contract, ...]) -> None:
        """Stream the strikes around `spot` (dollars) and the contracts somebody watches."""
        if self.stream is not None and self.book.strikes.size:
            self.stream.choose(spot, () if self._by_watermark else watched)

    def ask_in_time(self, now: int, bar: int | None, watches: bool) -> bool:
        """Real time: ask for the chain when it is time to; whether the bar waits for it.

        `now` and the next `bar` are nanoseconds UTC; `watches`: somebody looks between bars.
        """
        if not self.polls:
            self._polling.beside_stream(now, bool(self.book.strikes.size))
            return False
        if watches:
            self._polling.between_bars()
        return self._polling.delays(bar, now, self.asked_ts)

    @property
    def _limit_ns(self) -> int:
        """How old the newest quote of a chain may be."""
        return self._age_ns if self.polls else min(self._age_ns, SEED_AGE_NS)

    def _read(self) -> ChainReading:
        """The chain and spot, in the reader's thread. Raises `FeedError`."""
        now, session = self._now(), self.book.session
        reading = read_chain(self._rest, self.book.underlying, session.date, self._tiers, now)
        is_open = session.open_ns + self._limit_ns < now < session.close_ns
        if is_open and not self._by_watermark:
            reading.check(self._limit_ns)
        return reading
