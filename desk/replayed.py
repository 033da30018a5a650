"""A journaled session once more: the recorded day through the desk's own path, to the same answers.

The rows of the recording that were bars of the desk go one at a time into a `LiveFeed`, each with a
loop of its own after it, as between two bars of a live desk. Fills are the simulated broker's, or
the executions of the real one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import backtrader as bt
import numpy as np
import pandas as pd

from brokers.approval import ApprovalBroker
from brokers.chain_broker import ChainBroker
from desk.attended import AttendedBroker, DeskStrategy
from desk.executed import ExecutedBroker, until
from desk.instructions import Controls
from desk.journaled import SENT, AskedSoFar, Instant, JournaledApprover, JournaledSession
from desk.safety import Latch, Latches
from feeds.chain import ChainDay
from feeds.live.live_feed import LiveFeed
from feeds.snapshot import ChainSnapshot
from settings import Settings
from strategies.events import Event
from strategies.recorder import OFF_SLOT, RunRecorder
from strategies.rules import REASONS, Refusal
from vocabulary import FEATURE_COLUMNS, ExitReason, PastFill, Policy, Suggestion, Verdict


@dataclass(frozen=True, eq=False)
class Replayed:
    """What came out of it, in the journal's words.

    Attributes:
        bars: as `JournaledSession.bars`.
        suggestions: by id, as asked first and last (a person may lower the quantity between).
        fills: oldest first.
        unseen: recorded rows that were no bar of the desk.
        unrecorded: bars of the desk that the recording does not have, nanoseconds.
    """

    bars: pd.DataFrame
    suggestions: dict[str, tuple[Suggestion, Suggestion]]
    fills: Sequence[PastFill]
    unseen: int
    unrecorded: Sequence[int]


def replay(
    day: ChainDay,
    session: JournaledSession,
    policy: Policy,
    settings: Settings,
    events: Sequence[Event] = (),
) -> Replayed:
    """Play `day` again with the answers and instructions of `session`.

    Args:
        day: the recording, with the official close if it is known.
        session: the journal's.
        policy, settings, events: those that the desk ran with.
    """
    rows = _rows(day, session)
    run = _Run(session, policy, settings, events)
    if rows:
        run.play(day, rows)
    bars = set(session.bar_ts.tolist())
    recorded = {int(day.ts[t]) for t in range(day.recorded)}
    return Replayed(
        bars=run.bars(),
        suggestions=run.approver.asked,
        fills=run.fills(),
        unseen=len(recorded - bars),
        unrecorded=sorted(bars - {int(row.ts[0]) for row in rows}),
    )


def _rows(day: ChainDay, session: JournaledSession) -> list[ChainDay]:
    """The rows that were bars of the desk; the closing row also where it only settled there."""
    bars = set(session.bar_ts.tolist())
    settled = any(fill.exit_reason is ExitReason.SETTLEMENT for fill in session.fills)
    wanted = bars | ({day.session.close_ns} if settled else set())
    return [
        replace(day.row(t), recorded=int(t < day.recorded))
        for t in range(len(day))
        if int(day.ts[t]) in wanted
    ]


class _Run:
    """One replay: its broker's turns, and what it leaves behind."""

    def __init__(
        self,
        session: JournaledSession,
        policy: Policy,
        settings: Settings,
        events: Sequence[Event],
    ) -> None:
        self.session = session
        self.policy, self.settings, self.events = policy, settings, events
        self.approver = JournaledApprover(session)
        self.recorder = RunRecorder(policy.actions)
        self.seen: list[tuple[int, float, float]] = []
        self._orders: dict[int, bt.Order] = {}
        self._instructions = list(session.instructions)
        self._restarts = sorted(session.restarts)
        self._halts = _halts(session)
        entries = (one.suggestion for one in session.fills)
        self._filled = {one.id for one in entries if one is not None}
        self._latches = Latches()
        self._clock = AskedSoFar(session)
        self._strategy: Any = None

    def play(self, day: ChainDay, rows: Sequence[ChainDay]) -> None:
        """Run Cerebro over the rows."""
        self._feed = feed = LiveFeed(newest_only=False)
        if day.official_close is not None:
            feed.set_official_close(day.session, day.official_close, day.close_source)
        for row in rows:
            feed.put(row)
            feed.wake()
        feed.end()
        self._inner = self._fills_by()
        self._broker = broker = AttendedBroker(
            self._inner,
            self.approver,
            recheck=self._recheck,
            told=self._told,
            exits=self.settings.live.exits,
            repeat_seconds=1.0,
            clock=self._clock,
            before=self._before,
            after=self._after,
        )
        broker.watch(feed)
        self._run(feed, broker)

    def _fills_by(self) -> ChainBroker:
        """The simulated broker, or the executions of the real one."""
        cash, figures = self.session.opening_cash or self.settings.capital, self.settings.fills
        if self.session.real_broker:
            return ExecutedBroker(cash, figures, self.session.fills)
        return ChainBroker(cash, figures)

    def _run(self, feed: LiveFeed, broker: ApprovalBroker) -> None:
        cerebro = bt.Cerebro(stdstats=False, quicknotify=True)
        cerebro.adddata(feed)
        cerebro.setbroker(broker)
        cerebro.addstrategy(
            DeskStrategy,
            policy=self.policy,
            settings=self.settings,
            recorder=self.recorder,
            events=self.events,
            gate=self._gate,
            on_daily_loss=self._lost,
            attach=self._attach,
        )
        cerebro.run()

    def _attach(self, strategy: Any) -> None:
        self._strategy = strategy

    def _snapshot(self) -> ChainSnapshot:
        return self._feed.snapshot()

    def _before(self, at_bar: bool) -> None:
        """Instructions first, then the broker asks for answers."""
        snapshot = self._snapshot()
        now = Instant(snapshot.ts, not at_bar)
        if at_bar:
            self.seen.append((snapshot.ts, snapshot.spot, snapshot.atm_iv))
            self._die_before(snapshot.ts)
        self.approver.move(now)
        self._clock.move(now.ts)
        if isinstance(self._inner, ExecutedBroker):
            self._inner.until = until(now, self.session.bar_ts)
        while self._instructions and self._instructions[0].instant <= now:
            instruction = self._instructions.pop(0).instruction
            Controls(self._strategy, self._broker, self._latches, None).carry_out(instruction)

    def _after(self, at_bar: bool) -> None:
        """Whatever is submitted until the next loop is submitted between two bars."""
        self.approver.move(Instant(self._snapshot().ts, later=True))

    def _die_before(self, ts: int) -> None:
        """Entries and questions die with their desk; exits work on (`ChainBroker.restore`).

        An entry lives where the journal has a fill that is still to come: the desk died in the bar
        that filled it, before the bar itself was written.
        """
        died = [last for last in self._restarts if last < ts]
        del self._restarts[: len(died)]
        for order in tuple(self._orders.values()) if died else ():
            is_exit = order.info.get("exit_reason") is not None
            works_on = order.status != bt.Order.Submitted if is_exit else self._fills_yet(order)
            if order.alive() and not works_on:
                self._broker.cancel(order, "the desk was started again")

    def _fills_yet(self, order: bt.Order) -> bool:
        suggestion = order.info.get("suggestion")
        is_filled = suggestion is not None and suggestion.id in self._filled
        return is_filled and not order.executed.size and order.status != bt.Order.Submitted

    def _told(self, order: bt.Order) -> None:
        self._orders[order.ref] = order

    def _recheck(self, order: bt.Order, snapshot: ChainSnapshot) -> Verdict:
        """What became of the yes between two bars is what the journal says."""
        suggestion = order.info.get("suggestion")
        answer = None if suggestion is None else self.session.answer_of(suggestion.id)
        if answer is None or answer.outcome == SENT or suggestion.id in self._filled:
            return Verdict(True)
        return Verdict(False, answer.outcome or "the desk died before it was sent")

    def _gate(self) -> str:
        """A halt came from outside (stale data, a lost line, a pause): the journal tells."""
        return self._halts.get(self._snapshot().ts, "")

    def _lost(self, *_: Any) -> None:
        self._latches.set(Latch.DAILY_LOSS, "the daily loss limit was reached")

    def bars(self) -> pd.DataFrame:
        """The journal's table of what happened."""
        return bars_table(self.recorder, self.seen)

    def fills(self) -> list[PastFill]:
        """Every fill with what it belongs to, oldest first."""
        found = [
            PastFill(
                fill,
                order.info.get("suggestion"),
                order.info.get("exit_reason"),
                order.info.get("exit_decided_ts"),
            )
            for order in self._orders.values()
            for fill in order.info.get("fills") or ()
        ]
        return sorted(found, key=lambda one: one.fill.ts)


