"""The chain and spot read by REST in a thread of its own: a terminal that hangs delays no bar.

    reader = ChainReader(lambda: read_chain(rest, "SPY", session.date, tiers, now), wake)
    reader.start()
    reader.ask()                # wake() is called when there is an answer
    reading = reader.take()     # None before

What fails is asked again every `RETRY_SECONDS` until it succeeds; `problem` says meanwhile what is
wrong and since when.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime

from errors import DeskError, FeedError, TemporaryFeedError
from feeds.live.book import ChainBook
from feeds.sessions import NEW_YORK, to_new_york
from feeds.theta.rest import ThetaRest
from feeds.theta.tables import OptionQuotes
from feeds.theta.tiers import Tiers

RETRY_SECONDS = 0.5
SLOW_SECONDS = 1.5
"""A reading that takes longer is told as a problem."""

LEAVING_SECONDS = 1.0


@dataclass(frozen=True, eq=False)
class SpotReading:
    """The underlying at `ts` (nanoseconds UTC), in dollars: a price, or bid and ask."""

    ts: int
    source: str
    price: float | None = None
    bid: float | None = None
    ask: float | None = None


@dataclass(frozen=True, eq=False)
class ChainReading:
    """What the terminal said of the chain and of spot.

    Attributes:
        asked_ts: market time at which it was asked, nanoseconds UTC.
        quotes: of every contract.
        spot: None where nobody knows it.
        problem: why `spot` is not known, else empty.
    """

    asked_ts: int
    quotes: OptionQuotes
    spot: SpotReading | None
    problem: str = ""

    def is_fresh(self, limit_ns: int) -> bool:
        """Whether any quote is of the last `limit_ns` nanoseconds before it was asked.

        In a chain something changes all the time: otherwise the terminal shows an old picture.
        """
        return bool(len(self.quotes)) and self.asked_ts - int(self.quotes.ts.max()) <= limit_ns

    def check(self, limit_ns: int) -> None:
        """Raises `TemporaryFeedError` where the quotes are not fresh: see `is_fresh`."""
        if not len(self.quotes):
            raise TemporaryFeedError("the terminal has no quotes of today's chain: wait")
        if not self.is_fresh(limit_ns):
            newest = to_new_york(int(self.quotes.ts.max()))
            raise TemporaryFeedError(
                "the terminal's snapshots stand still, the newest quote is of "
                f"{newest:%m-%d %H:%M:%S}: restart it if that goes on"
            )

    def apply(self, book: ChainBook, all_stand: bool = False) -> None:
        """Put everything into the book.

        `all_stand`: the whole chain stood at its newest quote, otherwise each at its own stamp.
        """
        quotes = self.quotes
        book.apply_table(
            ts=quotes.ts,
            strike=quotes.strike,
            right=quotes.right,
            bid=quotes.bid,
            ask=quotes.ask,
            bid_size=quotes.bid_size,
            ask_size=quotes.ask_size,
            alive_ts=min(int(quotes.ts.max()), self.asked_ts) if all_stand else None,
        )
        if self.spot is not None:
            one = self.spot
            book.set_underlying(one.ts, one.source, price=one.price, bid=one.bid, ask=one.ask)


def read_chain(rest: ThetaRest, symbol: str, day: date, tiers: Tiers, now: int) -> ChainReading:
    """The chain of `symbol` that expires on `day`, and spot, asked at `now` (nanoseconds UTC).

    Raises `FeedError` where the chain cannot be had; spot may be missing, parity stands in for it.
    """
    quotes = rest.chain_quotes(symbol, day)
    try:
        return ChainReading(now, quotes, _read_spot(rest, symbol, day, tiers))
    except FeedError as error:
        return ChainReading(now, quotes, None, str(error))


def _read_spot(rest: ThetaRest, symbol: str, day: date, tiers: Tiers) -> SpotReading | None:
    """Spot from the best source the account has: a stock quote, or what came with volatilities."""
    if tiers.stock_quotes:
        stock = rest.stock_quote(symbol)
        if len(stock):
            bid, ask = float(stock.bid[-1]), float(stock.ask[-1])
            return SpotReading(int(stock.ts[-1]), "stock quote", bid=bid, ask=ask)
    elif tiers.implied_volatility:
        greeks = rest.chain_volatilities(symbol, day)
        if len(greeks):
            newest = int(greeks.underlying_ts.argmax())
            price = float(greeks.underlying_price[newest])
            return SpotReading(int(greeks.underlying_ts[newest]), "quotes", price=price)
    return None


class ChainReader:
    """Asks when told to, one reading at a time; every method may be called from any thread."""

    def __init__(self, read: Callable[[], ChainReading], wake: Callable[[], object]) -> None:
        """`read` runs in the reader's thread; `wake` is called there when there is an answer."""
        self.is_failing = False
        """Whether the last reading failed: waiting for the next one is in vain."""
        self._read, self._wake = read, wake
        self._lock = threading.Condition()
        self._due = self._stopping = False
        self._asked = 0
        self._reading: ChainReading | None = None
        self._problem = ""
        self._failing_since: datetime | None = None
        self._begun: tuple[float, datetime] | None = None
        self._thread = threading.Thread(target=self._run, name="theta chain", daemon=True)

    def start(self) -> None:
        """Be ready to be asked. Once."""
        self._thread.start()

    def close(self) -> None:
        """Ask nothing more. A request the terminal does not answer ends by its own time-out."""
        with self._lock:
            self._stopping = True
            self._lock.notify()
        if self._thread.ident is not None:
            self._thread.join(LEAVING_SECONDS)

    def ask(self, anew: bool = False) -> None:
        """Want a reading; `anew` drops the one on its way, which was asked too early."""
        with self._lock:
            self._due = True
            if anew:
                self._asked += 1
                self._reading = None
            self._lock.notify()

    def take(self) -> ChainReading | None:
        """The newest reading since the last call."""
        with self._lock:
            reading, self._reading = self._reading, None
        return reading

    @property
    def problem(self) -> str:
        """What is wrong and since when, in one line; empty when all is well."""
        with self._lock:
            if self._failing_since is not None:
                return f"{self._problem} (since {self._failing_since:%H:%M:%S})"
            if self._begun is not None and time.monotonic() - self._begun[0] > SLOW_SECONDS:
                return f"the terminal does not answer (since {self._begun[1]:%H:%M:%S})"
        return ""

    def _run(self) -> None:
        while (asked := self._next()) is not None:
            try:
                reading = self._read()
            except DeskError as error:
                self._fail(str(error))
            else:
                self._keep(reading, asked)
            self._wake()

    def _next(self) -> int | None:
        """Wait until a reading is due: the number of its request; None at the end."""
        with self._lock:
            self._begun = None
            self._lock.wait_for(lambda: self._due or self._stopping)
            self._due = False
            self._begun = time.monotonic(), datetime.now(NEW_YORK)
            return None if self._stopping else self._asked

    def _keep(self, reading: ChainReading, asked: int) -> None:
        with self._lock:
            self.is_failing = False
            self._note(reading.problem)
            if asked == self._asked:
                self._reading = reading

    def _fail(self, problem: str) -> None:
        with self._lock:
            self.is_failing = True
            self._note(problem)
            self._due = True
        self._wake()
        with self._lock:
            self._lock.wait_for(lambda: self._stopping, RETRY_SECONDS)

    def _note(self, problem: str) -> None:
        """What is wrong now; the time it began stays while anything is."""
        self._problem = problem
        if not problem:
            self._failing_since = None
        elif self._failing_since is None:
            begun = self._begun
            self._failing_since = begun[1] if begun else datetime.now(NEW_YORK)
