"""Asking a Theta Terminal over REST, version 3.

    rest = ThetaRest()
    chain = rest.chain_quotes("SPY", today)       # feeds.theta.tables.OptionQuotes
    spot = rest.chain_greeks("SPY", today).underlying_price

One object serves any number of threads. It asks under one host name for good, because the terminal
refuses a second. What counts against the account's limit waits its turn, snapshots do not. What
passes by itself (busy, starting, disconnected) is asked again, with growing pauses, for a while.
"""

from collections.abc import Callable
from datetime import date
from datetime import time as time_of_day
from types import TracebackType
from typing import Self, TypeVar

from errors import MalformedAnswerError, RequestRefusedError
from feeds.contract import Contract
from feeds.theta.asking import DEFAULT_URL, Asker, Manner, Manners, Parameters, Waiting
from feeds.theta.parsing import Columns, read_columns
from feeds.theta.tables import (
    CalendarDay,
    OptionGreeks,
    OptionQuotes,
    StockBars,
    StockDays,
    StockQuotes,
    contracts,
)

NEW_YORK_OPEN, NEW_YORK_CLOSE = time_of_day(9, 30), time_of_day(16, 0)

Table = TypeVar("Table")


class ThetaRest:
    """A terminal's REST interface. Every method raises `FeedError`, see `feeds.theta.answers`.

    No data is no error: the table is empty then.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        concurrency: int = 2,
        manners: Manners | None = None,
        waiting: Waiting | None = None,
    ) -> None:
        """Asks nothing yet.

        Args:
            url: of the terminal; its host is used as it stands for good.
            concurrency: requests the account may have at work: Free 1, Value 2, Standard 4, Pro 8.
            manners: time-outs and patience.
            waiting: time and chance of the pauses.

        Raises `SettingError` where `url` is no http address.
        """
        self._asker = Asker(url, concurrency, waiting or Waiting())
        self._manners = manners or Manners()
        self._today_only = True

    @property
    def place(self) -> str:
        """Host and port of the terminal."""
        return self._asker.place

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ask nothing more; who waits for another try gives up."""
        self._asker.close()

    # --- The terminal and the calendar -----------------------------------------------------------

    def status(self) -> str:
        """State of the data connection: CONNECTED, UNVERIFIED, DISCONNECTED or ERROR."""
        return self._word("/terminal/mdds/status")

    def stream_status(self) -> str:
        """State of the streaming connection, in the same words."""
        return self._word("/terminal/fpss/status")

    def calendar_today(self) -> CalendarDay:
        """What the calendar says of today."""
        return self._history("/calendar/today", {}, CalendarDay.of, "the calendar")

    def calendar_on(self, day: date) -> CalendarDay:
        """What the calendar says of `day` (options Value)."""
        return self._history(
            "/calendar/on_date", {"date": f"{day}"}, CalendarDay.of, "the calendar"
        )

    # --- Lists -----------------------------------------------------------------------------------

    def expirations(self, symbol: str) -> list[date]:
        """All expirations of a symbol's options, past ones included, sorted."""
        return self._history(
            "/option/list/expirations",
            {"symbol": symbol},
            lambda columns: sorted(set(columns.dates("expiration"))),
            f"the expirations of {symbol}",
        )

    def contracts(self, symbol: str, day: date, max_days: int = 0) -> list[Contract]:
        """The contracts quoted on `day` that expire within `max_days` calendar days of it."""
        return self._history(
            "/option/list/contracts/quote",
            {"symbol": symbol, "date": f"{day}", "max_dte": max_days},
            lambda columns: contracts(columns, symbol),
            f"the contracts of {symbol} on {day}",
        )

    # --- Snapshots -------------------------------------------------------------------------------

    def chain_quotes(self, symbol: str, expiration: date) -> OptionQuotes:
        """The last quote of every contract of an expiration.

        Only quotes of today are asked for. An older terminal does not know how and may send
        quotes of the last days: compare `ts`, always.
        """
        what = f"the chain of {symbol}"
        return self._chain("/option/snapshot/quote", symbol, expiration, OptionQuotes.of, what)

    def chain_volatilities(self, symbol: str, expiration: date) -> OptionGreeks:
        """Implied volatilities of a chain and the underlying's price; the Greeks are NaN."""
        path = "/option/snapshot/greeks/implied_volatility"
        what = f"implied volatilities of {symbol}"
        return self._chain(path, symbol, expiration, OptionGreeks.of, what)

    def chain_greeks(self, symbol: str, expiration: date) -> OptionGreeks:
        """Volatilities and first-order Greeks of a chain and the underlying's price."""
        path, what = "/option/snapshot/greeks/first_order", f"Greeks of {symbol}"
        return self._chain(path, symbol, expiration, OptionGreeks.of, what)

    def stock_quote(self, symbol: str) -> StockQuotes:
        """The last quote of a stock: one row, or none."""
        return self._snapshot(
            "/stock/snapshot/quote",
            {"symbol": symbol},
            StockQuotes.of,
            f"the quote of {symbol}",
        )

    # --- History ---------------------------------------------------------------------------------

    def history_quotes(
        self,
        symbol: str,
        day: date,
        interval: str = "1m",
        start: time_of_day = NEW_YORK_OPEN,
        end: time_of_day = NEW_YORK_CLOSE,
        *,
        expiration: date | None = None,
        strike: int | None = None,
        right: str = "both",
        strike_range: int | None = None,
    ) -> OptionQuotes:
        """Quotes at the boundaries of an interval, each the last at or before it.

        Args:
            symbol: of the underlying.
            day: the session.
            interval: spacing, `1m` say.
            start, end: New York times, both included.
            expiration: by default `day`: the options that expire on it.
            strike: thousandths of a dollar; by default all.
            right: `call`, `put` or `both`.
            strike_range: only that many strikes on each side of spot, and the nearest.
        """
        parameters = _window(symbol, day, interval, start, end) | _option(
            expiration or day, strike, right
        )
        if strike_range is not None:
            parameters["strike_range"] = strike_range
        what = f"quotes of {symbol} on {day}"
        return self._history("/option/history/quote", parameters, OptionQuotes.of, what)

    def history_volatilities(
        self,
        symbol: str,
        day: date,
        interval: str = "1m",
        start: time_of_day = NEW_YORK_OPEN,
        end: time_of_day = NEW_YORK_CLOSE,
        *,
        strike: int | None = None,
        right: str = "both",
    ) -> OptionGreeks:
        """Implied volatilities of the options that expire on `day`, with the underlying's price.

        Arguments as in `history_quotes`; the Greeks are NaN.
        """
        parameters = _window(symbol, day, interval, start, end) | _option(day, strike, right)
        path = "/option/history/greeks/implied_volatility"
        what = f"implied volatilities of {symbol} on {day}"
        return self._history(path, parameters, OptionGreeks.of, what)

    def stock_bars(
        self,
        symbol: str,
        day: date,
        interval: str = "1m",
        start: time_of_day = NEW_YORK_OPEN,
        end: time_of_day = NEW_YORK_CLOSE,
    ) -> StockBars:
        """Bars of a stock on `day`, stamped with their start; the last may be an empty one."""
        parameters = _window(symbol, day, interval, start, end)
        what = f"bars of {symbol} on {day}"
        return self._history("/stock/history/ohlc", parameters, StockBars.of, what)

    def stock_days(self, symbol: str, first: date, last: date) -> StockDays:
        """Official prices of each day from `first` to `last`, at most 365 days."""
        parameters = {"symbol": symbol, "start_date": f"{first}", "end_date": f"{last}"}
        what = f"closes of {symbol}"
        return self._history("/stock/history/eod", parameters, StockDays.of, what)

    # --- How it is asked -------------------------------------------------------------------------

    def _word(self, path: str) -> str:
        words = self._asker.ask(
            path, {}, self._manners.state, lambda body: body.decode("utf-8", "replace"), "its state"
        )
        return words.strip().upper()

    def _chain(
        self, path: str, symbol: str, expiration: date, read: Callable[[Columns], Table], what: str
    ) -> Table:
        """A snapshot of today alone, or of what an older terminal has, where it refuses that."""
        parameters = {"symbol": symbol, "expiration": f"{expiration}"}
        if not self._today_only:
            return self._snapshot(path, parameters, read, what)
        try:
            today = parameters | {"current_day_only": "true"}
            return self._snapshot(path, today, read, what)
        except RequestRefusedError:
            table = self._snapshot(path, parameters, read, what)
            self._today_only = False
            return table

    def _snapshot(
        self, path: str, parameters: Parameters, read: Callable[[Columns], Table], what: str
    ) -> Table:
        return self._table(
            path, parameters, self._manners.snapshot, lambda columns, _: read(columns), what
        )

    def _history(
        self, path: str, parameters: Parameters, read: Callable[[Columns], Table], what: str
    ) -> Table:
        def rows(columns: Columns, body: bytes) -> Table:
            if body and not len(columns):  # the past is empty by status 472, never by no rows
                raise MalformedAnswerError("it has a header and no row")
            return read(columns)

        return self._table(path, parameters, self._manners.history, rows, what)

    def _table(
        self,
        path: str,
        parameters: Parameters,
        manner: Manner,
        read: Callable[[Columns, bytes], Table],
        what: str,
    ) -> Table:
        return self._asker.ask(
            path,
            {**parameters, "format": "csv"},
            manner,
            lambda body: read(read_columns(body), body),
            what,
        )


def _window(
    symbol: str, day: date, interval: str, start: time_of_day, end: time_of_day
) -> dict[str, str | int]:
    return {
        "symbol": symbol,
        "date": f"{day}",
        "interval": interval,
        "start_time": f"{start:%H:%M:%S}",
        "end_time": f"{end:%H:%M:%S}",
    }


def _option(expiration: date, strike: int | None, right: str) -> dict[str, str | int]:
    dollars = "*" if strike is None else f"{strike / 1000:.3f}"
    return {"expiration": f"{expiration}", "strike": dollars, "right": right}
