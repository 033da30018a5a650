"""Small models for tests: real stable-baselines3 objects with weights that decide something."""

import io
import json
import zipfile
from datetime import UTC, date, datetime
from pathlib import Path

import gymnasium
import numpy as np
import torch
from sb3_contrib import MaskablePPO

from models.card import (
    ACTION_NAMES,
    EvaluationRecord,
    ModelCard,
    SessionDays,
    Standardisation,
    TrainingRecord,
)
from settings import RiskSettings, RuleSettings

FIXTURES = Path(__file__).parents[1] / "data" / "models"

STANDARDISATION = Standardisation(
    mean=(0.5, 0.62, 0.16, 0.3, 0.01, 0.1, 0.3, 0.5),
    sd=(0.29, 0.03, 0.06, 0.46, 0.2, 0.15, 0.12, 0.29),
)


class Spaces(gymnasium.Env):
    """An environment of which only the spaces matter; higher actions pay more."""

    def __init__(self, actions):
        self.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (8,), np.float32)
        self.action_space = gymnasium.spaces.Discrete(actions)

    def reset(self, *, seed=None, options=None):
        return np.zeros(8, np.float32), {}

    def step(self, action):
        return np.zeros(8, np.float32), float(action), False, False, {}


def build(algorithm=MaskablePPO, actions=4, seed=0, **policy_kwargs):
    """An untrained model whose last layer is strong enough that its actions differ."""
    model = algorithm(
        "MlpPolicy", Spaces(actions), seed=seed, device="cpu", policy_kwargs=policy_kwargs
    )
    with torch.no_grad():
        model.policy.action_net.weight.mul_(300)
        for name, tensor in model.policy.named_parameters():
            if name.endswith("bias"):
                tensor.copy_(torch.randn(tensor.shape) * 0.3)
    return model


def realistic_features(count, seed=0):
    """Rows of the 8 features [count, 8] as they occur in a session."""
    random = np.random.default_rng(seed)
    time, iv = random.uniform(0, 1, count), random.lognormal(-1.9, 0.4, count)
    held = random.integers(0, 2, count)
    columns = (
        time,
        random.uniform(0.55, 0.7, count),
        iv,
        held,
        held * random.normal(0, 0.2, count),
        held * time * random.uniform(0, 1, count),
        0.32 * held + 0.18 * time + 0.5 * np.minimum(iv / 0.5, 1),
        1 - time,
    )
    return np.column_stack(columns).astype(np.float32)


def sb3_probabilities(model, features, mask=None):
    """What stable-baselines3 itself computes."""
    arguments = {} if mask is None else {"action_masks": mask}
    with torch.no_grad():
        answer = model.policy.get_distribution(torch.as_tensor(features), **arguments)
    return answer.distribution.probs.numpy()


def zip_bytes(model):
    buffer = io.BytesIO()
    model.save(buffer)
    return buffer.getvalue()


def card(action_count=4, **changes):
    days = SessionDays.of("simulated", [date(2026, 1, 5), date(2026, 1, 6), date(2026, 1, 8)])
    fields = {
        "name": "example",
        "kind": "maskable_ppo",
        "actions": ACTION_NAMES[:action_count],
        "risk": RiskSettings(),
        "rules": RuleSettings(),
        "capital": 80_000.0,
        "contracts": 1,
        "year_convention": "calendar",
        "training": TrainingRecord(
            days=days,
            reward="change of liquidation value less the delta control variate",
            seed=1,
            seeds=(0, 1, 2),
            steps=2_000_000,
            hyper_parameters={"batch_size": 1664, "gamma": 1.0, "normalize_advantage": True},
            library_versions={"torch": "2.13.0"},
            code_commit="0123abc",
        ),
        "evaluations": {
            "held out": EvaluationRecord(
                days=SessionDays.of("simulated", [date(2026, 2, 2)]),
                metrics={"example": {"net_pnl": 12.5}, "hold": {"daily_sharpe": None}},
            )
        },
        "created": datetime(2026, 11, 22, 12, tzinfo=UTC),
    }
    return ModelCard(**{**fields, **changes})


def edited(content, entries=None, **data):
    """A model zip with whole entries replaced, or keys of its `data` (None removes)."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    plain = {**json.loads(members["data"]), **data}
    members["data"] = json.dumps({k: v for k, v in plain.items() if v is not None}).encode()
    members |= entries or {}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, member in members.items():
            if member is not None:
                archive.writestr(name, member)
    return buffer.getvalue()
