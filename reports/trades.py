"""Round trips as arrays, and what else they would have earned at other fills."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt

from feeds.contract import TICK
from reports.result import Floats, Integers, SessionFacts
from vocabulary import ExitReason, RoundTrip

CLOCK_TOLERANCE = timedelta(minutes=5)
"""An entry this near to a clock's, in the same right, is the same as the clock's."""


@dataclass(frozen=True, slots=True, eq=False)
class TradeArrays:
    """Columns of n round trips: times in nanoseconds, prices in dollars, `size` in shares."""

    side: Integers
    size: Floats
    entered_ts: Integers
    exited_ts: Integers
    entry_price: Floats
    exit_price: Floats
    mid_entry: Floats
    mid_exit: Floats
    settled: npt.NDArray[np.bool_]
    fees: Floats
    net_pnl: Floats

    @property
    def net_at_mid(self) -> Floats:
        """[n] dollars after fees had every fill been at the mid."""
        prices = self.entry_price, self.exit_price
        mids = self.mid_entry, self.mid_exit
        return pnl_at_mid(self.side, self.size, *prices, *mids) - self.fees

    @property
    def net_a_tick_worse(self) -> Floats:
        """[n] dollars after fees had every fill been one tick worse."""
        prices = self.entry_price, self.exit_price
        worse = pnl_a_tick_worse(self.side, self.size, *prices, self.settled)
        return worse - self.fees


def pnl_at_mid(
    side: Integers, size: Floats, entry: Floats, exit_: Floats, mid_entry: Floats, mid_exit: Floats
) -> Floats:
    """[n] gross dollars had every fill been at the mid; a fill without a mid keeps its price.

    `side` is +1 long, -1 short, `size` shares (quantity x multiplier), prices dollars a share.
    """
    bought = np.where(np.isnan(mid_entry), entry, mid_entry)
    sold = np.where(np.isnan(mid_exit), exit_, mid_exit)
    return np.asarray(side * size * (sold - bought))


def pnl_a_tick_worse(
    side: Integers, size: Floats, entry: Floats, exit_: Floats, settled: npt.NDArray[np.bool_]
) -> Floats:
    """[n] gross dollars had every fill been one tick worse; settlement is no fill.

    Arguments as in `pnl_at_mid`. Prices stop at zero.
    """
    bought = np.maximum(entry + side * TICK, 0.0)
    sold = np.where(settled, exit_, np.maximum(exit_ - side * TICK, 0.0))
    return np.asarray(side * size * (sold - bought))


def trade_arrays(trades: Sequence[RoundTrip]) -> TradeArrays:
    """The columns of `trades`, in their order."""

    def integers(values: Iterable[int]) -> Integers:
        return np.fromiter(values, np.int64, len(trades))

    def floats(values: Iterable[float]) -> Floats:
        return np.fromiter(values, np.float64, len(trades))

    return TradeArrays(
        side=integers(trade.side for trade in trades),
        size=floats(trade.quantity * trade.contract.multiplier for trade in trades),
        entered_ts=integers(trade.entered_ts for trade in trades),
        exited_ts=integers(trade.exited_ts for trade in trades),
        entry_price=floats(trade.entry_price for trade in trades),
        exit_price=floats(trade.exit_price for trade in trades),
        mid_entry=floats(trade.mid_entry for trade in trades),
        mid_exit=floats(trade.mid_exit for trade in trades),
        settled=integers(trade.exit_reason is ExitReason.SETTLEMENT for trade in trades) > 0,
        fees=floats(trade.fees for trade in trades),
        net_pnl=floats(trade.net_pnl for trade in trades),
    )


def daily_pnl(trades: Sequence[RoundTrip], sessions: Sequence[SessionFacts]) -> Floats:
    """[sessions] net dollars of each session, zero where nothing was traded."""
    row = {session.date: number for number, session in enumerate(sessions)}
    totals = np.zeros(len(sessions))
    for trade in trades:
        totals[row[session_of(trade)]] += trade.net_pnl
    return totals


def session_of(trade: RoundTrip) -> date:
    """The session a trade belongs to: a contract of this desk expires on the day it is sold."""
    return trade.contract.expiration


def days_like_clock(trades: Sequence[RoundTrip], clock: Sequence[RoundTrip]) -> set[date]:
    """Sessions with an entry of the clock's right within five minutes of the clock's."""
    tolerance = CLOCK_TOLERANCE // timedelta(microseconds=1) * 1_000
    entries = {(session_of(trade), trade.contract.right): trade.entered_ts for trade in clock}
    alike = set()
    for trade in trades:
        entered = entries.get((session_of(trade), trade.contract.right))
        if entered is not None and abs(trade.entered_ts - entered) <= tolerance:
            alike.add(session_of(trade))
    return alike
