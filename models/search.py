"""Search for the settings of a training, on folds alone: the held-out sessions stay unseen.

Optuna's tree-structured Parzen estimator proposes, each proposal is trained with a few seeds on
expanding folds and judged on what came after: mean dollars a session less delta, the median seed of
each fold. The first one tried are the settings as given; every one is a trial that counts. With
equal arguments, seed and sessions, the search goes the same way, whoever does the work; what was
finished before a stop is not done again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna

from errors import SettingError
from models.fold_tasks import seed_task, training_values
from models.session_arrays import SessionArrays
from models.tasks import Task, TaskStore, Workers, work_off
from models.walk_forward import Fold
from settings import TrainingSettings

SEARCH_FOLDS, SEARCH_SEEDS = 3, 2
LAYERS = {"32x32": (32, 32), "64x64": (64, 64), "128x128": (128, 128)}


@dataclass(frozen=True)
class Proposal:
    """A configuration that was tried.

    Attributes:
        number: from 0; 0 are the settings as they were given.
        training: the settings.
        score: dollars a session less delta, the mean over folds of the median seed.
        sharpe: of the net P&L a session, all folds joined, mean of the seeds.
    """

    number: int
    training: TrainingSettings
    score: float
    sharpe: float


def search(
    arrays: SessionArrays,
    training: TrainingSettings,
    folds: Sequence[Fold],
    trials: int,
    seed: int,
    workers: Workers,
    store: TaskStore,
    tried: Callable[[Proposal], None] = lambda proposal: None,
    done: Callable[[Task, bool], None] = lambda task, was_kept: None,
) -> list[Proposal]:
    """Try `trials` configurations; best first.

    Args:
        arrays: the sessions, without any that is held out.
        training: what is not searched for, and the first proposal.
        folds: of `arrays`.
        trials: how many, at least one.
        seed: of the proposals and, counted from it, of the trainings.
        workers, store: who does it, and where finished trainings are kept.
        tried: called after each proposal.
        done: called after each training, as by `models.tasks.work_off`; a proposal has
            `SEARCH_SEEDS` of them in each fold.

    Raises `SettingError` for less than one trial.
    """
    if trials < 1:
        raise SettingError(f"--search {trials}: at least one configuration must be tried")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.TPESampler(seed=seed)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    seeds = range(seed, seed + SEARCH_SEEDS)
    proposals = []
    for number in range(trials):
        trial = study.ask() if number else None
        proposed = training if trial is None else _proposed(trial, training)
        score, sharpe = _try(proposed, arrays, folds, seeds, workers, store, number, done)
        if trial is not None:
            study.tell(trial, score)
        proposals.append(Proposal(number, proposed, score, sharpe))
        tried(proposals[-1])
    return sorted(proposals, key=lambda each: (-each.score, each.number))


def _proposed(trial: optuna.trial.Trial, training: TrainingSettings) -> TrainingSettings:
    changes: dict[str, Any] = {
        "learning_rate": trial.suggest_float("learning_rate", 1e-4, 5e-3, log=True),
        "entropy": trial.suggest_float("entropy", 1e-4, 3e-2, log=True),
        "epochs": trial.suggest_int("epochs", 2, 10),
        "advantage_decay": trial.suggest_float("advantage_decay", 0.9, 1.0),
        "first_hold": trial.suggest_float("first_hold", 0.5, 0.98),
        "layers": LAYERS[str(trial.suggest_categorical("layers", list(LAYERS)))],
    }
    return training.model_copy(update=changes)


def _try(
    training: TrainingSettings,
    arrays: SessionArrays,
    folds: Sequence[Fold],
    seeds: Sequence[int],
    workers: Workers,
    store: TaskStore,
    number: int,
    done: Callable[[Task, bool], None],
) -> tuple[float, float]:
    """Score and Sharpe ratio of a configuration."""
    values = training_values(training)
    tasks = [
        seed_task(
            f"trial {number}, fold {fold.number}, seed {seed}",
            fold.training,
            fold.testing,
            seed,
            values,
        )
        for fold in folds
        for seed in seeds
    ]
    results = work_off(tasks, arrays, workers, store, done)
    by_seed = [results[place :: len(seeds)] for place in range(len(seeds))]
    steady = np.array([[np.mean(each["less_delta"]) for each in some] for some in by_seed])
    net = np.array([np.concatenate([each["net_pnl"] for each in some]) for some in by_seed])
    deviations = net.std(axis=1, ddof=1)
    ratios = np.where(deviations > 0, net.mean(axis=1) / np.where(deviations > 0, deviations, 1), 0)
    return float(np.median(steady, axis=0).mean()), float(ratios.mean())
