"""Reading a stable-baselines3 zip of unknown origin without running anything in it.

`PPO.load` unpickles what it finds, and a pickle may be a program. Here the entry `data` is read as
the plain JSON it is (pickled items stay unread base64 text; what is needed stands beside them), and
`policy.pth` by torch with `weights_only=True`, which rebuilds tensors and nothing else. The layout
is that of `stable_baselines3.common.save_util`, versions 1.x (gym) and 2.x (gymnasium), PPO and
MaskablePPO.
"""

import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt

from errors import ModelError
from models.policy_network import Network
from vocabulary import FEATURES, Action

CARD_ATTRIBUTE = "zdte_card"
"""Name under which a model carries its card inside `data`."""

_LARGEST_ENTRY = 64 * 2**20
_POLICY_MODULES = ("stable_baselines3.common.policies", "sb3_contrib.common.maskable.policies")
_CLASS_NAME = re.compile(r"^<class '(?:\w+\.)*(\w+)'>$")

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ZipDescription:
    """What `data` says about a policy: actions, activation, its card's JSON, writer's version."""

    actions: int
    activation: str
    card: Json | None
    version: str


def describe(content: bytes) -> ZipDescription:
    """Read what a zip says about its policy, and check that the desk can use it. Imports no torch.

    Raises `ModelError` where it is no zip, no stable-baselines3 model, or one whose spaces, policy
    class or feature extractor are not those of a plain PPO on the 8 features.
    """
    with _open(content) as archive:
        data = _parse(_entry(archive, "data"))
        try:
            version = _entry(archive, "_stable_baselines3_version").decode("ascii", "replace")
        except ModelError:
            version = "unknown"
    _check_observations(_item(data, "observation_space"))
    _check_policy_class(_item(data, "policy_class"))
    card = data.get(CARD_ATTRIBUTE)
    return ZipDescription(
        actions=_count_actions(_item(data, "action_space")),
        activation=_activation(data.get("policy_kwargs")),
        card=card if isinstance(card, dict) else None,
        version=version.strip(),
    )


def read_network(content: bytes, description: ZipDescription) -> Network:
    """The policy network of a described zip; the layers follow from the shapes of the weights.

    Raises `ModelError` where the weights cannot be read safely or do not fit the description.
    """
    with _open(content) as archive:
        state = _tensors(_entry(archive, "policy.pth"))
    if any("features_extractor" in name for name in state):
        raise ModelError("it has a feature extractor of its own; only plain MlpPolicy is supported")
    names = [*_layers(state, "shared_net"), *_layers(state, "policy_net"), "action_net"]
    try:
        weights = tuple(state[f"{name}.weight"] for name in names)
        biases = tuple(state[f"{name}.bias"] for name in names)
    except KeyError as missing:
        raise ModelError(f"its weights hold no {missing.args[0]}: not a PPO MlpPolicy") from None
    network = Network(weights, biases, description.activation)
    if network.actions != description.actions:
        raise ModelError(
            f"its weights have {network.actions} actions, its description {description.actions}"
        )
    return network


@contextmanager
def _open(content: bytes) -> Iterator[zipfile.ZipFile]:
    try:
        archive = zipfile.ZipFile(BytesIO(content))
    except (zipfile.BadZipFile, ValueError):
        raise ModelError("it is not a zip file") from None
    with archive:
        yield archive


def _entry(archive: zipfile.ZipFile, name: str) -> bytes:
    """One entry's bytes, limited in size so that a zip bomb cannot fill the memory."""
    try:
        info = archive.getinfo(name)
    except KeyError:
        raise ModelError(f"it is no stable-baselines3 model: it has no entry '{name}'") from None
    if info.file_size > _LARGEST_ENTRY:
        raise ModelError(f"its entry '{name}' is larger than {_LARGEST_ENTRY >> 20} MB")
    try:
        return archive.read(info)
    except Exception as error:  # whatever zipfile raises on bytes that may be anything
        raise ModelError(f"its entry '{name}' is damaged ({type(error).__name__})") from None


def _parse(text: bytes) -> Json:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        raise ModelError("its entry 'data' is not JSON") from None
    if not isinstance(data, dict):
        raise ModelError("its entry 'data' is not a JSON object")
    return data


def _item(data: Json, name: str) -> Json:
    """A pickled item as stable-baselines3 describes it in JSON: `:type:` and its attributes."""
    item = data.get(name)
    if not isinstance(item, dict) or ":type:" not in item:
        raise ModelError(f"it is no stable-baselines3 model: 'data' does not describe {name}")
    return item


def _class_name(text: object) -> str:
    """`ReLU` of `<class 'torch.nn.modules.activation.ReLU'>`; other text unchanged."""
    match = _CLASS_NAME.match(str(text))
    return match.group(1) if match else str(text)


def _check_observations(space: Json) -> None:
    kind = _class_name(space[":type:"])
    shape = space.get("_shape", space.get("shape"))
    if kind != "Box" or shape != [len(FEATURES)]:
        described = f"{kind} of shape {tuple(shape) if isinstance(shape, list) else shape}"
        raise ModelError(f"its observations are a {described}, the desk gives Box of shape (8,)")


def _count_actions(space: Json) -> int:
    kind = _class_name(space[":type:"])
    count, start = str(space.get("n")), str(space.get("start", 0))
    if kind != "Discrete" or count not in ("3", "4") or start != "0":
        described = f"Discrete({count}, start={start})" if kind == "Discrete" else kind
        raise ModelError(
            f"its actions are {described}, the desk needs Discrete(3) or Discrete({len(Action)})"
        )
    return int(count)


def _check_policy_class(policy: Json) -> None:
    module = policy.get("__module__")
    if module not in _POLICY_MODULES:
        raise ModelError(f"its policy class is of {module}; only PPO's MlpPolicy is supported")


def _activation(policy_kwargs: object) -> str:
    """Name of the hidden layers' activation; Tanh is stable-baselines3's default."""
    kwargs = policy_kwargs if isinstance(policy_kwargs, dict) else {}
    extractor = _class_name(kwargs.get("features_extractor_class", "FlattenExtractor"))
    if extractor != "FlattenExtractor":
        raise ModelError(f"its feature extractor is {extractor}; only the plain one is supported")
    return _class_name(kwargs.get("activation_fn", "Tanh"))


def _tensors(content: bytes) -> Mapping[str, npt.NDArray[np.float64]]:
    """The state dict of a `.pth` as arrays. torch is imported here alone: it costs two seconds."""
    import torch

    try:
        state = torch.load(BytesIO(content), map_location="cpu", weights_only=True)
        return {name: tensor.numpy().astype(np.float64) for name, tensor in state.items()}
    except Exception as error:  # torch refuses hostile bytes with many kinds of error
        raise ModelError(
            f"its weights cannot be read safely ({type(error).__name__}): nothing was run"
        ) from None


def _layers(state: Mapping[str, object], part: str) -> list[str]:
    """Names of the linear layers of a part of the extractor, in order (`shared_net` before 1.8)."""
    pattern = re.compile(rf"mlp_extractor\.{part}\.(\d+)\.weight")
    indices = sorted(int(match.group(1)) for name in state if (match := pattern.fullmatch(name)))
    return [f"mlp_extractor.{part}.{index}" for index in indices]
