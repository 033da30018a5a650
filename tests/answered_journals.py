"""Journals full of answers for tests: suggestions all over the day, a scripted person answers."""

from datetime import date
from pathlib import Path

import numpy as np
from journals import SUGGESTION

from brokers.journal.journal import Journal
from brokers.journal.payload import suggestion_to_payload
from brokers.journal.session import SessionFacts
from feeds.sessions import NANOSECONDS_A_MINUTE, Session, last_sessions
from models.feedback.people import Person
from settings import RiskSettings
from strategies.features import feature_vector, risk_score
from vocabulary import FEATURE_VERSION, FEATURES, Action, Answer, JournalRecord

LAST = date(2025, 6, 30)
A_DAY = 4
"""Suggestions a session: more than a desk makes, so that tests need few sessions."""


def answered_journal(
    path: Path, person: Person, count: int, sha256: str, seed: int = 0, mode: str = "mock"
) -> None:
    """Write `count` suggestions, the person's answers and made-up shadows into a new journal."""
    rng = np.random.default_rng(seed)
    sessions = last_sessions(-(-count // A_DAY), LAST)
    asked = 0
    with Journal(path, durable=False) as journal:
        for session in sessions:
            journal.open_session(
                SessionFacts(mode, session.date, model="bundled", model_sha256=sha256)
            )
            for minute in np.sort(rng.integers(30, 360, A_DAY)).tolist():
                if asked < count:
                    _ask(journal, session, minute, person, asked, sha256, rng, seed)
                    asked += 1
            journal.end_session()


def _ask(
    journal: Journal,
    session: Session,
    minute: float,
    person: Person,
    asked: int,
    sha256: str,
    rng: np.random.Generator,
    seed: int,
) -> None:
    ts = session.open_ns + round(minute * NANOSECONDS_A_MINUTE)
    iv = float(np.exp(rng.normal(np.log(0.18), 0.25)))
    risk = float(risk_score(0.0, minute, iv, RiskSettings()))
    features = feature_vector(minute, 600.0, iv, 0, 0.0, 0.0, risk, session.minutes - minute)
    action = Action(int(rng.integers(1, 3)))
    answer = person.answer(features, action, asked, seed)
    name = f"{ts}-{asked}"
    row = {
        "suggestion_id": name,
        "model_sha256": sha256,
        "feature_version": FEATURE_VERSION,
        "action": int(action),
        "shown": True,
        "show_probability": 1.0,
        "risk_score": risk,
        "bid": 2.35,
        "ask": 2.45,
        "right": "CP"[action - 1],
        "payload": suggestion_to_payload(SUGGESTION),
        **{f"feature_{k}": float(v) for k, v in zip(FEATURES, features, strict=True)},
    }
    said = {
        "suggestion_id": name,
        "response": answer,
        "channel": "terminal",
        "reason_code": person.reason_code(features, answer),
    }
    shadow = float(rng.normal(3, 80))
    made = {"suggestion_id": name, "shadow_pnl": shadow}
    if answer is Answer.YES:
        made["pnl"] = shadow - 1
    journal.write(
        JournalRecord("suggestions", ts, row),
        JournalRecord("decisions", ts, said),
        JournalRecord("outcomes", ts, made),
    )
