"""B sessions of one desk side by side: what a policy is asked, and what becomes of its answer.

`Desk` is the decision of docs/execution.md (steps 4 and 6) on top of `Book`, which does the rest.
Training, evaluation and the single environment all drive this one class.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from errors import InternalError
from feeds.chain import Integers
from feeds.contract import MULTIPLIER
from feeds.sessions import NANOSECONDS_A_MINUTE, Floats
from models.book import Book
from models.session_arrays import SessionArrays
from settings import Settings
from strategies import features, rules
from vocabulary import Action, Moment


class Question(NamedTuple):
    """A decision of each of B sessions, before it is answered.

    Args:
        features: float32 [B, 8]; NaN where a figure is missing, and then only hold is legal.
        mask: bool [B, actions].
        refusal: [B, 2] why a call and a put may not be sold (`rules.Refusal`).
        risk: [B] risk score.
        quantity: [B] contracts that a sale would have.
    """

    features: npt.NDArray[np.float32]
    mask: npt.NDArray[np.bool_]
    refusal: Integers
    risk: Floats
    quantity: Integers

    @property
    def is_open(self) -> npt.NDArray[np.bool_]:
        """[B] whether anything but hold is legal: otherwise a policy is not asked."""
        return np.asarray(self.mask[:, 1:].any(axis=1))


class Desk:
    """B sessions, each at its own decision.

    Attributes:
        session, decision: [B] which session of the arrays, and the number of its decision.
        carried: [B] realised dollars of earlier sessions, which the capital rule counts.
    """

    def __init__(
        self,
        arrays: SessionArrays,
        settings: Settings,
        size: int,
        *,
        actions: int = 3,
        obeys_waits: bool = True,
    ) -> None:
        """`size` desks for a policy of 3 or 4 actions; `start` them before anything else.

        Raises `InternalError` where the arrays were built for other rules.
        """
        if arrays.settings.rules != settings.rules:
            raise InternalError("these session arrays were built for other rules")
        self.arrays, self.settings = arrays, settings
        self.actions, self.obeys_waits = actions, obeys_waits
        self.book = Book(arrays, settings, size)
        self.session, self.decision = np.zeros(size, np.int64), np.zeros(size, np.int64)
        self.carried = np.zeros(size)

    def start(self, which: Integers, sessions: Integers) -> None:
        """Put the desks `which` at the first decision of `sessions`."""
        self.session[which], self.decision[which] = sessions, 0
        self.book.start(which, sessions)

    @property
    def row(self) -> Integers:
        """[B] row of the present decision, the closing row once the session is over."""
        return np.asarray(self.arrays.decision_row[self.session, self.decision])

    @property
    def is_over(self) -> npt.NDArray[np.bool_]:
        """[B] whether the session has no further decision."""
        return np.asarray(self.decision >= self.arrays.decisions[self.session])

    def question(self) -> Question:
        """What the policy is to answer now. Sessions that are over give rows without meaning."""
        settings, arrays, state = self.settings, self.arrays, self.book.state
        at = self.session, np.minimum(self.decision, arrays.slot.shape[1] - 1)
        since_open, until_close, spot, atm_iv = np.moveaxis(arrays.clock[at], -1, 0)
        pnl, held = self._position_features()
        risk = features.risk_score(
            state["open"] / settings.contracts, since_open, atm_iv, settings.risk
        )
        holding = state["open"] > 0
        vector = features.feature_vector(
            since_open, spot, atm_iv, holding, pnl, held, risk, until_close
        )
        valid = features.are_valid(vector)
        quantity = rules.quantity(risk, settings.capital, settings.contracts, settings.rules)
        own = rules.state_refusal(holding, False, state["lost"], valid)
        account = self._account_refusal(since_open, risk, quantity, arrays.margin[at])
        refusal = rules.first_refusal(own[:, None], arrays.market_refusal[at], account)
        mask = self._mask(refusal, holding & valid)
        return Question(vector, mask, refusal, risk, quantity)

    def _position_features(self) -> tuple[Floats, Floats]:
        """[B] unrealised dollars (NaN where the mark is too old) and minutes held; 0 when flat."""
        size = len(self.session)
        pnl, held = np.zeros(size), np.zeros(size)
        n = self.book.holding()
        if n.size:
            s, row = self.book.state[n], self.row[n]
            ts = self.arrays.ts[s["session"], row]
            mark, mark_ts = self.book.marks(n, row)
            entry = s["entry"]["value"] / s["entry"]["quantity"]
            dollars = (entry - mark) * (MULTIPLIER * s["open"])
            fresh = ts - mark_ts <= self.settings.rules.quote_age_seconds * 1e9
            pnl[n] = np.where(fresh, dollars, np.nan)
            held[n] = (ts - s["entered_ts"]) / NANOSECONDS_A_MINUTE
        return pnl, held

    def _account_refusal(
        self, since_open: Floats, risk: Floats, quantity: Integers, margin: Floats
    ) -> Integers:
        """[B, 2] what waits, quantity and capital say."""
        settings, state = self.settings, self.book.state
        waited = np.ones(len(risk), bool)
        if self.obeys_waits:
            never = rules.NEVER
            waited = rules.wait_is_over(since_open, state["answered"], never, risk, settings.rules)
        available = settings.capital + self.carried + state["cash"]
        required = margin * quantity[:, None]
        return np.asarray(
            rules.account_refusal(waited[:, None], quantity[:, None], required, available[:, None])
        )

    def _mask(self, refusal: Integers, may_close: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        mask = np.ones((len(refusal), self.actions), bool)
        mask[:, Action.SELL_CALL : Action.SELL_PUT + 1] = refusal == rules.Refusal.NONE
        if self.actions > Action.CLOSE:
            mask[:, Action.CLOSE] = may_close & ~self.book.exit_works()
        return mask

    def moment(self, question: Question, which: Integers) -> Moment:
        """The question of the desks `which` as a policy takes it."""
        arrays, session, decision = self.arrays, self.session[which], self.decision[which]
        before = arrays.clock[session, np.maximum(decision - 1, 0), 0]
        return Moment(
            features=question.features[which],
            mask=question.mask[which],
            session=arrays.ordinal[session],
            slot=arrays.slot[session, decision],
            minutes=arrays.clock[session, decision, 0],
            previous=np.where(decision > 0, before, -np.inf),
        )

    def answer(self, actions: npt.NDArray[np.integer], question: Question) -> None:
        """Send the orders that `actions` [B] ask for and go on to the next decision or the end.

        An action that the mask forbids is a hold.
        """
        over = self.is_over
        legal = np.take_along_axis(question.mask, np.asarray(actions)[:, None], axis=1)[:, 0]
        actions = np.where(legal & ~over, actions, Action.HOLD)
        self._sell(
            np.flatnonzero((actions == Action.SELL_CALL) | (actions == Action.SELL_PUT)),
            actions,
            question,
        )
        closing = np.flatnonzero(actions == Action.CLOSE)
        if closing.size:
            self.book.close(closing, self.row[closing])
        self.decision += ~over
        self.book.advance(self.row)

    def _sell(self, which: Integers, actions: npt.NDArray[np.integer], question: Question) -> None:
        if not which.size:
            return
        session, decision = self.session[which], self.decision[which]
        contract = self.arrays.contract[session, decision, actions[which] - Action.SELL_CALL]
        row = self.arrays.decision_row[session, decision]
        self.book.sell(which, row, contract, question.quantity[which], question.risk[which])
        self.book.state["answered"][which] = self.arrays.clock[session, decision, 0]
