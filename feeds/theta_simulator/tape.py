"""A session as the terminal has it: the quote of every contract at every instant, and when it came.

A row of the source is the best bid and offer from its instant on. A quote is news where it differs
from the row before; the news comes at the row's instant or, with `spread_quotes`, at some instant
of the minute before it, the same one in every run.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from feeds.chain import ChainDay
from feeds.contract import TICK
from feeds.sessions import NANOSECONDS_A_MINUTE, Floats, Nanoseconds, Session

Integers = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]

SECOND = 1_000_000_000
MILLISECOND = 1_000_000
Number = TypeVar("Number", bound=np.generic)
EXCHANGES = np.array([5, 6, 9, 11, 22, 31, 42, 43, 46, 47, 60, 65, 69])
"""Codes of option exchanges; which one has the best quote is made up, a contract keeps its own."""

_NOON_MINUTES = 150
_LATE_EVERY, _LATE_FIRST = 5, 2
_SPREAD, _ORDER = 1, 2


class Sides(NamedTuple):
    """Quotes of contracts, arrays of one shape: dollars and contracts, 0 where nobody quotes."""

    bid: Floats
    ask: Floats
    bid_size: Integers
    ask_size: Integers


class News(NamedTuple):
    """Contracts whose quote changed, in order: when (nanoseconds), row, right, strike index."""

    ts: Nanoseconds
    row: int
    right: Integers
    k: Integers


@dataclass(frozen=True, eq=False)
class Tape:
    """One session. Axes as in `feeds.chain`, but row 0 is the state before the first quote.

    Attributes:
        session: the trading day.
        symbol: the underlying.
        strikes: int64 [K] thousandths, rising.
        ts: int64 [T] nanoseconds.
        spot, stock_bid, stock_ask: [T] dollars.
        bid, ask: [T, 2, K] dollars, 0 where nobody quotes.
        bid_size, ask_size: int32 [T, 2, K].
        close: the official close in dollars; the last spot where the source knows none.
        lead: int64 [T, 2, K] nanoseconds that a row's news come before its instant; None for 0.
    """

    session: Session
    symbol: str
    strikes: Integers
    ts: Nanoseconds
    spot: Floats
    stock_bid: Floats
    stock_ask: Floats
    bid: Floats
    ask: Floats
    bid_size: npt.NDArray[np.int32]
    ask_size: npt.NDArray[np.int32]
    close: float
    lead: Integers | None

    @cached_property
    def changed(self) -> Booleans:
        """[T, 2, K] where a row's quote is news."""
        news = np.zeros(self.bid.shape, bool)
        for side in (self.bid, self.ask, self.bid_size, self.ask_size):
            news[1:] |= side[1:] != side[:-1]
        news[0] = True
        return news

    @cached_property
    def last_change(self) -> npt.NDArray[np.int32]:
        """[T, 2, K] the row at which the quote standing at a row was news."""
        number = np.arange(self.ts.size, dtype=np.int32)[:, None, None]
        changed_at = np.where(self.changed, number, np.int32(0))
        return np.asarray(np.maximum.accumulate(changed_at, axis=0))

    @cached_property
    def server_order(self) -> Integers:
        """[K] indices of the strikes in the order of the server's lists, which is no order."""
        return _dice(self.session, _ORDER).permutation(self.strikes.size)

    @cached_property
    def late(self) -> Booleans:
        """[K] the strikes that the fault `late-strikes` lists at noon only."""
        return np.asarray(np.arange(self.strikes.size) % _LATE_EVERY == _LATE_FIRST)

    def noon(self) -> int:
        """Midday in nanoseconds, when late strikes are listed."""
        return self.session.open_ns + _NOON_MINUTES * NANOSECONDS_A_MINUTE

    def exchange(self, right: Integers, k: Integers) -> Integers:
        """Exchange code of contracts."""
        return np.asarray(EXCHANGES[(k * 2 + right) % EXCHANGES.size])

    def sides(self, row: Integers | int, right: Integers, k: Integers) -> Sides:
        """The quotes of contracts at rows; the shapes broadcast."""
        place = row, right, k
        sizes = (side[place].astype(np.int64) for side in (self.bid_size, self.ask_size))
        return Sides(self.bid[place], self.ask[place], *sizes)

    def row_at(self, ts: int) -> int:
        """The last row at or before `ts` nanoseconds, -1 before all."""
        return int(np.searchsorted(self.ts, ts, side="right")) - 1

    def rows_at(self, ts: Nanoseconds, right: Integers, k: Integers) -> Integers:
        """[G, N] the row whose quote stands at each of `ts` [G] for contracts [N]; -1: none yet."""
        base = np.searchsorted(self.ts, ts, side="right")[:, None] - 1
        rows = np.broadcast_to(base, (ts.size, right.size))
        if self.lead is None:
            return np.asarray(rows)
        following = np.minimum(base + 1, self.ts.size - 1)
        arrives = self.ts[following] - self.lead[following, right, k]
        return np.where(arrives <= ts[:, None], following, rows)

    def changed_at(self, row: Integers, right: Integers, k: Integers) -> Nanoseconds:
        """When the quote standing at `row` of contracts came, nanoseconds; shapes broadcast."""
        news = self.last_change[row, right, k]
        moment = self.ts[news]
        return moment if self.lead is None else moment - self.lead[news, right, k]

    def news(self, after: int, until: int) -> Iterator[News]:
        """What came after `after` up to and at `until` (nanoseconds), a row at a time."""
        first = int(np.searchsorted(self.ts, after, side="right"))
        for row in range(first, self.ts.size):
            if self.ts[max(row - 1, 0)] > until and row > first:
                return
            right, k = np.nonzero(self.changed[row])
            ts = np.full(right.size, self.ts[row])
            if self.lead is not None:
                ts -= self.lead[row, right, k]
            order = np.argsort(ts, kind="stable")
            order = order[(ts[order] > after) & (ts[order] <= until)]
            if order.size or self.ts[row] <= until:
                yield News(ts[order], row, right[order], k[order])

    def next_instant(self, after: int) -> int | None:
        """The next row's instant after `after` nanoseconds, None after the last."""
        row = self.row_at(after) + 1
        return int(self.ts[row]) if row < self.ts.size else None


