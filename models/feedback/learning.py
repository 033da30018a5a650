"""From a feedback table to a gate: which fit, which threshold, and whether it may veto at all.

Every switch that turns a gate off says so in words. A gate that is off or advises is kept all the
same: its probabilities are journaled, and judge it later.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

import numpy as np
import pandas as pd

from errors import DataError
from models.feedback.acceptance import fit_acceptance
from models.feedback.answers import Answers, answers_of
from models.feedback.evidence import (
    FEWEST_SESSIONS,
    Between,
    CurvePoint,
    VetoEvidence,
    judged_rows,
    learning_curve,
    veto_evidence,
    veto_share,
)
from models.feedback.gate import PROBE_RATE, GateMode
from models.feedback.gate_card import GateCard, GateFigures
from models.feedback.preferences import as_reliable
from models.feedback.rolling import Candidate, Foretold, choose

GateChoice = Literal["auto", "off", "advise", "veto"]


@dataclass(frozen=True, slots=True)
class GateTerms:
    """What is asked of a gate.

    Args:
        mode: "auto" advises, and vetoes once the vetoed trades' shadows have lost money for sure;
            the others are a person's own choice.
        first_tau: threshold at first.
        tau: threshold from `tau_answers` answers and a rolling AUC of `tau_auc` on.
        fewest, fewest_each: answers, and answers of y and of n, that it takes.
        auc: rolling AUC that it takes.
        p_value, veto_each: what a veto takes besides: an AUC that is no luck, so many of each.
        veto_share: more than this share of windows is starvation.
        probe_rate: share of veto windows that is shown to learn.
        seed: of that draw.
    """

    mode: GateChoice = "auto"
    first_tau: float = 0.3
    tau: float = 0.5
    tau_answers: int = 50
    tau_auc: float = 0.65
    fewest: int = 10
    fewest_each: int = 3
    auc: float = 0.6
    p_value: float = 0.01
    veto_each: int = 5
    veto_share: float = 0.7
    probe_rate: float = PROBE_RATE
    seed: int = 0


@dataclass(frozen=True, eq=False)
class GateReport:
    """What was learned.

    Args:
        card: the gate, None where there is nothing to learn from.
        why: why there is none, it is off, or it only advises; empty for a gate that vetoes.
        answers, yes: how many there were, and how many y.
        candidate: the fit that was kept.
        foretold: how well answers were foretold.
        curve: what fewer answers would have been worth.
        evidence: shadows of what it would have vetoed.
        veto_share: share of veto windows it would keep back.
        table: the rows used, see `models.feedback.evidence.judged_rows`.
        notes: rows left out, and other things to know.
    """

    card: GateCard | None
    why: str
    answers: int
    yes: int
    candidate: Candidate | None
    foretold: Foretold
    curve: list[CurvePoint]
    evidence: VetoEvidence
    veto_share: float
    table: pd.DataFrame
    notes: list[str] = field(default_factory=list)


def learn_gate(
    table: pd.DataFrame,
    policy: str,
    policy_sha256: str,
    terms: GateTerms,
    between: Between,
    created: datetime,
    *,
    lineage: Collection[str] = (),
    former: GateCard | None = None,
    consistency: float | None = None,
) -> GateReport:
    """Learn a gate over a policy from the feedback `table`.

    Args:
        table: `models.feedback.dataset.feedback_table`, several of them combined.
        policy, policy_sha256: the policy's name, and the hash of its zip.
        terms: what is asked of it.
        between: interval of a mean, see `Between`.
        created: tz-aware.
        lineage: hashes of the policy's parents, whose answers count as well.
        former: the gate that is there now.
        consistency: share of a reviewer's repeated questions that were answered alike, None where
            it is not known; lowers what answers of reviews count.

    Raises `DataError` where there are answers, and all belong to other models.
    """
    rows, notes = _rows_of(table, {policy_sha256, "", *lineage}, policy)
    rows, doubts = as_reliable(rows, consistency)
    notes += doubts
    answers = answers_of(rows)
    if not answers.smaller_class:
        return _nothing(answers, rows, notes)
    candidate, foretold = choose(answers)
    acceptance = fit_acceptance(answers, candidate.kind, candidate.half_life)
    tau = threshold(len(answers), foretold.auc, terms)
    judged = judged_rows(rows, acceptance, answers, foretold)
    share = veto_share(judged, tau)
    evidence = veto_evidence(judged, tau, between)
    off = off_reason(answers, foretold, share, terms)
    mode, why = _mode(answers, foretold, evidence, off, terms)
    card = GateCard(
        policy=policy,
        policy_sha256=policy_sha256,
        mode=mode,
        why=why,
        tau=tau,
        probe_rate=terms.probe_rate,
        seed=terms.seed,
        acceptance=acceptance,
        figures=_figures(foretold, share),
        parent=None if former is None else former.version,
        created=created,
    )
    yes, curve = int(answers.yes.sum()), learning_curve(answers, candidate, tau)
    return GateReport(
        *(card, why, len(answers), yes, candidate, foretold, curve),
        *(evidence, share, judged, notes),
    )


def threshold(answers: int, rolling_auc: float, terms: GateTerms) -> float:
    """The probability below which a suggestion is vetoed: low until the model has shown itself."""
    grown = answers >= terms.tau_answers and rolling_auc >= terms.tau_auc
    return terms.tau if grown else terms.first_tau


def off_reason(answers: Answers, foretold: Foretold, share: float, terms: GateTerms) -> str:
    """Which switch turns the gate off, in words; empty where none does."""
    yes = int(answers.yes.sum())
    if len(answers) < terms.fewest:
        return f"{len(answers)} answers of y or n, and it takes {terms.fewest}"
    if answers.smaller_class < terms.fewest_each:
        return (
            f"{yes} y and {len(answers) - yes} n: it takes {terms.fewest_each} of each to tell "
            "them apart"
        )
    reached = foretold.auc
    if not reached >= terms.auc:
        known = f"AUC {reached:.2f}" if reached == reached else "no AUC yet"
        return f"it does not foretell the answers ({known}, and it takes {terms.auc:.2f})"
    if share > terms.veto_share:
        return (
            f"it would keep back {share:.0%} of the suggestions, more than {terms.veto_share:.0%}: "
            "nothing would be left to learn from; the policy is what should change"
        )
    return ""


def _rows_of(
    table: pd.DataFrame, hashes: Collection[str], policy: str
) -> tuple[pd.DataFrame, list[str]]:
    """The rows of the policy and its parents, and a note of others."""
    theirs = ~table["model_sha256"].fillna("").isin(list(hashes))
    others = int((theirs & table["response"].isin(["y", "n"])).sum())
    own = table[~theirs].reset_index(drop=True)
    if others and not own["response"].isin(["y", "n"]).any():
        names = sorted(table["model_sha256"][theirs].str[:12].unique())
        raise DataError(
            f"all {others} answers were given to another model ({', '.join(names)}), none to "
            f"{policy}: name that model, or the policy's parents"
        )
    note = f"{others} answers were given to another model and are left out"
    return own, [note] if others else []


def _nothing(answers: Answers, rows: pd.DataFrame, notes: list[str]) -> GateReport:
    yes = int(answers.yes.sum())
    why = "there is no answer of y or n yet"
    if len(answers):
        why = f"all {len(answers)} answers are {'y' if yes else 'n'}: nothing tells them apart"
    nobody = Foretold(np.empty(0), np.empty(0))
    nowhere = VetoEvidence(0, *[float("nan")] * 3)
    judged = judged_rows(rows, None, answers, nobody)
    return GateReport(
        *(None, why, len(answers), yes, None, nobody, []), *(nowhere, 0.0, judged, notes)
    )


def _mode(
    answers: Answers, foretold: Foretold, evidence: VetoEvidence, off: str, terms: GateTerms
) -> tuple[GateMode, str]:
    """What the gate may do, and what holds it back."""
    if terms.mode == "off":
        return "off", "it was switched off"
    if off:
        return "off", off
    if terms.mode == "advise":
        return "advise", "it was told to advise only"
    doubt = luck(answers, foretold, terms)
    if doubt:
        return "advise", doubt
    if terms.mode == "veto" or evidence.high < 0:
        return "veto", ""
    return "advise", _no_evidence(evidence)


def luck(answers: Answers, foretold: Foretold, terms: GateTerms) -> str:
    """Why a gate that foretells must not veto yet, in words; empty where it may."""
    if answers.smaller_class < terms.veto_each:
        return f"a veto takes {terms.veto_each} answers of y and of n"
    p_value = foretold.p_value()
    if p_value >= terms.p_value:
        return (
            f"its AUC of {foretold.auc:.2f} may be luck (p = {p_value:.3f}, a veto takes "
            f"{terms.p_value})"
        )
    return ""


def _no_evidence(evidence: VetoEvidence) -> str:
    if evidence.high != evidence.high:
        return (
            f"{evidence.sessions} sessions with suggestions it would have kept back: evidence for "
            f"a veto takes {FEWEST_SESSIONS}, or say veto yourself"
        )
    verdict = "a veto would have cost money" if evidence.low > 0 else "that is no loss for sure"
    return (
        f"what it would have kept back earned {evidence.mean:+.2f} dollars a session (90 %: "
        f"{evidence.low:+.2f} to {evidence.high:+.2f}): {verdict}"
    )


def _figures(foretold: Foretold, share: float) -> GateFigures:
    def known(value: float) -> float | None:
        return value if value == value else None

    has_auc = foretold.auc == foretold.auc
    return GateFigures(
        foretold=len(foretold),
        auc=known(foretold.auc),
        p_value=foretold.p_value() if has_auc else None,
        log_loss=known(foretold.log_loss),
        brier=known(foretold.brier),
        base_brier=known(foretold.base_brier),
        veto_share=share,
    )
