"""From a call to a desk that is ready to run: account, market, journal, person, in that order.

What an earlier process of the same session left in the journal decides where the market goes on and
what the broker holds; nothing is traded before journal and account agree.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path

from brokers.journal.journal import Journal
from brokers.journal.session import SessionFacts
from desk.account import Account, Made, Place, RehearsalAccount, SimulatedAccount, open_ib_account
from desk.assembling import Assembly, Materials
from desk.calls import REAL_MODES, LiveCall, Suggester
from desk.clock import DeskClock
from desk.heartbeat import Heartbeat, start_watchdog
from desk.markets import LiveMarket, mock_market, replay_market, theta_market
from desk.open_session import OpenDesk
from desk.real_money import before_real_money
from desk.which_session import journal_path, left_open, session_facts
from errors import SettingError
from feeds.sessions import to_new_york
from feeds.theta.market_time import MarketTime, market_time
from settings import Settings
from vocabulary import DeskMemory

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
        self.left_open_id: str | None = None
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
            self.settings = before_real_money(
                self.settings, account.name, self.suggester, self.call
            )
        facts, memory = self._session(account, mode, theta)
        folder = Path(facts.run_folder)
        market = self.market = self.stack.enter_context(self._market(facts, memory))
        path = journal_path(self.settings, mode)
        journal = self.stack.enter_context(Journal(path, durable=mode in REAL_MODES))
        self._check_unchanged(path, facts)
        session_id = journal.open_session(facts, self.now())
        made = account.broker(
            Place(market, journal, self.clock, self.settings, folder, self.stack, self.wake)
        )
        assembly = self._assembly(market, journal, facts, made)
        desk, heartbeat = assembly.desk(), assembly.heartbeat
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
            person=assembly.person,
            heartbeat=heartbeat,
            gate=self.suggester.gate,
        )

    def _assembly(
        self, market: LiveMarket, journal: Journal, facts: SessionFacts, made: Made
    ) -> Assembly:
        return Assembly(
            Materials(
                call=self.call,
                settings=self.settings,
                suggester=self.suggester,
                market=market,
                journal=journal,
                facts=facts,
                made=made,
                heartbeat=Heartbeat(Path(facts.run_folder) / HEARTBEAT),
                clock=self.clock,
                wake=self.wake,
                plain=self.say,
                stack=self.stack,
            )
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
        self.left_open_id = None if row is None else row["id"]
        kept = row["run_folder"] if row is not None else ""
        folder = Path(kept) if kept else self.call.new_folder(facts.model)
        folder.mkdir(parents=True, exist_ok=True)
        self.stack.callback(_remove_if_empty, folder)
        self.start_ts = memory.last_ts or 0 if memory is not None else 0
        return replace(facts, run_folder=str(folder)), memory

    def _check_unchanged(self, path: Path, facts: SessionFacts) -> None:
        """What was read before the journal was ours: another desk may have ended it since."""
        row, _ = left_open(path, facts)
        if (None if row is None else row["id"]) != self.left_open_id:
            raise SettingError("another desk has just begun or ended this session: call again")

    def _market(self, facts: SessionFacts, memory: DeskMemory | None) -> LiveMarket:
        call, settings, folder = self.call, self.settings, Path(facts.run_folder)
        start = None if memory is None else memory.last_ts
        if call.kind == "theta":
            return theta_market(settings, folder=folder)
        day, speed = facts.session_date, call.speed
        if call.kind == "mock":
            return mock_market(settings, day, speed, start, folder=folder)
        return replay_market(settings, day, speed, start, call.blind, folder=folder)


def _mode(call: LiveCall, account: Account, theta: MarketTime | None) -> str:
    if call.rehearse:
        return "rehearsal"
    if theta is None:
        return call.kind
    return "mock" if theta.is_simulated else account.mode


def _remove_if_empty(folder: Path) -> None:
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
