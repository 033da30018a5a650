"""Which session a call means: a new one, or the one that an earlier process left open."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from brokers.journal.reader import JournalReader
from brokers.journal.session import JOURNAL, PRACTICE, SessionFacts
from desk.calls import REAL_MODES, LiveCall, Suggester
from feeds.sessions import is_session
from feeds.simulation.market import LAST_SIMULATED
from settings import Settings
from vocabulary import DeskMemory

Row = Mapping[str, Any]


def journal_path(settings: Settings, mode: str) -> Path:
    """The journal of a mode: one for the market of now, another for practice."""
    if settings.live.journal is not None:
        return settings.live.journal
    return JOURNAL if mode in REAL_MODES else PRACTICE


def session_facts(
    call: LiveCall,
    settings: Settings,
    suggester: Suggester,
    mode: str,
    account: str,
    today: date,
) -> SessionFacts:
    """The session that a call means, without its run folder.

    Args:
        call, settings, suggester: as they were given.
        mode, account: of the desk.
        today: of a terminal's market.
    """
    path, markets = journal_path(settings, mode), {"theta": "theta"}
    markets |= {"mock": "simulated market", "replay": f"replay of {settings.data}"}
    facts = SessionFacts(
        mode=mode,
        session_date=today,
        account=account,
        market=markets[call.kind],
        seed=settings.seed if call.kind == "mock" else 0,
        model=suggester.policy.name,
        model_sha256=suggester.sha256,
        policy=settings.policy,
        settings=settings.model_dump(mode="json", exclude={"out"}),
    )
    if call.kind == "mock":
        return replace(facts, session_date=call.day or next_mock_day(path, facts))
    return facts if call.day is None else replace(facts, session_date=call.day)


def next_mock_day(path: Path, facts: SessionFacts) -> date:
    """The mock session left open, else the trading day after the last one that was finished."""
    rows = [row for row in _rows(path) if _is_like(row, facts)]
    left = [row for row in rows if row["state"] == "open"]
    if left:
        return date.fromisoformat(left[-1]["session_date"])
    if not rows:
        return LAST_SIMULATED
    day = max(date.fromisoformat(row["session_date"]) for row in rows) + timedelta(days=1)
    while not is_session(day):
        day += timedelta(days=1)
    return day


def left_open(path: Path, facts: SessionFacts) -> tuple[Row | None, DeskMemory | None]:
    """The open session of the same identity and what it remembers; None where there is none."""
    wanted = facts.identity
    for row in reversed(_rows(path)):
        day = str(row["session_date"])
        identity = (row["mode"], day, row["account"], row["market"], row["seed"])
        if row["state"] == "open" and identity == wanted:
            with JournalReader(path) as reader:
                return row, reader.memory(row["id"])
    return None, None


def _rows(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        return []
    with JournalReader(path) as reader:
        return reader.rows("sessions")


def _is_like(row: Row, facts: SessionFacts) -> bool:
    mode, _, account, market, seed = facts.identity
    same = (row["mode"], row["account"], row["market"], row["seed"])
    return same == (mode, account, market, seed)
