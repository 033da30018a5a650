"""The Backtrader strategy: 8 features at every bar, a policy at decision slots, exits by rule.

It works in anybody's Cerebro: one `ChainFeed`, any broker that appends `Fill`s to `order.info`, and
a policy. docs/execution.md fixes the order of things at a snapshot.
"""

from collections.abc import Sequence

import backtrader as bt

from feeds.quotes import is_last_minute
from feeds.sessions import NANOSECONDS_A_MINUTE, Session
from feeds.snapshot import ChainSnapshot, Quote
from settings import Settings
from strategies import rules
from strategies.entry import DeskState, EntryDecider, Waits
from strategies.events import Event
from strategies.features import feature_vector, risk_score
from strategies.position_tracker import PositionTracker
from strategies.recorder import RunRecorder
from vocabulary import Action, Answer, ExitReason, Fill, Policy, Position

FIRST_DECISION = float("-inf")
NOT_YET = float("inf")
"""When an exit works that has not been sent."""


class PPOStrategy(bt.Strategy):
    """Suggests entries of a policy and carries out their plans.

    Params:
        policy: a `vocabulary.Policy`; required.
        settings: `Settings`; defaults and environment where None.
        recorder: a `RunRecorder` to fill; a new one where None.
        events: events of the calendar file.
    """

    params = (("policy", None), ("settings", None), ("recorder", None), ("events", ()))

    def __init__(self) -> None:
        """Wire the desk's own books to the first data, which must be a chain feed."""
        policy: Policy = self.p.policy
        events: Sequence[Event] = self.p.events
        self.settings: Settings = self.p.settings or Settings()
        self.recorder: RunRecorder = self.p.recorder or RunRecorder(policy.actions)
        self.decider = EntryDecider(policy, self.settings, events)
        self.tracker = PositionTracker(policy.name)
        self.feed = self.datas[0]
        self._entry: bt.Order | None = None
        self._exit: bt.Order | None = None
        self._exit_works_from = NOT_YET
        self._fills_seen: dict[int, int] = {}
        self._session: Session | None = None
        self._slot = -1
        limits = self.settings.rules
        self._slot_minutes = limits.decision_minutes
        self._loss_limit = limits.daily_loss * self.settings.capital
        self._mark_age = limits.quote_age_seconds

    def next(self) -> None:
        """One snapshot, steps 3 to 6 of docs/execution.md; the broker did 1 and 2 before."""
        snapshot: ChainSnapshot = self.feed.snapshot()
        if snapshot.session is not self._session:
            self._open_session(snapshot)
        position, last_minute = self.tracker.position, is_last_minute(snapshot.minutes_until_close)
        quote = None if position is None else snapshot.quote(position.contract)
        if quote is not None and not last_minute:
            self.tracker.see(quote.mid, snapshot.ts)
        self._watch_equity(snapshot.ts)
        if snapshot.is_recorded:
            self._record_features(snapshot, position)
        if last_minute:
            return
        if position is not None and quote is not None and snapshot.ts < self._exit_works_from:
            self._protect(snapshot, position, quote)
        slot = int(snapshot.minutes_since_open // self._slot_minutes)
        if slot != self._slot:
            self._slot = slot
            self._decision_row(snapshot, slot)
        if self._exit is None and self.tracker.position is not None:
            self._schedule_time_exit(snapshot)

    def _open_session(self, snapshot: ChainSnapshot) -> None:
        self._session = snapshot.session
        self._waits = Waits()
        self._slot, self._previous = -1, FIRST_DECISION
        self._opening = self._peak = self.broker.getcash() + self.tracker.value()
        self._lost = False
        self._entry, self._exit, self._exit_works_from = None, None, NOT_YET
        self._fills_seen.clear()

    def _watch_equity(self, ts: int) -> None:
        """Write the equity row and watch the daily loss."""
        cash, value = self.broker.getcash(), self.tracker.value()
        self.recorder.equity(ts, cash, value)
        equity = cash + value
        if equity >= self._peak:
            self._peak = equity
        elif not self._lost:
            self._lost = rules.daily_loss_reached(
                equity, self._opening, self._peak, self._loss_limit
            )
            if self._lost and self._entry is not None:
                self.broker.cancel(self._entry, "daily_loss")

    def _record_features(self, snapshot: ChainSnapshot, position: Position | None) -> None:
        """Compute this bar's features into the record."""
        held, pnl, minutes_held = 0, 0.0, 0.0
        if position is not None:
            held = position.quantity
            pnl = self.tracker.pnl(snapshot.ts, self._mark_age)
            minutes_held = self.tracker.minutes_held(snapshot.ts)
        since, iv, settings = snapshot.minutes_since_open, snapshot.atm_iv, self.settings
        self._risk = risk_score(held / settings.contracts, since, iv, settings.risk)
        self._vector = feature_vector(
            since,
            snapshot.spot,
            iv,
            held > 0,
            pnl,
            minutes_held,
            self._risk,
            snapshot.minutes_until_close,
            out=self.recorder.row(snapshot.ts),
        )

    def _protect(self, snapshot: ChainSnapshot, position: Position, quote: Quote) -> None:
        """Stop and profit target of an open position without a working exit."""
        intrinsic = position.contract.intrinsic(snapshot.spot)
        price, multiple = position.average_price, position.stop_multiple
        target = self.settings.rules.profit_target
        if rules.stop_is_hit(quote.mid, intrinsic, price, multiple):
            self._close_position(snapshot, ExitReason.STOP_LOSS)
        elif target is not None and rules.profit_target_is_hit(quote.ask, price, target):
            self._close_position(snapshot, ExitReason.PROFIT_TARGET)

    def _close_position(self, snapshot: ChainSnapshot, reason: ExitReason) -> None:
        for order in (self._entry, self._exit):
            if order is not None and order.alive():
                self.broker.cancel(order, str(reason))
        self._exit = self._exit_order(reason, snapshot.ts)
        self._exit_works_from = snapshot.ts

    def _schedule_time_exit(self, snapshot: ChainSnapshot) -> None:
        """Place the time exit in advance, once the entry order is done."""
        entering = self._entry is not None and self._entry.alive()
        if entering or self.settings.rules.hold_to_expiry:
            return
        at = rules.time_exit_ts(snapshot.session.close_ns, self.settings.rules)
        self._exit = self._exit_order(ExitReason.TIME_EXIT, at, good_after=at)
        self._exit_works_from = at

    def _exit_order(self, reason: ExitReason, decided_ts: int, **terms: int) -> bt.Order:
        position = self.tracker.position
        assert position is not None
        send = self.buy if position.side < 0 else self.sell
        data = self.feed.contract(position.contract)
        return send(
            data=data,
            size=position.quantity,
            exit_reason=reason,
            exit_decided_ts=decided_ts,
            **terms,
        )

    def _decision_row(self, snapshot: ChainSnapshot, slot: int) -> None:
        """Step 6: the first snapshot of a new slot."""
        asking = self._entry is not None and self._entry.status == bt.Order.Submitted
        if self._entry is not None and self._entry.alive() and not asking:
            self.broker.cancel(self._entry, "unfilled")
        previous, self._previous = self._previous, snapshot.minutes_since_open
        holding, exiting = self.tracker.position is not None, snapshot.ts >= self._exit_works_from
        state = DeskState(
            has_position=holding,
            has_working_order=asking or exiting,
            daily_loss_reached=self._lost,
            may_close=holding and not exiting,
            realised_pnl=self.tracker.realised_pnl,
        )
        choice = self.decider.decide(
            snapshot, self._vector, float(self._risk), state, self._waits, slot, previous
        )
        self.recorder.decide(choice.action, choice.probabilities, choice.allowed, choice.refusal)
        if choice.action is Action.CLOSE:
            self._close_position(snapshot, ExitReason.MODEL)
        elif choice.suggestion is not None:
            self._entry = self.sell(
                data=self.feed.contract(choice.suggestion.contract),
                size=choice.suggestion.quantity,
                suggestion=choice.suggestion,
            )

    def notify_order(self, order: bt.Order) -> None:
        """Follow our orders: fills into the books, answers into the waits."""
        fills = order.info.get("fills") or ()
        for fill in fills[self._fills_seen.get(order.ref, 0) :]:
            if order.info.get("exit_reason") is None:
                self.tracker.entry_filled(fill, order.info["suggestion"])
            else:
                self._exit_filled(order, fill)
        self._fills_seen[order.ref] = len(fills)
        if self._entry is not None and order.ref == self._entry.ref:
            self._follow_answer(order)
        if self._exit is not None and order.ref == self._exit.ref and not order.alive():
            self._exit, self._exit_works_from = None, NOT_YET  # protect what is left anew

    def _exit_filled(self, order: bt.Order, fill: Fill) -> None:
        reason = order.info["exit_reason"]
        was_working = reason is ExitReason.SETTLEMENT and fill.ts >= self._exit_works_from
        decided_ts = order.info.get("exit_decided_ts")
        self.tracker.exit_filled(fill, reason, decided_ts, was_working)

    def _follow_answer(self, order: bt.Order) -> None:
        """Start the wait that the answer to an entry suggestion asks for."""
        suggestion, decision = order.info["suggestion"], order.info.get("decision")
        since = self._minutes(suggestion.ts)
        answer = decision.answer if decision is not None else None
        shown = order.status == bt.Order.Submitted and self.settings.rules.waits == "strict"
        accepted = order.status == bt.Order.Accepted
        refused = order.status == bt.Order.Rejected and answer is Answer.NO
        if shown or accepted or refused:
            self._waits.answered = since
        elif order.status == bt.Order.Canceled and answer in (Answer.SKIP, Answer.TIMEOUT):
            self._waits.skipped = since

    def _minutes(self, ts: int) -> float:
        assert self._session is not None
        return (ts - self._session.open_ns) / NANOSECONDS_A_MINUTE
