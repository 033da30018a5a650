"""Which bids and asks are believed, and what the mid of them is."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from feeds.quotes import clean, crossed, mid

NAN, INF = np.nan, np.inf


@pytest.mark.parametrize(
    ("bid", "ask", "clean_bid", "clean_ask"),
    [
        (1.00, 1.02, 1.00, 1.02),
        (1.00, 1.00, 1.00, 1.00),  # locked is tradable
        (1.03, 1.02, NAN, NAN),  # crossed
        (0.00, 0.01, 0.00, 0.01),  # nobody bids
        (0.00, 0.00, 0.00, NAN),  # nobody offers
        (1.00, 0.00, NAN, NAN),  # crossed by a zero ask
        (NAN, 0.05, NAN, 0.05),
        (0.05, NAN, 0.05, NAN),
        (NAN, NAN, NAN, NAN),
        (-0.01, 0.05, NAN, NAN),
        (-0.02, -0.01, NAN, NAN),
        (1.00, INF, NAN, NAN),
        (-INF, 1.00, NAN, NAN),
        (INF, INF, NAN, NAN),
        (INF, NAN, NAN, NAN),
    ],
)
def test_only_believable_sides_survive_cleaning(
    bid: float, ask: float, clean_bid: float, clean_ask: float
) -> None:
    np.testing.assert_array_equal(clean(bid, ask), (clean_bid, clean_ask))


@pytest.mark.parametrize(
    ("bid", "ask", "expected"),
    [
        (2.35, 2.45, 2.40),
        (1.00, 1.00, 1.00),
        (0.00, 0.01, 0.005),
        (0.00, 0.02, 0.01),
        (0.00, 0.03, NAN),  # no bid, and the ask is no penny: anything below it is possible
        (0.00, NAN, NAN),
        (NAN, 0.01, NAN),
        (1.00, NAN, NAN),
        (NAN, NAN, NAN),
    ],
)
def test_a_mid_needs_a_bid_or_a_penny_ask(bid: float, ask: float, expected: float) -> None:
    np.testing.assert_allclose(mid(bid, ask), expected, rtol=1e-15)


def test_crossed_is_an_ask_below_the_bid_and_never_a_missing_side() -> None:
    bid = np.array([1.02, 1.00, 1.00, NAN, 1.00])
    ask = np.array([1.01, 1.00, 1.01, 1.00, NAN])
    np.testing.assert_array_equal(crossed(bid, ask), [True, False, False, False, False])


prices = some.floats(-1, 10) | some.sampled_from([0.0, 0.01, 0.02, NAN, INF, -INF])


@given(prices, prices)
def test_clean_quotes_are_never_crossed_and_their_mid_lies_between(bid: float, ask: float) -> None:
    sides = clean(bid, ask)
    assert not crossed(*sides)
    middle = mid(*sides)
    assert np.isnan(middle) or sides[0] <= middle <= sides[1]
    np.testing.assert_array_equal(clean(*sides), sides)


def test_cleaning_keeps_the_shape_and_the_source_untouched() -> None:
    bid, ask = np.full((3, 2, 4), 2.0), np.ones((3, 2, 4))
    cleaned, _ = clean(bid, ask)
    assert cleaned.shape == (3, 2, 4)
    assert np.isnan(cleaned).all()
    assert (bid == 2.0).all()
