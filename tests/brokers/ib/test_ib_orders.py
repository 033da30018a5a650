"""One order at IB: no event, in whatever order or number, loses or invents a contract."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from ib_desk import PUT_628

from brokers.ib.codes import CODES, Says, is_margin
from brokers.ib.orders import FINAL, IBOrder, OrderState
from brokers.ib.records import (
    AccountFigures,
    Books,
    CommissionSeen,
    ErrorSeen,
    ExecutionSeen,
    OrderSeen,
    OrderSent,
    OrderTicket,
    StatusSeen,
)

REF, ID, PERM = "zdte-1", 7, 900
TICKET = OrderTicket(REF, PUT_628, -1, 3, limit=2.40)
FIGURES = AccountFigures(1e5, 1e5, 1e5, 1e5)


def new_order(state: OrderState = OrderState.INTENDED, **ticket: Any) -> IBOrder:
    return IBOrder(replace(TICKET, **ticket), "entry", state)


def seen(
    status: str = "Submitted", quantity: int = 3, limit: float = 2.40, **more: Any
) -> OrderSeen:
    facts = {"order_type": "LMT", "limit": limit, "stop_price": None, **more}
    return OrderSeen(REF, ID, PERM, status, PUT_628, -1, quantity, **facts)


def execution(key: str = "a", quantity: int = 1, revision: int = 1, price: float = 2.4) -> Any:
    return ExecutionSeen(key, revision, REF, ID, PERM, "DU1", PUT_628, "", -1, quantity, price, 1)


def books(*orders: OrderSeen, completed: Any = (), executions: Any = ()) -> Books:
    return Books("DU1", orders, tuple(completed), tuple(executions), (), (), FIGURES)


def working(**ticket: Any) -> IBOrder:
    order = new_order(**ticket)
    order.see(OrderSent(REF, ID))
    order.see(seen(quantity=order.ticket.quantity))
    return order


class Gateway:
    """The truth about one order, and a line that duplicates, reorders and loses what it says."""

    def __init__(self) -> None:
        self.order = new_order()
        self.alive = False
        self.arrived = False
        self.lost = False
        self.terms = TICKET
        self.fills: dict[str, ExecutionSeen] = {}
        self.delivered: dict[str, ExecutionSeen] = {}
        self.outbox: list[Any] = []
        self.pending: list[Any] = []
        self.acts = self.last_act = 0
        self.asked: tuple[Books, int] | None = None

    # what the gateway does

    def say(self, *events: Any) -> None:
        self.outbox.extend(events)

    @property
    def filled(self) -> int:
        return sum(one.quantity for one in self.fills.values())

    def shown(self, status: str) -> OrderSeen:
        return seen(status, self.terms.quantity, self.terms.limit or 0.0)

    def status(self, word: str) -> StatusSeen:
        return StatusSeen(ID, PERM, word, self.filled, self.terms.quantity - self.filled)

    def arrive(self, refused: bool, code: int) -> None:
        self.arrived, self.alive = True, not refused
        if refused:
            self.say(ErrorSeen(ID, code, "no"), self.shown("Inactive"), self.status("Inactive"))
        else:
            self.say(self.shown("PreSubmitted"), self.shown("Submitted"), self.status("Submitted"))

    def fill(self, quantity: int) -> None:
        quantity = min(quantity, self.terms.quantity - self.filled)
        key = f"e{len(self.fills)}"
        self.fills[key] = execution(key, quantity)
        self.alive = self.filled < self.terms.quantity
        word = "Submitted" if self.alive else "Filled"
        commission = CommissionSeen(key, 1, 1.05)
        self.say(self.fills[key], self.shown(word), self.status(word), commission)

    def correct(self, price: float) -> None:
        key, old = list(self.fills.items())[-1]
        self.fills[key] = replace(old, revision=old.revision + 1, price=price)
        self.say(self.fills[key])

    def remark(self, code: int) -> None:
        self.say(ErrorSeen(ID, code, "hm"), self.shown("Submitted"))

    def kill(self, code: int) -> None:
        self.alive = False
        word = "Inactive" if code == 201 else "Cancelled"
        self.say(self.status(word), self.shown(word), ErrorSeen(ID, code, "IB ended it"))

    def take_change(self, code: int) -> None:
        ticket = self.pending.pop(0)
        if ticket == "cancel":
            self.take_cancel(code)
        elif not self.alive:
            self.say(ErrorSeen(ID, 104, "filled"))
        elif code or ticket.quantity <= self.filled:
            self.say(ErrorSeen(ID, code or 105, "no change"))
        else:
            self.terms = ticket
            self.say(self.shown("Submitted"))

    def take_cancel(self, code: int) -> None:
        if not self.alive or code:
            self.say(ErrorSeen(ID, 10148 if not self.alive else 161, "no cancel"))
            return
        self.alive = False
        self.say(self.status("PendingCancel"), self.status("Cancelled"), ErrorSeen(ID, 202, ""))

    # what the line does

    def deliver_everything(self) -> None:
        for event in self.outbox:
            self.take(event)
        self.outbox.clear()

    def deliver(self, which: int, keep: bool, lose: bool) -> None:
        place = which % len(self.outbox)
        event = self.outbox[place] if keep else self.outbox.pop(place)
        if keep or not lose:
            self.take(event)

    def take(self, event: Any) -> None:
        if isinstance(event, ExecutionSeen):
            old = self.delivered.get(event.execution_id)
            if old is None or event.revision > old.revision:
                self.delivered[event.execution_id] = event
        self.order.see(event)
        if self.order.state is OrderState.UNKNOWN:
            self.act()

    def act(self) -> None:
        self.acts += 1
        self.last_act = self.acts

    # what we do

    def send(self) -> None:
        self.order.see(OrderSent(REF, ID))
        self.act()

    def change(self, quantity: int, limit: float) -> None:
        if quantity <= self.order.filled:
            return
        ticket = replace(self.order.ticket, quantity=quantity, limit=limit)
        self.order.asked_to_change(ticket)
        self.pending.append(ticket)
        self.act()

    def cancel(self) -> None:
        self.order.asked_to_cancel("enough")
        self.pending.append("cancel")
        self.act()

    def lose_the_line(self) -> None:
        self.order.lose_sight("the line broke")
        self.act()

    def ask_for_books(self, lost: bool) -> None:
        """It reads in order: what was sent before was taken by now, or is lost for good."""
        self.lost = not self.arrived
        while self.pending and not lost:
            self.take_change(0)
        self.pending.clear()
        self.asked = self.truth(), self.acts

    def take_books(self) -> None:
        assert self.asked is not None
        snapshot, acts = self.asked
        self.asked = None
        self.settle(snapshot, acts >= self.last_act)

    def truth(self) -> Books:
        done = self.arrived and not self.alive
        ended = "Filled" if self.filled == self.terms.quantity else "Cancelled"
        return books(
            *([self.shown("Submitted")] if self.alive else []),
            completed=[self.shown(ended)] if done else [],
            executions=self.fills.values(),
        )

    def settle(self, snapshot: Books, proves: bool) -> None:
        for one in snapshot.executions:
            old = self.delivered.get(one.execution_id)
            if old is None or one.revision > old.revision:
                self.delivered[one.execution_id] = one
        self.order.settle(snapshot, proves)

    # what must hold

    def every_delivered_contract_is_counted_once(self) -> None:
        assert self.order.executions == self.delivered

    def it_is_never_called_dead_while_it_lives(self) -> None:
        if self.order.is_final:
            assert not self.alive and (self.arrived or self.lost)

    def compare(self) -> None:
        self.lost = not self.arrived
        self.settle(self.truth(), True)
        assert self.order.filled == self.filled
        assert self.order.is_final == (not self.alive)
        assert self.order.state is not OrderState.UNKNOWN
        if self.alive:
            assert self.order.remaining == self.terms.quantity - self.filled
            assert self.order.ticket.limit == self.terms.limit

    def step(self, dice: Random) -> None:
        """One thing that can happen now, drawn by weight."""
        order, quantity = self.order, dice.randint(1, 5)
        free = order.can_act and not order.cancel_reason
        acts: list[tuple[float, bool, Callable[[], None]]] = [
            (9, not self.arrived and not self.lost, partial(self.arrive, *one(dice, REFUSALS))),
            (4, self.alive, partial(self.fill, dice.randint(1, 3))),
            (1, bool(self.fills), partial(self.correct, dice.choice([2.39, 2.41]))),
            (1, self.alive, partial(self.remark, dice.choice([399, 10349, 2109, 4711]))),
            (1, self.alive, partial(self.kill, dice.choice([201, 202]))),
            (6, bool(self.pending), partial(self.take_change, dice.choice([0, 0, *CHANGE_CODES]))),
            (3, bool(self.outbox), self.deliver_everything),
            (20, bool(self.outbox), partial(self.deliver, dice.randint(0, 9), *coins(dice))),
            (6, free, partial(self.change, quantity, dice.choice([2.38, 2.39]))),
            (2, order.can_act, self.cancel),
            (0.3, True, self.lose_the_line),
            (2, True, partial(self.ask_for_books, dice.random() < 0.5)),
            (4, self.asked is not None, self.take_books),
        ]
        possible = [(weight, act) for weight, can, act in acts if can]
        dice.choices([act for _, act in possible], [weight for weight, _ in possible])[0]()


REFUSALS = ((False, 0), (False, 0), (True, 201), (True, 110), (True, 10052))
CHANGE_CODES = (201, 105, 110, 2102)


def one(dice: Random, of: Any) -> Any:
    return dice.choice(of)


def coins(dice: Random) -> tuple[bool, bool]:
    return dice.random() < 0.3, dice.random() < 0.3


@settings(max_examples=400, deadline=None)
@given(some.integers(0, 2**32))
def test_no_order_of_events_loses_invents_or_buries_a_contract(seed: int) -> None:
    dice, gateway = Random(seed), Gateway()
    if dice.random() < 0.3:  # books that are on their way when the order is sent
        gateway.asked = gateway.truth(), gateway.acts
    gateway.send()
    for _ in range(40):
        gateway.step(dice)
        gateway.every_delivered_contract_is_counted_once()
        gateway.it_is_never_called_dead_while_it_lives()
    gateway.compare()


# --- the table of codes --------------------------------------------------------------------------


@pytest.mark.parametrize("code", [399, 404, 2109, 2137, 10349])
@pytest.mark.parametrize("state", [OrderState.SENT, OrderState.WORKING])
def test_an_order_message_leaves_the_order_alive(code: int, state: OrderState) -> None:
    order = new_order(state)
    order.see(ErrorSeen(ID, code, "words"))
    assert order.state is state and "words" in order.message


@pytest.mark.parametrize("code", [110, 200, 201, 321, 387, 434, 435, 478, 10052, 10268, 10318])
def test_a_refusal_kills_a_new_order_and_only_casts_doubt_on_a_live_one(code: int) -> None:
    new, live = new_order(OrderState.SENT), working()
    changing = working()
    changing.asked_to_change(replace(changing.ticket, limit=2.39))
    for order in (new, live, changing):
        order.see(ErrorSeen(ID, code, "no"))
    assert new.state is OrderState.REJECTED
    assert live.state is changing.state is OrderState.UNKNOWN
    assert "no" in changing.change_refused and not live.change_refused


@pytest.mark.parametrize("code", [161, 10147, 10148, 202, 9999])
def test_a_cancel_is_never_believed_without_books(code: int) -> None:
    order = working()
    order.asked_to_cancel("enough")
    order.see(ErrorSeen(ID, code, ""))
    assert order.state is OrderState.UNKNOWN
    order.settle(books(seen()))
    assert order.state is OrderState.WORKING and order.cancel_reason == "enough"
    order.settle(books(completed=[seen("Cancelled")]))
    assert order.state is OrderState.CANCELLED


def test_an_unknown_code_with_our_id_is_unclear() -> None:
    assert 12345 not in CODES
    order = working()
    order.see(ErrorSeen(ID, 12345, "new in this version"))
    assert order.state is OrderState.UNKNOWN and "new in this version" in order.doubt


def test_a_margin_rejection_is_told_apart() -> None:
    assert is_margin(201, "Order rejected - reason: insufficient MARGIN")
    assert not is_margin(201, "No trading permission") and not is_margin(110, "margin")
    assert CODES[201].new is Says.DEAD


# --- single steps --------------------------------------------------------------------------------


def test_a_cancelled_status_that_nobody_asked_for_is_only_a_doubt() -> None:
    order = working()
    order.see(StatusSeen(ID, PERM, "Cancelled", 0, 3))
    assert order.state is OrderState.UNKNOWN
    order.settle(books(seen()))
    assert order.state is OrderState.WORKING


def test_a_filled_status_without_executions_waits_for_them() -> None:
    order = working()
    order.see(StatusSeen(ID, PERM, "Filled", 3, 0))
    assert order.state is OrderState.UNKNOWN and order.filled == 0
    order.see(execution(quantity=3))
    assert order.state is OrderState.FILLED


def test_a_correction_replaces_and_a_commission_is_set() -> None:
    order = working()
    for revision, price in ((1, 2.40), (3, 2.38), (2, 2.39)):
        order.see(execution(revision=revision, price=price))
    order.see(CommissionSeen("a", 1, 1.05))
    order.see(CommissionSeen("a", 1, 1.05))
    assert order.filled == 1 and order.executions["a"].price == 2.38
    assert order.commissions["a"] == (1, 1.05)


def test_a_fill_that_is_taken_back_casts_doubt_on_a_filled_order() -> None:
    order = working(quantity=1)
    order.see(execution())
    assert order.state is OrderState.FILLED
    order.see(execution(quantity=0, revision=2))
    assert order.state is OrderState.UNKNOWN and order.filled == 0


def test_a_late_fill_of_a_dead_order_is_counted() -> None:
    order = working()
    order.asked_to_cancel("enough")
    order.settle(books())
    assert order.state is OrderState.CANCELLED
    order.see(execution())
    assert order.filled == 1 and order.state is OrderState.CANCELLED


def test_a_dead_order_that_shows_up_alive_is_unknown() -> None:
    order = new_order(OrderState.SENT)
    order.see(ErrorSeen(ID, 201, "no"))
    order.see(seen())
    assert order.state is OrderState.UNKNOWN


def test_a_ticket_that_never_arrived_is_rejected_only_by_later_books() -> None:
    order = new_order(OrderState.SENT)
    order.settle(books(), asked_after=False)
    assert order.state is OrderState.SENT
    order.settle(books())
    assert order.state is OrderState.REJECTED and order.message == "never arrived at IB"


def test_more_executed_than_asked_for_ends_the_order_and_stays_visible() -> None:
    order = working(quantity=1)
    order.see(execution("a"))
    order.see(execution("b"))
    assert order.state is OrderState.UNKNOWN and order.filled == 2
    order.settle(books())
    assert order.is_final and order.filled > order.ticket.quantity


def test_what_may_still_trade_is_counted_with_the_larger_quantity_in_doubt() -> None:
    order = working()
    order.asked_to_change(replace(order.ticket, quantity=5))
    assert order.remaining == 5
    assert order.state not in FINAL
