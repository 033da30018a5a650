"""The official close of a session that was recorded, asked of a terminal once it may know it."""

from datetime import timedelta

import numpy as np

from errors import FeedError, NoSubscriptionError
from feeds.sessions import Floats, Nanoseconds, Session
from feeds.theta.rest import ThetaRest
from feeds.theta.session_quotes import ended_bars
from feeds.underlying import Bars, OfficialClose, official_close

LAST_MINUTES = timedelta(minutes=5)

_NO_TIMES: Nanoseconds = np.empty(0, np.int64)
_NO_PRICES: Floats = np.empty(0)
_NO_BARS = Bars(_NO_TIMES, _NO_PRICES, _NO_PRICES, _NO_PRICES, _NO_PRICES)


def ask_close(
    rest: ThetaRest,
    symbol: str,
    session: Session,
    ts: Nanoseconds = _NO_TIMES,
    spot: Floats = _NO_PRICES,
) -> OfficialClose:
    """The official close of `session`, or why there is none; never an error.

    The end-of-day price, which Theta makes at 17:15 New York; before, the minute bar that ends at
    the close. `ts` and `spot` are [N] prices of the recorded session, against which it is held.
    """
    try:
        end_of_day = _end_of_day(rest, symbol, session)
        bars = _NO_BARS if end_of_day is not None else _last_bars(rest, symbol, session)
    except FeedError as error:
        return OfficialClose(None, problem=str(error))
    return official_close(session, bars, ts, spot, end_of_day)


def _end_of_day(rest: ThetaRest, symbol: str, session: Session) -> float | None:
    table = rest.stock_days(symbol, session.date, session.date)
    for day, close in zip(table.date, table.close.tolist(), strict=True):
        if day == session.date and np.isfinite(close):
            return float(close)
    return None


def _last_bars(rest: ThetaRest, symbol: str, session: Session) -> Bars:
    """The last minute bars; none where the account may not see them."""
    start = (session.close - LAST_MINUTES).time()
    try:
        table = rest.stock_bars(symbol, session.date, "1m", start, session.close.time())
    except NoSubscriptionError:
        return _NO_BARS
    return ended_bars(table).of(session)
