"""Train one network with one seed: MaskablePPO on standardised features.

Sizes and the reasons for them are in docs/models.md: many sessions side by side and large
batches make training fast, masks make it choose moments, constants let it see volatility.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sb3_contrib import MaskablePPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import configure
from stable_baselines3.common.utils import LinearSchedule

from models.card import ModelCard, Standardisation
from models.env import SessionVecEnv
from models.export import plain_ppo_zip
from models.folding import measure
from models.model_zip import describe, read_network
from models.policy_network import NetworkPolicy
from models.session_arrays import Progress, SessionArrays
from settings import Settings, TrainingSettings
from strategies.features import COUNT
from vocabulary import Action

Judge = Callable[[NetworkPolicy], float]
"""Mean net P&L of a policy on sessions it is not trained on, dollars a session."""

_JUDGEMENTS = 20
"""How often a training is judged on the way, for its curve."""


@dataclass
class Curve:
    """How a training went; one figure an update in each list.

    Attributes:
        steps: decisions so far.
        net_pnl: mean dollars of the sessions that ended, with exploration.
        entropy: of the policy's choices, nats.
        judged_steps, judged_pnl: the same on validation sessions, by the likeliest action.
    """

    steps: list[int] = field(default_factory=list)
    net_pnl: list[float] = field(default_factory=list)
    entropy: list[float] = field(default_factory=list)
    judged_steps: list[int] = field(default_factory=list)
    judged_pnl: list[float] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class TrainedSeed:
    """A finished training: its seed, the network, and how it went."""

    seed: int
    model: MaskablePPO
    policy: NetworkPolicy
    curve: Curve


def measure_features(arrays: SessionArrays, settings: Settings, seed: int = 0) -> Standardisation:
    """Constants of the 8 features, from training sessions played with random legal actions."""
    env = SessionVecEnv(arrays, settings, seed=seed)
    rng = np.random.default_rng(seed)
    seen = np.empty((settings.training.rollout, env.num_envs, COUNT), np.float32)
    env.reset()
    for step in range(len(seen)):
        mask = env.action_masks()
        actions = (rng.random(mask.shape) * mask).argmax(axis=1)
        seen[step] = np.asarray(env.step(actions)[0])
    return measure(seen)


def train_seed(
    arrays: SessionArrays,
    settings: Settings,
    standardisation: Standardisation,
    card: ModelCard,
    seed: int,
    *,
    judge: Judge,
    logs: Path,
    progress: Progress | None = None,
) -> TrainedSeed:
    """Train with one seed; equal arguments give equal weights on one machine.

    Args:
        arrays: training sessions, with `hedge` where the reward takes it off.
        settings: `settings.training` has every figure.
        standardisation: constants of the observation.
        card: what the network will be shipped with.
        seed: of weights, exploration, session order and price levels.
        judge: looks at the policy now and then, for the curve.
        logs: folder for TensorBoard's event file.
        progress: called after each rollout, with its number and how many there will be.
    """
    torch.set_num_threads(1)  # more are slower at this size, and much slower on a busy machine
    env = SessionVecEnv(arrays, settings, standardisation=standardisation, seed=seed)
    training = settings.training
    model = _model(env, training, seed)
    model.set_logger(configure(str(logs), ["tensorboard"]))

    def shipped() -> NetworkPolicy:
        return shipped_policy(model, standardisation, card)

    watcher = _Watcher(training.steps, lambda: judge(shipped()), progress)
    model.learn(training.steps, callback=watcher)
    model.learning_rate = training.learning_rate  # a figure is shipped, not a schedule's code
    return TrainedSeed(seed, model, shipped(), watcher.curve)


def shipped_policy(
    model: MaskablePPO, standardisation: Standardisation, card: ModelCard
) -> NetworkPolicy:
    """The policy exactly as its zip will be read: raw features, plain arrays."""
    content = plain_ppo_zip(model, standardisation, card)
    return NetworkPolicy(card.name, read_network(content, describe(content)))


def _model(env: SessionVecEnv, training: TrainingSettings, seed: int) -> MaskablePPO:
    model = MaskablePPO(
        "MlpPolicy",
        env,
        learning_rate=LinearSchedule(training.learning_rate, 0.0, 1.0),
        n_steps=training.rollout,
        batch_size=training.batch,
        n_epochs=training.epochs,
        gamma=training.discount,
        gae_lambda=training.advantage_decay,
        clip_range=training.clip,
        ent_coef=training.entropy,
        policy_kwargs={"net_arch": list(training.layers)},
        seed=seed,
        device="cpu",
    )
    _prefer_hold(model, training)
    return model


def _prefer_hold(model: MaskablePPO, training: TrainingSettings) -> None:
    """Let the untrained policy hold with `first_hold`, the other actions alike.

    A policy that sells at every chance finds no difference between now and five minutes later, and
    so never learns to wait for a better price; one that mostly holds sees what each sale is worth.
    """
    odds = training.first_hold / (1 - training.first_hold) * (training.actions - 1)
    with torch.no_grad():
        model.policy.action_net.get_parameter("bias")[Action.HOLD] = math.log(odds)


class _Watcher(BaseCallback):
    """Keeps the curve and counts the progress."""

    def __init__(self, steps: int, judge: Callable[[], float], progress: Progress | None) -> None:
        super().__init__()
        self.curve = Curve()
        self._steps = steps
        self._judge = judge
        self._progress = progress
        self._ended: list[float] = []

    def _on_step(self) -> bool:
        infos: list[dict[str, Any]] = self.locals["infos"]
        self._ended.extend(infos[i]["net_pnl"] for i in np.flatnonzero(self.locals["dones"]))
        return True

    def _on_rollout_start(self) -> None:
        """An update has just ended (but for the first time)."""
        entropy = self.logger.name_to_value.get("train/entropy_loss")
        if entropy is not None:
            self.curve.entropy.append(-float(entropy))

    def _on_rollout_end(self) -> None:
        mean = float(np.mean(self._ended)) if self._ended else float("nan")
        self._ended.clear()
        self.curve.steps.append(self.num_timesteps)
        self.curve.net_pnl.append(mean)
        self.logger.record("session/net_pnl", mean)
        judged = len(self.curve.judged_steps)
        if self.num_timesteps >= self._steps * (judged + 1) / _JUDGEMENTS:
            self.curve.judged_steps.append(self.num_timesteps)
            self.curve.judged_pnl.append(self._judge())
            self.logger.record("validation/net_pnl", self.curve.judged_pnl[-1])
        if self._progress is not None:
            update = self.num_timesteps // len(self.curve.steps)
            self._progress(len(self.curve.steps), -(-self._steps // update))
