"""A folded first layer on raw features is the first layer on standardised ones."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from zoo import STANDARDISATION, realistic_features

from models.card import Standardisation
from models.folding import fold, measure, standardise

means = st.lists(st.floats(-5, 5), min_size=8, max_size=8)
deviations = st.lists(st.floats(0.01, 5), min_size=8, max_size=8)


@given(st.integers(0, 2**32 - 1), means, deviations)
def test_folding_changes_where_the_constants_are_and_not_what_comes_out(seed, mean, sd):
    random = np.random.default_rng(seed)
    weight, bias = random.normal(size=(5, 8)), random.normal(size=5)
    raw = random.normal(size=(20, 8))
    standardised = (raw - np.array(mean)) / np.array(sd)
    folded, moved = fold(weight, bias, Standardisation(mean=tuple(mean), sd=tuple(sd)))
    expected = standardised @ weight.T + bias
    np.testing.assert_allclose(raw @ folded.T + moved, expected, atol=1e-9, rtol=1e-9)


def test_measured_constants_centre_and_scale_the_days_they_came_from():
    features = realistic_features(5000).reshape(50, 100, 8)
    scaled = standardise(features, measure(features)).astype(float)
    assert scaled.shape == (50, 100, 8)
    np.testing.assert_allclose(scaled.mean(axis=(0, 1)), 0, atol=1e-5)
    np.testing.assert_allclose(scaled.std(axis=(0, 1)), 1, atol=1e-5)


def test_a_feature_that_never_varied_keeps_its_own_scale():
    features = realistic_features(100)
    features[:, 3] = 0.0
    features[:, 1] = 0.6285
    constants = measure(features)
    assert (constants.mean[3], constants.sd[3], constants.sd[1]) == (0.0, 1.0, 1.0)
    assert np.isfinite(standardise(features, constants)).all()


def test_nothing_is_clipped():
    far = np.full((1, 8), 1000.0, np.float32)
    assert (standardise(far, STANDARDISATION) > 2000).all()
    assert standardise(far, STANDARDISATION).dtype == np.float32
