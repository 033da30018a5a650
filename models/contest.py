"""Candidates and baselines on the same unseen sessions, as tasks.

What comes out are plain outcomes (JSON values): policy, role, fold, seed, dates, and dollars a
session at the quoted spread, less delta, and at twice the spread. `reports.evaluation` judges them.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from errors import DataError
from models.fold_tasks import (
    CALIBRATION,
    DRAWS,
    HOLDING,
    NETWORK,
    RULE,
    TIMED,
    TIMING,
    TRAINED,
    seed_task,
    training_values,
)
from models.session_arrays import SessionArrays
from models.tasks import Task, TaskStore, Workers, work_off
from models.walk_forward import Fold, unseen

RULES = ("hold", "sell_put@10:00", "sell_call@10:00")
RANDOM_DRAWS, DRAWS_A_TASK = 200, 20
TIMING_COST, LUCK_COST = 2, 4
"""How long a task takes beside a training of 25,000 steps, or the judging of a model."""

CANDIDATE, BASELINE, LUCK = "candidate", "baseline", "luck"

Outcome = dict[str, Any]


@dataclass(frozen=True)
class Model:
    """A trained model to be judged: its network, and the dates it learned from or was chosen by."""

    name: str
    sha256: str
    weights: bytes
    learned: frozenset[date]


@dataclass(frozen=True)
class Contest:
    """Sessions, folds, and who does the work.

    `advance` is called with the cost of each finished task, and whether it was kept from an earlier
    start; `total_cost` says how much there is.
    """

    arrays: SessionArrays
    folds: Sequence[Fold]
    workers: Workers
    store: TaskStore
    advance: Callable[[int, bool], None] = lambda cost, was_kept: None

    def of_training(self, seeds: Sequence[int]) -> list[Outcome]:
        """Train each seed in each fold by the sessions' own settings, and judge it after."""
        values = training_values(self.arrays.settings.training)
        tasks = [
            (
                seed_task(
                    f"fold {fold.number}, seed {seed}", fold.training, fold.testing, seed, values
                ),
                {"role": CANDIDATE, "fold": fold.number, "seed": seed},
            )
            for fold in self.folds
            for seed in seeds
        ]
        tested = [index for fold in self.folds for index in fold.testing]
        outcomes = self._do([*tasks, *self._baselines()])
        return [*outcomes, *self._luck(TRAINED, tested, outcomes)]

    def of_models(self, models: Sequence[Model]) -> list[Outcome]:
        """Judge each model on those sessions of each fold that it has not learned from.

        Raises `DataError` for a model that has seen all of them.
        """
        tests = {model.name: self._tests(model) for model in models}
        tasks = [
            (_network_task(model, number, sessions), {"role": CANDIDATE, "fold": number})
            for model in models
            for number, sessions in tests[model.name].items()
        ]
        outcomes = self._do([*tasks, *self._baselines()])
        for model in models:
            tested = [index for sessions in tests[model.name].values() for index in sessions]
            outcomes += self._luck(model.name, tested, outcomes)
        return outcomes

    def total_cost(self, candidates: int, cost: int, contestants: int) -> int:
        """Cost of all tasks: `candidates` of that cost in each fold, seeds of one are several.

        `contestants` are those that random sales are matched to.
        """
        rules = len(self.folds) * (len(RULES) + TIMING_COST + 1)
        return len(self.folds) * candidates * cost + rules + contestants * _luck_cost()

    def _tests(self, model: Model) -> dict[int, list[int]]:
        dates = [session.date for session in self.arrays.sessions]
        tests = {fold.number: unseen(dates, fold.testing, model.learned) for fold in self.folds}
        kept = {number: sessions for number, sessions in tests.items() if sessions}
        if not kept:
            raise DataError(
                f"model {model.name} learned from all sessions it could be judged on "
                f"({dates[self.folds[0].testing.start]} to {dates[-1]}), or from their neighbours; "
                "take later sessions"
            )
        return kept

    def _baselines(self) -> list[tuple[Task, Outcome]]:
        tasks = []
        for fold in self.folds:
            facts = {"role": BASELINE, "fold": fold.number}
            testing = {"testing": list(fold.testing)}
            training = {"training": [fold.training.start, fold.training.stop]}
            where = f"fold {fold.number}"
            for name in RULES:
                tasks.append((Task(f"{where}, {name}", RULE, testing | {"name": name}), facts))
            fitted = Task(f"{where}, {TIMED}", TIMING, training | testing, cost=TIMING_COST)
            tasks.append((fitted, facts))
            bought = {"bought": self.folds[0].testing.start}
            tasks.append((Task(f"{where}, buy and hold", HOLDING, testing | bought), facts))
        return tasks

    def _luck(self, name: str, tested: Sequence[int], outcomes: Iterable[Outcome]) -> list[Outcome]:
        """Random legal policies that trade as often as the candidate did."""
        ours = [each for each in outcomes if each["role"] == CANDIDATE and each["policy"] == name]
        trades = sum(sum(each["trades"]) for each in ours)
        if not trades:
            self.advance(_luck_cost(), True)
            return []  # as many as none is hold
        share = sum(each["calls"] for each in ours) / trades
        rate = trades / sum(len(each["dates"]) for each in ours)
        given: dict[str, Any] = {"testing": list(tested), "call_share": share}
        what = f"{name}, chance of random sales"
        sought = Task(what, CALIBRATION, given | {"rate": rate}, cost=LUCK_COST)
        (chance,) = self._results([sought])
        tasks = [
            Task(
                f"{name}, random sales {first}",
                DRAWS,
                given | {"chance": chance, "seeds": list(range(first, first + DRAWS_A_TASK))},
                cost=LUCK_COST,
            )
            for first in range(0, RANDOM_DRAWS, DRAWS_A_TASK)
        ]
        drawn = [each for some in self._results(tasks) for each in some]
        facts = {"role": LUCK, "fold": None, "beside": name}
        return [{**each, **facts, "seed": seed} for seed, each in enumerate(drawn)]

    def _do(self, tasks: Sequence[tuple[Task, Outcome]]) -> list[Outcome]:
        results = self._results([task for task, _ in tasks])
        return [
            {"seed": None, **result, **facts}
            for result, (_, facts) in zip(results, tasks, strict=True)
        ]

    def _results(self, tasks: Sequence[Task]) -> list[Any]:
        def done(task: Task, was_kept: bool) -> None:
            self.advance(task.cost, was_kept)

        return work_off(tasks, self.arrays, self.workers, self.store, done)


def _luck_cost() -> int:
    return LUCK_COST * (1 + RANDOM_DRAWS // DRAWS_A_TASK)


def _network_task(model: Model, fold: int, sessions: Sequence[int]) -> Task:
    arguments = {"name": model.name, "sha256": model.sha256, "testing": list(sessions)}
    return Task(f"fold {fold}, {model.name}", NETWORK, arguments, model.weights)
