"""Which strike a named rule sells: at the money, out of the money, by delta."""

import numpy as np
import pytest
from market import CALL, PUT, Market, market

from feeds.option_maths import chain_greeks
from strategies.strikes import strike_indices


def one(spot: float, **changes: object) -> Market:
    """A single snapshot 30 minutes after the open."""
    return market(np.array([30.0]), spot, **changes)  # type: ignore[arg-type]


def sold(rule: str, made: Market) -> tuple[int | None, int | None]:
    """The strikes (dollars) that a call and a put would be sold at."""
    indices = strike_indices(rule, made.day())[0]
    call, put = (None if k < 0 else int(made.strikes[k] // 1000) for k in indices)
    return call, put


@pytest.mark.parametrize(
    ("spot", "expected"),
    [(628.49, 628), (628.50, 628), (628.51, 629), (627.50, 627), (610.0, 620), (700.0, 637)],
)
def test_at_the_money_is_the_nearest_and_the_lower_on_a_tie(spot: float, expected: int) -> None:
    made = one(628.2)  # quotes do not matter, only that there are some
    made.spot[:] = spot
    made.bid[:], made.ask[:] = 1.0, 1.02
    assert sold("atm", made) == (expected, expected)


def test_at_the_money_is_looked_for_in_each_right_among_its_quoted_strikes() -> None:
    made = one(628.2).quote(CALL, 628, 0, bid=np.nan).quote(PUT, 628, 0, ask=np.nan)
    made.quote(PUT, 629, 0, bid=9.0, ask=8.0)  # crossed
    assert sold("atm", made) == (629, 627)


@pytest.mark.parametrize(
    ("spot", "expected"), [(628.2, (629, 628)), (628.0, (628, 628)), (628.999, (629, 628))]
)
def test_out_of_the_money_is_the_nearest_that_has_no_intrinsic(
    spot: float, expected: tuple[int, int]
) -> None:
    assert sold("otm", one(spot)) == expected


def test_out_of_the_money_skips_what_is_not_quoted() -> None:
    made = one(628.2).quote(CALL, 629, 0, bid=np.nan).quote(PUT, 628, 0, bid=np.nan)
    assert sold("otm", made) == (630, 627)


def test_nothing_is_sold_where_nothing_is_quoted() -> None:
    made = one(628.2)
    made.bid[:] = np.nan
    for rule in ("atm", "otm", "delta=0.20"):
        assert sold(rule, made) == (None, None)


@pytest.mark.parametrize("target", [0.05, 0.20, 0.50, 0.80])
def test_the_delta_rule_takes_the_strike_whose_delta_is_nearest(target: float) -> None:
    made = one(628.2)
    day = made.day()
    greeks = chain_greeks(day.forward, day.strikes / 1000, day.bid, day.ask, day.years)
    for right, strike in zip((CALL, PUT), sold(f"delta={target:.2f}", made), strict=True):
        assert strike is not None
        distance = np.abs(np.abs(greeks.delta[0, right]) - target)
        k = int(np.flatnonzero(made.strikes == strike * 1000)[0])
        assert distance[k] == np.nanmin(distance)
    call, put = sold("delta=0.20", made)
    assert call is not None and put is not None and call > 628.2 > put


@pytest.mark.parametrize("rule", ["atm", "otm", "delta=0.20"])
def test_a_row_alone_gives_what_it_gives_in_its_session(rule: str) -> None:
    made = market(np.arange(30.0, 200.0, 7.0), 628.2 + np.arange(25) / 3)
    day = made.day()
    whole = strike_indices(rule, day)
    for row in range(len(day)):
        np.testing.assert_array_equal(strike_indices(rule, day.row(row))[0], whole[row])
