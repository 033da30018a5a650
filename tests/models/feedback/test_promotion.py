"""Nothing is promoted by luck, by silence or by too little evidence; every refusal says why."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from errors import ModelError
from models.feedback.promotion import (
    AgreementFigures,
    Outcome,
    PairedFigures,
    Predictions,
    check_agreement,
    check_calibration,
    check_paired,
    check_prediction,
    check_rate,
    check_tail,
    promotion_checks,
    snips,
    verdict,
)
from models.feedback.promotion_state import advanced, decide, read_promotion, write_promotion

TODAY = date(2026, 11, 22)
NOW = datetime(2026, 11, 22, 18, tzinfo=UTC)
SAID = np.array([True, False] * 20)
GOOD = Predictions(np.where(SAID, 0.8, 0.2), True, SAID)
AGREED = AgreementFigures(0.5, 0.8, 30.0)
PAIRED = PairedFigures(300, 0.5, -1.0, (1.0, 0.8), (400.0, 410.0))


def outcomes(checks):
    return {check.name: check.outcome for check in checks}


def test_a_candidate_that_passes_everything_goes_into_the_shadow():
    checks = promotion_checks(GOOD, AGREED, PAIRED)
    assert set(outcomes(checks).values()) == {Outcome.PASSED}
    assert decide("gate", "a" * 64, checks, 40, NOW).status == "shadow"


@pytest.mark.parametrize(
    ("changes", "name", "outcome"),
    [
        ({"sessions": 249}, "paired backtest", Outcome.UNKNOWN),
        ({"lower": -3.0}, "paired backtest", Outcome.UNKNOWN),
        ({"mean": -5.0, "lower": -9.0}, "paired backtest", Outcome.FAILED),
        ({"lower": float("nan")}, "paired backtest", Outcome.UNKNOWN),
        ({"suggestions": (1.0, 0.49)}, "suggestion rate", Outcome.FAILED),
        ({"suggestions": (1.0, 1.51)}, "suggestion rate", Outcome.FAILED),
        ({"suggestions": (0.0, 0.0)}, "suggestion rate", Outcome.FAILED),
        ({"shortfall": (400.0, 441.0)}, "tail", Outcome.FAILED),
        ({"shortfall": (float("nan"), 1.0)}, "tail", Outcome.FAILED),
    ],
)
def test_one_bad_figure_keeps_a_candidate_back(changes, name, outcome):
    checks = promotion_checks(GOOD, AGREED, replace(PAIRED, **changes))
    assert outcomes(checks)[name] is outcome
    assert verdict(checks) is not Outcome.PASSED
    assert decide("policy", "a" * 64, checks, 40, NOW).status == "refused"


def test_the_bounds_themselves_pass():
    assert check_tail(replace(PAIRED, shortfall=(400.0, 440.0))).outcome is Outcome.PASSED
    assert check_rate(replace(PAIRED, suggestions=(1.0, 0.5))).outcome is Outcome.PASSED
    assert check_paired(replace(PAIRED, sessions=250)).outcome is Outcome.PASSED


def test_random_people_are_hardly_ever_foretold():
    rng = np.random.default_rng(0)
    people = [Predictions(rng.random(40), True, rng.random(40) < 0.5) for _ in range(100)]
    passed = [check_prediction(person).outcome is Outcome.PASSED for person in people]
    assert sum(passed) <= 3


@pytest.mark.parametrize("said", [np.ones(40, bool), np.zeros(40, bool), np.arange(40) < 4])
def test_always_yes_always_no_and_four_of_a_kind_prove_nothing(said):
    checks = promotion_checks(Predictions(np.linspace(0, 1, 40), True, said), AGREED, PAIRED)
    assert outcomes(checks)["answers"] is Outcome.UNKNOWN
    assert outcomes(checks)["prediction"] is Outcome.UNKNOWN
    assert verdict(checks) is Outcome.UNKNOWN


def test_an_order_turned_round_fails():
    turned = Predictions(1 - GOOD.score, True, SAID)
    assert check_prediction(turned).outcome is Outcome.FAILED
    assert check_calibration(turned).outcome is Outcome.FAILED


def test_overconfident_probabilities_fail_the_calibration():
    score = np.where(SAID, 1.0, 0.0)
    score[:12] = 1 - score[:12]
    assert check_calibration(Predictions(score, True, SAID)).outcome is Outcome.FAILED
    assert check_calibration(Predictions(score, False, SAID)).outcome is Outcome.PASSED


def test_agreement_must_not_fall_and_needs_answers():
    assert check_agreement(AgreementFigures(0.5, 0.49, 30)).outcome is Outcome.FAILED
    assert check_agreement(AgreementFigures(0.5, 0.9, 19)).outcome is Outcome.UNKNOWN
    assert check_agreement(AgreementFigures(0.5, 0.5, 20)).outcome is Outcome.PASSED


def test_snips_counts_answers_in_effect():
    share, effective = snips(np.array([1.0, 1.0, 0.0, 2.0]), np.array([True, False, True, True]))
    assert share == pytest.approx(0.75)
    assert effective == pytest.approx(16 / 6)
    assert snips(np.zeros(3), np.ones(3, bool))[1] == 0.0


def test_no_checks_promote_nothing():
    assert verdict([]) is Outcome.FAILED


def days(count):
    return [TODAY + timedelta(days=number) for number in range(count)]


def test_the_shadow_ends_after_ten_sessions_in_which_it_was_looked_at():
    checks = promotion_checks(GOOD, AGREED, PAIRED)
    state = decide("gate", "a" * 64, checks, 40, NOW)
    state = advanced(state, [*days(9), *days(9)], checks)
    assert state.status == "shadow"
    assert "9 of 10" in state.line
    assert advanced(state, days(10), checks).status == "active"


def test_a_candidate_that_got_worse_in_the_shadow_is_refused_for_good():
    good = promotion_checks(GOOD, AGREED, PAIRED)
    bad = promotion_checks(GOOD, AGREED, replace(PAIRED, suggestions=(1.0, 0.1)))
    state = advanced(decide("gate", "a" * 64, good, 40, NOW), days(10), bad)
    assert state.status == "refused"
    assert "suggestion rate" in state.line
    assert advanced(state, days(20), good).status == "refused"


def test_evidence_that_is_missing_now_keeps_it_in_the_shadow():
    good = promotion_checks(GOOD, AGREED, PAIRED)
    less = promotion_checks(GOOD, AGREED, replace(PAIRED, sessions=10))
    state = advanced(decide("gate", "a" * 64, good, 40, NOW), days(12), less)
    assert state.status == "shadow"


def test_the_state_is_read_as_it_was_written(tmp_path):
    checks = promotion_checks(GOOD, AGREED, PAIRED)
    state = advanced(decide("gate", "a" * 64, checks, 40, NOW), days(3), checks)
    assert read_promotion(tmp_path) is None
    write_promotion(tmp_path, state)
    assert read_promotion(tmp_path) == state


@pytest.mark.parametrize("text", ["", "{}", '{"schema_version": "promotion/9"}', "[1"])
def test_a_damaged_state_is_told_in_one_line(tmp_path, text):
    (tmp_path / "promotion.json").write_text(text)
    with pytest.raises(
        ModelError, match=r"promotion\.json cannot be read: wrong at .*move it away"
    ) as caught:
        read_promotion(tmp_path)
    assert "\n" not in str(caught.value)
