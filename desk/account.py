"""Where orders go: simulated fills, an account at Interactive Brokers, or a rehearsal of one."""

import socket
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from brokers.chain_broker import ChainBroker
from brokers.ib.broker import IBBroker
from brokers.ib.link import IBLink
from brokers.ib.records import AccountRule, LinkState
from brokers.ib_gateway.gateway import SimulatedGateway
from brokers.ib_gateway.market import ChainDayMarket
from brokers.journal.journal import Journal
from brokers.journal.reader import JournalReader
from desk.locks import ProcessLock, lock_account
from desk.markets import LiveMarket, Mask
from desk.markets.recorded import RecordedMarket
from desk.markets.simulated import PlayedMarket
from desk.settling import settle_earlier
from errors import AccountRefusedError, GatewayUnreachableError
from feeds.sessions import to_new_york
from settings import IBSettings, Settings
from vocabulary import NEVER_ASKED, Clock, DeskMemory, ExitReason, JournalRecord

SIMULATED = "simulated"
REHEARSAL_ACCOUNT = "DU0000001"
"""Of the stand-in for IB Gateway that a rehearsal starts itself."""

GATEWAY_STATE = "gateway.json"
EXPIRY_SECONDS = 3600.0
"""A real account lists an expired option until its night's work; so long after the close here."""

LISTEN_SECONDS = 3.0
CONNECT_SECONDS = 20.0
DIED = "it had not filled and died with the desk"
_AT_THE_BROKER = ("Accepted", "Partial")
_FINAL = ("Completed", "Canceled", "Rejected", "Margin", "Expired")


@dataclass(frozen=True, slots=True)
class Place:
    """What a broker needs to be made."""

    market: LiveMarket
    journal: Journal
    clock: Clock
    settings: Settings
    folder: Path
    stack: ExitStack
    wake: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Made:
    """A broker that knows what it holds, what the desk remembers, and what was found."""

    broker: Any
    memory: DeskMemory | None
    found: tuple[str, ...] = ()


class Account(Protocol):
    """An account by its name and the mode it is traded in."""

    name: str
    mode: str

    def broker(self, place: Place) -> Made:
        """Make the broker and reconcile it with the journal, before the first bar."""


class SimulatedAccount:
    """Fills at bid and ask of the market's own quotes; nothing leaves the desk."""

    name, mode = SIMULATED, "shadow"

    def broker(self, place: Place) -> Made:
        """A `ChainBroker`, with the fills of the process before."""
        journal, settings = place.journal, place.settings
        broker = ChainBroker(settings.capital, settings.fills)
        if not journal.resumed:
            return Made(broker, None)
        memory = journal.memory()
        reason, decided_ts = _working_exit(journal, settings)
        broker.restore(memory, reason, decided_ts)
        dead = _end_entries(place, memory)
        return Made(broker, memory, (*_remembered(memory, place.market.mask), *dead))


class IBAccount:
    """A connected account: the link is up, and its account may be traded."""

    def __init__(self, link: IBLink, mode: str) -> None:
        """`mode` is "paper", "live" or "rehearsal"."""
        self._link = link
        self.name, self.mode = link.account, mode

    def broker(self, place: Place) -> Made:
        """An `IBBroker` whose books agree with IB's, or that says where they differ."""
        return _recovered(self._link, place)


class RehearsalAccount:
    """A paper account of our own stand-in for IB Gateway, on the market's own quotes.

    Its books are in the run's folder, so that they outlive the desk as an account does.
    """

    name, mode = REHEARSAL_ACCOUNT, "rehearsal"

    def broker(self, place: Place) -> Made:
        """Start the stand-in, connect to it, reconcile."""
        market = place.market
        assert isinstance(
            market, PlayedMarket | RecordedMarket
        )  # a terminal's needs a gateway of its own
        gateway = SimulatedGateway(
            ChainDayMarket(market.day, place.clock.market_now),
            accounts=(REHEARSAL_ACCOUNT,),
            state=place.folder / GATEWAY_STATE,
            fees=place.settings.fills,
            expiry_seconds=EXPIRY_SECONDS,
        )
        place.stack.enter_context(gateway)
        address = {"host": "127.0.0.1", "port": gateway.port}
        settings = place.settings.ib.model_copy(update=address)
        rule = AccountRule(account=REHEARSAL_ACCOUNT)
        link = connected(settings, rule, place.wake, place.clock.market_now, place.stack)
        return _recovered(link, place)


def connected(
    settings: IBSettings,
    rule: AccountRule,
    wake: Callable[[], None],
    now: Callable[[], int],
    stack: ExitStack,
) -> IBLink:
    """A link that is up.

    Raises `GatewayUnreachableError` where nothing answers in time, `AccountRefusedError` where the
    account is not one that `rule` allows.
    """
    _look_whether_somebody_listens(settings)
    link = IBLink(settings, rule, wake, now)
    stack.callback(link.close)
    link.start()
    until = time.monotonic() + CONNECT_SECONDS
    while link.state is not LinkState.UP:
        if link.state is LinkState.REFUSED:
            raise AccountRefusedError(link.line)
        if time.monotonic() > until:
            raise GatewayUnreachableError(link.line)
        time.sleep(0.02)
    return link


