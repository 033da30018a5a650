"""The desk put together: market, broker and journal are there, what remains is people and parts."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property

from brokers.channels import Channels
from brokers.journal.bookkeeper import Bookkeeper
from brokers.journal.journal import Journal
from brokers.journal.reader import JournalReader
from brokers.journal.session import SessionFacts
from desk.account import Made
from desk.bar_rows import refilled
from desk.blind import BlindApprover
from desk.calls import LiveCall, Suggester
from desk.context import Channel, Context
from desk.explaining import Explanation
from desk.gated import GateApprover
from desk.guards import Guards
from desk.heartbeat import Heartbeat
from desk.instructions import Inbox
from desk.markets import LiveMarket
from desk.markets.market import Mask
from desk.person import Person, given_before, open_person
from desk.reporting import Reporting
from desk.safety import Latches
from desk.session import DeskParts, LiveDesk
from desk.status import StatusBoard
from desk.telling import Teller
from settings import Settings
from strategies.events import Event, read_events
from strategies.recorder import RunRecorder
from vocabulary import Approver, Clock, DeskStatus


@dataclass(frozen=True, kw_only=True)
class Materials:
    """What a desk is put together from; all of it is open.

    Args:
        call, settings, suggester: what was asked for, and who suggests.
        market, journal, facts, made, heartbeat, clock: of the session.
        wake: ends Cerebro's wait.
        plain: prints where there is no terminal to print above.
        stack: closes what is opened here.
    """

    call: LiveCall
    settings: Settings
    suggester: Suggester
    market: LiveMarket
    journal: Journal
    facts: SessionFacts
    made: Made
    heartbeat: Heartbeat
    clock: Clock
    wake: Callable[[], None]
    plain: Callable[[str], None]
    stack: ExitStack


class Assembly:
    """Makes each part once, when another needs it."""

    def __init__(self, materials: Materials) -> None:
        """Nothing is opened yet."""
        self._m = materials
        self._desk: LiveDesk | None = None
        self.heartbeat = materials.heartbeat
        facts = materials.facts
        self.inbox = Inbox(materials.wake)
        self.board = StatusBoard(
            DeskStatus(mode=facts.mode, account=facts.account, model=facts.model)
        )

    def desk(self) -> LiveDesk:
        """Everything in its place, ready to run."""
        m, person = self._m, self.person
        approver = self._approver()
        self._desk = LiveDesk(
            DeskParts(
                mode=m.facts.mode,
                market=m.market,
                inner=m.made.broker,
                bookkeeper=self.bookkeeper,
                policy=m.suggester.policy,
                events=self.events,
                approver=approver,
                person=self._somebody_needs_time,
                settings=m.settings,
                clock=m.clock,
                latches=self._latches(),
                inbox=self.inbox,
                guards=Guards(m.market, m.settings, m.clock, self.inbox, self.say, person.timed),
                reporting=Reporting(m.market, m.made.broker, self.board, m.heartbeat, m.clock),
                teller=Teller(self.say, m.market.mask),
                say=self.say,
                memory=m.made.memory,
                recorder=self._recorder(),
            )
        )
        return self._desk

    # --- what is written down, and what it leaves behind

    @cached_property
    def bookkeeper(self) -> Bookkeeper:
        """Writes what happens."""
        m = self._m
        return Bookkeeper(
            m.journal,
            m.facts,
            m.clock.market_now,
            quote=m.market.board.latest,
            model_schema=m.suggester.schema,
        )

    def _latches(self) -> Latches:
        """Those that the process before left set are set."""
        latches = Latches(self.bookkeeper.record, self._m.clock.market_now)
        if self._m.made.memory is not None:
            latches.restore(self._m.made.memory)
        return latches

    def _recorder(self) -> RunRecorder | None:
        """The bars of the process before, None for a fresh session."""
        m = self._m
        if m.made.memory is None:
            return None
        with JournalReader(m.journal.path) as reader:
            bars = reader.table("bars", [str(m.journal.session_id)])
        return refilled(m.suggester.policy.actions, bars)

    # --- who is asked and told

    @cached_property
    def events(self) -> list[Event]:
        """The calendar file's."""
        path = self._m.settings.rules.events
        return [] if path is None else read_events(path)

    @cached_property
    def explain(self) -> Explanation:
        """The lines above a suggestion."""
        return Explanation(self._m.settings, self.events)

    @cached_property
    def person(self) -> Person:
        """At the terminal, in a file, or at the other end of a pipe."""
        m = self._m
        return open_person(
            m.call.answers,
            scripted=m.call.person,
            journal=m.journal.path,
            given=given_before(m.journal.path, str(m.journal.session_id)),
            status=self.board,
            inbox=self.inbox,
            wake=m.wake,
            quit=self._quit,
            mask=m.market.mask,
            explain=self.explain,
            plain=m.plain,
            stack=m.stack,
        )

    @cached_property
    def channels(self) -> list[Channel]:
        """The further channels that were asked for, open."""
        channels = [make(self._context()) for make in self._m.call.channels]
        for channel in channels:
            self._m.stack.callback(channel.close)
            channel.start()
        return channels

    def say(self, text: str) -> None:
        """One line for the person and for every screen."""
        self.board.message(self._m.clock.market_now(), text)
        self.person.say(text)

    def _context(self) -> Context:
        m = self._m
        return Context(
            status=self.board,
            inbox=self.inbox,
            wake=m.wake,
            market=m.market,
            journal=m.journal.path,
            session_id=str(m.journal.session_id),
            mask=m.market.mask,
            settings=m.settings,
            clock=m.clock,
            explain=self.explain,
            say=self.person.say,
        )

    def _approver(self) -> Approver:
        """Every channel, behind the gate where there is one; no probes on a live account."""
        m, gate = self._m, self._m.suggester.gate
        shown = _shown(self.channels, m.market.mask)
        asked: Approver = Channels([self.person.approver, *shown], self.say)
        if gate is None:
            return asked
        gate = gate.without_probes() if m.facts.mode == "live" else gate
        gated = GateApprover(asked, gate, self.say)
        self.bookkeeper.gate, self.explain.gate = gated.columns, gated.explanation
        return gated

    def _somebody_needs_time(self) -> bool:
        return self.person.needs_time() or any(one.needs_time for one in self.channels)

    def _quit(self) -> None:
        if self._desk is not None:  # a key before the desk is there quits nothing yet
            self._desk.stop("stopped by the person")


def _shown(channels: Sequence[Channel], mask: Mask) -> list[Approver]:
    """The channels as approvers that see what the mask leaves."""
    return [BlindApprover(one, mask) if mask.hides else one for one in channels]
