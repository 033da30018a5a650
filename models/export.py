"""A trained policy as an ordinary stable-baselines3 PPO zip that takes the raw 8 features.

Whatever it was trained with (MaskablePPO on standardised features), anybody's `PPO.load` reads the
result. Equal models give equal bytes, so that a hash names a model.
"""

import re
import zipfile
from io import BytesIO
from typing import Any

import torch
from sb3_contrib import MaskablePPO
from stable_baselines3 import PPO
from stable_baselines3.common.utils import FloatSchedule

from models.card import ModelCard, Standardisation
from models.folding import fold
from models.model_zip import CARD_ATTRIBUTE

_SPACES = ("observation_space", "action_space", "n_envs")
_HYPER_PARAMETERS = (
    *("n_steps", "batch_size", "n_epochs", "gamma", "gae_lambda", "ent_coef", "vf_coef"),
    *("max_grad_norm", "normalize_advantage", "target_kl", "num_timesteps"),
)
_ADDRESS = re.compile(rb" at 0x[0-9a-f]+(?=>)")
_MACHINE = re.compile(rb"(?m)^- OS:.*\n")
_TEXTS = ("data", "system_info.txt")
_EPOCH = (1980, 1, 1, 0, 0, 0)


def plain_ppo_zip(
    trained: PPO | MaskablePPO, standardisation: Standardisation | None, card: ModelCard
) -> bytes:
    """The bytes of a PPO zip with the policy of `trained` and the card inside.

    Args:
        trained: a PPO or MaskablePPO with `MlpPolicy`; it is not changed.
        standardisation: what it was trained on, folded into the first layers; None for raw.
        card: carried as the attribute `zdte_card`, readable as JSON.

    The optimiser starts anew, so the file stays small; it can be loaded and trained on.
    """
    plain = _plain_ppo(trained)
    plain.policy.load_state_dict(_raw_state(trained, standardisation))
    setattr(plain, CARD_ATTRIBUTE, card.to_plain())
    buffer = BytesIO()
    plain.save(buffer)
    return _reproducible(buffer.getvalue())


def _plain_ppo(trained: PPO | MaskablePPO) -> PPO:
    """An untrained PPO of the same spaces, network and hyper-parameters, built as `load` does."""
    kwargs: dict[str, Any] = {
        "net_arch": trained.policy.net_arch,
        "activation_fn": trained.policy.activation_fn,
    }
    no_environment: Any = None
    with torch.random.fork_rng(devices=[]):  # a training that goes on must not feel the export
        plain = PPO(
            "MlpPolicy",
            no_environment,
            policy_kwargs=kwargs,
            device="cpu",
            _init_setup_model=False,
        )
        for name in (*_SPACES, *_HYPER_PARAMETERS):
            setattr(plain, name, getattr(trained, name))
        # A schedule would be stored as pickled code; its value at the start says as much.
        plain.learning_rate = trained.lr_schedule(1.0)
        plain.clip_range = FloatSchedule(trained.clip_range)(1.0)
        plain._setup_model()
    return plain


def _raw_state(
    trained: PPO | MaskablePPO, standardisation: Standardisation | None
) -> dict[str, torch.Tensor]:
    """The policy's tensors, the first layer of actor and critic taking raw features."""
    state = {name: tensor.detach().cpu() for name, tensor in trained.policy.state_dict().items()}
    if standardisation is None:
        return state
    for hidden, output in (("policy_net", "action_net"), ("value_net", "value_net")):
        first = f"mlp_extractor.{hidden}.0"
        layer = first if f"{first}.weight" in state else output
        weight, bias = state[f"{layer}.weight"], state[f"{layer}.bias"]
        folded = fold(weight.numpy(), bias.numpy(), standardisation)
        state[f"{layer}.weight"], state[f"{layer}.bias"] = (
            torch.from_numpy(array.astype("float32")) for array in folded
        )
    return state


def _reproducible(content: bytes) -> bytes:
    """The same zip without times, memory addresses and the name of the machine, compressed."""
    buffer = BytesIO()
    with zipfile.ZipFile(BytesIO(content)) as source, zipfile.ZipFile(buffer, "w") as target:
        for name in source.namelist():
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            member = source.read(name)
            if name in _TEXTS:
                member = _MACHINE.sub(b"", _ADDRESS.sub(b"", member))
            target.writestr(entry, member)
    return buffer.getvalue()
