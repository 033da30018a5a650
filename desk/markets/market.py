"""What every live market gives the desk, whoever makes its quotes."""

from dataclasses import dataclass
from datetime import date
from types import TracebackType
from typing import Protocol, Self

from feeds.contract import Contract
from feeds.live.live_feed import LiveFeed
from feeds.sessions import Session
from vocabulary.live import LiveQuote

SHOWN_LEVEL = 500.0
"""Dollars at which a masked session begins on the screen."""


class Board(Protocol):
    """Quotes between bars; every method is for any thread."""

    def watch(self, contract: Contract) -> None:
        """Keep the quote of `contract` fresh from now on."""

    def unwatch(self, contract: Contract) -> None:
        """No longer keep it fresh."""

    def latest(self, contract: Contract) -> LiveQuote | None:
        """The newest quote and its age now; None before there was any."""


@dataclass(frozen=True, slots=True)
class Mask:
    """What a screen may show of date and level. The model sees the real ones, always.

    `scale` is the dollars shown for a dollar of the underlying; 1 shows the truth.
    """

    scale: float = 1.0
    hides_date: bool = False

    @property
    def hides(self) -> bool:
        """Whether anything is hidden."""
        return self.hides_date or self.scale != 1.0

    def level(self, dollars: float) -> float:
        """A price of the underlying, or a strike in dollars, as it is shown."""
        return dollars if self.scale == 1.0 else round(dollars * self.scale, 2)

    def day(self, day: date) -> str:
        """A date as it is shown."""
        return "some session" if self.hides_date else f"{day}"


class LiveMarket(Protocol):
    """A session's bars, its quotes between them and its time; closed by `close` or as a context.

    Attributes:
        feed: for Cerebro. It goes on after the close: the desk decides when its run ends.
        board: quotes between bars.
        session: the trading day.
        label: what it is, for a person; without the date where that is hidden.
        mask: what screens may show.
        advice: what to subscribe to for more, empty where nothing is missing.
        is_simulated: whether its quotes are not those of the exchange at this moment.
        is_accelerated: whether its time may pass faster than the wall's.
        bar_seconds: the usual time between two bars.
    """

    feed: LiveFeed
    board: Board
    session: Session
    label: str
    mask: Mask
    advice: str
    is_simulated: bool
    is_accelerated: bool
    bar_seconds: float

    @property
    def line(self) -> str:
        """What the data is worth now and since when, in one line; from any thread."""

    def now(self) -> int:
        """Market time in nanoseconds since 1970 UTC; from any thread."""

    def hold(self, held: bool) -> None:
        """Whether a person's question is open; from Cerebro's thread.

        Accelerated time passes no faster than the wall's meanwhile; at the greatest speed it
        stands still. The real market's time passes as it does.
        """

    def start(self) -> None:
        """Let the bars come; once, later calls do nothing."""

    def close(self) -> None:
        """Stop, end the feed, and put what was recorded into its store; idempotent."""

    def __enter__(self) -> Self:
        """The market, not started yet."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close it."""
