"""`/stock/...`: the underlying's quotes, trades and bars."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from feeds.sessions import NANOSECONDS_A_MINUTE, Nanoseconds
from feeds.theta_simulator.bars import bars
from feeds.theta_simulator.enquiry import Endpoint, Enquiry, grid, picked, stacked, stamped, words
from feeds.theta_simulator.formats import Table, integers, prices
from feeds.theta_simulator.option_history import BAR, END_OF_DAY, QUOTE, TRADE, at
from feeds.theta_simulator.query import LONGEST_END_OF_DAY, invalid, no_data
from feeds.theta_simulator.tape import Integers, Tape
from feeds.theta_simulator.tiers import Tier
from feeds.theta_simulator.trades import Trades, stock_trades

NASDAQ_BASIC = 29
REGULAR = 0
STOCK_SIZE = 400
NO_EXTENSION = 255
DELAY = 15 * NANOSECONDS_A_MINUTE
"""A Value subscription to stocks sees snapshots a quarter of an hour late."""


def stock_quote_columns(tape: Tape, row: Integers) -> Table:
    """The eight columns of the underlying's quote at rows; sizes are made up."""
    size = STOCK_SIZE + (row * 37) % 800
    one = np.ones(row.size, np.int64)
    return {
        "bid_size": integers(size),
        "bid_exchange": integers(one * NASDAQ_BASIC),
        "bid": prices(tape.stock_bid[row]),
        "bid_condition": integers(one * REGULAR),
        "ask_size": integers(size[::-1] if size.size > 1 else size + 1),
        "ask_exchange": integers(one * NASDAQ_BASIC),
        "ask": prices(tape.stock_ask[row]),
        "ask_condition": integers(one * REGULAR),
    }


def _rows(tape: Tape, ts: Nanoseconds) -> Integers:
    return np.maximum(np.searchsorted(tape.ts, ts, side="right") - 1, 0)


def _several(
    enquiry: Enquiry, part: Callable[[Enquiry, Tape], Table], longest: int | None = None
) -> Table:
    enquiry.symbol_is_known()
    _venue_is_known(enquiry)
    days = enquiry.query.dates() if longest is None else enquiry.query.dates(longest)
    return stacked([part(enquiry, tape) for tape in enquiry.tapes(days)])


def _venue_is_known(enquiry: Enquiry) -> None:
    if enquiry.query.values.get("venue", "nqb") not in ("nqb", "utp_cta"):
        raise invalid("venue must be nqb or utp_cta")


def _quote_part(enquiry: Enquiry, tape: Tape) -> Table:
    ts = grid(enquiry, tape)
    return picked(
        stamped("timestamp", ts) | stock_quote_columns(tape, _rows(tape, ts)), f"timestamp,{QUOTE}"
    )


def _ohlc_part(enquiry: Enquiry, tape: Tape) -> Table:
    ts = grid(enquiry, tape)
    made = stock_trades(tape)
    step = int(ts[1] - ts[0]) if ts.size > 1 else 1
    bar = bars(made, made.ts <= enquiry.now, ts, step)
    table = stamped("timestamp", ts)
    for name in ("open", "high", "low", "close", "vwap"):
        table[name] = prices(getattr(bar, name))
    table |= {"volume": integers(bar.volume), "count": integers(bar.count)}
    return picked(table, f"timestamp,{BAR},vwap")


def _trades_between(made: Trades, first: int, last: int) -> Integers:
    return np.flatnonzero((made.ts >= first) & (made.ts <= last))


def _trade_columns(made: Trades, which: Integers) -> Table:
    one = np.ones(which.size, np.int64)
    table = stamped("timestamp", made.ts[which])
    for number in range(1, 5):
        table[f"ext_condition{number}"] = integers(one * NO_EXTENSION)
    return table | {
        "sequence": integers(made.sequence[which]),
        "condition": integers(one * REGULAR),
        "size": integers(made.size[which]),
        "exchange": integers(one * NASDAQ_BASIC),
        "price": prices(made.price[which]),
    }


def _trade_part(enquiry: Enquiry, tape: Tape) -> Table:
    first, last = enquiry.query.window(tape.session.date)
    which = _trades_between(stock_trades(tape), first, min(last, enquiry.now))
    return picked(_trade_columns(stock_trades(tape), which), f"timestamp,{TRADE}")


def _trade_quote_part(enquiry: Enquiry, tape: Tape) -> Table:
    first, last = enquiry.query.window(tape.session.date)
    made = stock_trades(tape)
    which = _trades_between(made, first, min(last, enquiry.now))
    before = 1 if enquiry.query.flag("exclusive", True) else 0
    row = _rows(tape, made.ts[which] - before)
    table = _trade_columns(made, which) | stock_quote_columns(tape, row)
    table["trade_timestamp"] = table["timestamp"]
    table |= stamped("quote_timestamp", tape.ts[row])
    return picked(table, f"trade_timestamp,quote_timestamp,{TRADE},{QUOTE}")


def _end_of_day_part(enquiry: Enquiry, tape: Tape) -> Table:
    created = at(tape.session.date, END_OF_DAY)
    opening = np.array([tape.session.open_ns] if created <= enquiry.now else [], np.int64)
    made = stock_trades(tape)
    length = tape.session.close_ns - tape.session.open_ns + 1  # with the closing print
    bar = bars(made, np.ones(made.ts.size, bool), opening, length)
    table = stamped("created", np.full(opening.size, created))
    table |= stamped("last_trade", np.full(opening.size, made.ts[-1]))
    table |= {name: prices(getattr(bar, name)) for name in ("open", "high", "low", "close")}
    table |= {"volume": integers(bar.volume), "count": integers(bar.count)}
    table |= stock_quote_columns(tape, np.full(opening.size, tape.ts.size - 1))
    return picked(table, f"created,last_trade,{BAR},{QUOTE}")


