"""What a gate learned from a scripted person's answers does to suggestions on unseen sessions.

Run `python benchmarks/feedback.py [SEEDS] [JOBS]`; 10 seeds and 1 process by default. Each seed is
a simulated market of its own: on its first sessions the person answers what the desk would show,
from the first 25 and the first 100 y and n a gate is learned, and on the last sessions, which
nobody has looked at, the same person is asked with and without that gate.

Suggestions are those of the bundled model, plus a random legal sale at 1 decision in 400: the model
alone sells in so few states that a person's taste could hardly be seen. The gate vetoes at
tau = 0.5 with 10 % of its windows probed; probes are not counted as shown.
"""

import os
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np  # after the number of threads is set
import pandas as pd
from scipy.stats import t as student

from feeds.simulation import SimulatedMarket
from feeds.simulation.market import default_sessions
from models.feedback.acceptance import fit_acceptance
from models.feedback.answers import Answers, answers_of
from models.feedback.dataset import combined, typed, weight_of
from models.feedback.evidence import judged_rows, veto_share
from models.feedback.gate import Gate
from models.feedback.learning import GateTerms, luck, off_reason
from models.feedback.people import DRIFTS_AFTER, PEOPLE, Person
from models.feedback.rolling import choose
from models.feedback.stream import ExploringPolicy, Stream, play_stream
from models.model_folder import load_policy
from models.session_arrays import SessionArrays, read_sessions
from settings import Settings
from vocabulary import Answer, Policy

SEEDS, FIRST_SEED = 10, 201
EXPLORES = 1 / 400
ANSWER_SESSIONS, UNSEEN_SESSIONS = 200, 520
NUMBERS = (25, 100)
PLAYED = ("biased", "aligned")
"""People whose gate is played even where it may not veto; of the others it changes nothing."""
TAU = 0.5
REFIT, DRIFT_ANSWERS = 10, 120
DRIFT_PARTS = {"-30 to 0": (-30, 0), "0 to 30": (0, 30), "30 to 60": (30, 60), "60 on": (60, 10**9)}


@dataclass(frozen=True)
class Figures:
    """What a person saw and took, on D sessions."""

    asked: int
    accepted: float
    taken: float
    probes: int
    dollars: float


@dataclass(frozen=True)
class _Learned:
    """A gate, why it may not veto, and its kind of fit."""

    gate: Gate | None
    why: str
    kind: str


def main() -> None:
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else SEEDS
    jobs = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    numbers = range(FIRST_SEED, FIRST_SEED + seeds)
    if jobs == 1:
        found = [one_seed(seed) for seed in numbers]
    else:
        with ProcessPoolExecutor(jobs) as pool:
            found = list(pool.map(one_seed, numbers))
    _print(pd.concat(found, ignore_index=True))


def one_seed(seed: int) -> pd.DataFrame:
    """All people on one market."""
    settings = Settings(seed=seed)
    policy = ExploringPolicy(load_policy("bundled").policy, EXPLORES, seed)
    sessions = default_sessions(ANSWER_SESSIONS + UNSEEN_SESSIONS)
    market = SimulatedMarket(sessions, seed=seed)
    count = len(market.sessions)
    first = read_sessions(market, settings, range(ANSWER_SESSIONS))
    last = read_sessions(market, settings, range(ANSWER_SESSIONS, count))
    rows = []
    for name in ("biased", "aligned", "random", "always_yes", "always_no"):
        rows += _person(PEOPLE[name], policy, first, last, settings)
    rows.append(_drift(policy, market, settings))
    print(f"seed {seed} done", file=sys.stderr, flush=True)
    return pd.DataFrame(rows).assign(seed=seed)


def _person(
    person: Person, policy: Policy, first: SessionArrays, last: SessionArrays, settings: Settings
) -> list[dict[str, object]]:
    said = _table(play_stream(policy, first, settings, _says(person, settings.seed)))
    answers = answers_of(said)
    play = partial(play_stream, policy, last, settings)
    before = _figures(play(_says(person, settings.seed + 1000)))
    rows = [_row(person.name, 0, before, before, _Learned(None, "no answers", "none"))]
    for number in NUMBERS:
        learned = _learned(answers.first(number), said, settings.seed)
        after = before
        if learned.gate is not None and (person.name in PLAYED or not learned.why):
            after = _figures(play(_says(person, settings.seed + 1000), learned.gate))
        rows.append(_row(person.name, number, after, before, learned))
    return rows


def _learned(answers: Answers, said: pd.DataFrame, seed: int) -> _Learned:
    """The gate of so many answers at `TAU`, and what keeps it from vetoing on its own."""
    if not answers.smaller_class:
        return _Learned(None, "one class", "none")
    candidate, foretold = choose(answers)
    model, terms = fit_acceptance(answers, candidate.kind, candidate.half_life), GateTerms()
    share = veto_share(judged_rows(said, model, answers, foretold), TAU)
    why = off_reason(answers, foretold, share, terms) or luck(answers, foretold, terms)
    gate = Gate("benchmark", model, "veto", TAU, seed=seed)
    return _Learned(gate, why, candidate.kind)


