"""From sessions to a trained model in its folder: split, train some seeds, choose, judge, save.

About one seed in five fails (docs/models.md), so several are trained and the one that does best
on validation sessions is kept. Nobody looks at the held-out sessions before that choice is made;
what the model and each baseline earn there is in its card.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from errors import DataError
from feeds.source import ChainSource
from models.card import (
    ACTION_NAMES,
    EvaluationRecord,
    ModelCard,
    SessionDays,
    Standardisation,
    TrainingRecord,
)
from models.evaluation import Metrics, compare, metrics
from models.model_folder import save_model
from models.playback import play
from models.ppo_training import TrainedSeed, measure_features, train_seed
from models.session_arrays import SessionArrays, read_sessions
from settings import Settings, TrainingSettings
from vocabulary import Policy

PURGE = 1
"""Sessions left out between two parts; features do not look further back than the open."""

REWARD = "change of liquidation value at the ask after fees / 100"
_LIBRARIES = ("gymnasium", "numpy", "sb3-contrib", "stable-baselines3", "torch")

HELD_OUT = "held out"
"""Label of the last sessions of the source among the card's evaluations."""

Tell = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done, and of how much."""


class Split(NamedTuple):
    """Indices of sessions: to train on, to choose by, to judge on."""

    training: range
    validation: range
    held_out: range


@dataclass(frozen=True)
class SeedReport:
    """How a seed did on the validation sessions."""

    seed: int
    metrics: Metrics


@dataclass(frozen=True, eq=False)
class TrainingResult:
    """A finished training.

    Attributes:
        chosen: the kept seed with its policy and curve.
        seeds: all of them, best first.
        everyone: every trained seed, for the curves.
        card: as saved.
        sha256: of the saved zip.
    """

    chosen: TrainedSeed
    seeds: list[SeedReport]
    everyone: list[TrainedSeed]
    card: ModelCard
    sha256: str


def split_sessions(count: int, training: TrainingSettings) -> Split:
    """Split `count` sessions in time: training, validation, held out, with a gap of one between.

    Raises `DataError` where a part would be empty.
    """
    end = count - training.held_out - PURGE
    chosen_by = round(end * training.validation)
    split = Split(
        range(end - chosen_by - PURGE), range(end - chosen_by, end), range(end + PURGE, count)
    )
    if not all(split):
        raise DataError(
            f"{count} sessions are too few to train, choose and judge on: "
            f"{training.held_out} are held out (training.held_out)"
        )
    return split


def train(
    source: ChainSource,
    settings: Settings,
    name: str,
    folder: Path,
    *,
    logs: Path,
    elsewhere: Mapping[str, ChainSource] | None = None,
    tell: Tell = lambda what, done, total: None,
) -> TrainingResult:
    """Train a model and save it in `folder`; equal arguments give equal files on one machine.

    Args:
        source: sessions, oldest first; the last `training.held_out` are only judged on.
        settings: rules, fills, capital and `settings.training`. Seeds count from `settings.seed`.
        name: what journals and reports will call the model.
        folder: where policy.zip, policy.npz and card.json go.
        logs: where TensorBoard's files go, a folder a seed.
        elsewhere: further sources to judge on, by label.
        tell: follows the progress.

    Raises `DataError` where there are too few sessions or none can be read.
    """
    split = split_sessions(len(source.sessions), settings.training)
    training = _read(source, settings, split.training, "training", tell)
    validation = _read(source, settings, split.validation, "validation", tell)
    standardisation = measure_features(training, settings, settings.seed)
    card = blank_card(name, settings)
    everyone = _train_seeds(training, validation, settings, standardisation, card, logs, tell)
    seeds = sorted(
        (SeedReport(t.seed, metrics(play(t.policy, validation, settings))) for t in everyone),
        key=lambda report: -report.metrics["mean_less_delta"],
    )
    chosen = next(trained for trained in everyone if trained.seed == seeds[0].seed)
    judged_on = {HELD_OUT: _read(source, settings, split.held_out, HELD_OUT, tell)}
    for label, other in (elsewhere or {}).items():
        judged_on[label] = _read(other, settings, None, label, tell)
    records = {
        "training": _training_record(training, validation, settings, chosen.seed),
        "evaluations": {
            label: _evaluation_record(arrays, chosen.policy, settings)
            for label, arrays in judged_on.items()
        },
    }
    card = card.model_copy(update=records)
    sha256 = save_model(folder, chosen.model, standardisation, card)
    return TrainingResult(chosen, seeds, everyone, card, sha256)


def _train_seeds(
    training: SessionArrays,
    validation: SessionArrays,
    settings: Settings,
    standardisation: Standardisation,
    card: ModelCard,
    logs: Path,
    tell: Tell,
) -> list[TrainedSeed]:
    def judge(policy: Policy) -> float:
        return metrics(play(policy, validation, settings))["mean_less_delta"]

    return [
        train_seed(
            training,
            settings,
            standardisation,
            card,
            seed,
            judge=judge,
            logs=logs / f"seed_{seed}",
            progress=partial(tell, f"seed {seed}"),
        )
        for seed in range(settings.seed, settings.seed + settings.training.seeds)
    ]


def _read(
    source: ChainSource, settings: Settings, part: range | None, what: str, tell: Tell
) -> SessionArrays:
    progress = partial(tell, f"reading: {what}")
    return read_sessions(source, settings, part, hedge=True, progress=progress)


def blank_card(name: str, settings: Settings) -> ModelCard:
    """The card of a model that is trained under `settings`, before anything is known of it."""
    return ModelCard(
        name=name,
        kind="maskable_ppo",
        actions=ACTION_NAMES[: settings.training.actions],
        risk=settings.risk,
        rules=settings.rules,
        capital=settings.capital,
        contracts=settings.contracts,
        year_convention=settings.market.year_convention,
    )


def _training_record(
    training: SessionArrays, validation: SessionArrays, settings: Settings, seed: int
) -> TrainingRecord:
    first, count = settings.seed, settings.training.seeds
    plain = settings.training.model_dump()
    shown = {key: str(v) if isinstance(v, tuple) else v for key, v in plain.items()}
    return TrainingRecord(
        days=_days(training),
        validation=_days(validation),
        reward=REWARD + (", less delta x move of the underlying" if plain["hedge"] else ""),
        seed=seed,
        seeds=tuple(range(first, first + count)),
        steps=settings.training.steps,
        hyper_parameters=shown,
        library_versions={library: version(library) for library in _LIBRARIES},
    )


def _evaluation_record(
    arrays: SessionArrays, policy: Policy, settings: Settings
) -> EvaluationRecord:
    figures = compare([policy], arrays, settings)
    plain = {name: dict[str, float | None](row) for name, row in figures.items()}
    return EvaluationRecord(days=_days(arrays), metrics=plain)


def _days(arrays: SessionArrays) -> SessionDays:
    return SessionDays.of(arrays.label, [session.date for session in arrays.sessions])
