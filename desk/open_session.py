"""A desk that is ready to run, with everything it was opened with."""

from dataclasses import dataclass
from pathlib import Path

from brokers.journal.journal import Journal
from brokers.journal.session import SessionFacts
from desk.account import Account
from desk.heartbeat import Heartbeat
from desk.markets import LiveMarket
from desk.person import Person
from desk.session import LiveDesk
from models.feedback.gate import Gate
from settings import Settings


@dataclass(frozen=True, kw_only=True)
class OpenDesk:
    """A desk that is ready.

    Args:
        desk: to be run, in the main thread.
        market, account: it trades on.
        journal, session_id, facts: what is written down.
        settings: as the session runs under them.
        folder: of the run.
        resumed: whether an earlier process began the session.
        found: what a restart found, in sentences.
        person: who is asked.
        gate: what stands between the policy and the person.
    """

    desk: LiveDesk
    market: LiveMarket
    account: Account
    journal: Journal
    session_id: str
    facts: SessionFacts
    settings: Settings
    folder: Path
    resumed: bool
    found: tuple[str, ...]
    person: Person
    heartbeat: Heartbeat
    gate: Gate | None = None
