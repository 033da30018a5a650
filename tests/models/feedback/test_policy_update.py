"""The offline update: on a leash, repeatable, never over another model, moved by answers alone."""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as some

from errors import DataError, ModelError
from models.feedback.preferences import NO_PAIRS, Labels, Pairs
from models.feedback.update import (
    FEWEST_ANSWERS,
    MOST_KL,
    Replay,
    UpdateTerms,
    folded,
    margins,
    mean_kl,
    refuse_too_few,
    replay_states,
    unfolded,
    update_policy,
)
from models.feedback.updated_model import save_updated
from models.folding import measure
from models.model_folder import find_model, load_policy
from models.playback import Decisions
from models.policy_network import Network

CREATED = datetime(2026, 11, 22, 12, tzinfo=UTC)
FAST = UpdateTerms(learning_rate=3e-3, steps=80)


def states(count, seed=0):
    """Features of a flat desk all over the day and volatility."""
    rng = np.random.default_rng(seed)
    time, iv = rng.uniform(0.1, 0.9, count), rng.uniform(0.1, 0.3, count)
    zero = np.zeros(count)
    risk = 0.18 * time + iv
    spot = rng.normal(0.63, 0.01, count)
    return np.stack((time, spot, iv, zero, zero, zero, risk, 1 - time), 1).astype(np.float32)


def network(seed=0):
    rng = np.random.default_rng(seed)
    sizes = [(8, 8), (8, 8), (3, 8)]
    weights = tuple(rng.normal(0, 0.4, size) for size in sizes)
    return Network(weights, tuple(rng.normal(0, 0.1, size[0]) for size in sizes), "Tanh")


def labels(said, features, action=2, weight=1.0):
    count = len(said)
    return Labels(
        features=features,
        action=np.full(count, action),
        said=np.asarray(said, bool),
        weight=np.full(count, weight),
        ts=np.arange(count),
        session=np.arange(count),
        source=np.array(["mock"] * count, object),
    )


def replay(count=400):
    return Replay(states(count, 9), np.ones((count, 3), bool))


def test_the_margin_of_what_was_accepted_rises_and_of_what_was_refused_falls():
    seen = states(240)
    said = seen[:, 2] < 0.2
    parent = network()
    done = update_policy(parent, labels(said, seen), replay(), terms=FAST)
    moved = margins(done.network, seen, np.full(240, 2)) - margins(parent, seen, np.full(240, 2))
    assert moved[said].mean() > 0.02
    assert moved[~said].mean() < -0.02
    assert done.losses[1] < done.losses[0] == pytest.approx(np.log(2))


def test_comparisons_alone_teach_too():
    good, bad = states(220, 1), states(220, 2)
    good[:, 2], bad[:, 2] = 0.12, 0.28
    act = np.full(220, 1)
    pairs = Pairs(good, act, bad, act, np.ones(220))
    parent = network()
    done = update_policy(parent, labels([], states(0)), replay(), pairs, terms=FAST)
    gained, lost = (
        (margins(done.network, side, act) - margins(parent, side, act)).mean()
        for side in (good, bad)
    )
    assert gained > lost + 0.02


@limits(max_examples=12, deadline=None)
@given(some.integers(0, 2**16), some.floats(0, 1), some.floats(1e-4, 0.3))
def test_no_answers_whatever_pull_it_off_the_leash(seed, share, rate):
    rng = np.random.default_rng(seed)
    said = rng.random(FEWEST_ANSWERS) < share
    said[:2] = True, False
    seen, parent = states(FEWEST_ANSWERS, seed), network(seed)
    wild = UpdateTerms(eta=0.0, learning_rate=rate, steps=40)
    done = update_policy(parent, labels(said, seen, 1, 5.0), replay(), terms=wild)
    assert mean_kl(done.network, parent, replay()) == done.kl <= MOST_KL


def test_the_leash_is_reached_and_told():
    seen = states(240)
    far = UpdateTerms(learning_rate=0.1, steps=50)
    done = update_policy(network(), labels(seen[:, 2] < 0.2, seen), replay(), terms=far)
    assert done.reached_leash
    assert done.steps < 50


def test_equal_arguments_give_equal_weights():
    seen = states(200)
    first, second = (
        update_policy(network(), labels(seen[:, 0] < 0.5, seen), replay(), terms=FAST).network
        for _ in range(2)
    )
    for ours, theirs in zip(first.weights, second.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ([True, False] * 99, "198 answers are too few"),
        ([True] * 200, "every answer is y"),
        ([False] * 200, "every answer is n"),
    ],
)
def test_too_few_answers_and_answers_of_one_kind_are_refused(said, words):
    with pytest.raises(DataError, match=words):
        refuse_too_few(labels(said, states(len(said))))


def test_folding_back_gives_the_network_again():
    seen = states(50)
    constants = measure(seen)
    parent = network()
    again = folded(unfolded(parent, constants), constants)
    np.testing.assert_allclose(again.logits(seen), parent.logits(seen), atol=1e-5)
    assert mean_kl(again, parent, Replay(seen, np.ones((50, 3), bool))) < 1e-9


def test_replayed_states_are_those_at_which_the_model_was_asked():
    seen = states(6).reshape(2, 3, 8)
    seen[0, 0] = np.nan
    mask = np.ones((2, 3, 3), bool)
    mask[1, :, 1:] = False
    decisions = Decisions(seen, mask, mask * 1.0, np.zeros((2, 3), np.int8), np.zeros((2, 3, 2)))
    found = replay_states(decisions)
    assert {tuple(row) for row in found.features} == {tuple(row) for row in seen[0, 1:]}
    none = Decisions(seen, mask & (np.arange(3) == 0), *[mask] * 3)
    with pytest.raises(DataError, match="no decision"):
        replay_states(none)


def test_the_updated_model_is_a_new_one_with_its_parents_hash(tmp_path):
    parent = load_policy("bundled")
    before = find_model("bundled").read_bytes()
    seen = states(220)
    done = update_policy(
        parent.policy.network,
        labels(seen[:, 2] < 0.2, seen),
        replay(),
        NO_PAIRS,
        parent.card.standardisation,
        UpdateTerms(steps=10),
    )
    sha256 = save_updated(tmp_path / "next", done, parent, find_model("bundled"), CREATED)
    loaded = load_policy(str(tmp_path / "next"))
    assert loaded.card.parent_sha256 == parent.sha256 != sha256 == loaded.sha256
    assert loaded.card.name == "next"
    assert loaded.notes == []
    np.testing.assert_allclose(
        loaded.policy.network.logits(seen), done.network.logits(seen), atol=1e-5
    )
    assert find_model("bundled").read_bytes() == before
    with pytest.raises(ModelError, match="never overwritten"):
        save_updated(tmp_path / "next", done, parent, find_model("bundled"), CREATED)


def test_the_updated_zip_can_be_trained_on_with_its_parents_critic(tmp_path):
    from stable_baselines3 import PPO

    parent = load_policy("bundled")
    seen = states(220)
    said = labels(seen[:, 2] < 0.2, seen)
    done = update_policy(parent.policy.network, said, replay(), terms=UpdateTerms(steps=2))
    save_updated(tmp_path / "next", done, parent, find_model("bundled"), CREATED)
    ours, theirs = (
        PPO.load(path, device="cpu") for path in (tmp_path / "next/policy", find_model("bundled"))
    )
    import torch

    with torch.no_grad():
        values = [model.policy.predict_values(torch.tensor(seen)) for model in (ours, theirs)]
    np.testing.assert_allclose(values[0], values[1], atol=1e-4)
