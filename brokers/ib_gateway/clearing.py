"""What trades do to holdings and cash: booking, corrections, expiry, assignment."""

from dataclasses import replace

from brokers.fills import order_fee
from brokers.ib_gateway.catalogue import Catalogue
from brokers.ib_gateway.ledger import Ledger
from brokers.ib_gateway.market import GatewayMarket
from brokers.ib_gateway.records import GatewayExecution, GatewayOrder, Holding
from settings import FillSettings

Moved = list[tuple[str, int]]
"""Accounts and contract ids whose holding changed."""


class Clearing:
    """Keeps holdings and cash of a ledger; whoever calls saves it and tells clients."""

    def __init__(
        self, ledger: Ledger, market: GatewayMarket, catalogue: Catalogue, fees: FillSettings
    ) -> None:
        """`fees` are the commissions of an order, shared out over its executions."""
        self._ledger, self._market, self._catalogue = ledger, market, catalogue
        self._fees = fees

    def booked(self, order: GatewayOrder, quantity: int, price: float) -> GatewayExecution:
        """The last `quantity` of `order`'s fills as an execution, its holding and cash changed."""
        side, account, con_id = order.terms.side, order.account, order.con_id
        before = order.filled - quantity
        fee = float(order_fee(order.filled, self._fees) - order_fee(before, self._fees))
        value = price * self._catalogue.of(con_id).multiplier
        holding, realised = self._ledger.holding(account, con_id).after(side, quantity, value, fee)
        self._ledger.hold(account, con_id, holding)
        self._ledger.cash[account] -= side * quantity * value + fee
        execution = GatewayExecution(
            execution_id=self._ledger.execution_id(),
            permanent_id=order.permanent_id,
            client_id=order.client_id,
            order_id=order.order_id,
            account=account,
            con_id=con_id,
            side=side,
            quantity=quantity,
            price=price,
            ts=self._market.now(),
            order_ref=order.terms.order_ref,
            cumulative=order.filled,
            average_price=order.average_price,
            commission=fee,
            realised=realised,
            day=self._market.session.date.isoformat(),
        )
        self._ledger.executions.append(execution)
        return execution

    def corrected(self, execution: GatewayExecution, price: float) -> GatewayExecution:
        """The same trade at another price as a new revision, its order and holding changed."""
        better = execution.corrected(price)
        self._ledger.executions.append(better)
        con_id, account = execution.con_id, execution.account
        dearer = execution.quantity * (price - execution.price)
        dollars = execution.side * dearer * self._catalogue.of(con_id).multiplier
        self._ledger.cash[account] -= dollars
        held = self._ledger.holding(account, con_id)
        if held.quantity:
            cost = held.average_cost + dollars / held.quantity
            self._ledger.hold(account, con_id, replace(held, average_cost=cost))
        order = self._ledger.orders[execution.permanent_id]
        self._ledger.orders[order.permanent_id] = replace(order, spent=order.spent + dearer)
        return better

    def expired(self, today_too: bool) -> Moved:
        """Options whose day is over leave: a cent in the money as shares, the rest for nothing."""
        today = self._market.session.date.strftime("%Y%m%d")
        gone = []
        for account, mine in self._ledger.holdings.items():
            for con_id in mine:
                day = self._catalogue.of(con_id).expiration
                if day and (day < today or (day == today and today_too)):
                    gone.append((account, con_id))
        return [moved for account, con_id in gone for moved in self._settled(account, con_id)]

    def assigned(self, account: str, con_id: int) -> Moved:
        """Exercise or assignment of all that is held of an option: shares at the strike."""
        contract, shares = self._catalogue.of(con_id).contract, self._catalogue.shares.con_id
        held = self._ledger.holding(account, con_id)
        if contract is None or not held.quantity:
            return []
        self._ledger.hold(account, con_id, Holding())
        bought = held.quantity * contract.multiplier * contract.right.sign
        side, price = (1 if bought > 0 else -1), contract.strike
        now, _ = self._ledger.holding(account, shares).after(side, abs(bought), price, 0.0)
        self._ledger.hold(account, shares, now)
        self._ledger.cash[account] -= bought * price
        return [(account, con_id), (account, shares)]

    def _settled(self, account: str, con_id: int) -> Moved:
        contract = self._catalogue.of(con_id).contract
        assert contract is not None, "only options expire"
        if round(contract.intrinsic(self._market.spot()), 2) >= 0.01:
            return self.assigned(account, con_id)
        self._ledger.hold(account, con_id, Holding())
        return [(account, con_id)]