def _at_time_quote_part(enquiry: Enquiry, tape: Tape) -> Table:
    ts = np.array([enquiry.query.instant("time_of_day", tape.session.date)])
    row = _rows(tape, ts[ts <= enquiry.now])
    return picked(
        stamped("timestamp", tape.ts[row]) | stock_quote_columns(tape, row), f"timestamp,{QUOTE}"
    )


def _at_time_trade_part(enquiry: Enquiry, tape: Tape) -> Table:
    until = enquiry.query.instant("time_of_day", tape.session.date)
    made = stock_trades(tape)
    last = _trades_between(made, 0, min(until, enquiry.now))[-1:]
    return picked(_trade_columns(made, last), f"timestamp,{TRADE}")


def _snapshot_tape(enquiry: Enquiry) -> tuple[Enquiry, Tape]:
    """The last remembered session, and the request at the time the subscription may see."""
    enquiry.symbol_is_known()
    _venue_is_known(enquiry)
    late = enquiry.query.tier < Tier.STANDARD
    enquiry = replace(enquiry, now=enquiry.now - DELAY) if late else enquiry
    only_today = enquiry.only_today or enquiry.query.flag("current_day_only")
    (*_, tape) = enquiry.tapes(enquiry.market.remembered(enquiry.now, only_today))
    return enquiry, tape


def _not_older(enquiry: Enquiry, ts: int) -> None:
    if "min_time" in enquiry.query.values and ts < enquiry.query.instant("min_time", enquiry.today):
        raise no_data()


def _snapshot_quote(enquiry: Enquiry) -> Table:
    enquiry, tape = _snapshot_tape(enquiry)
    row = _rows(tape, np.array([enquiry.now]))
    _not_older(enquiry, int(tape.ts[row[0]]))
    table = stamped("timestamp", tape.ts[row]) | words("symbol", [tape.symbol])
    return table | stock_quote_columns(tape, row)


def _snapshot_trade(enquiry: Enquiry) -> Table:
    enquiry, tape = _snapshot_tape(enquiry)
    made = stock_trades(tape)
    last = _trades_between(made, 0, enquiry.now)[-1:]
    if not last.size:
        raise no_data()
    _not_older(enquiry, int(made.ts[last[0]]))
    table = _trade_columns(made, last) | words("symbol", [tape.symbol])
    return picked(table, "timestamp,symbol,sequence,size,condition,price")


def _snapshot_ohlc(enquiry: Enquiry) -> Table:
    enquiry, tape = _snapshot_tape(enquiry)
    made = stock_trades(tape)
    last = _trades_between(made, 0, enquiry.now)[-1:]
    if not last.size:
        raise no_data()
    _not_older(enquiry, int(made.ts[last[0]]))
    opening = np.array([tape.session.open_ns])
    bar = bars(made, made.ts <= enquiry.now, opening, enquiry.now - tape.session.open_ns + 1)
    table = stamped("timestamp", made.ts[last]) | words("symbol", [tape.symbol])
    table |= {name: prices(getattr(bar, name)) for name in ("open", "high", "low", "close")}
    return table | {"volume": integers(bar.volume), "count": integers(bar.count)}


def _snapshot_value(enquiry: Enquiry) -> Table:
    enquiry, tape = _snapshot_tape(enquiry)
    row = _rows(tape, np.array([enquiry.now]))
    _not_older(enquiry, int(tape.ts[row[0]]))
    bid, ask = tape.stock_bid[row], tape.stock_ask[row]
    return {
        **stamped("timestamp", tape.ts[row]),
        **words("symbol", [tape.symbol]),
        "market_bid": prices(bid),
        "market_ask": prices(ask),
        "market_price": prices((bid + ask) / 2),
    }


def _history(
    name: str, tier: Tier, part: Callable[[Enquiry, Tape], Table], longest: int | None = None
) -> Endpoint:
    return Endpoint(
        f"/stock/{name}", "stock", tier, lambda enquiry: _several(enquiry, part, longest)
    )


ENDPOINTS = (
    Endpoint("/stock/snapshot/quote", "stock", Tier.VALUE, _snapshot_quote, takes_slot=False),
    Endpoint("/stock/snapshot/trade", "stock", Tier.STANDARD, _snapshot_trade, takes_slot=False),
    Endpoint("/stock/snapshot/ohlc", "stock", Tier.VALUE, _snapshot_ohlc, takes_slot=False),
    Endpoint(
        "/stock/snapshot/market_value", "stock", Tier.STANDARD, _snapshot_value, takes_slot=False
    ),
    _history("history/quote", Tier.VALUE, _quote_part),
    _history("history/ohlc", Tier.VALUE, _ohlc_part),
    _history("history/trade", Tier.STANDARD, _trade_part),
    _history("history/trade_quote", Tier.STANDARD, _trade_quote_part),
    _history("history/eod", Tier.FREE, _end_of_day_part, LONGEST_END_OF_DAY),
    _history("at_time/quote", Tier.VALUE, _at_time_quote_part, LONGEST_END_OF_DAY),
    _history("at_time/trade", Tier.STANDARD, _at_time_trade_part, LONGEST_END_OF_DAY),
)
