"""Prices of working orders: an entry never passes its worst price, an exit always gets nearer."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as some
from ib_desk import PUT_628

from brokers.ib.native_stop import Place, Wanted, Withdraw, act, closing_quantity, trigger_price
from brokers.ib.orders import IBOrder, OrderState
from brokers.ib.records import OrderTicket
from brokers.ib.walking import (
    NOWHERE,
    Sides,
    exit_limit,
    first_limit,
    next_limit,
    reference,
    rung,
    to_tick,
)

cents = some.integers(1, 2000).map(lambda ticks: ticks / 100)
sides = some.sampled_from([-1, 1])


@some.composite
def quotes(draw: some.DrawFn) -> Sides:
    bid = draw(cents)
    return Sides(bid, round(bid + draw(some.integers(1, 50)) / 100, 2))


def is_on_tick(price: float) -> bool:
    return price == round(price, 2) and price >= 0.01


@given(sides, quotes(), cents, some.integers(0, 8), some.floats(0, 0.004))
def test_an_entry_never_passes_the_worst_price_and_moves_one_tick(
    side: int, quote: Sides, limit: float, room: int, dust: float
) -> None:
    worst = max(0.01, round(limit + side * room / 100, 2) + dust)
    price = first_limit(side, limit, worst, quote)
    for _ in range(12):
        assert is_on_tick(price) and side * (price - worst) <= 1e-6
        step = next_limit(side, price, worst, quote)
        if step is None:
            break
        assert step == pytest.approx(price + side * 0.01)
        assert side * (price - quote.natural(side)) < 0
        price = step


@given(some.floats(0.001, 50), sides)
def test_a_rounded_price_is_on_the_grid_within_a_tick(price: float, side: int) -> None:
    rounded = to_tick(price, side > 0)
    assert is_on_tick(rounded) and abs(rounded - max(price, 0.01)) < 0.01 + 1e-6


def test_an_entry_starts_in_its_own_favour_and_takes_a_better_market() -> None:
    assert first_limit(-1, 2.395, 2.32, Sides(2.34, 2.45)) == 2.40
    assert first_limit(1, 2.405, 2.50, Sides(2.34, 2.45)) == 2.40
    assert first_limit(-1, 2.40, 2.32, Sides(2.55, 2.60)) == 2.55
    assert first_limit(-1, 2.40, 2.32, NOWHERE) == 2.40


def test_a_limit_that_the_market_already_meets_stays() -> None:
    assert next_limit(-1, 2.40, 2.32, Sides(2.40, 2.50)) is None
    assert next_limit(-1, 2.40, 2.32, Sides(2.38, 2.50)) == 2.39
    assert next_limit(-1, 2.32, 2.32, Sides(2.20, 2.50)) is None
    assert next_limit(-1, 2.40, 2.32, NOWHERE) is None, "nothing is given away blindly"


@pytest.mark.parametrize(
    ("side", "prices"),
    [(1, [2.10, 2.20, 2.31, 2.53, 2.53]), (-1, [2.10, 2.00, 1.90, 1.70, 1.70])],
)
def test_the_ladder_is_mid_natural_five_and_fifteen_percent(side: int, prices: list[float]) -> None:
    assert [exit_limit(side, step, Sides(2.00, 2.20)) for step in range(5)] == prices


@given(sides, quotes())
def test_every_rung_is_nearer_to_a_fill(side: int, quote: Sides) -> None:
    prices = [exit_limit(side, step, quote) for step in range(5)]
    assert all(side * (b - a) >= 0 for a, b in pairwise(prices))
    assert all(map(is_on_tick, prices))
    assert side * (prices[1] - quote.natural(side)) >= -1e-6


def test_rungs_follow_time() -> None:
    assert [rung(seconds, 4.0) for seconds in (-1, 0, 3.99, 4, 8, 100)] == [0, 0, 0, 1, 2, 25]


def test_an_exit_is_priced_on_the_best_source_there_is() -> None:
    fresh, ib, last = Sides(2.0, 2.2), Sides(2.1, 2.3), Sides(1.0, 1.2)
    assert reference(1, PUT_628, 627.0, fresh, ib, last) == fresh
    assert reference(1, PUT_628, 627.0, NOWHERE, ib, last) == ib
    assert reference(1, PUT_628, 627.0, NOWHERE, NOWHERE, last).ask == pytest.approx(1.2)
    assert reference(1, PUT_628, 625.0, NOWHERE, NOWHERE, last).ask == pytest.approx(3.1)
    assert reference(-1, PUT_628, 625.0, NOWHERE, NOWHERE, last).bid == pytest.approx(1.0)
    assert reference(1, PUT_628, 640.0, NOWHERE, NOWHERE, NOWHERE).ask == pytest.approx(0.10)
    assert reference(1, PUT_628, math.nan, NOWHERE, NOWHERE, NOWHERE) == NOWHERE


@given(some.integers(-5, 5), some.integers(-5, 5))
def test_no_more_is_closed_than_both_books_hold(ours: int, theirs: int) -> None:
    quantity = closing_quantity(ours, theirs)
    assert 0 <= quantity <= min(abs(ours), abs(theirs))
    assert quantity == 0 or (ours > 0) == (theirs > 0)


def test_the_native_stop_lies_behind_the_desks_own() -> None:
    assert trigger_price(7.20, 1.25) == 9.00
    assert trigger_price(7.215, 1.25) == 9.02


@pytest.mark.parametrize("state", list(OrderState))
@pytest.mark.parametrize("refused", ["", "IB 201: no"])
def test_a_second_closing_order_is_never_placed_beside_one_that_may_live(
    state: OrderState, refused: str
) -> None:
    ticket = OrderTicket("zdte-1", PUT_628, 1, 2, stop_price=9.0, order_id=7)
    for reason in ("", "its change was refused"):
        order = IBOrder(ticket, "stop", state, cancel_reason=reason, change_refused=refused)
        for wanted in (None, Wanted(PUT_628, 1, 2, limit=2.1), Wanted(PUT_628, 1, 1, limit=2.1)):
            what = act(wanted, order)
            assert not isinstance(what, Place) or order.is_final
            if state is not OrderState.WORKING and not order.is_final:
                assert what is None
            if refused and state is OrderState.WORKING:
                assert isinstance(what, Withdraw)
