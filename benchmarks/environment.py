"""Decisions per CPU second of the training environment and of playback, one thread.

Run `python benchmarks/environment.py`. A step is one decision of one session; stops, fills and
exits are watched at every one of the 391 snapshots. There are a hundred simulated sessions.
"""

import os
import sys
import time
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np  # after the number of threads is set

from feeds.sessions import last_sessions
from feeds.simulation import SimulatedMarket
from feeds.simulation.market import default_sessions
from models.env import SessionVecEnv
from models.evaluation import BASELINES
from models.playback import play
from models.session_arrays import SessionArrays, read_sessions
from settings import Settings
from strategies.baselines import baseline

SESSIONS, YEAR = 100, 250
STEPS = 78 * 5
HOLD_SHARE = {"never trades": 1.0, "trades rarely": 0.95, "trades at every chance": 0.0}
"""Styles of acting, by the share of decisions at which it holds although it could trade."""


def steps_per_second(arrays: SessionArrays, environments: int, hold_share: float) -> float:
    """Decisions per CPU second inside `env.step`."""
    settings = Settings(training={"environments": environments})
    env, dice = SessionVecEnv(arrays, settings), np.random.default_rng(0)
    env.reset()
    spent = 0.0
    for _ in range(STEPS):
        masks = env.action_masks()
        wish = (dice.random(masks.shape) * masks)[:, 1:].argmax(axis=1) + 1
        actions = np.where(dice.random(environments) < hold_share, 0, wish)
        start = time.process_time()
        env.step(actions)
        spent += time.process_time() - start
    return STEPS * environments / spent


def main() -> None:
    settings = Settings()
    start = time.process_time()
    arrays = read_sessions(SimulatedMarket(default_sessions(SESSIONS)), settings, hedge=True)
    spent = time.process_time() - start
    size = arrays.nbytes / len(arrays) / 1e6
    print(f"reading: {1e3 * spent / SESSIONS:.1f} ms a session, making it included; {size:.2f} MB")
    print(f"\n{'env.step, decisions per CPU second':<36}" + "".join(f"{n:>12}" for n in SIZES))
    for style, hold_share in HOLD_SHARE.items():
        rates = [steps_per_second(arrays, n, hold_share) for n in SIZES]
        print(f"{style:<36}" + "".join(f"{rate:>12,.0f}" for rate in rates))
    year = read_sessions(
        SimulatedMarket(last_sessions(YEAR, default_sessions(1)[0].date)), settings
    )
    print(f"\n{'playback of a year (250 sessions)':<36}{'CPU seconds':>12}")
    for name in BASELINES:
        start = time.process_time()
        play(baseline(name), year, settings)
        print(f"{name:<36}{time.process_time() - start:>12.3f}")


SIZES = (256, 512, 1024)

if __name__ == "__main__":
    main()
