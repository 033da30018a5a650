"""From what was learned to the figures of a report, and what `--status` says."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from commands.policies import ChosenPolicy
from commands.rlhf_answers import Feedback
from commands.rlhf_learning import GateResult, PolicyResult, line_of
from desk.human import mean_of
from feeds.sessions import FULL_DAY_MINUTES
from models.evaluation import selling_probability
from models.feedback.gate_card import GateCard
from models.feedback.rolling import calibration
from reports.feedback import (
    AnswerCurve,
    BeforeAfter,
    CalibrationPoint,
    CheckRow,
    DecisionMap,
    Earned,
    FeedbackFigures,
)
from settings import Settings
from strategies.features import feature_vector, risk_score
from vocabulary import Action, Answer, Moment, Policy

if TYPE_CHECKING:
    import pandas as pd

    from models.feedback.learning import GateReport

Floats = npt.NDArray[np.float64]

MINUTES = np.arange(30.0, 361.0, 5.0)
EDGES_MINUTES = np.array([30.0, 90.0, 150.0, 210.0, 270.0, 360.0])
FIELDS = 5
"""Fields of volatility in the person's map."""


def report_figures(
    feedback: Feedback,
    gate: GateResult,
    policy: PolicyResult,
    chosen: ChosenPolicy,
    settings: Settings,
    rules: Sequence[str],
) -> FeedbackFigures:
    """Everything the page tells."""
    report = gate.report
    return FeedbackFigures(
        model=chosen.policy.name,
        sha256=chosen.sha256,
        verdict=verdict_line(gate, policy),
        answers=report.answers,
        yes=report.yes,
        sources=sources(report.table),
        curve=_curve(report, gate.card),
        calibration=[
            CalibrationPoint(*one)
            for one in (calibration(report.foretold) if len(report.foretold) else [])
        ],
        map=decision_map(report.table, gate.card, chosen, settings),
        earned=earned(report.table, gate.card.tau),
        contests=_contests(gate, policy),
        checks=_checks(gate, policy),
        lineage=[one.line for one in line_of(chosen)],
        rules=rules,
        learning=[(*point,) for point in report.curve],
        notes=list(
            dict.fromkeys((*feedback.notes, *report.notes, *policy.notes, *_cautions(gate, policy)))
        ),
    )


def verdict_line(gate: GateResult, policy: PolicyResult) -> str:
    """Where gate and policy stand, in one or two sentences."""
    card, promotion = gate.card, gate.promotion
    held = f" ({card.why})" if card.why else ""
    told = f"The gate is set to {card.mode}{held}."
    if promotion.status != "refused" and card.mode != "veto":
        told += f" As a candidate it is in the {promotion.line.removeprefix('gate ')}."
    return (
        f"{told} The policy is unchanged: {policy.why}."
        if policy.folder is None
        else (f"{told} An updated policy is in {policy.folder}: {policy.why}.")
    )


def sources(table: "pd.DataFrame") -> list[tuple[str, int, int]]:
    """Answers of y or n by source: how many, how many y."""
    said = table[table["response"].isin([Answer.YES.value, Answer.NO.value])]
    return [
        (str(name), len(rows), int((rows["response"] == Answer.YES.value).sum()))
        for name, rows in said.groupby("source")
    ]


def _curve(report: "GateReport", card: GateCard) -> AnswerCurve | None:
    foretold = report.foretold
    said = report.table[report.table["response"].isin([Answer.YES.value, Answer.NO.value])]
    yes = (said["response"] == Answer.YES.value).to_numpy(bool)
    if len(yes) < len(foretold):
        return None
    probability = np.full(len(yes), np.nan)
    probability[len(yes) - len(foretold) :] = foretold.probability
    return AnswerCurve(yes, probability, card.tau)


def earned(table: "pd.DataFrame", tau: float) -> list[Earned]:
    """Executed, refused and vetoed suggestions in dollars, kinds without an outcome left out."""
    shown, real = table["shown"].to_numpy(bool), table["pnl"].to_numpy(float)
    shadow, response = table["shadow_pnl"].to_numpy(float), table["response"]
    yes = (response == Answer.YES.value).to_numpy(bool)
    executed = yes & np.isfinite(real)
    kinds: list[tuple[str, npt.NDArray[np.bool_], Floats, bool]] = [
        ("executed", executed, real, True),
        ("said y, not executed", yes & ~executed, shadow, False),
        ("refused", (response == Answer.NO.value).to_numpy(bool), shadow, False),
        ("vetoed by the gate", ~shown, shadow, False),
    ]
    doubted = table["p_then"].to_numpy(float) < tau
    kinds.append(("shown, and below the gate's threshold", shown & doubted, shadow, False))
    found = []
    for name, which, dollars, is_real in kinds:
        mean = mean_of(dollars[which])
        if mean.n:
            found.append(Earned(name, mean.n, mean.mean, mean.total, mean.interval, is_real))
    return found


