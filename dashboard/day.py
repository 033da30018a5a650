"""The day so far, from the journal: bars for the charts, suggestions, orders and executions.

Read by a connection of its own, in the thread that asks. What the journal does not hold is not
shown, so that the page agrees with the books of the desk and survives its restarts.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from brokers.journal.reader import JournalReader
from dashboard.words import contract_words, finite, moment
from desk.blind import masked_contract
from desk.markets.market import Mask
from desk.outcomes import real_trips
from feeds.contract import Contract
from feeds.sessions import NANOSECONDS_A_MINUTE, Session
from vocabulary import PastFill, RoundTrip

POINTS = 1200
"""Points of a chart at most; of more bars every n-th is sent, and the last."""

Row = Mapping[str, Any]


def day_frame(reader: JournalReader, session_id: str, place: "DayPlace") -> dict[str, Any]:
    """The topic "day"; all parts at one instant of the journal."""
    with reader.at_one_instant():
        only = [session_id]
        bars = reader.rows("bars", only)
        suggestions = reader.rows("suggestions", only)
        decisions = reader.rows("decisions", only)
        intents = reader.rows("intents", only)
        orders = reader.rows("orders", only)
        outcomes = reader.rows("outcomes", only)
        fills = reader.fills(session_id)
    trips = real_trips(fills, "")
    return {
        "minutes": place.minutes,
        "opens": place.opens,
        "bars": _bars(bars, place),
        "marks": [_mark(past, place) for past in fills],
        "suggestions": _suggestions(suggestions, decisions, outcomes, trips, place),
        "orders": [_order(intent, orders, place) for intent in reversed(intents)],
        "executions": [_execution(past, place) for past in reversed(fills)],
        "trips": [_trip(trip, place) for trip in reversed(trips)],
    }


class DayPlace:
    """What turns instants and levels of a session into what a page may show."""

    def __init__(self, session: Session, mask: Mask, name: Any) -> None:
        """`name` gives the key of a suggestion's id."""
        self.mask, self.name = mask, name
        self._session = session
        self.minutes = (session.close_ns - session.open_ns) / NANOSECONDS_A_MINUTE
        self.opens = moment(session.open_ns, mask)

    def minute(self, ts: int) -> float:
        """Minutes since the open."""
        return round((ts - self._session.open_ns) / NANOSECONDS_A_MINUTE, 3)

    def contract(self, contract: Contract) -> str:
        """A contract as it is shown."""
        return contract_words(masked_contract(contract, self.mask))

    def strike(self, row: Row) -> str:
        """The contract of a journal row as it is shown."""
        if row["strike"] is None:
            return ""
        return f"{self.mask.level(float(row['strike'])):g} {row['right']}"

    def level(self, dollars: float | None) -> float | None:
        """A price of the underlying as it is shown."""
        return None if dollars is None else finite(self.mask.level(float(dollars)), 2)


def _bars(bars: Sequence[Row], place: DayPlace) -> dict[str, list[Any]]:
    step = max(1, -(-len(bars) // POINTS))
    kept = [*bars[::step]]
    if bars and kept[-1] is not bars[-1]:
        kept.append(bars[-1])
    return {
        "t": [place.minute(row["ts"]) for row in kept],
        "spot": [place.level(row["spot"]) for row in kept],
        "iv": [finite(row["atm_iv"]) for row in kept],
        "pnl": [_pnl(row) for row in kept],
    }


def _pnl(row: Row) -> float | None:
    """Unrealised dollars of the open position at a bar; None when flat."""
    held, pnl = row["feature_has_position"], row["feature_position_pnl"]
    return finite(1000 * pnl, 2) if held and pnl is not None else None


def _mark(past: PastFill, place: DayPlace) -> dict[str, Any]:
    fill = past.fill
    return {
        "t": place.minute(fill.ts),
        "entry": past.exit_reason is None,
        "bought": fill.side > 0,
        "spot": place.level(finite(fill.underlying)),
        "words": _fill_words(past, place),
    }


def _fill_words(past: PastFill, place: DayPlace) -> str:
    fill = past.fill
    verb = "bought" if fill.side > 0 else "sold"
    why = "" if past.exit_reason is None else f" ({str(past.exit_reason).replace('_', ' ')})"
    return f"{verb} {fill.quantity} {place.contract(fill.contract)} at {fill.price:.2f}{why}"


def _suggestions(
    rows: Sequence[Row],
    decisions: Sequence[Row],
    outcomes: Sequence[Row],
    trips: Sequence[RoundTrip],
    place: DayPlace,
) -> list[dict[str, Any]]:
    """Newest first, each with its last answer, and with what became of it so far."""
    answers = {row["suggestion_id"]: row for row in decisions}
    shadows = {row["suggestion_id"]: row for row in outcomes}
    traded = {trip.decided_ts: trip for trip in trips}
    return [
        _suggestion(row, answers.get(row["suggestion_id"]), shadows, traded, place)
        for row in reversed(rows)
    ]


def _suggestion(
    row: Row,
    answer: Row | None,
    shadows: Mapping[str, Row],
    traded: Mapping[int, RoundTrip],
    place: DayPlace,
) -> dict[str, Any]:
    trip, shadow = traded.get(row["ts"]), shadows.get(row["suggestion_id"])
    sent = answer is not None and answer["outcome"] == "sent"
    told = answer or {}
    why = ": ".join(filter(None, (told.get("reason_code"), told.get("comment"))))
    return {
        "key": place.name(row["suggestion_id"]),
        "time": moment(row["ts"], place.mask),
        "words": f"{'SELL' if row['side'] < 0 else 'BUY'} {row['quantity']} {place.strike(row)}",
        "exit": row["exit_reason"],
        "bid": finite(row["bid"], 2),
        "ask": finite(row["ask"], 2),
        "risk": finite(row["risk_score"], 2),
        "answer": told.get("response"),
        "channel": told.get("channel"),
        "seconds": finite((told.get("response_ms") or 0.0) / 1000, 1) if told else None,
        "why": why,
        "outcome": told.get("outcome"),
        "pnl": finite(trip.net_pnl, 2) if trip is not None and sent else None,
        "ended_by": str(trip.exit_reason) if trip is not None and sent else None,
        "shadow": None if shadow is None else finite(shadow["shadow_pnl"], 2),
    }


def _order(intent: Row, orders: Sequence[Row], place: DayPlace) -> dict[str, Any]:
    states = [row for row in orders if row["order_ref"] == intent["order_ref"]]
    last = states[-1] if states else {}
    return {
        "time": moment(intent["ts"], place.mask),
        "words": f"{'BUY' if intent['side'] > 0 else 'SELL'} {intent['quantity']} "
        f"{place.strike(intent)}",
        "purpose": intent["exit_reason"] or intent["purpose"],
        "limit": finite(last.get("limit") or intent["limit"], 2),
        "status": last.get("status") or "not sent yet",
        "filled": last.get("filled") or 0,
        "quantity": intent["quantity"],
        "message": last.get("message") or "",
    }


def _execution(past: PastFill, place: DayPlace) -> dict[str, Any]:
    fill = past.fill
    return {
        "time": moment(fill.ts, place.mask),
        "words": _fill_words(past, place),
        "price": finite(fill.price),
        "mid": finite(fill.mid),
        "fee": finite(fill.fee, 2),
        "spot": place.level(finite(fill.underlying)),
    }


def _trip(trip: RoundTrip, place: DayPlace) -> dict[str, Any]:
    return {
        "words": place.contract(trip.contract),
        "reason": str(trip.exit_reason),
        "pnl": finite(trip.net_pnl, 2),
    }
