"""What a settlement changes of a session that was over: its day, its outcomes, its run's files."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from brokers.journal.reader import JournalReader
from brokers.journal.settlements import Settlement
from desk.legs import closing_equity
from desk.outcomes import real_trips
from errors import DataError
from reports.result import BacktestResult, EquityTable
from reports.rows import trade_rows, write_rows
from reports.run_folder import METRICS, TRADES, read_run, write_run_files
from vocabulary import JournalRecord, PastFill, RoundTrip

Row = Mapping[str, Any]


def late_records(
    reader: JournalReader, facts: Row, settled: PastFill
) -> tuple[list[JournalRecord], list[RoundTrip]]:
    """The rows of `days` and `outcomes` as they are with the settlement, and all round trips.

    A session that never came to its end has neither row: nothing is made up for it.
    """
    session = [str(facts["id"])]
    fills = [*reader.fills(session[0]), settled]
    trips = real_trips(fills, str(facts["model"]))
    by_decision = {trip.decided_ts: trip for trip in trips}
    decided = {row["suggestion_id"]: row["payload"]["ts"] for row in _entries(reader, session)}
    records = [
        _outcome(row, by_decision[decided[row["suggestion_id"]]])
        for row in reader.rows("outcomes", session)
        if decided.get(row["suggestion_id"]) in by_decision
    ]
    bars = reader.rows("bars", session)
    records += [_day(row, bars[-1], trips, fills) for row in reader.rows("days", session)]
    return records, trips


def _entries(reader: JournalReader, session: Sequence[str]) -> list[dict[str, Any]]:
    return [row for row in reader.rows("suggestions", session) if row["exit_reason"] is None]


def _outcome(row: Row, trip: RoundTrip) -> JournalRecord:
    values = {name: row[name] for name in row if name not in _OWN}
    values |= {"exit_ts": trip.exited_ts, "exit_price": trip.exit_price}
    values |= {"exit_reason": str(trip.exit_reason), "pnl": trip.net_pnl}
    return JournalRecord("outcomes", row["ts"], values)


_OWN = ("id", "session_id", "ts", "wall_utc")


def _day(
    row: Row, last: Row, trips: Sequence[RoundTrip], fills: Sequence[PastFill]
) -> JournalRecord:
    """The day's money anew; `last` is its last bar."""
    worth = last["cash"], last["position_value"]
    values = {
        "closing_equity": closing_equity(last["ts"], *worth, fills),
        "realised_pnl": sum(trip.net_pnl for trip in trips),
        "fees": sum(trip.fees for trip in trips),
        "trades": len(trips),
    }
    return JournalRecord("days", row["ts"], values)


def write_late_files(folder: Path, trips: Sequence[RoundTrip], settlement: Settlement) -> str:
    """Put the round trips into the run's files; what could not be done, in words, else empty.

    A run that never finished gets its trades alone.
    """
    try:
        if (folder / METRICS).is_file():
            write_run_files(folder, settled_result(read_run(folder)[0], trips, settlement))
        elif folder.name and folder.is_dir():
            write_rows(folder / TRADES, trade_rows(trips))
        else:
            return "; its run's folder is gone"
    except (DataError, OSError) as error:
        return f"; its files could not be brought up to date: {error}"
    return ""


def settled_result(
    result: BacktestResult, trips: Sequence[RoundTrip], settlement: Settlement
) -> BacktestResult:
    """A run with the round trips that it lacks and the account after it; idempotent."""
    known = {trade.decided_ts for trade in result.trades}
    more = [trip for trip in trips if trip.decided_ts not in known]
    trades = sorted([*result.trades, *more], key=lambda trip: trip.entered_ts)
    equity, fill = result.equity, settlement
    if not more or (equity.ts.size and equity.ts[-1] >= fill.ts):
        return replace(result, trades=trades)
    paid = fill.side * abs(fill.held) * fill.price * fill.contract.multiplier
    last = equity.cash[-1] if equity.cash.size else result.starting_cash
    return replace(
        result,
        trades=trades,
        equity=EquityTable(
            ts=np.append(equity.ts, fill.ts),
            cash=np.append(equity.cash, last - paid),
            position_value=np.append(equity.position_value, 0.0),
        ),
    )
