"""The tables the desk reads from Theta: one type a kind of answer, columns as numpy arrays.

All arrays are [N], in the order of the answer, which is none: strikes come shuffled. Instants are
nanoseconds since 1970 UTC, prices dollars, NaN where there is none.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, time
from typing import Any, Literal, Self, cast

import numpy as np
import numpy.typing as npt

from errors import MalformedAnswerError
from feeds.chain import Integers, Sizes
from feeds.contract import Contract, Right
from feeds.sessions import Floats, Nanoseconds, to_new_york
from feeds.theta.parsing import Columns

DayType = Literal["open", "full_close", "early_close", "weekend"]
DAY_TYPES = ("open", "full_close", "early_close", "weekend")
NO_SOLUTION = 100.0
"""Theta's `iv_error` where there was no quote to solve."""


@dataclass(frozen=True, eq=False)
class OptionQuotes:
    """Quotes of options: `ts` is the quote's own time, or the boundary of its interval.

    `strike` is thousandths of a dollar, `right` a `feeds.contract.Right`. A bid and ask of zero
    is no market: both are NaN then. A zero bid beside an ask stays.
    """

    ts: Nanoseconds
    strike: Integers
    right: npt.NDArray[np.int8]
    bid: Floats
    ask: Floats
    bid_size: Sizes
    ask_size: Sizes

    def __len__(self) -> int:
        return int(self.ts.size)

    @classmethod
    def of(cls, columns: Columns) -> Self:
        """From an answer. Raises `MalformedAnswerError`."""
        bid, ask = _market(columns)
        return cls(
            columns.instants(),
            columns.strikes(),
            columns.rights(),
            bid,
            ask,
            columns.sizes("bid_size"),
            columns.sizes("ask_size"),
        )


@dataclass(frozen=True, eq=False)
class OptionGreeks:
    """Theta's own volatilities and first-order Greeks, cut by Theta to four decimals.

    Attributes:
        implied_volatility: 0.21 is 21 % a year; NaN without a quote or where nothing solves it.
        delta, theta, vega: theta a calendar day, vega per volatility of 1.00; NaN where not sent.
        underlying_ts, underlying_price: the price they are made with, and its time.
    """

    ts: Nanoseconds
    strike: Integers
    right: npt.NDArray[np.int8]
    bid: Floats
    ask: Floats
    implied_volatility: Floats
    delta: Floats
    theta: Floats
    vega: Floats
    underlying_ts: Nanoseconds
    underlying_price: Floats

    def __len__(self) -> int:
        return int(self.ts.size)

    @classmethod
    def of(cls, columns: Columns) -> Self:
        """From an answer. Raises `MalformedAnswerError`."""
        bid, ask = _market(columns)
        unsolved = columns.numbers("iv_error") >= NO_SOLUTION
        volatility = columns.numbers("implied_vol")
        unknown = unsolved | ~(volatility > 0)
        delta, theta, vega = (
            np.where(unsolved, np.nan, columns.numbers(name)) for name in ("delta", "theta", "vega")
        )
        price = columns.prices("underlying_price")
        return cls(
            columns.instants(),
            columns.strikes(),
            columns.rights(),
            bid,
            ask,
            np.where(unknown, np.nan, volatility),
            delta,
            theta,
            vega,
            columns.instants("underlying_timestamp"),
            np.where(price > 0, price, np.nan),
        )


@dataclass(frozen=True, eq=False)
class StockQuotes:
    """Quotes of a stock; zero and zero is no market, as for options."""

    ts: Nanoseconds
    bid: Floats
    ask: Floats
    bid_size: Sizes
    ask_size: Sizes

    def __len__(self) -> int:
        return int(self.ts.size)

    @classmethod
    def of(cls, columns: Columns) -> Self:
        """From an answer. Raises `MalformedAnswerError`."""
        bid, ask = _market(columns)
        sizes = columns.sizes("bid_size"), columns.sizes("ask_size")
        return cls(columns.instants(), bid, ask, *sizes)


@dataclass(frozen=True, eq=False)
class StockBars:
    """Bars of a stock stamped with their *start*, as Theta does; NaN in a bar without a trade."""

    ts: Nanoseconds
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats

    def __len__(self) -> int:
        return int(self.ts.size)

    @classmethod
    def of(cls, columns: Columns) -> Self:
        """From an answer. Raises `MalformedAnswerError`."""
        opening, high, low, close = _ohlc(columns)
        return cls(columns.instants(), opening, high, low, close, columns.numbers("volume"))


@dataclass(frozen=True, eq=False)
class StockDays:
    """Official prices of whole days, made by Theta at 17:15 New York; NaN without a trade."""

    date: Sequence[date]
    open: Floats
    high: Floats
    low: Floats
    close: Floats

    def __len__(self) -> int:
        return len(self.date)

    @classmethod
    def of(cls, columns: Columns) -> Self:
        """From an answer. Raises `MalformedAnswerError`."""
        days = [to_new_york(ts).date() for ts in columns.instants("created").tolist()]
        opening, high, low, close = _ohlc(columns)
        return cls(days, opening, high, low, close)


@dataclass(frozen=True, slots=True)
class CalendarDay:
    """What Theta's calendar says of a day; times are New York's, None when it is closed."""

    type: DayType
    open: time | None
    close: time | None

    @classmethod
    def of(cls, columns: Columns) -> Self:
        """From an answer. Raises `MalformedAnswerError`."""
        types = columns.words("type")
        if len(types) != 1 or types[0] not in DAY_TYPES:
            raise MalformedAnswerError(f"the calendar says {types} of one day")
        day_type = cast(DayType, types[0])
        return cls(day_type, columns.times("open")[0], columns.times("close")[0])


def contracts(columns: Columns, underlying: str) -> list[Contract]:
    """A list of contracts, sorted. Raises `MalformedAnswerError`."""
    rows: Any = zip(columns.dates("expiration"), columns.strikes(), columns.rights(), strict=True)
    return sorted(
        Contract(underlying, expiration, int(strike), Right(int(right)))
        for expiration, strike, right in rows
    )


def _market(columns: Columns) -> tuple[Floats, Floats]:
    """Bids and asks, NaN on both sides where both are zero."""
    bid, ask = columns.prices("bid"), columns.prices("ask")
    nobody = (bid == 0) & (ask == 0)
    return np.where(nobody, np.nan, bid), np.where(nobody, np.nan, ask)


def _ohlc(columns: Columns) -> list[Floats]:
    """Open, high, low and close; Theta sends zeros where nothing traded."""
    prices = [columns.prices(name) for name in ("open", "high", "low", "close")]
    return [np.where(price > 0, price, np.nan) for price in prices]
