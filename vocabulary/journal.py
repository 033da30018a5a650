"""The journal's tables and columns (version 1).

Every table also has `id`, `session_id`, `ts` (market time, nanoseconds) and `wall_utc` (ISO 8601).
The gate's columns are empty where no gate was learned.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from vocabulary.deciding import FEATURES

JOURNAL_VERSION = 1


@dataclass(frozen=True, slots=True)
class JournalRecord:
    """A journal row of version 1: `kind` names the table, `values` its columns.

    A column without a value is None. `ts` is market time in nanoseconds.
    """

    kind: str
    ts: int
    values: Mapping[str, Any] = field(default_factory=dict)


FEATURE_COLUMNS = tuple(f"feature_{name}" for name in FEATURES)
"""The eight features as columns, in order."""

JOURNAL_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "suggestions": (
        *("suggestion_id", "ts_utc", "ts_new_york", "session_date", "mode", "model"),
        *("model_sha256", "model_schema", *FEATURE_COLUMNS, "feature_version"),
        *("action", "action_name", "exit_reason", "probabilities", "mask", "value"),
        *("deterministic", "policy_probability", "gate_version", "gate_probability", "gate_tau"),
        *("gate_vetoed", "gate_probe", "shown", "show_probability", "refused_reason"),
        *("wait_left_minutes", "trades_today", "right", "strike", "expiration", "side"),
        *("bid", "ask", "mid", "iv", "delta", "spot", "spot_bid", "spot_ask", "quote_age_ms"),
        *("quantity", "stop_multiple", "stop_price", "risk_score", "snapshot_reference"),
        "payload",
    ),
    "decisions": (
        *("suggestion_id", "response", "response_ms", "channel", "reason_code", "comment"),
        *("effect_ts", "at_bar", "outcome"),
        *("bid_at_response", "ask_at_response", "spot_at_response"),
    ),
    "intents": (
        *("order_ref", "suggestion_id", "purpose", "exit_reason", "exit_decided_ts"),
        *("underlying", "expiration", "strike", "right", "side", "quantity", "limit", "worst"),
        *("account", "payload"),
    ),
    "orders": (
        *("order_ref", "broker_order_id", "permanent_id", "status", "limit", "filled", "message"),
    ),
    "executions": (
        *("execution_id", "revision", "order_ref", "side", "quantity", "price", "commission"),
        *("underlying", "mid", "slippage", "broker_time"),
    ),
    "positions": ("contract", "side", "quantity", "average_price", "opened_by", "closed_reason"),
    "bars": (
        *("spot", "atm_iv", *FEATURE_COLUMNS, "cash", "position_value"),
        *("action", "probabilities", "allowed", "reason"),
    ),
    "session_events": ("event", "detail"),
    "days": (
        *("session_date", "mode", "opening_equity", "closing_equity", "realised_pnl", "fees"),
        *("suggestions", "trades", "drift", "drift_dollars"),
    ),
    "outcomes": (
        *("suggestion_id", "exit_ts", "exit_price", "exit_reason", "pnl", "mae", "mfe"),
        *("shadow_entry", "shadow_exit", "shadow_exit_ts", "shadow_reason", "shadow_pnl"),
        "label_used_in",
    ),
}
"""Columns of the tables, `sessions` aside, which the journal keeps for itself."""
