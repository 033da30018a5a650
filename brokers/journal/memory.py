"""What a restarted desk must know of its session, read from the journal's tables."""

import sqlite3
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from brokers.journal.events import LATCHES, Event
from brokers.journal.payload import from_json, suggestion_from_payload
from errors import JournalError
from feeds.contract import Contract, Right
from feeds.sessions import NANOSECONDS_A_MINUTE, session_on
from settings import RuleSettings
from vocabulary import Answer, DeskMemory, ExitReason, Fill, PastFill, Suggestion

_FILLS = """
    SELECT e.execution_id, e.side, e.quantity, e.price, e.commission, e.ts, e.underlying, e.mid,
           i.order_ref, i.purpose, i.exit_reason, i.exit_decided_ts, i.underlying, i.expiration,
           i.strike, i."right", i.payload, s.payload
    FROM executions e JOIN intents i ON i.order_ref = e.order_ref
    LEFT JOIN suggestions s
        ON s.session_id = i.session_id AND s.suggestion_id = i.suggestion_id
    WHERE i.session_id = ? ORDER BY e.ts, e.id"""

_ANSWERED = """
    SELECT s.ts, d.response, d.outcome,
           EXISTS (SELECT 1 FROM intents i WHERE i.session_id = s.session_id
                   AND i.suggestion_id = s.suggestion_id AND i.purpose = 'entry')
    FROM suggestions s LEFT JOIN decisions d
        ON d.id = (SELECT max(id) FROM decisions
                   WHERE session_id = s.session_id AND suggestion_id = s.suggestion_id)
    WHERE s.session_id = ? AND s.exit_reason IS NULL AND coalesce(s.shown, 1) = 1"""

_BARS = "SELECT ts, cash, position_value, action FROM bars WHERE session_id = ? ORDER BY ts"
_HELD = """
    SELECT e.ts, e.wall_utc, e.side * e.quantity
    FROM executions e JOIN intents i ON i.order_ref = e.order_ref
    WHERE i.session_id = ? ORDER BY e.ts, e.id"""
_DRAWN = """
    SELECT ts, wall_utc, detail FROM session_events
    WHERE session_id = ? AND event = 'stop_tightened' ORDER BY id"""
_EVENTS = "SELECT ts, event, detail FROM session_events WHERE session_id = ? ORDER BY id"

Row = Sequence[Any]


def memory_of(connection: sqlite3.Connection, session_id: str) -> DeskMemory:
    """`DeskMemory` of a session. Raises `JournalError` for an unknown one."""
    facts = connection.execute(
        "SELECT session_date, settings FROM sessions WHERE id = ?", (session_id,)
    ).fetchone()
    if facts is None:
        raise JournalError(f"the journal has no session {session_id}: `run.py journal` lists them")
    rules: Mapping[str, Any] = (from_json(facts[1] or "{}") or {}).get("rules") or {}
    events = connection.execute(_EVENTS, (session_id,)).fetchall()
    bars = connection.execute(_BARS, (session_id,)).fetchall()
    answered = connection.execute(_ANSWERED, (session_id,)).fetchall()
    answered_ts, skipped_ts = _waits(answered, strict=rules.get("waits") == "strict")
    decided_ts = max((ts for ts, *_, action in bars if action is not None), default=None)
    opening, peak = _equity(bars, events)
    closed = _closed_latches(events)
    return DeskMemory(
        fills=past_fills(connection, session_id),
        answered_ts=answered_ts,
        skipped_ts=skipped_ts,
        slot=_slot(decided_ts, date.fromisoformat(facts[0]), rules),
        decided_ts=decided_ts,
        last_ts=bars[-1][0] if bars else None,
        opening=opening,
        peak=peak,
        daily_loss=Event.DAILY_LOSS in closed,
        killed=Event.KILLED in closed,
        paused=Event.PAUSED in closed,
        stop_price=_stop_price(connection, session_id),
    )


def past_fills(connection: sqlite3.Connection, session_id: str) -> tuple[PastFill, ...]:
    """Fills of the session's own orders, oldest first."""
    return tuple(map(_past_fill, connection.execute(_FILLS, (session_id,))))


