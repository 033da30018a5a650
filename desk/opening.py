"""From a call to a desk that is ready to run: market, journal, account, person, in that order.

What an earlier process of the same session left in the journal decides where the market goes on and
what the broker holds; nothing is traded before journal and account agree.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path

from brokers.channels import Channels
from brokers.journal.bookkeeper import Bookkeeper
from brokers.journal.journal import Journal
from brokers.journal.reader import JournalReader
from brokers.journal.session import SessionFacts
from desk.account import Account, Made, Place, RehearsalAccount, SimulatedAccount, open_ib_account
from desk.bar_rows import refilled
from desk.blind import BlindApprover
from desk.calls import REAL_MODES, LiveCall, Suggester
from desk.clock import DeskClock
from desk.context import Channel, Context
from desk.explaining import Explanation
from desk.gated import GateApprover
from desk.guards import Guards
from desk.heartbeat import Heartbeat, start_watchdog
from desk.instructions import Inbox
from desk.markets import LiveMarket, mock_market, replay_market, theta_market
from desk.markets.market import Mask
from desk.open_session import OpenDesk
from desk.person import Person, given_before, open_person
from desk.real_money import before_real_money
from desk.reporting import Reporting
from desk.safety import Latches
from desk.session import DeskParts, LiveDesk
from desk.status import StatusBoard
from desk.telling import Teller
from desk.which_session import journal_path, left_open, session_facts
from errors import SettingError
from feeds.sessions import to_new_york
from feeds.theta.market_time import MarketTime, market_time
from settings import Settings
from strategies.events import read_events
from strategies.recorder import RunRecorder
from vocabulary import Approver, DeskMemory, DeskStatus

HEARTBEAT = "heartbeat.json"


@contextmanager
def open_desk(
    call: LiveCall, settings: Settings, suggester: Suggester, say: Callable[[str], None]
) -> Iterator[OpenDesk]:
    """Open everything; closed again in the reverse order.

    `say` prints until the person's own channel is there. Raises `DeskError` in one line where
    anything needed is missing: nothing was traded then.
    """
    with ExitStack() as stack:
        yield _Opening(call, settings, suggester, say, stack).desk()


class _Opening:
    """The steps, each of which needs those before it."""

    def __init__(
        self,
        call: LiveCall,
        settings: Settings,
        suggester: Suggester,
        say: Callable[[str], None],
        stack: ExitStack,
    ) -> None:
        self.call, self.settings, self.suggester = call, settings, suggester
        self.say, self.stack = say, stack
        self.market: LiveMarket | None = None
        self.start_ts = 0
        self.theta: MarketTime | None = None
        self.clock = DeskClock(self.now)

    def now(self) -> int:
        """Market time; never before the bar at which the session goes on."""
        if self.market is not None:
            return max(self.start_ts, self.market.now())
        return time.time_ns() if self.theta is None else self.theta.now()

    def wake(self) -> None:
        """End Cerebro's wait, once there is a market."""
        if self.market is not None:
            self.market.feed.wake()

    def desk(self) -> OpenDesk:
        """All of it."""
        theta = market_time(self.settings.theta.url) if self.call.kind == "theta" else None
        self.theta = theta
        account = self._account(theta)
        mode = _mode(self.call, account, theta)
        if mode == "live":
            self.settings = before_real_money(self.settings, account.name, self.suggester)
        facts, memory = self._session(account, mode, theta)
        folder = Path(facts.run_folder)
        market = self.market = self.stack.enter_context(self._market(facts, memory))
        path = journal_path(self.settings, mode)
        journal = self.stack.enter_context(Journal(path, durable=mode in REAL_MODES))
        session_id = journal.open_session(facts, self.now())
        made = account.broker(
            Place(market, journal, self.clock, self.settings, folder, self.stack, self.wake)
        )
        heartbeat = Heartbeat(folder / HEARTBEAT)
        desk, person = self._assembled(market, journal, facts, made, heartbeat)
        if self.settings.live.watchdog:
            live = self.settings.live
            start_watchdog(heartbeat.path, live.watchdog_seconds, live.alarm, path)
        return OpenDesk(
            desk=desk,
            market=market,
            account=account,
            journal=journal,
            session_id=session_id,
            facts=facts,
            settings=self.settings,
            folder=folder,
            resumed=journal.resumed,
            found=made.found,
            person=person,
            heartbeat=heartbeat,
            gate=self.suggester.gate,
        )

    def _account(self, theta: MarketTime | None) -> Account:
        settings, call = self.settings, self.call
        if settings.broker == "simulated":
            return SimulatedAccount()
        named = "port" in settings.ib.model_fields_set
        if call.rehearse and not named:
            if call.kind == "theta":
                raise SettingError("--rehearse on a terminal needs --ib-port of a paper gateway")
            return RehearsalAccount()
        if not call.rehearse and (call.kind != "theta" or (theta and theta.is_simulated)):
            raise SettingError("--broker ib in simulated time: say --rehearse")
        return open_ib_account(settings, call.rehearse, self.wake, self.now, self.stack)

    def _session(
        self, account: Account, mode: str, theta: MarketTime | None
    ) -> tuple[SessionFacts, DeskMemory | None]:
        """The session with its run folder, and what an open one of it remembers."""
        today = to_new_york(theta.now()).date() if theta is not None else date.min
        facts = session_facts(self.call, self.settings, self.suggester, mode, account.name, today)
        row, memory = left_open(journal_path(self.settings, mode), facts)
        kept = row["run_folder"] if row is not None else ""
        folder = Path(kept) if kept else self.call.new_folder(facts.model)
        folder.mkdir(parents=True, exist_ok=True)
        self.stack.callback(_remove_if_empty, folder)
        self.start_ts = memory.last_ts or 0 if memory is not None else 0
        return replace(facts, run_folder=str(folder)), memory

    def _market(self, facts: SessionFacts, memory: DeskMemory | None) -> LiveMarket:
        call, settings, folder = self.call, self.settings, Path(facts.run_folder)
        start = None if memory is None else memory.last_ts
        if call.kind == "theta":
            return theta_market(settings, folder=folder)
        day, speed = facts.session_date, call.speed
        if call.kind == "mock":
            return mock_market(settings, day, speed, start, folder=folder)
        return replay_market(settings, day, speed, start, call.blind, folder=folder)

    def _assembled(
        self,
        market: LiveMarket,
        journal: Journal,
        facts: SessionFacts,
        made: Made,
        heartbeat: Heartbeat,
    ) -> tuple[LiveDesk, Person]:
        settings, clock = self.settings, self.clock
        path = settings.rules.events
        events = [] if path is None else read_events(path)
        inbox = Inbox(self.wake)
        board = StatusBoard(DeskStatus(mode=facts.mode, account=facts.account, model=facts.model))
        bookkeeper = Bookkeeper(
            journal,
            facts,
            clock.market_now,
            quote=market.board.latest,
            model_schema=self.suggester.schema,
        )
        latches = Latches(bookkeeper.record, clock.market_now)
        if made.memory is not None:
            latches.restore(made.memory)
        stop: list[LiveDesk] = []
        explain = Explanation(settings, events)
        person = open_person(
            self.call.answers,
            scripted=self.call.person,
            journal=journal.path,
            given=given_before(journal.path, str(journal.session_id)),
            status=board,
            inbox=inbox,
            wake=self.wake,
            quit=lambda: stop[0].stop("stopped by the person"),
            mask=market.mask,
            explain=explain,
            plain=self.say,
            stack=self.stack,
        )
        say = _teller(board, person, clock)
        channels = self._channels(
            Context(
                status=board,
                inbox=inbox,
                wake=self.wake,
                market=market,
                journal=journal.path,
                session_id=str(journal.session_id),
                mask=market.mask,
                settings=settings,
                clock=clock,
                explain=explain,
                say=person.say,
            )
        )
        asked: Approver = Channels([person.approver, *_shown(channels, market.mask)], say)
        gate = self.suggester.gate
        if gate is not None:
            gated = GateApprover(
                asked, gate.without_probes() if facts.mode == "live" else gate, say
            )
            bookkeeper.gate, explain.gate, asked = gated.columns, gated.explanation, gated
        guards = Guards(market, settings, clock, inbox, say, person.timed)
        desk = LiveDesk(
            DeskParts(
                mode=facts.mode,
                market=market,
                inner=made.broker,
                bookkeeper=bookkeeper,
                policy=self.suggester.policy,
                events=events,
                approver=asked,
                person=lambda: person.needs_time() or any(one.needs_time for one in channels),
                settings=settings,
                clock=clock,
                latches=latches,
                inbox=inbox,
                guards=guards,
                reporting=Reporting(market, made.broker, board, heartbeat, clock),
                teller=Teller(say, market.mask),
                say=say,
                memory=made.memory,
                recorder=self._recorder(journal) if made.memory is not None else None,
            )
        )
        stop.append(desk)
        return desk, person

    def _channels(self, context: Context) -> list[Channel]:
        """The further channels that were asked for, open."""
        channels = [make(context) for make in self.call.channels]
        for channel in channels:
            self.stack.callback(channel.close)
            channel.start()
        return channels

    def _recorder(self, journal: Journal) -> RunRecorder:
        """The bars of the process before."""
        with JournalReader(journal.path) as reader:
            bars = reader.table("bars", [str(journal.session_id)])
        return refilled(self.suggester.policy.actions, bars)


def _mode(call: LiveCall, account: Account, theta: MarketTime | None) -> str:
    if call.rehearse:
        return "rehearsal"
    if theta is None:
        return call.kind
    return "mock" if theta.is_simulated else account.mode


def _shown(channels: Sequence[Channel], mask: Mask) -> list[Approver]:
    """The channels as approvers that see what the mask leaves."""
    return [BlindApprover(one, mask) if mask.hides else one for one in channels]


def _teller(board: StatusBoard, person: Person, clock: DeskClock) -> Callable[[str], None]:
    def say(text: str) -> None:
        board.message(clock.market_now(), text)
        person.say(text)

    return say


def _remove_if_empty(folder: Path) -> None:
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
