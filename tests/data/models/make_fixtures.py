"""Make a model zip with an old stable-baselines3, and its own probabilities beside it.

    python make_fixtures.py sb3_1_8_gym.zip default

The files here were made so, on Python 3.11 with torch 2.13.0 and numpy 1.26.4:

    sb3_1_6_shared.zip   stable-baselines3 1.6.2, gym 0.21.0         shared
    sb3_1_8_gym.zip      stable-baselines3 1.8.0, gym 0.21.0         default
    sb3_2_0_relu.zip     stable-baselines3 2.0.0, gymnasium 0.28.1   relu

The zips are repacked (compressed, without dates and the machine's name); their entries are
as that version wrote them, but for the optimiser, which starts anew to keep them small.
"""

import json
import sys
import zipfile

import numpy as np
import stable_baselines3
import torch

OLD = int(stable_baselines3.__version__[0]) < 2
if OLD:
    import gym
    from gym import spaces
else:
    import gymnasium as gym
    from gymnasium import spaces

NETWORKS = {
    "default": {},
    "relu": {"activation_fn": torch.nn.ReLU, "net_arch": [32, 32]},
    "shared": {"net_arch": [32, {"pi": [16], "vf": [16]}]},
}


class ToyMarket(gym.Env):
    """78 steps a day; selling puts pays when volatility is high, calls early in the day."""

    observation_space = spaces.Box(-np.inf, np.inf, (8,), np.float32)
    action_space = spaces.Discrete(3)
    random = np.random.default_rng(0)

    def observe(self):
        time = self.step_number / 78
        risk = 0.18 * time + self.iv
        return np.array([time, 0.6, self.iv, 0, 0, 0, risk, 1 - time], np.float32)

    def reset(self, **options):
        self.step_number, self.iv = 0, self.random.uniform(0.08, 0.4)
        return self.observe() if OLD else (self.observe(), {})

    def step(self, action):
        self.step_number += 1
        call = 0.2 * (0.5 - self.step_number / 78)
        reward = [0.0, call, self.iv - 0.2][action]
        done = self.step_number >= 78
        return (self.observe(), reward, done, *([{}] if OLD else [False, {}]))


def main(path, network):
    torch.set_num_threads(1)
    model = stable_baselines3.PPO(
        "MlpPolicy",
        ToyMarket(),
        policy_kwargs=NETWORKS[network],
        learning_rate=3e-3,
        n_steps=512,
        batch_size=256,
        n_epochs=8,
        seed=3,
        device="cpu",
    )
    model.learn(6144)
    model.policy.optimizer = torch.optim.Adam(model.policy.parameters(), lr=3e-3, eps=1e-5)
    model.save(path)
    repack(path)
    observations = sample(np.random.default_rng(1), 12)
    with torch.no_grad():
        answers = model.policy.get_distribution(torch.as_tensor(observations))
    expected = {
        "observations": observations.astype(float).tolist(),
        "probabilities": answers.distribution.probs.numpy().astype(float).tolist(),
    }
    with open(path.replace(".zip", ".json"), "w") as file:
        json.dump(expected, file, indent=1)


def sample(random, count):
    """Plausible rows of the 8 features."""
    columns = (
        random.uniform(0, 1, count),
        random.uniform(0.3, 0.7, count),
        random.uniform(0.05, 0.6, count),
        random.integers(0, 2, count),
        random.normal(0, 0.2, count),
        *random.uniform(0, 1, (3, count)),
    )
    return np.column_stack(columns).astype(np.float32)


def repack(path):
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    lines = entries["system_info.txt"].decode().splitlines(keepends=True)
    entries["system_info.txt"] = "".join(line for line in lines if "OS:" not in line).encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            entry = zipfile.ZipInfo(name)
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED)


if __name__ == "__main__":
    main(*sys.argv[1:])
