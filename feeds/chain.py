"""One session's option chain as arrays.

Axes: time T, right 2 (`Right`), strike K. Prices in dollars, strikes in thousandths, NaN where
there was no quote. Strategies, risk, fills and screens never see a day, only a snapshot of it
(`feeds.snapshot`).
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from feeds import option_maths, quotes
from feeds.contract import Contract, Right
from feeds.sessions import Floats, Nanoseconds, Session

Integers = npt.NDArray[np.int64]
Sizes = npt.NDArray[np.int32]


@dataclass(frozen=True, eq=False, kw_only=True)
class ChainDay:
    """A session's chain. Build it with `chain_day`, which cleans quotes and adds the close.

    Attributes:
        session: the trading day.
        underlying: its symbol.
        ts: int64 [T], nanoseconds since 1970 UTC, strictly rising, within the session. The last
            row is always the session's close.
        recorded: how many rows the source really had; T, or T - 1 where the closing row, which
            has no quotes, was added.
        spot: [T] dollars.
        underlying_bid, underlying_ask: [T] dollars, NaN where unknown.
        strikes: int64 [K], thousandths of a dollar, rising.
        bid, ask: [T, 2, K] dollars, clean (see `feeds.quotes.clean`).
        bid_size, ask_size: int32 [T, 2, K] contracts.
        official_close: dollars, or None where no source knew it.
        source: who recorded it; starts with "simulated" for the simulated market.
        spot_source, close_source: where those figures come from.
        year_convention: how time to expiry becomes years.
        flags: what a reader of results should know ("thin", "half day", ...).
    """

    session: Session
    underlying: str
    ts: Nanoseconds
    recorded: int
    spot: Floats
    underlying_bid: Floats
    underlying_ask: Floats
    strikes: Integers
    bid: Floats
    ask: Floats
    bid_size: Sizes
    ask_size: Sizes
    official_close: float | None
    source: str
    spot_source: str = "quotes"
    close_source: str = ""
    year_convention: str = "calendar"
    flags: tuple[str, ...] = ()

    def __len__(self) -> int:
        return int(self.ts.size)

    @cached_property
    def since_open(self) -> Floats:
        """[T] exact minutes since the open."""
        return self.session.minutes_since_open(self.ts)

    @cached_property
    def until_close(self) -> Floats:
        """[T] exact minutes until the close."""
        return self.session.minutes_until_close(self.ts)

    @cached_property
    def years(self) -> Floats:
        """[T] years to expiry under `year_convention`."""
        return option_maths.year_fraction(self.until_close, self.year_convention)

    @cached_property
    def forward(self) -> Floats:
        """[T] forward by put-call parity, spot where parity gives none."""
        return option_maths.parity_forward(self.spot, self.strikes / 1000, self.bid, self.ask)

    @cached_property
    def atm_index(self) -> Integers:
        """[T, 2] index of the at-the-money strike of each right, -1 where none is quoted."""
        return option_maths.atm_index(self.spot, self.strikes, self.bid, self.ask)

    @cached_property
    def atm_iv(self) -> Floats:
        """[T] mean of call and put implied volatility at the money."""
        return option_maths.atm_volatility(
            self.forward, self.strikes / 1000, self.bid, self.ask, self.years, self.atm_index
        )

    @cached_property
    def mid(self) -> Floats:
        """[T, 2, K] mids in dollars, NaN where there is none (see `feeds.quotes.mid`)."""
        return quotes.mid(self.bid, self.ask)

    @cached_property
    def strike_index(self) -> dict[int, int]:
        """Where each strike (thousandths) stands on the strike axis."""
        return {int(strike): k for k, strike in enumerate(self.strikes)}

    @cached_property
    def instants(self) -> list[tuple[int, float, float, float, float]]:
        """Per row: ts, minutes since open, minutes until close, spot, atm_iv, as plain numbers."""
        columns = (self.since_open, self.until_close, self.spot, self.atm_iv)
        return list(zip(self.ts.tolist(), *(one.tolist() for one in columns), strict=True))

    def contract(self, right: int, k: int) -> Contract:
        """The contract at an index of the right and strike axes."""
        return Contract(self.underlying, self.session.date, int(self.strikes[k]), Right(right))

    def row(self, row: int) -> "ChainDay":
        """One instant as a chain of its own (T = 1, views), without the official close."""
        one = slice(row, row + 1)
        return replace(
            self,
            ts=self.ts[one],
            recorded=1,
            spot=self.spot[one],
            underlying_bid=self.underlying_bid[one],
            underlying_ask=self.underlying_ask[one],
            bid=self.bid[one],
            ask=self.ask[one],
            bid_size=self.bid_size[one],
            ask_size=self.ask_size[one],
            official_close=None,
            flags=(),
        )


def chain_day(
    *,
    session: Session,
    underlying: str,
    ts: Nanoseconds,
    spot: Floats,
    strikes: Integers,
    bid: Floats,
    ask: Floats,
    source: str,
    official_close: float | None,
    bid_size: Sizes | None = None,
    ask_size: Sizes | None = None,
    underlying_bid: Floats | None = None,
    underlying_ask: Floats | None = None,
    spot_source: str = "quotes",
    close_source: str = "",
    year_convention: str = "calendar",
    flags: tuple[str, ...] = (),
) -> ChainDay:
    """A `ChainDay` from raw arrays (shapes as there, before the closing row is added).

    Quotes are cleaned, absent sizes are unlimited, and where the last row is not the session's
    close, a row without quotes is added there, so that every session ends at its close.
    """
    recorded = int(ts.size)
    missing = recorded == 0 or int(ts[-1]) < session.close_ns
    extra = 1 if missing else 0
    bid, ask = quotes.clean(bid, ask)
    unknown = np.full(recorded, np.nan)
    return ChainDay(
        session=session,
        underlying=underlying,
        ts=np.append(ts, session.close_ns) if missing else ts,
        recorded=recorded,
        spot=_extended(spot, extra, spot[-1] if recorded else np.nan),
        underlying_bid=_extended(unknown if underlying_bid is None else underlying_bid, extra),
        underlying_ask=_extended(unknown if underlying_ask is None else underlying_ask, extra),
        strikes=np.asarray(strikes, np.int64),
        bid=_extended(bid, extra),
        ask=_extended(ask, extra),
        bid_size=_sizes(bid_size, bid, extra),
        ask_size=_sizes(ask_size, ask, extra),
        official_close=official_close,
        source=source,
        spot_source=spot_source,
        close_source=close_source,
        year_convention=year_convention,
        flags=flags,
    )


def _extended(values: Floats, rows: int, fill: float = np.nan) -> Floats:
    """`values` with `rows` more rows of `fill` on axis 0 (memory order kept)."""
    if not rows:
        return np.asarray(values)
    shape = (values.shape[0] + rows, *values.shape[1:])
    longer = np.empty(shape[1:] + shape[:1], values.dtype)  # contracts contiguous in time
    longer = np.moveaxis(longer, -1, 0)
    longer[: values.shape[0]] = values
    longer[values.shape[0] :] = fill
    return longer


def _sizes(sizes: Sizes | None, like: Floats, extra: int) -> Sizes:
    if sizes is None:
        sizes = np.full(like.shape, quotes.UNLIMITED_SIZE, np.int32)
    return np.asarray(_extended(sizes, extra, 0), np.int32)  # type: ignore[arg-type]
