"""Requests for what is: orders, executions, positions, accounts, contracts, quotes, time."""

import time
from collections.abc import Callable
from datetime import datetime
from math import isnan

from brokers.ib_gateway import messages
from brokers.ib_gateway.catalogue import VENUES, ContractQuery
from brokers.ib_gateway.core import Core
from brokers.ib_gateway.line import Line, Subscription
from brokers.ib_gateway.order_reading import read_contract
from brokers.ib_gateway.records import GatewayExecution, GatewayOrder, Instrument
from brokers.ib_gateway.trading import NO_DEFINITION, READ_ONLY
from brokers.ib_gateway.wire import Fields
from feeds.sessions import to_new_york

LIVE_TICKS = {"bid": (1, 0), "ask": (2, 3)}
DELAYED_TICKS = {"bid": (66, 69), "ask": (67, 70)}
"""Tick types of the price and of the size."""


class Answers:
    """Each method answers one kind of request; the message is still whole."""

    def __init__(self, core: Core, market_time: bool) -> None:
        """`market_time`: reqCurrentTime tells the market's time, else the wall clock's."""
        self._core = core
        self._market_time = market_time

    def current_time(self, line: Line, message: tuple[str, ...]) -> None:
        """Whole seconds since 1970."""
        market = self._core.market.now() // 1_000_000_000
        line.send((49, 1, market if self._market_time else int(time.time())))

    def managed_accounts(self, line: Line, message: tuple[str, ...] = ()) -> None:
        """The accounts behind the gateway."""
        line.send((15, 1, ",".join(self._core.names)))

    def next_order_id(self, line: Line, message: tuple[str, ...] = ()) -> None:
        """The lowest id that this client may use."""
        line.send((9, 1, self._core.ledger.next_order_id(line.client_id)))

    def open_orders(self, line: Line, message: tuple[str, ...]) -> None:
        """This client's own; client 0 also those of a person."""
        self._open_orders(line, lambda one: one.client_id == line.client_id)

    def all_open_orders(self, line: Line, message: tuple[str, ...]) -> None:
        """Everybody's, as of now."""
        self._open_orders(line, lambda one: True)

    def completed_orders(self, line: Line, message: tuple[str, ...]) -> None:
        """Those that ended on the market's day, by anybody (apiOnly: not by a person)."""
        if self._core.cut_off:
            return
        api_only = Fields(message[1:]).flag()
        today = self._core.market.session.date
        for order in self._core.ledger.orders.values():
            ended = not order.alive and to_new_york(order.ended_ts).date() == today
            if ended and (order.order_id or not api_only):
                one = self._core.catalogue.of(order.con_id)
                line.send(messages.completed_order(order, one, line.version))
        line.send((102,))

    def executions(self, line: Line, message: tuple[str, ...]) -> None:
        """Those of the market's day that the filter allows, each with its commission."""
        if self._core.cut_off:
            return
        fields = Fields(message)
        fields.skip(2)
        request, client, account = fields.integer(), fields.integer(), fields.text()
        since, symbol, security = fields.text(), fields.text(), fields.text()
        fields.skip(1)
        side = fields.text()
        wanted = (client, account, symbol, security, side[:1].upper())
        found = [one for one in self._todays(since) if self._allows(one, wanted)]
        for one in found:
            line.send(self._core.announcer.execution(request, one))
        line.send((55, 1, request))
        for one in found if "no-commission" not in self._core.faults else []:
            line.send(messages.commission_report(one))

    def positions(self, line: Line, message: tuple[str, ...]) -> None:
        """All holdings of all accounts, and their changes from now on."""
        if self._core.cut_off:
            return
        line.wants_positions = True
        for account in self._core.names:
            for con_id, held in self._core.ledger.holdings.get(account, {}).items():
                line.send(messages.position(account, self._core.catalogue.of(con_id), held))
        line.send((62, 1))

    def cancel_positions(self, line: Line, message: tuple[str, ...]) -> None:
        """No more changes."""
        line.wants_positions = False

    def account_updates(self, line: Line, message: tuple[str, ...]) -> None:
        """Figures and holdings of an account, and their changes from now on."""
        fields = Fields(message)
        fields.skip(2)
        subscribe, account = fields.flag(), fields.text() or self._core.names[0]
        line.account = account if subscribe else ""
        if not subscribe or self._core.cut_off or account not in self._core.names:
            return
        self._core.announcer.account_values(line, account)
        for con_id, held in self._core.ledger.holdings.get(account, {}).items():
            one, mark = self._core.catalogue.of(con_id), self._core.accounts.mark(con_id)
            line.send(messages.portfolio(account, one, held, mark))
        line.send((8, 1, f"{to_new_york(self._core.market.now()):%H:%M}"))
        line.send((54, 1, account))

    def account_updates_multi(self, line: Line, message: tuple[str, ...]) -> None:
        """Figures of an account, once."""
        fields = Fields(message)
        fields.skip(2)
        request, account = fields.integer(), fields.text()
        if self._core.cut_off:
            return
        for name in [account] if account in self._core.names else self._core.names:
            for tag, dollars in self._core.accounts.values(name):
                line.send((73, 1, request, name, "", tag, dollars, "USD"))
        line.send((74, 1, request))

    def account_summary(self, line: Line, message: tuple[str, ...]) -> None:
        """The tags asked for, of all accounts, once."""
        fields = Fields(message)
        fields.skip(2)
        request = fields.integer()
        fields.skip(1)
        tags = fields.text().split(",")
        if self._core.cut_off:
            return
        for name in self._core.names:
            for tag, dollars in self._core.accounts.values(name):
                if tag in tags:
                    line.send((63, 1, request, name, tag, dollars, "USD"))
        line.send((64, 1, request))

    def contract_details(self, line: Line, message: tuple[str, ...]) -> None:
        """Every instrument that fits; without an exchange one answer a venue."""
        fields = Fields(message)
        fields.skip(2)
        request, query = fields.integer(), read_contract(fields)
        found = self._core.catalogue.find(query)
        if not found:
            line.send(messages.error(request, 200, NO_DEFINITION, line.version))
            return
        session, shares = self._core.market.session, self._core.catalogue.shares
        for one in found:
            for venue in [query.exchange] if query.exchange else VENUES:
                told = (request, one, venue, session, shares, line.version)
                line.send(messages.contract_details(*told))
        line.send((52, 1, request))

    def market_rule(self, line: Line, message: tuple[str, ...]) -> None:
        """One cent from zero up."""
        line.send((93, Fields(message[1:]).integer(), 1, 0, 0.01))

    def option_parameters(self, line: Line, message: tuple[str, ...]) -> None:
        """Expirations and strikes of the underlying's options."""
        fields = Fields(message)
        fields.skip(1)
        request, symbol = fields.integer(), fields.text()
        shares, session = self._core.catalogue.shares, self._core.market.session
        days = self._core.catalogue.expirations()
        if symbol == shares.symbol and days:
            strikes = [one / 1000 for one in self._core.market.strikes(session.date)]
            head = (75, request, "SMART", shares.con_id, shares.symbol, 100)
            line.send((*head, len(days), *days, len(strikes), *strikes))
        line.send((76, request))

    def market_data_type(self, line: Line, message: tuple[str, ...]) -> None:
        """Live (1, 2) or delayed (3, 4) from now on."""
        line.data_type = int(message[2] or 1)

    def market_data(self, line: Line, message: tuple[str, ...]) -> None:
        """Quotes of an instrument from now on, or once."""
        fields = Fields(message)
        fields.skip(2)
        request, query = fields.integer(), read_contract(fields)
        fields.skip(2)  # delta neutral, generic ticks
        instrument = self._one(query)
        if instrument is None:
            line.send(messages.error(request, 200, NO_DEFINITION, line.version))
            return
        if self._core.faults.strikes("354"):
            words = "Requested market data is not subscribed."
            line.send(messages.error(request, 354, words, line.version))
            return
        line.subscriptions[request] = Subscription(instrument, fields.flag())
        self._begin(line, request)

    def cancel_market_data(self, line: Line, message: tuple[str, ...]) -> None:
        """No more quotes of a request."""
        line.subscriptions.pop(int(message[2]), None)

    def tell_quotes(self, line: Line) -> None:
        """What changed of the quotes that a client listens to."""
        for request, one in list(line.subscriptions.items()):
            self._tell_quote(line, request, one)

    def _begin(self, line: Line, request: int) -> None:
        delayed = "delayed" in self._core.faults
        if delayed:
            words = "Requested market data is not subscribed. Displaying delayed market data."
            line.send(messages.error(request, 10167, words, line.version))
        line.send((58, 1, request, 3 if delayed else 1))
        line.send((81, request, 0.01, "9c0001", 3))
        one = line.subscriptions[request]
        self._tell_quote(line, request, one)
        if one.snapshot:
            line.send((57, 1, request))
            del line.subscriptions[request]

    def _tell_quote(self, line: Line, request: int, one: Subscription) -> None:
        contract = one.instrument.contract
        spot = self._core.market.spot()
        quote = (spot, spot, 100, 100) if contract is None else self._core.market.quote(contract)
        ticks = DELAYED_TICKS if "delayed" in self._core.faults else LIVE_TICKS
        for side, name in enumerate(("bid", "ask")):
            price, size = float(quote[side]), quote[side + 2]
            told = (-1.0, 0) if isnan(price) else (price, int(size))
            kind, size_kind = ticks[name]
            if one.told.get(kind) != told:
                one.told[kind] = told
                line.send((1, 6, request, kind, *told, 1))
                line.send((2, 6, request, size_kind, told[1]))

    def _open_orders(self, line: Line, wanted: Callable[[GatewayOrder], bool]) -> None:
        if self._core.cut_off:
            return
        if "read-only" in self._core.faults:
            line.send(messages.error(-1, 321, READ_ONLY, line.version))
            return
        for order in self._core.book.working:
            if wanted(order):
                line.send(self._core.announcer.open_order(order, line.version))
                line.send(messages.order_status(order))
        line.send((53, 1))

    def _todays(self, since: str) -> list[GatewayExecution]:
        day = self._core.market.session.date.isoformat()
        return [
            one
            for one in self._core.ledger.executions
            if one.day == day and (not since or _moment(one.ts) >= since.replace("-", " ")[:17])
        ]

    def _allows(self, one: GatewayExecution, wanted: tuple[int, str, str, str, str]) -> bool:
        instrument = self._core.catalogue.of(one.con_id)
        side = "B" if one.side > 0 else "S"
        is_ = (one.client_id, one.account, instrument.symbol, instrument.security, side)
        return all(not w or w == i for w, i in zip(wanted, is_, strict=True))

    def _one(self, query: ContractQuery) -> Instrument | None:
        found = self._core.catalogue.find(query)
        return found[0] if len(found) == 1 else None


def _moment(ts: int) -> str:
    moment: datetime = to_new_york(ts)
    return f"{moment:%Y%m%d %H:%M:%S}"
