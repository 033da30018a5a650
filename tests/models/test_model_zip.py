"""Model zips of every age are read safely, and what the desk cannot use is refused in one line."""

import io
import json
import pickle
import zipfile
from base64 import b64encode
from pathlib import Path

import gymnasium
import numpy as np
import pytest
import torch
from sb3_contrib import MaskablePPO
from stable_baselines3 import A2C, PPO
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from zoo import FIXTURES, Spaces, build, edited, realistic_features, sb3_probabilities, zip_bytes

from errors import ModelError
from models.model_zip import describe, read_network
from models.policy_network import NetworkPolicy
from vocabulary import Moment

OLD = ("sb3_1_6_shared", "sb3_1_8_gym", "sb3_2_0_relu")


def read(content):
    return NetworkPolicy("x", read_network(content, describe(content)))


def ask(policy, features):
    mask = np.ones((len(features), policy.actions), bool)
    return policy.probabilities(Moment(features, mask, 0, 0, 0.0, -np.inf))


def fixture_bytes(name="sb3_2_0_relu"):
    return (FIXTURES / f"{name}.zip").read_bytes()


@pytest.mark.parametrize("name", OLD)
def test_old_zips_answer_as_the_library_that_wrote_them(name):
    expected = json.loads((FIXTURES / f"{name}.json").read_text())
    own = ask(read(fixture_bytes(name)), np.array(expected["observations"], np.float32))
    np.testing.assert_allclose(own, expected["probabilities"], atol=1e-6)


@pytest.mark.parametrize(
    ("name", "version", "activation"),
    [
        ("sb3_1_6_shared", "1.6.2", "Tanh"),
        ("sb3_1_8_gym", "1.8.0", "Tanh"),
        ("sb3_2_0_relu", "2.0.0", "ReLU"),
    ],
)
def test_a_description_needs_no_weights(name, version, activation):
    found = describe(edited(fixture_bytes(name), {"policy.pth": None}))
    assert (found.version, found.activation, found.actions) == (version, activation, 3)
    assert found.card is None


@pytest.mark.parametrize("algorithm", [PPO, MaskablePPO, A2C])
@pytest.mark.parametrize(
    "policy_kwargs",
    [
        {},
        {"net_arch": []},
        {"net_arch": {"pi": [5], "vf": [7, 7]}, "activation_fn": torch.nn.ELU},
        {"net_arch": [12] * 11, "activation_fn": torch.nn.SiLU},
    ],
    ids=["default", "linear", "uneven", "deep"],
)
def test_zips_of_the_installed_library_answer_as_it_does(algorithm, policy_kwargs):
    model = build(algorithm, actions=4, **policy_kwargs)
    features = realistic_features(200)
    own = ask(read(zip_bytes(model)), features)
    np.testing.assert_allclose(own, sb3_probabilities(model, features), atol=1e-6)


