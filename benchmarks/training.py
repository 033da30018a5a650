"""CPU seconds of a training, and the share that the environment takes of it, one torch thread.

Run `python benchmarks/training.py [DECISIONS]`; 400,000 by default. The sizes are those of
`run.py train`: 256 sessions side by side x 78 decisions, batches of 1,664, 6 epochs.
"""

import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from feeds.simulation import SimulatedMarket
from feeds.simulation.market import default_sessions
from models.env import SessionVecEnv
from models.ppo_training import measure_features, train_seed
from models.session_arrays import read_sessions
from models.training import blank_card
from settings import Settings

SESSIONS, DECISIONS = 200, 400_000
FULL_TRAINING = 2_000_000


class _Stopwatch:
    """Adds up the CPU seconds of a method of `SessionVecEnv`."""

    def __init__(self, name: str) -> None:
        self.seconds = 0.0
        self._method = getattr(SessionVecEnv, name)
        setattr(SessionVecEnv, name, lambda env, *terms, **named: self(env, *terms, **named))

    def __call__(self, *terms: Any, **named: Any) -> Any:
        start = time.process_time()
        result = self._method(*terms, **named)
        self.seconds += time.process_time() - start
        return result


def main() -> None:
    decisions = int(sys.argv[1]) if len(sys.argv) > 1 else DECISIONS
    settings = Settings(training={"steps": decisions})
    arrays = read_sessions(SimulatedMarket(default_sessions(SESSIONS)), settings, hedge=True)
    constants = measure_features(arrays, settings)
    step, masks = _Stopwatch("step"), _Stopwatch("env_method")
    with tempfile.TemporaryDirectory() as logs:
        start = time.process_time()
        trained = train_seed(
            arrays,
            settings,
            constants,
            blank_card("benchmark", settings),
            seed=0,
            judge=lambda policy: 0.0,
            logs=Path(logs),
        )
        spent = time.process_time() - start
    done = trained.curve.steps[-1]
    print(f"{'decisions per CPU second of training':<48}{done / spent:>12,.0f}")
    print(f"{'CPU seconds for 2,000,000 decisions':<48}{spent / done * FULL_TRAINING:>12.1f}")
    print(f"{'share of env.step':<48}{step.seconds / spent:>12.1%}")
    print(f"{'share of fetching the masks':<48}{masks.seconds / spent:>12.1%}")


if __name__ == "__main__":
    main()
