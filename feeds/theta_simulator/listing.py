"""`/option/list/...`, `/calendar/...` and `/interest_rate/...`."""

from datetime import date, timedelta

import numpy as np

from feeds.sessions import FULL_DAY_MINUTES, is_session, session_on
from feeds.theta_simulator.enquiry import (
    Contracts,
    Endpoint,
    Enquiry,
    chosen,
    contract_columns,
    stacked,
    stamped,
    words,
)
from feeds.theta_simulator.formats import Column, Table, strikes
from feeds.theta_simulator.greeks import RATE
from feeds.theta_simulator.option_history import END_OF_DAY, at
from feeds.theta_simulator.query import Refused, invalid, no_data
from feeds.theta_simulator.tiers import Tier

SATURDAY = 5


def _symbols(enquiry: Enquiry) -> Table:
    return words("symbol", [enquiry.market.symbol])


def _expirations(enquiry: Enquiry) -> Table:
    """Expirations of all sessions, those to come included, as they are listed long before."""
    enquiry.symbol_is_known()
    days = list(enquiry.market.sessions)
    return words("symbol", [enquiry.market.symbol] * len(days)) | words("expiration", days)


def _strikes(enquiry: Enquiry) -> Table:
    """Strikes of an expiration in no order; refreshed overnight, so late ones are missing."""
    enquiry.symbol_is_known()
    tape = enquiry.market.tape(enquiry.query.day("expiration"))
    if tape is None:
        raise no_data()
    k = tape.server_order
    if "late-strikes" in enquiry.spoiled:
        k = k[~tape.late[k]]
    symbol = Column([tape.symbol] * k.size, True)
    return {"symbol": symbol, "strike": strikes(tape.strikes[k])}


def _dates(enquiry: Enquiry) -> Table:
    """Dates with data: a contract here lives the one day of its expiration."""
    _request_type(enquiry)
    enquiry.symbol_is_known()
    expiration = enquiry.query.expiration(wildcard=True)
    days = enquiry.market.begun(enquiry.now)
    found = [day for day in days if expiration in (None, day)]
    if not found:
        raise no_data()
    return words("date", found)


def _stock_dates(enquiry: Enquiry) -> Table:
    _request_type(enquiry)
    enquiry.symbol_is_known()
    return words("date", enquiry.market.begun(enquiry.now))


def _contracts(enquiry: Enquiry) -> Table:
    """Contracts quoted on a date so far; in real time, so late strikes appear when they come."""
    _request_type(enquiry)
    if "symbol" in enquiry.query.values:
        enquiry.symbol_is_known()
    enquiry.query.count("max_dte")
    (tape,) = enquiry.tapes([enquiry.query.day("date")])
    contracts: Contracts = chosen(enquiry, tape, enquiry.now)
    return stacked([contract_columns(tape, contracts)])


def _request_type(enquiry: Enquiry) -> None:
    if enquiry.word not in ("trade", "quote"):
        raise invalid(f"request type must be trade or quote, not {enquiry.word}")


def _kind(day: date) -> tuple[str, str | None, str | None]:
    """Type, open and close of a date."""
    if day.weekday() >= SATURDAY:
        return "weekend", None, None
    if not is_session(day):
        return "full_close", None, None
    session = session_on(day)
    name = "open" if session.minutes == FULL_DAY_MINUTES else "early_close"
    return name, f"{session.open:%H:%M:%S}", f"{session.close:%H:%M:%S}"


def _calendar(days: list[date]) -> Table:
    kinds, opens, closes = zip(*map(_kind, days), strict=True)
    return words("type", kinds) | words("open", opens) | words("close", closes)


def _today(enquiry: Enquiry) -> Table:
    return _calendar([enquiry.today])


def _on_date(enquiry: Enquiry) -> Table:
    return _calendar([enquiry.query.day("date")])


def _year_holidays(enquiry: Enquiry) -> Table:
    """Days of a year that are no whole sessions, weekends left out."""
    year = enquiry.query.count("year")
    if year is None or not 1900 < year < 2200:
        raise invalid("year is required")
    first = date(year, 1, 1)
    days = [first + timedelta(days=n) for n in range((date(year + 1, 1, 1) - first).days)]
    special = [day for day in days if _kind(day)[0] in ("full_close", "early_close")]
    return words("date", special) | _calendar(special)


def _rate(enquiry: Enquiry) -> Table:
    """The one simulated rate in percent for each session."""
    begun = enquiry.market.begun(enquiry.now)
    days = sorted(set(begun) & set(enquiry.query.dates(longest=LONGEST_RATES)))
    if not days:
        raise Refused(472, "No data found for your request")
    created = stamped("created", np.array([at(day, END_OF_DAY) for day in days]))
    return created | {"rate": Column([f"{RATE * 100:.2f}"] * len(days), False)}


LONGEST_RATES = 3660

ENDPOINTS = (
    Endpoint("/option/list/symbols", "option", Tier.FREE, _symbols),
    Endpoint("/option/list/expirations", "option", Tier.FREE, _expirations),
    Endpoint("/option/list/strikes", "option", Tier.FREE, _strikes),
    Endpoint("/option/list/dates/{word}", "option", Tier.FREE, _dates),
    Endpoint("/option/list/contracts/{word}", "option", Tier.VALUE, _contracts),
    Endpoint("/stock/list/symbols", "stock", Tier.FREE, _symbols),
    Endpoint("/stock/list/dates/{word}", "stock", Tier.FREE, _stock_dates),
    Endpoint("/calendar/today", "any", Tier.FREE, _today),
    Endpoint("/calendar/on_date", "any", Tier.VALUE, _on_date),
    Endpoint("/calendar/year_holidays", "any", Tier.VALUE, _year_holidays),
    Endpoint("/interest_rate/history/eod", "any", Tier.FREE, _rate),
)
