"""`/option/snapshot/...` but for the Greeks: the last of everything at or before market now."""

import numpy as np

from feeds.theta_simulator.bars import bars
from feeds.theta_simulator.enquiry import (
    Contracts,
    Endpoint,
    Enquiry,
    chosen,
    contract_columns,
    picked,
    quote_columns,
    quotes_at,
    stacked,
    stamped,
)
from feeds.theta_simulator.formats import Column, Table, instant, integers, prices
from feeds.theta_simulator.option_history import (
    BAR,
    CONTRACT,
    QUOTE,
    TRADE,
    Part,
    last_of_each,
    open_interest,
    trade_columns,
    trade_numbers,
)
from feeds.theta_simulator.query import Refused, no_data
from feeds.theta_simulator.tape import Tape
from feeds.theta_simulator.tiers import Tier
from feeds.theta_simulator.trades import option_trades


def snapshot(enquiry: Enquiry, part: Part, wildcard: bool = True) -> Table:
    """The rows that `part` gives for every remembered session asked for, less what is too old.

    Raises `Refused` (no data) where none is left.
    """
    enquiry.symbol_is_known()
    expiration, query = enquiry.query.expiration(wildcard), enquiry.query
    only_today = enquiry.only_today or query.flag("current_day_only")
    longest = query.count("max_dte")
    parts = []
    for day in enquiry.market.remembered(enquiry.now, only_today):
        # No contract has expired yet where max_dte counts its days.
        if day == expiration or (expiration is None and (longest is None or day == enquiry.today)):
            for tape in enquiry.tapes([day]):
                parts.append(_unless_none(enquiry, part, tape))
    found = [one for one in parts if one]
    if not found:
        raise no_data()
    return _not_older(enquiry, stacked(found))


def _unless_none(enquiry: Enquiry, part: Part, tape: Tape) -> Table:
    try:
        return part(enquiry, tape, chosen(enquiry, tape, enquiry.now))
    except Refused as refused:
        if refused.status != no_data().status:
            raise
        return {}


def _not_older(enquiry: Enquiry, table: Table) -> Table:
    """Without the rows older than `min_time` of the market's day."""
    if "min_time" not in enquiry.query.values:
        return table
    least = instant(enquiry.query.instant("min_time", enquiry.today))
    kept = [row for row, when in enumerate(table["timestamp"].texts) if when >= least]
    if not kept:
        raise no_data()
    return {
        name: Column([column.texts[row] for row in kept], column.quoted)
        for name, column in table.items()
    }


def _quote_part(enquiry: Enquiry, tape: Tape, contracts: Contracts) -> Table:
    quotes = quotes_at(enquiry, tape, np.array([enquiry.now]), contracts)
    table = contract_columns(tape, contracts) | quote_columns(quotes)
    table |= stamped("timestamp", quotes.changed_at)
    return picked(table, f"timestamp,{CONTRACT},{QUOTE}")


def _value_part(enquiry: Enquiry, tape: Tape, contracts: Contracts) -> Table:
    """What the vendor's "market value" is, is not told; here bid, ask and mid."""
    quotes = quotes_at(enquiry, tape, np.array([enquiry.now]), contracts)
    return {
        **stamped("timestamp", quotes.changed_at),
        **contract_columns(tape, contracts),
        "market_bid": prices(quotes.bid),
        "market_ask": prices(quotes.ask),
        "market_price": prices((quotes.bid + quotes.ask) / 2),
    }


def _traded(enquiry: Enquiry, tape: Tape, contracts: Contracts) -> np.ndarray:
    """The last trade of every contract that traded, in order of time."""
    which = trade_numbers(enquiry, tape, contracts, tape.session.open_ns, enquiry.now)
    if not which.size:
        raise no_data()
    return last_of_each(tape, which)


def _trade_part(enquiry: Enquiry, tape: Tape, contracts: Contracts) -> Table:
    table = trade_columns(tape, _traded(enquiry, tape, contracts))
    return picked(table, f"{CONTRACT},timestamp,{TRADE}")


def _ohlc_part(enquiry: Enquiry, tape: Tape, contracts: Contracts) -> Table:
    """The session's bar so far of every contract that traded."""
    last, made = _traded(enquiry, tape, contracts), option_trades(tape)
    one = Contracts(made.right[last], made.k[last])
    known = made.trades.ts <= enquiry.now
    opening, length = np.array([tape.session.open_ns]), tape.session.close_ns - tape.session.open_ns
    each = [
        bars(made.trades, known & (made.right == r) & (made.k == k), opening, length)
        for r, k in zip(*one, strict=True)
    ]
    table = contract_columns(tape, one) | stamped("timestamp", made.trades.ts[last])
    for name in ("open", "high", "low", "close"):
        table[name] = prices([float(getattr(bar, name)[0]) for bar in each])
    for name in ("volume", "count"):
        table[name] = integers([int(getattr(bar, name)[0]) for bar in each])
    return picked(table, f"timestamp,{CONTRACT},{BAR}")


def _open_interest_part(enquiry: Enquiry, tape: Tape, contracts: Contracts) -> Table:
    table = open_interest(enquiry, tape, contracts)
    return picked(table, f"timestamp,{CONTRACT},open_interest")


def _quote(enquiry: Enquiry) -> Table:
    return snapshot(enquiry, _quote_part)


def _market_value(enquiry: Enquiry) -> Table:
    return snapshot(enquiry, _value_part)


def _trade(enquiry: Enquiry) -> Table:
    return snapshot(enquiry, _trade_part, wildcard=False)


def _ohlc(enquiry: Enquiry) -> Table:
    return snapshot(enquiry, _ohlc_part)


def _open_interest(enquiry: Enquiry) -> Table:
    return snapshot(enquiry, _open_interest_part)


ENDPOINTS = (
    Endpoint("/option/snapshot/quote", "option", Tier.VALUE, _quote, takes_slot=False),
    Endpoint("/option/snapshot/ohlc", "option", Tier.VALUE, _ohlc, takes_slot=False),
    Endpoint("/option/snapshot/trade", "option", Tier.STANDARD, _trade, takes_slot=False),
    Endpoint(
        "/option/snapshot/open_interest", "option", Tier.VALUE, _open_interest, takes_slot=False
    ),
    Endpoint(
        "/option/snapshot/market_value", "option", Tier.STANDARD, _market_value, takes_slot=False
    ),
)
