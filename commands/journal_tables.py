"""The journal on the screen: tables that fit a hundred columns."""

import json
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from brokers.journal.reader import JournalReader
from commands.screen import say
from reports.formatting import DASH, money, number

if TYPE_CHECKING:
    import pandas as pd

WIDTH = 100

SHOWN = {
    "sessions": ("id", "account", "model", "market", "seed", "state"),
    "suggestions": (
        *("ts", "action_name", "strike", "quantity", "bid", "ask", "risk_score", "response"),
        "outcome",
    ),
    "decisions": ("ts", "suggestion_id", "response", "response_ms", "channel", "outcome"),
    "intents": ("ts", "order_ref", "purpose", "strike", "right", "side", "quantity", "limit"),
    "orders": ("ts", "order_ref", "status", "filled", "limit", "message"),
    "executions": ("ts", "order_ref", "side", "quantity", "price", "commission", "mid"),
    "positions": ("ts", "contract", "side", "quantity", "average_price", "closed_reason"),
    "bars": ("ts", "spot", "atm_iv", "cash", "position_value", "action", "reason"),
    "session_events": ("ts", "event", "detail"),
    "days": (
        *("session_date", "mode", "closing_equity", "realised_pnl", "fees", "suggestions"),
        *("trades", "drift", "drift_dollars"),
    ),
    "outcomes": ("suggestion_id", "exit_reason", "pnl", "shadow_reason", "shadow_pnl"),
}
"""Columns on the screen; `--export` writes all of them."""


def print_sessions(reader: JournalReader, sessions: Sequence[str], rows: int) -> None:
    """The last of the sessions with what was answered and earned."""
    answers: dict[str, Counter[str]] = {}
    suggestions = reader.suggestions(sessions)
    for session, response in zip(suggestions["session_id"], suggestions["response"], strict=True):
        answers.setdefault(session, Counter())[response or "none"] += 1
    days = {row["session_id"]: row for row in reader.rows("days", sessions)}
    lines = []
    for row in reader.rows("sessions", sessions):
        given, day = answers.get(row["id"], Counter()), days.get(row["id"], {})
        told = [str(given[answer]) for answer in ("y", "n", "skip")]
        others = str(sum(given.values()) - sum(given[a] for a in ("y", "n", "skip")))
        figures = (money(day.get("realised_pnl"), signed=True), _cell("drift", day.get("drift")))
        lines.append((row["id"], row["account"], row["model"] or DASH, row["state"], *told, others))
        lines[-1] += figures
    heads = ("session", "account", "model", "state", "y", "n", "skip", "other", "P&L", "drift")
    _print(heads, lines, rows, "no sessions yet")


def print_table(table: "pd.DataFrame", name: str, rows: int) -> None:
    """The last rows of a table, in its most telling columns."""
    heads = SHOWN[name]
    cells = (table[head].astype(object).where(table[head].notna(), None) for head in heads)
    lines = [
        tuple(_cell(head, value) for head, value in zip(heads, row, strict=True))
        for row in zip(*cells, strict=True)
    ]
    _print(tuple(head.replace("_", " ") for head in heads), lines, rows, f"no {name}")


def _print(heads: Sequence[str], lines: Sequence[tuple[str, ...]], rows: int, none: str) -> None:
    if not lines:
        say(none)
        return
    table = Table(box=None, pad_edge=False)
    for head in heads:
        table.add_column(head, overflow="fold")
    for line in lines[-rows:]:
        table.add_row(*line)
    Console(width=WIDTH, highlight=False, markup=False).print(table)
    if len(lines) > rows:
        say(f"the last {rows} of {len(lines)}: --rows shows more, --export all")


def _cell(head: str, value: Any) -> str:
    if value is None:
        return DASH
    if head == "ts":
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, float):
        return number(value, 4 if head in ("atm_iv", "risk_score") else 2)
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    return str(value)
