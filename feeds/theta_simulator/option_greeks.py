"""`/option/snapshot/greeks/...` and `/option/history/greeks/...`."""

from collections.abc import Callable
from functools import partial

import numpy as np

from feeds.contract import Right
from feeds.sessions import Nanoseconds
from feeds.theta_simulator.enquiry import (
    Contracts,
    Endpoint,
    Enquiry,
    Quotes,
    contract_columns,
    grid,
    picked,
    quotes_at,
    refuse_large,
    stamped,
)
from feeds.theta_simulator.formats import Table, prices, truncated
from feeds.theta_simulator.greeks import Question, Terms, all_greeks, implied
from feeds.theta_simulator.option_history import (
    CONTRACT,
    QUOTE,
    end_of_day,
    several,
)
from feeds.theta_simulator.option_snapshot import snapshot
from feeds.theta_simulator.query import LONGEST_END_OF_DAY
from feeds.theta_simulator.tape import MILLISECOND, Tape
from feeds.theta_simulator.tiers import Tier

FIRST = "delta,theta,vega,rho,epsilon,lambda"
SECOND = "gamma,vanna,charm,vomma,veta"
HIGHER = "vera,speed,zomma,color,ultima,d1,d2,dual_delta,dual_gamma"
SOLUTION = "implied_vol,iv_error,underlying_timestamp,underlying_price"
EVERY = f"{FIRST},{SECOND},{HIGHER},{SOLUTION}"
FLAVOURS = {
    "first_order": (Tier.STANDARD, f"{FIRST},{SOLUTION}"),
    "second_order": (Tier.PRO, f"{SECOND},{SOLUTION}"),
    "all": (Tier.PRO, EVERY),
}


def _question(
    enquiry: Enquiry, tape: Tape, ts: Nanoseconds, contracts: Contracts, price: np.ndarray
) -> tuple[Question, Nanoseconds]:
    """The options of contracts [N] at instants [G] as [N x G], and when the underlying traded."""
    terms = Terms.of(enquiry.query)
    row = np.maximum(np.searchsorted(tape.ts, ts, side="right") - 1, 0)
    each, count = ts.size, contracts.k.size
    spot = tape.spot[row] if terms.stock_price is None else np.full(each, terms.stock_price)
    question = Question(
        price=price,
        spot=np.tile(spot, count),
        strike=np.repeat(tape.strikes[contracts.k] / 1000, each),
        years=np.tile(terms.years(tape.session.close_ns - ts), count),
        is_call=np.repeat(contracts.right == Right.CALL, each),
    )
    return question, np.tile(np.minimum(tape.ts[row], ts), count)


def _mid(quotes: Quotes) -> np.ndarray:
    """Mid of the quote; 0 where a side is missing."""
    return np.where(quotes.ask > 0, (quotes.bid + quotes.ask) / 2, 0.0)


def _greek_columns(
    enquiry: Enquiry, tape: Tape, ts: Nanoseconds, contracts: Contracts, quotes: Quotes
) -> Table:
    question, traded = _question(enquiry, tape, ts, contracts, _mid(quotes))
    greeks = all_greeks(question, Terms.of(enquiry.query))
    return (
        {name: truncated(values) for name, values in greeks.items()}
        | stamped("underlying_timestamp", traded)
        | {"underlying_price": prices(question.spot)}
        | {"bid": prices(quotes.bid), "ask": prices(quotes.ask)}
    )


def _snapshot_part(names: str, enquiry: Enquiry, tape: Tape, contracts: Contracts) -> Table:
    now = np.array([enquiry.now])
    quotes = quotes_at(enquiry, tape, now, contracts)
    table = contract_columns(tape, contracts) | stamped("timestamp", quotes.changed_at)
    table |= _greek_columns(enquiry, tape, now, contracts, quotes)
    return picked(table, f"{CONTRACT},timestamp,bid,ask,{names}")


