"""A small live desk for tests, with a real journal: the day row by row, answers at their instants.

It is wired by hand, apart from `desk.session`, so that a replay is held against something else.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import backtrader as bt

from brokers.chain_broker import ChainBroker
from brokers.journal.bookkeeper import Bookkeeper
from brokers.journal.events import Event
from brokers.journal.journal import Journal
from brokers.journal.reader import JournalReader
from brokers.journal.session import SessionFacts
from desk.attended import AttendedBroker, DeskStrategy
from desk.bar_rows import BarWriter, refilled
from desk.instructions import Controls
from desk.journaled import Instant, JournaledSession
from desk.journaled_session import read_session
from desk.safety import Latches
from feeds.chain import ChainDay
from feeds.live.live_feed import LiveFeed
from settings import Settings
from strategies.recorder import RunRecorder
from vocabulary import Answer, Decision, Instruction, JournalRecord, Suggestion, Verdict

Told = tuple[Instant, str]
"""An answer ("y", "n: reason code", ...) and when it takes effect."""

Ordered = tuple[Instant, Instruction]
"""An instruction and when it takes effect."""


@dataclass
class TimedApprover:
    """Answers the n-th question at the n-th instant; never where there is no n-th."""

    answers: Sequence[Told]
    now: Instant = field(default_factory=lambda: Instant(0))
    channel: str = "test"
    asked: list[str] = field(default_factory=list)

    def ask(self, suggestion: Suggestion) -> None:
        if suggestion.id not in self.asked:
            self.asked.append(suggestion.id)

    def answer(self, suggestion: Suggestion) -> Decision | None:
        number = self.asked.index(suggestion.id)
        if number >= len(self.answers) or self.answers[number][0] > self.now:
            return None
        word, _, code = self.answers[number][1].partition(": ")
        return Decision(suggestion.id, Answer(word), self.channel, 2.0, "", code)

    def withdraw(self, suggestion: Suggestion, reason: str) -> None: ...

    def conclude(self, suggestion: Suggestion, decision: Decision, outcome: str) -> None: ...


@dataclass
class Plot:
    """What happens to a desk: answers, instructions, refusals at the moment of yes, halts."""

    policy: Any
    settings: Settings
    answers: Sequence[Told] = ()
    instructions: Sequence[Ordered] = ()
    recheck: Callable[..., Verdict] = lambda order, snapshot: Verdict(True)
    gate: Callable[[int], str] = lambda ts: ""


def rows_of(day: ChainDay, *without: int) -> list[ChainDay]:
    """The rows of a day as a market hands them over, some left out."""
    return [
        replace(day.row(t), recorded=int(t < day.recorded))
        for t in range(len(day))
        if t not in without
    ]


class SmallDesk:
    """One process of a desk on one journal; made again, it goes on."""

    def __init__(
        self, plot: Plot, day: ChainDay, journal: Journal, loops: int = 1, folder: Path = Path()
    ) -> None:
        self.plot, self.day, self.journal, self.loops = plot, day, journal, loops
        settings = plot.settings
        self.facts = SessionFacts(
            mode="mock",
            session_date=day.session.date,
            run_folder=str(folder),
            settings=settings.model_dump(mode="json"),
        )
        self.session_id = journal.open_session(self.facts)
        self.approver = TimedApprover(plot.answers)
        self.waiting = list(plot.instructions)
        self.feed = LiveFeed(newest_only=False)
        self.feed.set_official_close(day.session, day.official_close, "end-of-day")
        self.books = Bookkeeper(journal, self.facts, lambda: self.feed.snapshot().ts)
        self.inner = ChainBroker(settings.capital, settings.fills)
        self.memory, self.recorder = self._before_me()
        self.bars = BarWriter(journal.write, self.recorder, self.feed)

    def _before_me(self) -> tuple[Any, RunRecorder]:
        if not self.journal.resumed:
            return None, RunRecorder(self.plot.policy.actions)
        memory = self.journal.memory()
        with JournalReader(self.journal.path) as reader:
            bars = reader.table("bars", [self.session_id])
        self.inner.restore(memory)
        return memory, refilled(self.plot.policy.actions, bars)

    def run(self, rows: Sequence[ChainDay]) -> "SmallDesk":
        for row in rows:
            self.feed.put(row)
            for _ in range(self.loops):
                self.feed.wake()
        self.feed.end()
        self.broker = AttendedBroker(
            self.inner,
            self.approver,
            recheck=self.plot.recheck,
            asked=self.books.asked,
            decided=self.books.decided,
            concluded=self.books.concluded,
            told=self.books.told,
            exits=self.plot.settings.live.exits,
            repeat_seconds=0.0,
            before=self._before,
            after=self._after,
        )
        self.broker.watch(self.feed)
        cerebro = bt.Cerebro(stdstats=False, quicknotify=True)
        cerebro.adddata(self.feed)
        cerebro.setbroker(self.broker)
        cerebro.addstrategy(
            DeskStrategy,
            policy=self.plot.policy,
            settings=self.plot.settings,
            recorder=self.recorder,
            memory=self.memory,
            gate=lambda: self.plot.gate(self.feed.snapshot().ts),
            attach=self._attach,
        )
        cerebro.run()
        self.bars.flush()
        return self

    def _attach(self, strategy: Any) -> None:
        self.strategy, self.latches = strategy, Latches()

    def _before(self, at_bar: bool) -> None:
        if at_bar:
            self.bars.see()
        now = Instant(self.feed.snapshot().ts, not at_bar)
        self.approver.now = now
        while self.waiting and self.waiting[0][0] <= now:
            instruction = self.waiting.pop(0)[1]
            self._note(instruction, now)
            Controls(self.strategy, self.broker, self.latches, None).carry_out(instruction)

    def _note(self, instruction: Instruction, now: Instant) -> None:
        detail = {"command": str(instruction.command), "value": instruction.value}
        detail |= {"text": instruction.text, "channel": "test", "at_bar": not now.later}
        row = {"event": Event.INSTRUCTION, "detail": detail}
        self.journal.write(JournalRecord("session_events", now.ts, row))

    def _after(self, at_bar: bool) -> None:
        self.approver.now = Instant(self.feed.snapshot().ts, later=True)
        if not at_bar:
            self.bars.flush()


@contextmanager
def journal_in(folder: Path) -> Iterator[Journal]:
    """A journal of practice."""
    with Journal(folder / "practice.db", durable=False) as journal:
        yield journal


def lived(plot: Plot, day: ChainDay, folder: Path, **terms: Any) -> JournaledSession:
    """The journal of a day that one desk traded from its first row to its last."""
    with journal_in(folder) as journal:
        desk = SmallDesk(plot, day, journal, **terms).run(rows_of(day))
        return journaled(journal, desk.session_id)


def journaled(journal: Journal, session_id: str) -> JournaledSession:
    """What the journal holds of a session."""
    with JournalReader(journal.path) as reader:
        return read_session(reader, session_id)
