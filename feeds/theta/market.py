"""A live session from a Theta Terminal: seeds by REST, quotes by stream, bars into a `LiveFeed`.

    feed = LiveFeed()
    with ThetaMarket(rest, ws_url, session, feed, capabilities) as market:
        cerebro.adddata(feed) ...
        print(market.line)          # what it is worth now, since when

One thread of its own makes the bars. With a streaming account the contracts around the money are
streamed, re-centred as spot moves, and the chain is read by REST at the start and after any loss.
Without one the whole chain is read by REST at every bar. Rows go to the feed and to every further
taker (a recorder), in that order.

In accelerated time (`by_watermark`) bars close on the data's watermark, so that a fast run equals a
slow one: the chain is read once, before the market begins to move, and all of it is streamed.
"""

import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

import numpy as np

from errors import DeskError, FeedError
from feeds.chain import ChainDay
from feeds.contract import Contract, Right
from feeds.live.bars import BarClock, BarMaker
from feeds.live.book import ChainBook
from feeds.live.live_feed import LiveFeed
from feeds.sessions import Session
from feeds.theta.rest import ThetaRest
from feeds.theta.stream import ThetaStream
from feeds.theta.stream_events import QuoteEvent, StreamState
from feeds.theta.stream_frames import Instrument
from feeds.theta.tiers import Tiers

STRIKES_EACH_SIDE = 20
RECENTRE_STRIKES = 5
"""The streamed strikes are chosen anew when spot has left their middle by so many."""

LONGEST_WAIT = 0.1
"""Seconds between two looks at the wall clock when nothing else wakes the thread."""

IDLE_SECONDS = 2.0
"""In accelerated time a market that is silent for so long has nothing more to say."""

