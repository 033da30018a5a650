"""What is saved is an ordinary PPO zip: raw features in, the trained model's decisions out."""

import io
import json
import zipfile

import numpy as np
import pytest
import torch
from sb3_contrib import MaskablePPO
from stable_baselines3 import PPO
from zoo import STANDARDISATION, Spaces, build, card, realistic_features, sb3_probabilities

from models.card import ModelCard
from models.export import plain_ppo_zip
from models.folding import standardise
from models.model_zip import describe


def loaded(content):
    return PPO.load(io.BytesIO(content), device="cpu")


def logits(model, features):
    with torch.no_grad():
        latent = model.policy.mlp_extractor.forward_actor(torch.as_tensor(features))
        return model.policy.action_net(latent).numpy()


def values(model, features):
    with torch.no_grad():
        return model.policy.predict_values(torch.as_tensor(features)).numpy()


@pytest.mark.parametrize(
    "policy_kwargs",
    [{}, {"activation_fn": torch.nn.ReLU, "net_arch": {"pi": [32], "vf": [16, 16]}}],
    ids=["tanh 64x64", "relu 32"],
)
def test_plain_ppo_on_raw_features_decides_as_the_masked_model_on_standardised(policy_kwargs):
    trained = build(MaskablePPO, actions=4, **policy_kwargs)
    plain = loaded(plain_ppo_zip(trained, STANDARDISATION, card()))
    raw = realistic_features(100_000)
    standardised = standardise(raw, STANDARDISATION)
    theirs, own = logits(trained, standardised), logits(plain, raw)
    np.testing.assert_allclose(own, theirs, rtol=0, atol=1e-5)
    assert (own.argmax(-1) == theirs.argmax(-1)).all()
    assert (np.bincount(theirs.argmax(-1), minlength=4) > 100).sum() >= 3
    np.testing.assert_allclose(values(plain, raw), values(trained, standardised), atol=1e-4)


def test_a_linear_network_is_folded_too():
    trained = build(MaskablePPO, net_arch=[])
    plain = loaded(plain_ppo_zip(trained, STANDARDISATION, card()))
    raw = realistic_features(1000)
    theirs = sb3_probabilities(trained, standardise(raw, STANDARDISATION))
    np.testing.assert_allclose(sb3_probabilities(plain, raw), theirs, atol=1e-4)


def test_without_standardisation_the_weights_are_copied():
    trained = build(PPO, actions=3)
    plain = loaded(plain_ppo_zip(trained, None, card(3)))
    raw = realistic_features(1000)
    np.testing.assert_array_equal(logits(plain, raw), logits(trained, raw))


def test_equal_models_give_equal_bytes():
    first, second = (plain_ppo_zip(build(seed=7), STANDARDISATION, card()) for _ in range(2))
    assert first == second
    assert first != plain_ppo_zip(build(seed=8), STANDARDISATION, card())


def test_no_address_of_the_process_and_no_machine_is_in_the_file():
    content = plain_ppo_zip(build(), STANDARDISATION, card())
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert " at 0x" not in archive.read("data").decode()
        system = archive.read("system_info.txt").decode()
        assert "OS:" not in system
        assert "Stable-Baselines3" in system
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_the_card_travels_inside_also_when_the_model_is_saved_again():
    mine = card(standardisation=STANDARDISATION)
    content = plain_ppo_zip(build(), STANDARDISATION, mine)
    assert ModelCard.from_plain(describe(content).card) == mine
    again = io.BytesIO()
    loaded(content).save(again)
    assert ModelCard.from_plain(describe(again.getvalue()).card) == mine


def test_an_export_can_be_trained_on():
    trained = MaskablePPO(
        "MlpPolicy", Spaces(3), n_steps=32, batch_size=16, gamma=1.0, device="cpu", seed=0
    )
    trained.learning_rate = 1e-3
    plain = PPO.load(
        io.BytesIO(plain_ppo_zip(trained, STANDARDISATION, card(3))), env=Spaces(3), device="cpu"
    )
    assert (plain.n_steps, plain.batch_size, plain.gamma) == (32, 16, 1.0)
    before = logits(plain, realistic_features(5))
    plain.learn(64)
    assert not np.array_equal(before, logits(plain, realistic_features(5)))


def test_the_training_does_not_feel_its_export():
    trained = build()
    weights = {name: tensor.clone() for name, tensor in trained.policy.state_dict().items()}
    generator = torch.random.get_rng_state()
    numbers = json.dumps(np.random.get_state()[1].tolist())
    plain_ppo_zip(trained, STANDARDISATION, card())
    assert torch.equal(torch.random.get_rng_state(), generator)
    assert json.dumps(np.random.get_state()[1].tolist()) == numbers
    for name, tensor in trained.policy.state_dict().items():
        assert torch.equal(tensor, weights[name])


def test_a_schedule_is_stored_as_a_figure():
    trained = MaskablePPO(
        "MlpPolicy", Spaces(3), learning_rate=lambda left: 3e-4 * left, device="cpu"
    )
    content = plain_ppo_zip(trained, None, card(3))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert json.loads(archive.read("data"))["learning_rate"] == 3e-4
