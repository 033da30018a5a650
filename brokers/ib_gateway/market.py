"""What the stand-in trades against: quotes as of the market's time.

All methods are called from the gateway's thread. Prices are dollars, NaN where there is none.
"""

import threading
from collections.abc import Callable, Iterable
from datetime import date
from typing import Protocol

import numpy as np

from feeds.chain import ChainDay
from feeds.contract import Contract, Right
from feeds.sessions import Session

Quote = tuple[float, float, int, int]
"""Bid, ask, bid size, ask size."""

NO_QUOTE: Quote = (float("nan"), float("nan"), 0, 0)


class GatewayMarket(Protocol):
    """A market as the stand-in sees it."""

    @property
    def session(self) -> Session:
        """The trading day."""

    def now(self) -> int:
        """Market time, nanoseconds since 1970 UTC."""

    def quote(self, contract: Contract) -> Quote:
        """The quote in force; `NO_QUOTE` for a contract that has none."""

    def spot(self) -> float:
        """The price of the underlying."""

    def strikes(self, expiration: date) -> list[int]:
        """Strikes in thousandths of a dollar of the options that expire then; may be empty."""


class ChainDayMarket:
    """A session's chain at the time that `now` tells: the last row at or before it is in force."""

    def __init__(self, day: ChainDay, now: Callable[[], int]) -> None:
        """`now` tells market time in nanoseconds and is safe to call from any thread."""
        self._day = day
        self._now = now

    @property
    def session(self) -> Session:
        """The chain's own."""
        return self._day.session

    def now(self) -> int:
        """Market time, nanoseconds."""
        return self._now()

    def quote(self, contract: Contract) -> Quote:
        """That of the row in force; none before the first row."""
        day, row = self._day, self._row()
        k = day.strike_index.get(contract.strike_thousandths)
        if k is None or row < 0 or contract.expiration != day.session.date:
            return NO_QUOTE
        at = (row, int(contract.right), k)
        sizes = int(day.bid_size[at]), int(day.ask_size[at])
        return float(day.bid[at]), float(day.ask[at]), *sizes

    def spot(self) -> float:
        """That of the row in force, of the first one before it."""
        return float(self._day.spot[max(0, self._row())])

    def strikes(self, expiration: date) -> list[int]:
        """All of the chain on its own day."""
        return self._day.strikes.tolist() if expiration == self._day.session.date else []

    def _row(self) -> int:
        return int(np.searchsorted(self._day.ts, self._now(), side="right")) - 1


class ManualMarket:
    """Prices and time set by hand. Safe to change from any thread."""

    def __init__(self, session: Session, strikes: Iterable[int], spot: float) -> None:
        """At noon of `session`; `strikes` in thousandths, no quotes yet."""
        self._session = session
        self._strikes = sorted(strikes)
        self._quotes: dict[Contract, Quote] = {}
        self._lock = threading.Lock()
        self._spot = spot
        self._ts = (session.open_ns + session.close_ns) // 2

    @property
    def session(self) -> Session:
        """The trading day."""
        return self._session

    def now(self) -> int:
        """The time last set."""
        return self._ts

    def quote(self, contract: Contract) -> Quote:
        """The quote last set."""
        with self._lock:
            return self._quotes.get(contract, NO_QUOTE)

    def spot(self) -> float:
        """The price last set."""
        return self._spot

    def strikes(self, expiration: date) -> list[int]:
        """Those given, on the session's day."""
        return list(self._strikes) if expiration == self._session.date else []

    def contract(self, strike: float, right: Right) -> Contract:
        """The session's option with a strike in dollars."""
        return Contract("SPY", self._session.date, round(strike * 1000), right)

    def set_quote(self, contract: Contract, bid: float, ask: float, size: int = 100) -> None:
        """A new quote with `size` contracts on both sides."""
        with self._lock:
            self._quotes[contract] = (bid, ask, size, size)

    def set_sizes(self, contract: Contract, bid_size: int, ask_size: int) -> None:
        """Other sizes at the same prices."""
        with self._lock:
            bid, ask, *_ = self._quotes[contract]
            self._quotes[contract] = (bid, ask, bid_size, ask_size)

    def set_spot(self, spot: float) -> None:
        """A new price of the underlying."""
        self._spot = spot

    def set_time(self, ts: int) -> None:
        """Another time, nanoseconds."""
        self._ts = ts
