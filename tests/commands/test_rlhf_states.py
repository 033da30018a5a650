"""What `run.py rlhf` makes of its answers: how far a shadow is, what counts, and what does not."""

import shutil
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from answered_journals import answered_journal

from commands.policies import choose_policy
from commands.rlhf_answers import Feedback, Seen, read_feedback_of
from commands.rlhf_learning import gate_state, learn, policy_state, report_on
from errors import DataError
from feeds.simulation.market import SimulatedMarket
from models.feedback.learning import GateTerms
from models.feedback.people import PEOPLE
from models.feedback.preferences import labels_of
from models.feedback.promotion import Check, Outcome
from models.feedback.promotion_state import decide, write_promotion
from models.model_folder import TRAINED_FOLDER, load_policy
from settings import Settings

SHA256 = load_policy("bundled").sha256
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
def trained(tmp_path, monkeypatch):
    """models/trained with the bundled model alone."""
    folder = tmp_path / "trained"
    shutil.copytree(TRAINED_FOLDER / "bundled", folder / "bundled")
    monkeypatch.setattr("commands.rlhf_learning.TRAINED_FOLDER", folder)
    return folder


def seen(number, **changes):
    facts = {
        "day": (NOW + timedelta(days=number)).date(),
        "model_sha256": SHA256,
        "started": NOW + timedelta(days=number, hours=1),
        "gates": frozenset({"gate-1"}),
    }
    return Seen(**(facts | changes))


def state_after(folder, sessions, outcome=Outcome.PASSED):
    feedback = Feedback(None, [], (0, 0), sessions, [])
    return gate_state(folder, feedback, SHA256, [Check("all", outcome, "why")], 50, NOW)


def test_only_sessions_that_the_gate_looked_at_after_its_promotion_end_the_shadow(tmp_path):
    write_promotion(tmp_path, state_after(tmp_path, []))
    strangers = [
        *(seen(n, gates=frozenset()) for n in range(20)),
        *(seen(n, model_sha256="b" * 64) for n in range(20)),
        *(seen(-n) for n in range(2, 20)),
    ]
    assert state_after(tmp_path, strangers).status == "shadow"
    assert state_after(tmp_path, strangers).shadow_sessions == ()
    assert state_after(tmp_path, [seen(n) for n in range(10)]).status == "active"
    refused_now = state_after(tmp_path, [seen(n) for n in range(10)], Outcome.FAILED)
    assert refused_now.status == "refused"


def test_an_updated_policy_leaves_the_shadow_after_ten_sessions_of_its_own(tmp_path):
    assert policy_state(tmp_path, Feedback(None, [], (0, 0), [], []), SHA256) is None
    passed = [Check("all", Outcome.PASSED, "why")]
    write_promotion(tmp_path, decide("policy", "b" * 64, passed, 200, NOW))
    nine = [seen(n, gates=frozenset()) for n in range(9)]
    for sessions, status in ((nine, "shadow"), ([*nine, seen(9)], "active")):
        feedback = Feedback(None, [], (0, 0), sessions, [])
        assert policy_state(tmp_path, feedback, SHA256).status == status


def test_the_sessions_of_answers_are_known_with_their_market(tmp_path):
    answered_journal(tmp_path / "mock.db", PEOPLE["biased"], 8, SHA256)
    days = {day for _, day in read_feedback_of([tmp_path / "mock.db"]).days}
    assert days == {date(2025, 6, 27), date(2025, 6, 30)}
    labels = {label for label, _ in read_feedback_of([tmp_path / "mock.db"]).days}
    assert labels == {SimulatedMarket([], seed=0).label}


def test_an_inconsistent_reviewer_teaches_neither_gate_nor_policy(trained, tmp_path):
    path = tmp_path / "review.db"
    answered_journal(path, PEOPLE["biased"], 40, SHA256, mode="review")
    read = read_feedback_of([path])
    chosen = choose_policy(Settings(), None)
    for alike, answers in ((6, 32), (3, 0)):
        feedback = replace(read, repeats=(6, alike))
        report = report_on(feedback, chosen, GateTerms(), trained / "mine", NOW)
        assert report.answers == answers
        assert len(labels_of(feedback.table, None, feedback.consistency).labels) == answers
    with pytest.raises(DataError, match=r"no answer of y or n yet \(answers of reviews count 0%"):
        learn(feedback, chosen, GateTerms(), trained / "mine", NOW)