def _look_whether_somebody_listens(settings: IBSettings) -> None:
    """A port that nobody listens on is told at once; a gateway that logs in is waited for."""
    place = f"{settings.host}:{settings.port}"
    try:
        socket.create_connection((settings.host, settings.port), LISTEN_SECONDS).close()
    except OSError as error:
        raise GatewayUnreachableError(
            f"no IB Gateway at {place} ({error.strerror or error}): start it or TWS, log in, "
            "enable its API; --ib-port names the port (paper: 4002, TWS 7497)"
        ) from error


def open_ib_account(
    settings: Settings,
    rehearse: bool,
    wake: Callable[[], None],
    now: Callable[[], int],
    stack: ExitStack,
) -> IBAccount:
    """Connect to the gateway of the settings and lock its account for this process.

    A rehearsal takes paper accounts alone. Raises `DeskError` as `connected` and the lock do.
    """
    live = None if rehearse else settings.ib.live_account
    rule = AccountRule(account=live or settings.ib.account, allow_live=live)
    ib = settings.ib  # a second client of that number would only hear 326, again and again
    stack.enter_context(ProcessLock(f"IB Gateway {ib.host}:{ib.port} client {ib.client_id}"))
    link = connected(ib, rule, wake, now, stack)
    stack.enter_context(lock_account(link.account))
    mode = "rehearsal" if rehearse else "live" if live is not None else "paper"
    return IBAccount(link, mode)


def _recovered(link: IBLink, place: Place) -> Made:
    broker = IBBroker(
        link,
        place.journal,
        place.clock,
        place.market.board.latest,
        place.settings,
        place.settings.capital,
    )
    recovery = broker.recover()
    memory = place.journal.memory()  # missed executions are in there by now
    known = memory if place.journal.resumed or memory.fills else None
    settled = settled_earlier(place.journal, link.account, broker, place.clock.market_now())
    found = (*recovery.sentences, *settled, *_remembered(memory, place.market.mask))
    return Made(broker, known, found)


def settled_earlier(journal: Journal, account: str, broker: IBBroker, now: int) -> tuple[str, ...]:
    """Settle what earlier sessions of the account left open, at market time `now`; sentences."""
    if broker.books is None:
        return ()
    today = to_new_york(now).date()
    return tuple(settle_earlier(journal, account, broker.books, today))


def _working_exit(journal: Journal, settings: Settings) -> tuple[ExitReason | None, int | None]:
    """The exit that was at the market, or placed in advance, as the process before ended.

    One that was only asked for is not: nobody said yes, and the strategy decides anew. Nor is one
    of an earlier position: the desk may have died before it wrote that it was done.
    """
    with JournalReader(journal.path) as reader:
        sessions = [str(journal.session_id)]
        intents = reader.rows("intents", sessions)
        status = {row["order_ref"]: row["status"] for row in reader.rows("orders", sessions)}
    last_entry = max((i for i, row in enumerate(intents) if row["purpose"] == "entry"), default=0)
    exits = [row for row in intents[last_entry:] if row["purpose"] == "exit"]
    if not exits or exits[-1]["exit_decided_ts"] is None:
        return None, None
    reason, last = ExitReason(exits[-1]["exit_reason"]), status.get(exits[-1]["order_ref"])
    is_asked = settings.live.exits == "ask" and reason not in NEVER_ASKED
    if last in _FINAL or (is_asked and last not in _AT_THE_BROKER):
        return None, None
    return reason, int(exits[-1]["exit_decided_ts"])


def _end_entries(place: Place, memory: DeskMemory) -> tuple[str, ...]:
    """Write down how entries ended whose end the process before did not live to write.

    What had not filled died with it, and nothing sends it again: its approval is stale. A sentence
    for each of those.
    """
    journal, mask = place.journal, place.market.mask
    with JournalReader(journal.path) as reader:
        sessions = [str(journal.session_id)]
        entries = [row for row in reader.rows("intents", sessions) if row["purpose"] == "entry"]
        states = {row["order_ref"]: row["status"] for row in reader.rows("orders", sessions)}
    told = []
    for entry in entries:
        order_ref = entry["order_ref"]
        if states.get(order_ref) in _FINAL:
            continue
        filled = sum(one.fill.quantity for one in memory.fills if one.order_ref == order_ref)
        is_whole = filled == entry["quantity"]
        end = {"status": "Completed"} if is_whole else {"status": "Canceled", "message": DIED}
        row = {"order_ref": order_ref, "filled": filled, **end}
        journal.write(JournalRecord("orders", place.clock.market_now(), row))
        if not is_whole:
            left = entry["quantity"] - filled
            level = mask.level(entry["strike"])
            told.append(f"entry of {left} SPY {level:g} {entry['right']}: {DIED}")
    return tuple(told)


def _remembered(memory: DeskMemory, mask: Mask) -> tuple[str, ...]:
    held: dict[str, int] = {}
    for past in memory.fills:
        name = f"{mask.level(past.fill.contract.strike):g} {past.fill.contract.right.name}"
        held[name] = held.get(name, 0) + past.fill.side * past.fill.quantity
    positions = [f"position {size:+d} SPY {name}" for name, size in held.items() if size]
    number = len(memory.fills)
    fills = f"{number} fill{'s' * (number > 1)} of this session" if number else "no fill so far"
    latched = {"killed": memory.killed, "daily loss": memory.daily_loss, "paused": memory.paused}
    halts = [f"still latched: {name}" for name, is_set in latched.items() if is_set]
    return (f"in the journal: {fills}", *positions, *halts)
