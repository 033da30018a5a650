"""The policy network in plain arrays: no torch, no pickles, a few microseconds a decision.

stable-baselines3's PPO, with its default feature extractor (flatten), is a plain multilayer
perceptron: `logits = W_n a(... a(W_1 x + b_1) ...) + b_n`, and the probabilities are their softmax
(`stable_baselines3.common.policies.ActorCriticPolicy`). Double precision: one row and a thousand
rows then agree far below the float32 rounding of the weights, so that an environment of many
episodes decides as a single bar does.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO
from math import exp, nan
from typing import Any

import numpy as np
import numpy.typing as npt

from errors import InternalError, ModelError
from vocabulary import FEATURES, Moment

Floats = npt.NDArray[np.float64]

_SELU_SCALE, _SELU_ALPHA = 1.0507009873554805, 1.6732632423543772


def _sigmoid(x: Floats) -> Floats:
    return 0.5 * (1.0 + np.tanh(0.5 * x))


def _elu(x: Floats) -> Floats:
    return np.where(x > 0, x, np.expm1(np.minimum(x, 0.0)))


def _selu(x: Floats) -> Floats:
    return _SELU_SCALE * np.where(x > 0, x, _SELU_ALPHA * np.expm1(np.minimum(x, 0.0)))


ACTIVATIONS: Mapping[str, Callable[[Floats], Floats]] = {
    "ELU": _elu,
    "Identity": lambda x: x,
    "LeakyReLU": lambda x: np.where(x > 0, x, 0.01 * x),
    "ReLU": lambda x: np.maximum(x, 0.0),
    "SELU": _selu,
    "Sigmoid": _sigmoid,
    "SiLU": lambda x: x * _sigmoid(x),
    "Softplus": lambda x: np.logaddexp(x, 0.0),
    "Softsign": lambda x: x / (1.0 + np.abs(x)),
    "Tanh": np.tanh,
}
"""Activations by their name in `torch.nn`, with torch's default parameters."""


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """A multilayer perceptron from the 8 features to one logit an action.

    Args:
        weights: one array [outputs, inputs] a layer, as torch keeps them.
        biases: one array [outputs] a layer.
        activation: a name of `ACTIVATIONS`, applied after every layer but the last.

    Raises `ModelError` where shapes do not chain from 8 to 3 or 4, a figure is not finite or the
    activation is not known.
    """

    weights: tuple[Floats, ...]
    biases: tuple[Floats, ...]
    activation: str

    def __post_init__(self) -> None:
        """Check the layers."""
        if self.activation not in ACTIVATIONS:
            known = ", ".join(ACTIVATIONS)
            raise ModelError(f"activation {self.activation} is not supported; known are {known}")
        inputs = len(FEATURES)
        for weight, bias in zip(self.weights, self.biases, strict=True):
            if weight.ndim != 2 or weight.shape[1] != inputs or bias.shape != weight.shape[:1]:
                raise ModelError(f"a layer of shape {weight.shape} cannot follow {inputs} values")
            if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
                raise ModelError("the weights hold NaN or infinity: its training diverged")
            inputs = weight.shape[0]
        if inputs not in (3, 4):
            raise ModelError(f"the network has {inputs} outputs, the desk needs 3 or 4 actions")

    @property
    def actions(self) -> int:
        """How many actions it chooses between."""
        return int(self.biases[-1].shape[0])

    def logits(self, features: npt.NDArray[np.floating]) -> Floats:
        """Unnormalised log-probabilities [..., actions] of features [..., 8]."""
        activate = ACTIVATIONS[self.activation]
        hidden: Floats = features.astype(np.float64)
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            hidden = activate(hidden @ weight.T + bias)
        logits: Floats = hidden @ self.weights[-1].T + self.biases[-1]
        return logits


class NetworkPolicy:
    """A trained network as a `vocabulary.Policy`: illegal actions are masked before the softmax."""

    obeys_waits = True

    def __init__(self, name: str, network: Network) -> None:
        """`name` is what journals and reports call it."""
        self.name = name
        self.network = network
        self.actions = network.actions
        self._activate = ACTIVATIONS[network.activation]
        layers = list(zip(network.weights, network.biases, strict=True))
        self._hidden, (self._last_weight, self._last_bias) = layers[:-1], layers[-1]

    def probabilities(self, moment: Moment) -> Floats:
        """Probability of each action [..., actions], exactly zero where the mask is False.

        Raises `InternalError` where features are not finite or no action is legal: a caller
        refuses such a decision before it asks.
        """
        if moment.features.ndim == 1:
            return self._of_one(moment.features, moment.mask)
        with np.errstate(invalid="ignore"):
            logits = np.where(moment.mask, self.network.logits(moment.features), -np.inf)
            odds = np.exp(logits - logits.max(axis=-1, keepdims=True))
        total = odds.sum(axis=-1, keepdims=True)
        if not np.all(total > 0):
            raise _unanswerable(self.name)
        probabilities: Floats = odds / total
        return probabilities

    def _of_one(self, features: npt.NDArray[np.float32], mask: npt.NDArray[np.bool_]) -> Floats:
        """The same for a single row: at this size a list is faster than an array."""
        hidden = features.astype(np.float64)
        for weight, bias in self._hidden:
            hidden = self._activate(weight.dot(hidden) + bias)
        logits = (self._last_weight.dot(hidden) + self._last_bias).tolist()
        legal = mask.tolist()
        top = max([logit for logit, ok in zip(logits, legal, strict=True) if ok], default=nan)
        odds = [exp(logit - top) if ok else 0.0 for logit, ok in zip(logits, legal, strict=True)]
        total = sum(odds)
        if not total > 0:
            raise _unanswerable(self.name)
        return np.array([odd / total for odd in odds])


def _unanswerable(name: str) -> InternalError:
    return InternalError(f"policy {name} was asked with features not finite or no legal action")


def network_to_npz(network: Network, zip_sha256: str) -> bytes:
    """The network as the bytes of an .npz, tied by hash to the zip whose weights it repeats.

    Weights are float32, as torch trained them, so nothing is lost.
    """
    layers = zip(network.weights, network.biases, strict=True)
    arrays: dict[str, Any] = {
        f"{kind}_{index}": array.astype(np.float32)
        for index, layer in enumerate(layers)
        for kind, array in zip(("weight", "bias"), layer, strict=True)
    }
    buffer = BytesIO()
    np.savez(buffer, **arrays, activation=network.activation, zip_sha256=zip_sha256)
    return buffer.getvalue()


def network_from_npz(content: bytes, zip_sha256: str) -> Network | None:
    """The network of `network_to_npz`, None where it was made for another zip.

    Never unpickles. Raises `ModelError` where the bytes are not such a file.
    """
    try:
        with np.load(BytesIO(content), allow_pickle=False) as arrays:
            if str(arrays["zip_sha256"]) != zip_sha256:
                return None
            layers = sum(name.startswith("weight_") for name in arrays.files)
            weights = tuple(arrays[f"weight_{i}"].astype(np.float64) for i in range(layers))
            biases = tuple(arrays[f"bias_{i}"].astype(np.float64) for i in range(layers))
            activation = str(arrays["activation"])
    except Exception as error:  # whatever numpy raises on bytes that may be anything
        raise ModelError(f"cannot be read ({type(error).__name__})") from None
    return Network(weights, biases, activation)
