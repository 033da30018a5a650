"""`/option/history/...` and `/option/at_time/...` but for the Greeks."""

from collections.abc import Callable
from datetime import date, datetime, time

import numpy as np

from feeds.sessions import NEW_YORK, Nanoseconds, to_nanoseconds
from feeds.theta_simulator.bars import bars
from feeds.theta_simulator.enquiry import (
    Contracts,
    Endpoint,
    Enquiry,
    Quotes,
    chosen,
    contract_columns,
    grid,
    picked,
    quote_columns,
    quotes_at,
    refuse_large,
    stacked,
    stamped,
)
from feeds.theta_simulator.formats import Table, integers, prices
from feeds.theta_simulator.query import LONGEST_END_OF_DAY, MILLISECONDS_A_MINUTE, invalid, no_data
from feeds.theta_simulator.tape import Integers, Tape
from feeds.theta_simulator.tiers import Tier
from feeds.theta_simulator.trades import AUTO_EXECUTION, option_trades

CONTRACT = "symbol,expiration,strike,right"
QUOTE = "bid_size,bid_exchange,bid,bid_condition,ask_size,ask_exchange,ask,ask_condition"
TRADE = (
    "sequence,ext_condition1,ext_condition2,ext_condition3,ext_condition4,"
    "condition,size,exchange,price"
)
BAR = "open,high,low,close,volume,count"
END_OF_DAY = time(17, 15)
OPEN_INTEREST = time(6, 30)
NO_EXTENSION = 255

Part = Callable[[Enquiry, Tape, Contracts], Table]


def session_tapes(enquiry: Enquiry, wildcard: bool, longest: int | None = None) -> list[Tape]:
    """The sessions a history is about; contracts here live one day, that of their expiration.

    Raises `Refused` where there is none, or for a wildcard over several days.
    """
    enquiry.symbol_is_known()
    query = enquiry.query
    days = query.dates() if longest is None else query.dates(longest)
    expiration = query.expiration(wildcard)
    if expiration is None and len(days) > 1 and longest is None:
        raise invalid("expiration=* is for a single day")
    query.count("max_dte")
    wanted = days if expiration is None else [day for day in days if day == expiration]
    return enquiry.tapes(wanted)


def several(enquiry: Enquiry, part: Part, wildcard: bool, longest: int | None = None) -> Table:
    """The rows of every session and contract a history is about."""
    parts = []
    for tape in session_tapes(enquiry, wildcard, longest):
        _, last = enquiry.query.window(tape.session.date)
        parts.append(part(enquiry, tape, chosen(enquiry, tape, min(last, enquiry.now))))
    return stacked(parts)


def _quote(enquiry: Enquiry) -> Table:
    if enquiry.query.interval() == 0:
        return several(enquiry, _quote_ticks, wildcard=True)
    _one_day_below_a_minute(enquiry)
    return several(enquiry, _quote_part, wildcard=True)


def _quote_part(enquiry: Enquiry, tape: Tape, contracts: Contracts) -> Table:
    ts = grid(enquiry, tape)
    refuse_large(ts.size * contracts.k.size)
    quotes = quotes_at(enquiry, tape, ts, contracts)
    table = contract_columns(tape, contracts, ts.size)
    table |= stamped("timestamp", np.tile(ts, contracts.k.size)) | quote_columns(quotes)
    return picked(table, f"{CONTRACT},timestamp,{QUOTE}")


def _quote_ticks(enquiry: Enquiry, tape: Tape, contracts: Contracts) -> Table:
    first, last = enquiry.query.window(tape.session.date)
    last = min(last, enquiry.now)
    pairs = zip(contracts.right.tolist(), contracts.k.tolist(), strict=True)
    return stacked([_ticks_of(enquiry, tape, first, last, *pair) for pair in pairs])


def _ticks_of(enquiry: Enquiry, tape: Tape, first: int, last: int, right: int, k: int) -> Table:
    """Every quote of one contract between two instants."""
    rows = np.flatnonzero(tape.changed[:, right, k])
    ts = tape.ts[rows] if tape.lead is None else tape.ts[rows] - tape.lead[rows, right, k]
    ts = ts[(ts >= first) & (ts <= last)]
    one = Contracts(np.array([right]), np.array([k]))
    table = contract_columns(tape, one, ts.size) | stamped("timestamp", ts)
    return table | quote_columns(quotes_at(enquiry, tape, ts, one))


