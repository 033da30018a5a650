"""Making a `ChainDay` of one session's quotes: the grid, spot, the official close, the flags."""

from dataclasses import dataclass, replace

import numpy as np

from errors import DataError
from feeds.chain import ChainDay, Integers, Sizes, chain_day
from feeds.data_quality import SessionQuality, session_quality, thinness
from feeds.quotes import UNLIMITED_SIZE
from feeds.sessions import FULL_DAY_MINUTES, Floats, Nanoseconds, Session
from feeds.spill import NO_PRICE, Quotes, to_dollars
from feeds.underlying import Bars, OfficialClose, official_close, spot_prices

SOURCE = "imported"
"""What sessions that came by a tidy file are called."""


@dataclass(frozen=True, slots=True)
class AssembledSession:
    """A session ready for the store; `unpriced` rows had to go: nothing told spot then."""

    day: ChainDay
    quality: SessionQuality
    unpriced: int


def assemble_session(
    session: Session,
    underlying: str,
    rows: Quotes,
    bars: Bars,
    *,
    source: str = SOURCE,
    end_of_day: float | None = None,
    close_from_last_quote: bool = False,
    time_exit_minutes: float = 15.0,
) -> AssembledSession:
    """The chain of one session from its quotes.

    Args:
        session: the trading day.
        underlying: its symbol.
        rows: quotes of the session by time (dtype `feeds.spill.QUOTE`), none of them twice.
        bars: the underlying's bars of the session.
        source: what the session is called in the store; its first word is one of
            `feeds.store.SOURCES`.
        end_of_day: the official close where a vendor states it, dollars.
        close_from_last_quote: settle on the last spot where there is no official close.
        time_exit_minutes: a session that ends longer than this before its close is thin.

    Raises `DataError` with the reason where the session cannot be used.
    """
    ts = np.unique(rows["ts"])
    strikes = np.unique(rows["strike"]).astype(np.int64)
    grid = _Grid(rows, ts, strikes)
    bid, ask = grid.dollars("bid"), grid.dollars("ask")
    spot, spot_source = spot_prices(ts, _quoted_spot(rows), bars, strikes, bid, ask)
    priced = np.isfinite(spot)
    if not priced.any():
        raise DataError("nothing tells the price of the underlying")
    close = official_close(session, bars, ts[priced], spot[priced], end_of_day)
    if close.price is None and close_from_last_quote:
        close = OfficialClose(float(spot[priced][-1]), "last quote")
    if close.price is None:
        raise DataError(close.problem)
    sizes = [None if size is None else size[priced] for size in grid.sizes()]
    day = chain_day(
        session=session,
        underlying=underlying,
        ts=ts[priced],
        spot=spot[priced],
        strikes=strikes,
        bid=bid[priced],
        ask=ask[priced],
        bid_size=sizes[0],
        ask_size=sizes[1],
        source=source,
        spot_source=spot_source,
        official_close=close.price,
        close_source=close.source,
    )
    return _judged(day, rows[np.isin(rows["ts"], ts[priced])], rows.size, time_exit_minutes)


def _judged(day: ChainDay, kept: Quotes, rows: int, time_exit_minutes: float) -> AssembledSession:
    """`day` with its flags, and the figures of its quality."""
    thin = thinness(day, time_exit_minutes)
    flags = {
        "thin": bool(thin),
        "half day": day.session.minutes < FULL_DAY_MINUTES,
        "close from last quote": day.close_source == "last quote",
    }
    flagged = replace(day, flags=tuple(name for name, raised in flags.items() if raised))
    quality = session_quality(flagged, to_dollars(kept["bid"]), to_dollars(kept["ask"]), thin)
    return AssembledSession(flagged, quality, rows - kept.size)


class _Grid:
    """Columns of quotes as arrays [T, 2, K], each contract together in memory."""

    def __init__(self, rows: Quotes, ts: Nanoseconds, strikes: Integers) -> None:
        self._rows = rows
        self._shape = 2, strikes.size, ts.size
        self._place = (
            rows["right"],
            np.searchsorted(strikes, rows["strike"]),
            np.searchsorted(ts, rows["ts"]),
        )

    def dollars(self, name: str) -> Floats:
        """A price column, NaN where there was no quote."""
        return to_dollars(self._filled(name, NO_PRICE))

    def sizes(self) -> list[Sizes | None]:
        """Bid and ask sizes, 0 where there was no quote; None where the source names none."""
        return [
            None if (self._rows[name] == UNLIMITED_SIZE).all() else self._filled(name, 0)
            for name in ("bid_size", "ask_size")
        ]

    def _filled(self, name: str, absent: int) -> Sizes:
        values = np.full(self._shape, absent, np.int32)
        values[self._place] = self._rows[name]
        return values.transpose(2, 0, 1)


def _quoted_spot(rows: Quotes) -> Floats:
    """[T] median of the underlying's prices that came with each snapshot's quotes, or NaN."""
    ordered = rows[np.lexsort((rows["spot"], rows["ts"]))]  # NaN last within a snapshot
    starts = np.flatnonzero(np.diff(ordered["ts"], prepend=ordered["ts"][0] - 1))
    known = np.add.reduceat(np.isfinite(ordered["spot"]).astype(np.int64), starts)
    middle = ordered["spot"][starts + np.maximum(known - 1, 0) // 2]
    return np.asarray(middle, np.float64)