def _history_part(names: str, enquiry: Enquiry, tape: Tape, contracts: Contracts) -> Table:
    ts = grid(enquiry, tape)
    refuse_large(ts.size * contracts.k.size)
    quotes = quotes_at(enquiry, tape, ts, contracts)
    table = contract_columns(tape, contracts, ts.size)
    table |= stamped("timestamp", np.tile(ts, contracts.k.size))
    table |= _greek_columns(enquiry, tape, ts, contracts, quotes)
    return picked(table, f"{CONTRACT},timestamp,bid,ask,{names}")


def _volatility_part(enquiry: Enquiry, tape: Tape, contracts: Contracts) -> Table:
    """History has a volatility for bid, mid and ask; snapshots for the mid alone."""
    ts = grid(enquiry, tape)
    refuse_large(ts.size * contracts.k.size)
    quotes, terms = quotes_at(enquiry, tape, ts, contracts), Terms.of(enquiry.query)
    question, traded = _question(enquiry, tape, ts, contracts, _mid(quotes))
    middle, error = implied(question, terms)
    table = contract_columns(tape, contracts, ts.size)
    table |= stamped("timestamp", np.tile(ts, contracts.k.size))
    return table | {
        "bid": prices(quotes.bid),
        "bid_implied_vol": truncated(implied(question._replace(price=quotes.bid), terms)[0]),
        "midpoint": prices(question.price),
        "implied_vol": truncated(middle),
        "ask": prices(quotes.ask),
        "ask_implied_vol": truncated(implied(question._replace(price=quotes.ask), terms)[0]),
        "iv_error": truncated(error),
        **stamped("underlying_timestamp", traded),
        "underlying_price": prices(question.spot),
    }


def _end_of_day_part(enquiry: Enquiry, tape: Tape, contracts: Contracts) -> Table:
    """The end-of-day row with the Greeks of the last quote before the close."""
    table = end_of_day(enquiry, tape, contracts)
    one = contracts if table["created"].texts else Contracts(contracts.right[:0], contracts.k[:0])
    last = np.array([tape.session.close_ns - MILLISECOND])
    quotes = quotes_at(enquiry, tape, last, one)
    table["timestamp"] = table["created"]
    table |= {k: v for k, v in _greek_columns(enquiry, tape, last, one, quotes).items()}
    bar = "open,high,low,close,volume,count"
    return picked(table, f"{CONTRACT},timestamp,{bar},{QUOTE},{EVERY}")


def _by_snapshot(names: str, enquiry: Enquiry) -> Table:
    return snapshot(enquiry, partial(_snapshot_part, names))


def _by_history(names: str, enquiry: Enquiry) -> Table:
    return several(enquiry, partial(_history_part, names), wildcard=False)


def _volatilities(enquiry: Enquiry) -> Table:
    return several(enquiry, _volatility_part, wildcard=False)


def _end_of_day(enquiry: Enquiry) -> Table:
    return several(enquiry, _end_of_day_part, wildcard=True, longest=LONGEST_END_OF_DAY)


def _endpoint(kind: str, flavour: str, tier: Tier, answer: Callable[[Enquiry], Table]) -> Endpoint:
    path = f"/option/{kind}/greeks/{flavour}"
    return Endpoint(path, "option", tier, answer, takes_slot=kind == "history")


ENDPOINTS = (
    *(
        _endpoint("snapshot", flavour, tier, partial(_by_snapshot, names))
        for flavour, (tier, names) in FLAVOURS.items()
    ),
    *(
        _endpoint("history", flavour, tier, partial(_by_history, names))
        for flavour, (tier, names) in FLAVOURS.items()
    ),
    _endpoint("snapshot", "implied_volatility", Tier.STANDARD, partial(_by_snapshot, SOLUTION)),
    _endpoint("history", "implied_volatility", Tier.STANDARD, _volatilities),
    _endpoint("history", "eod", Tier.STANDARD, _end_of_day),
)
