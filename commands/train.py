"""`run.py train`: a PPO model of one's own, judged against the baselines, with its card."""

import argparse
import statistics
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from commands.market_data import open_source
from commands.options import add_settings
from commands.run_folder import new_run_folder, write_config
from commands.run_log import RunLog
from commands.screen import progress, say
from commands.workers import add_workers
from errors import SettingError
from feeds.source import ChainSource
from models.card import ModelCard
from models.model_folder import TRAINED_FOLDER
from models.trials import record_trial
from settings import SIMULATED, Settings, TrainingSettings

FLAGS = ("data", "start", "end", "capital", "contracts", "seed", "out")
OTHER_MARKET_SESSIONS = 400
CURVES = "curves.png"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `train`."""
    add_settings(parser, FLAGS)
    parser.add_argument("--name", default="mine", help="name of the model (default mine)")
    for name in ("steps", "seeds"):
        field = TrainingSettings.model_fields[name]
        parser.add_argument(
            f"--{name}",
            dest="assignments",
            action="append",
            type=f"training.{name}={{}}".format,
            metavar="N",
            help=f"{field.description} (default {field.default})",
        )
    parser.add_argument(
        "--search",
        type=int,
        metavar="N",
        help="first try N configurations on folds without the held-out sessions, take the best",
    )
    add_workers(parser)


def main(arguments: argparse.Namespace, settings: Settings) -> int:
    """Train, choose, judge and save; 0 when models/trained/NAME is written.

    Raises `SettingError` for a name that is no folder's name.
    """
    name = arguments.name
    if not name.replace("-", "").replace("_", "").isalnum():
        raise SettingError(f"--name {name}: use letters, digits, - and _")
    if arguments.search is None and (arguments.workers is not None or arguments.ray is not None):
        raise SettingError("--workers and --ray go with --search; the training itself is one task")
    run_folder = new_run_folder(settings, "train", name)
    folder = TRAINED_FOLDER / name
    with RunLog(run_folder / "log.jsonl", go_on=True):
        if arguments.search is not None:
            from commands.searching import search_settings

            settings = search_settings(arguments, _sources(settings)[0], settings, run_folder)
        write_config(run_folder, settings)
        _train(settings, name, folder, run_folder)
    say(f"model: {folder}; curves: {folder / CURVES}; TensorBoard: --logdir {run_folder}")
    return 0


def _train(settings: Settings, name: str, folder: Path, run_folder: Path) -> None:
    from models.training import train
    from models.training_curves import draw_training

    source, elsewhere = _sources(settings)
    with _Bars() as bars:
        result = train(
            source, settings, name, folder, logs=run_folder, elsewhere=elsewhere, tell=bars.tell
        )
    draw_training(result, settings, folder / CURVES)
    _record(result.card, [report.seed for report in result.seeds])
    means = [report.metrics["mean_less_delta"] for report in result.seeds]
    say(
        f"kept seed {result.chosen.seed} of {len(means)}: less delta {means[0]:.2f} dollars a "
        f"validation session, median {statistics.median(means):.2f}, worst {means[-1]:.2f}"
    )
    for label, evaluation in result.card.evaluations.items():
        days = evaluation.days
        say(f"{label}: {days.count} sessions, {days.first} to {days.last}, {days.source}")
        _say_table(evaluation.metrics)


def _record(card: ModelCard, seeds: Sequence[int]) -> None:
    """Count every seed: the best of them is kept, so each one was a try."""
    training = card.training
    assert training is not None
    plain = card.model_dump(mode="json", include={"rules", "risk", "capital", "contracts"})
    for seed in seeds:
        configuration = plain | {
            "training": dict(training.hyper_parameters),
            "days": [training.days.source, training.days.sha256],
            "seed": seed,
        }
        record_trial(TRAINED_FOLDER, "train", card.name, configuration, float("nan"))


def _sources(settings: Settings) -> tuple[ChainSource, dict[str, ChainSource]]:
    """What to train on, and what else to judge on: a simulated market of another seed."""
    training, convention = settings.training, settings.market.year_convention
    sessions = {"sessions": training.sessions + training.held_out}
    source = open_source(settings.model_copy(update=sessions), convention)
    if settings.data != SIMULATED:
        return source, {}
    other = {"seed": settings.seed + 1, "sessions": OTHER_MARKET_SESSIONS}
    return source, {"another market": open_source(settings.model_copy(update=other), convention)}


def _say_table(rows: Mapping[str, Mapping[str, float | None]]) -> None:
    """Dollars a session with their standard errors, one line a policy."""
    say(f"{'policy':<34}{'trades':>8}{'net P&L':>20}{'less delta':>20}{'worst':>10}")
    for policy, row in rows.items():
        mean = f"{row['mean']:.2f} +- {row['standard_error']:.2f}"
        steady = f"{row['mean_less_delta']:.2f} +- {row['standard_error_less_delta']:.2f}"
        say(f"{policy:<34}{row['trades']:>8.0f}{mean:>20}{steady:>20}{row['worst_session']:>10.0f}")


class _Bars:
    """One progress bar after the other, a new one for each thing that is told of."""

    def __enter__(self) -> "_Bars":
        self._stack, self._what, self._done = ExitStack(), "", 0
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def tell(self, what: str, done: int, total: int) -> None:
        """Show that `done` of `total` are done."""
        if what != self._what:
            self._stack.close()
            self._advance = self._stack.enter_context(progress(what, total))
            self._what, self._done = what, 0
        for _ in range(done - self._done):
            self._advance()
        self._done = done
