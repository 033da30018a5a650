"""The trading session as a reinforcement learning environment, many at a time or one.

`SessionVecEnv` is a stable-baselines3 `VecEnv` that steps all its sessions by array operations;
`SessionEnv` is the same session as an ordinary `gymnasium.Env`, registered as `SessionEnv-v1`. A
step is one decision: the market goes on to the next decision slot, and fills and exits are watched
at every snapshot between. Both give `action_masks` to sb3-contrib's MaskablePPO.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.common.vec_env.base_vec_env import VecEnvIndices, VecEnvStepReturn

from feeds.chain import Integers
from models.card import Standardisation
from models.desk import Desk, Question
from models.folding import standardise
from models.rewards import RewardMeter
from models.session_arrays import SessionArrays
from settings import Settings
from strategies.features import COUNT, HIGHEST, LOWEST

SPOT, PNL = 1, 4
"""Places of the two features in dollars."""

Features = npt.NDArray[np.float32]
Booleans = npt.NDArray[np.bool_]


class _Play:
    """B sessions being played: desk, rewards, and the price level each one is observed at."""

    def __init__(self, arrays: SessionArrays, settings: Settings, size: int) -> None:
        self.desk = Desk(arrays, settings, size, actions=settings.training.actions)
        self.rewards = RewardMeter(self.desk, settings.training)
        self._range = settings.training.spot_range
        self._level = np.ones(size)
        self.question: Question

    def start(self, which: Integers, sessions: Integers, rng: np.random.Generator) -> None:
        """Put `which` at the first decision of `sessions`, each at a level of its own."""
        self.desk.start(which, sessions)
        self.rewards.start(which)
        self._level[which] = rng.uniform(*self._range, size=len(which))

    def ask(self) -> None:
        """Work out the next question."""
        self.question = self.desk.question()

    def step(self, actions: npt.NDArray[np.integer]) -> npt.NDArray[np.float64]:
        """Answer the question; the reward [B]."""
        self.desk.answer(actions, self.question)
        return self.rewards.measure()

    def observation(self) -> Features:
        """[B, 8] features at each session's level, zero where a figure is missing."""
        seen = np.nan_to_num(self.question.features, nan=0.0)
        seen[:, SPOT] *= self._level
        seen[:, PNL] *= self._level
        return seen


