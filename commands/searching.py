"""`run.py train --search N`: the best of N configurations, found on folds alone."""

import argparse
import json
import os
from pathlib import Path

from commands.screen import progress, say
from commands.task_progress import task_progress
from commands.workers import open_workers
from errors import SettingError
from feeds.source import ChainSource
from models.fold_tasks import training_values
from models.model_folder import TRAINED_FOLDER
from models.search import SEARCH_FOLDS, SEARCH_SEEDS, Proposal, search
from models.session_arrays import SessionArrays, read_sessions
from models.tasks import TaskStore, context_of
from models.trials import record_trial
from models.walk_forward import expanding_folds
from settings import Settings

STEPS_SHARE = 4
"""A proposal is trained on the steps of the final training divided by this."""
SEARCH_NAME = "search.json"


def search_settings(
    arguments: argparse.Namespace, source: ChainSource, settings: Settings, folder: Path
) -> Settings:
    """The settings with the best training found; all proposals go to search.json of the run.

    Raises `SettingError` for less than one trial, `DataError` where the sessions are too few.
    """
    if arguments.search < 1:
        raise SettingError(f"--search {arguments.search}: at least one configuration must be tried")
    training = settings.training
    shorter = training.model_copy(update={"steps": max(1, training.steps // STEPS_SHARE)})
    with open_workers(arguments, folder) as workers:
        arrays = _without_held_out(source, settings)
        folds = expanding_folds(len(arrays), SEARCH_FOLDS)
        store = TaskStore(folder / "tasks", context_of(arrays, settings))
        say(
            f"search: {arguments.search} configurations x {SEARCH_FOLDS} folds x {SEARCH_SEEDS} "
            f"seeds, {shorter.steps:,} steps each; after a stop, go on with --out {folder}"
        )

        def tried(proposal: Proposal) -> None:
            _record(proposal, arrays, settings, arguments.name)

        with task_progress("search", arguments.search * SEARCH_FOLDS * SEARCH_SEEDS) as step:
            best, *others = search(
                arrays,
                shorter,
                folds,
                arguments.search,
                settings.seed,
                workers,
                store,
                tried,
                lambda task, was_kept: step(1, was_kept),
            )
    _write(folder, [best, *others])
    first = next(each for each in (best, *others) if each.number == 0)
    say(
        f"best of {arguments.search}: {best.score:.2f} dollars a session less delta on the folds "
        f"(as given: {first.score:.2f}); the best of many is flattered, the held-out sessions judge"
    )
    return settings.model_copy(
        update={"training": best.training.model_copy(update={"steps": training.steps})}
    )


def _without_held_out(source: ChainSource, settings: Settings) -> SessionArrays:
    """Everything before the held-out sessions and the gap to them."""
    from models.training import PURGE, split_sessions

    split = split_sessions(len(source.sessions), settings.training)
    end = split.held_out.start - PURGE
    with progress("reading sessions", end) as advance:
        return read_sessions(
            source, settings, range(end), hedge=True, progress=lambda *_: advance()
        )


def _record(proposal: Proposal, arrays: SessionArrays, settings: Settings, name: str) -> None:
    plain = settings.model_dump(mode="json", include={"rules", "risk", "capital", "contracts"})
    days = [arrays.label, arrays.sessions[0].date, arrays.sessions[-1].date]
    configuration = plain | {"training": training_values(proposal.training), "days": days}
    record_trial(TRAINED_FOLDER, "search", name, configuration, proposal.sharpe)


def _write(folder: Path, proposals: list[Proposal]) -> None:
    """search.json: best first, replaced at once."""
    rows = [
        {
            "number": each.number,
            "score": each.score,
            "sharpe_a_session": each.sharpe,
            "training": training_values(each.training),
        }
        for each in proposals
    ]
    partial = folder / f".{SEARCH_NAME}"
    partial.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    os.replace(partial, folder / SEARCH_NAME)
