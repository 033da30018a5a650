"""Executions in the journal: each once, corrected by a higher revision, commissions set."""

from typing import Any

from brokers.journal.events import Event
from brokers.journal.tables import JournalTables


def write_execution(
    tables: JournalTables, session: str, ts: int, execution: dict[str, Any]
) -> bool:
    """Insert, correct or charge an execution, within a transaction; False if nothing is new."""
    known = tables.row(
        "SELECT revision FROM executions WHERE execution_id = ?", (execution["execution_id"],)
    )
    if known is None:
        tables.insert("executions", session, ts, execution)
        return True
    if execution["revision"] > known[0]:
        _correct(tables, session, ts, execution)
        return True
    commission = execution["commission"]
    return commission is not None and charge(tables, execution["execution_id"], commission)


def _correct(tables: JournalTables, session: str, ts: int, execution: dict[str, Any]) -> None:
    """Replace what is given; what it was before stays as an event."""
    key = execution["execution_id"]
    changed = {name: value for name, value in execution.items() if value is not None} | {"ts": ts}
    del changed["execution_id"]
    before = tables.change("executions", "execution_id", key, changed)
    tables.tell(session, ts, Event.EXECUTION_CORRECTED, {"execution_id": key, **before})


def charge(tables: JournalTables, execution_id: str, commission: float) -> bool:
    """Set a commission; False where the execution is unknown or has it already."""
    done = tables.connection.execute(
        "UPDATE executions SET commission = ? WHERE execution_id = ? AND commission IS NOT ?",
        (float(commission), execution_id, float(commission)),
    )
    return done.rowcount > 0