class SessionVecEnv(VecEnv):
    """Many sessions at once, a new one as soon as one ends.

    Every session comes once before any comes again. An observation has the 8 features
    (standardised where constants are given), at a price level drawn anew for each session: what a
    policy learns must not hang on where SPY stood in a certain year. An illegal action is a hold.
    """

    render_mode = None

    def __init__(
        self,
        arrays: SessionArrays,
        settings: Settings,
        *,
        standardisation: Standardisation | None = None,
        seed: int = 0,
    ) -> None:
        """`settings.training` says how many at a time, the reward and the actions.

        Args:
            arrays: the sessions; with `hedge` where the reward takes it off.
            settings: of the desk and of the training.
            standardisation: constants for the observation, None for raw features.
            seed: of the order of sessions and of the price levels; `seed()` sets another.
        """
        size = settings.training.environments
        self.arrays = arrays
        self._play = _Play(arrays, settings, size)
        self._constants = standardisation
        self._rng = np.random.default_rng(seed)
        self._waiting: Integers = np.empty(0, np.int64)
        self._actions: npt.NDArray[np.integer] = np.zeros(size, np.int64)
        self._returns, self._lengths = np.zeros(size), np.zeros(size, np.int64)
        super().__init__(size, _observation_space(standardisation), _action_space(settings))

    def reset(self) -> Features:
        """Begin a session everywhere; the observations [B, 8]."""
        if self._seeds[0] is not None:
            self._rng = np.random.default_rng(self._seeds[0])
            self._waiting = np.empty(0, np.int64)
            self._reset_seeds()
        self._start(np.arange(self.num_envs))
        self._play.ask()
        return self._observation()

    def step_async(self, actions: npt.NDArray[np.integer]) -> None:
        """Take the actions [B] of the next step."""
        self._actions = actions

    def step_wait(self) -> VecEnvStepReturn:
        """Observations, rewards, ends and infos; the info of an end has its `net_pnl` (dollars)."""
        rewards = self._play.step(self._actions).astype(np.float32)
        self._returns += rewards
        self._lengths += 1
        done = self._play.desk.is_over
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        ended = np.flatnonzero(done)
        if ended.size:
            self._tell(infos, ended)
            self._start(ended)
        self._play.ask()
        return self._observation(), rewards, done, infos

    def action_masks(self) -> Booleans:
        """bool [B, actions] which actions are legal now."""
        return self._play.question.mask

    def _observation(self) -> Features:
        seen = self._play.observation()
        return seen if self._constants is None else standardise(seen, self._constants)

    def _tell(self, infos: list[dict[str, Any]], ended: Integers) -> None:
        last, net_pnl = self._observation(), self._play.desk.book.state["cash"]
        for i in ended.tolist():
            infos[i] = {
                "terminal_observation": last[i],
                "net_pnl": float(net_pnl[i]),
                "episode": {"r": float(self._returns[i]), "l": int(self._lengths[i]), "t": 0.0},
            }

    def _start(self, which: Integers) -> None:
        while self._waiting.size < which.size:
            order = self._rng.permutation(len(self.arrays))
            self._waiting = np.concatenate((self._waiting, order))
        sessions, self._waiting = self._waiting[: which.size], self._waiting[which.size :]
        self._play.start(which, sessions, self._rng)
        self._returns[which], self._lengths[which] = 0.0, 0

    def close(self) -> None:
        """Nothing is held open."""

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        """The attribute, the same for every session asked for."""
        return [getattr(self, attr_name)] * len(self._chosen(indices))

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:
        """Set an attribute, which all sessions share."""
        setattr(self, attr_name, value)

    def env_method(
        self,
        method_name: str,
        *method_args: Any,
        indices: VecEnvIndices = None,
        **method_kwargs: Any,
    ) -> list[Any]:
        """Each chosen session's row of what the method returns for all of them."""
        rows = getattr(self, method_name)(*method_args, **method_kwargs)
        return [rows[i] for i in self._chosen(indices)]

    def env_is_wrapped(
        self,
        wrapper_class: type[gymnasium.Wrapper[Any, Any, Any, Any]],
        indices: VecEnvIndices = None,
    ) -> list[bool]:
        """Nothing is wrapped."""
        return [False] * len(self._chosen(indices))

    def _chosen(self, indices: VecEnvIndices) -> Sequence[int]:
        if indices is None:
            return range(self.num_envs)
        return list(indices) if isinstance(indices, Iterable) else [indices]


class SessionEnv(gymnasium.Env[Features, np.int64]):
    """One session an episode, drawn at random: for any library that speaks gymnasium."""

    metadata = {"render_modes": []}  # noqa: RUF012 - gymnasium's own spelling

    def __init__(self, arrays: SessionArrays, settings: Settings) -> None:
        """Sessions of `arrays` under `settings`; the observation has the raw 8 features."""
        self._play = _Play(arrays, settings, 1)
        self._sessions = len(arrays)
        self.observation_space: spaces.Box = _observation_space(None)  # type: ignore[assignment]
        self.action_space = _action_space(settings)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Features, dict[str, Any]]:
        """Begin a session: one drawn at random, or the index `options["session"]`."""
        super().reset(seed=seed)
        given = (options or {}).get("session")
        session = self.np_random.integers(self._sessions) if given is None else given
        self._play.start(np.arange(1), np.array([session]), self.np_random)
        self._play.ask()
        return self._play.observation()[0], {"session": int(session)}

    def step(self, action: np.int64) -> tuple[Features, float, bool, bool, dict[str, Any]]:
        """Observation, reward, end, never truncated, and an info with the `net_pnl` so far."""
        seen = self._play.observation()
        reward = float(self._play.step(np.array([action]))[0])
        over = bool(self._play.desk.is_over[0])
        if not over:
            self._play.ask()
            seen = self._play.observation()
        net_pnl = float(self._play.desk.book.state["cash"][0])
        return seen[0], reward, over, False, {"net_pnl": net_pnl}

    def action_masks(self) -> Booleans:
        """bool [actions] which actions are legal now."""
        mask: Booleans = self._play.question.mask[0]
        return mask


def _observation_space(standardisation: Standardisation | None) -> spaces.Box:
    if standardisation is None:
        return spaces.Box(LOWEST, HIGHEST, dtype=np.float32)
    return spaces.Box(-np.inf, np.inf, (COUNT,), np.float32)


def _action_space(settings: Settings) -> spaces.Discrete:
    return spaces.Discrete(settings.training.actions)


gymnasium.register(id="SessionEnv-v1", entry_point="models.env:SessionEnv")
