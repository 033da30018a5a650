"""Who hears what of the book, in which order; the faults of order messages live here.

An order's messages go to the client that placed it; those of a person's own orders to client 0.
Positions and account figures go to whoever subscribed to them.
"""

from collections.abc import Callable
from dataclasses import replace

from brokers.ib_gateway import messages
from brokers.ib_gateway.accounts import Accounts
from brokers.ib_gateway.catalogue import Catalogue
from brokers.ib_gateway.faults import Faults
from brokers.ib_gateway.ledger import Ledger
from brokers.ib_gateway.line import Line
from brokers.ib_gateway.messages import Message
from brokers.ib_gateway.records import GatewayExecution, GatewayOrder, Status

COMMISSION_SECONDS = 0.005
"""A commission report comes a little after its execution."""

MARGIN_WORDS = (
    "Order rejected - reason:YOUR ORDER IS NOT ACCEPTED. IN ORDER TO OBTAIN THE DESIRED POSITION "
    "YOUR EQUITY WITH LOAN VALUE MUST EXCEED THE INITIAL MARGIN"
)


class Announcer:
    """Tells clients about orders, executions and positions: the book's listener."""

    def __init__(
        self,
        ledger: Ledger,
        catalogue: Catalogue,
        accounts: Accounts,
        faults: Faults,
        lines: dict[int, Line],
        later: Callable[[float, Callable[[], None]], None],
    ) -> None:
        """`lines` by client id, changed by others; `later(seconds, what)` runs `what` then."""
        self._ledger, self._catalogue, self._accounts = ledger, catalogue, accounts
        self._faults, self._lines, self._later = faults, lines, later
        self._unspoken: set[int] = set()
        self.cut_off = False

    def accepted(self, order: GatewayOrder) -> None:
        """openOrder and orderStatus of a new order, with the warnings that faults ask for."""
        if self._faults.strikes("unacknowledged"):
            self._unspoken.add(order.permanent_id)
        self.changed(order)
        if order.status is Status.PRE_SUBMITTED and not order.terms.order_type.startswith("STP"):
            self.error(order, 399, f"Order Message:\n{self._outside_hours(order)}")
        if self._faults.strikes("399"):
            self.error(order, 399, "Order Message:\nWarning: this order is watched closely.")
        if self._faults.strikes("10349"):
            self.error(order, 10349, "Order TIF was set to DAY based on order preset.")

    def changed(self, order: GatewayOrder) -> None:
        """openOrder and orderStatus as the book has it."""
        for line in self._owner(order):
            line.send(self.open_order(order, line.version))
            line.send(messages.order_status(order, self._why_held(order)))

    def filled(self, order: GatewayOrder, execution: GatewayExecution) -> None:
        """An execution and the order's new status, then the commission."""
        told = [] if self._faults.strikes("no-details") else [execution]
        status = not self._faults.strikes("no-status")
        if self._faults.strikes("filled-first") and status:
            self.changed(order)
        for one in told * (2 if self._faults.strikes("twice") else 1):
            self._execution(order, one)
        if status:
            self.changed(order)
        if told and not self._faults.strikes("no-commission"):
            self._commission_later(order, execution, repeat=status)

    def corrected(self, execution: GatewayExecution) -> None:
        """A new revision with its commission."""
        order = self._ledger.orders.get(execution.permanent_id)
        if order is not None:
            self._execution(order, execution)
            self._commission_later(order, execution, repeat=False)

    def cancelled(self, order: GatewayOrder) -> None:
        """PendingCancel, Cancelled, then 202."""
        for line in self._owner(order):
            line.send(messages.order_status(replace(order, status=Status.PENDING_CANCEL)))
        self.changed(order)
        self.error(order, 202, "Order Canceled - reason:")

    def rejected(self, order: GatewayOrder, code: int, words: str) -> None:
        """The error first, then Inactive; without a code the status alone."""
        if code:
            self.error(order, code, words)
        self.changed(order)

    def position_changed(self, account: str, con_id: int) -> None:
        """A holding to those who subscribed to positions or to the account."""
        if self.cut_off:
            return
        instrument, held = self._catalogue.of(con_id), self._ledger.holding(account, con_id)
        for line in list(self._lines.values()):
            if line.wants_positions:
                line.send(messages.position(account, instrument, held))
            if line.account == account:
                mark = self._accounts.mark(con_id)
                line.send(messages.portfolio(account, instrument, held, mark))
                self.account_values(line, account)

    def account_values(self, line: Line, account: str) -> None:
        """The figures of an account to one client."""
        for tag, dollars in self._accounts.values(account):
            line.send((6, 2, tag, dollars, "USD", account))

    def error(self, order: GatewayOrder, code: int, words: str) -> None:
        """A message about an order to its owner."""
        for line in self._owner(order):
            line.send(messages.error(order.order_id, code, words, line.version))

    def everybody(self, code: int, words: str) -> None:
        """A message that belongs to no request."""
        for line in list(self._lines.values()):
            line.send(messages.error(-1, code, words, line.version))

    def open_order(self, order: GatewayOrder, version: int) -> Message:
        """An order as an openOrder message."""
        return messages.open_order(order, self._catalogue.of(order.con_id), version)

    def execution(self, request: int, execution: GatewayExecution) -> Message:
        """An execution as an answer to a request, -1 for none."""
        return messages.execution(request, execution, self._catalogue.of(execution.con_id))

    def _owner(self, order: GatewayOrder) -> list[Line]:
        if self.cut_off or order.permanent_id in self._unspoken:
            return []
        line = self._lines.get(order.client_id)
        return [] if line is None else [line]

    def _execution(self, order: GatewayOrder, execution: GatewayExecution) -> None:
        for line in self._owner(order):
            line.send(self.execution(-1, execution))

    def _commission_later(
        self, order: GatewayOrder, execution: GatewayExecution, repeat: bool
    ) -> None:
        seconds = self._faults.seconds("late-commission") or COMMISSION_SECONDS
        self._later(seconds, lambda: self._commission(order, execution, repeat))

    def _commission(self, order: GatewayOrder, execution: GatewayExecution, repeat: bool) -> None:
        now = self._ledger.orders[order.permanent_id]
        if repeat and now.status is Status.FILLED:
            self.changed(now)
        for line in self._owner(order):
            line.send(messages.commission_report(execution))

    @staticmethod
    def _why_held(order: GatewayOrder) -> str:
        stop = order.terms.order_type.startswith("STP") and not order.triggered
        return "trigger" if stop and order.alive else ""

    def _outside_hours(self, order: GatewayOrder) -> str:
        name = self._catalogue.of(order.con_id).local_symbol
        return f"{name} Warning: your order will not be placed at the exchange until the open."
