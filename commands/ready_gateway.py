"""The half of `check --ready` that only IB can tell: account, permissions, books, clock, drill."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from brokers.ib.account_guard import is_paper
from brokers.ib.drill import Drill
from brokers.ib.handshake import GATEWAY_10_50, server_version_of
from brokers.ib.link import IBLink
from brokers.ib.messages import READ_ONLY
from brokers.ib.records import AccountRule, Books, ErrorSeen, LinkState, OrderTicket
from errors import BrokerError
from feeds.contract import Contract, Right
from settings import Settings
from vocabulary import LiveQuote

SYMBOL = "SPY"
MOST_SKEW_SECONDS = 2.0
OWN_ORDERS = "zdte-"
"""How the references of the desk's own orders begin."""

_TICK_SECONDS = 5.0
_SPOT_SECONDS = 1.5
_WHAT_IF_LIMIT = 1.00


class Verdict(StrEnum):
    """What a check says: go, go but know this, do not trade."""

    YES = "yes"
    NOTE = "note"
    NO = "no"


@dataclass(frozen=True, slots=True)
class Check:
    """A row of the table."""

    name: str
    verdict: Verdict
    words: str


def gateway(
    settings: Settings, day: date, ask: Callable[[str], str] | None, now: Callable[[], int]
) -> list[Check]:
    """Everything that only IB can tell; ends with the first thing without which nothing works."""
    ib = settings.ib
    try:
        checks = [_version(server_version_of(ib.host, ib.port))]
    except BrokerError as error:
        return [Check("gateway", Verdict.NO, str(error))]
    try:
        with _linked(settings, now) as link:
            checks.append(_account(link))
            checks += _state(link, settings)
            checks += _options(link, settings, day, ask)
            checks.append(_skew(link))
    except BrokerError as error:
        checks.append(Check("line", Verdict.NO, str(error)))
    return checks


@contextmanager
def _linked(settings: Settings, now: Callable[[], int]) -> Iterator[IBLink]:
    """A link that is up. Raises `BrokerError` with its own words where it does not come up."""
    rule = AccountRule(settings.ib.account, settings.ib.live_account)
    link = IBLink(settings.ib, rule, lambda: None, now)
    link.start()
    try:
        deadline = time.monotonic() + 2 * settings.ib.answer_seconds
        waiting = (LinkState.CONNECTING, LinkState.DOWN)
        while link.state in waiting and time.monotonic() < deadline:
            time.sleep(0.02)
        if link.state != LinkState.UP:
            raise BrokerError(link.line)
        yield link
    finally:
        link.close()


def _version(version: int) -> Check:
    if version >= GATEWAY_10_50:
        return Check("gateway", Verdict.YES, f"speaks version {version} (10.50 or newer)")
    words = f"speaks version {version}; 10.50 speaks {GATEWAY_10_50}: update TWS or IB Gateway"
    return Check("gateway", Verdict.NO, words)


def _account(link: IBLink) -> Check:
    if is_paper(link.account):
        return Check("account", Verdict.YES, f"{link.account}, paper")
    return Check("account", Verdict.NOTE, f"{link.account} is REAL MONEY, named by --live-account")


def _skew(link: IBLink) -> Check:
    skew = link.skew_seconds
    if math.isnan(skew):
        return Check("clock", Verdict.NO, "the gateway did not tell its time")
    words = f"the gateway's clock is {skew:+.1f} s from this machine's"
    good = abs(skew) < MOST_SKEW_SECONDS
    return Check("clock", Verdict.YES if good else Verdict.NO, words)


def _state(link: IBLink, settings: Settings) -> list[Check]:
    """What the account holds and what works there: nothing, or what our own orders explain."""
    try:
        books = link.books()
    except BrokerError as error:
        return [Check("books", Verdict.NO, str(error))]
    strange = unexplained(books)
    known = [
        f"{one.order_ref} works" for one in books.orders if one.order_ref.startswith(OWN_ORDERS)
    ]
    held = [f"{one.quantity:+g} {one.contract}" for one in books.positions if one.contract]
    words = "; ".join(strange or known + held) or "no order, no position, no shares"
    verdict = Verdict.NO if strange else Verdict.NOTE if known or held else Verdict.YES
    return [Check("books", verdict, words), _funds(books, settings)]


def _funds(books: Books, settings: Settings) -> Check:
    left = books.figures.excess_liquidity
    if math.isnan(left):
        return Check("funds", Verdict.NO, "the account tells no figures in USD")
    words = (
        f"excess liquidity {left:,.0f} USD, of which {settings.ib.margin_fraction:.0%} may serve"
    )
    return Check("funds", Verdict.YES if left > 0 else Verdict.NO, words)


