"""The chain at one instant: the only thing strategies, risk, fills and screens ever see.

Live and historical snapshots are the same class. It shows nothing later than its instant, and never
the official close. Prices in dollars, NaN where there was no quote.
"""

from datetime import datetime
from typing import NamedTuple

import numpy as np

from feeds import option_maths
from feeds.chain import ChainDay, Integers
from feeds.contract import Contract, Right
from feeds.sessions import Floats, Session, to_new_york


class Quote(NamedTuple):
    """Bid, ask and mid in dollars, sizes in contracts; NaN and 0 where there is none."""

    bid: float
    ask: float
    bid_size: int
    ask_size: int
    mid: float


NO_QUOTE = Quote(np.nan, np.nan, 0, 0, np.nan)


class ChainSnapshot:
    """The chain at one instant. It cannot reach the official close or anything later."""

    __slots__ = (
        "_asked",
        "_day",
        "_row",
        "atm_iv",
        "minutes_since_open",
        "minutes_until_close",
        "session",
        "spot",
        "ts",
    )

    ts: int
    """Nanoseconds since 1970 UTC."""
    minutes_since_open: float
    """Exact minutes since the open."""
    minutes_until_close: float
    """Exact minutes until the close."""
    spot: float
    """Price of the underlying in dollars."""
    atm_iv: float
    """Mean of call and put implied volatility at the money; NaN where there is none."""
    session: Session
    """The trading day."""

    def __init__(self, day: ChainDay, row: int) -> None:
        """The instant `row` of `day`."""
        self._day = day
        self._row = row
        self._asked: tuple[Contract | None, Quote] = (None, NO_QUOTE)
        self.session = day.session
        (
            self.ts,
            self.minutes_since_open,
            self.minutes_until_close,
            self.spot,
            self.atm_iv,
        ) = day.instants[row]

    @property
    def is_recorded(self) -> bool:
        """Whether the source had a snapshot here; False on a closing row that was added."""
        return self._row < self._day.recorded

    @property
    def time(self) -> datetime:
        """Tz-aware New York time."""
        return to_new_york(self.ts)

    @property
    def underlying(self) -> str:
        """Symbol of the underlying."""
        return self._day.underlying

    @property
    def source(self) -> str:
        """Who recorded it."""
        return self._day.source

    @property
    def strikes(self) -> Integers:
        """[K] strikes in thousandths of a dollar."""
        return self._day.strikes

    @property
    def forward(self) -> float:
        """Forward by put-call parity in dollars."""
        return float(self._day.forward[self._row])

    @property
    def years(self) -> float:
        """Years to expiry under the day's convention."""
        return float(self._day.years[self._row])

    @property
    def bid(self) -> Floats:
        """[2, K] bids in dollars."""
        return np.asarray(self._day.bid[self._row])

    @property
    def ask(self) -> Floats:
        """[2, K] asks in dollars."""
        return np.asarray(self._day.ask[self._row])

    def quote(self, contract: Contract) -> Quote:
        """The quote of `contract`; `NO_QUOTE` for one of another day or underlying."""
        known, quote = self._asked  # broker and strategy ask for the same one at every bar
        if known is not contract:
            quote = self._quote(contract)
            self._asked = contract, quote
        return quote

    def _quote(self, contract: Contract) -> Quote:
        day, row = self._day, self._row
        k = day.strike_index.get(contract.strike_thousandths)
        foreign = contract.expiration != day.session.date or contract.underlying != day.underlying
        if k is None or foreign:
            return NO_QUOTE
        place = row, int(contract.right), k
        return Quote(
            day.bid.item(place),
            day.ask.item(place),
            day.bid_size.item(place),
            day.ask_size.item(place),
            day.mid.item(place),
        )

    def contract(self, right: int, k: int) -> Contract:
        """The contract at an index of the right and strike axes."""
        return self._day.contract(right, k)

    def atm(self, right: Right) -> Contract | None:
        """The at-the-money contract of a right, None where none is quoted."""
        k = int(self._day.atm_index[self._row, right])
        return self._day.contract(right, k) if k >= 0 else None

    def chain(self) -> ChainDay:
        """This instant as arrays (T = 1): bids, asks, forward and so on, nothing later."""
        return self._day.row(self._row)

    def greeks(self) -> "option_maths.Greeks":
        """IV and Greeks of the whole chain at this instant, arrays [1, 2, K]."""
        one = self.chain()
        return option_maths.chain_greeks(
            one.forward, one.strikes / 1000, one.bid, one.ask, one.years
        )
