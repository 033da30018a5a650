"""Dollars and Greeks on the card."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as some
from journals import DAY, PUT_628, SUGGESTION

from dashboard.figures import FLAT, ChainFigures, at_expiry
from feeds.contract import Contract, Right
from feeds.sessions import session_on
from feeds.simulation.market import SimulatedMarket
from feeds.snapshot import ChainSnapshot


@pytest.fixture(scope="module")
def figures() -> ChainFigures:
    day = SimulatedMarket([session_on(DAY)], 0).load(0)
    return ChainFigures(ChainSnapshot(day, 120))


def test_dollars_at_the_close_are_credit_less_intrinsic() -> None:
    plan = SUGGESTION.plan
    assert plan is not None
    terms = PUT_628, -1, plan.limit, SUGGESTION.spot
    assert at_expiry(*terms, 1) == pytest.approx(plan.credit) == pytest.approx(240)
    assert at_expiry(*terms, -1) == pytest.approx(240 - 100 * (628 - 628.5 * 0.99))


@given(
    price=some.floats(0.01, 20.0),
    spot=some.floats(100.0, 900.0),
    move=some.floats(-5.0, 5.0),
    right=some.sampled_from(list(Right)),
    quantity=some.integers(1, 5),
)
def test_a_sale_never_earns_more_than_its_credit(
    price: float, spot: float, move: float, right: Right, quantity: int
) -> None:
    contract = Contract("SPY", DAY, 500_000, right)
    sold = at_expiry(contract, -quantity, price, spot, move)
    assert sold <= price * 100 * quantity + 1e-9
    assert sold == pytest.approx(-at_expiry(contract, quantity, price, spot, move))


def test_a_sale_at_the_mid_has_lost_nothing_yet(figures: ChainFigures) -> None:
    bar = figures.snapshot
    for right in Right:
        contract = bar.atm(right)
        assert contract is not None
        mid = bar.quote(contract).mid
        assert figures.at_once(contract, -1, mid, 0.0) == pytest.approx(0.0, abs=5.0)
        assert figures.at_once(contract, -1, mid, 2.0 if right is Right.CALL else -2.0) < -500


def test_greeks_of_a_sale_are_those_of_a_purchase_turned_round(figures: ChainFigures) -> None:
    put = figures.snapshot.atm(Right.PUT)
    assert put is not None
    bought, sold = figures.of(put, 2), figures.of(put, -2)
    assert -110 < bought.delta < -90 and bought.gamma > 0 > bought.theta and bought.vega > 0
    both = bought + sold
    assert (both.delta, both.gamma, both.theta, both.vega) == pytest.approx((0, 0, 0, 0))
    assert figures.of(put, 0) == FLAT


def test_what_is_not_known_is_told_as_unknown(figures: ChainFigures) -> None:
    foreign = Contract("SPY", DAY, 123_456, Right.PUT)
    assert math.isnan(figures.of(foreign, 1).delta)
    assert math.isnan(figures.at_once(foreign, 1, 1.0, 0.0))
