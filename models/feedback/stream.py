"""What a desk would show a person, and what becomes of it, over many sessions side by side.

The vectorised environment with a person in it: y sells, n starts the long wait and skip the short
one, a vetoed wish starts none and may come again at the next decision. Every session begins with
the full capital. A backtest of the same policy with every answer y gives the same trades.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from feeds.chain import Integers
from feeds.contract import Right
from feeds.sessions import NEW_YORK, Floats
from models.desk import Desk, Question
from models.feedback.gate import Gate, Verdicts
from models.session_arrays import SessionArrays
from settings import Settings
from strategies.baselines import draw
from vocabulary import FEATURE_COLUMNS, Action, Answer, Moment, Policy

Says = Callable[[npt.NDArray[np.floating], int], Answer]
"""A person's answer to features [8] and the sale wanted."""


@dataclass(frozen=True, eq=False)
class Stream:
    """What happened.

    Args:
        rows: one a suggestion, shown or vetoed, in the order of time, with the columns of the
            feedback table that are known here, `session` (place in the arrays) and `minutes`.
        net_pnl: [D] dollars each session earned.
    """

    rows: pd.DataFrame
    net_pnl: Floats


class ExploringPolicy:
    """A policy that now and then sells at random instead: at a share `rate` of its decisions."""

    def __init__(self, policy: Policy, rate: float, seed: int = 0) -> None:
        """The draw is a pure function of seed, session and slot."""
        self.name = f"{policy.name} with {rate:.1%} at random"
        self.actions, self.obeys_waits = policy.actions, policy.obeys_waits
        self._policy, self._rate, self._seed = policy, rate, seed

    def probabilities(self, moment: Moment) -> Floats:
        """The policy's [..., actions], or certainty for the sale that was drawn."""
        found = self._policy.probabilities(moment)
        sales = moment.mask[..., Action.SELL_CALL : Action.SELL_PUT + 1]
        place = np.asarray(moment.slot) * 2
        explores = draw(self._seed, moment.session, place) < self._rate
        second = draw(self._seed, moment.session, place + 1) < 0.5
        put = sales[..., 1] & (second | ~sales[..., 0])
        drawn = np.where(put, Action.SELL_PUT, Action.SELL_CALL)
        certain = (np.arange(self.actions) == drawn[..., None]).astype(np.float64)
        return np.where((explores & sales.any(axis=-1))[..., None], certain, found)


def play_stream(
    policy: Policy, arrays: SessionArrays, settings: Settings, says: Says, gate: Gate | None = None
) -> Stream:
    """Play every session of `arrays` with the person who `says`, behind `gate` where there is one.

    Within a session answers come in the order of time; sessions are independent of each other, so
    that `says` must not count across them (play one at a time where it does).
    """
    desk = Desk(
        arrays, settings, len(arrays), actions=policy.actions, obeys_waits=policy.obeys_waits
    )
    desk.start(np.arange(len(arrays)), np.arange(len(arrays)))
    skipped = np.full(len(arrays), -np.inf)
    rows: list[pd.DataFrame] = []
    while not desk.is_over.all():
        question = _with_short_wait(desk, desk.question(), skipped)
        actions = _wishes(policy, desk, question)
        which = np.flatnonzero(actions != Action.HOLD)
        if which.size:
            rows.append(_asked(desk, question, which, actions[which], says, gate))
            _follow(desk, rows[-1], which, actions, skipped)
        desk.answer(actions, question)
    return Stream(_ordered(rows, arrays, desk), desk.book.state["cash"].copy())


def _minutes(desk: Desk) -> Floats:
    decision = np.minimum(desk.decision, desk.arrays.slot.shape[1] - 1)
    return np.asarray(desk.arrays.clock[desk.session, decision, 0])


def _with_short_wait(desk: Desk, question: Question, skipped: Floats) -> Question:
    """The question with sales masked that a skip has put off."""
    waits = _minutes(desk) - skipped < desk.settings.rules.wait_after_skip - 1e-9
    mask = question.mask.copy()
    mask[waits, Action.SELL_CALL : Action.SELL_PUT + 1] = False
    return question._replace(mask=mask)


def _wishes(policy: Policy, desk: Desk, question: Question) -> Integers:
    """[B] the sale that the policy wants, else hold."""
    actions = np.full(len(desk.session), int(Action.HOLD))
    which = np.flatnonzero(~desk.is_over & question.is_open)
    if which.size:
        found = policy.probabilities(desk.moment(question, which))
        wish = np.where(question.mask[which], found, -1.0).argmax(axis=-1)
        actions[which] = np.where(wish == Action.CLOSE, Action.HOLD, wish)
    return actions


def _asked(
    desk: Desk,
    question: Question,
    which: Integers,
    actions: Integers,
    says: Says,
    gate: Gate | None,
) -> pd.DataFrame:
    """The rows of one decision of the sessions `which`, answered where they were shown."""
    arrays, features = desk.arrays, question.features[which]
    verdicts = _verdicts(gate, features, actions, arrays.ordinal[desk.session[which]])
    said = [
        None if vetoed else str(says(row, int(action)))
        for row, action, vetoed in zip(features, actions, verdicts.vetoed, strict=True)
    ]
    known = {
        "session": desk.session[which],
        "ts": arrays.ts[desk.session[which], desk.row[which]],
        "minutes": _minutes(desk)[which],
        **dict(zip(FEATURE_COLUMNS, features.T.astype(float), strict=True)),
        "action": actions,
        "gate_probability": verdicts.probability,
        "vetoed": verdicts.vetoed,
        "probe": verdicts.probe,
        "shown": ~verdicts.vetoed,
        "show_probability": verdicts.show_probability,
        "response": pd.Series(said, dtype=object),
        "risk_score": question.risk[which],
    }
    return pd.DataFrame(known)


def _verdicts(
    gate: Gate | None, features: npt.NDArray[np.float32], actions: Integers, session: Integers
) -> Verdicts:
    if gate is not None:
        return gate.judge(features, actions, session)
    nobody = np.zeros(len(actions), bool)
    return Verdicts(np.full(len(actions), np.nan), nobody, nobody, np.ones(len(actions)))


def _follow(
    desk: Desk, rows: pd.DataFrame, which: Integers, actions: Integers, skipped: Floats
) -> None:
    """Let only what was answered y stand in `actions`, and start the waits."""
    said, minutes = rows["response"].to_numpy(), rows["minutes"].to_numpy()
    no = said == Answer.NO.value
    put_off = (said == Answer.SKIP.value) | (said == Answer.TIMEOUT.value)
    desk.book.state["answered"][which[no]] = minutes[no]
    skipped[which[put_off]] = minutes[put_off]
    actions[which[said != Answer.YES.value]] = Action.HOLD


def _ordered(rows: list[pd.DataFrame], arrays: SessionArrays, desk: Desk) -> pd.DataFrame:
    """All rows in the order of time, with what their sessions tell."""
    if not rows:
        return pd.DataFrame()
    whole = pd.concat(rows, ignore_index=True).sort_values("ts", kind="stable")
    whole = whole.reset_index(drop=True)
    dates = [arrays.sessions[place].date for place in whole["session"]]
    right = np.where(whole["action"] == Action.SELL_CALL, Right.CALL.name[0], Right.PUT.name[0])
    instants = pd.to_datetime(whole["ts"], unit="ns", utc=True).dt.tz_convert(NEW_YORK)
    numbers = [str(number) for number in range(len(whole))]
    return whole.assign(
        ts=instants, session_date=dates, right=right, session_id="stream", suggestion_id=numbers
    )
