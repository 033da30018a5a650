"""`run.py rlhf`: a person's answers become a gate, and with 200 of them an updated policy."""

import argparse
from pathlib import Path

from commands.options import add_settings
from commands.policies import ChosenPolicy, choose_policy
from commands.run_folder import new_run_folder, write_config
from commands.screen import say
from errors import ModelError, SettingError
from models.feedback.gate_card import GATE_NAME
from models.model_folder import TRAINED_FOLDER, find_model
from settings import Settings

FLAGS = ("data", "start", "end", "model", "capital", "contracts", "seed", "out")
WINDOWS = 20
PARQUET = "feedback.parquet"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `rlhf`."""
    add_settings(parser, FLAGS)
    place = parser.add_mutually_exclusive_group()
    place.add_argument(
        "--journal",
        type=Path,
        nargs="+",
        default=[],
        metavar="FILE",
        help="journals to learn from (default runs/journal.db and runs/review.db)",
    )
    place.add_argument(
        "--practice", action="store_true", help="runs/practice.db instead of runs/journal.db"
    )
    parser.add_argument(
        "--import",
        dest="imports",
        type=Path,
        nargs="+",
        default=[],
        metavar="FILE",
        help="suggestions_YYYYMMDD.jsonl of an earlier desk, too",
    )
    parser.add_argument(
        "--name",
        help="folder of models/trained to write to (default MODEL-learned, or the model's own "
        "where it has a gate)",
    )
    parser.add_argument(
        "--gate",
        choices=("auto", "off", "advise", "veto"),
        default="auto",
        help="what the gate may do once it is active; auto advises, and vetoes when vetoed trades "
        "have lost money for sure (default auto)",
    )
    parser.add_argument("--assume-schema", type=int, metavar="1", help="use a zip that has no card")
    doing = parser.add_mutually_exclusive_group()
    doing.add_argument(
        "--status", action="store_true", help="say where person and model agree; write nothing"
    )
    doing.add_argument(
        "--review",
        nargs="?",
        type=int,
        const=WINDOWS,
        metavar="N",
        help=f"answer N windows of past sessions (default {WINDOWS})",
    )


def main(arguments: argparse.Namespace, settings: Settings) -> int:
    """Learn, or show, or ask; 0 when done, also where nothing is promoted.

    Raises `DataError` where there are no answers, only y, only n, or answers of other models alone;
    `JournalError` for a file that is no journal; `ModelError` for a broken lineage.
    """
    if settings.policy is not None:
        raise SettingError("rlhf needs a model: a rule (--policy) does not learn")
    chosen = choose_policy(settings, arguments.assume_schema)
    for note in chosen.notes:
        say(f"note: {note}")
    if arguments.review is not None:
        return _review(arguments, settings, chosen)
    if arguments.status:
        return _status(arguments, settings, chosen)
    return _learn(arguments, settings, chosen)


def _review(arguments: argparse.Namespace, settings: Settings, chosen: ChosenPolicy) -> int:
    from commands.rlhf_review import review
    from desk.review_answers import REVIEWS

    if arguments.review < 1:
        raise SettingError(f"--review {arguments.review}: ask at least one window")
    if len(arguments.journal) > 1:
        raise SettingError("--review writes one journal: name one --journal, or none")
    review(settings, chosen, (arguments.journal or [REVIEWS])[0], arguments.review)
    return 0


def _status(arguments: argparse.Namespace, settings: Settings, chosen: ChosenPolicy) -> int:
    from commands.rlhf_answers import journals_of, read_feedback_of
    from commands.rlhf_learning import report_on, utc_now
    from commands.rlhf_report import status_lines
    from models.feedback.learning import GateTerms

    feedback = read_feedback_of(
        journals_of(arguments.journal, arguments.practice, settings), arguments.imports
    )
    terms = GateTerms(mode=arguments.gate, seed=settings.seed)
    report = report_on(feedback, chosen, terms, _folder(arguments, settings), utc_now())
    for line in status_lines(feedback, report, _promotions(TRAINED_FOLDER)):
        say(line)
    return 0


def _promotions(trained: Path) -> list[str]:
    """Where each gate and updated policy stands; one that cannot be read hides no other."""
    from models.feedback.promotion_state import read_promotion

    lines: list[str] = []
    for folder in sorted(path for path in trained.glob("*") if path.is_dir()):
        try:
            state = read_promotion(folder)
        except ModelError as error:
            lines.append(f"{folder.name}: {error}")
        else:
            lines += [] if state is None else [f"{folder.name}: {state.line}"]
    return lines


def _learn(arguments: argparse.Namespace, settings: Settings, chosen: ChosenPolicy) -> int:
    from commands import rlhf_learning as learning
    from commands.rlhf_answers import journals_of, read_feedback_of
    from commands.rlhf_evidence import held_out, judging_source
    from commands.rlhf_files import check_folder, keep_gate
    from commands.rlhf_report import report_figures, verdict_line
    from commands.rlhf_review import propose_rules
    from models.feedback.dataset import write_feedback
    from models.feedback.learning import GateTerms
    from models.feedback.promotion_state import write_promotion
    from reports.feedback_report import draw_feedback

    folder, now = _folder(arguments, settings), learning.utc_now()
    check_folder(folder, chosen)
    feedback = read_feedback_of(
        journals_of(arguments.journal, arguments.practice, settings), arguments.imports
    )
    own = find_model(settings.model).parent
    state = learning.policy_state(own, feedback, chosen.sha256)
    if state is not None:
        write_promotion(own, state)
        say(f"{own.name}: {state.line}")
    terms = GateTerms(mode=arguments.gate, seed=settings.seed)
    report = learning.learn(feedback, chosen, terms, folder, now)
    source = judging_source(settings, chosen)
    run_folder = new_run_folder(settings, "rlhf", folder.name)
    arrays = held_out(source, settings, chosen, feedback.days)
    gate = learning.judge_gate(report, feedback, chosen, arrays, settings, folder, now)
    policy = learning.update(feedback, chosen, arrays, settings, settings.model, folder.name, now)
    rules = propose_rules(report.table, source, arrays, chosen, settings, run_folder)
    write_feedback(feedback.table, run_folder / PARQUET)
    write_config(run_folder, settings)
    figures = report_figures(feedback, gate, policy, chosen, settings, rules)
    drawn = draw_feedback(run_folder, figures)
    keep_gate(folder, gate.card, gate.promotion, chosen, settings.model)
    for name, checks in (("gate", gate.checks), ("policy", policy.checks)):
        for check in checks:
            say(f"{name}: {check.line}")
    for line in (*rules, *(f"note: {note}" for note in figures.notes)):
        say(line)
    say(verdict_line(gate, policy))
    say(f"gate: {folder}; report: {drawn}")
    return 0


def _folder(arguments: argparse.Namespace, settings: Settings) -> Path:
    """The model's folder that is written to: its own where it has a gate already."""
    own = Path(settings.model).stem
    has_gate = (TRAINED_FOLDER / own / GATE_NAME).is_file()
    name = arguments.name or (own if has_gate else f"{own}-learned")
    if not name.replace("-", "").replace("_", "").isalnum():
        raise SettingError(f"--name {name}: use letters, digits, - and _")
    return TRAINED_FOLDER / name
