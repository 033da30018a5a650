"""What happens in a session is in the journal, through the real brokers; a full disk is a fault."""

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import backtrader as bt
import pytest
from journals import FACTS, at, bar, open_journal
from market import Scripted, market, rules, wishes

from brokers.approval import ApprovalBroker
from brokers.approvers import ScriptedApprover
from brokers.chain_broker import ChainBroker
from brokers.journal.bookkeeper import Bookkeeper
from brokers.journal.events import Event
from brokers.journal.journal import Journal
from brokers.journal.reader import JournalReader
from errors import JournalError
from feeds.chain_feed import ChainFeed
from feeds.contract import Contract
from strategies.ppo_strategy import PPOStrategy
from vocabulary import FEATURES, Answer, Decision, LiveQuote, Verdict

SELL_AT_TEN = wishes((6, 2))


def quote(contract: Contract) -> LiveQuote:
    return LiveQuote(contract, at(30), 1.05, 1.1, 9, 9, 628.25, 0.25)


def run(
    journal: Journal,
    approver: ScriptedApprover,
    script: list[int] = SELL_AT_TEN,
    change: Callable[[Any], None] = lambda made: None,
    approval: dict[str, Any] | None = None,
    **figures: Any,
) -> tuple[PPOStrategy, Bookkeeper]:
    made = market()
    change(made)
    feed = ChainFeed([made.day()])
    keeper = Bookkeeper(journal, FACTS, lambda: feed.snapshot().ts, quote=quote)
    broker = ApprovalBroker(
        ChainBroker(),
        approver,
        decided=keeper.decided,
        asked=keeper.asked,
        concluded=keeper.concluded,
        told=keeper.told,
        **(approval or {}),
    )
    cerebro = bt.Cerebro(stdstats=False, quicknotify=True)
    cerebro.adddata(feed)
    cerebro.setbroker(broker)
    cerebro.addstrategy(PPOStrategy, policy=Scripted(script), settings=rules(**figures))
    return cerebro.run()[0], keeper


def test_a_session_can_be_read_back_from_the_journal(tmp_path: Path) -> None:
    with open_journal(tmp_path / "j.db") as journal:
        ran, keeper = run(journal, ScriptedApprover(["y"]))
        (trip,) = ran.tracker.round_trips
        entry, closing = journal.memory().fills
        assert keeper.fault == ""
        assert (entry.fill.price, entry.fill.ts) == (trip.entry_price, trip.entered_ts)
        assert (closing.fill.price, closing.fill.ts) == (trip.exit_price, trip.exited_ts)
        assert entry.fill.fee + closing.fill.fee == trip.fees
        assert entry.suggestion is not None
        assert entry.suggestion.ts == trip.decided_ts
        assert (closing.exit_reason, closing.exit_decided_ts) == (
            trip.exit_reason,
            trip.exit_decided_ts,
        )
        assert journal.memory().answered_ts == trip.decided_ts


def test_a_suggestion_is_written_with_the_market_it_was_made_in(tmp_path: Path) -> None:
    with open_journal(tmp_path / "j.db") as journal:
        run(journal, ScriptedApprover(["y"]))
    with JournalReader(tmp_path / "j.db") as reader:
        (row,) = reader.rows("suggestions")
    assert row["action_name"] == "sell_put"
    assert (row["right"], row["strike"], row["expiration"]) == ("PUT", 628.0, "2026-10-30")
    assert row["ts_new_york"] == "2026-10-30T10:00:00-04:00"
    assert row["ts_utc"] == "2026-10-30T14:00:00+00:00"
    assert 0.1 < row["iv"] < 0.3
    assert -1 < row["delta"] < 0
    assert row["mid"] == pytest.approx((row["bid"] + row["ask"]) / 2)
    assert row["snapshot_reference"] == f"recorded/SPY/2026-10-30/{row['ts']}"
    assert (row["quote_age_ms"], row["trades_today"]) == (250.0, 0)
    assert row["policy_probability"] == 1.0
    assert [row[f"feature_{name}"] for name in FEATURES] == row["payload"]["features"]
    assert row["gate_probability"] is None


def test_answers_carry_their_words_quotes_and_outcomes(tmp_path: Path) -> None:
    with open_journal(tmp_path / "j.db") as journal:
        refuse = {"recheck": lambda order, snapshot: Verdict(False, "drifted 4 ticks")}
        run(journal, ScriptedApprover(["skip", "y"]), wishes((6, 2), (10, 2)), approval=refuse)
        memory = journal.memory()
        assert (memory.skipped_ts, memory.answered_ts) == (at(30), None)
        assert memory.fills == ()
    with JournalReader(tmp_path / "j.db") as reader:
        rows = reader.rows("decisions")
        assert [row["response"] for row in rows] == ["skip", "y"]
        assert rows[1]["outcome"] == "drifted 4 ticks"
        assert rows[0]["bid_at_response"] == 1.05
        assert rows[0]["effect_ts"] == at(30)
        assert reader.rows("intents") == []
        answered = reader.suggestions(answer="skip")
        assert list(answered["channel"]) == ["script"]


