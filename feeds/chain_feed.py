"""The Backtrader feed of historical chains: one bar a snapshot, the chain beside the bar.

Bars carry the underlying (open = high = low = close = spot) and `atm_iv`; the chain is reached by
`snapshot()`. Line arrays are filled in bulk before the run; chains are read one session at a time,
when its first bar arrives, so that memory does not grow with the years. Backtrader knows naive New
York time only; every instant that is not inside Backtrader is int64 nanoseconds or tz-aware.
"""

from array import array
from bisect import bisect_right
from collections.abc import Callable, Sequence
from math import inf
from typing import Any

import numpy as np

from errors import DataError
from feeds.chain import ChainDay, chain_day
from feeds.chain_data import ChainData, date_numbers
from feeds.sessions import Floats, Nanoseconds, Session
from feeds.snapshot import ChainSnapshot
from feeds.source import ChainSource, MemorySource, SkippedSession


class ChainFeed(ChainData):
    """Sessions of a `ChainSource` as bars. Any spacing of timestamps.

    Every session ends with a bar at the exchange's close; where the source has no snapshot there,
    that bar's snapshot has no quotes. A session that cannot be read gets bars without quotes, so
    that nothing can be traded on it, and is listed in `skipped`.
    """

    def __init__(
        self,
        source: ChainSource | Sequence[ChainDay],
        on_session: Callable[[ChainDay], None] | None = None,
    ) -> None:
        """A feed of all sessions of `source`, or of days that are in memory.

        `on_session` is called with every session that is opened and can be traded.
        """
        super().__init__()
        self._on_session = on_session
        self.source: ChainSource = (
            source if hasattr(source, "load") else MemorySource(source)  # type: ignore[assignment]
        )
        self.skipped: list[SkippedSession] = []
        self._clocks: list[tuple[Nanoseconds, Floats]] = []
        self._starts: list[int] = []
        self._first, self._end = 0, 0
        self._day: ChainDay | None = None
        self._snapshot: ChainSnapshot | None = None
        self._at = -1
        self._loaded_bars = 0
        self._line: Any = None

    def start(self) -> None:
        """Read the clocks of all sessions (Backtrader calls this once, before the bars)."""
        super().start()
        self._loaded_bars, self._at, self._day = 0, -1, None  # a Cerebro may run again
        self.skipped.clear()
        self._clocks = [
            _with_close(session, *self.source.clock(index))
            for index, session in enumerate(self.source.sessions)
        ]
        counts = [ts.size for ts, _ in self._clocks]
        self._starts = [0, *np.cumsum(counts).tolist()]
        self._bars = self._all_bars()
        self._moments = self._bars[0].tolist()
        self._line = self.lines.datetime
        self._all_lines = list(self.lines)

    def preload(self) -> None:
        """Fill the line arrays whole: a tenth of the cost of one `_load` a bar."""
        moments, spot = self._bars
        nothing = np.zeros(spot.size)
        columns = {
            "datetime": moments,
            **dict.fromkeys(("open", "high", "low", "close"), spot),
            **dict.fromkeys(("volume", "openinterest"), nothing),
            "atm_iv": np.full(spot.size, np.nan),
        }
        for name, column in columns.items():
            getattr(self.lines, name).array = array("d", column.tobytes())
        self._loaded_bars = spot.size
        self.home()

    def _load(self) -> bool:
        """One bar, for runs without preloading."""
        moments, spot = self._bars
        if self._loaded_bars >= spot.size:
            return False
        self._write_bar(float(moments[self._loaded_bars]), float(spot[self._loaded_bars]))
        self._loaded_bars += 1
        self.lines.atm_iv[0] = self._snapshot_at(self._loaded_bars - 1).atm_iv
        return True

    def snapshot(self) -> ChainSnapshot:
        """The chain at the current bar."""
        bar = self._line.lencount - 1
        if bar != self._at or self._snapshot is None:
            self._snapshot, self._at = self._snapshot_at(bar), bar
        return self._snapshot

    def official_close(self, session: Session) -> float | None:
        """Official close of a session that is over at the current bar; None where unknown.

        For the broker's settlement. Raises `DataError` while the session is still open.
        """
        day, now = self._day, self.snapshot()
        if day is None or day.session != session or now.ts < session.close_ns:
            raise DataError(f"the official close of {session.date} is not known at this bar")
        return day.official_close

    def _snapshot_at(self, bar: int) -> ChainSnapshot:
        if not self._first <= bar < self._end or self._day is None:
            self._open_session(bisect_right(self._starts, bar) - 1)
        return ChainSnapshot(self._day, bar - self._first)  # type: ignore[arg-type]

    def _open_session(self, index: int) -> None:
        self._first, self._end = self._starts[index], self._starts[index + 1]
        self._contracts.clear()
        try:
            self._day = _settleable(self.source.load(index))
        except DataError as error:
            self._day = self._without_quotes(index)
            self.skipped.append(SkippedSession(self._day.session.date, str(error)))
        else:
            if self._on_session is not None:
                self._on_session(self._day)
        if len(self._day) != self._end - self._first:
            raise DataError(f"{self._day.session.date}: the session changed while it was read")
        volatility = self.lines.atm_iv.array
        if len(volatility) >= self._end and self._loaded_bars >= self._end:
            volatility[self._first : self._end] = array("d", self._day.atm_iv.tobytes())

    def _without_quotes(self, index: int) -> ChainDay:
        ts, spot = self._clocks[index]
        none = np.empty((ts.size, 2, 0))
        return chain_day(
            session=self.source.sessions[index],
            underlying=self.source.underlying,
            ts=ts,
            spot=spot,
            strikes=np.empty(0, np.int64),
            bid=none,
            ask=none,
            source="unreadable",
            official_close=None,
        )

    def _all_bars(self) -> tuple[Floats, Floats]:
        """Backtrader's date numbers (naive New York) and spot of all bars."""
        if not self._clocks:
            return np.empty(0), np.empty(0)
        moments = [
            date_numbers(session, ts)
            for session, (ts, _) in zip(self.source.sessions, self._clocks, strict=True)
        ]
        return np.concatenate(moments), np.concatenate([spot for _, spot in self._clocks])

    # What follows replaces Backtrader's bookkeeping of a bar, half the cost of its loop: ticks
    # that only its own broker reads, and lengths asked for through three levels of objects.

    def __len__(self) -> int:
        return int(self._line.lencount) if self._line is not None else 0

    def advance_peek(self) -> float:
        """The date number of the next preloaded bar, infinity after the last."""
        bar = self._line.lencount
        return self._moments[bar] if bar < self._loaded_bars else inf

    def advance(self, size: int = 1, datamaster: Any = None, ticks: bool = True) -> None:
        """Move on by `size` preloaded bars."""
        for line in self._all_lines:
            line._idx += size
            line.lencount += size

    def _tick_nullify(self) -> None:
        pass

    def _tick_fill(self, force: bool = False) -> None:
        pass


def _settleable(day: ChainDay) -> ChainDay:
    if day.official_close is None:
        raise DataError(f"{day.session.date} has no official close to settle at")
    return day


def _with_close(session: Session, ts: Nanoseconds, spot: Floats) -> tuple[Nanoseconds, Floats]:
    """The rows that `chain_day` gives the session: its closing bar included."""
    if ts.size and int(ts[-1]) >= session.close_ns:
        return ts, spot
    last = spot[-1] if spot.size else np.nan
    return np.append(ts, session.close_ns), np.append(spot, last)