_DOWN = (StreamState.OFFLINE, StreamState.UPSTREAM_DOWN)


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
            rest, ws_url: the terminal.
            session: today's.
            feed: where rows go; it is ended when the session is over or the market closed.
            tiers: what the account may see.
            underlying: its symbol.
            takers: get every row after the feed did.
            period_seconds: length of a bar.
            strikes_each_side: of spot, to stream; None is all of them.
            by_watermark: accelerated time, see the module.
            year_convention: of every row.
            age_limit_seconds: older quotes are never tradable.
            now: market time in nanoseconds since 1970 UTC, for real time.
        """
        self.session, self.feed, self.tiers = session, feed, tiers
        self.book = ChainBook(session, underlying, year_convention, age_limit_seconds)
        self.problem = ""
        self._rest, self._underlying, self._now = rest, underlying, now
        self._clock = BarClock(session, period_seconds, by_watermark)
        self._bars = BarMaker(self.book, self._clock, [feed.put, *takers])
        self._each_side = strikes_each_side
        self._streamed: tuple[Contract, ...] = ()
        self._centre = -1
        self._down = False
        self._frames = 0
        self._wake = threading.Event()
        self._stopping = False
        self._stream = ThetaStream(
            ws_url,
            session.date,
            wake=self._wake.set,
            period_seconds=float(period_seconds) if by_watermark else 0.0,
        )
        self._thread = threading.Thread(target=self._run, name="theta market", daemon=True)

    @property
    def line(self) -> str:
        """One line for a person: what the data is worth and since when."""
        return self.problem or self._stream.status().line

    def start(self) -> None:
        """Read the chain, subscribe, and make bars until the session is over or `close`. Once."""
        self._thread.start()

    def close(self) -> None:
        """Stop, within a few seconds; idempotent."""
        self._stopping = True
        self._wake.set()
        self._rest.close()
        if self._thread.ident is not None:
            self._thread.join(10.0)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _run(self) -> None:
        try:
            with self._stream:
                self._make_bars()
        except DeskError as error:
            self.problem = str(error)
        finally:
            self.feed.end()

    def _make_bars(self) -> None:
        self._seed()
        self._choose()
        quiet_since = time.monotonic()
        while not self._stopping and not self._clock.is_over:
            self._wake.wait(LONGEST_WAIT)
            self._wake.clear()
            self._follow()
            quotes = self._stream.drain()
            for quote in quotes:
                self._take(quote)
            if quotes:
                quiet_since = time.monotonic()
            if not self._clock.by_watermark:
                self._keep_time()
            elif time.monotonic() - quiet_since > IDLE_SECONDS:
                self._bars.advance(self.session.close_ns + 1)

    def _keep_time(self) -> None:
        """Real time: prove the stream alive, make what is due, look where spot has gone."""
        now, status = self._now(), self._stream.status()
        if status.state is StreamState.LIVE and status.counters.frames > self._frames:
            self.book.stream_alive(now)
        self._frames = status.counters.frames
        following = self._clock.next_bar()
        if status.state is StreamState.REFUSED and following is not None and now >= following:
            self._seed()
        if self._bars.advance(now):
            self._choose()

    def _take(self, quote: QuoteEvent) -> None:
        """One streamed quote into the book; by the watermark bars close before it."""
        if self._clock.by_watermark:
            self._bars.advance(quote.ts)
            self.book.stream_alive(quote.ts)
        if isinstance(quote.instrument, str):
            self.book.set_underlying(quote.ts, "stock stream", bid=quote.bid, ask=quote.ask)
        else:
            _, ts, bid, ask, bid_size, ask_size, _ = quote
            self.book.apply_quote(quote.instrument, ts, bid, ask, bid_size, ask_size)

    def _follow(self) -> None:
        """What became of the stream: losses age the book, seeds renew it."""
        down = self._stream.status().state in _DOWN
        if down and not self._down:
            self.book.stream_lost()
            self.feed.disconnected()
        self._down = down
        if self._stream.take_seeds() and not self._clock.by_watermark:
            refused = self._stream.status().refused
            self.book.subscribed(one for one in self._streamed if one not in refused)
            self._seed()

    def _seed(self) -> None:
        """Read the chain and spot by REST; what cannot be had now is told and tried again."""
        try:
            table = self._rest.chain_quotes(self._underlying, self.session.date)
            if self._clock.by_watermark and len(table):
                self._subscribe_all(table.strike)
                self._bars.advance(int(table.ts.max()))
            self.book.apply_table(
                ts=table.ts,
                strike=table.strike,
                right=table.right,
                bid=table.bid,
                ask=table.ask,
                bid_size=table.bid_size,
                ask_size=table.ask_size,
            )
            self._seed_spot()
            self.problem = ""
        except FeedError as error:
            self.problem = str(error)

    def _seed_spot(self) -> None:
        """Spot from the best source the account has: a stock quote, or what came with IVs."""
        if self.tiers.stock_quotes:
            stock = self._rest.stock_quote(self._underlying)
            for ts, bid, ask in zip(stock.ts, stock.bid, stock.ask, strict=True):
                self.book.set_underlying(int(ts), "stock quote", bid=float(bid), ask=float(ask))
        elif self.tiers.implied_volatility:
            greeks = self._rest.chain_volatilities(self._underlying, self.session.date)
            if len(greeks):
                newest = int(greeks.underlying_ts.argmax())
                price = float(greeks.underlying_price[newest])
                self.book.set_underlying(int(greeks.underlying_ts[newest]), "quotes", price=price)

    def _subscribe_all(self, strikes: np.ndarray) -> None:
        """Accelerated time stands still until we subscribe: nothing is missed before the seed."""
        day, name = self.session.date, self._underlying
        self.book.subscribed(
            Contract(name, day, int(strike), right)
            for strike in np.unique(strikes)
            for right in Right
        )

    def _choose(self) -> None:
        """Stream the strikes around spot, chosen anew only when it has moved away from them."""
        strikes = self.book.strikes
        if not strikes.size:
            return
        spot = self.book.snapshot(self._reference()).spot[0]
        centre = int(np.abs(strikes - spot * 1000).argmin()) if np.isfinite(spot) else -1
        if self._streamed and (centre < 0 or abs(centre - self._centre) < RECENTRE_STRIKES):
            return
        self._centre = centre
        chosen = strikes
        if self._each_side is not None and centre >= 0:
            chosen = strikes[max(0, centre - self._each_side) : centre + self._each_side + 1]
        name, day = self._underlying, self.session.date
        wanted = tuple(Contract(name, day, int(k), right) for k in chosen for right in Right)
        self.book.unsubscribed(set(self._streamed) - set(wanted))
        self._streamed = wanted
        stock: tuple[Instrument, ...] = (name,) if self.tiers.stock_quotes else ()
        self._stream.want((*stock, *wanted))

    def _reference(self) -> int:
        """An instant of the session to look at the book."""
        if self._clock.by_watermark:
            return self.session.open_ns
        return min(max(self._now(), self.session.open_ns), self.session.close_ns)
