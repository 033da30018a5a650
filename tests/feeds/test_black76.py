"""Prices, implied volatilities and Greeks against 40-digit arithmetic and against vollib."""

import mpmath
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as some
from vollib.black.greeks import analytical as vollib_greeks
from vollib.black.implied_volatility import implied_volatility as vollib_volatility

from feeds.black76 import (
    greeks_at,
    implied_volatility,
    option_price,
    volatility_and_greeks,
)
from feeds.option_maths import MINUTES_A_YEAR

Floats = npt.NDArray[np.float64]
FORWARD = 628.10


def market_grid() -> tuple[Floats, Floats, Floats, npt.NDArray[np.bool_]]:
    """Prices, strikes, years and rights from half a minute to a whole session, +-10 % strikes."""
    minutes = np.array([0.5, 1, 5, 30, 97.5, 390])
    strikes = np.array([566.0, 608, 623, 627, 628, 628.1, 629, 633, 648, 690])
    time_values = np.array([0.005, 0.01, 0.05, 0.5, 5.0])
    columns = np.meshgrid(minutes, strikes, time_values, [True, False], indexing="ij")
    minute, strike, value, call = (column.ravel() for column in columns)
    is_call = call.astype(bool)
    intrinsic = np.maximum(np.where(is_call, FORWARD - strike, strike - FORWARD), 0)
    return intrinsic + value, strike, minute / MINUTES_A_YEAR, is_call


class Exact:
    """One option in 40 digits; the inputs are the doubles themselves."""

    def __init__(self, strike: float, years: float, is_call: bool) -> None:
        self.forward, self.strike = mpmath.mpf(FORWARD), mpmath.mpf(strike)
        self.years, self.sign = mpmath.mpf(years), 1 if is_call else -1

    def d1(self, volatility: mpmath.mpf) -> mpmath.mpf:
        total = volatility * mpmath.sqrt(self.years)
        return mpmath.log(self.forward / self.strike) / total + total / 2

    def price(self, volatility: mpmath.mpf) -> mpmath.mpf:
        d1 = self.d1(volatility)
        d2 = d1 - volatility * mpmath.sqrt(self.years)
        far, near = mpmath.ncdf(self.sign * d1), mpmath.ncdf(self.sign * d2)
        return self.sign * (self.forward * far - self.strike * near)

    def vega(self, volatility: mpmath.mpf) -> mpmath.mpf:
        return self.forward * mpmath.npdf(self.d1(volatility)) * mpmath.sqrt(self.years)

    def volatility(self, price: float, start: float) -> mpmath.mpf:
        """Newton from `start` until the price agrees to 30 digits."""
        found = mpmath.mpf(start)
        for _ in range(20):
            miss = self.price(found) - mpmath.mpf(price)
            if abs(miss) < mpmath.mpf(10) ** -30:
                return found
            found -= miss / self.vega(found)
        raise AssertionError(f"no volatility near {start} gives {price}")

    def greeks(self, volatility: mpmath.mpf) -> tuple[mpmath.mpf, ...]:
        density = mpmath.npdf(self.d1(volatility))
        root = mpmath.sqrt(self.years)
        return (
            self.sign * mpmath.ncdf(self.sign * self.d1(volatility)),
            density / (self.forward * volatility * root),
            -self.forward * density * volatility / (2 * root) / 365,
            self.forward * density * root / 100,
        )


def test_a_market_like_grid_agrees_with_40_digits_to_a_billionth() -> None:
    price, strike, years, is_call = market_grid()
    found = volatility_and_greeks(price, FORWARD, strike, years, is_call)
    with mpmath.workdps(40):
        for row in range(price.size):
            exact = Exact(strike[row], years[row], bool(is_call[row]))
            volatility = exact.volatility(price[row], found.iv[row])
            wanted = (volatility, *exact.greeks(volatility))
            for column, value in zip(found, wanted, strict=True):
                assert abs(column[row] / value - 1) < 1e-9


def test_volatility_alone_is_the_volatility_of_the_fused_call() -> None:
    price, strike, years, is_call = market_grid()
    fused = volatility_and_greeks(price, FORWARD, strike, years, is_call)
    alone = implied_volatility(price, FORWARD, strike, years, is_call)
    np.testing.assert_array_equal(alone, fused.iv)


def test_vollib_agrees_on_volatility_and_greeks() -> None:
    price, strike, years, is_call = (column[::7] for column in market_grid())
    found = volatility_and_greeks(price, FORWARD, strike, years, is_call)
    for row in range(price.size):
        flag = "c" if is_call[row] else "p"
        volatility = vollib_volatility(price[row], FORWARD, strike[row], 0, years[row], flag)
        assert found.iv[row] == pytest.approx(volatility, rel=1e-8)
        given_it = (flag, FORWARD, strike[row], years[row], 0, volatility)
        assert found.delta[row] == pytest.approx(vollib_greeks.delta(*given_it), abs=1e-8)
        assert found.gamma[row] == pytest.approx(vollib_greeks.gamma(*given_it), rel=1e-6)
        assert found.theta[row] == pytest.approx(vollib_greeks.theta(*given_it), rel=1e-6)
        assert found.vega[row] == pytest.approx(vollib_greeks.vega(*given_it), rel=1e-6)


