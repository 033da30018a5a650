"""The price of the underlying: minute bars, spot for each snapshot, and the official close.

Bars are stamped with their end; those of vendors that stamp the start must be shifted before.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from errors import DataError
from feeds import option_maths, quotes
from feeds.chain import Integers
from feeds.parquet_day import LARGEST_PRICE
from feeds.sessions import Floats, Nanoseconds, Session, to_new_york
from feeds.tidy import RawRows, read_bars

CLOSE_TOLERANCE = 0.003
"""An official close farther than this from the last minute is refused (a fraction)."""

LAST_MINUTE_NS = 120_000_000_000
"""A price up to two minutes before the close may vouch for it."""


@dataclass(frozen=True, eq=False)
class Bars:
    """Bars of the underlying, rising by `ts` (end of the bar, nanoseconds UTC), dollars, [N]."""

    ts: Nanoseconds
    open: Floats
    high: Floats
    low: Floats
    close: Floats

    def of(self, session: Session) -> "Bars":
        """The bars that ended after the open and no later than the close of `session`."""
        first = np.searchsorted(self.ts, session.open_ns, side="right")
        last = np.searchsorted(self.ts, session.close_ns, side="right")
        part = slice(int(first), int(last))
        prices = (column[part] for column in (self.open, self.high, self.low, self.close))
        return Bars(self.ts[part], *prices)

    def at(self, ts: Nanoseconds) -> Floats:
        """Close of the last bar that ended at or before each of `ts`, NaN before the first."""
        index = np.searchsorted(self.ts, ts, side="right") - 1
        padded = np.append(self.close, np.nan)  # before the first bar the index is -1
        return np.asarray(padded[index])

    def move_across(self, session: Session) -> float | None:
        """Percent from the last bar before `session` to the first after, None without both."""
        before = self.close[self.ts <= session.open_ns]
        after = self.open[self.ts > session.close_ns]
        if not before.size or not after.size:
            return None
        return float(after[0] / before[-1] - 1) * 100

    @property
    def range_pct(self) -> float | None:
        """(High - low) / open in percent, None without bars."""
        if not self.ts.size:
            return None
        return float((self.high.max() - self.low.min()) / self.open[0] * 100)


@dataclass(frozen=True, slots=True)
class OfficialClose:
    """The price options settle on: dollars and where it is from, or None and why there is none."""

    price: float | None
    source: str = ""
    problem: str = ""


def load_bars(paths: Sequence[Path], underlying: str) -> Bars:
    """All bars of `underlying` in the files, by time; no bars where there is no file.

    Raises `DataError` for a file that is not tidy, a bar of another symbol, a price that is not
    above zero, and two bars with one stamp.
    """
    parts: list[tuple[Nanoseconds, Floats, Floats, Floats, Floats]] = []
    for path in paths:
        for rows in read_bars(path):
            parts.append(_checked(rows, underlying))
    if not parts:
        empty = np.empty(0)
        return Bars(np.empty(0, np.int64), empty, empty, empty, empty)
    ts, *prices = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    order = np.argsort(ts, kind="stable")
    twice = np.flatnonzero(np.diff(ts[order]) == 0)
    if twice.size:
        when = np.datetime64(int(ts[order][twice[0]]), "ns")
        raise DataError(f"{', '.join(map(str, paths))}: two bars are stamped {when} UTC")
    return Bars(ts[order], *(column[order] for column in prices))


def spot_prices(
    ts: Nanoseconds,
    quoted: Floats,
    bars: Bars,
    strikes: Integers,
    bid: Floats,
    ask: Floats,
) -> tuple[Floats, str]:
    """Spot [T] in dollars (NaN where nothing tells it) and the names of the sources used.

    The rule of the desk: the price that came with the quotes, else the last bar that ended at or
    before the snapshot, else the forward by put-call parity.

    Args:
        ts: [T] nanoseconds.
        quoted: [T] price that came with the quotes, NaN where there was none.
        bars: those of the session.
        strikes: [K] thousandths of a dollar.
        bid, ask: [T, 2, K] dollars.
    """
    spot, used = quoted.copy(), []
    if np.isfinite(spot).any():
        used.append("quotes")
    missing = np.isnan(spot)
    spot[missing] = bars.at(ts[missing])
    if np.isfinite(spot[missing]).any():
        used.append("minute bars")
    missing = np.isnan(spot)
    spot[missing] = _parity_spot(strikes / 1000, bid[missing], ask[missing])
    if np.isfinite(spot[missing]).any():
        used.append("parity forward")
    return spot, " + ".join(used)


def official_close(
    session: Session,
    bars: Bars,
    ts: Nanoseconds,
    spot: Floats,
    end_of_day: float | None = None,
) -> OfficialClose:
    """The session's official close, unadjusted, or why there is none.

    A downloaded end-of-day close, else the bar stamped at the session's close. Refused when it is
    more than 0.3 % from the last price before the close, or when the bars are that far from the
    quotes' own spot all day, as prices adjusted for dividends are. Where nothing is known of the
    last two minutes, it is taken at its word.

    Args:
        session: the trading day.
        bars: those of the session.
        ts, spot: [T] snapshots and their spot.
        end_of_day: a downloaded close, dollars.
    """
    found = _stated_close(session, bars, end_of_day)
    if found.price is None:
        return found
    away = _away_from_quotes(bars, ts, spot)
    if away > CLOSE_TOLERANCE:
        problem = f"the underlying's bars are {away:.2%} from the quotes' spot (adjusted prices?)"
        return OfficialClose(None, problem=problem)
    last = _last_minute(session, bars, ts, spot)
    if abs(found.price / last - 1) > CLOSE_TOLERANCE:
        problem = f"the official close {found.price:.2f} is too far from the last minute's"
        return OfficialClose(None, problem=f"{problem} {last:.2f}")
    return found


def _stated_close(session: Session, bars: Bars, end_of_day: float | None) -> OfficialClose:
    stamped = bars.close[bars.ts == session.close_ns]
    if end_of_day is not None:
        return OfficialClose(end_of_day, "end-of-day")
    if stamped.size:
        return OfficialClose(float(stamped[0]), "minute bar")
    return OfficialClose(None, problem=_no_close(session, bars))


def _checked(rows: RawRows, underlying: str) -> tuple[Nanoseconds, Floats, Floats, Floats, Floats]:
    for name in ("symbol", "underlying"):
        if name in rows.names:
            other = np.array([text != underlying for text in rows.texts(name).to_pylist()])
            rows.refuse_where(other, f"{name} is not {underlying}, the underlying of the quotes")
    opening, high, low, close = (rows.numbers(name) for name in ("open", "high", "low", "close"))
    prices = np.stack([opening, high, low, close])
    sound = np.all((prices > 0) & (prices < LARGEST_PRICE), axis=0)
    rows.refuse_where(np.asarray(~sound), "a price is missing, not above zero or no dollars")
    rows.refuse_where(high < low, "high is below low")
    return rows.instants(), opening, high, low, close


def _parity_spot(strikes: Floats, bid: Floats, ask: Floats) -> Floats:
    """[T] forward by parity, starting from the strike where call and put cost the same."""
    mids = quotes.mid(*quotes.clean(bid, ask))
    apart = np.abs(mids[:, 0] - mids[:, 1])
    known = np.isfinite(apart).any(axis=1)
    spot = np.full(len(apart), np.nan)
    nearest = np.where(np.isfinite(apart[known]), apart[known], np.inf).argmin(axis=1)
    spot[known] = option_maths.parity_forward(strikes[nearest], strikes, bid[known], ask[known])
    return spot


def _no_close(session: Session, bars: Bars) -> str:
    if not bars.ts.size:
        return "no official close: the underlying's bars do not cover the session"
    last = to_new_york(int(bars.ts[-1]))
    return (
        f"no official close: the underlying's last bar is stamped {last:%H:%M}, not "
        f"{session.close:%H:%M} (bars must be stamped with their end)"
    )


def _away_from_quotes(bars: Bars, ts: Nanoseconds, spot: Floats) -> float:
    """Median distance of bars from spot as a fraction, 0 where they never meet."""
    ratio = np.abs(bars.at(ts) / spot - 1)
    known = ratio[np.isfinite(ratio)]
    return float(np.median(known)) if known.size else 0.0


def _last_minute(session: Session, bars: Bars, ts: Nanoseconds, spot: Floats) -> float:
    """The last price of the two minutes before the close, NaN where there is none."""
    for instants, prices in ((bars.ts, bars.close), (ts, spot)):
        late = (instants >= session.close_ns - LAST_MINUTE_NS) & (instants < session.close_ns)
        if late.any():
            return float(prices[late][-1])
    return np.nan
