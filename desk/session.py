"""One session of the desk: market, strategy, person and broker in one Cerebro.

    market ──► LiveFeed ──► strategy ──► AttendedBroker ──► person ──► inner broker ──► market
                                              │ every loop: instructions, safety, journal, status

Everything here runs in Cerebro's thread. The market's, the broker's and the terminal's threads hand
over by queues and by frozen values, and call `wake` when they have something.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import backtrader as bt

from brokers.journal.bookkeeper import Bookkeeper
from brokers.journal.events import Event as JournalEvent
from desk.attended import AttendedBroker, DeskStrategy
from desk.bar_rows import BarWriter
from desk.guards import Guards
from desk.instructions import Controls, Inbox
from desk.markets import LiveMarket
from desk.reporting import Reporting
from desk.safety import Latch, Latches
from desk.safety_expiry import TRADING_AFTER_CLOSE
from desk.telling import Teller
from feeds.sessions import NANOSECONDS_A_MINUTE
from settings import Settings
from strategies.events import Event
from strategies.recheck import Recheck
from strategies.recorder import RunRecorder
from vocabulary import Approver, Clock, DeskMemory, Policy, Position, Suggestion


@dataclass(frozen=True, kw_only=True)
class DeskParts:
    """Everything a session is made of.

    Args:
        mode: "mock", "replay", "shadow", "paper", "live" or "rehearsal".
        market: where bars and quotes come from.
        inner: the broker that executes: `ChainBroker` or `IBBroker`.
        bookkeeper: what is written down.
        policy, events: who suggests, and the calendar.
        approver: who is asked; `person` tells whether somebody who needs time is there now.
        settings: all of them.
        clock, latches, inbox, guards: what holds the desk back, and what is told to it.
        memory: of the process before, None for a fresh session.
        recorder: holds the bars of the process before.
        reporting: heartbeat and status.
        teller: orders in words.
        say: one line for the person.
    """

    mode: str
    market: LiveMarket
    inner: Any
    bookkeeper: Bookkeeper
    policy: Policy
    events: Sequence[Event]
    approver: Approver
    person: Callable[[], bool]
    settings: Settings
    clock: Clock
    latches: Latches
    inbox: Inbox
    guards: Guards
    reporting: Reporting
    teller: Teller
    say: Callable[[str], None]
    memory: DeskMemory | None = None
    recorder: RunRecorder | None = None


@dataclass
class LiveDesk:
    """Runs one session; `run` returns when it is over or was stopped.

    Attributes:
        strategy: while it runs and after.
        is_over: whether the close was reached and nothing is left to do.
    """

    parts: DeskParts
    strategy: Any = None
    is_over: bool = False
    _stopping: str = ""
    _was_halted: bool = False
    _broker: Any = field(init=False)
    _bars: BarWriter = field(init=False)
    _controls: Any = None
    _cerebro: Any = None

    def __post_init__(self) -> None:
        p = self.parts
        recorder = p.recorder if p.recorder is not None else RunRecorder(p.policy.actions)
        self._bars = BarWriter(p.bookkeeper.record, recorder, p.market.feed)
        live, rules = p.settings.live, p.settings.rules
        self._broker = AttendedBroker(
            p.inner,
            p.approver,
            recheck=Recheck(
                p.settings,
                p.market.board.latest,
                p.clock,
                self.halted,
                lambda: self.strategy.daily_loss,
                lambda: self.strategy.tracker.realised_pnl,
                p.events,
            ),
            decided=p.bookkeeper.decided,
            asked=self._asked,
            concluded=p.bookkeeper.concluded,
            told=self._told,
            clock=p.clock,
            question_seconds=rules.question_seconds,
            exits=live.exits,
            repeat_seconds=live.repeat_seconds,
            quotes=p.market.board.latest,
            before=self._before,
            after=self._after,
        )
        self._broker.watch(p.market.feed)
        self._recorder = recorder
        entry = _entry_of(p.memory)
        if entry is not None:
            self._broker.remember(entry)
            p.market.board.watch(entry.contract)

    def stop(self, reason: str) -> None:
        """Stop at the next loop, from any thread or signal handler; positions stay as they are."""
        self._stopping = self._stopping or reason
        self.parts.market.feed.wake()

    def run(self) -> None:
        """Trade the session. Raises what the market, broker or journal cannot go on after."""
        p = self.parts
        self._cerebro = cerebro = bt.Cerebro(stdstats=False, quicknotify=True)
        cerebro.adddata(p.market.feed)
        cerebro.setbroker(self._broker)
        cerebro.addstrategy(
            DeskStrategy,
            policy=p.policy,
            settings=p.settings,
            recorder=self._recorder,
            events=p.events,
            gate=self.halted,
            memory=p.memory,
            on_daily_loss=self._daily_loss,
            attach=self._attach,
            heed=p.guards.heed,
        )
        try:
            cerebro.run()
        finally:
            self._bars.flush()

    def halted(self) -> str:
        """Why no entry may be suggested or sent now; empty when one may."""
        p = self.parts
        own = p.guards.halted or p.latches.halted or getattr(p.inner, "halted", "")
        books = self.strategy.books_fault if self.strategy is not None else ""
        return own or books or p.bookkeeper.fault

    @property
    def position(self) -> Position | None:
        """The open position, None when flat."""
        return None if self.strategy is None else self.strategy.tracker.position

    @property
    def parting(self) -> str:
        """What the desk leaves behind when it is stopped before the close."""
        if self.position is None:
            return "Stopped; there is no open position."
        at_broker = getattr(self.parts.inner, "native_stop_price", lambda: None)()
        guard = (
            f"its stop rests at the broker at {at_broker:.2f}"
            if at_broker
            else ("NOTHING protects it while the desk is away")
        )
        return f"Stopped with an open position: {guard}."

    # In every loop -------------------------------------------------------------------------------

    def _attach(self, strategy: Any) -> None:
        self.strategy = strategy
        p = self.parts
        self._controls = Controls(strategy, self._broker, p.latches, p.inner, self.note)

    def _before(self, at_bar: bool) -> None:
        if at_bar:
            self._bars.flush()
            self._bars.see()
        self.parts.guards.look()
        while (instruction := self.parts.inbox.take()) is not None:
            self._carry_out(instruction, at_bar)

    def _after(self, at_bar: bool) -> None:
        p = self.parts
        if not at_bar:
            self._bars.flush()
        p.guards.watch(self.position)
        question = self._broker.open_question
        p.market.hold(question is not None and p.person())
        halted = self.halted()
        self._tell_halt(halted)
        p.reporting.report(self.strategy, question, halted)
        if self._stopping or self._is_done():
            p.market.feed.end()

    def _tell_halt(self, halted: str) -> None:
        """Say and write down when entries begin to be refused, and when that is over.

        Before the first bar there is nothing to say: the desk waits for its market.
        """
        if bool(halted) == self._was_halted or not len(self.strategy):
            return
        self._was_halted = bool(halted)
        event = JournalEvent.HALTED if halted else JournalEvent.UNHALTED
        self.note(event, {"reason": halted})
        self.parts.say(f"HALTED: {halted}" if halted else "no longer halted")

    def _carry_out(self, instruction: Any, at_bar: bool) -> None:
        p = self.parts
        detail = {
            "command": str(instruction.command),
            "value": instruction.value,
            "text": instruction.text,
            "channel": instruction.channel,
            "at_bar": at_bar,
        }
        self.note(JournalEvent.INSTRUCTION, detail)
        p.say(self._controls.carry_out(instruction))
        p.reporting.hurry()

    def _is_done(self) -> bool:
        """After the close: flat, or nothing can be done about what is open any more."""
        p = self.parts
        now, close = p.clock.market_now(), p.market.session.close_ns
        last = self._bars.last_ts
        if last is None or last < close:
            return False
        late = now >= close + round(TRADING_AFTER_CLOSE * NANOSECONDS_A_MINUTE)
        self.is_over = self.strategy.tracker.position is None or late or not self._trades_late()
        return self.is_over

    def _trades_late(self) -> bool:
        return self.parts.mode in ("paper", "live", "rehearsal")

    # Listeners -----------------------------------------------------------------------------------

    def _asked(self, order: Any, suggestion: Any, snapshot: Any) -> None:
        p = self.parts
        p.market.hold(p.person())  # now: at the next loop there may be a bar more
        p.market.board.watch(suggestion.contract)
        self._bars.flush()  # a suggestion is never on the disk without its bar
        p.bookkeeper.asked(order, suggestion, snapshot)
        prepare = getattr(p.inner, "prepare", None)
        if prepare is not None:
            prepare(order)

    def _told(self, order: Any) -> None:
        p = self.parts
        p.teller.told(order)
        p.reporting.hurry()
        p.bookkeeper.told(order)

    def _daily_loss(self, dollars: float) -> None:
        reason = f"the daily loss limit was reached: {dollars:,.2f} dollars"
        self.parts.latches.set(Latch.DAILY_LOSS, reason, dollars=dollars)
        self.parts.say(f"DAILY LOSS: {reason}. No more entries; the position follows its plan")

    def note(self, event: JournalEvent, detail: Mapping[str, Any]) -> None:
        """Write a session event at the time of the last bar, where a replay looks for it."""
        self.parts.bookkeeper.event(event, self._bars.last_ts, **detail)


def _entry_of(memory: DeskMemory | None) -> Suggestion | None:
    """The suggestion behind the newest entry of the process before."""
    entries = [past.suggestion for past in memory.fills] if memory is not None else []
    return next((one for one in reversed(entries) if one is not None), None)
