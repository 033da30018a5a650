"""What an evaluation costs, and what a second seed on a second core costs.

`python benchmarks/evaluation.py [STEPS [SEEDS [FOLDS [SESSIONS]]]]`: reading sessions, trainings,
judging, baselines, a second start; 100,000 2 2 120 by default, on two workers. `500000 5 4 250` is
what `run.py evaluate` does without further flags. CPU seconds count the workers too. Memory is that
of this process and its workers together, looked at four times a second: resident sizes added up
(what they share counted in each), and proportional ones (counted once). Linux alone tells it.

`python benchmarks/evaluation.py two-seeds [STEPS [ROUNDS]]`: the time of two seeds on two workers
over that of one seed on one, in turn; 500,000 steps and 3 rounds by default, about two minutes.
"""

import os
import resource
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import active_children
from pathlib import Path
from statistics import median

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from feeds.simulation import SimulatedMarket
from feeds.simulation.market import default_sessions
from models.contest import Contest
from models.fold_tasks import seed_task, training_values
from models.session_arrays import SessionArrays, read_sessions
from models.task_processes import ProcessWorkers
from models.tasks import Task, TaskStore, context_of
from models.walk_forward import expanding_folds
from settings import Settings, TrainingSettings

SMALL = (100_000, 2, 2, 120)
TWO_SEEDS = (500_000, 3)
TWO_SEEDS_SESSIONS = 200
WORKERS = 2
LOOK_SECONDS = 0.25


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


class _Memory:
    """Watches this process and its workers from a thread; peaks in MB, of the sums and of each."""

    def __init__(self) -> None:
        self.resident = self.proportional = self.worker = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "_Memory":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(LOOK_SECONDS):
            workers = [each.pid for each in active_children()]
            sizes = [_sizes(process) for process in (os.getpid(), *workers)]
            resident, proportional = (sum(column) for column in zip(*sizes, strict=True))
            self.resident = max(self.resident, resident)
            self.proportional = max(self.proportional, proportional)
            self.worker = max(self.worker, *(size for size, _ in sizes[1:]), 0.0)


def _sizes(process: int | None) -> tuple[float, float]:
    """Resident and proportional size in MB; zero for a process that has ended."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0, 0.0
    words = (line.split() for line in lines[1:])
    found = {name: int(size) / 1024 for name, size, *_ in words}
    return found["Rss:"], found["Pss:"]


def evaluation(steps: int, seeds: int, folds: int, sessions: int) -> None:
    settings, told = Settings(training={"steps": steps, "seeds": seeds}), dict[str, float]()
    with tempfile.TemporaryDirectory() as place, _Memory() as memory:
        with measured("reading sessions", told):
            source = SimulatedMarket(default_sessions(sessions))
            arrays = read_sessions(source, settings, hedge=True)
        parts = expanding_folds(len(arrays), folds)
        store = TaskStore(Path(place) / "tasks", context_of(arrays, settings))
        workers = ProcessWorkers(WORKERS, Path(place) / "shared")
        contest = Contest(arrays, parts, workers, store)
        with measured(f"{seeds} seeds x {folds} folds x {steps:,} steps, all", told):
            contest.of_training(range(seeds))
            workers.close()
        with measured("the same again from the store", told):
            contest.of_training(range(seeds))
    print(f"{'peak memory, resident sizes added up':<44}{memory.resident:>9.0f} MB")
    print(f"{'peak memory, what is shared counted once':<44}{memory.proportional:>9.0f} MB")
    print(f"{'largest worker':<44}{memory.worker:>9.0f} MB")
    print(f"{'sessions shared by all workers':<44}{arrays.nbytes / 1e6:>9.1f} MB")


def two_seeds(steps: int, rounds: int) -> None:
    settings = Settings(training={"steps": steps})
    source = SimulatedMarket(default_sessions(TWO_SEEDS_SESSIONS))
    arrays = read_sessions(source, settings, hedge=True)
    with tempfile.TemporaryDirectory() as place:
        workers = ProcessWorkers(WORKERS, Path(place) / "shared")
        warm = settings.training.model_copy(update={"steps": 1})
        _seconds(workers, arrays, [_training(arrays, warm, seed) for seed in range(WORKERS)])
        ratios = []
        for number in range(rounds):
            tasks = [_training(arrays, settings.training, 2 * number + i) for i in range(3)]
            one = _seconds(workers, arrays, tasks[:1])
            two = _seconds(workers, arrays, tasks[1:])
            ratios.append(two / one)
            print(f"one seed {one:.1f} s, two seeds {two:.1f} s: {ratios[-1]:.2f} x", flush=True)
        workers.close()
    what = f"two seeds on {WORKERS} cores over one, {steps:,} steps"
    print(f"{what:<44}{median(ratios):>9.2f} x (median of {rounds}, limit 1.15)")


def _training(arrays: SessionArrays, training: TrainingSettings, seed: int) -> Task:
    values = training_values(training)
    testing = range(len(arrays) - 10, len(arrays))
    return seed_task(f"seed {seed}", range(testing.start - 6), testing, seed, values)


def _seconds(workers: ProcessWorkers, arrays: SessionArrays, tasks: list[Task]) -> float:
    start = time.monotonic()
    list(workers.run(tasks, arrays))
    return time.monotonic() - start


def main() -> None:
    words = sys.argv[1:]
    if words[:1] == ["two-seeds"]:
        given = [int(word) for word in words[1:]]
        two_seeds(*[*given, *TWO_SEEDS[len(given) :]])
    else:
        given = [int(word) for word in words]
        evaluation(*[*given, *SMALL[len(given) :]])


if __name__ == "__main__":
    main()
