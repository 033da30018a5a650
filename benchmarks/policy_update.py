"""What the offline update does to a policy, and which updates the checks let through.

Run `python benchmarks/policy_update.py [SEEDS]`; 2 seeds by default. Each seed is a simulated
market of its own: a scripted person answers suggestions of the bundled model and random ones (1
decision in 30) on its first sessions, the policy is updated from the first 80 % of these answers
and judged on the rest and on later sessions. The contrarian says y where the aligned person says n.

`without leash` is the same update with neither KL term nor stop: what the leash is there for.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np  # after the number of threads is set
import pandas as pd

from commands.rlhf_evidence import contest, policy_agreement
from feeds.simulation import SimulatedMarket
from feeds.simulation.market import default_sessions
from models.feedback.dataset import typed
from models.feedback.people import PEOPLE, Person
from models.feedback.preferences import Labels, labels_of
from models.feedback.promotion import Outcome, Predictions, promotion_checks, verdict
from models.feedback.stream import ExploringPolicy, play_stream
from models.feedback.update import Update, UpdateTerms, margins, replay_states, update_policy
from models.model_folder import LoadedModel, load_policy
from models.playback import play
from models.policy_network import NetworkPolicy
from models.session_arrays import SessionArrays, read_sessions
from settings import Settings

SEEDS, FIRST_SEED = 2, 301
EXPLORES = 1 / 30
ANSWER_SESSIONS, UNSEEN_SESSIONS = 230, 300
ANSWERS = 250
ADVERSARY = Person(
    "contrarian",
    lambda time, iv, action, answered: 1 - PEOPLE["aligned"].taste(time, iv, action, answered),
)
JUDGED = (PEOPLE["aligned"], PEOPLE["biased"], PEOPLE["random"], ADVERSARY)
LEASHED, LOOSE = UpdateTerms(), UpdateTerms(eta=0.0, most_kl=np.inf)


def main() -> None:
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else SEEDS
    rows = [row for seed in range(FIRST_SEED, FIRST_SEED + seeds) for row in one_seed(seed)]
    table = pd.DataFrame(rows)
    with pd.option_context("display.width", 160, "display.max_columns", 20):
        print(table.round(3).to_string(index=False))
    leashed = table[table["update"] == "leashed"]
    promoted = leashed[leashed["verdict"] == "passed"]
    print(f"largest KL of a leashed update {leashed['kl'].max():.4f}")
    worse = int((promoted["lower"] <= -3).sum())
    print(f"promoted {len(promoted)}, of these worse in the backtest: {worse}")


def one_seed(seed: int) -> list[Mapping[str, object]]:
    """Every person on one market."""
    settings, parent = Settings(seed=seed), load_policy("bundled")
    sessions = default_sessions(ANSWER_SESSIONS + UNSEEN_SESSIONS)
    market = SimulatedMarket(sessions, seed=seed)
    first = read_sessions(market, settings, range(ANSWER_SESSIONS))
    later = range(ANSWER_SESSIONS, len(market.sessions))
    last = read_sessions(market, settings, later, hedge=True)
    return [row for person in JUDGED for row in _person(person, parent, first, last, settings)]


def _person(
    person: Person,
    parent: LoadedModel,
    first: SessionArrays,
    last: SessionArrays,
    settings: Settings,
) -> list[Mapping[str, object]]:
    labels = _labels(person, parent, first, settings)
    count = round(0.8 * len(labels))
    known, judging = labels.part(slice(None, count)), labels.part(slice(count, None))
    replay = replay_states(play(parent.policy, last, settings).decisions)
    rows = []
    for name, terms in (("leashed", LEASHED), ("without leash", LOOSE)):
        done = update_policy(
            parent.policy.network, known, replay, constants=parent.card.standardisation, terms=terms
        )
        rows.append(
            {"person": person.name, "seed": settings.seed, "answers": len(labels), "update": name}
            | _judged(done, judging, parent, last, settings)
        )
    return rows


def _judged(
    done: Update, judging: Labels, parent: LoadedModel, last: SessionArrays, settings: Settings
) -> Mapping[str, object]:
    candidate = NetworkPolicy("updated", done.network)
    held = contest(parent.policy, candidate, last, settings).figures
    asked = judging.features, judging.action, judging.said, judging.weight
    agreed = policy_agreement(parent.policy, candidate, *asked)
    score = margins(done.network, judging.features, judging.action)
    predictions = Predictions(score, False, judging.said)
    checks = promotion_checks(predictions, agreed, held)
    before = Predictions(
        margins(parent.policy.network, judging.features, judging.action), False, judging.said
    )
    refused = [check.name for check in checks if check.outcome is not Outcome.PASSED]
    return {
        "kl": done.kl,
        "AUC before": before.foretold.auc,
        "AUC after": predictions.foretold.auc,
        "rate": held.suggestions[1] / max(held.suggestions[0], 1e-9),
        "difference": held.mean,
        "lower": held.lower,
        "verdict": str(verdict(checks)),
        "held back by": ", ".join(refused),
    }


def _labels(
    person: Person, parent: LoadedModel, arrays: SessionArrays, settings: Settings
) -> Labels:
    """The person's first `ANSWERS` y and n, as a feedback table would hold them."""
    policy = ExploringPolicy(parent.policy, EXPLORES, settings.seed)
    stream = play_stream(
        policy,
        arrays,
        settings,
        lambda features, action: person.answer(features, action, 0, settings.seed),
    )
    rows = stream.rows.assign(source="mock", weight=1.0, model_sha256=parent.sha256)
    labels = labels_of(typed(rows.to_dict("records"))).labels
    return labels.part(slice(None, ANSWERS))


if __name__ == "__main__":
    main()
