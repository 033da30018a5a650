"""Training finds what pays, is repeatable, and never looks at the sessions it is judged on."""

import json

import numpy as np
import pytest
from market import CALL, PUT, market

from errors import DataError
from feeds.sessions import last_sessions
from feeds.source import MemorySource
from models.evaluation import BASELINES, metrics, selling_probability
from models.model_folder import load_policy
from models.playback import play
from models.ppo_training import measure_features, train_seed
from models.session_arrays import read_sessions
from models.training import blank_card, split_sessions, train
from models.training_curves import draw_training
from settings import Settings, TrainingSettings

SMALL = {
    "environments": 8,
    "rollout": 20,
    "batch": 80,
    "epochs": 2,
    "steps": 320,
    "seeds": 2,
    "layers": (8,),
    "held_out": 2,
    "validation": 0.3,
}
SETTINGS = Settings(training=SMALL)
SESSIONS = [
    session for session in last_sessions(14, market().session.date) if session.minutes == 390
]


def decaying_put(session):
    """The put at the money melts away, the call at the money doubles."""
    made = market(session=session)
    rows = np.arange(390)
    for row in rows:
        made.price(PUT, 628, int(row), round(2.0 - 0.0045 * row, 2))
        made.price(CALL, 628, int(row), round(2.0 + 0.0050 * row, 2))
    return made.day()


def source():
    rng = np.random.default_rng(0)
    paths = 628 + np.cumsum(rng.normal(0, 0.15, (len(SESSIONS), 390)), axis=1)
    made = [
        market(spot=path, session=session, strikes=range(610, 646))
        for path, session in zip(paths, SESSIONS, strict=True)
    ]
    return MemorySource([each.day() for each in made])


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    told = []
    result = train(
        source(),
        SETTINGS,
        "small",
        folder / "model",
        logs=folder / "logs",
        elsewhere={"another market": source()},
        tell=lambda what, done, total: told.append((what, done, total)),
    )
    return result, folder, told


def test_the_saved_model_is_the_one_that_was_chosen(trained):
    result, folder, _ = trained
    loaded = load_policy(str(folder / "model"))
    assert loaded.sha256 == result.sha256
    assert loaded.card == result.card.model_copy(
        update={"policy_sha256": result.sha256, "standardisation": loaded.card.standardisation}
    )
    arrays = read_sessions(source(), SETTINGS)
    ours, theirs = (play(p, arrays, SETTINGS) for p in (result.chosen.policy, loaded.policy))
    np.testing.assert_allclose(ours.decisions.probabilities, theirs.decisions.probabilities)


def test_the_card_says_what_was_trained_on_and_what_it_earned(trained):
    result, _, _ = trained
    card = result.card
    assert card.training.seeds == (0, 1)
    assert card.training.seed == result.chosen.seed == result.seeds[0].seed
    assert card.training.hyper_parameters["batch"] == 80
    dates = [session.date for session in SESSIONS]
    held_out, elsewhere = card.evaluations["held out"], card.evaluations["another market"]
    assert list(held_out.days.dates) == dates[-2:]
    assert max(card.training.days.dates) < min(card.training.validation.dates) < dates[-3]
    assert set(card.training_overlap(dates)) == {
        *card.training.days.dates,
        *card.training.validation.dates,
    }
    for name in ("small", *BASELINES):
        assert held_out.metrics[name]["sessions"] == 2
        assert elsewhere.metrics[name]["sessions"] == len(SESSIONS)


def test_the_best_seed_on_the_validation_sessions_is_kept(trained):
    result, _, _ = trained
    figures = [report.metrics["mean_less_delta"] for report in result.seeds]
    assert figures == sorted(figures, reverse=True)


def test_the_progress_of_each_part_is_told_to_its_end(trained):
    _, _, told = trained
    for what in ("reading: training", "reading: held out", "seed 0", "seed 1"):
        steps = [(done, total) for name, done, total in told if name == what]
        assert steps[-1][0] == steps[-1][1] > 0


def test_logs_and_curves_are_written(trained, tmp_path):
    result, folder, _ = trained
    assert len(list((folder / "logs").glob("seed_*/events.out.tfevents*"))) == 2
    path = tmp_path / "curves.png"
    draw_training(result, SETTINGS, path)
    assert path.read_bytes()[:4] == b"\x89PNG"
    assert len(result.chosen.curve.steps) == 2


def test_equal_arguments_train_equal_models(trained, tmp_path):
    result, folder, _ = trained
    again = train(
        source(),
        SETTINGS,
        "small",
        tmp_path / "model",
        logs=tmp_path / "logs",
        elsewhere={"another market": source()},
    )
    assert again.sha256 == result.sha256
    first, second = ((f / "model" / "card.json").read_text() for f in (folder, tmp_path))
    assert json.loads(first) == json.loads(second)


def test_parts_lie_in_time_with_a_session_between():
    split = split_sessions(100, TrainingSettings(held_out=20, validation=0.25))
    assert (split.training.start, split.held_out.stop) == (0, 100)
    assert len(split.held_out) == 20
    assert split.training.stop + 1 == split.validation.start
    assert split.validation.stop + 1 == split.held_out.start
    assert len(split.validation) == 20


def test_too_few_sessions_are_refused_in_one_line():
    with pytest.raises(DataError, match="22 sessions are too few"):
        split_sessions(22, TrainingSettings(held_out=20, validation=0.2))


def test_training_finds_the_side_that_pays(tmp_path):
    figures = SMALL | {"steps": 6000, "learning_rate": 0.02, "epochs": 5, "first_hold": 0.5}
    settings = Settings(training=figures)
    days = MemorySource([decaying_put(session) for session in SESSIONS[:3]])
    arrays = read_sessions(days, settings, hedge=True)
    constants = measure_features(arrays, settings)
    before, after = (
        train_seed(
            arrays,
            Settings(training=figures | {"steps": steps}),
            constants,
            blank_card("put seller", settings),
            seed=0,
            judge=lambda policy: 0.0,
            logs=tmp_path,
        ).policy
        for steps in (1, 6000)
    )
    earned = [metrics(play(policy, arrays, settings))["mean"] for policy in (before, after)]
    assert earned[1] > 100
    assert earned[1] > earned[0]
    trips = [trip for session in play(after, arrays, settings).trips for trip in session]
    assert {trip.contract.right for trip in trips} == {PUT}


def test_an_untrained_policy_mostly_holds(tmp_path):
    settings = Settings(training=SMALL | {"first_hold": 0.9, "steps": 1, "learning_rate": 1e-12})
    arrays = read_sessions(source(), settings, hedge=True)
    constants = measure_features(arrays, settings)
    card = blank_card("untrained", settings)
    trained = train_seed(
        arrays, settings, constants, card, 0, judge=lambda policy: 0.0, logs=tmp_path
    )
    chance = selling_probability(trained.policy, settings, [30, 200], [0.1, 0.3])
    np.testing.assert_allclose(chance, 0.1, atol=0.03)
