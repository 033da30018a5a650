"""What the decisions of one session can ever reach: a few contracts of the whole chain.

A contract is kept where the strike rule names it at a decision row at which the market allows a
sale. Its quotes are kept at every snapshot, because exits are watched on all of them.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from errors import DataError
from feeds import quotes
from feeds.chain import ChainDay, Integers, Sizes
from feeds.option_maths import chain_greeks
from feeds.quotes import is_last_minute
from feeds.sessions import Floats, Nanoseconds, Session
from settings import Settings
from strategies import rules
from strategies.events import Event, is_blocked
from strategies.strikes import RIGHT_SIGNS, strike_indices

NO_CONTRACT = -1
NO_ROW = np.iinfo(np.int32).max
"""A row that never comes."""
AFTER_THE_END = np.iinfo(np.int64).max
"""A time that never comes."""


class Reachable(NamedTuple):
    """One session's part of `SessionArrays`; names and units as there, without axis D."""

    session: Session
    ts: Nanoseconds
    spot: Floats
    closing_row: int
    last_minute_row: int
    time_exit_row: int
    time_exit_ts: int
    official_close: float
    decisions: int
    decision_row: Integers
    slot: Integers
    clock: Floats
    market_refusal: npt.NDArray[np.int8]
    contract: npt.NDArray[np.int32]
    margin: Floats
    strike_thousandths: Integers
    right: Integers
    bid: Floats
    ask: Floats
    bid_size: Sizes
    ask_size: Sizes
    hedge: npt.NDArray[np.float32]


def reachable(day: ChainDay, settings: Settings, events: list[Event], hedge: bool) -> Reachable:
    """The part of a chain that matters, under the rules, strike and events of `settings`.

    `hedge` asks for the gains of the contracts' deltas too. Raises `DataError` where the official
    close is not known.
    """
    if day.official_close is None:
        raise DataError("the official close is not known")
    rows, slot = decision_rows(day, settings.rules.decision_minutes)
    chosen = strike_indices(settings.rules.strike, day)[rows]
    refusal, margin = _market(day, rows, chosen, settings, events)
    sellable = refusal == rules.Refusal.NONE
    sold = [np.unique(chosen[sellable[:, right], right]) for right in (0, 1)]
    right, strike = np.repeat([0, 1], [len(k) for k in sold]), np.concatenate(sold)
    time_exit_ts, time_exit_row = _time_exit(day, settings)
    columns = day.since_open, day.until_close, day.spot, day.atm_iv
    return Reachable(
        session=day.session,
        ts=day.ts,
        spot=day.spot,
        closing_row=len(day) - 1,
        last_minute_row=int(is_last_minute(day.until_close).argmax()),
        time_exit_row=time_exit_row,
        time_exit_ts=time_exit_ts,
        official_close=day.official_close,
        decisions=len(rows),
        decision_row=rows,
        slot=slot,
        clock=np.stack([column[rows] for column in columns], axis=-1),
        market_refusal=refusal,
        contract=_numbers(chosen, sellable, sold),
        margin=np.where(sellable, margin, 0.0),
        strike_thousandths=day.strikes[strike],
        right=right,
        bid=day.bid[:, right, strike].T,
        ask=day.ask[:, right, strike].T,
        bid_size=day.bid_size[:, right, strike].T,
        ask_size=day.ask_size[:, right, strike].T,
        hedge=_hedge(day, right, strike) if hedge else np.empty((len(right), 0), np.float32),
    )


def decision_rows(day: ChainDay, decision_minutes: float) -> tuple[Integers, Integers]:
    """Rows at which a policy is asked, and their slots: the first row of each slot.

    Nothing is decided in the last minute, so the closing row is never among them.
    """
    slots = (day.since_open // decision_minutes).astype(np.int64)
    is_first = np.diff(slots, prepend=-1) > 0
    rows = np.flatnonzero(is_first & ~is_last_minute(day.until_close))
    return rows, slots[rows]


def _market(
    day: ChainDay, rows: Integers, chosen: Integers, settings: Settings, events: list[Event]
) -> tuple[npt.NDArray[np.int8], Floats]:
    """What the market alone says to a sale [M, 2], and the margin of one contract [M, 2]."""
    where = rows[:, None], np.arange(2), chosen
    bid = np.where(chosen >= 0, day.bid[where], np.nan)
    ask = np.where(chosen >= 0, day.ask[where], np.nan)
    since_open, until_close = day.since_open[rows, None], day.until_close[rows, None]
    blocked = is_blocked(day.ts[rows], events)[:, None]
    refusal = rules.market_refusal(since_open, until_close, blocked, bid, ask, settings.rules)
    strike, spot = day.strikes[chosen] / 1000, day.spot[rows, None]
    premium = quotes.mid(bid, ask)
    margin = rules.margin(RIGHT_SIGNS, strike, 1, spot, premium, settings.rules.margin)
    return refusal.astype(np.int8), margin


def _time_exit(day: ChainDay, settings: Settings) -> tuple[int, int]:
    """The time of the time exit and the first row at or after it; never when it is off."""
    if settings.rules.hold_to_expiry:
        return AFTER_THE_END, NO_ROW
    ts = rules.time_exit_ts(day.session.close_ns, settings.rules)
    return ts, int(np.searchsorted(day.ts, ts))


def _numbers(
    chosen: Integers, sellable: npt.NDArray[np.bool_], sold: list[Integers]
) -> npt.NDArray[np.int32]:
    """[M, 2] number of the chosen contract within the session, -1 where it cannot be sold."""
    first = (0, len(sold[0]))
    numbers = [first[right] + np.searchsorted(sold[right], chosen[:, right]) for right in (0, 1)]
    return np.where(sellable, np.stack(numbers, axis=-1), NO_CONTRACT).astype(np.int32)


def _hedge(day: ChainDay, right: Integers, strike: Integers) -> npt.NDArray[np.float32]:
    """[contracts, T] dollars a share that holding each contract's delta gained since the open."""
    some, place = np.unique(strike, return_inverse=True)
    bid, ask = day.bid[:, :, some], day.ask[:, :, some]
    greeks = chain_greeks(day.forward, day.strikes[some] / 1000, bid, ask, day.years)
    delta = _known_before(greeks.delta[:, right, place].T)
    path = np.append(day.spot[:-1], np.array([day.official_close], float))
    return np.cumsum(delta * np.diff(path, prepend=path[0]), axis=1).astype(np.float32)


def _known_before(values: Floats) -> Floats:
    """[n, T] the last figure before each column that is not NaN; 0 where there was none."""
    earlier = np.concatenate((np.zeros((len(values), 1)), values[:, :-1]), axis=1)
    column = np.where(np.isnan(earlier), 0, np.arange(earlier.shape[1]))
    return np.take_along_axis(earlier, np.maximum.accumulate(column, axis=1), axis=1)
