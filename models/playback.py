"""Play a policy over many sessions side by side: the trades and decisions of a backtest, fast.

The result is that of the Backtrader path to the cent (docs/execution.md). Sessions of a backtest
follow each other: the capital rule counts what earlier ones earned. Here they are played all at
once, with a guess of that, and again until the guess is what came out.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from errors import InternalError
from feeds.contract import MULTIPLIER, Contract, Right
from feeds.sessions import Floats
from models.desk import Desk, Question
from models.records import EXIT_REASONS, Records
from models.session_arrays import SessionArrays
from settings import Settings
from strategies.rules import Refusal
from vocabulary import Action, ExitReason, Policy, RoundTrip


@dataclass(frozen=True, eq=False)
class Decisions:
    """Every decision of D sessions, M a session at most (`SessionArrays.decisions` are real).

    Attributes:
        features: float32 [D, M, 8], NaN where a figure was missing.
        mask: bool [D, M, actions].
        probabilities: [D, M, actions] masked; a certain hold where nothing else was legal.
        action: int8 [D, M] what was done, `vocabulary.Action`.
        refusal: int8 [D, M, 2] why a call and a put could not be sold (`rules.Refusal`).
    """

    features: npt.NDArray[np.float32]
    mask: npt.NDArray[np.bool_]
    probabilities: Floats
    action: npt.NDArray[np.int8]
    refusal: npt.NDArray[np.int8]


@dataclass(frozen=True, eq=False)
class Playback:
    """What a policy did.

    Attributes:
        trips: the round trips of each session, in order.
        net_pnl: [D] dollars a session earned after fees.
        hedge_gain: [D] dollars of it that the positions' deltas earned; 0 where the arrays were
            built without `hedge`. Without it the mean is the same but for drift, and far surer.
        decisions: every decision.
        capital_refusals: how many decisions only the capital rule kept from a sale.
        rounds: how often all sessions were played.
    """

    trips: list[list[RoundTrip]]
    net_pnl: Floats
    hedge_gain: Floats
    decisions: Decisions
    capital_refusals: int
    rounds: int


def play(policy: Policy, arrays: SessionArrays, settings: Settings) -> Playback:
    """Play `policy` over all sessions of `arrays`, each decision the likeliest legal action.

    Args:
        policy: asked on all sessions at once; the first action wins a tie.
        arrays: the sessions, in the order in which they follow each other.
        settings: capital, contracts, rules and fills.

    Raises `InternalError` where the arrays were built for other rules.
    """
    carried = np.zeros(len(arrays))
    for rounds in range(1, len(arrays) + 2):
        desk, decisions = _play_once(policy, arrays, settings, carried)
        records = np.concatenate(desk.book.closed) if desk.book.closed else desk.book.state[:0]
        trips = _trips(records, arrays, policy.name)
        net_pnl = np.array([sum(trip.net_pnl for trip in session) for session in trips])
        earlier = np.concatenate(([0.0], np.cumsum(net_pnl)[:-1]))
        if np.array_equal(earlier, carried):
            refused = (decisions.refusal == Refusal.CAPITAL).any(axis=-1)
            hedge_gain = desk.book.state["hedge"]
            return Playback(trips, net_pnl, hedge_gain, decisions, int(refused.sum()), rounds)
        carried = earlier
    raise InternalError(f"policy {policy.name} answers the same question in different ways")


def _play_once(
    policy: Policy, arrays: SessionArrays, settings: Settings, carried: Floats
) -> tuple[Desk, Decisions]:
    size = len(arrays)
    desk = Desk(arrays, settings, size, actions=policy.actions, obeys_waits=policy.obeys_waits)
    desk.carried[:] = carried
    desk.start(np.arange(size), np.arange(size))
    decisions = _empty(size, arrays.slot.shape[1], policy.actions)
    while not desk.is_over.all():
        question, asked = desk.question(), np.flatnonzero(~desk.is_over)
        probabilities, actions = _ask(policy, desk, question, asked)
        at = asked, desk.decision[asked]
        decisions.features[at] = question.features[asked]
        decisions.mask[at] = question.mask[asked]
        decisions.refusal[at] = question.refusal[asked]
        decisions.probabilities[at] = probabilities[asked]
        decisions.action[at] = actions[asked]
        desk.answer(actions, question)
    return desk, decisions


def _ask(
    policy: Policy, desk: Desk, question: Question, which: npt.NDArray[np.int64]
) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Probabilities [B, actions] and the action [B]; a certain hold where nothing else is legal."""
    which = which[question.is_open[which]]
    probabilities = np.zeros(question.mask.shape)
    probabilities[:, Action.HOLD] = 1.0
    if which.size:
        moment = desk.moment(question, which)
        probabilities[which] = policy.probabilities(moment)
    return probabilities, np.where(question.mask, probabilities, -1.0).argmax(axis=-1)


def _empty(sessions: int, decisions: int, actions: int) -> Decisions:
    shape = sessions, decisions
    return Decisions(
        features=np.full((*shape, 8), np.nan, np.float32),
        mask=np.zeros((*shape, actions), bool),
        probabilities=np.full((*shape, actions), np.nan),
        action=np.full(shape, Action.HOLD, np.int8),
        refusal=np.zeros((*shape, 2), np.int8),
    )


def _trips(records: Records, arrays: SessionArrays, model: str) -> list[list[RoundTrip]]:
    """The round trips of each session, oldest first."""
    records = records[np.lexsort((records["entered_ts"], records["session"]))]
    bounds = np.searchsorted(records["session"], np.arange(len(arrays) + 1))
    return [
        [_trip(record, arrays, model) for record in records[first:end]]
        for first, end in pairwise(bounds)
    ]


def _trip(record: Records, arrays: SessionArrays, model: str) -> RoundTrip:
    contract, entry, closing = int(record["contract"]), record["entry"], record["exit"]
    reason = EXIT_REASONS[record["reason"]]
    settled = reason is ExitReason.SETTLEMENT
    quantity = int(entry["quantity"])
    return RoundTrip(
        contract=Contract(
            arrays.underlying,
            arrays.sessions[record["session"]].date,
            int(arrays.strike_thousandths[contract]),
            Right(int(arrays.right[contract])),
        ),
        side=-1,
        quantity=quantity,
        decided_ts=int(record["decided_ts"]),
        entered_ts=int(record["entered_ts"]),
        entry_price=float(entry["value"] / quantity),
        entry_underlying=float(entry["spot_value"] / quantity),
        exit_decided_ts=None if settled else int(record["order_ts"]),
        exited_ts=int(record["exited_ts"]),
        exit_price=float(closing["value"] / quantity),
        exit_underlying=float(closing["spot_value"] / quantity),
        exit_reason=reason,
        fees=float(record["fees"]),
        gross_pnl=float(entry["value"] - closing["value"]) * MULTIPLIER,
        model=model,
        mid_entry=float(entry["mid_value"] / quantity),
        mid_exit=float("nan") if settled else float(closing["mid_value"] / quantity),
        risk_score=float(record["risk_score"]),
        stop_multiple=float(record["multiple"]),
        exit_was_working=bool(record["was_working"]),
    )