def decision_map(
    table: "pd.DataFrame", card: GateCard, chosen: ChosenPolicy, settings: Settings
) -> DecisionMap:
    """Policy, gate and person by time and volatility, over the range that was asked about."""
    said = table[table["response"].isin([Answer.YES.value, Answer.NO.value])]
    iv = said["feature_atm_iv"].to_numpy(float)
    low, high = (float(np.nanquantile(iv, q)) for q in (0.0, 1.0))
    margin = max(0.15 * (high - low), 0.01)
    low, high = max(low - margin, 0.02), high + margin
    volatilities = np.linspace(low, high, 60)
    edges = np.linspace(low, high, FIELDS + 1)
    minutes = FULL_DAY_MINUTES * said["feature_minutes_since_open"].to_numpy(float)
    yes = (said["response"] == Answer.YES.value).to_numpy(float)
    bins = [EDGES_MINUTES, edges]
    grid = MINUTES.tolist(), volatilities.tolist()
    return DecisionMap(
        minutes=MINUTES,
        volatilities=volatilities,
        policy=selling_probability(chosen.policy, settings, *grid),
        gate=_gate_map(card, chosen.policy, settings, volatilities),
        edges_minutes=EDGES_MINUTES,
        edges_volatility=edges,
        yes=np.histogram2d(minutes, iv, bins, weights=yes)[0],
        answers=np.histogram2d(minutes, iv, bins)[0],
        tau=card.tau,
    )


def _gate_map(card: GateCard, policy: Policy, settings: Settings, volatilities: Floats) -> Floats:
    """[T, V] probability of y to the sale that the policy wants more, of a flat desk."""
    since, iv = np.meshgrid(MINUTES, volatilities, indexing="ij")
    nothing = np.zeros(since.shape)
    risk = risk_score(nothing, since, iv, settings.risk)
    features = feature_vector(
        since, nothing + 650.0, iv, nothing, nothing, nothing, risk, FULL_DAY_MINUTES - since
    )
    mask = np.zeros((*since.shape, policy.actions), bool)
    mask[..., : Action.SELL_PUT + 1] = True
    chances = policy.probabilities(Moment(features, mask, nothing, nothing, since, nothing))
    sales = chances[..., Action.SELL_CALL : Action.SELL_PUT + 1]
    return card.acceptance.probability(features, sales.argmax(axis=-1) + Action.SELL_CALL)


def _contests(gate: GateResult, policy: PolicyResult) -> list[BeforeAfter]:
    named = (
        ("Behind the gate, as answered by a person like yours", gate.contest),
        ("Updated policy, every suggestion executed", policy.contest),
    )
    found = []
    for name, one in named:
        if one is None:
            continue
        f = one.figures
        sentence = (
            f"{name}: {f.sessions} held-out sessions, {f.mean:+.2f} dollars a session less delta, "
            f"at 90 % above {f.lower:+.2f}."
            if f.sessions
            else f"{name}: no held-out session to play."
        )
        found.append(BeforeAfter(name, one.dates, one.before, one.after, sentence))
    return found


def _checks(gate: GateResult, policy: PolicyResult) -> list[CheckRow]:
    named = (("gate", gate.checks), ("policy", policy.checks))
    return [
        CheckRow(candidate, one.name, str(one.outcome), one.why)
        for candidate, checks in named
        for one in checks
    ]


def _cautions(gate: GateResult, policy: PolicyResult) -> Iterator[str]:
    if gate.contest.figures.sessions:
        yield (
            "Before and after of the gate are played with the person the fit describes; where the "
            "fit is wrong, so are they."
        )
    if gate.report.answers < 100:
        yield "With fewer than 100 answers shares move by ten points and more by chance."


def status_lines(
    feedback: Feedback, report: "GateReport", promotions: Sequence[str]
) -> Iterator[str]:
    """What was answered and where, where person and model agree, what more answers would buy."""
    from models.feedback import status

    files = ", ".join(map(str, feedback.files))
    yield f"{report.answers} answers of y or n, {report.yes} y, in {files}"
    for name, n, yes in sources(report.table):
        yield f"  {name}: {n} answers, {yes} y"
    if feedback.comparisons:
        yield f"  comparisons of reviews: {len(feedback.comparisons)}"
    asked, alike = feedback.repeats
    if asked:
        yield f"  repeated questions of reviews: {alike} of {asked} answered alike"
    yield from status.status_lines(report)
    yield from promotions
    yield from (f"note: {note}" for note in feedback.notes)
