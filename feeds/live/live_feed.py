"""The Backtrader feed of a live market: finished rows from a queue, one bar each.

The thread that receives quotes puts rows of a chain into the queue; Cerebro's thread takes them
out. Nothing else crosses. It has the interface of `feeds.chain_feed.ChainFeed`, so that strategies
and brokers run on it unchanged.
"""

import threading
import time
from typing import Any, NamedTuple

import numpy as np

from errors import DataError
from feeds.chain import ChainDay
from feeds.chain_data import ChainData, date_numbers
from feeds.live.row_queue import Item, RowQueue, Signal
from feeds.sessions import Session
from feeds.snapshot import ChainSnapshot

LAST_SPOT = "last spot"
"""Where a settlement price is from that nobody gave."""

_PATIENCE = 0.1
"""Seconds after which a producer that waits for room looks whether the feed was stopped."""


class _Pace(NamedTuple):
    """From the bar `ts` (nanoseconds) and `since` (monotonic) on, market seconds a wall second."""

    ts: int
    since: float
    rate: float


class LiveFeed(ChainData):
    """Bars of a live market. Run it with `quicknotify=True` and as the only live data of a Cerebro.

    Backtrader is told DELAYED at the start, LIVE before every first bar with quotes, DISCONNECTED
    when the source says so, when a bar has not one quote, and at the end.

    Attributes:
        skipped: rows that were never a bar, because a newer one was there or had been.
        close_sources: where each settlement price that was asked for came from.
    """

    params: Any = (("qcheck", 0.1),)

    def __init__(self, most_rows: int = 0, newest_only: bool = True) -> None:
        """A feed without rows.

        Args:
            most_rows: rows that wait at most before `put` does; 0 for no limit.
            newest_only: of several waiting rows only the newest becomes a bar, for real time. In
                accelerated time every row must: then say False, and give `most_rows`.
        """
        super().__init__()
        self.newest_only = newest_only
        self.skipped = 0
        self.close_sources: dict[Session, str] = {}
        self._rows = RowQueue(most_rows)
        self._pace: _Pace | None = None
        self._closes: dict[Session, tuple[float, str]] = {}
        self._snapshot: ChainSnapshot | None = None
        self._ended = self._idles = False
        self._stopped = threading.Event()

    # For any thread ------------------------------------------------------------------------------

    def put(self, row: ChainDay) -> bool:
        """Hand over a row (`ChainBook.snapshot`); waits for room; False once the feed stopped."""
        return self._put(row)

    def disconnected(self) -> None:
        """Tell that the market cannot be seen; the next row with quotes ends it."""
        self._put(Signal.DISCONNECTED)

    def end(self) -> None:
        """No more rows: the run ends once those that wait are bars."""
        self._put(Signal.END)

    def wake(self) -> None:
        """Give Cerebro a turn without a bar now, so that answers and deadlines are looked at.

        Where rows wait, its turn is behind them and before any row that comes later.
        """
        self._rows.wake()

    def pace(self, rate: float | None) -> None:
        """Show no bar sooner than `rate` market seconds a wall second allow, from the current bar.

        0 shows none, None shows each as it comes. Wake tokens pass. Before the first bar there is
        nothing to count from, and every bar is shown.
        """
        now = self._snapshot
        if rate is None or now is None:
            self._pace = None
        else:
            self._pace = _Pace(now.ts, time.monotonic(), rate)
        self._rows.wake()

    @property
    def waiting(self) -> int:
        """Rows that are no bars yet."""
        return self._rows.rows

    def set_official_close(self, session: Session, price: float, source: str) -> None:
        """Tell the price (dollars) at which positions of `session` settle, and where it is from.

        It counts if it comes before the closing row; otherwise the last spot stands in for it.
        """
        self._closes[session] = price, source

    # For Cerebro's thread ------------------------------------------------------------------------

    def start(self) -> None:
        """Backtrader's start: the data is delayed until a row arrives."""
        super().start()
        self.put_notification(self.DELAYED)

    def stop(self) -> None:
        """Backtrader's stop: whoever waits in `put` goes on."""
        self._stopped.set()
        super().stop()

    def islive(self) -> bool:
        """Yes: Cerebro must not load ahead."""
        return True

    def haslivedata(self) -> bool:
        """Whether something waits that is due."""
        return self._rows.has_something(self._is_due)

    def snapshot(self) -> ChainSnapshot:
        """The chain at the current bar. Raises `DataError` before the first one."""
        if self._snapshot is None:
            raise DataError("no bar has arrived yet: there is no snapshot")
        return self._snapshot

    def official_close(self, session: Session) -> float:
        """Settlement price of a session that is over at the current bar, dollars.

        Raises `DataError` while the session is still open.
        """
        now = self.snapshot()
        if now.session != session or now.ts < session.close_ns:
            raise DataError(f"the official close of {session.date} is not known at this bar")
        price, source = self._closes.get(session, (now.spot, LAST_SPOT))
        self.close_sources[session] = source
        return price

    def idle_once(self) -> None:
        """Give Cerebro a turn without a bar next, whatever waits."""
        self._idles = True

    def _load(self) -> bool | None:
        """One bar; None when there is none yet, False at the end."""
        if self._idles:
            self._idles = False
            return None
        row = self._next_row()
        if row is not None:
            self._take(row)
            return True
        if self._ended:
            self.put_notification(self.DISCONNECTED)
            return False
        return None

    def _next_row(self) -> ChainDay | None:
        """The row to show, after at most `qcheck` seconds; None for a wake token or nothing."""
        found: ChainDay | None = None
        wait = self._qcheck
        while not self._ended and (item := self._rows.take(wait, self._is_due)) is not None:
            wait = 0.0
            if item is Signal.WAKE and found is None:
                break  # a turn of its own, whatever stands behind it
            if isinstance(item, Signal):
                self._heed(item)
            elif self._is_late(item, found):
                self.skipped += 1
            else:
                self.skipped += found is not None
                found = item
            if found is not None and (not self.newest_only or _is_close(found)):
                break
        return found

    def _is_due(self, row: ChainDay) -> bool:
        if self._pace is None:
            return True
        ts, since, rate = self._pace
        return int(row.ts[0]) - ts <= (time.monotonic() - since) * rate * 1e9

    def _heed(self, signal: Signal) -> None:
        if signal is Signal.DISCONNECTED:
            self.put_notification(self.DISCONNECTED)
        self._ended = self._ended or signal is Signal.END

    def _is_late(self, row: ChainDay, found: ChainDay | None) -> bool:
        """Whether a row is not newer than the one before it."""
        if found is not None:
            return bool(row.ts[0] <= found.ts[0])
        return self._snapshot is not None and int(row.ts[0]) <= self._snapshot.ts

    def _take(self, row: ChainDay) -> None:
        """Make `row` the current bar."""
        if self._snapshot is None or row.session != self._snapshot.session:
            self._contracts.clear()
        self._snapshot = snapshot = ChainSnapshot(row, 0)
        self._write_bar(float(date_numbers(row.session, row.ts)[0]), snapshot.spot)
        self.lines.atm_iv[0] = snapshot.atm_iv
        if np.isfinite(row.bid).any() or np.isfinite(row.ask).any():
            self.put_notification(self.LIVE)
        elif not _is_close(row):  # then nobody need quote any more
            self.put_notification(self.DISCONNECTED)

    def _put(self, item: Item) -> bool:
        while not self._stopped.is_set():
            if self._rows.put(item, _PATIENCE):
                return True
        return False


def _is_close(row: ChainDay) -> bool:
    return bool(row.ts[0] >= row.session.close_ns)