def unexplained(books: Books) -> list[str]:
    """What neither an order of the desk nor its executions of today explain, a line each.

    Shares are never explained: the desk trades none, so they come from an assignment.
    """
    newest: dict[str, tuple[int, Contract | None, int]] = {}
    for one in books.executions:
        ours = one.order_ref.startswith(OWN_ORDERS)
        if ours and one.revision >= newest.get(one.execution_id, (0, None, 0))[0]:
            newest[one.execution_id] = (one.revision, one.contract, one.side * one.quantity)
    traded: dict[Contract | None, int] = {}
    for _, contract, quantity in newest.values():
        traded[contract] = traded.get(contract, 0) + quantity
    strange = [
        f"order {one.order_ref or one.permanent_id} of somebody else works"
        for one in books.orders
        if not one.order_ref.startswith(OWN_ORDERS)
    ]
    for held in books.positions:
        if held.contract is None:
            assigned = held.symbol == SYMBOL and abs(held.quantity) % 100 == 0
            why = ": an assignment?" if assigned else ""
            strange.append(f"{held.quantity:+g} {held.symbol} {held.security}{why}")
        elif held.quantity != traded.get(held.contract, 0):
            strange.append(f"{held.quantity:+g} {held.contract}")
    return strange


def _options(
    link: IBLink, settings: Settings, day: date, ask: Callable[[str], str] | None
) -> list[Check]:
    """Today's options: may they be sold, does IB quote them, does an order of ours live and die?"""
    try:
        listed = link.strikes(SYMBOL, day)
    except BrokerError as error:
        return [Check("options", Verdict.NO, str(error))]
    if not listed:
        return [Check("options", Verdict.NO, f"IB lists no {SYMBOL} options that expire on {day}")]
    middle = Contract(SYMBOL, day, listed[len(listed) // 2], Right.PUT)
    quote = _quote(link, middle)
    strike = middle.strike_thousandths
    if quote is not None and not math.isnan(quote.spot):
        strike = min(listed, key=lambda one: abs(one - quote.spot * 1000))
    put, call = (Contract(SYMBOL, day, strike, right) for right in (Right.PUT, Right.CALL))
    shorts = [_short(link, one, settings) for one in (call, put)]
    return [_read_only(link), *shorts, _market_data(link, middle, quote), _drill(link, put, ask)]


def _quote(link: IBLink, contract: Contract) -> LiveQuote | None:
    """IB's quote; the spot comes a little after the prices, with the Greeks, or not at all."""
    link.watch(contract)
    quote, began, priced = None, time.monotonic(), math.inf
    while time.monotonic() < min(began + _TICK_SECONDS, priced + _SPOT_SECONDS):
        quote = link.quote(contract)
        if quote is not None and (quote.age_seconds == math.inf or not math.isnan(quote.spot)):
            break
        if quote is not None and not math.isnan(quote.ask):
            priced = min(priced, time.monotonic())
        time.sleep(0.02)
    link.unwatch(contract)
    return quote


def _market_data(link: IBLink, contract: Contract, quote: LiveQuote | None) -> Check:
    """Live or delayed; IB's quotes only stand in for exits, so their absence is a note."""
    if quote is not None and quote.age_seconds < math.inf and not math.isnan(quote.ask):
        return Check("IB quotes", Verdict.YES, f"live: {contract} {quote.bid:.2f}/{quote.ask:.2f}")
    told = [
        f"{one.code}: {one.message}"
        for one in link.drain()
        if isinstance(one, ErrorSeen) and str(contract) in one.message
    ]
    delayed = quote is not None and quote.age_seconds == math.inf
    words = "delayed or refused" if delayed else f"none within {_TICK_SECONDS:g} s"
    return Check("IB quotes", Verdict.NOTE, "; ".join([words, *told]))


def _read_only(link: IBLink) -> Check:
    if link.is_read_only:
        return Check("read-only", Verdict.NO, READ_ONLY)
    return Check("read-only", Verdict.YES, "the API may place orders")


def _short(link: IBLink, contract: Contract, settings: Settings) -> Check:
    """Whether one contract may be sold short, by a what-if that places nothing."""
    name = f"short {contract.right.name.lower()}"
    ticket = OrderTicket(f"{OWN_ORDERS}ready", contract, -1, 1, _WHAT_IF_LIMIT)
    try:
        impact = link.what_if(ticket)
    except BrokerError as error:
        return Check(name, Verdict.NO, str(error))
    if impact.refused:
        return Check(name, Verdict.NO, f"{contract}: IB says {impact.refused}")
    words = f"{contract}: allowed, initial margin {impact.initial_change:,.0f} USD"
    return Check(name, Verdict.YES, words)


def _drill(link: IBLink, contract: Contract, ask: Callable[[str], str] | None) -> Check:
    """Send, change, cancel, look; only on paper, and only when the person says y."""
    if not is_paper(link.account):
        return Check("drill", Verdict.NOTE, "not on real money")
    question = f"drill: bid 0.01 for 1 {contract} on {link.account}, change it, cancel it? (y/n): "
    if ask is None or ask(question).strip().lower() != "y":
        return Check("drill", Verdict.NOTE, "not done")
    try:
        return Check("drill", Verdict.YES, "; ".join(Drill(link, contract).run()))
    except BrokerError as error:
        return Check("drill", Verdict.NO, str(error))
