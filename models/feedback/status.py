"""What `run.py rlhf --status` says: where person and model agree, what more answers would buy."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from models.feedback.dataset import is_labelled
from models.feedback.gate import Booleans
from models.feedback.learning import GateReport
from models.feedback.rolling import calibration
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
    count = f"{report.answers} answers, {report.yes} of them y"
    if report.card is None:
        return [f"no gate: {report.why}", count]
    card = report.card
    words = {"off": "is off", "advise": "advises", "veto": f"vetoes below {card.tau:.0%}"}
    why = f": {report.why}" if report.why else ""
    return [f"{card.version} {words[card.mode]}{why}", count]


def _foretelling(report: GateReport) -> list[str]:
    foretold = report.foretold
    if foretold.auc != foretold.auc or report.candidate is None:
        return []
    kind = report.candidate.kind
    lines = [
        f"answers foretold from earlier ones ({kind}): AUC {foretold.auc:.2f}, permutation p "
        f"{foretold.p_value():.4f}, Brier {foretold.brier:.3f} (a constant: "
        f"{foretold.base_brier:.3f})"
    ]
    for group in calibration(foretold):
        lines.append(
            f"calibration: foretold {group.foretold:.0%}, said y {group.said:.0%} "
            f"({group.answers} answers)"
        )
    return lines


def _more_answers(report: GateReport) -> list[str]:
    """The learning curve, and what its last step bought."""
    curve = [point for point in report.curve if point.auc == point.auc]
    lines = [
        f"the first {point.answers} answers foretell the {point.later} later ones with AUC "
        f"{point.auc:.2f}, log-loss {point.log_loss:.3f}"
        for point in curve
    ]
    if len(curve) < 2:
        return [*lines, "what more answers would buy cannot be told from so few"]
    before, last = curve[-2:]
    bought = before.log_loss - last.log_loss
    if bought <= 0.01:
        end = "bought nothing that can be seen: expect little from more"
    else:
        end = f"lowered the log-loss by {bought:.3f}: expect at most as much from the next doubling"
    return [*lines, f"going from {before.answers} to {last.answers} answers {end}"]


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
