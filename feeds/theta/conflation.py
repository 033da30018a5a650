"""The newest quote of each instrument between two threads, so that a slow reader never lags."""

from collections.abc import Callable
from threading import Lock

from feeds.theta.stream_events import QuoteEvent
from feeds.theta.stream_frames import Instrument

_NEVER = 2**63 - 1


class LatestQuotes:
    """Quotes go in at any rate; the reader takes the newest of each instrument and bar.

    Memory: instruments x bars since the last `take`.
    """

    def __init__(self, wake: Callable[[], None], period_ns: int = 0) -> None:
        """Begin empty.

        Args:
            wake: called without the lock when the first quote after a `take` came in, from the
                thread that puts. It must not block.
            period_ns: length of a bar in nanoseconds. Quotes of different bars are never merged,
                so that a reader of accelerated time sees each bar as it closed: a bar holds the
                quotes after its start up to and with its end. 0 is one bar without end, for a
                reader who wants the newest alone.
        """
        self._wake = wake
        self._period = period_ns
        self._lock = Lock()
        self._clear()

    def _clear(self) -> None:
        self._bars: dict[int, dict[Instrument, QuoteEvent]] = {}
        self._bar: dict[Instrument, QuoteEvent] = {}
        self._start = self._end = 0  # no quote lies in it: the first one turns to its bar

    def put(self, quote: QuoteEvent) -> None:
        """Keep `quote`, in the place of the one of the same instrument and bar."""
        with self._lock:
            first = not self._bars
            if not self._start < quote.ts <= self._end:
                self._turn_to(quote.ts)
            self._bar[quote.instrument] = quote
        if first:
            self._wake()

    def take(self) -> list[QuoteEvent]:
        """All quotes kept, by exchange time, and begin anew."""
        with self._lock:
            bars = self._bars
            self._clear()
        quotes = [quote for bar in bars.values() for quote in bar.values()]
        quotes.sort(key=_exchange_time)
        return quotes

    def _turn_to(self, ts: int) -> None:
        """Make the bar that holds `ts` the present one; it may be an earlier bar again."""
        if self._period:
            self._start = (ts - 1) // self._period * self._period
            self._end = self._start + self._period
        else:
            self._end = _NEVER
        self._bar = self._bars.setdefault(self._end, {})


def _exchange_time(quote: QuoteEvent) -> int:
    return quote.ts
