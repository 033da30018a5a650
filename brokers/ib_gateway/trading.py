"""placeOrder, cancelOrder and reqGlobalCancel: what is taken, refused, and how."""

from dataclasses import replace
from decimal import Decimal
from math import isfinite

from brokers.fills import order_fee
from brokers.ib_gateway import messages
from brokers.ib_gateway.announcer import MARGIN_WORDS
from brokers.ib_gateway.core import Core
from brokers.ib_gateway.line import Line
from brokers.ib_gateway.order_reading import PlaceOrder, read_order
from brokers.ib_gateway.records import GatewayOrder, Instrument, Status
from brokers.ib_gateway.wire import Fields
from feeds.contract import TICK

INVALID = "Error validating request.-'bW' : cause - "
READ_ONLY = f"{INVALID}The API interface is currently in Read-Only mode."
DUPLICATE = "Duplicate order id"
NO_DEFINITION = "No security definition has been found for the request"
CONFLICT = "Parameters in request conflicts with contract parameters received by contract id"
METHODS = frozenset({0, 1, 2, 3, 4, 7, 8})

MODIFY_FAULTS = {
    "modify-201": (201, "Order rejected - reason:The order cannot be changed now."),
    "modify-105": (105, "Order being modified does not match original order."),
    "modify-110": (110, "The price does not conform to the minimum price variation."),
    "modify-2102": (2102, "Unable to modify this order as it is still being processed."),
}


class Refusal(Exception):
    """An order that is not taken: `code` and words."""

    def __init__(self, code: int, words: str) -> None:
        """An error code of IB and its text."""
        super().__init__(words)
        self.code, self.words = code, words


