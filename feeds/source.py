"""Where sessions come from: a store, the simulated market, or days already in memory."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from feeds.chain import ChainDay
from feeds.sessions import Floats, Nanoseconds, Session


@dataclass(frozen=True, slots=True)
class SkippedSession:
    """A session that could not be used, why, and how far the underlying moved that day.

    `range_pct` is (high - low) / open in percent, None where it is not known.
    """

    date: date
    reason: str
    range_pct: float | None = None


class ChainSource(Protocol):
    """Sessions in order, loaded one at a time so that a decade needs no more memory than a day."""

    underlying: str
    label: str

    @property
    def sessions(self) -> Sequence[Session]:
        """The sessions it holds, oldest first."""

    @property
    def skipped(self) -> Sequence[SkippedSession]:
        """Sessions of the range that are not in `sessions`, and why."""

    def clock(self, index: int) -> tuple[Nanoseconds, Floats]:
        """Recorded instants int64 [T] (nanoseconds) and spot [T] (dollars) of a session."""

    def load(self, index: int) -> ChainDay:
        """The whole session. Raises `DataError` where it cannot be read."""


class MemorySource:
    """A source over days that are already in memory, oldest first."""

    def __init__(self, days: Sequence[ChainDay], label: str = "in memory") -> None:
        """All days must be of one underlying."""
        self.days = list(days)
        self.label = label
        self.underlying = days[0].underlying if days else "SPY"
        self.skipped: Sequence[SkippedSession] = ()

    @property
    def sessions(self) -> Sequence[Session]:
        """The sessions of the days."""
        return [day.session for day in self.days]

    def clock(self, index: int) -> tuple[Nanoseconds, Floats]:
        """Recorded instants and spot of a session."""
        day = self.days[index]
        return day.ts[: day.recorded], day.spot[: day.recorded]

    def load(self, index: int) -> ChainDay:
        """The day itself."""
        return self.days[index]