def _halts(session: JournaledSession) -> dict[int, str]:
    if session.bars.empty:
        return {}
    halted = session.bars[session.bars["reason"] == REASONS[Refusal.HALTED]]
    return {int(ts): "halted" for ts in halted["ts"]}


def bars_table(recorder: RunRecorder, seen: Sequence[tuple[int, float, float]]) -> pd.DataFrame:
    """The journal's table `bars` of a run; what a bar had not is NaN or None.

    `seen` has instant, spot and atm_iv of each bar.
    """
    table = pd.DataFrame(seen, columns=["ts", "spot", "atm_iv"]).set_index("ts")
    equity = pd.DataFrame(
        {"cash": recorder.cash, "position_value": recorder.position_value},
        index=pd.Index(recorder.equity_ts, dtype=np.int64),
    )
    on_slot = recorder.action != OFF_SLOT
    probabilities = [
        list(map(float, row)) if on else None
        for row, on in zip(recorder.probabilities, on_slot, strict=True)
    ]
    decided = pd.DataFrame(
        dict(zip(FEATURE_COLUMNS, recorder.features.T, strict=True))
        | {
            "action": np.where(on_slot, recorder.action.astype(float), np.nan),
            "allowed": np.where(on_slot, recorder.allowed.astype(float), np.nan),
            "reason": [REASONS[Refusal(int(code))] for code in recorder.reason],
            "probabilities": pd.Series(probabilities, dtype=object),
        }
    ).set_axis(pd.Index(recorder.decision_ts, dtype=np.int64))
    return table.join(equity).join(decided).rename_axis("ts").reset_index()
