"""An update of the policy from its first answer to active, on really played sessions; and refused.

The bundled model, its own suggestions on a simulated market, and people who say what they think of
them: one who agrees with what the model half knows, and one who wants the opposite.
"""

import shutil
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

import numpy as np
import pytest

from brokers.journal.journal import Journal
from brokers.journal.session import SessionFacts
from commands.policies import choose_policy
from commands.rlhf_answers import Feedback, read_feedback_of
from commands.rlhf_evidence import contest, held_out
from commands.rlhf_learning import leash_check, line_of, policy_state
from commands.rlhf_learning import update as update_from
from feeds.sessions import NEW_YORK, last_sessions
from feeds.simulation.market import SimulatedMarket
from models.feedback.dataset import typed
from models.feedback.promotion import Outcome
from models.feedback.promotion_state import read_promotion, write_promotion
from models.feedback.update import Update, unfolded
from models.model_folder import TRAINED_FOLDER, find_model, load_policy
from models.playback import play
from models.policy_network import NetworkPolicy
from models.session_arrays import read_sessions
from settings import Settings
from vocabulary import FEATURE_COLUMNS, FEATURES, Action

SETTINGS = Settings()
CHOSEN = choose_policy(SETTINGS, None)
NOW = datetime.now(UTC) - timedelta(days=1)
IV = FEATURES.index("atm_iv")
PASSED, FAILED, UNKNOWN = Outcome


class HeldOut(NamedTuple):
    """Sessions to judge on, and the features at which the bundled model wants to sell there."""

    arrays: object
    asked: np.ndarray


@pytest.fixture(scope="module")
def market():
    """Enough sessions of a simulated market for a verdict."""
    source = SimulatedMarket(last_sessions(255, date(2026, 10, 30)), seed=1)
    arrays = read_sessions(source, SETTINGS, range(255), hedge=True)
    decisions = play(CHOSEN.policy, arrays, SETTINGS).decisions
    return HeldOut(arrays, decisions.features[decisions.action == Action.SELL_CALL])


@pytest.fixture
def trained(tmp_path, monkeypatch):
    """models/trained with the bundled model alone."""
    folder = tmp_path / "trained"
    shutil.copytree(TRAINED_FOLDER / "bundled", folder / "bundled")
    for module in ("rlhf_files", "rlhf_learning"):
        monkeypatch.setattr(f"commands.{module}.TRAINED_FOLDER", folder)
    return folder


def answered(asked, says, count=260):
    """Answers, one a day, of somebody who judges by volatility and is not quite sure."""
    dice = np.random.default_rng(0)
    features = asked[dice.integers(0, len(asked), count)].copy()
    features[:, IV] *= np.exp(dice.normal(0, 0.1, count)).astype(np.float32)
    yes = says(features[:, IV] * np.exp(dice.normal(0, 0.1, count)))
    first = datetime(2024, 3, 4, 10, tzinfo=NEW_YORK)
    rows = [
        {
            "suggestion_id": f"s{n}",
            "session_id": f"d{n}",
            "ts": first + timedelta(days=n),
            "session_date": (first + timedelta(days=n)).date(),
            "source": "mock",
            "model_sha256": CHOSEN.sha256,
            **dict(zip(FEATURE_COLUMNS, features[n].tolist(), strict=True)),
            "action": int(Action.SELL_CALL),
            "shown": True,
            "show_probability": 1.0,
            "response": "y" if yes[n] else "n",
            "weight": 1.0,
        }
        for n in range(count)
    ]
    return Feedback(typed(rows), [], (0, 0), [], [])


def updated(market, says, arrays=None):
    feedback = answered(market.asked, says)
    arrays = market.arrays if arrays is None else arrays
    return update_from(feedback, CHOSEN, arrays, SETTINGS, "bundled", "mine", NOW)


def ran(path, sha256, count):
    """A journal of finished sessions under a model, and what is read of it."""
    with Journal(path, durable=False) as journal:
        for session in last_sessions(count, date(2026, 10, 30)):
            journal.open_session(SessionFacts("mock", session.date, model_sha256=sha256))
            journal.end_session()
    return read_feedback_of([path])


def test_an_update_that_passes_every_check_goes_to_the_shadow_and_ten_sessions_on_is_active(
    market, trained, tmp_path
):
    before = find_model("bundled", trained).read_bytes()
    result = updated(market, lambda iv: iv > 0.2)
    assert [(check.name, check.outcome) for check in result.checks] == [
        (name, PASSED)
        for name in (
            *("leash", "answers", "prediction", "calibration"),
            *("agreement", "suggestion rate", "paired backtest", "tail"),
        )
    ]
    folder = trained / "mine-policy"
    assert result.folder == folder and result.why == "policy shadow, 0 of 10 sessions"
    assert 0 < result.update.kl <= 0.05
    loaded = load_policy(str(folder))
    assert loaded.card.parent_sha256 == CHOSEN.sha256 != loaded.sha256
    assert find_model("bundled", trained).read_bytes() == before
    saved = contest(CHOSEN.policy, loaded.policy, market.arrays, SETTINGS).figures
    assert saved == result.contest.figures

    child = choose_policy(Settings(model=str(folder)), None)
    assert [one.name for one in line_of(child)] == ["mine-policy", "bundled"]
    strangers = ran(tmp_path / "other.db", CHOSEN.sha256, 12)
    assert policy_state(folder, strangers, loaded.sha256).shadow_sessions == ()
    for count, status in ((9, "shadow"), (10, "active"), (12, "active")):
        seen = ran(tmp_path / f"{count}.db", loaded.sha256, count)
        state = policy_state(folder, seen, loaded.sha256)
        assert state.status == status
        write_promotion(folder, state)
    assert len(read_promotion(folder).shadow_sessions) == 12


def test_answers_against_the_policy_are_refused_and_nothing_is_kept(market, trained):
    result = updated(market, lambda iv: iv < 0.24)
    outcomes = {check.name: check.outcome for check in result.checks}
    assert outcomes["leash"] is PASSED and outcomes["prediction"] is FAILED
    assert result.why.startswith("policy refused: prediction: AUC 0.")
    assert result.folder is None
    assert [path.name for path in trained.iterdir()] == ["bundled"]


def test_what_never_moved_is_no_update(market):
    parent = load_policy("bundled")
    same = unfolded(parent.policy.network, parent.card.standardisation)
    still = Update(
        parent.policy.network, same, parent.card.standardisation, 0.0, 0, True, (0.7, 0.7)
    )
    check = leash_check(still)
    assert check.outcome is FAILED and "nothing was learned" in check.why
    candidate = NetworkPolicy("still", still.network)
    figures = contest(CHOSEN.policy, candidate, market.arrays, SETTINGS).figures
    assert figures.mean == figures.lower == 0.0, "every other check would have let it pass"


def test_a_day_of_another_simulated_market_is_held_out_and_one_of_the_same_is_not():
    days = last_sessions(3, date(2026, 10, 30))
    source = SimulatedMarket(days, seed=1)
    same, other = (
        frozenset((f"simulated market, seed {seed}", day.date) for day in days) for seed in (1, 0)
    )
    assert held_out(source, SETTINGS, CHOSEN, same) is None
    assert len(held_out(source, SETTINGS, CHOSEN, other)) == 3
    assert len(held_out(source, SETTINGS, CHOSEN, {("recorded", days[0].date)})) == 3
