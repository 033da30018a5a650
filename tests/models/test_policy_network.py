"""The network in plain arrays gives stable-baselines3's figures, and masks before the softmax."""

import io
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from zoo import build, realistic_features, sb3_probabilities, zip_bytes

from errors import InternalError, ModelError
from models.model_zip import describe, read_network
from models.policy_network import (
    ACTIVATIONS,
    Network,
    NetworkPolicy,
    network_from_npz,
    network_to_npz,
)
from vocabulary import Moment


def moment(features, mask):
    return Moment(features, np.asarray(mask), 0, 0, 0.0, -np.inf)


def all_legal(features, actions=3):
    return moment(features, np.ones((*features.shape[:-1], actions), bool))


def random_network(seed=0, activation="Tanh", actions=3, scale=1.0):
    random = np.random.default_rng(seed)
    sizes = [8, 16, 16, actions]
    weights = tuple(
        scale * random.normal(size=(after, before)) for before, after in pairwise(sizes)
    )
    return Network(weights, tuple(random.normal(size=n) for n in sizes[1:]), activation)


@pytest.mark.parametrize("activation", [torch.nn.Tanh, torch.nn.ReLU])
def test_equal_to_stable_baselines3_on_20_000_observations(activation):
    model = build(actions=3, activation_fn=activation)
    content = zip_bytes(model)
    policy = NetworkPolicy("x", read_network(content, describe(content)))
    features = realistic_features(20_000)
    mask = np.random.default_rng(1).random((20_000, 3)) < 0.6
    mask[:, 0] = True
    own = policy.probabilities(moment(features, mask))
    theirs = sb3_probabilities(model, features, mask)
    np.testing.assert_allclose(own, theirs, atol=1e-6)
    assert (own.argmax(-1) == theirs.argmax(-1)).all()
    assert len(np.unique(own.argmax(-1))) == 3


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_every_activation_is_torchs_own(name):
    x = np.concatenate([np.linspace(-30, 30, 1001), [-800.0, 800.0]])
    theirs = getattr(torch.nn, name)()(torch.as_tensor(x)).numpy()
    np.testing.assert_allclose(ACTIVATIONS[name](x), theirs, atol=1e-8, rtol=1e-12)


@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
def test_one_row_and_many_rows_agree(activation):
    policy = NetworkPolicy("x", random_network(activation=activation))
    features = realistic_features(60).reshape(4, 3, 5, 8)
    many = policy.probabilities(all_legal(features))
    assert many.shape == (4, 3, 5, 3)
    for index in np.ndindex(4, 3, 5):
        one = policy.probabilities(all_legal(features[index]))
        np.testing.assert_allclose(one, many[index], rtol=1e-12, atol=1e-300)
        assert one.dtype == many.dtype == np.float64


@given(st.integers(0, 2**32 - 1), st.lists(st.booleans(), min_size=4, max_size=4).filter(any))
def test_illegal_actions_get_exactly_nothing_and_the_rest_keeps_its_proportions(seed, legal):
    policy = NetworkPolicy("x", random_network(seed, actions=4))
    features = realistic_features(1, seed)
    free = policy.probabilities(all_legal(features, 4))[0]
    for row, mask in ((features[0], legal), (features, [legal])):
        masked = policy.probabilities(moment(row, mask)).reshape(4)
        assert (masked[~np.array(legal)] == 0).all()
        assert masked.sum() == pytest.approx(1)
        np.testing.assert_allclose(masked[legal], free[legal] / free[legal].sum(), rtol=1e-9)


def test_an_illegal_favourite_does_not_drown_the_legal_actions():
    """Masking after the softmax would divide 0 by 0 here."""
    biases = (np.array([0.0, 2000.0, 1.0]),)
    policy = NetworkPolicy("x", Network((np.zeros((3, 8)),), biases, "Tanh"))
    for features in (np.zeros(8, np.float32), np.zeros((2, 8), np.float32)):
        mask = np.broadcast_to([True, False, True], (*features.shape[:-1], 3))
        answer = policy.probabilities(moment(features, mask)).reshape(-1, 3)
        np.testing.assert_allclose(answer[0], [1 / (1 + np.e), 0, np.e / (1 + np.e)])


@pytest.mark.parametrize("rows", [(), (2,)])
def test_a_question_without_an_answer_is_our_mistake(rows):
    policy = NetworkPolicy("x", random_network())
    broken = np.full((*rows, 8), np.nan, np.float32)
    with pytest.raises(InternalError, match="not finite"):
        policy.probabilities(all_legal(broken))
    with pytest.raises(InternalError, match="no legal action"):
        policy.probabilities(moment(np.zeros((*rows, 8), np.float32), np.zeros((*rows, 3), bool)))


@pytest.mark.parametrize(
    ("network", "words"),
    [
        (lambda n: (n.weights, n.biases, "Mish2"), "activation Mish2 is not supported"),
        (lambda n: (n.weights[1:], n.biases[1:], "Tanh"), "cannot follow 8 values"),
        (lambda n: (n.weights[:-1], n.biases[:-1], "Tanh"), "16 outputs"),
        (lambda n: (n.weights, (n.biases[0] * np.nan, *n.biases[1:]), "Tanh"), "NaN or infinity"),
        (lambda n: ((n.weights[0] * np.inf, *n.weights[1:]), n.biases, "Tanh"), "NaN or infinity"),
        (lambda n: ((), (), "Tanh"), "8 outputs"),
    ],
)
def test_a_network_that_cannot_be_used_is_refused(network, words):
    with pytest.raises(ModelError, match=words):
        Network(*network(random_network()))


def test_npz_repeats_the_network_of_its_zip_only():
    content = zip_bytes(build(actions=3))
    network = read_network(content, describe(content))
    stored = network_to_npz(network, "a" * 64)
    again = network_from_npz(stored, "a" * 64)
    assert again.activation == network.activation
    before, after = network.weights + network.biases, again.weights + again.biases
    for own, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(own, other)
    assert network_from_npz(stored, "b" * 64) is None


class Payload:
    """Unpickling it makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_an_npz_that_holds_a_pickle_is_refused_and_not_run(tmp_path):
    buffer = io.BytesIO()
    payload = np.empty(1, object)
    payload[0] = Payload(tmp_path / "ran")
    np.savez(buffer, zip_sha256="a" * 64, activation="Tanh", weight_0=payload, bias_0=payload)
    with pytest.raises(ModelError, match="cannot be read"):
        network_from_npz(buffer.getvalue(), "a" * 64)
    assert not (tmp_path / "ran").exists()
    with np.load(io.BytesIO(buffer.getvalue()), allow_pickle=True) as arrays:
        arrays["weight_0"]
    assert (tmp_path / "ran").exists(), "the payload works where pickles are allowed"


@pytest.mark.parametrize("content", [b"", b"PK", b"no archive", b"\x80\x04."])
def test_bytes_that_are_no_npz_are_refused(content):
    with pytest.raises(ModelError, match="cannot be read"):
        network_from_npz(content, "a" * 64)