def _at_time_quote(enquiry: Enquiry) -> Table:
    def part(one: Enquiry, tape: Tape, contracts: Contracts) -> Table:
        ts = np.array([one.query.instant("time_of_day", tape.session.date)])
        quotes = quotes_at(one, tape, ts[ts <= one.now], contracts)
        came = stamped("timestamp", quotes.changed_at)
        each = 1 if quotes.bid.size else 0
        table = contract_columns(tape, contracts, each) | came | quote_columns(quotes)
        return picked(table, f"{CONTRACT},timestamp,{QUOTE}")

    return several(enquiry, part, wildcard=True, longest=LONGEST_END_OF_DAY)


def _ohlc(enquiry: Enquiry) -> Table:
    _one_day_below_a_minute(enquiry)
    return several(enquiry, _ohlc_part, wildcard=False)


def _ohlc_part(enquiry: Enquiry, tape: Tape, contracts: Contracts) -> Table:
    ts = grid(enquiry, tape)
    refuse_large(ts.size * contracts.k.size)
    made = option_trades(tape)
    known = made.trades.ts <= enquiry.now
    step = int(ts[1] - ts[0]) if ts.size > 1 else 1
    each = [
        bars(made.trades, known & (made.right == r) & (made.k == k), ts, step)
        for r, k in zip(*contracts, strict=True)
    ]
    table = contract_columns(tape, contracts, ts.size)
    table |= stamped("timestamp", np.tile(ts, contracts.k.size))
    for name in ("open", "high", "low", "close", "vwap"):
        table[name] = prices(np.concatenate([getattr(one, name) for one in each]))
    for name in ("volume", "count"):
        table[name] = integers(np.concatenate([getattr(one, name) for one in each]))
    return picked(table, f"{CONTRACT},timestamp,{BAR},vwap")


def trade_numbers(
    enquiry: Enquiry, tape: Tape, contracts: Contracts, first: int, last: int
) -> Integers:
    """Which trades are of the chosen contracts and between two instants (nanoseconds)."""
    made = option_trades(tape)
    mask = np.zeros((2, tape.strikes.size), bool)
    mask[contracts.right, contracts.k] = True
    ts = made.trades.ts
    return np.flatnonzero(mask[made.right, made.k] & (ts >= first) & (ts <= min(last, enquiry.now)))


def trade_columns(tape: Tape, which: Integers) -> Table:
    """Columns of trades, contract and timestamp included."""
    made = option_trades(tape)
    right, k = made.right[which], made.k[which]
    ts, price, size, sequence = (column[which] for column in made.trades)
    table = contract_columns(tape, Contracts(right, k)) | stamped("timestamp", ts)
    for number in range(1, 5):
        table[f"ext_condition{number}"] = integers(np.full(which.size, NO_EXTENSION))
    return table | {
        "sequence": integers(sequence),
        "condition": integers(np.full(which.size, AUTO_EXECUTION)),
        "size": integers(size),
        "exchange": integers(tape.exchange(right, k)),
        "price": prices(price),
    }


def _trade(enquiry: Enquiry) -> Table:
    def part(one: Enquiry, tape: Tape, contracts: Contracts) -> Table:
        window = one.query.window(tape.session.date)
        which = trade_numbers(one, tape, contracts, *window)
        return picked(trade_columns(tape, which), f"{CONTRACT},timestamp,{TRADE}")

    return several(enquiry, part, wildcard=True)


def _trade_quote(enquiry: Enquiry) -> Table:
    before = 1 if enquiry.query.flag("exclusive", True) else 0

    def part(one: Enquiry, tape: Tape, contracts: Contracts) -> Table:
        window = one.query.window(tape.session.date)
        which = trade_numbers(one, tape, contracts, *window)
        if not which.size:
            raise no_data()
        made = option_trades(tape)
        each = [
            quotes_at(one, tape, made.trades.ts[n : n + 1] - before, pair)
            for n in which.tolist()
            for pair in [Contracts(made.right[n : n + 1], made.k[n : n + 1])]
        ]
        quotes = Quotes(*(np.concatenate(part) for part in zip(*each, strict=True)))
        table = trade_columns(tape, which) | quote_columns(quotes)
        table["trade_timestamp"] = table["timestamp"]
        table |= stamped("quote_timestamp", quotes.changed_at)
        return picked(table, f"{CONTRACT},trade_timestamp,quote_timestamp,{TRADE},{QUOTE}")

    return several(enquiry, part, wildcard=True)


