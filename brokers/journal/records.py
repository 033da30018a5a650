"""Suggestions, answers and positions as rows of the journal."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from brokers.journal.payload import suggestion_to_payload
from brokers.journal.session import SessionFacts
from feeds.contract import Contract
from feeds.sessions import to_new_york
from feeds.snapshot import ChainSnapshot
from vocabulary import (
    FEATURE_COLUMNS,
    FEATURE_VERSION,
    Decision,
    JournalRecord,
    LiveQuote,
    PastFill,
    Suggestion,
)


def suggestion_record(
    suggestion: Suggestion,
    snapshot: ChainSnapshot,
    facts: SessionFacts,
    model_schema: str,
    wait_left: float | None,
    quote: LiveQuote | None,
    gate: Mapping[str, Any] | None = None,
) -> JournalRecord:
    """A suggestion, with the market it was made in.

    The policy takes its most probable action: without a gate, what is suggested is shown for
    certain. `wait_left` is minutes, `quote` the one between bars where there is one, `gate` the
    columns of the gate, `shown` and `show_probability` among them.
    """
    row = {
        "suggestion_id": suggestion.id,
        "ts_utc": datetime.fromtimestamp(suggestion.ts // 1_000_000_000, UTC),
        "ts_new_york": to_new_york(suggestion.ts),
        "session_date": facts.session_date,
        "mode": facts.mode,
        "model": suggestion.model,
        "model_sha256": facts.model_sha256,
        "model_schema": model_schema,
        "feature_version": FEATURE_VERSION,
        "deterministic": True,
        "shown": True,
        "show_probability": 1.0,
        "wait_left_minutes": wait_left,
        "quote_age_ms": None if quote is None else 1000 * quote.age_seconds,
        **_wish(suggestion),
        **_market(suggestion.contract, snapshot),
        "bid": suggestion.bid,
        "ask": suggestion.ask,
        "mid": snapshot.quote(suggestion.contract).mid,
        "spot": suggestion.spot,
        "payload": suggestion_to_payload(suggestion),
        **(gate or {}),
    }
    return JournalRecord("suggestions", suggestion.ts, row)


def _wish(suggestion: Suggestion) -> dict[str, Any]:
    """What is wanted, and what it was decided on."""
    contract, plan, action = suggestion.contract, suggestion.plan, suggestion.action
    chosen = suggestion.probabilities[action] if action < len(suggestion.probabilities) else None
    features = dict(zip(FEATURE_COLUMNS, suggestion.features, strict=False))  # exits may have none
    return features | {
        "action": int(action),
        "action_name": action.name.lower(),
        "exit_reason": suggestion.exit_reason,
        "probabilities": suggestion.probabilities,
        "mask": suggestion.mask,
        "policy_probability": chosen,
        "right": contract.right,
        "strike": contract.strike,
        "expiration": contract.expiration,
        "side": suggestion.side,
        "quantity": suggestion.quantity,
        "stop_multiple": suggestion.stop_multiple,
        "stop_price": None if plan is None else plan.stop_price,
        "risk_score": suggestion.risk_score,
    }


def _market(contract: Contract, snapshot: ChainSnapshot) -> dict[str, Any]:
    """IV and delta of the contract, SPY's own quote, and where the snapshot can be found."""
    chain = snapshot.chain()
    row: dict[str, Any] = {
        "spot_bid": float(chain.underlying_bid[0]),
        "spot_ask": float(chain.underlying_ask[0]),
        "snapshot_reference": f"{snapshot.source}/{snapshot.underlying}/"
        f"{snapshot.session.date}/{snapshot.ts}",
    }
    k = chain.strike_index.get(contract.strike_thousandths)
    if k is not None and contract.expiration == snapshot.session.date:
        greeks, place = snapshot.greeks(), (0, int(contract.right), k)
        row |= {"iv": float(greeks.iv[place]), "delta": float(greeks.delta[place])}
    return row


def decision_record(decision: Decision, quote: LiveQuote | None, now: int) -> JournalRecord:
    """How a question ended, with the quote at that moment; `now` is market time."""
    row: dict[str, Any] = {
        "suggestion_id": decision.suggestion_id,
        "response": decision.answer,
        "response_ms": 1000 * decision.latency_seconds,
        "channel": decision.channel,
        "reason_code": decision.reason_code,
        "comment": decision.reason,
        "effect_ts": decision.ts or None,
        "at_bar": decision.at_bar,
    }
    if quote is not None:
        row |= {"bid_at_response": quote.bid, "ask_at_response": quote.ask}
        row |= {"spot_at_response": quote.spot}
    return JournalRecord("decisions", decision.ts or now, row)


def position_record(fills: Sequence[PastFill], contract: Contract, ts: int) -> JournalRecord:
    """The position in a contract after the fills of a session, oldest first.

    `average_price` is that of the entry's fills; of a closed position, quantity 0, it is the last.
    """
    held, entered, value = 0, 0, 0.0
    opened_by, closed_reason, side = "", None, 0
    for past in fills:
        fill = past.fill
        if fill.contract != contract:
            continue
        if held == 0:
            side, opened_by, entered, value = fill.side, past.order_ref, 0, 0.0
        if fill.side == side:
            entered, value = entered + fill.quantity, value + fill.quantity * fill.price
        held += fill.side * fill.quantity
        closed_reason = past.exit_reason if held == 0 else None
    row = {"contract": str(contract), "side": side, "quantity": abs(held)}
    row |= {"average_price": value / entered if entered else None}
    row |= {"opened_by": opened_by, "closed_reason": closed_reason}
    return JournalRecord("positions", ts, row)
