"""Listens to the approval broker and writes what happens into the journal.

A journal that cannot be written stops entries, and no exit: rows that could not be written wait in
order and are written as soon as the file takes them. Until then `fault` says what is wrong.
"""

from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import backtrader as bt

from brokers.journal.events import Event
from brokers.journal.journal import Journal
from brokers.journal.payload import suggestion_to_payload
from brokers.journal.records import decision_record, position_record, suggestion_record
from brokers.journal.session import SessionFacts
from errors import JournalError
from feeds.contract import Contract
from feeds.snapshot import ChainSnapshot
from vocabulary import Decision, Fill, JournalRecord, LiveQuote, Suggestion

_AT_THE_BROKER = (bt.Order.Accepted, bt.Order.Partial, bt.Order.Completed)


def _no_quote(contract: Contract) -> None:
    """A market without quotes between bars."""


class Bookkeeper:
    """Rows of suggestions, decisions, orders, fills and positions.

    `asked`, `decided`, `concluded` and `told` are the listeners of `ApprovalBroker`; they raise
    `JournalError` as long as anything is unwritten. Orders whose `info` has no "order_ref" are
    those of the simulated broker: their intents, states and executions are written here; a broker
    that allots an order_ref writes its own, before it tells of them.

    Attributes:
        fault: why something is unwritten; empty when all is written.
        gate: the gate's columns of a suggestion, None where there is no gate.
    """

    def __init__(
        self,
        journal: Journal,
        facts: SessionFacts,
        now: Callable[[], int],
        *,
        quote: Callable[[Contract], LiveQuote | None] = _no_quote,
        wait_left: Callable[[Suggestion], float] | None = None,
        model_schema: str = "",
        gate: Callable[[Suggestion], Mapping[str, Any]] | None = None,
    ) -> None:
        """For the open session of `journal`.

        Args:
            journal: with an open session.
            facts: of that session.
            now: market time, nanoseconds.
            quote: the freshest quote of a contract, None where there is none.
            wait_left: minutes of the wait that are left at a suggestion.
            model_schema: version of the model's card.
            gate: the gate's columns of a suggestion, None where there is no gate.
        """
        self.journal = journal
        self.facts = facts
        self.fault = ""
        self._now = now
        self._quote = quote
        self._wait_left = wait_left
        self._model_schema = model_schema
        self.gate = gate
        self._unwritten: deque[Callable[[], None]] = deque()
        self._put: dict[str, Suggestion] = {}
        self._order_refs: dict[int, str] = {}
        self._fills: dict[int, tuple[Fill, ...]] = {}

    def asked(self, order: bt.Order, suggestion: Suggestion, snapshot: ChainSnapshot) -> None:
        """A question was put."""
        record = suggestion_record(
            suggestion,
            snapshot,
            self.facts,
            self._model_schema,
            self._wait_left(suggestion) if self._wait_left is not None else None,
            self._quote(suggestion.contract),
            self.gate(suggestion) if self.gate is not None else None,
        )
        self._later(self._write_suggestion, suggestion, record)
        self._write_now()

    def decided(self, suggestion: Suggestion, decision: Decision) -> None:
        """A question ended; `suggestion` is as it was put last."""
        quote = self._quote(suggestion.contract)
        record = decision_record(decision, quote, self._now())
        self._later(self._write_decision, suggestion, record)
        self._write_now()

    def concluded(self, suggestion: Suggestion, decision: Decision, outcome: str) -> None:
        """What became of an answer: "sent", or why a yes was refused."""
        self._later(self.journal.concluded, suggestion.id, outcome)
        self._write_now()

    def told(self, order: bt.Order) -> None:
        """The broker told something of an order: its state, and its fills since the last time."""
        info, known = order.info, self._fills.get(order.ref, ())
        fills = tuple(info.get("fills") or ())
        if info.get("order_ref") is None:
            if order.ref not in self._fills and order.status not in _AT_THE_BROKER:
                return  # a question only: nothing has reached the broker
            self._simulated(order, fills, len(known))
        self._fills[order.ref] = fills
        if fills != known:
            self._later(self._write_position, fills[-1])
        self._write_now()

    def event(self, event: Event, ts: int | None = None, /, **detail: Any) -> None:
        """Write a session event, at market time where no `ts` is given. As `record`."""
        row = {"event": event, "detail": detail}
        self.record(JournalRecord("session_events", self._now() if ts is None else ts, row))

    def record(self, *records: JournalRecord) -> None:
        """Write records in one transaction, bars say. It never raises: see `fault`."""
        self._later(self.journal.write, *records)
        self.flush()

    def flush(self) -> bool:
        """Try to write what waits; whether nothing is left."""
        while self._unwritten:
            try:
                self._unwritten[0]()
            except JournalError as error:
                self.fault = str(error)
                return False
            self._unwritten.popleft()
        self.fault = ""
        return True

    # Every step is one transaction, so that one that failed can be done again. --------------------

    def _later(self, step: Callable[..., Any], *terms: Any, **named: Any) -> None:
        self._unwritten.append(partial(step, *terms, **named))

    def _write_now(self) -> None:
        if not self.flush():
            raise JournalError(self.fault)

    def _write_suggestion(self, suggestion: Suggestion, record: JournalRecord) -> None:
        if self._last_put(suggestion.id) is None:
            row = {**record.values, "trades_today": self.journal.trades_today()}
            self.journal.write(JournalRecord(record.kind, record.ts, row))
        else:  # by a process that died before the bar was complete
            self.journal.write(*self._amendment(suggestion))
        self._put[suggestion.id] = suggestion

    def _write_decision(self, suggestion: Suggestion, record: JournalRecord) -> None:
        """The decision, behind the terms that the person changed before it."""
        self.journal.write(*self._amendment(suggestion), record)
        self._put[suggestion.id] = suggestion

    def _amendment(self, suggestion: Suggestion) -> list[JournalRecord]:
        """An event where a suggestion is not as it was put last."""
        before, payload = self._last_put(suggestion.id), suggestion_to_payload(suggestion)
        if before is None or suggestion_to_payload(before) == payload:
            return []
        detail = {"suggestion_id": suggestion.id, "payload": payload}
        row = {"event": Event.SUGGESTION_AMENDED, "detail": detail}
        return [JournalRecord("session_events", self._now(), row)]

    def _last_put(self, suggestion_id: str) -> Suggestion | None:
        return self._put.get(suggestion_id) or self.journal.asked_before(suggestion_id)

    def _simulated(self, order: bt.Order, fills: tuple[Fill, ...], known: int) -> None:
        """Intent, state and executions of an order at the simulated broker."""
        ts, info = self._now(), order.info
        limit = float(order.created.price) if order.exectype == bt.Order.Limit else None
        if order.ref not in self._fills:
            self._later(
                self._intend,
                order.ref,
                ts,
                purpose="entry" if info.get("exit_reason") is None else "exit",
                contract=order.data.contract,
                side=1 if order.isbuy() else -1,
                quantity=int(abs(order.created.size)),
                limit=limit,
                suggestion=info.get("suggestion"),
                exit_reason=info.get("exit_reason"),
                exit_decided_ts=info.get("exit_decided_ts"),
                account=self.facts.account,
            )
        for number, fill in enumerate(fills[known:], start=known + 1):
            self._later(self._execute, order.ref, number, fill)
        state = {"status": order.getstatusname(), "filled": int(abs(order.executed.size))}
        state |= {"limit": limit, "message": str(info.get("reason") or "")}
        self._later(self._write_state, order.ref, ts, state)

    def _intend(self, order: int, ts: int, **terms: Any) -> None:
        self._order_refs[order] = self.journal.intend(ts, **terms)

    def _execute(self, order: int, number: int, fill: Fill) -> None:
        order_ref = self._order_refs[order]
        self.journal.executed(
            fill.ts,
            execution_id=f"{order_ref}.{number}",
            order_ref=order_ref,
            side=fill.side,
            quantity=fill.quantity,
            price=fill.price,
            commission=fill.fee,
            underlying=fill.underlying,
            mid=fill.mid,
            slippage=fill.side * (fill.price - fill.mid),
            broker_time=fill.ts,
        )

    def _write_state(self, order: int, ts: int, state: dict[str, Any]) -> None:
        row = {**state, "order_ref": self._order_refs[order]}
        self.journal.write(JournalRecord("orders", ts, row))

    def _write_position(self, fill: Fill) -> None:
        record = position_record(self.journal.fills(), fill.contract, fill.ts)
        self.journal.write(record)
