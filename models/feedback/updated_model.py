"""An updated policy as a model of its own: a new folder, its parent's hash in the card."""

import zipfile
from collections.abc import Mapping
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3 import PPO

from errors import InternalError, ModelError
from models.feedback.update import MOST_KL, Update
from models.model_folder import LoadedModel, save_model
from models.policy_network import Network
from strategies.features import HIGHEST, LOWEST

_CRITIC = ("mlp_extractor.value_net.", "value_net.")


def save_updated(
    folder: Path, update: Update, parent: LoadedModel, parent_zip: Path, created: datetime
) -> str:
    """Write the updated model into the new folder `folder`; the sha256 of its zip.

    Args:
        folder: must not exist; its name becomes the model's.
        update: as `models.feedback.update.update_policy` returned it.
        parent: the model it was made from.
        parent_zip: its zip; the critic is taken over from there, so that training can go on.
        created: tz-aware.

    Raises `ModelError` where the folder exists: no model is ever overwritten.
    """
    if update.kl > MOST_KL:
        raise InternalError(f"an update of KL {update.kl:.4f} reached its saving")
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        raise ModelError(f"{folder} exists: a model is never overwritten, name another") from None
    card = parent.card.model_copy(
        update={
            "name": folder.name,
            "parent_sha256": parent.sha256,
            "created": created,
            "evaluations": {},
        }
    )
    return save_model(folder, _ppo(update, _critic(parent_zip)), update.constants, card)


def _critic(path: Path) -> dict[str, torch.Tensor]:
    """The parent's critic on raw features; nothing is unpickled."""
    with zipfile.ZipFile(path) as archive:
        content = archive.read("policy.pth")
    state: Mapping[str, torch.Tensor] = torch.load(
        BytesIO(content), map_location="cpu", weights_only=True
    )
    return {name: tensor for name, tensor in state.items() if name.startswith(_CRITIC)}


def _ppo(update: Update, critic: dict[str, torch.Tensor]) -> PPO:
    """A PPO with the updated actor and the parent's critic, both on standardised features."""
    actor = update.standardised
    hidden = [name for name in critic if name.startswith(_CRITIC[0]) and name.endswith("weight")]
    sizes = {
        "pi": [len(bias) for bias in actor.biases[:-1]],
        "vf": [int(critic[name].shape[0]) for name in hidden],
    }
    nothing: Any = None
    kwargs: dict[str, Any] = {
        "net_arch": sizes,
        "activation_fn": getattr(torch.nn, actor.activation),
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = PPO(
            "MlpPolicy", nothing, policy_kwargs=kwargs, device="cpu", _init_setup_model=False
        )
        model.observation_space = spaces.Box(LOWEST, HIGHEST, dtype=np.float32)
        model.action_space = spaces.Discrete(actor.actions)
        model.n_envs = 1
        model._setup_model()
    state = model.policy.state_dict() | _standardised(critic, update) | _actor(actor)
    model.policy.load_state_dict(state)
    return model


def _actor(network: Network) -> dict[str, torch.Tensor]:
    """The layers under stable-baselines3's names."""
    last = len(network.weights) - 1
    names = [f"mlp_extractor.policy_net.{2 * place}" for place in range(last)] + ["action_net"]
    layers = zip(names, network.weights, network.biases, strict=True)
    return {
        f"{name}.{kind}": torch.tensor(array, dtype=torch.float32)
        for name, *arrays in layers
        for kind, array in zip(("weight", "bias"), arrays, strict=True)
    }


def _standardised(critic: dict[str, torch.Tensor], update: Update) -> dict[str, torch.Tensor]:
    """The critic's tensors, its first layer on standardised features; {} where it has none."""
    first = next((n for n in critic if n.endswith("weight") and critic[n].shape[1] == 8), None)
    if first is None:
        return {}
    bias = first.replace("weight", "bias")
    mean, sd = np.array(update.constants.mean), np.array(update.constants.sd)
    weight = critic[first].numpy().astype(np.float64)
    moved = critic[bias].numpy().astype(np.float64) + weight @ mean
    return critic | {
        first: torch.tensor(weight * sd, dtype=torch.float32),
        bias: torch.tensor(moved, dtype=torch.float32),
    }