class Payload:
    """Unpickling it makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.fixture
def marker(tmp_path):
    """A file that exists once hostile code has run."""
    return tmp_path / "ran"


def hostile_torch_file(marker):
    """A `.pth` in torch's own format whose tensors' pickle is a program."""
    buffer = io.BytesIO()
    torch.save({"action_net.weight": Payload(marker)}, buffer)
    return buffer.getvalue()


def test_a_program_hidden_in_data_is_not_run(marker):
    payload = pickle.dumps(Payload(marker))
    hostile = {":type:": "<class 'function'>", ":serialized:": b64encode(payload).decode()}
    model = json.loads(zipfile.ZipFile(io.BytesIO(fixture_bytes())).read("data"))
    everywhere = {
        key: {**(item if isinstance(item, dict) else {}), **hostile, ":type:": kind}
        for key, item in model.items()
        for kind in [item.get(":type:", "x") if isinstance(item, dict) else "x"]
    }
    content = edited(fixture_bytes(), **everywhere)
    assert read(content).actions == 3
    assert not marker.exists()
    pickle.loads(payload)
    assert marker.exists(), "the payload works where pickles are loaded"


@pytest.mark.parametrize("entry", ["policy.pth", "policy.optimizer.pth", "pytorch_variables.pth"])
@pytest.mark.parametrize("container", [hostile_torch_file, lambda m: pickle.dumps(Payload(m))])
def test_a_program_hidden_in_the_weights_is_not_run(marker, container, entry):
    content = edited(fixture_bytes(), {entry: container(marker)})
    if entry == "policy.pth":
        with pytest.raises(ModelError, match="nothing was run"):
            read(content)
    else:
        assert read(content).actions == 3
    assert not marker.exists()


def test_the_hostile_weights_are_a_real_threat(marker):
    torch.load(io.BytesIO(hostile_torch_file(marker)), weights_only=False)
    assert marker.exists()


def space(kind, **attributes):
    return {":type:": f"<class 'gymnasium.spaces.{kind.lower()}.{kind}'>", **attributes}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"observation_space": space("Box", _shape=[7])}, r"Box of shape \(7,\)"),
        ({"observation_space": space("Box", _shape=[8, 1])}, r"Box of shape \(8, 1\)"),
        ({"observation_space": space("Dict")}, "observations are a Dict"),
        ({"observation_space": None}, "does not describe observation_space"),
        ({"action_space": space("Discrete", n="5")}, r"Discrete\(5, start=0\)"),
        ({"action_space": space("Discrete", n=2)}, r"Discrete\(2, start=0\)"),
        ({"action_space": space("Discrete", n="3", start="-1")}, "start=-1"),
        ({"action_space": space("Discrete", n="4")}, "3 actions, its description 4"),
        ({"action_space": space("Box", _shape=[3])}, "actions are Box"),
        ({"action_space": "Discrete(3)"}, "does not describe action_space"),
        ({"policy_class": {":type:": "x", "__module__": "__main__"}}, "class is of __main__"),
        ({"policy_kwargs": {"activation_fn": "<function <lambda> at 0x1>"}}, "not supported"),
        (
            {"policy_kwargs": {"features_extractor_class": "<class 'my.net.Scaled'>"}},
            "feature extractor is Scaled",
        ),
    ],
)
def test_a_model_that_does_not_fit_is_refused_in_one_line(changes, words):
    with pytest.raises(ModelError, match=words) as refusal:
        read(edited(fixture_bytes(), **changes))
    assert "\n" not in str(refusal.value)


def bomb():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data", bytes(70 * 2**20))
    return buffer.getvalue()


def flipped(content):
    """A zip with one changed byte inside its compressed `data`."""
    broken = bytearray(content)
    broken[200] ^= 0xFF
    return bytes(broken)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (lambda: b"", "not a zip"),
        (lambda: b"ppo_2m_final", "not a zip"),
        (lambda: fixture_bytes()[:5000], "not a zip"),
        (lambda: edited(fixture_bytes(), {"data": None}), "no entry 'data'"),
        (lambda: edited(fixture_bytes(), {"data": b"\xff{"}), "not JSON"),
        (lambda: edited(fixture_bytes(), {"data": b"[" * 100_000}), "not JSON"),
        (lambda: edited(fixture_bytes(), {"data": b"[]"}), "not a JSON object"),
        (lambda: edited(fixture_bytes(), {"policy.pth": None}), "no entry 'policy.pth'"),
        (lambda: edited(fixture_bytes(), {"policy.pth": b"half"}), "cannot be read safely"),
        (lambda: flipped(fixture_bytes()), "'data' is damaged"),
        (bomb, "larger than 64 MB"),
    ],
)
def test_a_file_that_is_no_model_is_refused_in_one_line(content, words):
    with pytest.raises(ModelError, match=words) as refusal:
        read(content())
    assert "\n" not in str(refusal.value)


def weights(**tensors):
    buffer = io.BytesIO()
    torch.save({name.replace("__", "."): tensor for name, tensor in tensors.items()}, buffer)
    return {"policy.pth": buffer.getvalue()}


def test_weights_of_another_kind_are_refused():
    linear = {"action_net__weight": torch.zeros(3, 8), "action_net__bias": torch.zeros(3)}
    assert read(edited(fixture_bytes(), weights(**linear))).actions == 3
    for changed, words in (
        ({"action_net__bias": torch.full((3,), torch.nan)}, "NaN"),
        ({"action_net__weight": torch.zeros(3, 7)}, "cannot follow 8"),
        ({"action_net__bias": torch.zeros(2)}, "cannot follow 8"),
        ({"features_extractor__linear__weight": torch.zeros(8, 8)}, "feature extractor of its own"),
    ):
        with pytest.raises(ModelError, match=words):
            read(edited(fixture_bytes(), weights(**{**linear, **changed})))
    with pytest.raises(ModelError, match=r"hold no action_net\.weight"):
        read(edited(fixture_bytes(), weights(q_net__weight=torch.zeros(3, 8))))


class Doubled(BaseFeaturesExtractor):
    """A feature extractor without weights: only the description gives it away."""

    def __init__(self, observation_space: gymnasium.Space):
        super().__init__(observation_space, features_dim=8)

    def forward(self, observations):
        return 2 * observations


def test_a_feature_extractor_without_weights_is_noticed():
    model = PPO(
        "MlpPolicy", Spaces(3), device="cpu", policy_kwargs={"features_extractor_class": Doubled}
    )
    with pytest.raises(ModelError, match="feature extractor is Doubled"):
        read(zip_bytes(model))