def tape(day: ChainDay, zero_at_open: bool, spread_quotes: bool) -> Tape:
    """The tape of a session.

    Args:
        day: what the source recorded.
        zero_at_open: nobody quotes yet at the opening minute's instant; the source's row at the
            open counts one second later. So it is at the vendor.
        spread_quotes: news come through the minute before their row, not all at once.
    """
    kept = slice(0, day.recorded)
    ts = day.ts[kept].copy()
    opens = bool(ts.size) and int(ts[0]) == day.session.open_ns
    if opens and zero_at_open:
        ts[0] += SECOND if ts.size < 2 or ts[1] - ts[0] > SECOND else MILLISECOND
    before = day.session.open_ns if zero_at_open else day.session.open_ns - SECOND
    ts = np.concatenate(([min(before, int(ts[0]) - 1) if ts.size else before], ts))
    spot = _begun(day.spot[kept], float(day.spot[0]))
    bid, ask = (_begun(np.nan_to_num(side[kept]), 0.0) for side in (day.bid, day.ask))
    sizes = (_begun(side[kept], 0) for side in (day.bid_size, day.ask_size))
    bid_size, ask_size = (np.where(q == 0, 0, s) for q, s in zip((bid, ask), sizes, strict=True))
    stock_bid, stock_ask = _stock_quotes(spot, day, kept)
    return Tape(
        session=day.session,
        symbol=day.underlying,
        strikes=day.strikes,
        ts=ts,
        spot=spot,
        stock_bid=stock_bid,
        stock_ask=stock_ask,
        bid=bid,
        ask=ask,
        bid_size=bid_size.astype(np.int32),
        ask_size=ask_size.astype(np.int32),
        close=float(spot[-1]) if day.official_close is None else day.official_close,
        lead=_leads(day.session, ts, bid.shape) if spread_quotes else None,
    )


def _begun(values: npt.NDArray[Number], first: float) -> npt.NDArray[Number]:
    """`values` with a row of `first` before them."""
    return np.concatenate([np.full((1, *values.shape[1:]), first, values.dtype), values])


def _stock_quotes(spot: Floats, day: ChainDay, kept: slice) -> tuple[Floats, Floats]:
    """Bid and ask of the underlying; a cent around spot where the source knows none."""
    bid = _begun(day.underlying_bid[kept], np.nan)
    ask = _begun(day.underlying_ask[kept], np.nan)
    guess = np.floor(spot * 100) / 100
    unknown = np.isnan(bid) | np.isnan(ask)
    return np.where(unknown, guess, bid), np.where(unknown, np.round(guess + TICK, 2), ask)


def _leads(session: Session, ts: Nanoseconds, shape: tuple[int, ...]) -> Integers:
    """How long before its row each quote came: less than the gap to the row before, or a minute."""
    gap = np.minimum(np.diff(ts, prepend=ts[0]), NANOSECONDS_A_MINUTE) // MILLISECOND
    gap[:2] = 0  # the first quotes come at once
    share = _dice(session, _SPREAD).random(shape, dtype=np.float32)
    return np.asarray(np.floor(share * gap[:, None, None]), np.int64) * MILLISECOND


def _dice(session: Session, purpose: int) -> np.random.Generator:
    """Chance that is the same in every run."""
    return np.random.default_rng([session.date.toordinal(), purpose])
