"""A candidate held against its parent: on the same sessions, and on answers it has not seen."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt

from commands.market_data import is_simulated, open_source
from commands.policies import ChosenPolicy
from commands.screen import progress
from feeds.source import ChainSource
from models.feedback.promotion import AgreementFigures, PairedFigures, snips
from models.playback import Playback, play
from models.session_arrays import SessionArrays, read_sessions
from reports.statistics import bootstrap, expected_shortfall, interval
from settings import SIMULATED, Settings
from vocabulary import Action, Moment, Policy

Floats = npt.NDArray[np.float64]

OTHER_MARKET_SESSIONS = 400
"""Simulated sessions, of a market with another seed, where no data is named."""

LOWER_BOUND = 10.0
"""Percentile of the resampled means: the one-sided 90 % bound."""


@dataclass(frozen=True, eq=False)
class Contest:
    """Parent and candidate on the same held-out sessions.

    Attributes:
        dates: of the sessions.
        before, after: net dollars of each session.
        figures: what the checks ask for.
    """

    dates: list[date]
    before: Floats
    after: Floats
    figures: PairedFigures


def between(values: Floats) -> tuple[float, float]:
    """The central 90 % interval of the mean of `values` in the order of time."""
    low, high = interval(bootstrap(values).means, 0.90)
    return low, high


def judging_source(settings: Settings, chosen: ChosenPolicy) -> ChainSource:
    """The sessions to judge on: those of `--data`, else a simulated market of another seed."""
    if settings.data == SIMULATED:
        update: dict[str, int] = {"seed": settings.seed + 1}
        if "sessions" not in settings.model_fields_set:
            update["sessions"] = OTHER_MARKET_SESSIONS
        settings = settings.model_copy(update=update)
    return open_source(settings, chosen.year_convention)


def held_out(
    source: ChainSource,
    settings: Settings,
    chosen: ChosenPolicy,
    learned: Collection[tuple[str, date]],
) -> SessionArrays | None:
    """Sessions of the source that neither the model nor its answers come from; None without any.

    `learned` is market and date of the sessions with answers. A day of a simulated market is
    another day in every other market.
    """
    dates = [session.date for session in source.sessions]
    answered = {
        day
        for label, day in learned
        if label == source.label or not any(map(is_simulated, (label, source.label)))
    }
    known = {*chosen.in_sample(dates, source.label), *answered}
    indices = [place for place, day in enumerate(dates) if day not in known]
    if not indices:
        return None
    with progress("held-out sessions", len(indices)) as advance:
        return read_sessions(source, settings, indices, hedge=True, progress=lambda *_: advance())


def contest(
    before: Policy,
    after: Policy,
    arrays: SessionArrays | None,
    settings: Settings,
    asked: tuple[Policy, Policy] | None = None,
) -> Contest:
    """Play both over the sessions.

    The difference is of P&L less the gain of the positions' deltas, which has nearly the same mean
    and a fraction of the noise; the tail is of net P&L.

    Args:
        before, after: parent and candidate, whose P&L is compared.
        arrays: held-out sessions with `hedge`; None gives figures of no session.
        settings: of the desk.
        asked: the two whose suggestions are counted, where they are others.
    """
    if arrays is None:
        nothing = PairedFigures(0, np.nan, np.nan, (0.0, 0.0), (np.nan, np.nan))
        return Contest([], np.empty(0), np.empty(0), nothing)
    plays = [play(policy, arrays, settings) for policy in (before, after)]
    counted = plays if asked is None else [play(policy, arrays, settings) for policy in asked]
    ours, theirs = plays[1], plays[0]
    difference = (ours.net_pnl - ours.hedge_gain) - (theirs.net_pnl - theirs.hedge_gain)
    figures = PairedFigures(
        sessions=len(arrays),
        mean=float(difference.mean()),
        lower=_lower_bound(difference),
        suggestions=(_suggestions(counted[0]), _suggestions(counted[1])),
        shortfall=(-expected_shortfall(theirs.net_pnl), -expected_shortfall(ours.net_pnl)),
    )
    return Contest(
        [session.date for session in arrays.sessions], theirs.net_pnl, ours.net_pnl, figures
    )


def _lower_bound(difference: Floats) -> float:
    if difference.size < 2:
        return float("nan")
    return float(np.percentile(bootstrap(difference).means, LOWER_BOUND))


def _suggestions(playback: Playback) -> float:
    """Entries a session that were decided."""
    action = playback.decisions.action
    sold = (action == Action.SELL_CALL) | (action == Action.SELL_PUT)
    return float(sold.sum() / len(action))


def gate_agreement(
    probability: Floats, said: npt.NDArray[np.bool_], tau: float
) -> AgreementFigures:
    """Of answers foretold before they were given: share of y with and without the gate."""
    kept = said[probability >= tau]
    if not said.size:
        return AgreementFigures(np.nan, np.nan, 0.0)
    after = float(kept.mean()) if kept.size else np.nan
    return AgreementFigures(float(said.mean()), after, float(kept.size))


def policy_agreement(
    parent: Policy,
    candidate: Policy,
    features: npt.NDArray[np.float32],
    action: npt.NDArray[np.int64],
    said: npt.NDArray[np.bool_],
    weight: Floats,
) -> AgreementFigures:
    """Share of y among what each would suggest, self-normalised.

    The desk takes the likeliest action, so that a policy shows an answer's suggestion or does not;
    `weight` [N] makes up for suggestions that were seldom shown.
    """
    shares = [
        snips(weight * _would_suggest(policy, features, action), said)
        for policy in (parent, candidate)
    ]
    return AgreementFigures(shares[0][0], shares[1][0], min(shares[0][1], shares[1][1]))


def _would_suggest(
    policy: Policy, features: npt.NDArray[np.float32], action: npt.NDArray[np.int64]
) -> npt.NDArray[np.bool_]:
    mask = np.zeros((len(features), policy.actions), bool)
    mask[:, : Action.SELL_PUT + 1] = True
    nothing = np.zeros(len(features))
    moment = Moment(features, mask, nothing, nothing, nothing, nothing)
    return np.asarray(policy.probabilities(moment).argmax(axis=-1) == action)
