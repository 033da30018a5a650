"""What an evaluation costs: reading sessions, trainings, judging, baselines, a second start.

Run `python benchmarks/evaluation.py [STEPS [SEEDS [FOLDS [SESSIONS]]]]`; 100,000 2 2 120 by
default, on two workers; `500000 5 4 250` is what `run.py evaluate` does without further flags. CPU
seconds count the workers too.
"""

import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from feeds.simulation import SimulatedMarket
from feeds.simulation.market import default_sessions
from models.contest import Contest
from models.session_arrays import read_sessions
from models.task_processes import ProcessWorkers
from models.tasks import TaskStore, context_of
from models.walk_forward import expanding_folds
from settings import Settings

SMALL = (100_000, 2, 2, 120)
WORKERS = 2


def cpu() -> float:
    """CPU seconds of this process and of its children that have ended."""
    own, others = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, -1))
    return own.ru_utime + own.ru_stime + others.ru_utime + others.ru_stime


@contextmanager
def measured(what: str, told: dict[str, float]) -> Iterator[None]:
    wall, spent = time.monotonic(), cpu()
    yield
    wall, told[what] = time.monotonic() - wall, cpu() - spent
    print(f"{what:<44}{told[what]:>9.1f} CPU s{wall:>9.1f} s", flush=True)


def main() -> None:
    given = [int(word) for word in sys.argv[1:]]
    steps, seeds, folds, sessions = [*given, *SMALL[len(given) :]]
    settings, told = Settings(training={"steps": steps, "seeds": seeds}), dict[str, float]()
    with measured("reading sessions", told):
        source = SimulatedMarket(default_sessions(sessions))
        arrays = read_sessions(source, settings, hedge=True)
    parts = expanding_folds(len(arrays), folds)
    with tempfile.TemporaryDirectory() as place:
        store = TaskStore(Path(place) / "tasks", context_of(arrays, settings))
        workers = ProcessWorkers(WORKERS, Path(place) / "shared")
        contest = Contest(arrays, parts, workers, store)
        with measured(f"{seeds} seeds x {folds} folds x {steps:,} steps, all", told):
            contest.of_training(range(seeds))
            workers.close()
        with measured("the same again from the store", told):
            contest.of_training(range(seeds))
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{'peak memory of a worker, of this process':<44}{peak:>9.0f} MB{own:>9.0f} MB")
    print(f"{'sessions shared by all workers':<44}{arrays.nbytes / 1e6:>9.1f} MB")


if __name__ == "__main__":
    main()
