"""A live session from a Theta Terminal: seeds by REST, quotes by stream, bars into a `LiveFeed`.

    feed = LiveFeed()
    with ThetaMarket(rest, ws_url, session, feed, tiers) as market:
        cerebro.adddata(feed) ...
        print(market.line)          # what it is worth now, since when

One thread makes the bars, at wall-clock boundaries, whatever the terminal does. With a streaming
account the contracts around the money are streamed, re-centred as spot moves; the whole chain is
read by REST at the start, after any loss, and once a minute for strikes that are new. Without one,
and while it is lost, the chain is read at every bar, and the bar waits for it, though not long.
Rows go to every taker (a recorder) and then to the feed. Between bars the
contracts somebody watches on the `QuoteBoard` are published: from the stream wherever spot went,
or by a chain a second.

A streamed quote stands while the stream's newest quote is young: heartbeats are no proof, and a
stream that lags proves only what it has reached. A chain read by REST stood when its newest quote
came; where that is old, none of it is believed.

In accelerated time (`by_watermark`) bars close on the data's watermark, so that a fast run equals a
slow one: the chain is read once, before the market begins to move, and all of it is streamed.
"""

import math
import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Self

from errors import DeskError
from feeds.chain import ChainDay
from feeds.contract import Contract
from feeds.live.bars import BarClock, BarMaker
from feeds.live.book import ChainBook
from feeds.live.live_feed import LiveFeed
from feeds.live.quote_board import PUBLISHING_SECONDS, BoardPublisher, QuoteBoard
from feeds.live.standing import NEVER
from feeds.sessions import NEW_YORK, Session
from feeds.theta.live_chain import LiveChain
from feeds.theta.playback import Ending, Playback
from feeds.theta.rest import ThetaRest
from feeds.theta.seeding import ChainReading
from feeds.theta.stream_events import QuoteEvent
from feeds.theta.stream_protocol import QUIET_SECONDS
from feeds.theta.streamed_chain import streamed_chain
from feeds.theta.tiers import Tiers

STRIKES_EACH_SIDE = 20

