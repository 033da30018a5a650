"""One request: what it may see, and which contracts it is about."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from feeds.contract import Right
from feeds.sessions import NANOSECONDS_A_MINUTE, Floats, Nanoseconds, to_new_york
from feeds.theta_simulator.formats import (
    Column,
    Table,
    instants,
    integers,
    prices,
    strikes,
    text,
)
from feeds.theta_simulator.market import Market
from feeds.theta_simulator.query import Query, Refused, invalid, no_data
from feeds.theta_simulator.tape import MILLISECOND, Sides, Tape
from feeds.theta_simulator.tiers import Tier

Integers = npt.NDArray[np.int64]

LARGEST_ROWS = 1_000_000
"""More rows than this are refused: the vendor's advice is to stay below about a million."""

AFTER_THE_CLOSE = 15 * NANOSECONDS_A_MINUTE
"""Options on SPY quote a quarter of an hour longer than the stock trades."""

NATIONAL_BEST = 50
SPOILED_EVERY = 3
CROSSED_BY = 0.05


@dataclass(frozen=True, slots=True)
class Enquiry:
    """A request and what the terminal knows when it comes.

    Attributes:
        market: the sessions.
        query: its parameters.
        now: market time in nanoseconds; what a delayed or stale snapshot takes for now is earlier.
        only_today: snapshots forget at midnight (else they remember seven days).
        word: the last part of the path where that is a parameter: trade or quote.
        spoiled: faults of the data that are on: crossed, zero, late-strikes.
    """

    market: Market
    query: Query
    now: int
    only_today: bool = False
    word: str = ""
    spoiled: frozenset[str] = frozenset()

    @property
    def today(self) -> date:
        """The market's date in New York."""
        return to_new_york(self.now).date()

    def symbol_is_known(self) -> None:
        """Raises `Refused` (no data) unless the request is about the underlying of the source."""
        if self.market.symbol not in self.query.symbols() and "*" not in self.query.symbols():
            raise no_data()

    def tapes(self, days: Iterable[date]) -> list[Tape]:
        """The sessions of `days` that have begun. Raises `Refused` where there is none."""
        wanted = set(days)
        begun = (day for day in self.market.begun(self.now) if day in wanted)
        found = [tape for day in begun if (tape := self.market.tape(day)) is not None]
        if not found:
            raise no_data()
        return found


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A path below /v3, who may call it, whether it takes a slot, and its answer."""

    path: str
    asset: str
    tier: Tier
    answer: Callable[[Enquiry], Table]
    takes_slot: bool = True


class Contracts(NamedTuple):
    """Chosen contracts of a session: indices on the right and strike axes, [N] each."""

    right: Integers
    k: Integers


def chosen(enquiry: Enquiry, tape: Tape, at: int) -> Contracts:
    """The contracts that strike, right and strike_range ask for, in the server's order.

    `at` (nanoseconds) is the instant whose spot `strike_range` goes round, and whose listing
    counts. Raises `Refused` (no data) where there is none.
    """
    query, k = enquiry.query, tape.server_order
    wanted, reach = query.strike(), query.count("strike_range")
    if wanted is not None:
        k = k[tape.strikes[k] == wanted]
    if reach is not None:
        spot = tape.spot[max(tape.row_at(at), 0)]
        nearest = int(np.abs(tape.strikes / 1000 - spot).argmin())
        k = k[np.abs(k - nearest) <= reach]
    if "late-strikes" in enquiry.spoiled and at < tape.noon():
        k = k[~tape.late[k]]
    rights = np.array(query.rights())
    if not k.size:
        raise no_data()
    return Contracts(np.tile(rights, k.size), np.repeat(k, rights.size))


def refuse_large(count: int) -> None:
    """Raises `Refused` (570) where an answer would have more rows than the terminal gives."""
    if count > LARGEST_ROWS:
        raise Refused(570, f"Request too large: {count} rows, at most {LARGEST_ROWS}")


def contract_columns(tape: Tape, contracts: Contracts, each: int = 1) -> Table:
    """symbol, expiration, strike, right, each contract `each` times in a row."""
    k, right = np.repeat(contracts.k, each), np.repeat(contracts.right, each)
    return {
        "symbol": Column([tape.symbol] * k.size, True),
        "expiration": Column([str(tape.session.date)] * k.size, True),
        "strike": strikes(tape.strikes[k]),
        "right": Column([Right(one).name for one in right.tolist()], True),
    }


class Quotes(NamedTuple):
    """Quotes of contracts [N] at instants [G], all arrays [N x G], a contract's rows together."""

    bid: Floats
    ask: Floats
    bid_size: Integers
    ask_size: Integers
    exchange: Integers
    changed_at: Nanoseconds