def test_partial_fills_and_a_settlement_are_all_there(tmp_path: Path) -> None:
    def one_lot(made: Any) -> None:
        made.bid_size[:] = made.ask_size[:] = 1

    with open_journal(tmp_path / "j.db") as journal:
        ran, _ = run(
            journal,
            ScriptedApprover(["y"]),
            change=one_lot,
            hold_to_expiry=True,
            small_capital=1.0,
            quantities=(3, 3, 3),
            margin="reg_t",
        )
        assert ran.settings.contracts == 1
        fills = journal.memory().fills
    (trip,) = ran.tracker.round_trips
    assert sum(one.fill.quantity for one in fills if one.exit_reason is None) == trip.quantity
    assert fills[-1].exit_reason == "settlement"
    with JournalReader(tmp_path / "j.db") as reader:
        last = reader.rows("positions")[-1]
        assert (last["quantity"], last["closed_reason"]) == (0, "settlement")
        assert reader.rows("orders")[-1]["status"] == "Completed"


def test_a_question_asked_again_after_a_crash_is_one_suggestion(tmp_path: Path) -> None:
    with open_journal(tmp_path / "j.db") as journal:
        run(journal, ScriptedApprover([]))
    with open_journal(tmp_path / "j.db") as journal:
        assert journal.resumed
        run(journal, ScriptedApprover(["y"]))
        assert journal.memory().answered_ts == at(30)
    with JournalReader(tmp_path / "j.db") as reader:
        assert len(reader.rows("suggestions")) == 1
        assert reader.rows("session_events", event=Event.SUGGESTION_AMENDED.value) == []


def test_terms_that_a_person_changed_are_written_before_the_answer(tmp_path: Path) -> None:
    with open_journal(tmp_path / "j.db") as journal:
        _, keeper = run(journal, ScriptedApprover([]))
        asked = next(iter(keeper._put.values()))
        assert asked.plan is not None
        changed = replace(asked, plan=replace(asked.plan, worst_price=1.07))
        keeper.decided(changed, Decision(asked.id, Answer.NO, "test", 2.5, "late", "timing"))
        keeper.decided(changed, Decision(asked.id, Answer.NO, "test"))
    with JournalReader(tmp_path / "j.db") as reader:
        (event,) = reader.rows("session_events", event=Event.SUGGESTION_AMENDED.value)
        assert event["detail"]["payload"]["plan"]["worst_price"] == 1.07
        row = reader.rows("decisions")[-2]
        assert (row["response_ms"], row["comment"], row["reason_code"]) == (2500, "late", "timing")


class Blocked:
    """Another program's transaction, as a full disk would, keeps the journal from writing."""

    def __init__(self, path: Path) -> None:
        self.other = sqlite3.connect(path, isolation_level=None)
        self.other.execute("BEGIN IMMEDIATE")

    def end(self) -> None:
        self.other.execute("ROLLBACK")
        self.other.close()


def test_what_cannot_be_written_is_a_fault_and_waits_in_order(tmp_path: Path) -> None:
    with open_journal(tmp_path / "j.db") as journal:
        _, keeper = run(journal, ScriptedApprover(["n"]))
        journal._tables.connection.execute("PRAGMA busy_timeout = 1")
        suggestion = next(iter(keeper._put.values()))
        blocked = Blocked(tmp_path / "j.db")
        with pytest.raises(JournalError, match="cannot be written"):
            keeper.decided(suggestion, Decision(suggestion.id, Answer.SKIP, "test"))
        with pytest.raises(JournalError, match="cannot be written"):
            keeper.concluded(suggestion, Decision(suggestion.id, Answer.SKIP, "test"), "later")
        keeper.record(bar(40))
        keeper.event(Event.HALTED, reason="a test")
        assert "cannot be written" in keeper.fault
        assert not keeper.flush()
        blocked.end()
        assert keeper.flush()
        assert keeper.fault == ""
        assert journal.memory().last_ts == at(40)
    with JournalReader(tmp_path / "j.db") as reader:
        assert [row["outcome"] for row in reader.rows("decisions")] == ["not sent", "later"]
        assert [row["event"] for row in reader.rows("session_events")][-1] == "halted"


def test_an_entry_that_cannot_be_journaled_is_not_sent(tmp_path: Path) -> None:
    blocks: list[Blocked] = []

    class Blocking(ScriptedApprover):
        def ask(self, suggestion: Any) -> None:
            super().ask(suggestion)
            if not blocks:
                blocks.append(Blocked(tmp_path / "j.db"))

    with open_journal(tmp_path / "j.db") as journal:
        journal._tables.connection.execute("PRAGMA busy_timeout = 1")
        ran, keeper = run(journal, Blocking(["y"]))
        assert ran.tracker.round_trips == []
        assert keeper.fault
        blocks[0].end()
        assert keeper.flush()
        assert journal.memory().fills == ()


def test_a_question_asked_otherwise_after_a_crash_keeps_both(tmp_path: Path) -> None:
    with open_journal(tmp_path / "j.db") as journal:
        run(journal, ScriptedApprover([]))
    with open_journal(tmp_path / "j.db") as journal:
        run(journal, ScriptedApprover(["y"]), stop_multiples=(2.0, 3.0, 4.0))
        assert [one.suggestion.stop_multiple for one in journal.memory().fills[:1]] == [2.0]  # type: ignore[union-attr]
    with JournalReader(tmp_path / "j.db") as reader:
        assert [row["stop_multiple"] for row in reader.rows("suggestions")] == [3.0]
        (event,) = reader.rows("session_events", event=Event.SUGGESTION_AMENDED.value)
        assert event["detail"]["payload"]["stop_multiple"] == 2.0
