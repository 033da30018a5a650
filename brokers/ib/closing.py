"""The closing side of a position: native stop and exit ladder, as one order at IB."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from brokers.ib.books_request import ASK_AGAIN_SECONDS
from brokers.ib.exit_order import ExitOrder
from brokers.ib.exit_quotes import ExitQuotes
from brokers.ib.ledger import Ledger
from brokers.ib.native_stop import (
    Change,
    Place,
    Wanted,
    Withdraw,
    act,
    closing_quantity,
    trigger_price,
)
from brokers.ib.order_room import OrderRoom
from brokers.ib.orders import IBOrder, OrderState
from errors import JournalError
from feeds.contract import Contract
from settings import IBSettings
from vocabulary import ExitReason


@dataclass(slots=True)
class ClosingDesk:
    """Keeps IB's closing order as it should be.

    Attributes:
        exit: the strategy's exit, None for none; it may still be held until its time.
        order: the closing order at IB, None for none yet.
        multiples: stop as a multiple of the entry price, by contract.
        drawn_stop: the desk's stop price where a person has tightened it.
        disputed: what IB holds of contracts whose position is disputed (signed).
        fault: why the position has no closing order; empty when all is well.
    """

    room: OrderRoom
    quotes: ExitQuotes
    ledger: Ledger
    settings: IBSettings
    exit: ExitOrder | None = None
    order: IBOrder | None = None
    multiples: dict[Contract, float] = field(default_factory=dict)
    drawn_stop: float | None = None
    disputed: Mapping[Contract, int] = field(default_factory=dict)
    fault: str = ""
    _again_at: float = 0.0
    _refused: Wanted | None = None
    _looked_at: str = ""
    _named: tuple[str, ExitReason, int] | None = None

    def stop_price(self, contract: Contract) -> float | None:
        """The desk's own stop of the open short, dollars a share; None where it has none."""
        multiple = self.multiples.get(contract)
        if multiple is None:
            return self.drawn_stop
        price = multiple * self.ledger.average(contract)
        return price if self.drawn_stop is None else min(price, self.drawn_stop)

    def turn(self, now: int) -> None:
        """One act towards what is wanted at market time `now`, where one is due."""
        held = self.ledger.held()
        contract = next(iter(held), None)
        self.quotes.watch(contract)
        if contract is None:
            self.drawn_stop, self._refused = None, None
        if not self.room.is_clear:
            return
        wanted = None if contract is None else self._wanted(contract, held[contract], now)
        self._look_at_end(wanted)
        self._carry_out(act(wanted, self.order))

    def _wanted(self, contract: Contract, held: int, now: int) -> Wanted | None:
        """The closing order as it should be now, None for none."""
        quantity = closing_quantity(held, self.disputed.get(contract, held))
        side = -1 if held > 0 else 1
        leaving = self.exit
        if leaving is not None and leaving.contract == contract and leaving.is_due(now):
            sides = self.quotes.for_exit(contract, side)
            limit = leaving.price(sides, now, self.settings.exit_step_seconds)
            if limit is None:
                self.fault = f"{contract} has no price: no quote and no spot"
                return self._stop(contract, held, quantity)
            return Wanted(contract, side, min(quantity, leaving.left), limit=limit)
        return self._stop(contract, held, quantity)

    def _stop(self, contract: Contract, held: int, quantity: int) -> Wanted | None:
        """The native stop behind the desk's own; longs have none."""
        price = self.stop_price(contract)
        if not self.settings.native_stop or held > 0 or price is None or math.isnan(price):
            return None
        trigger = trigger_price(price, self.settings.native_stop_factor)
        method = self.settings.trigger_method
        return Wanted(contract, 1, quantity, stop_price=trigger, trigger_method=method)

    def _look_at_end(self, wanted: Wanted | None) -> None:
        """Once for each closing order that ended with the position open: wait before the next.

        A stop that IB refused is not sent again as it was; an exit is, until flat.
        """
        order = self.order
        if order is None or not order.is_final or order.order_ref == self._looked_at:
            return
        self._looked_at = order.order_ref
        if order.state is OrderState.REJECTED:
            self._again_at = self._clock() + ASK_AGAIN_SECONDS
            if wanted is not None and wanted.stop_price is not None:
                self._refused = wanted
                self.fault = f"the position has no stop at IB: {order.message}"

    def _carry_out(self, what: Place | Change | Withdraw | None) -> None:
        order = self.order
        if what is None:
            return
        if isinstance(what, Withdraw) and order is not None:
            self.room.cancel(order, what.reason)
        elif isinstance(what, Change) and order is not None:
            if self._may_try(order):
                self._name(order, what.ticket.quantity)
                self.room.change(order, what.ticket)
        elif isinstance(what, Place) and what.wanted != self._refused:
            self._place(what.wanted)

    def _may_try(self, order: IBOrder) -> bool:
        """A change that met an order still in process waits a second."""
        if order.try_again and self._again_at <= self._clock():
            self._again_at = self._clock() + ASK_AGAIN_SECONDS
            order.try_again = False
            return False
        return self._again_at <= self._clock()

    def _place(self, wanted: Wanted) -> None:
        if self._clock() < self._again_at:
            return
        is_stop, leaving = wanted.stop_price is not None, self.exit
        intent: dict[str, Any] = {"exit_reason": ExitReason.STOP_LOSS}
        if not is_stop and leaving is not None:
            intent = {"exit_reason": leaving.reason, "exit_decided_ts": leaving.decided_ts}
        terms = {
            "contract": wanted.contract,
            "side": wanted.side,
            "quantity": wanted.quantity,
            "limit": wanted.limit,
            "stop_price": wanted.stop_price,
            "trigger_method": wanted.trigger_method,
        }
        try:
            self.order = self.room.send("stop" if is_stop else "exit", terms, **intent)
        except JournalError as fault:
            self.room.unwritten.fault = str(fault)
            self._again_at = self._clock() + ASK_AGAIN_SECONDS
            return
        self.fault = ""
        self._named = self.order.order_ref, ExitReason(intent["exit_reason"]), wanted.quantity

    def _name(self, order: IBOrder, quantity: int) -> None:
        """Write down whose order it is from now on, the exit's or the stop's, and how much of it.

        A restart counts by it: it is on the disk before the change leaves.
        """
        leaving, now = self.exit, self.room.clock.market_now()
        reason, decided = ExitReason.STOP_LOSS, None
        if leaving is not None and leaving.started_ts is not None:
            reason, decided = leaving.reason, leaving.decided_ts
        named = order.order_ref, reason, quantity
        if self._named != named:
            self._named = named
            columns = {"exit_reason": reason, "exit_decided_ts": decided, "quantity": quantity}
            amend = self.room.journal.amend_intent
            self.room.unwritten.write(partial(amend, now, order.order_ref, **columns))

    def _clock(self) -> float:
        return self.room.clock.monotonic()
