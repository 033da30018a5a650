"""A live session from a Theta Terminal: seeds by REST, quotes by stream, bars into a `LiveFeed`.

    feed = LiveFeed()
    with ThetaMarket(rest, ws_url, session, feed, tiers) as market:
        cerebro.adddata(feed) ...
        print(market.line)          # what it is worth now, since when

One thread makes the bars, at wall-clock boundaries, whatever the terminal does. With a streaming
account the contracts around the money are streamed, re-centred as spot moves; the whole chain is
read by REST at the start, after any loss, and once a minute for strikes that are new. Without one
it is read at every bar, and the bar waits for it, though not long. Rows go to the feed and to every
further taker (a recorder), in that order.

A streamed quote stands while the stream's newest quote is young: heartbeats are no proof, and a
stream that lags proves only what it has reached. A chain read by REST stood when its
newest quote came; where that is old, none of it is believed.

In accelerated time (`by_watermark`) bars close on the data's watermark, so that a fast run equals a
slow one: the chain is read once, before the market begins to move, and all of it is streamed.
"""

import math
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from datetime import datetime
from typing import Self

from errors import DeskError
from feeds.chain import ChainDay
from feeds.live.bars import NANOSECONDS_A_SECOND, BarClock, BarMaker
from feeds.live.book import ChainBook
from feeds.live.live_feed import LiveFeed
from feeds.sessions import NEW_YORK, Session
from feeds.theta.rest import ThetaRest
from feeds.theta.seeding import ChainReader, ChainReading, read_chain
from feeds.theta.stream import ThetaStream
from feeds.theta.stream_events import QuoteEvent
from feeds.theta.stream_protocol import QUIET_SECONDS
from feeds.theta.streamed_chain import StreamedChain
from feeds.theta.strike_window import StrikeWindow
from feeds.theta.tiers import Tiers

STRIKES_EACH_SIDE = 20

LONGEST_WAIT, SHORTEST_WAIT = 0.1, 0.001  # seconds between two looks at the wall clock

REFRESH_SECONDS = 60
"""The chain is read so often beside the stream, in market time."""

SEED_AGE_SECONDS = 2
"""Beside a stream a chain whose newest quote is older is no seed: changes would be missing."""

POLLING_SECONDS = 1.0
"""A bar of an account without a stream waits so long for the chain, at most half a period."""

IDLE_SECONDS = 2.0
"""In accelerated time a market that is silent for so long has nothing more to say."""

CLOSING_SECONDS = 5.0