LONGEST_WAIT, SHORTEST_WAIT = 0.1, 0.001  # seconds between two looks at the wall clock

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
        board: QuoteBoard | None = None,
        outlives_session: bool = False,
        source: str = "recorded",
        playback: Playback | None = None,
    ) -> None:
        """Nothing is asked yet.

        Args:
            rest, ws_url: the terminal; `rest` stays open.
            session: today's.
            feed: where rows go; it is ended when the session is over, or by `close`.
            tiers: what the account may see; without volatilities it has no stream either.
            underlying: its symbol.
            takers: get every row before the feed does, so that a bar that was traded is recorded.
            period_seconds: length of a bar.
            strikes_each_side: of spot, to stream; None is all of them, as in accelerated time.
            by_watermark: accelerated time, see the module.
            year_convention: of every row.
            age_limit_seconds: older quotes are never tradable.
            now: market time in nanoseconds since 1970 UTC.
            board: where watched contracts are published.
            outlives_session: after the close the board goes on, and the feed ends by `close` only.
            source: of every row; starts with "simulated" where the market is.
            playback: of accelerated time.

        Raises `SettingError` for a period that is not 1 to 60 s, or an address that is none.
        """
        self.session, self.feed, self.tiers = session, feed, tiers
        self.book = ChainBook(session, underlying, year_convention, age_limit_seconds, source)
        self._now, self._outlives = now, outlives_session
        self._playback = playback or Playback()
        self._clock = BarClock(session, period_seconds, by_watermark, self._playback.after)
        self._bars = BarMaker(self.book, self._clock, [*takers, self._remember, feed.put])
        self._wake = threading.Event()
        stream = streamed_chain(
            ws_url,
            self.book,
            tiers,
            self._wake.set,
            strikes_each_side=None if by_watermark else strikes_each_side,
            period_seconds=math.gcd(period_seconds, 60) if by_watermark else 0,
            quiet_seconds=min(QUIET_SECONDS, age_limit_seconds),
        )
        self._chain = LiveChain(
            rest,
            self.book,
            stream,
            tiers,
            by_watermark=by_watermark,
            period_seconds=period_seconds,
            age_limit_seconds=age_limit_seconds,
            now=now,
            wake=self._wake.set,
        )
        self._board = board or QuoteBoard()
        self._board.on_change(self._wake.set)
        self._publisher = BoardPublisher(self.book, self._board)
        self._watched: tuple[Contract, ...] = ()
        self._spot = math.nan
        self._failure = ""
        self._is_ready = self._stopping = False
        self._thread = threading.Thread(target=self._run, name="theta market", daemon=True)

    @property
    def problem(self) -> str:
        """What keeps the chain from being read, and since when; empty when all is well."""
        return self._failure or self._chain.problem

    @property
    def line(self) -> str:
        """One line for a person: what the data is worth and since when."""
        return self._failure or self._chain.line

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

    def _run(self) -> None:
        try:
            if not self.tiers.chain_quotes:
                self._failure = self.tiers.advice()
                return
            with self._chain:
                self._make_bars()
        except DeskError as error:
            self._fail(str(error))
        except Exception as error:  # a mistake of ours must not look like a quiet market
            self._fail(f"the market stopped, please report it: {error!r}")
        finally:
            if self._stopping or not self._outlives:
                self.feed.end()
            else:
                self.feed.disconnected()

    def _fail(self, text: str) -> None:
        self._failure = f"{text} (since {datetime.now(NEW_YORK):%H:%M:%S})"

    def _make_bars(self) -> None:
        ending = Ending(self._playback)
        while not self._stopping and (self._outlives or not self._clock.is_over):
            self._wake.wait(self._patience())
            self._wake.clear()
            self._apply_reading()
            if self._chain.follow():
                self.feed.disconnected()
            quotes = self._chain.drain()
            for quote in quotes:
                self._take(quote)
            if not self._clock.by_watermark:
                self._keep_time()
            elif self._has_begun() and ending.has_come(busy=bool(quotes)):
                self._bars.advance(self.session.close_ns + 1)
            self._publish()

    def _has_begun(self) -> bool:
        """Accelerated time: begins when the chain was read and its stream stands."""
        if not self._is_ready and self._chain.is_subscribed:
            self._is_ready = True
            self._playback.ready()
        return self._is_ready

    def _publish(self) -> None:
        """Watched contracts to the board; new ones into the stream."""
        if self._board.watched is not self._watched:
            self._watched = self._board.watched
            self._choose()
        if not self._watched:
            return
        now = self._now()
        stream = self._chain.stream
        stands = self._clock.by_watermark and stream is not None and stream.is_connected
        self._publisher.renew(now, now if stands else NEVER)

    def _patience(self) -> float:
        """Seconds to wait for news: up to the next bar."""
        longest = PUBLISHING_SECONDS if self._watched else LONGEST_WAIT
        following = self._clock.next_bar()
        if self._clock.by_watermark or following is None:
            return longest
        return min(max((following - self._now()) / 1e9, SHORTEST_WAIT), longest)

    def _keep_time(self) -> None:
        """Real time: make the bar that is due, when its chain is there."""
        now = self._now()
        waits = self._chain.ask_in_time(now, self._clock.next_bar(), bool(self._watched))
        if not waits and self._bars.advance(now):
            self._choose()

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

    def _apply_reading(self) -> None:
        """What a reading changes beside the book: what is streamed, and the beginning of time."""
        reading = self._chain.receive()
        if reading is None:
            return
        if self._clock.by_watermark:
            self._begin(reading)
            return
        if math.isnan(self._spot):
            instant = min(max(self._now(), self.session.open_ns), self.session.close_ns)
            self._remember(self.book.snapshot(instant))
        self._choose()

    def _begin(self, reading: ChainReading) -> None:
        """Accelerated time stands still until we subscribe: nothing is missed before the seed."""
        self._choose()
        if self._chain.stream is not None:
            self._chain.stream.believe()
        if len(reading.quotes):
            self._bars.advance(int(reading.quotes.ts.max()))
        reading.apply(self.book)

    def _remember(self, row: ChainDay) -> None:
        self._spot = float(row.spot[0])

    def _choose(self) -> None:
        self._chain.choose(self._spot, self._watched)