@given(
    forward=some.floats(50, 5000),
    deviations=some.floats(-8, 8),
    volatility=some.floats(0.03, 8),
    minutes=some.floats(0.1, 390),
)
def test_the_volatility_put_into_a_price_comes_back(
    forward: float, deviations: float, volatility: float, minutes: float
) -> None:
    years = minutes / MINUTES_A_YEAR
    strike = forward * np.exp(deviations * volatility * np.sqrt(years))
    out_of_the_money = strike >= forward
    price = option_price(forward, strike, years, volatility, out_of_the_money)
    found = implied_volatility(price, forward, strike, years, out_of_the_money)
    assert found == pytest.approx(volatility, rel=1e-9)


@given(total=some.floats(0.5, 7), deviations=some.floats(-2, 2))
def test_options_far_from_same_day_are_solved_too(total: float, deviations: float) -> None:
    strike = 100 * np.exp(deviations)
    is_call = strike >= 100
    price = option_price(100, strike, 1.0, total, is_call)
    assert implied_volatility(price, 100, strike, 1.0, is_call) == pytest.approx(total, rel=1e-8)


@pytest.mark.parametrize(
    ("deviations", "volatility", "years"),
    [(0, 0.2, 1e-3), (3, 0.15, 2e-4), (-9, 0.4, 2e-6), (25, 0.1, 7e-4), (0.3, 3.0, 1.0)],
)
def test_prices_keep_their_relative_accuracy_in_far_wings(
    deviations: float, volatility: float, years: float
) -> None:
    strike = FORWARD * np.exp(deviations * volatility * np.sqrt(years))
    is_call = bool(strike >= FORWARD)
    with mpmath.workdps(400):
        wanted = Exact(float(strike), years, is_call).price(mpmath.mpf(volatility))
        assert abs(option_price(FORWARD, strike, years, volatility, is_call) / wanted - 1) < 1e-11


@pytest.mark.parametrize("price", [0.01, 1e-9, 1e-100, 1e-200])
def test_far_out_in_the_last_minute_any_price_has_its_volatility(price: float) -> None:
    years = 1 / MINUTES_A_YEAR
    found = float(implied_volatility(price, FORWARD, 696.0, years, True))
    with mpmath.workdps(450):
        miss = Exact(696.0, years, True).price(mpmath.mpf(found)) / mpmath.mpf(price) - 1
    assert abs(miss) < 1e-10
    if price == 0.01:
        assert found == pytest.approx(25.1, abs=0.1)  # 2,510 %: no cap is put on it


BAD_ROWS = {
    "price zero": (0.0, 600.0, 600.0, 1e-3, True),
    "price negative": (-1.0, 600.0, 600.0, 1e-3, True),
    "price NaN": (np.nan, 600.0, 600.0, 1e-3, True),
    "price infinite": (np.inf, 600.0, 600.0, 1e-3, True),
    "call at intrinsic": (5.0, 605.0, 600.0, 1e-3, True),
    "call at intrinsic but for rounding": (2.45 + 1e-13, 602.45, 600.0, 1e-3, True),
    "put below intrinsic": (4.9, 595.0, 600.0, 1e-3, False),
    "call at its cap": (600.0, 600.0, 500.0, 1e-3, True),
    "put above its cap": (601.0, 500.0, 600.0, 1e-3, False),
    "no time": (1.0, 600.0, 600.0, 0.0, True),
    "negative time": (1.0, 600.0, 600.0, -1e-3, True),
    "time NaN": (1.0, 600.0, 600.0, np.nan, True),
    "time infinite": (1.0, 600.0, 600.0, np.inf, True),
    "forward zero": (1.0, 0.0, 600.0, 1e-3, False),
    "forward negative": (1.0, -600.0, 600.0, 1e-3, False),
    "forward NaN": (1.0, np.nan, 600.0, 1e-3, True),
    "forward infinite": (1.0, np.inf, 600.0, 1e-3, False),
    "strike zero": (1.0, 600.0, 0.0, 1e-3, True),
    "strike NaN": (1.0, 600.0, np.nan, 1e-3, True),
    "strike infinite": (1.0, 600.0, np.inf, 1e-3, True),
}