def _past_fill(row: Row) -> PastFill:
    execution_id, side, quantity, price, commission, ts, spot, mid = row[:8]
    order_ref, purpose, exit_reason, decided_ts, symbol, expiration, strike, right = row[8:16]
    fill = Fill(
        contract=Contract(
            symbol, date.fromisoformat(expiration), round(strike * 1000), Right[right]
        ),
        side=side,
        quantity=quantity,
        price=price,
        fee=commission or 0.0,
        ts=ts,
        underlying=float("nan") if spot is None else spot,
        mid=float("nan") if mid is None else mid,
        execution_id=execution_id,
    )
    return PastFill(
        fill=fill,
        suggestion=_suggestion(*row[16:]) if purpose == "entry" else None,
        exit_reason=None if exit_reason is None else ExitReason(exit_reason),
        exit_decided_ts=decided_ts,
        order_ref=order_ref,
    )


def _suggestion(sent: str | None, asked: str | None) -> Suggestion | None:
    """As it was sent, which may be less than was asked; else as it was asked."""
    values = from_json(sent).get("suggestion") if sent else None
    if values is None and asked:
        values = from_json(asked)
    return None if values is None else suggestion_from_payload(values)


def _waits(answered: Sequence[Row], strict: bool) -> tuple[int | None, int | None]:
    """When the last suggestions were made that start the long wait and the short one.

    A yes counts once it was sent (or its intent written), so does n. A yes that the recheck
    refused, a withdrawn question and one that died with its process start none, unless the rule
    is strict: then every suggestion that was shown does.
    """
    long: list[int] = []
    short: list[int] = []
    for ts, response, outcome, intended in answered:
        sent = outcome == "sent" or (outcome is None and intended)
        if strict or response == Answer.NO or (response == Answer.YES and sent):
            long.append(ts)
        if response in (Answer.SKIP, Answer.TIMEOUT):
            short.append(ts)
    return max(long, default=None), max(short, default=None)


def _slot(decided_ts: int | None, day: date, rules: Mapping[str, Any]) -> int:
    """Index of a decision's slot: floor(minutes since open / length of a slot)."""
    if decided_ts is None:
        return -1
    default = RuleSettings.model_fields["decision_minutes"].default
    length = float(rules.get("decision_minutes", default))
    return int((decided_ts - session_on(day).open_ns) / NANOSECONDS_A_MINUTE // length)


def _equity(bars: Sequence[Row], events: Sequence[Row]) -> tuple[float | None, float | None]:
    """Equity at the first bar and the highest since; a resumed daily loss counts from its own."""
    counted = [(ts, cash + value) for ts, cash, value, _ in bars if None not in (cash, value)]
    opening = peak = counted[0][1] if counted else None
    for ts, event, detail in events:
        known = from_json(detail or "{}")
        if event == Event.DAILY_LOSS_RESUMED and known.get("opening") is not None:
            opening, peak = known["opening"], known.get("peak", known["opening"])
            counted = [(at, equity) for at, equity in counted if ts is None or at > ts]
    if peak is not None:
        peak = max([peak, *(equity for _, equity in counted)])
    return opening, peak


def _closed_latches(events: Sequence[Row]) -> set[str]:
    """The latches that the events left closed."""
    closed: set[str] = set()
    for _, event, _ in events:
        for latch, lifted in LATCHES.items():
            if event == latch:
                closed.add(latch)
            elif event == lifted:
                closed.discard(latch)
    return closed


def _stop_price(connection: sqlite3.Connection, session_id: str) -> float | None:
    """The stop a person drew in for the position that is still open.

    An event carries the time of the last bar, a fill may be later than that; either the market's
    time or the wall's shows that the stop was drawn in after the position was opened.
    """
    opened, held = None, 0
    for ts, wall, contracts in connection.execute(_HELD, (session_id,)):
        opened = (ts, wall) if held == 0 else opened
        held += contracts
    if not held or opened is None:
        return None
    drawn = [
        float(from_json(detail)["price"])
        for ts, wall, detail in connection.execute(_DRAWN, (session_id,))
        if wall >= opened[1] or (ts is not None and ts >= opened[0])
    ]
    return drawn[-1] if drawn else None
