"""The acceptance model: what it fits, that JSON holds all of it, and what it foretells."""

import numpy as np
import pytest
from feedback_rows import answers, fears, suggested
from hypothesis import given
from hypothesis import strategies as some
from scipy.optimize import minimize

from errors import InternalError, ModelError
from models.feedback.acceptance import AcceptanceModel, fit_acceptance, sigmoid
from models.feedback.answers import Answers
from models.feedback.fits import BOOSTED_INPUTS, fit_boosted, fit_logistic
from models.feedback.inputs import inputs
from models.feedback.rolling import CANDIDATES, Foretold, auc, calibration, choose, foretell


def coins(count, seed=77):
    return np.random.default_rng(seed).random(count) < 0.5


def test_the_nine_inputs_are_those_of_the_document():
    phi = inputs(np.array([0.25, 0.6, 0.2, 0, 0, 0, 0.4, 0.75]), np.array(1))
    log_iv = np.log(0.2)
    expected = [1, 0.25, 0.0625, log_iv, log_iv**2, 0.25 * log_iv, 0.25, log_iv, 0.4]
    np.testing.assert_allclose(phi, expected)
    assert inputs(np.full(8, 0.2), np.array(2))[[0, 6, 7]].tolist() == [0, 0, 0]


def test_the_logistic_fit_is_the_minimum_of_its_loss():
    made = answers(40, said=coins(40))
    weight = np.random.default_rng(1).uniform(0.2, 5, 40)
    fit = fit_logistic(made.phi, made.yes, weight)
    z = (made.phi - made.phi.mean(axis=0)) / made.phi.std(axis=0)
    sign = 2 * made.yes - 1

    def loss(terms):
        margin = sign * (z @ terms[:-1] + terms[-1])
        return float(weight @ np.logaddexp(0, -margin) + terms[:-1] @ terms[:-1] / 2)

    best = minimize(loss, np.zeros(10), tol=1e-12)
    np.testing.assert_allclose([*fit.weights, fit.bias], best.x, atol=1e-4)


def test_the_stored_trees_are_those_of_scikit_learn():
    from sklearn.ensemble import GradientBoostingClassifier

    made = answers(80, said=fears(suggested(80)[0]) ^ (coins(80) & coins(80, 1)))
    weight = np.random.default_rng(1).uniform(0.2, 5, 80)
    fit = fit_boosted(made.phi, made.yes, weight)
    theirs = GradientBoostingClassifier(
        n_estimators=40, max_depth=2, learning_rate=0.1, min_samples_leaf=3, random_state=0
    )
    theirs.fit(made.phi[:, list(BOOSTED_INPUTS)], made.yes, sample_weight=weight)
    fresh = inputs(*suggested(500, seed=9))
    expected = theirs.predict_proba(fresh[:, list(BOOSTED_INPUTS)])[:, 1]
    np.testing.assert_allclose(sigmoid(fit.logit(fresh)), expected, atol=1e-12)


@pytest.mark.parametrize("candidate", CANDIDATES)
def test_json_holds_the_model_to_the_last_bit(candidate):
    model = fit_acceptance(answers(60), candidate.kind, candidate.half_life)
    again = AcceptanceModel.model_validate_json(model.model_dump_json())
    features, action = suggested(200, seed=5)
    np.testing.assert_array_equal(
        again.probability(features, action), model.probability(features, action)
    )


def test_one_suggestion_and_many_get_the_same_probability():
    features, action = suggested(6, seed=2)
    for candidate in CANDIDATES:
        model = fit_acceptance(answers(60), candidate.kind)
        many = model.probability(features.reshape(2, 3, 8), action.reshape(2, 3))
        one = [float(model.probability(f, a)) for f, a in zip(features, action, strict=True)]
        np.testing.assert_allclose(many.ravel(), one, rtol=1e-12)


def test_an_unknown_feature_is_an_unknown_probability():
    features, action = suggested(2)
    features[0, 2] = np.nan
    found = fit_acceptance(answers(30)).probability(features, action)
    assert np.isnan(found[0]) and 0 < found[1] < 1