def _at_time_trade(enquiry: Enquiry) -> Table:
    def part(one: Enquiry, tape: Tape, contracts: Contracts) -> Table:
        until = one.query.instant("time_of_day", tape.session.date)
        last = last_of_each(tape, trade_numbers(one, tape, contracts, 0, until))
        return picked(trade_columns(tape, last), f"{CONTRACT},timestamp,{TRADE}")

    return several(enquiry, part, wildcard=True, longest=LONGEST_END_OF_DAY)


def last_of_each(tape: Tape, which: Integers) -> Integers:
    """The last trade of every contract among those of `which`, in order of time."""
    made = option_trades(tape)
    key = made.right[which] * tape.strikes.size + made.k[which]
    _, from_the_end = np.unique(key[::-1], return_index=True)
    return np.sort(which[::-1][from_the_end])


def _open_interest(enquiry: Enquiry) -> Table:
    return several(enquiry, open_interest, wildcard=True)


def open_interest(enquiry: Enquiry, tape: Tape, contracts: Contracts) -> Table:
    """Yesterday's open interest, which no source of ours has: made up, more near the money."""
    stamp = at(tape.session.date, OPEN_INTEREST)
    away = np.abs(tape.strikes[contracts.k] / 1000 - tape.spot[0])
    held = np.rint(5000 / (1 + away)).astype(np.int64) + contracts.k % 7
    table = contract_columns(tape, contracts) | stamped("timestamp", np.full(held.size, stamp))
    return table | {"open_interest": integers(held)}


def _end_of_day(enquiry: Enquiry) -> Table:
    return several(enquiry, end_of_day, wildcard=True, longest=LONGEST_END_OF_DAY)


def end_of_day(enquiry: Enquiry, tape: Tape, contracts: Contracts) -> Table:
    """The session's bar, last trade and last quote of each contract, made at 17:15."""
    created = at(tape.session.date, END_OF_DAY)
    done = created <= enquiry.now
    one = contracts if done else Contracts(contracts.right[:0], contracts.k[:0])
    opening = np.array([tape.session.open_ns])
    made = option_trades(tape)
    length = tape.session.close_ns - tape.session.open_ns
    each = [
        bars(made.trades, (made.right == r) & (made.k == k), opening, length)
        for r, k in zip(*one, strict=True)
    ]
    quotes = quotes_at(enquiry, tape, np.array([tape.session.close_ns]), one)
    table = contract_columns(tape, one) | quote_columns(quotes)
    table |= stamped("created", np.full(one.k.size, created))
    table |= stamped("last_trade", [_last_trade(tape, r, k) for r, k in zip(*one, strict=True)])
    for name in ("open", "high", "low", "close"):
        table[name] = prices([float(getattr(bar, name)[0]) for bar in each])
    for name in ("volume", "count"):
        table[name] = integers([int(getattr(bar, name)[0]) for bar in each])
    return picked(table, f"{CONTRACT},created,last_trade,{BAR},{QUOTE}")


def at(day: date, moment: time) -> int:
    """A New York time of day in nanoseconds."""
    return to_nanoseconds(datetime.combine(day, moment, NEW_YORK))


def _last_trade(tape: Tape, right: int, k: int) -> int:
    made = option_trades(tape)
    ts: Nanoseconds = made.trades.ts[(made.right == right) & (made.k == k)]
    return int(ts[-1]) if ts.size else tape.session.open_ns


def _one_day_below_a_minute(enquiry: Enquiry) -> None:
    if enquiry.query.interval() < MILLISECONDS_A_MINUTE and len(enquiry.query.dates()) > 1:
        raise invalid("intervals below 1m are for a single day")


ENDPOINTS = (
    Endpoint("/option/history/quote", "option", Tier.VALUE, _quote),
    Endpoint("/option/history/ohlc", "option", Tier.VALUE, _ohlc),
    Endpoint("/option/history/trade", "option", Tier.STANDARD, _trade),
    Endpoint("/option/history/trade_quote", "option", Tier.STANDARD, _trade_quote),
    Endpoint("/option/history/open_interest", "option", Tier.VALUE, _open_interest),
    Endpoint("/option/history/eod", "option", Tier.FREE, _end_of_day),
    Endpoint("/option/at_time/quote", "option", Tier.VALUE, _at_time_quote),
    Endpoint("/option/at_time/trade", "option", Tier.STANDARD, _at_time_trade),
)
