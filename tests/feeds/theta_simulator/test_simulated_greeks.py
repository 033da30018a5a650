"""Greeks in the vendor's units, cut to four decimals."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from small_terminal import CHAIN, DAY, HISTORY, Start, get, new_york, rows

from feeds.black76 import option_price
from feeds.theta_simulator.formats import truncated
from feeds.theta_simulator.greeks import HOUR, Question, Terms, all_greeks, implied
from feeds.theta_simulator.server import SimulatedTerminal

TERMS = Terms(rate=0.044, dividend=0.0, version="latest", stock_price=None)


def question(
    price: float, spot: float, strike: float, years: float, is_call: bool = True
) -> Question:
    figures = (np.array([value]) for value in (price, spot, strike, years))
    return Question(*figures, is_call=np.array([is_call]))


def value(
    spot: float, strike: float, years: float, sigma: float, is_call: bool, terms: Terms
) -> float:
    """Black-Scholes-Merton with a dividend yield."""
    growth = math.exp((terms.rate - terms.dividend / spot) * years)
    price = option_price(spot * growth, strike, years, sigma, is_call)
    return float(price) * math.exp(-terms.rate * years)


def test_the_vendors_published_example_comes_out() -> None:
    """AAPL 275 call of 2026-01-16: whole days and SOFR as fitted to it (reference 6).

    The published lambda tells which price its Greeks belong to: half a cent below the mid.
    """
    asked = question(1.4795, 225.74, 275.0, 148 / 365)
    found = {name: truncated(values).texts[0] for name, values in all_greeks(asked, TERMS).items()}
    expected = {
        "delta": 0.1060,
        "theta": -0.0217,
        "vega": 26.3226,
        "rho": 9.1050,
        "epsilon": -9.7049,
        "lambda": 16.1782,
        "implied_vol": 0.2142,
    }
    for name, published in expected.items():
        assert float(found[name]) == pytest.approx(published, rel=5e-4, abs=1.01e-4), name


def test_values_are_cut_and_not_rounded() -> None:
    figures = np.array([0.60835, -0.02175, 0.00009, -0.00009, 0.2142, -1.0, 100.0])
    expected = ["0.6083", "-0.0217", "0.0000", "0.0000", "0.2142", "-1.0000", "100.0000"]
    assert truncated(figures).texts == expected


@given(
    some.floats(550, 700),
    some.floats(0.1, 0.9),
    some.floats(1.0, 390.0),
    some.booleans(),
    some.floats(-1.5, 1.5),
)
def test_greeks_are_derivatives_of_the_price(
    spot: float, sigma: float, minutes: float, is_call: bool, deviations: float
) -> None:
    years = minutes / 525_600
    strike = spot * math.exp(deviations * sigma * math.sqrt(years))

    def at(**other: float) -> float:
        inputs = {"spot": spot, "strike": strike, "years": years, "sigma": sigma} | other
        return value(**inputs, is_call=is_call, terms=TERMS)

    def slope(name: str, centre: float, step: float) -> float:
        return (at(**{name: centre + step}) - at(**{name: centre - step})) / (2 * step)

    greeks = all_greeks(question(at(), spot, strike, years, is_call), TERMS)
    close = {"rel": 2e-3, "abs": 1e-6}
    width = spot * sigma * math.sqrt(years)
    assert greeks["implied_vol"][0] == pytest.approx(sigma, rel=1e-6)
    assert greeks["delta"][0] == pytest.approx(slope("spot", spot, width / 500), **close)
    assert greeks["vega"][0] == pytest.approx(slope("sigma", sigma, sigma / 500), **close)
    by_time = slope("years", years, years / 500)
    assert greeks["theta"][0] == pytest.approx(-by_time / 365, **close)
    assert greeks["dual_delta"][0] == pytest.approx(slope("strike", strike, width / 500), **close)
    second = (at(spot=spot + width / 50) - 2 * at() + at(spot=spot - width / 50)) / (
        width / 50
    ) ** 2
    assert greeks["gamma"][0] == pytest.approx(second, rel=1e-2)


@pytest.mark.parametrize("is_call", [True, False])
def test_higher_greeks_are_derivatives_of_lower_ones(is_call: bool) -> None:
    """Signs as the market writes them: charm, veta and color a year of time that passes."""
    spot, strike, sigma, years = 600.0, 612.0, 0.25, 0.08

    def greek(name: str, **other: float) -> float:
        inputs = {"spot": spot, "sigma": sigma, "years": years} | other
        dividends = replace(TERMS, dividend=0.01 * inputs["spot"])  # the yield stays what it is
        price = value(strike=strike, is_call=is_call, terms=dividends, **inputs)
        asked = question(price, inputs["spot"], strike, inputs["years"], is_call)
        return float(all_greeks(asked, dividends)[name][0])

    def slope(name: str, of: str, centre: float) -> float:
        step = centre * 1e-4
        low, high = greek(name, **{of: centre - step}), greek(name, **{of: centre + step})
        return (high - low) / (2 * step)

    for name, lower, of, centre, sign in (
        ("vanna", "delta", "sigma", sigma, 1),
        ("vomma", "vega", "sigma", sigma, 1),
        ("zomma", "gamma", "sigma", sigma, 1),
        ("speed", "gamma", "spot", spot, 1),
        ("ultima", "vomma", "sigma", sigma, 1),
        ("charm", "delta", "years", years, -1),
        ("veta", "vega", "years", years, -1),
        ("color", "gamma", "years", years, -1),
        ("vera", "rho", "sigma", sigma, 1),
    ):
        expected = sign * slope(lower, of, centre)
        assert greek(name) == pytest.approx(expected, rel=1e-3, abs=1e-6), name


def test_without_a_quote_there_is_no_solution(start: Start) -> None:
    terminal = start(faults=["zero"])
    found = rows(get(terminal, "/option/snapshot/greeks/first_order", **CHAIN))
    empty = [row for row in found if row["ask"] == "0.00"]
    assert len(empty) == 12
    for row in empty:
        assert row["iv_error"] == "100.0000"
        assert row["delta"] == row["vega"] == row["implied_vol"] == "0.0000"


def test_below_intrinsic_the_volatility_is_zero_and_delta_one() -> None:
    asked = question(41.4, 542.0, 500.0, 5 / 365)
    volatility, error = implied(asked, TERMS)
    assert volatility[0] == 0 and 0 < error[0] < 0.05
    greeks = all_greeks(asked, TERMS)
    assert greeks["delta"][0] == pytest.approx(1) and greeks["vega"][0] == greeks["theta"][0] == 0


def test_time_is_an_hour_at_least_or_fixed_by_version_one() -> None:
    left = np.array([6.5, 1.0, 0.25]) * HOUR
    year = 365 * 24
    np.testing.assert_allclose(TERMS.years(left), np.array([6.5, 1.0, 1.0]) / year)
    fixed = replace(TERMS, version="1").years(left)
    np.testing.assert_allclose(fixed, 0.15 / 365)


def test_history_and_snapshot_tell_the_same(still: SimulatedTerminal, start: Start) -> None:
    now = start()
    one = {"strike": "628", "right": "put"}
    (snapshot,) = rows(get(now, "/option/snapshot/greeks/all", **CHAIN, **one))
    history = rows(get(still, "/option/history/greeks/all", **HISTORY, **one))[30]
    assert snapshot.pop("timestamp") == history.pop("timestamp") == "2026-10-30T10:00:00"
    assert snapshot == history


def test_history_has_volatilities_for_bid_mid_and_ask(still: SimulatedTerminal) -> None:
    asked = {**HISTORY, "strike": "628", "right": "call"}
    found = rows(get(still, "/option/history/greeks/implied_volatility", **asked))
    assert len(found) == 391
    row = found[100]
    names = ("bid_implied_vol", "implied_vol", "ask_implied_vol")
    bid, mid, ask = (float(row[name]) for name in names)
    assert 0 < bid < mid < ask
    assert float(row["midpoint"]) == pytest.approx((float(row["bid"]) + float(row["ask"])) / 2)


def test_rates_dividends_and_the_stocks_price_can_be_chosen(still: SimulatedTerminal) -> None:
    still.set_time(new_york(10))
    one = {**CHAIN, "strike": "628", "right": "call"}
    path = "/option/snapshot/greeks/first_order"
    (plain,), (dear,), (moved,) = (
        rows(get(still, path, **one, **other))
        for other in ({}, {"rate_value": "50"}, {"stock_price": "630.00"})
    )
    assert float(dear["implied_vol"]) < float(plain["implied_vol"])
    assert moved["underlying_price"] == "630.00"
    assert get(still, path, **one, rate_type="libor").status_code == 473
    assert get(still, path, **one, version="2").status_code == 473
    still.set_time(new_york(17, 30, day=DAY))
