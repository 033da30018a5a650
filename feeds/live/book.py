"""The chain as it stands now: the last quote of every contract, and how far each may be believed.

Every quote has two ages. The *market age* counts from the time stamp the exchange gave it; the
*live age* from the last proof that it still stands. A streamed quote is proved by every message of
its stream, heartbeats included, because quotes far from the money rarely change; a quote from a
table is as old as its own time stamp, or as the server's time where the caller vouches for it. Only
the live age decides whether a quote may be traded on.

A book belongs to one thread: the one that receives the quotes. What leaves it are copies.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, time, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from feeds import quotes
from feeds.chain import ChainDay, Integers, Sizes, chain_day
from feeds.contract import Contract, Right
from feeds.live.counts import QuoteCounts
from feeds.live.spot import SpotBook
from feeds.live.standing import NEVER, QuoteAges, StandingQuote
from feeds.quotes import UNLIMITED_SIZE
from feeds.sessions import NEW_YORK, Floats, Nanoseconds, Session, to_nanoseconds


class ChainBook:
    """Today's chain of one underlying. See the module for what makes a quote old."""

    def __init__(
        self,
        session: Session,
        underlying: str = "SPY",
        year_convention: str = "calendar",
        age_limit_seconds: float = 5.0,
        source: str = "recorded",
    ) -> None:
        """An empty book.

        Args:
            session: the only trading day whose quotes it takes; its options expire then.
            underlying: symbol.
            year_convention: given to every snapshot.
            age_limit_seconds: a quote whose live age is more than this, or whose stamp is as far
                ahead of the clock, is never tradable.
            source: of the snapshots; starts with "simulated" for the simulated market.
        """
        self.session = session
        self.underlying = underlying
        self.counts = QuoteCounts()
        self.strikes: Integers = np.empty(0, np.int64)
        self._year_convention = year_convention
        self._source = source
        self._limit_ns = round(age_limit_seconds * 1e9)
        self._first_ns = _midnight(session.date)
        self._end_ns = _midnight(session.date + timedelta(days=1))
        self._index: dict[int, int] = {}
        self._spot = SpotBook(self._limit_ns)
        self._stream_ts = NEVER
        self._bid: Floats = np.empty((2, 0))
        self._ask: Floats = np.empty((2, 0))
        self._bid_size: Sizes = np.empty((2, 0), np.int32)
        self._ask_size: Sizes = np.empty((2, 0), np.int32)
        self._quoted_ts: Nanoseconds = np.empty((2, 0), np.int64)
        self._alive_ts: Nanoseconds = np.empty((2, 0), np.int64)
        self._subscribed = np.empty((2, 0), bool)
        self._streamed = np.empty((2, 0), bool)

    def add_strikes(self, strikes: Iterable[int]) -> None:
        """List strikes (thousandths of a dollar), more than once if need be; quotes do it too."""
        ladder = np.union1d(self.strikes, np.fromiter(strikes, np.int64))
        if ladder.size == self.strikes.size:
            return
        place = np.searchsorted(ladder, self.strikes)
        for name, absent in _ABSENT.items():
            old = getattr(self, name)
            grown = np.full((2, ladder.size), absent, old.dtype)
            grown[:, place] = old
            setattr(self, name, grown)
        self.strikes = ladder
        self._index = {strike: k for k, strike in enumerate(ladder.tolist())}

    def apply_quote(
        self,
        contract: Contract,
        ts: int,
        bid: float,
        ask: float,
        bid_size: int = UNLIMITED_SIZE,
        ask_size: int = UNLIMITED_SIZE,
    ) -> bool:
        """Take one quote (stamp in nanoseconds UTC, dollars, contracts); False if it is refused."""
        counts = self.counts
        if not self._first_ns <= ts < self._end_ns or self._is_foreign(contract):
            counts.foreign += 1
            return False
        k = self._index.get(contract.strike_thousandths)
        if k is None:
            self.add_strikes([contract.strike_thousandths])
            k = self._index[contract.strike_thousandths]
        place = contract.right, k
        if ts < self._quoted_ts[place]:
            counts.out_of_order += 1
            return False
        counts.applied += 1
        counts.crossed += ask < bid
        self._bid[place], self._ask[place] = bid, ask
        self._bid_size[place], self._ask_size[place] = bid_size, ask_size
        self._quoted_ts[place] = ts
        if ts > self._alive_ts[place]:
            self._alive_ts[place] = ts
        self._streamed[place] = self._subscribed[place]
        return True

    def apply_table(
        self,
        *,
        ts: Nanoseconds,
        strike: Integers,
        right: npt.NDArray[Any],
        bid: Floats,
        ask: Floats,
        bid_size: Sizes | None = None,
        ask_size: Sizes | None = None,
        alive_ts: int | None = None,
    ) -> int:
        """Take a snapshot of the chain, one row a quote, all columns [N]; how many were applied.

        Args:
            ts: the quotes' own stamps, nanoseconds UTC.
            strike: thousandths of a dollar; new ones are listed.
            right: 0 for a call, 1 for a put (`Right`).
            bid, ask: dollars, NaN where there is none.
            bid_size, ask_size: contracts; None where the source names none.
            alive_ts: the server's time, if it vouches that all of this stands now; by default each
                quote is as old as its own stamp.
        """
        today = (ts >= self._first_ns) & (ts < self._end_ns)
        self.counts.foreign += int(ts.size - today.sum())
        self.add_strikes(np.unique(strike[today]))
        rows = np.flatnonzero(today)
        rows = rows[np.argsort(ts[rows], kind="stable")]  # of two quotes of one contract the later
        place = right[rows].astype(np.int64), np.searchsorted(self.strikes, strike[rows])
        in_order = ts[rows] >= self._quoted_ts[place]
        self.counts.out_of_order += int(rows.size - in_order.sum())
        rows, place = rows[in_order], (place[0][in_order], place[1][in_order])
        self.counts.applied += rows.size
        self.counts.crossed += int(quotes.crossed(bid[rows], ask[rows]).sum())
        self._bid[place], self._ask[place] = bid[rows], ask[rows]
        self._bid_size[place] = UNLIMITED_SIZE if bid_size is None else bid_size[rows]
        self._ask_size[place] = UNLIMITED_SIZE if ask_size is None else ask_size[rows]
        self._quoted_ts[place] = ts[rows]
        proof = ts[rows] if alive_ts is None else np.maximum(ts[rows], alive_ts)
        self._alive_ts[place] = np.maximum(self._alive_ts[place], proof)
        self._streamed[place] = self._subscribed[place]
        return int(rows.size)

    def set_underlying(
        self,
        ts: int,
        source: str,
        *,
        price: float | None = None,
        bid: float | None = None,
        ask: float | None = None,
        last: float | None = None,
        bar_close: float | None = None,
    ) -> bool:
        """Take what `source` says of the underlying at `ts`, in dollars; False if it is refused.

        Args:
            ts: nanoseconds UTC.
            source: kept with snapshots whose spot it gives, "quotes" or "stock stream" say.
            price: the underlying's price that came with option quotes.
            bid, ask: both, for their mid.
            last: the last trade.
            bar_close: close of a minute bar that ended at `ts`.
        """
        if not self._first_ns <= ts < self._end_ns:
            self.counts.foreign += 1
            return False
        self._spot.take(ts, source, price=price, bid=bid, ask=ask, last=last, bar_close=bar_close)
        return True

    def subscribed(self, contracts: Iterable[Contract]) -> None:
        """A stream of these contracts was acknowledged.

        Its messages prove a quote that came *after* this call: what came before may have changed
        unseen. So subscribe first and seed with a table afterwards, also when reconnecting.
        """
        for contract in contracts:
            self.add_strikes([contract.strike_thousandths])
            self._subscribed[self._place(contract)] = True

    def unsubscribed(self, contracts: Iterable[Contract]) -> None:
        """The stream of these contracts ended; their quotes age from its last proof of life."""
        for contract in contracts:
            if contract.strike_thousandths in self._index:
                place = self._place(contract)
                self._alive_ts[place] = self._proof()[place]
                self._subscribed[place] = self._streamed[place] = False

    def stream_alive(self, ts: int) -> None:
        """Any message of the stream, a heartbeat too, proved at `ts` that it works."""
        self._stream_ts = max(self._stream_ts, ts)

    def stream_lost(self) -> None:
        """The stream broke: all quotes age from its last proof until subscribed and seeded anew."""
        self._alive_ts = self._proof()
        self._subscribed[:] = self._streamed[:] = False
        self._stream_ts = NEVER

    def ages(self, ts: int) -> QuoteAges:
        """Both ages of every quote at `ts` (nanoseconds UTC)."""

        def seconds(stamps: Nanoseconds) -> Floats:
            return np.where(self._quoted_ts == NEVER, np.inf, (ts - stamps) / 1e9)

        return QuoteAges(seconds(self._quoted_ts), seconds(self._proof()))

    def standing(self, contract: Contract, ts: int, proved_ts: int = NEVER) -> StandingQuote | None:
        """The quote of a contract as it is now, however old; None where none ever came.

        `ts` is market time (nanoseconds UTC), for spot. `proved_ts`: all that is streamed stood
        then, whatever the messages of the stream prove.
        """
        if self._is_foreign(contract) or contract.strike_thousandths not in self._index:
            return None
        place = self._place(contract)
        if self._quoted_ts[place] == NEVER:
            return None
        proof = int(self._proof()[place])
        if self._streamed[place]:
            proof = max(proof, proved_ts)
        bid, ask = quotes.clean(self._bid[place], self._ask[place])
        sizes = int(self._bid_size[place]), int(self._ask_size[place])
        stamp, spot = int(self._quoted_ts[place]), self._spot.now(ts)
        return StandingQuote(stamp, proof, float(bid), float(ask), *sizes, spot)

    def snapshot(self, ts: int) -> ChainDay:
        """The chain at `ts` (nanoseconds UTC, within the session) as a day of one row.

        Quotes beyond the age limit are no quotes. Spot is NaN before anything told it; where all
        its sources are beyond the limit, the last known one stands. A row at the close in which no
        quote stands counts as not recorded, as the closing row of a stored session does.
        """
        quoted = self._quoted_ts != NEVER
        fresh = quoted & (np.abs(ts - self._proof()) <= self._limit_ns)
        self.counts.stale += int(quoted.sum() - fresh.sum())
        bid, ask = (np.where(fresh, side, np.nan)[None] for side in (self._bid, self._ask))
        spot = self._spot.at(ts, self.strikes, bid, ask)
        day = chain_day(
            session=self.session,
            underlying=self.underlying,
            ts=np.array([ts], np.int64),
            spot=np.array([spot.price]),
            underlying_bid=np.array([spot.bid]),
            underlying_ask=np.array([spot.ask]),
            strikes=self.strikes,
            bid=bid,
            ask=ask,
            bid_size=np.where(fresh, self._bid_size, 0)[None],
            ask_size=np.where(fresh, self._ask_size, 0)[None],
            official_close=None,
            spot_source=spot.source,
            source=self._source,
            year_convention=self._year_convention,
        ).row(0)
        return replace(day, recorded=0) if ts >= self.session.close_ns and not fresh.any() else day

    def _proof(self) -> Nanoseconds:
        """[2, K] when each quote was last known to stand."""
        streamed = np.maximum(self._alive_ts, self._stream_ts)
        return np.where(self._streamed, streamed, self._alive_ts)

    def _is_foreign(self, contract: Contract) -> bool:
        return (contract.expiration, contract.underlying) != (self.session.date, self.underlying)

    def _place(self, contract: Contract) -> tuple[Right, int]:
        return contract.right, self._index[contract.strike_thousandths]


_ABSENT: dict[str, Any] = {
    "_bid": np.nan,
    "_ask": np.nan,
    "_bid_size": 0,
    "_ask_size": 0,
    "_quoted_ts": NEVER,
    "_alive_ts": NEVER,
    "_subscribed": False,
    "_streamed": False,
}
"""The arrays of a book, and what they hold for a strike that was just listed."""


def _midnight(day: Any) -> int:
    return to_nanoseconds(datetime.combine(day, time(), NEW_YORK))
