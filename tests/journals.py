"""Journals for tests: facts, suggestions and rows made by hand."""

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

from brokers.journal.journal import Journal
from brokers.journal.payload import suggestion_to_payload
from brokers.journal.session import SessionFacts
from feeds.contract import Contract, Right
from feeds.sessions import session_on
from vocabulary import Action, Answer, JournalRecord, Plan, Suggestion

DAY = date(2026, 10, 30)
OPEN = session_on(DAY).open_ns
MINUTE = 60_000_000_000
PUT_628 = Contract("SPY", DAY, 628_000, Right.PUT)
FACTS = SessionFacts("mock", DAY, seed=3, model="bundled", settings={"rules": {}})
PLAN = Plan(2.4, 2.32, 240.0, 7.2, 480.0, OPEN + 375 * MINUTE, 240.0, -338.5, 62_800.0)
SUGGESTION = Suggestion(
    id="a",
    ts=OPEN,
    action=Action.SELL_PUT,
    contract=PUT_628,
    side=-1,
    quantity=1,
    bid=2.35,
    ask=2.45,
    spot=628.5,
    risk_score=0.2,
    stop_multiple=3.0,
    features=(0.25, 0.6285, 0.155, 0.0, 0.0, 0.0, 0.2, 0.75),
    probabilities=(0.2, 0.0, 0.8),
    mask=(True, False, True),
    model="bundled",
    plan=PLAN,
)


def at(minute: float) -> int:
    """Nanoseconds of a minute after the open."""
    return OPEN + round(minute * MINUTE)


def suggestion(name: str, minute: float, **changes: Any) -> Suggestion:
    """A put to sell, suggested `minute` minutes after the open."""
    return replace(SUGGESTION, id=name, ts=at(minute), **changes)


def open_journal(path: Path, facts: SessionFacts = FACTS, durable: bool = False) -> Journal:
    """A journal with an open session."""
    journal = Journal(path, durable=durable)
    journal.open_session(facts)
    return journal


def shown(one: Suggestion) -> JournalRecord:
    """The least of a row of `suggestions`."""
    row = {"suggestion_id": one.id, "shown": True, "exit_reason": one.exit_reason}
    row["payload"] = suggestion_to_payload(one)
    return JournalRecord("suggestions", one.ts, row)


def answered(one: Suggestion, answer: Answer, outcome: str | None = None) -> JournalRecord:
    """The least of a row of `decisions`."""
    row = {"suggestion_id": one.id, "response": answer, "outcome": outcome}
    return JournalRecord("decisions", one.ts, row)


def bar(minute: float, cash: float = 80_000.0, value: float = 0.0, **more: Any) -> JournalRecord:
    """A row of `bars`."""
    return JournalRecord("bars", at(minute), {"cash": cash, "position_value": value, **more})


def fill(journal: Journal, order_ref: str, minute: float, name: str, **figures: Any) -> bool:
    """An execution of one contract, sold at 2.40 unless told otherwise."""
    terms = {"side": -1, "quantity": 1, "price": 2.4, "underlying": 628.5, "mid": 2.4} | figures
    return journal.executed(at(minute), execution_id=name, order_ref=order_ref, **terms)
