"""One session from Theta: its quotes, what the underlying cost, put together and checked."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

import numpy as np

from errors import DataError, MalformedAnswerError, NoSubscriptionError, TooLargeError
from feeds.assembling import AssembledSession, assemble_session
from feeds.chain import ChainDay
from feeds.data_quality import PARITY_STRIKES, SessionQuality
from feeds.parquet_day import off_cent
from feeds.sessions import NANOSECONDS_A_MINUTE, Floats, Nanoseconds, Session
from feeds.source import SkippedSession
from feeds.spill import QUOTE, Quotes, to_cents
from feeds.theta.rest import ThetaRest
from feeds.theta.tables import OptionGreeks, OptionQuotes, StockBars
from feeds.underlying import Bars

SOURCE = "downloaded"
NO_DATA = "no data at Theta"
"""Why a session is skipped that Theta has nothing of; it is not asked for again."""

SMALLEST_WINDOW = timedelta(minutes=15)
"""A request for less than this is not split any more."""

FEWEST_CONTRACTS = 4
MOST_MINUTES_LEFT = 61.0
"""Snapshots end at the close, or an hour before where they are an hour apart."""

PRICE_AGE_NS = 5 * NANOSECONDS_A_MINUTE
"""A price of the underlying older than this is not that of the snapshot."""


@dataclass(frozen=True, slots=True)
class DayPrices:
    """What Theta says of the underlying's whole day: the close in dollars, the range in percent."""

    close: float
    range_pct: float | None