def test_hold_is_no_question():
    with pytest.raises(InternalError, match="sells nothing"):
        fit_acceptance(answers(30)).probability(suggested(1)[0], np.array([0]))


@pytest.mark.parametrize(
    ("said", "words"), [([], "no answer"), ([True] * 5, "all 5 answers are y")]
)
def test_nothing_is_learned_from_one_kind_of_answer(said, words):
    with pytest.raises(ModelError, match=words):
        fit_acceptance(answers(len(said), said=np.array(said, bool)))


def test_old_answers_count_less():
    made = answers(2)
    made.day[:] = [0.0, 90.0]
    np.testing.assert_allclose(made.weight_now(90.0), [0.5, 1.0])


def test_foretelling_never_sees_the_answer_it_foretells():
    made = answers(40, said=coins(40))
    for candidate in CANDIDATES:
        whole = foretell(made, candidate)
        for count in (15, 37):
            part = foretell(made.first(count), candidate)
            known = len(part)
            np.testing.assert_array_equal(part.probability, whole.probability[:known])
        flipped = Answers(made.phi, made.yes.copy(), made.weight, made.day, made.row)
        flipped.yes[30:] = 1 - flipped.yes[30:]
        other = foretell(flipped, candidate)
        np.testing.assert_array_equal(other.probability[:21], whole.probability[:21])


def test_a_person_with_taste_is_foretold_and_a_coin_is_not():
    _, taste = choose(answers(60))
    _, luck = choose(answers(45, said=coins(45)))
    assert taste.auc > 0.9 and taste.p_value() < 0.001 and taste.brier < taste.base_brier
    assert luck.p_value() > 0.05


def test_a_person_who_changes_is_followed_by_the_short_memory():
    before, after = answers(45, seed=1), answers(50, seed=2)
    made = Answers(
        phi=np.concatenate((before.phi, after.phi)),
        yes=np.concatenate((before.yes, 1 - after.yes)),
        weight=np.ones(95),
        day=np.arange(95.0),
        row=np.arange(95),
    )
    candidate, _ = choose(made)
    assert candidate.half_life < 90
    assert choose(before)[0].half_life == 90


@given(some.lists(some.tuples(some.booleans(), some.integers(0, 5)), min_size=2, max_size=30))
def test_the_auc_counts_pairs(pairs):
    yes = np.array([float(one) for one, _ in pairs])
    score = np.array([float(one) for _, one in pairs])
    found = auc(yes, score)
    high, low = score[yes == 1], score[yes == 0]
    if not len(high) or not len(low):
        assert np.isnan(found)
        return
    wins = (high[:, None] > low).mean() + (high[:, None] == low).mean() / 2
    assert found == pytest.approx(wins)


def test_the_permutation_p_value_is_exact_on_a_small_case():
    made = Foretold(np.array([0.0, 0.0, 1.0, 1.0]), np.array([0.1, 0.2, 0.3, 0.4]))
    assert made.p_value() == pytest.approx(1 / 6, abs=0.02)
    assert Foretold(np.ones(3), np.full(3, 0.5)).p_value() == 1.0


def test_calibration_groups_all_answers_by_what_was_foretold():
    made = Foretold(np.array([0.0, 1.0, 0.0, 1.0]), np.array([0.1, 0.8, 0.2, 0.9]))
    low, high = calibration(made, bins=2)
    assert (low.answers, low.said, high.answers, high.said) == (2, 0.0, 2, 1.0)
    assert low.foretold == pytest.approx(0.15) and high.foretold == pytest.approx(0.85)
    assert calibration(Foretold(np.empty(0), np.empty(0))) == []


def test_the_best_of_several_fits_must_be_surer():
    yes, found = np.array([0.0, 0.0, 1.0, 1.0] * 4), np.array([0.1, 0.3, 0.2, 0.4] * 4)
    alone, chosen = Foretold(yes, found), Foretold(yes, found, tried=4)
    assert chosen.p_value() == pytest.approx(4 * alone.p_value())
    assert choose(answers(60))[1].tried == 4 and choose(answers(25))[1].tried == 1
