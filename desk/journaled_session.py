"""From the journal's rows to a `JournaledSession`."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from brokers.journal.events import Event
from brokers.journal.payload import suggestion_from_payload
from brokers.journal.reader import JournalReader
from desk.journaled import (
    Instant,
    JournaledAnswer,
    JournaledInstruction,
    JournaledSession,
)
from errors import DataError
from vocabulary import JOURNAL_COLUMNS, Answer, Command, Decision, Instruction, PastFill

TABLES = ("bars", "suggestions", "decisions", "session_events")
Row = Mapping[str, Any]


def read_session(reader: JournalReader, session_id: str) -> JournaledSession:
    """A session as the journal has it now. Raises `DataError` for an unknown id."""
    facts = reader.rows("sessions", [session_id])
    if not facts:
        raise DataError(f"the journal {reader.path} has no session {session_id}")
    rows = {name: reader.rows(name, [session_id]) for name in TABLES}
    settings = facts[0]["settings"] or {}
    return journaled_session(rows, reader.fills(session_id), settings.get("broker") == "ib")


def journaled_session(
    rows: Mapping[str, Sequence[Row]], fills: Sequence[PastFill], real_broker: bool = False
) -> JournaledSession:
    """A session from its rows.

    Args:
        rows: of the `TABLES` by name, of one session alone, in the order they were written
            (`JournalReader.rows`).
        fills: its executions with what they belong to (`JournalReader.fills`).
        real_broker: whether a broker of its own filled them.
    """
    return JournaledSession(
        bars=_bars(rows["bars"]),
        suggestions=[suggestion_from_payload(row["payload"]) for row in rows["suggestions"]],
        answers=_answers(rows["decisions"]),
        fills=sorted(fills, key=lambda one: one.fill.ts),
        instructions=_instructions(rows["session_events"]),
        restarts=_restarts(rows["session_events"], rows["bars"]),
        real_broker=real_broker,
    )


def _bars(rows: Sequence[Row]) -> pd.DataFrame:
    bars = pd.DataFrame(list(rows), columns=["ts", *JOURNAL_COLUMNS["bars"]])
    bars["ts"] = bars["ts"].astype(np.int64)
    bars["reason"] = [reason or "" for reason in bars["reason"]]
    return bars.sort_values("ts").reset_index(drop=True)


def _answers(rows: Sequence[Row]) -> dict[str, list[JournaledAnswer]]:
    answers: dict[str, list[JournaledAnswer]] = {}
    for row in rows:
        decision = Decision(
            suggestion_id=row["suggestion_id"],
            answer=Answer(row["response"]),
            channel=row["channel"] or "",
            latency_seconds=(row["response_ms"] or 0.0) / 1000,
            reason=row["comment"] or "",
            reason_code=row["reason_code"] or "",
            ts=int(row["effect_ts"] or 0),
            at_bar=bool(row["at_bar"]),
        )
        answer = JournaledAnswer(decision, row["outcome"] or "")
        answers.setdefault(decision.suggestion_id, []).append(answer)
    return answers


def _instructions(events: Sequence[Row]) -> list[JournaledInstruction]:
    found = []
    for row in events:
        if row["event"] == Event.INSTRUCTION:
            detail = row["detail"] or {}
            instruction = Instruction(
                Command(detail["command"]),
                detail.get("value"),
                detail.get("text") or "",
                detail.get("channel") or "",
            )
            instant = Instant(int(row["ts"] or 0), not detail.get("at_bar", False))
            found.append(JournaledInstruction(instant, instruction))
    return found


def _restarts(events: Sequence[Row], bars: Sequence[Row]) -> list[int]:
    """The last bar that had been written when the session was resumed, each time."""
    written = [(datetime.fromisoformat(bar["wall_utc"]), int(bar["ts"])) for bar in bars]
    found = []
    for row in events:
        if row["event"] == Event.SESSION_RESUMED:
            moment = datetime.fromisoformat(row["wall_utc"])
            before = [ts for wall, ts in written if wall < moment]
            found += [max(before)] if before else []
    return found
