"""What policies earn on given sessions, as a table, and what a policy wants at a glance."""

from collections.abc import Iterable, Sequence

import numpy as np

from feeds.sessions import FULL_DAY_MINUTES, Floats
from models.playback import Playback, play
from models.session_arrays import SessionArrays
from settings import Settings
from strategies.baselines import baseline
from strategies.features import feature_vector, risk_score
from vocabulary import Action, Moment, Policy

BASELINES = ("hold", "random", "sell_put@10:00", "sell_call@10:00")

Metrics = dict[str, float]


def metrics(result: Playback) -> Metrics:
    """Figures of a playback: trades, and dollars a session with their standard errors.

    `mean` is net P&L; `mean_less_delta` is without the gain of the positions' deltas, which has
    nearly the same expectation and a fraction of the noise (with arrays built with `hedge`).
    """
    steady = result.net_pnl - result.hedge_gain
    return {
        "sessions": float(len(result.net_pnl)),
        "trades": float(sum(len(trips) for trips in result.trips)),
        "net_pnl": float(result.net_pnl.sum()),
        "mean": float(result.net_pnl.mean()),
        "standard_error": standard_error(result.net_pnl),
        "mean_less_delta": float(steady.mean()),
        "standard_error_less_delta": standard_error(steady),
        "worst_session": float(result.net_pnl.min()),
    }


def standard_error(values: Floats) -> float:
    """Standard error of the mean; 0 for a single value."""
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else 0.0


def compare(
    policies: Iterable[Policy], arrays: SessionArrays, settings: Settings
) -> dict[str, Metrics]:
    """`metrics` of each policy by its name, then of each baseline, on the same sessions."""
    rules = [baseline(name, settings.seed) for name in BASELINES]
    return {policy.name: metrics(play(policy, arrays, settings)) for policy in (*policies, *rules)}


def selling_probability(
    policy: Policy,
    settings: Settings,
    minutes: Sequence[float],
    volatilities: Sequence[float],
    spot: float = 650.0,
) -> Floats:
    """[minutes, volatilities] probability of any sale by a flat desk, were both sales legal.

    Args:
        policy: a policy on the 8 features.
        settings: for the risk score.
        minutes: since the open of a full session.
        volatilities: values of atm_iv.
        spot: dollars.
    """
    since_open, atm_iv = np.meshgrid(minutes, volatilities, indexing="ij")
    nothing = np.zeros(since_open.shape)
    risk = risk_score(nothing, since_open, atm_iv, settings.risk)
    until_close = FULL_DAY_MINUTES - since_open
    features = feature_vector(
        since_open, nothing + spot, atm_iv, nothing, nothing, nothing, risk, until_close
    )
    mask = np.zeros((*since_open.shape, policy.actions), bool)
    mask[..., : Action.SELL_PUT + 1] = True
    moment = Moment(features, mask, nothing, nothing, since_open, nothing)
    return np.asarray(1.0 - policy.probabilities(moment)[..., Action.HOLD])
