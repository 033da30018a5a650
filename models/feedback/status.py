"""What `run.py rlhf --status` says: where person and model agree, what more answers would buy."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from models.feedback.acceptance import BOOSTED_FROM, BOOSTED_FROM_EACH
from models.feedback.dataset import is_labelled
from models.feedback.evidence import CurvePoint
from models.feedback.gate import Booleans
from models.feedback.learning import GateReport, GateTerms
from models.feedback.rolling import FIRST, calibration
from models.feedback.update import FEWEST_ANSWERS
from vocabulary import Action, Answer

FEWEST = 5
"""Answers that a share of y is said of."""

HOURS = (("before 11:30", 0.0, 120.0), ("11:30 to 14:00", 120.0, 270.0), ("later", 270.0, 391.0))
"""Parts of the day, in minutes since the open."""

SIDES = {Action.SELL_CALL: "calls", Action.SELL_PUT: "puts"}


def status_lines(report: GateReport) -> list[str]:
    """The state of a gate in sentences, the most important first."""
    return [
        *_state(report),
        *report.notes,
        *agreement_lines(report.table),
        *_foretelling(report),
        *_more_answers(report),
        *_evidence(report),
    ]


class Agreement(NamedTuple):
    """Suggestions of one kind that were answered y or n."""

    what: str
    answers: int
    yes: int


def agreement(table: pd.DataFrame) -> list[Agreement]:
    """How often a suggestion was accepted, by volatility, part of the day and side.

    Every suggestion is something the model wanted, so that the share of y is their agreement.
    Volatility is cut at its own thirds.
    """
    said = table[is_labelled(table)]
    if said.empty:
        return []
    yes = (said["response"] == Answer.YES.value).to_numpy()
    groups = [*_by_volatility(said), *_by_hour(said), *_by_side(said)]
    return [Agreement(what, int(which.sum()), int(yes[which].sum())) for what, which in groups]


def agreement_lines(table: pd.DataFrame) -> list[str]:
    """`agreement` in words, groups of `FEWEST` answers or more."""
    return [
        f"agreement, {one.what}: y to {one.yes} of {one.answers} ({one.yes / one.answers:.0%})"
        for one in agreement(table)
        if one.answers >= FEWEST
    ]


def _by_volatility(said: pd.DataFrame) -> Iterator[tuple[str, Booleans]]:
    iv = said["feature_atm_iv"].to_numpy()
    low, high = np.quantile(iv, [1 / 3, 2 / 3])
    yield f"volatility below {low:.1%}", iv < low
    yield f"volatility {low:.1%} to {high:.1%}", (iv >= low) & (iv < high)
    yield f"volatility from {high:.1%}", iv >= high


def _by_hour(said: pd.DataFrame) -> Iterator[tuple[str, Booleans]]:
    minutes = said["feature_minutes_since_open"].to_numpy() * 390.0
    for words, first, last in HOURS:
        yield words, np.asarray((minutes >= first) & (minutes < last))


def _by_side(said: pd.DataFrame) -> Iterator[tuple[str, Booleans]]:
    for action, words in SIDES.items():
        yield words, np.asarray(said["action"] == action)


def _state(report: GateReport) -> list[str]:
    if report.card is None:
        return [f"no gate: {report.why}"]
    card = report.card
    words = {"off": "is off", "advise": "advises", "veto": f"vetoes below {card.tau:.0%}"}
    why = f": {report.why}" if report.why else ""
    return [f"{card.version} {words[card.mode]}{why}"]


def _foretelling(report: GateReport) -> list[str]:
    foretold = report.foretold
    if foretold.auc != foretold.auc or report.candidate is None:
        return []
    kind = report.candidate.kind
    lines = [
        f"{len(foretold)} answers foretold from earlier ones ({kind}): AUC {foretold.auc:.2f} (a "
        f"coin has 0.5), permutation p {foretold.p_value():.4f}, Brier {foretold.brier:.3f} (a "
        f"constant: {foretold.base_brier:.3f})"
    ]
    for group in calibration(foretold):
        lines.append(
            f"calibration: foretold {group.foretold:.0%}, said y {group.said:.0%} "
            f"({group.answers} answers)"
        )
    return lines


def _more_answers(report: GateReport) -> list[str]:
    """The learning curve, what its last step bought, and what the next numbers allow."""
    curve = [point for point in report.curve if point.auc == point.auc]
    tau = 0.0 if report.card is None else report.card.tau
    lines = [_point(point, tau) for point in curve]
    if len(curve) < 2:
        lines.append("how much more answers would improve it cannot be told from so few")
    else:
        before, last = curve[-2:]
        bought = before.log_loss - last.log_loss
        end = "bought nothing that can be seen: expect little from more"
        if bought > 0.01:
            end = f"lowered the log-loss by {bought:.3f}: expect at most that of the next doubling"
        lines.append(f"going from {before.answers} to {last.answers} answers {end}")
    return [*lines, *next_steps(report, GateTerms())]


def _point(point: CurvePoint, tau: float) -> str:
    """One point of the learning curve in words."""
    shown = f"none of them would reach {tau:.0%}"
    if point.shown:
        shown = f"y to {point.agreed:.0%} of the {point.shown} from {tau:.0%} on"
    return (
        f"the first {point.answers} answers foretell the {point.later} later ones with AUC "
        f"{point.auc:.2f}, log-loss {point.log_loss:.3f}: {shown}, to {point.base:.0%} of all"
    )


def next_steps(report: GateReport, terms: GateTerms) -> list[str]:
    """What so many answers more would allow: every number that is not reached yet."""
    yes, no = report.yes, report.answers - report.yes
    foretold = (int(report.foretold.yes.sum()), int((1 - report.foretold.yes).sum()))
    each = terms.fewest_each
    few = f"a gate that advises takes {terms.fewest} answers with {each} y and {each} n"
    steps = [
        (2 * FIRST, "a first look at what fewer answers would have been worth"),
        (BOOSTED_FROM, f"trees beside the logistic fit, with {BOOSTED_FROM_EACH} y and n each"),
        (terms.tau_answers, f"the threshold of {terms.tau:.0%}, with an AUC of {terms.tau_auc:g}"),
        (FEWEST_ANSWERS, "an update of the policy itself; comparisons of reviews count, too"),
    ]
    is_few = report.answers < terms.fewest or min(yes, no) < each
    lines = [f"{few}: there are {yes} and {no}"] if is_few else []
    lines += [
        f"{count - report.answers} answers more, {count} in all: {words}"
        for count, words in steps
        if report.answers < count
    ]
    if min(foretold) < terms.veto_each:
        lines.append(
            f"a veto takes {terms.veto_each} y and {terms.veto_each} n that were foretold: there "
            f"are {foretold[0]} and {foretold[1]}"
        )
    return lines


def _evidence(report: GateReport) -> list[str]:
    evidence = report.evidence
    if report.card is None or not evidence.sessions:
        return []
    interval = ""
    if evidence.high == evidence.high:
        interval = f" (90 %: {evidence.low:+.2f} to {evidence.high:+.2f})"
    return [
        f"shadows of what it would keep back: {evidence.mean:+.2f} dollars a session in "
        f"{evidence.sessions} sessions{interval}; it would keep back {report.veto_share:.0%} of "
        "the windows"
    ]
