"""Orders against the market: fills, stops, the end of the day. Knows no client and no socket.

A limit order that arrives (or is changed) and is marketable trades at the other side's price, up to
its size; what stays is resting and trades at its own limit once the market comes to it. A quote's
size is spent until the quote changes. Stops trigger as IB documents its methods (a sale: the ask at
or below the price), then become market orders.
"""

from dataclasses import replace
from math import isnan, nan
from typing import Protocol

from brokers.ib_gateway.catalogue import Catalogue
from brokers.ib_gateway.clearing import Clearing, Moved
from brokers.ib_gateway.faults import Faults
from brokers.ib_gateway.ledger import Ledger
from brokers.ib_gateway.market import NO_QUOTE, GatewayMarket, Quote
from brokers.ib_gateway.records import GatewayExecution, GatewayOrder, OrderTerms, Status
from brokers.ib_gateway.stops import StopWatch
from feeds.contract import TICK
from feeds.sessions import is_session, session_on, to_new_york
from settings import FillSettings

MARKETABLE = 1e-9


class Listener(Protocol):
    """Who is told what happens in the book."""

    def accepted(self, order: GatewayOrder) -> None:
        """A new order works, or is held."""

    def changed(self, order: GatewayOrder) -> None:
        """Its terms or status changed."""

    def filled(self, order: GatewayOrder, execution: GatewayExecution) -> None:
        """It traded."""

    def cancelled(self, order: GatewayOrder) -> None:
        """It was cancelled on request, or at the close."""

    def corrected(self, execution: GatewayExecution) -> None:
        """An execution has a new revision."""

    def position_changed(self, account: str, con_id: int) -> None:
        """A holding changed."""


