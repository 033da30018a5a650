"""What a further channel of the desk is given, and what it must be: the web page, say."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from desk.instructions import Inbox
from desk.markets.market import LiveMarket, Mask
from desk.status import StatusBoard
from settings import Settings
from vocabulary import Approver, Clock, Suggestion


@dataclass(frozen=True, kw_only=True)
class Context:
    """The desk as a channel sees it.

    Args:
        status: the desk's state; not masked yet.
        inbox: takes instructions, from any thread.
        wake: ends Cerebro's wait, from any thread.
        market: bars and quotes; not masked either.
        journal, session_id: what is written down, for a `JournalReader` of the channel's own.
        mask: what screens may show.
        settings: as the session runs under them.
        clock: market time and seconds.
        explain: the lines above a suggestion.
        say: prints a line for the person at the desk alone: no other channel, no journal.
    """

    status: StatusBoard
    inbox: Inbox
    wake: Callable[[], None]
    market: LiveMarket
    journal: Path
    session_id: str
    mask: Mask
    settings: Settings
    clock: Clock
    explain: Callable[[Suggestion], str]
    say: Callable[[str], None]


class Channel(Approver, Protocol):
    """An approver that is opened before the first bar and closed after the last."""

    @property
    def needs_time(self) -> bool:
        """Whether somebody sits there now: time passes no faster than theirs meanwhile."""

    def start(self) -> None:
        """Begin. Raises `DeskError` where it cannot: nothing was traded then."""

    def close(self) -> None:
        """End within seconds; idempotent."""
