"""Rows of `trades.csv`, `baselines.csv` and `sessions.csv`, written and read.

Empty cells are what there was none of; floats are rounded to six decimals, times are ISO 8601
with New York's offset.
"""

import csv
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from feeds.contract import Contract, Right
from feeds.sessions import to_nanoseconds, to_new_york
from feeds.source import SkippedSession
from reports.result import BacktestResult, SessionFacts
from reports.trades import session_of
from vocabulary import ExitReason, RoundTrip

Cells = dict[str, Any]
Row = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Rows:
    """A small table: its columns, and the cells of each row by column."""

    columns: tuple[str, ...]
    cells: Iterable[Cells]


TRADE_COLUMNS = (
    *("session", "right", "strike", "side", "quantity", "decided_at", "entered_at"),
    *("entry_price", "entry_underlying", "exit_decided_at", "exited_at", "exit_price"),
    *("exit_underlying", "exit_reason", "fees", "gross_pnl", "net_pnl", "model"),
    *("mid_entry", "mid_exit", "risk_score", "stop_multiple"),
)
SESSION_COLUMNS = (
    *("session", "kept", "reason", "open", "close", "snapshots", "spacing_seconds"),
    *("spot_open", "spot_high", "spot_low", "spot_close", "official_close", "range_pct"),
    *("source", "flags", "in_sample", "unfilled_exit"),
)
_FLAG_SEPARATOR = "; "


def write_rows(path: Path, rows: Rows) -> None:
    """Write `rows` as CSV with a header."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(rows.columns)
        for cells in rows.cells:
            writer.writerow([_text(cells.get(column)) for column in rows.columns])


def read_rows(path: Path) -> list[Row]:
    """The rows of a CSV file as text; raises `FileNotFoundError`, `ValueError` when cut short."""
    with path.open(newline="", encoding="utf-8") as file:
        rows: list[Row] = list(csv.DictReader(file))
    if any(None in row or None in row.values() for row in rows):
        raise ValueError(f"{path.name} has a row with too few or too many cells")
    return rows


def trade_rows(trades: Sequence[RoundTrip]) -> Rows:
    """The rows of `trades.csv`."""
    return Rows(TRADE_COLUMNS, map(_trade_cells, trades))


def session_rows(result: BacktestResult) -> Rows:
    """The rows of `sessions.csv`: kept and skipped sessions by date."""
    unfilled = {session_of(trade) for trade in result.trades if trade.exit_was_working}
    kept = [
        _session_cells(session)
        | {
            "in_sample": session.date in result.in_sample_dates,
            "unfilled_exit": session.date in unfilled,
        }
        for session in result.sessions
    ]
    skipped = [
        {"session": each.date, "kept": False, "reason": each.reason, "range_pct": each.range_pct}
        for each in result.skipped
    ]
    return Rows(SESSION_COLUMNS, sorted([*kept, *skipped], key=lambda cells: cells["session"]))


def _trade_cells(trade: RoundTrip) -> Cells:
    same_name = {name: getattr(trade, name) for name in TRADE_COLUMNS if hasattr(trade, name)}
    decided = trade.exit_decided_ts
    return same_name | {
        "session": session_of(trade),
        "right": trade.contract.right.name,
        "strike": trade.contract.strike,
        "decided_at": to_new_york(trade.decided_ts),
        "entered_at": to_new_york(trade.entered_ts),
        "exit_decided_at": None if decided is None else to_new_york(decided),
        "exited_at": to_new_york(trade.exited_ts),
    }


def trade_from_row(row: Row, underlying: str, unfilled: Container[str]) -> RoundTrip:
    """The round trip of a row; `unfilled` are the sessions whose exit never filled.

    Raises `KeyError` or `ValueError` on a row that is none.
    """
    strike = round(float(row["strike"]) * 1000)
    reason = ExitReason(row["exit_reason"])
    settled = reason is ExitReason.SETTLEMENT
    return RoundTrip(
        contract=Contract(
            underlying, date.fromisoformat(row["session"]), strike, Right[row["right"]]
        ),
        side=int(row["side"]),
        quantity=int(row["quantity"]),
        decided_ts=_nanoseconds(row["decided_at"]),
        entered_ts=_nanoseconds(row["entered_at"]),
        entry_price=_number(row["entry_price"]),
        entry_underlying=_number(row["entry_underlying"]),
        exit_decided_ts=_nanoseconds(row["exit_decided_at"]) if row["exit_decided_at"] else None,
        exited_ts=_nanoseconds(row["exited_at"]),
        exit_price=_number(row["exit_price"]),
        exit_underlying=_number(row["exit_underlying"]),
        exit_reason=reason,
        fees=_number(row["fees"]),
        gross_pnl=_number(row["gross_pnl"]),
        model=row["model"],
        mid_entry=_number(row["mid_entry"]),
        mid_exit=_number(row["mid_exit"]),
        risk_score=_number(row["risk_score"]),
        stop_multiple=_number(row["stop_multiple"]),
        exit_was_working=settled and row["session"] in unfilled,
    )


def _session_cells(session: SessionFacts) -> Cells:
    same_name = {name: getattr(session, name, None) for name in SESSION_COLUMNS}
    return same_name | {
        "session": session.date,
        "kept": True,
        "open": to_new_york(session.open_ns),
        "close": to_new_york(session.close_ns),
        "flags": _FLAG_SEPARATOR.join(session.flags),
    }


def session_from_row(row: Row) -> SessionFacts:
    """The kept session of a row. Raises `KeyError` or `ValueError` on a row that is none."""
    return SessionFacts(
        date=date.fromisoformat(row["session"]),
        open_ns=_nanoseconds(row["open"]),
        close_ns=_nanoseconds(row["close"]),
        snapshots=int(row["snapshots"]),
        spot_open=_number(row["spot_open"]),
        spot_high=_number(row["spot_high"]),
        spot_low=_number(row["spot_low"]),
        spot_close=_number(row["spot_close"]),
        official_close=_number(row["official_close"]),
        source=row["source"],
        flags=tuple(filter(None, row["flags"].split(_FLAG_SEPARATOR))),
        spacing_seconds=_number(row["spacing_seconds"]),
    )


def skipped_from_row(row: Row) -> SkippedSession:
    """The skipped session of a row. Raises `KeyError` or `ValueError` on a row that is none."""
    known = row["range_pct"]
    range_pct = float(known) if known else None
    return SkippedSession(date.fromisoformat(row["session"]), row["reason"], range_pct)


def _text(value: Any) -> str:
    """A cell: nothing for None and NaN, whole floats without decimals."""
    if value is None or value != value:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return format(round(value, 6) + 0.0, ".15g")
    return value.isoformat() if isinstance(value, date | datetime) else str(value)


def _number(cell: str) -> float:
    return float(cell) if cell else float("nan")


def _nanoseconds(cell: str) -> int:
    return to_nanoseconds(datetime.fromisoformat(cell))