class Book:
    """The orders and holdings of all accounts."""

    def __init__(
        self,
        ledger: Ledger,
        market: GatewayMarket,
        catalogue: Catalogue,
        listener: Listener,
        fees: FillSettings,
        faults: Faults,
    ) -> None:
        """`fees` are the commissions; `faults` may hold back, shorten and correct fills."""
        self._ledger, self._market, self._catalogue = ledger, market, catalogue
        self._listener = listener
        self._clearing = Clearing(ledger, market, catalogue, fees)
        self._faults = faults
        self._stops = StopWatch(ledger)
        self._spent: dict[int, tuple[Quote, dict[int, int]]] = {}

    @property
    def working(self) -> list[GatewayOrder]:
        """Alive and transmitted, oldest first."""
        orders = self._ledger.orders.values()
        return [one for one in orders if one.alive and one.terms.transmit]

    @property
    def is_open(self) -> bool:
        """Whether the exchange trades now."""
        session = self._market.session
        return session.open_ns <= self._market.now() < session.close_ns

    def place(
        self, client_id: int, order_id: int, account: str, con_id: int, terms: OrderTerms
    ) -> GatewayOrder:
        """A new order into the book; it may fill before this returns."""
        order = self.enter(client_id, order_id, account, con_id, terms)
        if terms.transmit:
            self._listener.accepted(order)
            self._attempt(order)
        return self._ledger.orders[order.permanent_id]

    def enter(
        self, client_id: int, order_id: int, account: str, con_id: int, terms: OrderTerms
    ) -> GatewayOrder:
        """A new order that nobody was told of and that has not met the market yet."""
        order = GatewayOrder(
            permanent_id=self._ledger.permanent_id(),
            client_id=client_id,
            order_id=order_id,
            account=account,
            con_id=con_id,
            terms=terms,
            status=self._first_status(terms),
            placed_ts=self._market.now(),
        )
        self._keep(order)
        return order

    def modify(self, order: GatewayOrder, terms: OrderTerms) -> None:
        """Other terms for a living order; it comes to the market anew."""
        first = terms.transmit and not order.terms.transmit
        fresh = order.terms.order_type != terms.order_type or order.terms.stop != terms.stop
        triggered = order.triggered and not fresh
        changed = replace(order, terms=terms, resting=False, triggered=triggered)
        if not triggered:
            changed = replace(changed, status=self._first_status(terms))
        self._stops.forget(order.permanent_id)
        if changed.remaining <= 0:
            self._end(changed, Status.FILLED, f"Filled Size: {changed.filled}")
            return
        self._keep(changed)
        if terms.transmit:
            (self._listener.accepted if first else self._listener.changed)(changed)
            self._attempt(changed)

    def cancel(self, order: GatewayOrder, reason: str = "Cancelled by Trader") -> None:
        """End a living order."""
        self._end(order, Status.CANCELLED, reason, told=False)
        if order.terms.transmit:
            self._listener.cancelled(self._ledger.orders[order.permanent_id])

    def reject(self, order: GatewayOrder, reason: str) -> GatewayOrder:
        """End an order as Inactive without a word; returns it as it is now."""
        return self._end(order, Status.INACTIVE, reason, told=False)

    def match(self) -> None:
        """Let every working order meet the market as it is now."""
        for order in self.working:
            self._attempt(order)

    def close_day(self, expiry_ns: int) -> None:
        """Lapse what is good for the day after the close; expire options `expiry_ns` later."""
        now, session = self._market.now(), self._market.session
        for order in self.working:
            if order.terms.tif == "DAY" and self._day_is_over(order.placed_ts):
                self.cancel(order, "Expired at the close")
        self._moved(self._clearing.expired(now >= session.close_ns + expiry_ns))

    def fill(self, order: GatewayOrder, quantity: int, price: float) -> GatewayExecution:
        """`quantity` of a living order trades at `price`."""
        done = order.filled + quantity >= order.terms.quantity
        order = replace(
            order,
            filled=order.filled + quantity,
            spent=order.spent + quantity * price,
            last_price=price,
        )
        if done:
            order = self._ended(order, Status.FILLED, f"Filled Size: {order.filled}")
        self._ledger.orders[order.permanent_id] = order
        execution = self._clearing.booked(order, quantity, price)
        self._ledger.save()
        self._listener.filled(order, execution)
        self._listener.position_changed(order.account, order.con_id)
        if self._faults.strikes("corrected"):
            return self.correct(execution, round(price + execution.side * TICK, 2))
        return execution

    def correct(self, execution: GatewayExecution, price: float) -> GatewayExecution:
        """The same trade at another price, as a new revision."""
        better = self._clearing.corrected(execution, price)
        self._ledger.save()
        self._listener.corrected(better)
        self._listener.position_changed(better.account, better.con_id)
        return better

    def assign(self, account: str, con_id: int) -> None:
        """Exercise or assignment of all that is held of an option: shares at the strike."""
        self._moved(self._clearing.assigned(account, con_id))

    def _moved(self, holdings: Moved) -> None:
        if holdings:
            self._ledger.save()
        for account, con_id in holdings:
            self._listener.position_changed(account, con_id)

    def _first_status(self, terms: OrderTerms) -> Status:
        held = terms.order_type.startswith("STP") or not self.is_open
        return Status.PRE_SUBMITTED if held else Status.SUBMITTED

    def _attempt(self, order: GatewayOrder) -> None:
        if not self.is_open:
            return
        quote = self._quote(order.con_id)
        if order.terms.order_type.startswith("STP") and not order.triggered:
            if not self._stops.triggers(order, quote):
                return
            order = replace(order, triggered=True, status=Status.SUBMITTED)
            self._keep(order)
            self._listener.changed(order)
        elif order.status is Status.PRE_SUBMITTED:
            order = replace(order, status=Status.SUBMITTED)
            self._keep(order)
            self._listener.changed(order)
        self._trade(order, quote)

    def _trade(self, order: GatewayOrder, quote: Quote) -> None:
        price = self._price(order, quote)
        size = 0 if price is None else min(order.remaining, self._available(order, quote))
        if "held" in self._faults or ("one-lot" in self._faults and order.filled):
            size = 0
        size = min(size, 1) if "one-lot" in self._faults else size
        if price is not None and size > 0:
            self._spend(order, quote, size)
            self.fill(order, size, price)
        order = self._ledger.orders[order.permanent_id]
        if order.alive and not order.resting:
            self._keep(replace(order, resting=True))

    def _price(self, order: GatewayOrder, quote: Quote) -> float | None:
        side, limit = order.terms.side, order.terms.limit
        natural = quote[1] if side > 0 else quote[0]
        if isnan(natural) or natural <= 0:
            return None
        if order.terms.order_type in ("MKT", "STP") or limit is None:
            return natural
        if side * (natural - limit) > MARKETABLE:
            return None
        return limit if order.resting else natural

    def _quote(self, con_id: int) -> Quote:
        contract = self._catalogue.of(con_id).contract
        if contract is None:
            return NO_QUOTE
        bid, ask, bid_size, ask_size = self._market.quote(contract)
        return _price(bid), _price(ask), bid_size, ask_size

    def _available(self, order: GatewayOrder, quote: Quote) -> int:
        seen, spent = self._spent.get(order.con_id, (quote, {}))
        size = quote[3] if order.terms.side > 0 else quote[2]
        return size - (spent.get(order.terms.side, 0) if seen == quote else 0)

    def _spend(self, order: GatewayOrder, quote: Quote, quantity: int) -> None:
        seen, spent = self._spent.get(order.con_id, (quote, {}))
        spent = dict(spent) if seen == quote else {}
        spent[order.terms.side] = spent.get(order.terms.side, 0) + quantity
        self._spent[order.con_id] = (quote, spent)

    def _day_is_over(self, placed_ts: int) -> bool:
        """Whether the first close after `placed_ts` has passed."""
        session = self._market.session
        if placed_ts >= session.close_ns or self._market.now() >= session.close_ns:
            return placed_ts < session.close_ns
        day = to_new_york(placed_ts).date()
        return day < session.date and is_session(day) and placed_ts < session_on(day).close_ns

    def _end(
        self, order: GatewayOrder, status: Status, reason: str, told: bool = True
    ) -> GatewayOrder:
        ended = self._ended(order, status, reason)
        self._stops.forget(order.permanent_id)
        self._keep(ended)
        if told:
            self._listener.changed(ended)
        return ended

    def _ended(self, order: GatewayOrder, status: Status, reason: str) -> GatewayOrder:
        return replace(order, status=status, ended=reason, ended_ts=self._market.now())

    def _keep(self, order: GatewayOrder) -> None:
        self._ledger.orders[order.permanent_id] = order
        self._ledger.save()


def _price(dollars: float) -> float:
    """Rounded beyond all ticks; always the same NaN, so that equal quotes are equal."""
    return nan if isnan(dollars) else round(dollars, 6)