def _drift(policy: Policy, market: SimulatedMarket, settings: Settings) -> dict[str, object]:
    """The person who changes after `DRIFTS_AFTER` answers, a gate learned anew every `REFIT`.

    The share of y among what was shown, by the number of the answer since the change.
    """
    person, table, gate = PEOPLE["drifting"], typed([]), None
    seen: list[tuple[int, bool]] = []
    answered = learned = 0
    for place in range(ANSWER_SESSIONS + UNSEEN_SESSIONS):
        arrays = read_sessions(market, settings, [place])
        says = _says(person, settings.seed, answered)
        stream = play_stream(policy, arrays, settings, says, gate)
        if stream.rows.empty:
            continue
        rows = _table(stream).assign(session_id=str(place))
        said = rows[rows["response"].isin([Answer.YES, Answer.NO, Answer.SKIP])]
        for number, (response, probe) in enumerate(
            zip(said["response"], said["probe"], strict=True)
        ):
            if response != Answer.SKIP and not probe:
                seen.append((answered + number - DRIFTS_AFTER, response == Answer.YES))
        answered += len(said)
        table = combined([table, rows])
        if answered - learned >= REFIT:
            learned = answered
            gate = _learned(answers_of(table), table, settings.seed).gate
        if answered >= DRIFTS_AFTER + DRIFT_ANSWERS:
            break
    return {"person": "drifting", "answers": 0, **_since_change(seen)}


def _since_change(seen: list[tuple[int, bool]]) -> dict[str, float]:
    number, yes = np.array([one[0] for one in seen]), np.array([one[1] for one in seen])
    return {
        name: float(yes[(number >= low) & (number < high)].mean())
        for name, (low, high) in DRIFT_PARTS.items()
    }


def _says(person: Person, seed: int, answered: int = 0) -> Callable[..., Answer]:
    """The person, who counts answers from `answered` on (y, n and skip)."""
    count = answered

    def says(features: np.ndarray, action: int) -> Answer:
        nonlocal count
        said = person.answer(features, action, count, seed)
        count += said != Answer.TIMEOUT
        return said

    return says


def _table(stream: Stream) -> pd.DataFrame:
    """The feedback table of a stream; probes count as `dataset.weight_of` says."""
    rows = stream.rows
    weights = [weight_of("mock", float(chance)) for chance in rows["show_probability"]]
    return typed(rows.assign(mode="mock", source="mock", weight=weights).to_dict("records"))


def _figures(stream: Stream) -> Figures:
    rows = stream.rows[stream.rows["shown"]]
    own, sessions = rows[~rows["probe"]], len(stream.net_pnl)
    yes, no = (int((own["response"] == said).sum()) for said in (Answer.YES, Answer.NO))
    return Figures(
        asked=len(own),
        accepted=yes / (yes + no) if yes + no else float("nan"),
        taken=yes / sessions,
        probes=int(rows["probe"].sum()),
        dollars=float(stream.net_pnl.mean()),
    )


def _row(
    name: str, answers: int, after: Figures, before: Figures, learned: _Learned
) -> dict[str, object]:
    return {
        "person": name,
        "answers": answers,
        "asked": before.asked,
        "shown": after.asked,
        "accepted": after.accepted,
        "kept": after.taken / before.taken if before.taken else float("nan"),
        "probes": after.probes,
        "dollars": after.dollars,
        "gain": after.dollars - before.dollars,
        "may_veto": not learned.why,
        "why": learned.why,
        "kind": learned.kind,
    }


def mean_and_bound(values: pd.Series) -> tuple[float, float]:
    """Mean over the seeds and its lower 95 % bound (one-sided, Student)."""
    known = values.dropna().to_numpy(float)
    if len(known) < 2:
        return float(known.mean()) if len(known) else float("nan"), float("nan")
    error = known.std(ddof=1) / np.sqrt(len(known))
    return float(known.mean()), float(known.mean() - student.ppf(0.95, len(known) - 1) * error)


def _print(found: pd.DataFrame) -> None:
    people = found[found["person"] != "drifting"]
    print(f"{found['seed'].nunique()} seeds; mean (lower 95 % bound); dollars a session")
    print("| person | answers | asked | shown | y of shown | y kept | probes | gain | may veto |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for (name, answers), rows in people.groupby(["person", "answers"], sort=False):
        accepted, kept, gain = (mean_and_bound(rows[what]) for what in ("accepted", "kept", "gain"))
        print(
            f"| {name} | {answers} | {rows['asked'].mean():.0f} | {rows['shown'].mean():.0f} "
            f"| {accepted[0]:.1%} ({accepted[1]:.1%}) | {kept[0]:.1%} ({kept[1]:.1%}) "
            f"| {rows['probes'].mean():.0f} | {gain[0]:+.2f} ({gain[1]:+.2f}) "
            f"| {int(rows['may_veto'].sum())} of {len(rows)} |"
        )
    for name in PLAYED:
        whys = people[(people["person"] == name) & (people["why"] != "") & (people["answers"] > 0)]
        for row in whys.itertuples():
            print(f"{name}, seed {row.seed}, {row.answers} answers: may not veto: {row.why}")
    fewest = people[people["person"].isin(PLAYED)].groupby("person")["asked"].min()
    print(f"fewest suggestions of a seed without a gate: {fewest.to_dict()}")
    drifting = found[found["person"] == "drifting"]
    print("\n| drifting: answers since the change | y of shown |")
    print("| --- | --- |")
    for name in DRIFT_PARTS:
        mean, bound = mean_and_bound(drifting[name])
        print(f"| {name} | {mean:.1%} ({bound:.1%}) |")


if __name__ == "__main__":
    main()
