"""The streamed part of a chain: what is subscribed, what was lost, what must be read anew.

All methods but the properties belong to the thread of the book.
"""

from collections.abc import Callable
from types import TracebackType
from typing import Self

from feeds.contract import Contract
from feeds.live.book import ChainBook
from feeds.theta.stream import ThetaStream
from feeds.theta.stream_events import QuoteEvent, StreamState
from feeds.theta.stream_frames import Instrument
from feeds.theta.stream_protocol import NEW_SUBSCRIPTIONS
from feeds.theta.strike_window import StrikeWindow
from feeds.theta.tiers import Tiers

_DOWN = (StreamState.OFFLINE, StreamState.UPSTREAM_DOWN, StreamState.QUIET)
"""States in which quotes may change unseen."""


def streamed_chain(
    ws_url: str,
    book: ChainBook,
    tiers: Tiers,
    wake: Callable[[], None],
    *,
    strikes_each_side: int | None,
    period_seconds: float,
    quiet_seconds: float,
) -> "StreamedChain | None":
    """The stream of the book's chain at `ws_url`; None where the account has none.

    `period_seconds` and `quiet_seconds` as in `ThetaStream`, `strikes_each_side` of spot, None is
    all. Raises `SettingError` for an address that is none.
    """
    if not (tiers.chain_quotes and tiers.implied_volatility):
        return None
    day, symbol = book.session.date, book.underlying
    stream = ThetaStream(
        ws_url, day, wake=wake, period_seconds=period_seconds, quiet_seconds=quiet_seconds
    )
    window = StrikeWindow(symbol, day, strikes_each_side)
    return StreamedChain(stream, book, window, (symbol,) if tiers.stock_quotes else ())


class StreamedChain:
    """A stream of the contracts around spot, and the book that believes it while it lives."""

    def __init__(
        self,
        stream: ThetaStream,
        book: ChainBook,
        window: StrikeWindow,
        stocks: tuple[Instrument, ...],
    ) -> None:
        """`stocks` are streamed beside the contracts of the window. Nothing is asked yet."""
        self._stream, self._book, self._window, self._stocks = stream, book, window, stocks
        self._contracts: tuple[Contract, ...] = ()
        self._down = True  # until it has begun
        self._malformed = 0

    def __enter__(self) -> Self:
        self._stream.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stream.close()

    @property
    def line(self) -> str:
        """What it is worth and since when, in one line."""
        return self._stream.status().line

    @property
    def is_refused(self) -> bool:
        """Whether the account may not stream any of it."""
        return self._stream.status().state is StreamState.REFUSED

    @property
    def is_down(self) -> bool:
        """Whether quotes may change unseen now."""
        return self._stream.status().state in _DOWN

    @property
    def is_connected(self) -> bool:
        """Whether the socket and the terminal's own connection stand, whatever is quoted."""
        return self._stream.status().state not in (StreamState.OFFLINE, StreamState.UPSTREAM_DOWN)

    @property
    def is_complete(self) -> bool:
        """Whether everything that was chosen is acknowledged, or refused for good."""
        told = self._stream.status()
        count = len(self._contracts) + len(self._stocks)
        answered = told.acknowledged + len(told.refused)
        return bool(self._contracts) and told.wanted == count == answered

    def drain(self) -> list[QuoteEvent]:
        """New quotes by exchange time. Raises `InternalError` where the stream's thread failed."""
        return self._stream.drain()

    def choose(self, spot: float, watched: tuple[Contract, ...] = ()) -> None:
        """Stream the strikes around `spot` (dollars), and `watched` wherever spot went.

        The book must know some strikes.
        """
        around = self._window.around(spot, self._book.strikes)
        wanted = tuple(dict.fromkeys((*watched, *around)))
        if wanted != self._contracts:
            self._book.unsubscribed(set(self._contracts).difference(wanted))
            self._contracts = wanted
            self._stream.want((*self._stocks, *wanted))

    def believe(self) -> None:
        """From now on quotes of everything that was not refused are proved by the stream."""
        refused = self._stream.status().refused
        self._book.subscribed(one for one in self._contracts if one not in refused)

    def follow_losses(self) -> bool:
        """Age the book where the stream was lost since the last look; whether it was."""
        down = self._stream.status().state in _DOWN
        lost = down and not self._down
        self._down = down
        if lost:
            self._book.stream_lost()
        return lost

    def follow_seeds(self) -> bool:
        """Whether the chain must be read by REST, asked after this call.

        A frame that could not be read may have been a quote of any contract: it counts as a loss.
        """
        reasons = self._stream.take_seeds()
        malformed = self._stream.status().counters.malformed
        unread, self._malformed = malformed > self._malformed, malformed
        if unread or any(reason != NEW_SUBSCRIPTIONS for reason in reasons):
            self._book.stream_lost()  # a loss may be over before anybody looked
        if unread or reasons:
            self.believe()
        return unread or bool(reasons)
