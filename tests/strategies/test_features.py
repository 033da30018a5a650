"""The 8 features: the worked example, any shape, and what is refused."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from settings import RiskSettings
from strategies.features import are_valid, fault, feature_vector, risk_score
from vocabulary import FEATURES

RISK = RiskSettings()
EXAMPLE = [0.25, 0.6285, 0.155, 0, 0, 0, 0.20, 0.75]


def vector(**changes: Any) -> np.ndarray:
    """The worked example, with some figures changed."""
    figures: dict[str, Any] = {
        "since_open": 97.5,
        "spot": 628.5,
        "atm_iv": (0.15 + 0.16) / 2,
        "has_position": 0,
        "position_pnl": 0.0,
        "minutes_held": 0.0,
        "until_close": 292.5,
    }
    figures |= changes
    figures.setdefault("risk", risk_score(0.0, figures["since_open"], figures["atm_iv"], RISK))
    return feature_vector(**figures)


def test_the_worked_example_of_the_design() -> None:
    np.testing.assert_allclose(vector(), EXAMPLE, rtol=1e-7)
    assert vector().dtype == np.float32
    assert risk_score(0.0, 97.5, 0.155, RISK) == pytest.approx(0.20, abs=1e-15)
    assert are_valid(vector())
    assert fault(vector()) == ""


def test_a_short_that_lost_62_dollars_after_20_minutes() -> None:
    held = vector(has_position=1, position_pnl=-62.0, minutes_held=20.0, risk=0.52)
    np.testing.assert_allclose(held[3:7], [1, -0.062, 20 / 390, 0.52], rtol=1e-6)


def test_a_half_day_ends_where_its_clock_does() -> None:
    last = vector(since_open=210.0, until_close=0.0)
    np.testing.assert_allclose(last[[0, 7]], [210 / 390, 0])
    assert are_valid(last)


@pytest.mark.parametrize(
    ("open_fraction", "since_open", "atm_iv", "expected"),
    [
        (0, 0, 0, 0),
        (1, 0, 0, 0.32),
        (0, 390, 0, 0.18),
        (0, 0, 0.25, 0.25),
        (0, 0, 0.50, 0.50),
        (0, 0, 3.00, 0.50),  # volatility counts up to its reference
        (1, 390, 0.50, 1.00),
        (1 / 3, 195, 0.20, 0.32 / 3 + 0.09 + 0.20),
    ],
)
def test_risk_is_weighed_size_time_and_volatility(
    open_fraction: float, since_open: float, atm_iv: float, expected: float
) -> None:
    assert risk_score(open_fraction, since_open, atm_iv, RISK) == pytest.approx(expected)


def test_weights_and_reference_of_risk_are_configuration() -> None:
    other = RiskSettings(
        size_weight=0.5, elapsed_weight=0.2, volatility_weight=0.3, volatility_reference=0.2
    )
    assert risk_score(1.0, 195.0, 0.1, other) == pytest.approx(0.5 + 0.1 + 0.15)


@pytest.mark.parametrize("shape", [(), (1,), (7,), (3, 4), (2, 3, 4)])
def test_arrays_of_any_shape_give_what_scalars_give(shape: tuple[int, ...]) -> None:
    dice = np.random.default_rng(5)
    names = ("since_open", "spot", "atm_iv", "position_pnl", "minutes_held", "until_close")
    many = {name: dice.uniform(0.1, 300, shape) for name in names}
    many["has_position"] = dice.integers(0, 2, shape)
    whole = vector(**many)
    assert whole.shape == (*shape, 8)
    for place in np.ndindex(*shape):
        one = vector(**{name: float(figures[place]) for name, figures in many.items()})
        assert one.tobytes() == whole[place].tobytes()


def test_features_can_be_written_in_place() -> None:
    rows = np.zeros((3, 8), np.float32)
    written = feature_vector(97.5, 628.5, 0.155, False, 0.0, 0.0, 0.2, 292.5, out=rows[1])
    assert np.shares_memory(written, rows)
    np.testing.assert_allclose(rows[1], EXAMPLE, rtol=1e-7)
    assert not rows[[0, 2]].any()


BOUNDS = {
    "minutes_since_open": (0.0, 1.0),
    "atm_iv": (1e-6, 5.0),
    "position_pnl": (-100.0, 100.0),
    "time_in_position": (0.0, 1.0),
    "risk_score": (0.0, 1.0),
    "minutes_until_close": (0.0, 1.0),
}


@pytest.mark.parametrize("name", BOUNDS)
def test_a_bound_is_inside_and_the_next_figure_is_not(name: str) -> None:
    low, high = np.float32(BOUNDS[name])
    place = FEATURES.index(name)
    for inside, outside in (
        (low, np.nextafter(low, np.float32(-np.inf)) if name != "atm_iv" else np.float32(0)),
        (high, np.nextafter(high, np.float32(np.inf))),
    ):
        features = vector()
        features[place] = inside
        assert are_valid(features)
        assert fault(features) == ""
        features[place] = outside
        assert not are_valid(features)
        assert fault(features).startswith(f"feature {name} is ")


@pytest.mark.parametrize("name", FEATURES)
@pytest.mark.parametrize("figure", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_refused_by_name(name: str, figure: float) -> None:
    features = vector()
    features[FEATURES.index(name)] = figure
    assert not are_valid(features)
    assert name in fault(features)


@pytest.mark.parametrize("spot", [0.0, -1.0])
def test_a_price_must_be_above_zero(spot: float) -> None:
    assert "spy_price" in fault(vector(spot=spot))


def test_there_is_a_position_or_there_is_none() -> None:
    half = vector(has_position=0.5)
    assert not are_valid(half)
    assert fault(half) == "feature has_position is 0.5, not 0 or 1"


def test_validity_is_told_for_each_vector() -> None:
    both = np.stack([vector(), vector(atm_iv=np.nan)])
    np.testing.assert_array_equal(are_valid(both), [True, False])


figures = some.floats(allow_nan=True, allow_infinity=True, width=32)


@given(some.lists(figures, min_size=8, max_size=8))
def test_a_vector_is_valid_exactly_when_no_fault_is_found(row: list[float]) -> None:
    features = np.array(row, np.float32)
    assert bool(are_valid(features)) == (fault(features) == "")
