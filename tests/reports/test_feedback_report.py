"""The page on a person's answers: everything is there, and nothing is drawn from nothing."""

import json
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest

from reports.charts.feedback import rolling_share
from reports.feedback import (
    AnswerCurve,
    BeforeAfter,
    CalibrationPoint,
    CheckRow,
    DecisionMap,
    Earned,
    FeedbackFigures,
)
from reports.feedback_report import draw_feedback
from reports.statistics import Interval

RNG = np.random.default_rng(0)
SAID = RNG.random(40) < 0.6
DAYS = [date(2026, 3, 2) + timedelta(days=n) for n in range(30)]
MINUTES, IV = np.arange(30.0, 361.0, 30.0), np.linspace(0.1, 0.3, 8)
MAP = DecisionMap(
    MINUTES,
    IV,
    RNG.random((12, 8)),
    RNG.random((12, 8)),
    np.array([30.0, 200.0, 360.0]),
    np.array([0.1, 0.2, 0.3]),
    np.array([[1.0, 0.0], [2.0, 0.0]]),
    np.array([[2.0, 0.0], [2.0, 1.0]]),
    0.5,
)
FIGURES = FeedbackFigures(
    model="<bundled>",
    sha256="a" * 64,
    verdict="The gate is set to advise.",
    answers=40,
    yes=24,
    sources=[("mock", 30, 20), ("review", 10, 4)],
    curve=AnswerCurve(SAID, np.where(np.arange(40) < 10, np.nan, RNG.random(40)), 0.5),
    calibration=[CalibrationPoint(10, 0.2, 0.1), CalibrationPoint(10, 0.8, 1.0)],
    map=MAP,
    earned=[
        Earned("executed", 24, 3.1, 74.4, Interval(-4.0, 9.0), True),
        Earned("vetoed by the gate", 3, -20.0, -60.0),
    ],
    contests=[
        BeforeAfter("Behind the gate", DAYS, RNG.normal(0, 50, 30), RNG.normal(0, 50, 30), "Told."),
        BeforeAfter("Updated policy", [], np.empty(0), np.empty(0), "no held-out session to play."),
    ],
    checks=[CheckRow("gate", "tail", "insufficient evidence", "6 sessions")],
    lineage=["mine  abc  updated from answers", "bundled  def  maskable_ppo"],
    rules=["reason timing (3 n): no entry in the first 45 minutes"],
    learning=[(10, 30, 0.6, 0.7, 20, 0.8, 0.6), (25, 15, float("nan"), 0.6, 0, float("nan"), 0.5)],
    notes=["2 of 42 suggestions left out: no y and no n"],
)
NOTHING = replace(
    FIGURES,
    answers=0,
    yes=0,
    sources=[],
    curve=None,
    calibration=[],
    map=None,
    earned=[],
    contests=[],
    checks=[],
    rules=[],
    learning=[],
    notes=[],
)


def test_the_page_is_whole_and_needs_nothing_else(tmp_path):
    page = draw_feedback(tmp_path, FIGURES).read_text()
    assert page.count("data:image/png") == 5
    assert {path.stem for path in (tmp_path / "pictures").iterdir()} == {
        *("agreement", "calibration", "decision_map", "earned", "before_after_0"),
    }
    assert 'src="http' not in page
    assert "&lt;bundled&gt;" in page
    for words in ("insufficient evidence", "updated from answers", "first 45 minutes", "2 of 42"):
        assert words in page
    assert "no held-out session to play." in page


def test_the_same_figures_give_the_same_page(tmp_path):
    first, second = (draw_feedback(tmp_path, FIGURES).read_bytes() for _ in range(2))
    assert first == second


def test_without_answers_the_page_says_so(tmp_path):
    page = draw_feedback(tmp_path, NOTHING).read_text()
    assert "data:image/png" not in page
    for words in ("no gate to draw yet", "No suggestion has an outcome", "There is no candidate"):
        assert words in page


def test_metrics_hold_the_figures_and_null_for_what_is_not_known(tmp_path):
    draw_feedback(tmp_path, FIGURES)
    figures = json.loads((tmp_path / "metrics.json").read_text())
    assert figures["learning"] == [
        [10, 30, 0.6, 0.7, 20, 0.8, 0.6],
        [25, 15, None, 0.6, 0, None, 0.5],
    ]
    assert figures["earned"][1]["interval"] == [None, None]
    assert figures["earned"][0]["interval"] == [-4.0, 9.0]


def test_a_share_is_of_the_last_twenty_that_count():
    said = np.array([True] * 20 + [False] * 20)
    shares = rolling_share(said, np.ones(40, bool))
    assert np.isnan(shares[:4]).all()
    assert shares[19] == 1.0
    assert shares[29] == pytest.approx(0.5)
    assert shares[39] == 0.0
    assert np.isnan(rolling_share(said, np.zeros(40, bool))).all()
