"""Our books against IB's: every difference has a sentence, and none is invented."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as some
from ib_desk import PUT_628

from brokers.ib.disputes import Disputes
from brokers.ib.orders import IBOrder, OrderState
from brokers.ib.reconcile import compare, theirs
from brokers.ib.records import (
    AccountFigures,
    Books,
    ExecutionSeen,
    HeldPosition,
    OrderSeen,
    OrderTicket,
)
from brokers.ib.recovery import past_orders

TODAY = PUT_628.expiration
CALL_630 = replace(PUT_628, strike_thousandths=630_000)


def position(contract: Any, quantity: float, symbol: str = "SPY") -> HeldPosition:
    kind = "STK" if contract is None else "OPT"
    return HeldPosition("DU1", contract, symbol, kind, quantity, 0.0)


def books(*positions: HeldPosition, orders: Any = (), executions: Any = ()) -> Books:
    figures = AccountFigures(1e5, 1e5, 1e5, 1e5)
    return Books("DU1", tuple(orders), (), tuple(executions), (), positions, figures)


def execution(ref: str, side: int = 1) -> ExecutionSeen:
    return ExecutionSeen("x1", 1, ref, 0, 5, "DU1", PUT_628, "", side, 1, 2.5, 1)


def order(ref: str = "zdte-1", quantity: int = 1) -> IBOrder:
    return IBOrder(OrderTicket(ref, PUT_628, -1, quantity, limit=2.4), "entry", OrderState.FILLED)


def test_equal_books_have_no_finding() -> None:
    found = compare([order()], {PUT_628: -1}, books(position(PUT_628, -1)), TODAY)
    assert found.sentences == ()


@given(
    some.dictionaries(some.sampled_from([PUT_628, CALL_630]), some.integers(-3, 3)),
    some.dictionaries(some.sampled_from([PUT_628, CALL_630]), some.integers(-3, 3)),
)
def test_every_difference_is_found_and_no_other(ours: Any, other: Any) -> None:
    answer = books(*(position(one, quantity) for one, quantity in other.items()))
    found = compare([], ours, answer, TODAY)
    expected = {one for one in (PUT_628, CALL_630) if ours.get(one, 0) != other.get(one, 0)}
    assert {one.contract for one in found.differences} == expected
    assert theirs(answer) == {one: quantity for one, quantity in other.items() if quantity}


def test_a_position_that_vanished_at_expiry_is_no_difference_the_day_after() -> None:
    ours = {PUT_628: -1}
    assert compare([], ours, books(), TODAY).differences
    after = compare([], ours, books(), TODAY + timedelta(days=3))
    assert not after.disputed and "expired: IB settled -1" in after.sentences[0]


def test_shares_in_the_morning_are_named_assignment() -> None:
    bought = compare([], {}, books(position(None, 100)), TODAY).disputed
    sold = compare([], {}, books(position(None, -200)), TODAY).disputed
    odd = compare([], {}, books(position(None, 37)), TODAY).disputed
    assert "assignment of 1 short puts" in bought[0] and "+100 SPY shares" in bought[0]
    assert "assignment of 2 short calls" in sold[0]
    assert odd == ("IB holds +37 SPY shares",)
    assert compare([], {}, books(position(None, 10, "AAPL")), TODAY).disputed


def test_what_is_not_ours_is_shown() -> None:
    alien = OrderSeen("", 0, 9, "Submitted", PUT_628, 1, 2, "LMT", 1.0, None)
    answer = books(orders=[alien, replace(alien, status="Filled")], executions=[execution("")])
    found = compare([order()], {}, answer, TODAY)
    assert len(found.foreign_orders) == 1 and len(found.foreign_executions) == 1
    assert "buy 2 SPY" in found.disputed[0]
    ours = compare([order()], {}, books(executions=[execution("zdte-1")]), TODAY)
    past = compare([], {}, books(executions=[execution("old")]), TODAY, past_refs={"old"})
    assert not ours.sentences and not past.sentences


def test_a_difference_counts_once_two_answers_show_it() -> None:
    disputes = Disputes()
    torn = compare([], {PUT_628: -1}, books(), TODAY)
    assert disputes.take(torn) and disputes.pending and not disputes.confirmed
    assert disputes.held_by_them() == {}
    assert not disputes.take(compare([], {}, books(), TODAY))
    assert not disputes.pending and not disputes.confirmed
    assert disputes.take(torn) and not disputes.take(torn)
    assert disputes.confirmed and disputes.held_by_them() == {PUT_628: 0}
    disputes.accept()
    assert not disputes.take(torn) and not disputes.confirmed


def test_orders_come_back_from_the_journals_rows() -> None:
    intent = {
        "order_ref": "zdte-2",
        "purpose": "stop",
        "underlying": "SPY",
        "right": "PUT",
        "expiration": date(2026, 10, 30),
        "strike": 628.0,
        "side": 1,
        "quantity": 2,
        "limit": 9.0,
        "payload": None,
    }
    row = {
        "order_ref": "zdte-2",
        "broker_order_id": 12,
        "permanent_id": 99,
        "message": "",
        "status": "working",
    }
    fill = {
        "execution_id": "a",
        "revision": 2,
        "order_ref": "zdte-2",
        "side": 1,
        "quantity": 1,
        "price": 9.1,
        "commission": 1.05,
        "broker_time": 5,
        "ts": 6,
    }
    (back,) = past_orders([intent], [row], [fill])
    assert back.state is OrderState.UNKNOWN and back.ticket.stop_price == 9.0
    assert back.order_id == 12 and back.permanent_id == 99 and back.filled == 1
    assert back.ticket.contract == PUT_628 and back.commissions == {"a": (2, 1.05)}
    (dead,) = past_orders([intent], [row | {"status": "cancelled"}], [])
    assert dead.state is OrderState.CANCELLED
