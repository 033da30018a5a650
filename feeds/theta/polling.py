"""When the chain is read by REST in real time, and whether a bar waits for it."""

import time

from feeds.live.bars import NANOSECONDS_A_SECOND
from feeds.theta.seeding import ChainReader

REFRESH_SECONDS = 60
"""The chain is read so often beside the stream, in market time."""

POLLING_SECONDS = 1.0
"""A bar without a stream waits so long for the chain, at most half a period."""

WATCHING_SECONDS = 1.0
"""Without a stream the chain is read so often while somebody watches a contract."""


class ChainPolling:
    """Asks a `ChainReader` when it is time to; for the market's thread."""

    def __init__(self, reader: ChainReader, period_seconds: float) -> None:
        """Nothing is asked yet. `period_seconds`: length of a bar."""
        self._reader = reader
        self._patience = min(POLLING_SECONDS, period_seconds / 2)
        self._bar, self._bar_until = 0, 0.0
        self._refresh_at = 0
        self._watch_at = 0.0

    def beside_stream(self, now: int, knows_strikes: bool) -> None:
        """Now and then, for strikes that are new; soon again while none is known."""
        if now >= self._refresh_at:
            self._reader.ask()
            seconds = REFRESH_SECONDS if knows_strikes else 1
            self._refresh_at = now + seconds * NANOSECONDS_A_SECOND

    def between_bars(self) -> None:
        """While somebody watches a contract that is not streamed."""
        if time.monotonic() >= self._watch_at:
            self._reader.ask()
            self._watch_at = time.monotonic() + WATCHING_SECONDS

    def delays(self, bar: int | None, now: int, chain_ts: int) -> bool:
        """Whether the bar that is due still waits for the chain of its time; asks for it.

        All in nanoseconds UTC: the next bar, market time, and when the last chain was asked for.
        """
        if bar is None or now < bar:
            return False
        if bar != self._bar:
            self._bar, self._bar_until = bar, time.monotonic() + self._patience
            self._reader.ask()
        waits = chain_ts < bar and not self._reader.is_failing
        return waits and time.monotonic() < self._bar_until
