"""The Backtrader strategy: 8 features at every bar, a policy at decision slots, exits by rule.

It works in anybody's Cerebro: one `ChainFeed`, any broker that appends `Fill`s to `order.info`, and
a policy. docs/execution.md fixes the order of things at a snapshot. The live desk gives it a gate,
the memory of the process before, and a person's commands (`strategies.plan_strategy`).
"""

from collections.abc import Callable, Sequence
from typing import Any

import backtrader as bt

from errors import InternalError
from feeds.quotes import is_last_minute
from feeds.sessions import NANOSECONDS_A_MINUTE, to_new_york
from feeds.snapshot import ChainSnapshot
from settings import Settings
from strategies import rules
from strategies.entry import DeskState, EntryDecider, Waits
from strategies.events import Event
from strategies.features import feature_vector, risk_score
from strategies.plan_strategy import NOT_YET, PlanStrategy
from strategies.recorder import RunRecorder
from vocabulary import Action, Answer, DeskMemory, ExitReason, Policy, Position

FIRST_DECISION = float("-inf")


class PPOStrategy(PlanStrategy):
    """Suggests entries of a policy and carries out their plans.

    Params:
        policy: a `vocabulary.Policy`; required.
        settings: `Settings`; defaults and environment where None.
        recorder: a `RunRecorder` to fill; a new one where None. A restarted desk gives one that
            holds the bars of the process before.
        events: events of the calendar file.
        gate: says why no entry may be suggested now, empty when one may; None never does.
        memory: what the process before knew of this session; None for a fresh one.
        on_daily_loss: called once when the daily loss is reached, with the dollars lost.
    """

    params = (
        ("policy", None),
        ("settings", None),
        ("recorder", None),
        ("events", ()),
        ("gate", None),
        ("memory", None),
        ("on_daily_loss", None),
    )

    def __init__(self) -> None:
        """Wire the desk's own books to the first data, which must be a chain feed."""
        policy: Policy = self.p.policy
        events: Sequence[Event] = self.p.events
        self.settings: Settings = self.p.settings or Settings()
        self.recorder: RunRecorder = self.p.recorder or RunRecorder(policy.actions)
        self.decider = EntryDecider(policy, self.settings, events)
        self.feed = self.datas[0]
        self._gate: Callable[[], str] | None = self.p.gate
        self._memory: DeskMemory | None = self.p.memory
        self._slot = -1
        self._opening = self._peak = float("nan")
        self._lost = False
        self._risk: Any = 0.0
        limits = self.settings.rules
        self._slot_minutes = limits.decision_minutes
        self._loss_limit = limits.daily_loss * self.settings.capital
        self._mark_age = limits.quote_age_seconds
        self._start_books(policy.name, self._memory)
        self._resume_mark()

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
        if self._memory is not None:
            memory, self._memory = self._memory, None
            self._resume_session(memory)
            return
        self._slot, self._previous = -1, FIRST_DECISION
        self._opening = self._peak = self.broker.getcash() + self.tracker.value()
        self._lost = False
        self._entry, self._exit, self._exit_works_from = None, None, NOT_YET
        self._drawn_stop = None
        self._fills_seen.clear()

    def _resume_session(self, memory: DeskMemory) -> None:
        """Go on where the process before ended; the books are restored already."""
        assert self._session is not None
        known = [memory.last_ts, memory.decided_ts, memory.answered_ts, memory.skipped_ts]
        known += [past.fill.ts for past in memory.fills]
        if any(to_new_york(ts).date() != self._session.date for ts in known if ts is not None):
            raise InternalError(f"the memory is not of the session {self._session.date}")
        if memory.answered_ts is not None:
            self._waits.answered = self._minutes(memory.answered_ts)
        if memory.skipped_ts is not None:
            self._waits.skipped = self._minutes(memory.skipped_ts)
        decided = memory.decided_ts
        self._slot = memory.slot
        self._previous = FIRST_DECISION if decided is None else self._minutes(decided)
        self._opening = self.broker.startingcash if memory.opening is None else memory.opening
        self._peak = self._opening if memory.peak is None else memory.peak
        self._lost = memory.daily_loss

    def _resume_mark(self) -> None:
        """The last known mark, from the bars of the process before; ahead of any further fill."""
        recorder = self.recorder
        if recorder.equity_ts and recorder.decision_ts and self.tracker.position is not None:
            is_known = bool(recorder.features[-1, 4] == recorder.features[-1, 4])  # not NaN
            ts = recorder.equity_ts[-1] if is_known else 0
            self.tracker.see_value(recorder.position_value[-1], ts)

    # The daily loss ------------------------------------------------------------------------------

    @property
    def daily_loss(self) -> bool:
        """Whether the daily loss is latched: no entries until it is resumed or the day ends."""
        return bool(self._lost)

    @property
    def opening(self) -> float:
        """Equity that the daily loss counts from, dollars; NaN before the first bar."""
        return self._opening

    @property
    def peak(self) -> float:
        """Highest equity since, dollars; NaN before the first bar."""
        return self._peak

    @property
    def equity(self) -> float:
        """Cash and the position at its last mark, dollars."""
        return float(self.broker.getcash()) + self.tracker.value()

    @property
    def loss_left(self) -> float:
        """Dollars until the daily loss is reached; NaN before the first bar."""
        return self._loss_limit - (max(self._opening, self._peak) - self.equity)

    def wait_left(self, ts: int) -> float:
        """Minutes from `ts` (nanoseconds) until it may suggest again; 0 when nothing is awaited.

        The wait depends on the risk score of its end: that of the last bar stands in for it.
        """
        if self._session is None:
            return 0.0
        waits, now = self._waits, self._minutes(ts)
        rule = self.settings.rules
        return float(rules.wait_left(now, waits.answered, waits.skipped, self._risk, rule))

    def resume_after_daily_loss(self) -> None:
        """Lift the latch; from now on the limit counts from the present equity."""
        self._lost = False
        self._opening = self._peak = self.equity

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
            if self._lost:
                self._stop_for_the_day(max(self._opening, self._peak) - equity)

    def _stop_for_the_day(self, loss: float) -> None:
        if self._entry is not None:
            self.broker.cancel(self._entry, "daily_loss")
        if self.p.on_daily_loss is not None:
            self.p.on_daily_loss(loss)

    # Decisions -----------------------------------------------------------------------------------

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
            is_halted=self._is_halted(),
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

    def _is_halted(self) -> bool:
        return self._gate is not None and bool(self.books_fault or self._gate())

    def _survives_faults(self) -> bool:
        return self._gate is not None

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
