"""What speaks for a gate and what does not: rows it would keep back, and answers it would want."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd

from feeds.sessions import Floats
from models.feedback.acceptance import AcceptanceModel, fit_acceptance
from models.feedback.answers import Answers
from models.feedback.dataset import features_of
from models.feedback.gate import veto_window
from models.feedback.inputs import inputs
from models.feedback.rolling import FIRST, Candidate, Foretold, auc, log_losses

Between = Callable[[Floats], tuple[float, float]]
"""The central 90 % interval of the mean of figures [n] in the order of time."""

LADDER = (10, 25, 50, 100, 200, 400, 800)
"""Numbers of answers at which the learning curve is drawn."""

FEWEST_SESSIONS = 10
"""Sessions with vetoed suggestions that evidence for a veto needs."""


class CurvePoint(NamedTuple):
    """What the first `answers` alone foretell of all later ones.

    `shown` of these would reach the threshold, with the share `agreed` of y among them (NaN where
    there is none); `base` is the share of y among all of them.
    """

    answers: int
    later: int
    auc: float
    log_loss: float
    shown: int
    agreed: float
    base: float


class VetoEvidence(NamedTuple):
    """Shadow P&L of what the gate kept or would have kept back, dollars a session with any."""

    sessions: int
    mean: float
    low: float
    high: float


def judged_rows(
    rows: pd.DataFrame,
    acceptance: AcceptanceModel | None,
    answers: Answers,
    foretold: Foretold,
) -> pd.DataFrame:
    """The rows with three columns more.

    `p` is the probability of y by `acceptance`; `p_then` the one of the gate of that time, else
    what was foretold of the answer from earlier ones alone, else NaN; `window` the veto window.
    """
    phi = inputs(features_of(rows), rows["action"].to_numpy())
    p = np.full(len(rows), np.nan) if acceptance is None else acceptance.of(phi)
    then = rows["gate_probability"].to_numpy(np.float64).copy()
    known = answers.row[len(answers) - len(foretold) :]
    then[known] = np.where(np.isnan(then[known]), foretold.probability, then[known])
    time = rows["feature_minutes_since_open"].to_numpy(np.float32)
    return rows.assign(p=p, p_then=then, window=veto_window(time))


def veto_share(judged: pd.DataFrame, tau: float) -> float:
    """Share of veto windows with suggestions in which none would reach `tau`; 0 without any.

    By window, as a vetoed wish comes again every few minutes. Columns `p`, `session_id`,
    `session_date`, `action`, `window`.
    """
    known = judged[np.isfinite(judged["p"])]
    if known.empty:
        return 0.0
    best = known.groupby(["session_id", "session_date", "action", "window"])["p"].max()
    return float((best < tau).mean())


def veto_evidence(judged: pd.DataFrame, tau: float, between: Between) -> VetoEvidence:
    """What suggestions below `tau` would have earned: mean shadow P&L of each session, dollars.

    By `p_then`, which had not seen their answers; today's fit has.
    """
    kept = judged[(judged["p_then"] < tau) & np.isfinite(judged["shadow_pnl"])]
    days = kept.groupby(["session_date", "session_id"])["shadow_pnl"].mean().to_numpy(float)
    if len(days) < FEWEST_SESSIONS:
        mean = float(days.mean()) if len(days) else float("nan")
        return VetoEvidence(len(days), mean, float("nan"), float("nan"))
    return VetoEvidence(len(days), float(days.mean()), *between(days))


def learning_curve(answers: Answers, candidate: Candidate, tau: float = 0.5) -> list[CurvePoint]:
    """What the first 10, 25, 50, ... answers alone foretell of all later ones.

    `tau` is the threshold from which a suggestion would be shown.
    """
    points = []
    for count in LADDER:
        known, later = answers.first(count), len(answers) - count
        if later < FIRST:
            break
        if known.smaller_class:
            kind = candidate.kind if count >= 2 * FIRST and known.smaller_class > 2 else "logistic"
            found = fit_acceptance(known, kind, candidate.half_life).of(answers.phi[count:])
            yes = answers.yes[count:]
            loss = float(log_losses(yes, found).mean())
            shown = yes[found >= tau]
            agreed = float(shown.mean()) if shown.size else float("nan")
            told = len(shown), agreed, float(yes.mean())
            points.append(CurvePoint(count, later, auc(yes, found), loss, *told))
    return points