def quotes_at(enquiry: Enquiry, tape: Tape, ts: Nanoseconds, contracts: Contracts) -> Quotes:
    """The last quote at or before each of `ts` [G], spoiled as the faults say."""
    right, k = contracts
    row = np.maximum(tape.rows_at(ts, right, k), 0)
    changed_at = tape.changed_at(row, right, k)
    sides = tape.sides(row, right, k)
    if "late-strikes" in enquiry.spoiled:
        unlisted = tape.late[k] & (ts < tape.noon())[:, None]
        for side in sides:
            side[unlisted] = 0
    sides = spoiled(enquiry.spoiled, k, sides)
    exchange = np.broadcast_to(tape.exchange(right, k), row.shape)
    return Quotes(
        bid=sides.bid.T.reshape(-1),
        ask=sides.ask.T.reshape(-1),
        bid_size=sides.bid_size.T.reshape(-1),
        ask_size=sides.ask_size.T.reshape(-1),
        exchange=exchange.T.reshape(-1),
        changed_at=changed_at.T.reshape(-1),
    )


def spoiled(faults: frozenset[str], k: Integers, sides: Sides) -> Sides:
    """Quotes with those of every third strike crossed or zero; arrays [..., N] for strikes [N]."""
    hit = k % SPOILED_EVERY == 0
    bid, ask, bid_size, ask_size = sides
    if "crossed" in faults:
        bid = np.where(hit & (ask > 0), ask + CROSSED_BY, bid)
        bid_size = np.where(hit & (ask > 0), np.maximum(bid_size, 1), bid_size)
    if "zero" in faults:
        bid, ask = np.where(hit, 0.0, bid), np.where(hit, 0.0, ask)
        bid_size, ask_size = np.where(hit, 0, bid_size), np.where(hit, 0, ask_size)
    return Sides(bid, ask, bid_size, ask_size)


def quote_columns(quotes: Quotes) -> Table:
    """The eight columns of a quote."""
    condition = np.full(quotes.bid.size, NATIONAL_BEST)
    return {
        "bid_size": integers(quotes.bid_size),
        "bid_exchange": integers(quotes.exchange),
        "bid": prices(quotes.bid),
        "bid_condition": integers(condition),
        "ask_size": integers(quotes.ask_size),
        "ask_exchange": integers(quotes.exchange),
        "ask": prices(quotes.ask),
        "ask_condition": integers(condition),
    }


def grid(enquiry: Enquiry, tape: Tape) -> Nanoseconds:
    """[G] the instants that interval, start_time and end_time name, none later than now."""
    first, last = enquiry.query.window(tape.session.date)
    last = min(last, enquiry.now, tape.session.close_ns + AFTER_THE_CLOSE)
    step = enquiry.query.interval() * MILLISECOND
    if not step:
        raise invalid("interval=tick is not supported here")
    refuse_large(max(0, last - first) // step)
    return np.arange(first, last + 1, step, dtype=np.int64)


def stacked(parts: list[Table]) -> Table:
    """Tables of equal columns, one below the other. Raises `Refused` where there is no row."""
    table = {
        name: Column([one for part in parts for one in part[name].texts], column.quoted)
        for name, column in parts[0].items()
    }
    count = len(next(iter(table.values())).texts)
    refuse_large(count)
    if not count:
        raise no_data()
    return table


def picked(table: Table, names: str) -> Table:
    """The columns of a comma-separated list, in its order."""
    return {name: table[name] for name in names.split(",")}


def stamped(name: str, ts: npt.ArrayLike) -> Table:
    """One column of instants (nanoseconds)."""
    return {name: instants(ts)}


def words(name: str, values: Iterable[object]) -> Table:
    """One column of words."""
    return {name: text(values)}