class Trading:
    """Orders as they come in over a line."""

    def __init__(self, core: Core) -> None:
        """Into the book of `core`."""
        self._core = core

    def place(self, line: Line, message: tuple[str, ...]) -> None:
        """A new order, a change of one, or the question what one would need."""
        asked = read_order(message)
        if self._core.cut_off and not asked.what_if:
            return  # IB is lost, and the order with it
        try:
            self._place(line, asked)
        except Refusal as no:
            line.send(messages.error(asked.order_id, no.code, no.words, line.version))

    def cancel(self, line: Line, message: tuple[str, ...]) -> None:
        """End an order, or say why not."""
        fields = Fields(message)
        fields.skip(2)
        order_id = fields.integer()
        if self._core.cut_off or self._core.faults.strikes("cancel-ignored"):
            return
        order = self._core.ledger.order(line.client_id, order_id)
        code, words = self._cancel_refusal(order_id, order)
        if code:
            line.send(messages.error(order_id, code, words, line.version))
        elif order is not None:
            self._core.book.cancel(order)

    def cancel_all(self, line: Line, message: tuple[str, ...]) -> None:
        """End every order of every client."""
        if not self._core.cut_off:
            for order in self._core.book.working:
                self._core.book.cancel(order)

    def _place(self, line: Line, asked: PlaceOrder) -> None:
        core = self._core
        if core.faults.strikes("read-only"):
            raise Refusal(321, READ_ONLY)
        if asked.unsupported:
            raise Refusal(321, f"{INVALID}{asked.unsupported} is not simulated")
        account, instrument = self._account(asked), self._instrument(asked)
        self._check(asked, instrument)
        old = core.ledger.order(line.client_id, asked.order_id)
        if asked.what_if:
            self._what_if(line, asked, account, instrument)
        elif old is None:
            self._new(line, asked, account, instrument)
        else:
            self._change(old, asked, account, instrument)

    def _new(self, line: Line, asked: PlaceOrder, account: str, instrument: Instrument) -> None:
        core, client = self._core, line.client_id
        if asked.order_id < core.ledger.next_order_id(client):
            raise Refusal(103, DUPLICATE)
        core.ledger.next_order_ids[client] = asked.order_id + 1
        core.ledger.save()
        if core.faults.strikes("110"):
            raise Refusal(110, MODIFY_FAULTS["modify-110"][1])
        fault = core.faults.first("201", "inactive")
        order = self._draft(line, asked, account, instrument)
        if fault or self._too_dear(order):
            self._reject(order, 0 if fault == "inactive" else 201)
            return
        core.book.place(client, asked.order_id, account, instrument.con_id, order.terms)

    def _change(
        self, old: GatewayOrder, asked: PlaceOrder, account: str, instrument: Instrument
    ) -> None:
        if not old.alive:
            filled = old.status is Status.FILLED
            raise Refusal(*((104, "Cannot modify a filled order.") if filled else (103, DUPLICATE)))
        fault = self._core.faults.first(*MODIFY_FAULTS)
        if fault:
            raise Refusal(*MODIFY_FAULTS[fault])
        same = (old.con_id, old.account, old.terms.side, old.terms.order_ref)
        if same != (instrument.con_id, account, asked.terms.side, asked.terms.order_ref):
            raise Refusal(*MODIFY_FAULTS["modify-105"])
        self._core.book.modify(old, replace(asked.terms, tif=asked.terms.tif or old.terms.tif))

    def _reject(self, order: GatewayOrder, code: int) -> None:
        ledger = self._core.ledger
        kept = replace(order, permanent_id=ledger.permanent_id())
        ledger.orders[kept.permanent_id] = kept
        dead = self._core.book.reject(kept, MARGIN_WORDS if code else "Rejected by the exchange")
        self._core.announcer.rejected(dead, code, MARGIN_WORDS)

    def _account(self, asked: PlaceOrder) -> str:
        names = self._core.names
        if not asked.account and len(names) > 1:
            raise Refusal(435, "You must specify an account.")
        account = asked.account or names[0]
        if account not in names:
            raise Refusal(321, f"{INVALID}Invalid account code '{account}'")
        return account

    def _instrument(self, asked: PlaceOrder) -> Instrument:
        if not asked.contract.exchange:
            raise Refusal(321, f"{INVALID}Missing order exchange")
        found = self._core.catalogue.find(asked.contract)
        if len(found) != 1:
            number = asked.contract.con_id
            known = number and number in self._core.ledger.instruments
            raise Refusal(*((478, CONFLICT) if known else (200, NO_DEFINITION)))
        if not found[0].right:
            raise Refusal(201, "Order rejected - reason:only options are simulated")
        return found[0]

    def _check(self, asked: PlaceOrder, instrument: Instrument) -> None:
        terms = asked.terms
        if asked.action not in ("BUY", "SELL"):
            raise Refusal(321, f"{INVALID}Invalid side '{asked.action}'")
        if terms.order_type not in messages.ORDER_TYPES:
            raise Refusal(387, f"Unsupported order type for this exchange: {terms.order_type}")
        if not isfinite(asked.quantity) or asked.quantity <= 0:
            raise Refusal(434, "The order size cannot be zero.")
        if terms.quantity != asked.quantity:
            raise Refusal(10318, "This order does not support fractional quantity trading")
        if terms.tif not in ("", "DAY", "GTC"):
            raise Refusal(321, f"{INVALID}time in force {terms.tif} is not simulated")
        if terms.trigger_method not in METHODS:
            raise Refusal(321, f"{INVALID}Invalid trigger method")
        for name, price in self._prices(terms.order_type, terms.limit, terms.stop):
            self._check_price(name, price)

    @staticmethod
    def _prices(
        order_type: str, limit: float | None, stop: float | None
    ) -> list[tuple[str, float | None]]:
        needed = {"limit": "LMT" in order_type, "stop": order_type.startswith("STP")}
        return [(name, price) for name, price in (("limit", limit), ("stop", stop)) if needed[name]]

    @staticmethod
    def _check_price(name: str, price: float | None) -> None:
        if price is None or not isfinite(price):
            raise Refusal(321, f"{INVALID}the {name} price is missing")
        if price <= 0 or Decimal(repr(price)) % Decimal(repr(TICK)):
            raise Refusal(*MODIFY_FAULTS["modify-110"])

    def _draft(
        self, line: Line, asked: PlaceOrder, account: str, instrument: Instrument
    ) -> GatewayOrder:
        return GatewayOrder(
            permanent_id=0,
            client_id=line.client_id,
            order_id=asked.order_id,
            account=account,
            con_id=instrument.con_id,
            terms=replace(asked.terms, tif=asked.terms.tif or "DAY"),
            status=Status.PRE_SUBMITTED,
            placed_ts=self._core.market.now(),
        )

    def _too_dear(self, order: GatewayOrder) -> bool:
        accounts, fee = self._core.accounts, self._fee(order.terms.quantity)
        before = accounts.worth(order.account)
        after = accounts.after(order.account, order.con_id, order.terms, fee)
        more = after.needed.initial > before.needed.initial
        return more and after.needed.initial > after.equity

    def _what_if(self, line: Line, asked: PlaceOrder, account: str, instrument: Instrument) -> None:
        order = self._draft(line, asked, account, instrument)
        if self._core.faults.strikes("201") or self._too_dear(order):
            raise Refusal(201, MARGIN_WORDS)
        accounts, fee = self._core.accounts, self._fee(order.terms.quantity)
        before = accounts.worth(account)
        after = accounts.after(account, order.con_id, order.terms, fee)
        impact = messages.impact_figures(before.needed, after.needed, before.equity, fee)
        line.send(messages.open_order(order, instrument, line.version, impact))

    def _fee(self, quantity: int) -> float:
        return float(order_fee(quantity, self._core.fees))

    def _cancel_refusal(self, order_id: int, order: GatewayOrder | None) -> tuple[int, str]:
        unknown = f"OrderId {order_id} that needs to be cancelled is not found."
        if order is None:
            return 10147, unknown
        faults = self._core.faults
        if order.alive and faults.strikes("cancel-161"):
            return 161, "Cancel attempted when order is not in a cancellable state."
        if order.alive and faults.strikes("cancel-10147"):
            return 10147, unknown
        if order.alive and faults.strikes("cancel-10148"):
            self._fill_whole(order)
        now = self._core.ledger.orders[order.permanent_id]
        words = f"OrderId {order_id} that needs to be cancelled cannot be cancelled, state: "
        return (0, "") if now.alive else (10148, f"{words}{now.status}.")

    def _fill_whole(self, order: GatewayOrder) -> None:
        price = order.terms.limit
        mark = self._core.accounts.mark(order.con_id)
        self._core.book.fill(order, order.remaining, price if price is not None else mark)
