"""`run.py evaluate`: what a training, or models, are worth on sessions nobody learned from."""

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from commands.lookahead import PolicyMaker, look_ahead
from commands.market_data import is_simulated, open_source
from commands.options import add_settings
from commands.policies import ChosenPolicy, choose_policy
from commands.run_folder import new_run_folder, write_config
from commands.run_log import Cost, RunLog
from commands.screen import progress, say
from commands.task_progress import task_progress
from commands.workers import add_workers, open_workers
from errors import SettingError
from feeds.source import ChainSource
from models.contest import Contest, Model, Outcome
from models.fold_tasks import TRAINED, training_cost, training_values
from models.model_folder import TRAINED_FOLDER
from models.policy_network import NetworkPolicy, network_to_npz
from models.session_arrays import SessionArrays, read_sessions
from models.tasks import TaskStore, Workers, context_of
from models.trials import read_trials, record_trial
from models.walk_forward import EMBARGO, PURGE, Fold, expanding_folds
from reports import statistics
from reports.evaluation import CANDIDATE, Figures, evaluation_figures, series
from settings import SIMULATED, Settings
from vocabulary import Policy

FLAGS = ("data", "start", "end", "policy", "capital", "contracts", "seed", "out")
FOLDS, STEPS, SIMULATED_SESSIONS = 4, 500_000, 250


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `evaluate`."""
    add_settings(parser, FLAGS)
    parser.add_argument(
        "--models", nargs="+", metavar="NAME", help="judge these instead of training anew"
    )
    parser.add_argument(
        "--assume-schema", type=int, choices=[1], help="take a zip without a card as schema 1"
    )
    parser.add_argument(
        "--folds", type=int, default=FOLDS, metavar="N", help=f"folds (default {FOLDS})"
    )
    for name, default in (("seeds", 5), ("steps", STEPS)):
        parser.add_argument(
            f"--{name}",
            dest="assignments",
            action="append",
            type=f"training.{name}={{}}".format,
            metavar="N",
            help=f"of each training (default {default:,})",
        )
    add_workers(parser)
    parser.add_argument(
        "--lookahead",
        action="store_true",
        help="look instead whether anything depends on what came later",
    )


def main(arguments: argparse.Namespace, settings: Settings) -> int:
    """Evaluate, or look for look-ahead; 0 when done, 1 where something looked ahead."""
    settings = _with_defaults(settings)
    if arguments.lookahead:
        return _look_ahead(arguments, settings)
    if settings.policy is not None:
        raise SettingError("--policy goes with --lookahead; rules are among the baselines anyway")
    if arguments.folds < 1:
        raise SettingError(f"--folds {arguments.folds}: at least one part must be judged")
    models = [_load(name, settings, arguments) for name in arguments.models or ()]
    folder = new_run_folder(settings, "evaluate", "-".join(arguments.models or [TRAINED]))
    cost = Cost()
    with RunLog(folder / "log.jsonl", go_on=True) as log:
        with open_workers(arguments, folder) as workers:  # first: who is missing is told at once
            write_config(folder, settings)
            say(f"folder: {folder}; after a stop, go on with --out {folder}")
            figures = _evaluate(models, arguments, settings, folder, workers)
        log.write("judged", **cost.so_far())
        say(f"report: {_draw(folder, figures)}")
        log.write("done", **cost.so_far())
    return 0


def _with_defaults(settings: Settings) -> Settings:
    """Fewer steps than `train`, more simulated sessions than a backtest, unless they were given."""
    changes: dict[str, Any] = {}
    if "steps" not in settings.training.model_fields_set:
        changes["training"] = settings.training.model_copy(update={"steps": STEPS})
    if settings.data == SIMULATED and "sessions" not in settings.model_fields_set:
        changes["sessions"] = SIMULATED_SESSIONS
    return settings.model_copy(update=changes)


def _load(name: str, settings: Settings, arguments: argparse.Namespace) -> ChosenPolicy:
    chosen = choose_policy(
        settings.model_copy(update={"model": name, "policy": None}), arguments.assume_schema
    )
    for note in chosen.notes:
        say(f"note: {note}")
    return chosen


def _evaluate(
    models: Sequence[ChosenPolicy],
    arguments: argparse.Namespace,
    settings: Settings,
    folder: Path,
    workers: Workers,
) -> Figures:
    source = open_source(settings, _convention(models, settings))
    expanding_folds(len(source.sessions), arguments.folds)  # too few are told before they are read
    arrays = _read(source, settings)
    folds = expanding_folds(len(arrays), arguments.folds)
    store = TaskStore(folder / "tasks", context_of(arrays, settings))
    outcomes = _contest(arrays, folds, workers, store, models, settings)
    _record(outcomes, models, arrays, folds, settings)
    trials = read_trials(TRAINED_FOLDER)
    facts = _facts(arrays, folds, models, settings)
    figures = evaluation_figures(outcomes, facts, trials.tried, trials.variance)
    from reports.evaluation_report import write_evaluation

    write_evaluation(folder, outcomes, figures)
    return figures


def _convention(models: Iterable[ChosenPolicy], settings: Settings) -> str:
    conventions = {model.year_convention for model in models}
    if len(conventions) > 1:
        raise SettingError(
            f"these models count years differently ({', '.join(sorted(conventions))}), so their "
            "volatilities are not the same figure: evaluate them one by one"
        )
    return conventions.pop() if conventions else settings.market.year_convention


def _read(source: ChainSource, settings: Settings) -> SessionArrays:
    with progress("reading sessions", len(source.sessions)) as advance:
        arrays = read_sessions(source, settings, hedge=True, progress=lambda *_: advance())
    for skipped in arrays.skipped:
        say(f"note: {skipped.date} is left out: {skipped.reason}")
    return arrays


def _contest(
    arrays: SessionArrays,
    folds: Sequence[Fold],
    workers: Workers,
    store: TaskStore,
    models: Sequence[ChosenPolicy],
    settings: Settings,
) -> list[Outcome]:
    contest = Contest(arrays, folds, workers, store)
    seeds = range(settings.seed, settings.seed + settings.training.seeds)
    many, cost = (
        (len(models), 1) if models else (len(seeds), training_cost(settings.training.steps))
    )
    with task_progress("evaluation", contest.total_cost(many, cost, len(models) or 1)) as advance:
        contest = Contest(arrays, folds, workers, store, advance)
        if models:
            return contest.of_models([_model(chosen, arrays) for chosen in models])
        return contest.of_training(seeds)


def _model(chosen: ChosenPolicy, arrays: SessionArrays) -> Model:
    assert isinstance(chosen.policy, NetworkPolicy)  # rules are refused before
    weights = network_to_npz(chosen.policy.network, chosen.sha256)
    record = chosen.card.training if chosen.card is not None else None
    parts = (record.days, record.validation) if record is not None else ()
    dates = [day for part in parts if part is not None for day in part.dates]
    learned = chosen.in_sample(dates, arrays.label)
    return Model(chosen.policy.name, chosen.sha256, weights, learned)


def _record(
    outcomes: Sequence[Outcome],
    models: Sequence[ChosenPolicy],
    arrays: SessionArrays,
    folds: Sequence[Fold],
    settings: Settings,
) -> None:
    """Count what was tried: each model once, a training configuration once for these sessions."""
    hashes = {model.policy.name: model.sha256 for model in models}
    for candidate in series(outcomes, CANDIDATE):
        configuration: dict[str, Any] = {"model": hashes.get(candidate.name)}
        if not models:
            chosen = {"rules", "risk", "capital", "contracts", "seed"}
            plain = settings.model_dump(mode="json", include=chosen)
            days = [arrays.label, arrays.sessions[0].date, arrays.sessions[-1].date, len(folds)]
            configuration = plain | {"training": training_values(settings.training), "days": days}
        means = candidate.net_pnl.mean(axis=1)
        median = int(np.argsort(means, kind="stable")[(len(means) - 1) // 2])
        sharpe = statistics.sharpe_a_session(candidate.net_pnl[median])
        record_trial(TRAINED_FOLDER, "evaluate", candidate.name, configuration, sharpe)


def _facts(
    arrays: SessionArrays,
    folds: Sequence[Fold],
    models: Sequence[ChosenPolicy],
    settings: Settings,
) -> dict[str, Any]:
    training = settings.training
    how = f"{len(folds)} folds, {training.seeds} seeds, {training.steps:,} steps each"
    notes = [f"{PURGE + EMBARGO} sessions are left out between what is learned and what is judged."]
    notes += [note for model in models for note in model.notes]
    for model in models:
        if model.card is None or model.card.training is None:
            notes.append(f"{model.policy.name} does not say what it learned from: it may know all.")
    return {
        "data": arrays.label,
        "is_simulated": is_simulated(arrays.label),
        "sessions": len(arrays),
        "first": arrays.sessions[0].date.isoformat(),
        "last": arrays.sessions[-1].date.isoformat(),
        "skipped": len(arrays.skipped),
        "how": f"{len(folds)} folds" if models else how,
        "notes": notes,
    }


def _draw(folder: Path, figures: Figures) -> Path:
    from reports.evaluation_report import draw_evaluation, verdicts

    for sentence in verdicts(figures):
        say(sentence)
    return draw_evaluation(folder)


def _look_ahead(arguments: argparse.Namespace, settings: Settings) -> int:
    """Look at each model or at the policy; 1 where something looked ahead."""
    if arguments.workers is not None or arguments.ray is not None:
        raise SettingError("--workers and --ray go with folds; --lookahead plays here")
    names: Sequence[str | None] = arguments.models or [None]
    found = False
    for name in names:
        change = {} if name is None else {"model": name, "policy": None}
        own = settings.model_copy(update=change)
        source = open_source(own, choose_policy(own, arguments.assume_schema).year_convention)
        found |= look_ahead(source, own, _fresh_policy(own, arguments.assume_schema))
    return int(found)


def _fresh_policy(settings: Settings, assume_schema: int | None) -> PolicyMaker:
    """Makes the policy anew each time, so that none remembers an earlier run."""

    def make(source: ChainSource) -> Policy:
        return choose_policy(settings, assume_schema).policy

    return make
