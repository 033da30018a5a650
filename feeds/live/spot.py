"""The price of the underlying now, by the desk's order of sources, each within its age."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from feeds.chain import Integers
from feeds.sessions import NANOSECONDS_A_MINUTE, Floats
from feeds.underlying import Bars, spot_prices

ORDER = ("price", "mid", "last", "bar_close")
"""What came with the option quotes, the mid of the underlying, its last trade, a minute bar."""

LAST_KNOWN = "last known"

_NO_BARS = Bars(np.empty(0, np.int64), *(np.empty(0) for _ in range(4)))


class Spot(NamedTuple):
    """Spot with the name of its source, and the underlying's own quote; dollars, NaN if unknown."""

    price: float
    source: str
    bid: float
    ask: float


@dataclass(frozen=True, slots=True)
class _Told:
    ts: int
    value: float
    source: str


class SpotBook:
    """The last word of every source, and which of them counts at an instant."""

    def __init__(self, limit_ns: int) -> None:
        """`limit_ns`: nanoseconds after which a source no longer counts; bars get a minute more."""
        self._limits = dict.fromkeys((*ORDER, "bid", "ask"), limit_ns)
        self._limits["bar_close"] += NANOSECONDS_A_MINUTE
        self._told: dict[str, _Told] = {}
        self._last = np.nan

    def take(
        self,
        ts: int,
        source: str,
        *,
        price: float | None,
        bid: float | None,
        ask: float | None,
        last: float | None,
        bar_close: float | None,
    ) -> None:
        """Keep what was told at `ts` (nanoseconds UTC, dollars), unless something newer is known.

        Prices that are not above zero are nothing, and so is a quote whose ask is below its bid.
        """
        told = {"price": price, "last": last, "bar_close": bar_close}
        if bid is not None and ask is not None and 0 < bid <= ask:
            told |= {"bid": bid, "ask": ask, "mid": (bid + ask) / 2}
        for kind, value in told.items():
            known = self._told.get(kind)
            newer = known is None or ts >= known.ts
            if newer and value is not None and 0 < value < np.inf:
                self._told[kind] = _Told(ts, float(value), source)

    def at(self, ts: int, strikes: Integers, bid: Floats, ask: Floats) -> Spot:
        """Spot at `ts`: the first source of `ORDER` within its age, else the forward by parity.

        Where there is neither, the last known spot. `bid` and `ask` are [1, 2, K] dollars.
        """
        price, source = self._told_price(ts)
        if np.isnan(price) and strikes.size:
            nothing = np.array([np.nan])
            found, source = spot_prices(np.array([ts]), nothing, _NO_BARS, strikes, bid, ask)
            price = float(found[0])
        if np.isnan(price):
            price, source = self._last, LAST_KNOWN
        self._last = price
        return Spot(price, source, self._value("bid", ts), self._value("ask", ts))

    def now(self, ts: int) -> float:
        """Spot between bars: the first source of `ORDER` within its age, else the last known."""
        price, _ = self._told_price(ts)
        return self._last if np.isnan(price) else price

    def _told_price(self, ts: int) -> tuple[float, str]:
        for kind in ORDER:
            told = self._fresh(kind, ts)
            if told is not None:
                return told.value, told.source
        return np.nan, ""

    def _value(self, kind: str, ts: int) -> float:
        told = self._fresh(kind, ts)
        return np.nan if told is None else told.value

    def _fresh(self, kind: str, ts: int) -> _Told | None:
        told = self._told.get(kind)
        return told if told is not None and abs(ts - told.ts) <= self._limits[kind] else None