@pytest.mark.parametrize("row", BAD_ROWS.values(), ids=BAD_ROWS.keys())
def test_a_bad_row_is_nan_and_leaves_its_neighbours_alone(row: tuple[float, ...]) -> None:
    price, strike, years, is_call = (column[:9] for column in market_grid())
    good = [price, np.full(9, FORWARD), strike, years, is_call]
    spoilt = [column.copy() for column in good]
    for column, value in zip(spoilt, row, strict=True):
        column[4] = value
    expected = volatility_and_greeks(*good)
    found = volatility_and_greeks(*spoilt)
    for wanted, got in zip(expected, found, strict=True):
        assert np.isnan(got[4])
        np.testing.assert_array_equal(np.delete(got, 4), np.delete(wanted, 4))
    assert np.isnan(implied_volatility(*row))


@given(some.integers(1, 9000), some.integers(0, 8999))
def test_a_row_does_not_depend_on_where_it_stands(size: int, place: int) -> None:
    price, strike, years, is_call = (np.resize(column, size) for column in market_grid())
    place %= size
    whole = volatility_and_greeks(price, FORWARD, strike, years, is_call)
    alone = volatility_and_greeks(
        price[place], FORWARD, strike[place], years[place], is_call[place]
    )
    assert [column[place] for column in whole] == [column.item() for column in alone]


volatilities = some.floats(0.01, 10)


@given(some.floats(300, 900), some.floats(300, 900), volatilities, some.floats(0, 1e-2))
def test_put_call_parity_of_prices_and_greeks(
    forward: float, strike: float, volatility: float, years: float
) -> None:
    is_call = np.array([True, False])
    price = option_price(forward, strike, years, volatility, is_call)
    assert price[0] - price[1] == pytest.approx(forward - strike, abs=1e-9)
    both = greeks_at(volatility, forward, strike, years, is_call)
    assert both.delta[0] - both.delta[1] == pytest.approx(1, abs=1e-14)
    for column in (both.iv, both.gamma, both.theta, both.vega):
        assert column[0] == column[1]


@given(some.floats(1, 2000), some.floats(1, 2000), some.floats(0, 1e6), some.floats(0, 1e3))
def test_a_price_lies_between_intrinsic_and_cap(
    forward: float, strike: float, volatility: float, years: float
) -> None:
    call, put = option_price(forward, strike, years, volatility, np.array([True, False]))
    assert max(forward - strike, 0) <= call <= forward * (1 + 1e-12)
    assert max(strike - forward, 0) <= put <= strike * (1 + 1e-12)


@pytest.mark.parametrize(("volatility", "years"), [(0.2, 0.0), (0.2, -1e-3), (0.0, 1e-3)])
def test_without_time_or_volatility_only_intrinsic_is_left(volatility: float, years: float) -> None:
    strike = np.array([595.0, 600.0, 605.0])
    is_call = np.array([[True], [False]])
    price = option_price(600, strike, years, volatility, is_call)
    np.testing.assert_array_equal(price, [[5, 0, 0], [0, 0, 5]])
    found = greeks_at(volatility, 600, strike, years, is_call)
    np.testing.assert_allclose(found.delta, [[1, 0.5, 0], [0, -0.5, -1]], atol=1e-15)
    np.testing.assert_array_equal(found.iv, np.full((2, 3), volatility))
    for column in (found.gamma, found.theta, found.vega):
        np.testing.assert_array_equal(column, np.zeros((2, 3)))


@pytest.mark.parametrize(
    ("forward", "strike", "years", "volatility"),
    [
        (600, 600, 1e-3, -0.1),
        (600, 600, 1e-3, np.nan),
        (600, 600, 1e-3, np.inf),
        (600, 600, np.nan, 0.2),
        (np.nan, 600, 1e-3, 0.2),
        (0, 600, 1e-3, 0.2),
        (600, -1, 1e-3, 0.2),
        (600, np.inf, 0.0, 0.2),
    ],
)
def test_unusable_figures_have_no_price_and_no_greeks(
    forward: float, strike: float, years: float, volatility: float
) -> None:
    price = option_price([600, forward], [610, strike], [1e-3, years], [0.3, volatility], True)
    assert np.isfinite(price[0])
    assert np.isnan(price[1])
    assert all(np.isnan(greeks_at(volatility, forward, strike, years, True)))


def test_greeks_at_the_solved_volatility_are_the_fused_greeks() -> None:
    price, strike, years, is_call = market_grid()
    fused = volatility_and_greeks(price, FORWARD, strike, years, is_call)
    known = greeks_at(fused.iv, FORWARD, strike, years, is_call)
    for one, other in zip(fused, known, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10)


def test_shapes_broadcast_and_empty_arrays_stay_empty() -> None:
    price = option_price(600, np.array([595.0, 600, 605]), np.full((2, 1), 1e-3), 0.2, True)
    assert price.shape == (2, 3)
    found = volatility_and_greeks(price, 600, [595.0, 600, 605], np.full((2, 1), 1e-3), True)
    assert {column.shape for column in found} == {(2, 3)}
    nothing = volatility_and_greeks(np.empty((4, 0)), 600, 600, 1e-3, True)
    assert {column.shape for column in nothing} == {(4, 0)}
