"""The journal's one writer.

Everything is written by one thread (Cerebro's) through one `Journal`. A call that returned is a
complete transaction; an intent that was returned is on the disk, before anything is sent.
"""

import os
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from brokers.journal.connection import (
    copy_for_backup,
    make_room,
    open_for_writing,
    told_in_one_line,
)
from brokers.journal.events import Event
from brokers.journal.executions import charge, write_execution
from brokers.journal.lock import WriterLock
from brokers.journal.memory import memory_of, past_fills
from brokers.journal.payload import from_json, suggestion_from_payload, suggestion_to_payload
from brokers.journal.session import SessionFacts
from brokers.journal.settlements import Settlement, write_settlement
from brokers.journal.tables import JournalTables, wall_utc
from errors import InternalError
from feeds.contract import Contract
from vocabulary import DeskMemory, ExitReason, JournalRecord, PastFill, Suggestion


class Journal:
    """Writes sessions into one file. Belongs to the thread that made it.

    Every writing method raises `JournalError` where the file does not take it (a full disk, a
    read-only one): nothing may be traded then.

    Attributes:
        path: the file.
        session_id: the open session, None before `open_session` and after `end_session`.
        resumed: whether it was begun by an earlier process.
    """

    def __init__(
        self, path: Path, durable: bool = True, now: Callable[[], datetime] = wall_utc
    ) -> None:
        """Open or create the journal at `path`; its folder is made.

        `durable`: every transaction is on the disk when its call returns. Otherwise only intents
        are, and a power cut (not a killed process) may lose the last others.
        Raises `SettingError` where another process writes it, `JournalError` where the file is
        newer, damaged or not writable.
        """
        self.path = path
        self.session_id: str | None = None
        self.resumed = False
        make_room(path)
        self._lock = WriterLock(path)
        try:
            connection = open_for_writing(path, durable)
        except BaseException:
            self._lock.release()
            raise
        self._tables = JournalTables(connection, path, durable, now)

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def open_session(self, facts: SessionFacts, ts: int | None = None) -> str:
        """Begin a session, or go on with the open one of the same identity; its id.

        `ts` is market time where it is known.
        """
        tables = self._tables
        with tables.transaction():
            found = tables.row(
                "SELECT id FROM sessions WHERE state = 'open' AND mode = ? AND session_date = ? "
                "AND account = ? AND market = ? AND seed = ? ORDER BY started_utc DESC",
                facts.identity,
            )
            session = found[0] if found else self._begin(facts)
            event = Event.SESSION_RESUMED if found else Event.SESSION_OPENED
            tables.tell(session, ts, event, {"pid": os.getpid(), **facts.of_process()})
        self.session_id, self.resumed = session, found is not None
        return str(session)

    def write(self, *records: JournalRecord) -> None:
        """Write records in one transaction: all or none.

        Raises `InternalError` for a table or column that does not exist.
        """
        session = self._session()
        with self._tables.transaction():
            for record in records:
                self._tables.insert(record.kind, session, record.ts, record.values)
        self._tables.make_room()

    def intend(
        self,
        ts: int,
        *,
        purpose: str,
        contract: Contract,
        side: int,
        quantity: int,
        limit: float | None = None,
        worst: float | None = None,
        suggestion: Suggestion | None = None,
        exit_reason: ExitReason | None = None,
        exit_decided_ts: int | None = None,
        account: str = "",
        payload: Mapping[str, Any] | None = None,
    ) -> str:
        """Write down what is about to be sent; returns its unique order_ref, on the disk by then.

        Args:
            ts: market time, nanoseconds.
            purpose: "entry", "exit" or "stop".
            contract, side, quantity: what is to be traded; side +1 buys, -1 sells.
            limit, worst: dollars a share, None where there is none.
            suggestion: the one a yes was given to, as it was approved.
            exit_reason, exit_decided_ts: of exits and stops.
            account: the broker's.
            payload: anything more.
        """
        row: dict[str, Any] = {
            "purpose": purpose,
            "underlying": contract.underlying,
            "expiration": contract.expiration,
            "strike": contract.strike,
            "right": contract.right,
            "side": side,
            "quantity": quantity,
            "limit": limit,
            "worst": worst,
            "exit_reason": exit_reason,
            "exit_decided_ts": exit_decided_ts,
            "account": account,
            "payload": dict(payload or {}),
        }
        if suggestion is not None:
            row["suggestion_id"] = suggestion.id
            row["payload"]["suggestion"] = suggestion_to_payload(suggestion)
        session = self._session()
        with self._tables.on_the_disk(), self._tables.transaction():
            row["order_ref"] = self._next_order_ref(session)
            self._tables.insert("intents", session, ts, row)
        return str(row["order_ref"])

    def amend_intent(self, ts: int, order_ref: str, **columns: Any) -> None:
        """Change columns of an intent (exit_reason, limit, ...), on the disk by the return.

        For an order that is modified at the broker: a native stop that becomes the desk's exit.
        What it was before stays as an event. Raises `InternalError` for an unknown order.
        """
        tables, session = self._tables, self._session()
        with tables.on_the_disk(), tables.transaction():
            before = tables.change("intents", "order_ref", order_ref, columns)
            tables.tell(session, ts, Event.INTENT_AMENDED, {"order_ref": order_ref, **before})

    def executed(
        self,
        ts: int,
        *,
        execution_id: str,
        order_ref: str,
        side: int,
        quantity: int,
        price: float,
        revision: int = 0,
        commission: float | None = None,
        underlying: float | None = None,
        mid: float | None = None,
        slippage: float | None = None,
        broker_time: int | None = None,
    ) -> bool:
        """Write an execution once; False where nothing of it is new.

        A higher revision of a known one replaces what is given (what it was stays as an event); of
        a lower or equal one the commission alone counts. A commission is set, never added.
        `ts` is market time, `broker_time` the broker's stamp, both nanoseconds; `slippage` dollars
        a share worse than the mid.
        """
        execution = {
            "execution_id": execution_id,
            "revision": revision,
            "order_ref": order_ref,
            "side": side,
            "quantity": quantity,
            "price": price,
            "commission": commission,
            "underlying": underlying,
            "mid": mid,
            "slippage": slippage,
            "broker_time": broker_time,
        }
        session = self._session()
        with self._tables.transaction():
            return write_execution(self._tables, session, ts, execution)

    def charged(self, execution_id: str, commission: float) -> bool:
        """Set the commission (dollars) of an execution; False where it is unknown or as it was."""
        with self._tables.transaction():
            return charge(self._tables, execution_id, commission)

    def settle(self, session_id: str, settlement: Settlement, *records: JournalRecord) -> str:
        """Book an expired position of a session, open or closed; the order_ref it got.

        `records` (its day, its outcomes) are written into that session too: all or none.
        """
        with self._tables.on_the_disk(), self._tables.transaction():
            order_ref = self._next_order_ref(session_id)
            write_settlement(self._tables, session_id, order_ref, settlement)
            for record in records:
                self._tables.insert(record.kind, session_id, record.ts, record.values)
        return order_ref

    def concluded(self, suggestion_id: str, outcome: str) -> None:
        """Write what became of the last answer to a suggestion: "sent", or why it was not."""
        session = self._session()
        with self._tables.transaction():
            self._tables.connection.execute(
                "UPDATE decisions SET outcome = ? WHERE id = (SELECT max(id) FROM decisions "
                "WHERE session_id = ? AND suggestion_id = ?)",
                (outcome, session, suggestion_id),
            )

    def asked_before(self, suggestion_id: str) -> Suggestion | None:
        """The suggestion of this session with that id as first asked, None for a new one."""
        row = self._tables.row(
            "SELECT payload FROM suggestions WHERE session_id = ? AND suggestion_id = ?",
            (self._session(), suggestion_id),
        )
        return None if row is None else suggestion_from_payload(from_json(row[0]))

    def trades_today(self) -> int:
        """Entries of this session that were filled, in part at least."""
        (count,) = self._tables.row(
            "SELECT count(DISTINCT order_ref) FROM intents JOIN executions USING (order_ref) "
            "WHERE intents.session_id = ? AND purpose = 'entry'",
            (self._session(),),
        )
        return int(count)

    def memory(self) -> DeskMemory:
        """What a restarted desk must know of the open session."""
        with told_in_one_line(self.path, "read"):
            return memory_of(self._tables.connection, self._session())

    def fills(self) -> tuple[PastFill, ...]:
        """Fills of the open session's own orders, oldest first."""
        with told_in_one_line(self.path, "read"):
            return past_fills(self._tables.connection, self._session())

    def end_session(self, note: str = "", ts: int | None = None) -> None:
        """Close the session: it is not resumed any more. Without an open one, nothing."""
        if self.session_id is None:
            return
        tables = self._tables
        with tables.transaction():
            tables.tell(self.session_id, ts, Event.SESSION_ENDED, {"note": note})
            tables.connection.execute(
                "UPDATE sessions SET state = 'closed', ended_utc = ?, note = ? WHERE id = ?",
                (tables.wall(), note, self.session_id),
            )
        self.session_id = None

    def backup(self, path: Path) -> None:
        """Copy the whole journal to `path` while it is in use."""
        with told_in_one_line(path, "written"):
            copy_for_backup(self._tables.connection, path)

    def close(self) -> None:
        """Tidy up and let the next writer in; an open session stays open. Idempotent."""
        try:
            with told_in_one_line(self.path, "closed"):
                self._tables.connection.close()
        finally:
            self._lock.release()

    def _session(self) -> str:
        if self.session_id is None:
            raise InternalError("the journal has no open session")
        return self.session_id

    def _begin(self, facts: SessionFacts) -> str:
        mode, day, *_ = facts.identity
        (count,) = self._tables.row(
            "SELECT count(*) FROM sessions WHERE mode = ? AND session_date = ?", (mode, day)
        )
        session = f"{day.replace('-', '')}-{mode}-{count + 1}"
        begun = {"id": session, "started_utc": self._tables.wall(), "state": "open"}
        self._tables.insert_session({**facts.columns(), **begun})
        return session

    def _next_order_ref(self, session: str) -> str:
        (tag,) = self._tables.row("SELECT value FROM facts WHERE name = 'tag'")
        (last,) = self._tables.row("SELECT coalesce(max(id), 0) FROM intents")
        (day,) = self._tables.row("SELECT session_date FROM sessions WHERE id = ?", (session,))
        return f"zdte-{day.replace('-', '')}-{tag}-{last + 1}"