@dataclass(frozen=True, slots=True)
class SessionOutcome:
    """A session as it came: put together, or skipped and why; `dropped` counts quotes by reason."""

    session: Session
    found: AssembledSession | None = None
    skipped: SkippedSession | None = None
    dropped: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class SessionReader:
    """Asks for sessions one at a time, from any number of threads.

    Attributes:
        rest: the terminal.
        symbol: the underlying.
        interval: spacing of the snapshots, `1m` say, and the same as `spacing`.
        days: official prices by date.
        close_from_last_quote, time_exit_minutes: as in `feeds.assembling.assemble_session`.
        bars_allowed, volatilities_allowed: turn False when the account is refused them.
    """

    rest: ThetaRest
    symbol: str
    interval: str
    spacing: timedelta
    days: Mapping[date, DayPrices]
    close_from_last_quote: bool = False
    time_exit_minutes: float = 15.0
    bars_allowed: bool = True
    volatilities_allowed: bool = True

    def read(self, session: Session) -> SessionOutcome:
        """The session, or why there is none. Raises `FeedError` where asking on makes no sense."""
        dropped: Counter[str] = Counter()
        try:
            rows = self._rows(session, dropped)
            if not rows.size:
                return self._skipped(session, NO_DATA, dropped)
            rows["spot"] = self._spot(session, rows)
            found = self._assembled(session, rows)
        except (MalformedAnswerError, TooLargeError, DataError) as error:
            return self._skipped(session, str(error), dropped)
        if found.unpriced:
            dropped["nothing tells the price of the underlying"] += found.unpriced
        return SessionOutcome(session, found, None, dropped)

    def _skipped(self, session: Session, reason: str, dropped: Counter[str]) -> SessionOutcome:
        prices = self.days.get(session.date)
        ranged = None if prices is None else prices.range_pct
        skipped = SkippedSession(session.date, reason, ranged)
        return SessionOutcome(session, None, skipped, dropped)

    def _assembled(self, session: Session, rows: Quotes) -> AssembledSession:
        prices = self.days.get(session.date)
        found = assemble_session(
            session,
            self.symbol,
            rows,
            self._bars(session),
            source=SOURCE,
            end_of_day=None if prices is None else prices.close,
            close_from_last_quote=self.close_from_last_quote,
            time_exit_minutes=self.time_exit_minutes,
        )
        fault = unsound(found.day, found.quality)
        if fault:
            raise DataError(fault)
        return found

    # --- Quotes ----------------------------------------------------------------------------------

    def _rows(self, session: Session, dropped: Counter[str]) -> Quotes:
        """The usable quotes of the session by time, right and strike, each once."""
        parts = self._quotes(session, "both", session.open, session.close)
        for part in parts:
            _refuse_cut(part)
        rows = np.concatenate([_quote_rows(part) for part in parts])
        broken = np.concatenate([off_cent(part.bid) | off_cent(part.ask) for part in parts])
        outside = (rows["ts"] < session.open_ns) | (rows["ts"] > session.close_ns)
        dropped.update(_counted("outside the session", outside))
        dropped.update(_counted("a price is no whole number of cents", broken & ~outside))
        rows = rows[~outside & ~broken]
        rows = rows[np.lexsort([rows[name] for name in ("strike", "right", "ts")])]
        twice = np.zeros(rows.size, bool)
        names = ("ts", "strike", "right")
        twice[1:] = np.all([rows[name][1:] == rows[name][:-1] for name in names], axis=0)
        dropped.update(_counted("the same quote twice", twice))
        return np.asarray(rows[~twice])

    def _quotes(
        self, session: Session, right: str, start: datetime, end: datetime
    ) -> list[OptionQuotes]:
        """Quotes of the session in as many parts as Theta wants."""
        try:
            whole = self.rest.history_quotes(
                self.symbol, session.date, self.interval, start.time(), end.time(), right=right
            )
        except TooLargeError:
            halves = _halves(right, start, end, self.spacing)
            if not halves:
                raise
            return [part for half in halves for part in self._quotes(session, *half)]
        return [whole]

    # --- The underlying --------------------------------------------------------------------------

    def _spot(self, session: Session, rows: Quotes) -> Floats:
        """[N] the price Theta made its volatilities with, NaN where it is not told.

        One option in the middle of the chain tells it for all: the others repeat it.
        """
        if not self.volatilities_allowed:
            return np.full(rows.size, np.nan)
        strikes = np.unique(rows["strike"])
        middle = int(strikes[strikes.size // 2])
        window = session.open.time(), session.close.time()
        try:
            told = self.rest.history_volatilities(
                self.symbol, session.date, self.interval, *window, strike=middle, right="call"
            )
        except NoSubscriptionError:
            self.volatilities_allowed = False
            return np.full(rows.size, np.nan)
        return _prices_at(np.asarray(rows["ts"]), told)

    def _bars(self, session: Session) -> Bars:
        """Minute bars of the session stamped with their end, none where they are not allowed."""
        empty = np.empty(0)
        none = Bars(np.empty(0, np.int64), empty, empty, empty, empty)
        if not self.bars_allowed:
            return none
        window = session.open.time(), session.close.time()
        try:
            table = self.rest.stock_bars(self.symbol, session.date, "1m", *window)
        except NoSubscriptionError:
            self.bars_allowed = False
            return none
        return ended_bars(table).of(session)


def unsound(day: ChainDay, quality: SessionQuality) -> str:
    """Why a session must not enter the store, or nothing.

    Gaps and thin sessions are told of and kept, as those of other sources are.
    """
    if quality.contracts < FEWEST_CONTRACTS or quality.snapshots < 2:
        return f"only {quality.contracts} contracts at {quality.snapshots} instants"
    if not np.isfinite(day.mid).any():
        return "not one option has a market"
    left = float(day.until_close[day.recorded - 1])
    if left > MOST_MINUTES_LEFT:
        return f"it ends {left:.0f} minutes before the close"
    looked_at = quality.snapshots * min(2 * PARITY_STRIKES + 1, day.strikes.size)
    if quality.parity_breaks > looked_at / 2:
        return "calls and puts contradict each other (put-call parity) most of the day"
    return ""


def _refuse_cut(part: OptionQuotes) -> None:
    """Raise `MalformedAnswerError` where the last contract ends before the others do.

    Each contract comes whole, from the first instant to the last, so that this is how an answer
    looks that a proxy cut between two rows.
    """
    if len(part) and part.ts[-1] < part.ts.max():
        raise MalformedAnswerError("the quotes of the last contract are cut short")


def _quote_rows(table: OptionQuotes) -> Quotes:
    rows = np.zeros(len(table), QUOTE)
    rows["ts"], rows["strike"], rows["right"] = table.ts, table.strike, table.right
    rows["bid"], rows["ask"] = to_cents(table.bid), to_cents(table.ask)
    rows["bid_size"], rows["ask_size"] = table.bid_size, table.ask_size
    rows["spot"] = np.nan
    return rows


def _counted(reason: str, bad: "np.ndarray[tuple[int], np.dtype[np.bool_]]") -> dict[str, int]:
    return {reason: int(bad.sum())} if bad.any() else {}


def _halves(
    right: str, start: datetime, end: datetime, spacing: timedelta
) -> list[tuple[str, datetime, datetime]]:
    """The request in two: by right, then by time; nothing where it is small enough."""
    if right == "both":
        return [("call", start, end), ("put", start, end)]
    if end - start < SMALLEST_WINDOW or end - start < 2 * spacing:
        return []
    middle = start + (end - start) // spacing // 2 * spacing
    return [(right, start, middle), (right, middle + spacing, end)]


def _prices_at(ts: Nanoseconds, told: OptionGreeks) -> Floats:
    """[N] the underlying's price at each of `ts`, NaN where none is told or it is of another time.

    A price stamped after its row would be a look ahead.
    """
    age = told.ts - told.underlying_ts
    price = np.where((age >= 0) & (age <= PRICE_AGE_NS), told.underlying_price, np.nan)
    order = np.argsort(told.ts, kind="stable")
    known, price = told.ts[order], price[order]
    if not known.size:
        return np.full(ts.size, np.nan)
    place = np.minimum(np.searchsorted(known, ts), known.size - 1)
    return np.where(known[place] == ts, price[place], np.nan)


def ended_bars(table: StockBars) -> Bars:
    """Theta's minute bars by time, stamped with their end; those without a trade are left out."""
    traded = np.isfinite(table.close)
    order = np.flatnonzero(traded)[np.argsort(table.ts[traded], kind="stable")]
    ends = table.ts[order] + NANOSECONDS_A_MINUTE
    opening, high, low = table.open[order], table.high[order], table.low[order]
    return Bars(ends, opening, high, low, table.close[order])