class ThetaMarket:
    """The producer of a `LiveFeed`; use it as a context or by `start` and `close`."""

    def __init__(
        self,
        rest: ThetaRest,
        ws_url: str,
        session: Session,
        feed: LiveFeed,
        tiers: Tiers,
        *,
        underlying: str = "SPY",
        takers: Sequence[Callable[[ChainDay], object]] = (),
        period_seconds: int = 60,
        strikes_each_side: int | None = STRIKES_EACH_SIDE,
        by_watermark: bool = False,
        year_convention: str = "calendar",
        age_limit_seconds: float = 5.0,
        now: Callable[[], int] = time.time_ns,
    ) -> None:
        """Nothing is asked yet.

        Args:
            rest, ws_url: the terminal; `rest` stays open.
            session: today's.
            feed: where rows go; it is ended when the session is over or the market closed.
            tiers: what the account may see; without volatilities it has no stream either.
            underlying: its symbol.
            takers: get every row after the feed did.
            period_seconds: length of a bar.
            strikes_each_side: of spot, to stream; None is all of them, as in accelerated time.
            by_watermark: accelerated time, see the module.
            year_convention: of every row.
            age_limit_seconds: older quotes are never tradable.
            now: market time in nanoseconds since 1970 UTC, for real time.

        Raises `SettingError` for a period that is not 1 to 60 s, or an address that is none.
        """
        self.session, self.feed, self.tiers = session, feed, tiers
        self.book = ChainBook(session, underlying, year_convention, age_limit_seconds)
        self._rest, self._underlying, self._now = rest, underlying, now
        self._seed_ns = round(age_limit_seconds * 1e9)
        self._clock = BarClock(session, period_seconds, by_watermark)
        self._bars = BarMaker(self.book, self._clock, [feed.put, self._remember, *takers])
        self._wake = threading.Event()
        self._reader = ChainReader(self._read, self._wake.set)
        self._stream: StreamedChain | None = None
        if tiers.chain_quotes and tiers.implied_volatility:
            stream = ThetaStream(
                ws_url,
                session.date,
                wake=self._wake.set,
                period_seconds=float(period_seconds) if by_watermark else 0.0,
                quiet_seconds=min(QUIET_SECONDS, age_limit_seconds),
            )
            each_side = None if by_watermark else strikes_each_side
            window = StrikeWindow(underlying, session.date, each_side)
            stocks = (underlying,) if tiers.stock_quotes else ()
            self._stream = StreamedChain(stream, self.book, window, stocks)
            self._seed_ns = min(self._seed_ns, SEED_AGE_SECONDS * NANOSECONDS_A_SECOND)
        self._polling_seconds = min(POLLING_SECONDS, period_seconds / 2)
        self._polled_bar, self._poll_until = 0, 0.0
        self._refresh_at = self._chain_ts = 0
        self._read_at = ""
        self._spot = math.nan
        self._failure = ""
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="theta market", daemon=True)

    @property
    def problem(self) -> str:
        """What keeps the chain from being read, and since when; empty when all is well."""
        return self._failure or self._reader.problem

    @property
    def line(self) -> str:
        """One line for a person: what the data is worth and since when."""
        told = [self.problem] if self.problem else []
        if self._stream is not None and not self._failure:
            told.append(self._stream.line)
        if self._polls and not told[1:] and not self.problem:
            told.append(f"the chain is read at every bar, last {self._read_at or 'not yet'}")
        return "; ".join(told)

    def start(self) -> None:
        """Read the chain, subscribe, and make bars until the session is over or `close`. Once."""
        self._thread.start()

    def close(self) -> None:
        """Stop, within `CLOSING_SECONDS`, whatever the terminal does; idempotent."""
        self._stopping = True
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join(CLOSING_SECONDS)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    # --- in the market's own thread ------------------------------------------------------------

    @property
    def _polls(self) -> bool:
        return self._stream is None or self._stream.is_refused

    def _run(self) -> None:
        try:
            if not self.tiers.chain_quotes:
                self._failure = self.tiers.advice()
                return
            self._reader.start()
            with self._stream or nullcontext():
                self._make_bars()
        except DeskError as error:
            self._failure = f"{error} (since {datetime.now(NEW_YORK):%H:%M:%S})"
        finally:
            self._reader.close()
            self.feed.end()

    def _make_bars(self) -> None:
        self._reader.ask()
        quiet_since = None
        while not self._stopping and not self._clock.is_over:
            self._wake.wait(self._patience())
            self._wake.clear()
            self._apply_reading()
            self._follow()
            quotes = self._stream.drain() if self._stream else []
            for quote in quotes:
                self._take(quote)
            if not self._clock.by_watermark:
                self._keep_time()
            elif quotes or quiet_since is None:
                quiet_since = time.monotonic() if self._chain_ts else None
            elif time.monotonic() - quiet_since > IDLE_SECONDS:
                self._bars.advance(self.session.close_ns + 1)

    def _patience(self) -> float:
        """Seconds to wait for news: up to the next bar."""
        following = self._clock.next_bar()
        if self._clock.by_watermark or following is None:
            return LONGEST_WAIT
        return min(max((following - self._now()) / 1e9, SHORTEST_WAIT), LONGEST_WAIT)

    def _keep_time(self) -> None:
        """Real time: make the bar that is due, and ask for the chain when it is time to."""
        now = self._now()
        if self._polls:
            if self._waits_for_chain(now):
                return
        elif now >= self._refresh_at:
            self._reader.ask()
            seconds = REFRESH_SECONDS if self.book.strikes.size else 1
            self._refresh_at = now + seconds * NANOSECONDS_A_SECOND
        if self._bars.advance(now):
            self._choose()

    def _waits_for_chain(self, now: int) -> bool:
        """Whether a bar that is due still waits for the chain of its time."""
        bar = self._clock.next_bar()
        if bar is None or now < bar:
            return False
        if bar != self._polled_bar:
            self._polled_bar = bar
            self._poll_until = time.monotonic() + self._polling_seconds
            self._reader.ask()
        waits = self._chain_ts < bar and not self._reader.is_failing
        return waits and time.monotonic() < self._poll_until

    def _take(self, quote: QuoteEvent) -> None:
        """One streamed quote into the book; by the watermark bars close before it."""
        instrument, ts, bid, ask, bid_size, ask_size, _ = quote
        if self._clock.by_watermark:
            self._bars.advance(ts)
            self.book.stream_alive(ts)
        if isinstance(instrument, str):
            self.book.set_underlying(ts, "stock stream", bid=bid, ask=ask)
            return
        if bid == ask == 0:  # nobody quotes; a zero bid beside an ask is a market
            bid = ask = math.nan
        self.book.apply_quote(instrument, ts, bid, ask, bid_size, ask_size)
        if not self._clock.by_watermark:
            self.book.stream_alive(min(ts, self._now()))

    def _follow(self) -> None:
        """What became of the stream: losses age the book, seeds renew it."""
        if self._stream is None or self._clock.by_watermark:
            return
        if self._stream.follow_losses():
            self.feed.disconnected()
        if self._stream.follow_seeds():
            self._reader.ask(anew=True)

    def _read(self) -> ChainReading:
        """The chain and spot, in the reader's thread. Raises `FeedError`."""
        now = self._now()
        reading = read_chain(self._rest, self._underlying, self.session.date, self.tiers, now)
        opened = now - self.session.open_ns > self._seed_ns
        if opened and now < self.session.close_ns and not self._clock.by_watermark:
            reading.check(self._seed_ns)
        return reading

    def _apply_reading(self) -> None:
        """A reading into the book: all of it or, where it is old, the strikes alone."""
        reading = self._reader.take()
        if reading is None:
            return
        self._chain_ts, self._read_at = reading.asked_ts, f"{datetime.now(NEW_YORK):%H:%M:%S}"
        self.book.add_strikes(reading.quotes.strike)
        if self._clock.by_watermark:
            self._begin(reading)
            return
        if reading.is_fresh(self._seed_ns):
            reading.apply(self.book, all_stand=True)
        if math.isnan(self._spot):
            instant = min(max(self._now(), self.session.open_ns), self.session.close_ns)
            self._remember(self.book.snapshot(instant))
        self._choose()

    def _begin(self, reading: ChainReading) -> None:
        """Accelerated time stands still until we subscribe: nothing is missed before the seed."""
        self._choose()
        if self._stream is not None:
            self._stream.believe()
        if len(reading.quotes):
            self._bars.advance(int(reading.quotes.ts.max()))
        reading.apply(self.book)

    def _remember(self, row: ChainDay) -> None:
        self._spot = float(row.spot[0])

    def _choose(self) -> None:
        if self._stream is not None and self.book.strikes.size:
            self._stream.choose(self._spot)
