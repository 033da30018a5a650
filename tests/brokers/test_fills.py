"""What a simulated order gets and costs, in scalars and in arrays."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from brokers import fills
from feeds.quotes import is_last_minute
from settings import FillSettings

NAN = np.nan
USUAL = FillSettings()
SECOND = 1_000_000_000


@pytest.mark.parametrize(
    ("side", "bid", "ask", "slippage", "price"),
    [
        (-1, 1.00, 1.04, 0.0, 1.00),
        (+1, 1.00, 1.04, 0.0, 1.04),
        (-1, 1.00, 1.04, 0.02, 0.98),
        (+1, 1.00, 1.04, 0.02, 1.06),
        (-1, 0.01, 0.02, 0.05, 0.01),  # a sale never goes below one tick
        (-1, 0.00, 0.02, 0.0, NAN),
        (-1, NAN, 0.02, 0.0, NAN),
        (-1, 1.00, NAN, 0.0, 1.00),  # a sale needs a bid only
        (+1, NAN, 1.04, 0.0, 1.04),  # a purchase needs an ask only
        (+1, 0.00, 0.50, 0.0, 0.50),
        (+1, 1.00, NAN, 0.0, NAN),
    ],
)
def test_sellers_get_the_bid_and_buyers_pay_the_ask(
    side: int, bid: float, ask: float, slippage: float, price: float
) -> None:
    np.testing.assert_allclose(fills.fill_price(side, bid, ask, slippage), price)


@pytest.mark.parametrize(("side", "expected"), [(-1, 2), (+1, 0)])
def test_a_fill_is_limited_to_the_quoted_size_of_its_side(side: int, expected: int) -> None:
    assert fills.fill_quantity(side, 3, 2, 0) == expected
    assert fills.fill_quantity(side, 1, 5, 5) == 1


@pytest.mark.parametrize(
    ("contracts", "fee"), [(0, 0.0), (1, 1.05), (2, 1.40), (3, 2.10), (10, 7.00)]
)
def test_the_fee_of_an_order_has_a_minimum(contracts: int, fee: float) -> None:
    assert fills.order_fee(contracts, USUAL) == pytest.approx(fee)


@given(some.lists(some.integers(1, 9), min_size=1, max_size=9))
def test_partial_fills_together_cost_what_the_order_costs(parts: list[int]) -> None:
    before = np.cumsum([0, *parts])
    paid = np.diff(fills.order_fee(before, USUAL))
    assert paid.sum() == pytest.approx(float(fills.order_fee(sum(parts), USUAL)))
    assert (paid > 0).all()


def test_fees_are_settings() -> None:
    dear = FillSettings(fee_minimum=2.0, fee_per_contract=1.5, fee_exchange=0.0)
    np.testing.assert_allclose(fills.order_fee(np.arange(3), dear), [0.0, 2.0, 3.0])


@pytest.mark.parametrize(
    ("sign", "close", "price"),
    [(+1, 629.25, 1.25), (+1, 628.0, 0.0), (+1, 620.0, 0.0), (-1, 626.75, 1.25), (-1, 629.0, 0.0)],
)
def test_settlement_is_intrinsic_at_the_official_close(
    sign: int, close: float, price: float
) -> None:
    assert fills.settlement_price(sign, 628.0, close) == pytest.approx(price)


@pytest.mark.parametrize(
    ("side", "price", "limit", "allowed"),
    [
        (-1, 1.00, 1.00, True),
        (-1, 0.99, 1.00, False),
        (+1, 1.00, 1.00, True),
        (+1, 1.01, 1.00, False),
        (+1, 0.1 + 0.2, 0.3, True),  # the last bit of a float is no worse price
        (+1, 9.99, NAN, True),
    ],
)
def test_a_limit_allows_its_price_and_better(
    side: int, price: float, limit: float, allowed: bool
) -> None:
    assert fills.limit_allows(side, price, limit) == allowed


@pytest.mark.parametrize("latency", [0.0, 0.25, 90.0])
def test_an_order_fills_strictly_after_its_decision_and_latency(latency: float) -> None:
    decided = 1_793_368_800 * SECOND
    edge = decided + round(latency * SECOND)
    assert not fills.may_fill(edge, decided, latency)
    assert fills.may_fill(edge + 1, decided, latency)
    assert fills.due_ts(decided, latency) == edge + 1


def test_an_order_placed_in_advance_may_fill_at_its_very_time_but_never_at_its_decision() -> None:
    assert fills.due_ts(10, 5.0, good_after=1_000) == 1_000
    assert fills.due_ts(1_000, 5.0, good_after=1_000) == 1_001
    assert fills.due_ts(2_000, 5.0, good_after=1_000) == 2_001


@pytest.mark.parametrize(("minutes", "last"), [(1.0, False), (0.999, True), (0.0, True)])
def test_the_last_minute_is_less_than_one(minutes: float, last: bool) -> None:
    assert is_last_minute(minutes) == last


prices = some.integers(0, 300).map(lambda cents: cents / 100) | some.just(NAN)
rows = some.lists(
    some.tuples(some.sampled_from([-1, 1]), prices, prices, some.integers(0, 4)), min_size=1
)


@given(rows)
def test_arrays_give_what_scalars_give(table: list[tuple[int, float, float, int]]) -> None:
    side, bid, ask, size = (np.array(column) for column in zip(*table, strict=True))
    functions = {
        "price": lambda s, b, a, n: fills.fill_price(s, b, a, 0.01),
        "quantity": lambda s, b, a, n: fills.fill_quantity(s, 3, n, 2 * n),
        "fee": lambda s, b, a, n: fills.order_fee(n, USUAL),
        "limit": lambda s, b, a, n: fills.limit_allows(s, b, a),
        "settlement": lambda s, b, a, n: fills.settlement_price(s, 1.0, b),
    }
    for name, function in functions.items():
        single = [function(*row) for row in table]
        np.testing.assert_array_equal(function(side, bid, ask, size), single, name)
