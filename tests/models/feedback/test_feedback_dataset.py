"""From the journal to one row a suggestion, with how it ended; and out to Parquet and back."""

from dataclasses import replace

import pandas as pd
import pyarrow.parquet as pq
import pytest
from feedback_rows import feedback
from journals import FACTS, MINUTE, OPEN, PUT_628, open_journal, suggestion
from market import market

from brokers.journal.reader import JournalReader
from brokers.journal.records import decision_record, suggestion_record
from errors import DataError
from feeds.sessions import NEW_YORK
from models.feedback.dataset import (
    COLUMNS,
    combined,
    feedback_table,
    fill_prices_of,
    is_labelled,
    read_feedback,
    typed,
    weight_of,
    write_feedback,
)
from vocabulary import Answer, Decision, ExitReason, JournalRecord

GATE = {
    "gate_version": "gate-1",
    "gate_probability": 0.2,
    "gate_tau": 0.5,
    "gate_vetoed": True,
    "gate_probe": False,
    "shown": False,
    "show_probability": 0.1,
}
SNAPSHOT = market().day()


def snapshot():
    from feeds.snapshot import ChainSnapshot

    return ChainSnapshot(SNAPSHOT, 40)


def journal_with(path, *entries):
    """A journal of suggestions, each with its gate columns, decision and shadow."""
    facts = replace(FACTS, model_sha256="a" * 64)
    with open_journal(path, facts) as journal:
        for one, gate, decision, shadow in entries:
            row = suggestion_record(one, snapshot(), facts, "1", None, None, gate)
            journal.write(row)
            if decision is not None:
                journal.write(decision_record(decision, None, one.ts))
            if shadow is not None:
                values = {"suggestion_id": one.id, "shadow_pnl": shadow}
                journal.write(JournalRecord("outcomes", one.ts, values))


def table_of(path):
    with JournalReader(path) as reader:
        frames = [reader.table(name) for name in ("suggestions", "decisions", "outcomes")]
        return feedback_table(*frames, reader.sessions())


def said(one, answer, channel="terminal", **more):
    return Decision(one.id, answer, channel, 4.5, "too wild", "volatility", ts=one.ts, **more)


def test_a_journal_becomes_one_row_an_entry_with_how_it_ended(tmp_path):
    path = tmp_path / "journal.db"
    yes, vetoed, closing, silent = (suggestion(name, n) for n, name in enumerate("abcd"))
    closing = replace(closing, exit_reason=ExitReason.STOP_LOSS)
    withdrawn = Decision("b", Answer.WITHDRAWN, "gate", 0.0, "p(y) low", ts=vetoed.ts)
    journal_with(
        path,
        (yes, None, said(yes, Answer.YES), -12.5),
        (vetoed, GATE, withdrawn, 31.0),
        (closing, None, None, None),
        (silent, None, None, None),
    )
    table = table_of(path)
    assert tuple(table.columns) == COLUMNS
    assert table["suggestion_id"].tolist() == ["a", "b", "d"]
    first, second, third = (table.iloc[n] for n in range(3))
    assert (first["response"], first["reason_code"], first["comment"]) == (
        "y",
        "volatility",
        "too wild",
    )
    assert first["response_seconds"] == 4.5 and first["shadow_pnl"] == -12.5
    assert first["feature_atm_iv"] == 0.155 and first["right"] == "P"
    assert first["model_sha256"] == "a" * 64 and first["source"] == "mock"
    assert (second["shown"], second["vetoed"], second["response"]) == (False, True, "withdrawn")
    assert second["show_probability"] == 0.1 and second["shadow_pnl"] == 31.0
    assert third["response"] is None and third["shown"]
    assert is_labelled(table).tolist() == [True, False, False]
    assert first["ts"].tzinfo.key == NEW_YORK.key and first["ts"].value == OPEN


def test_what_a_program_answered_is_no_answer(tmp_path):
    path = tmp_path / "journal.db"
    one = suggestion("a", 1)
    journal_with(path, (one, None, said(one, Answer.YES, "automatic"), None))
    assert not is_labelled(table_of(path)).any()


def test_a_probe_counts_more_and_never_more_than_five_times():
    assert weight_of("mock", 1.0) == 1.0
    assert weight_of("mock", 0.5) == 2.0
    assert weight_of("mock", 0.1) == 5.0
    assert weight_of("review", 1.0) == 0.5
    with pytest.raises(DataError, match="source 'dream'"):
        weight_of("dream", 1.0)


def test_a_table_survives_parquet_to_the_last_bit(tmp_path):
    table = feedback(5, probabilities=[0.1, 0.2, 0.7], comment=None, bid=1.23)
    write_feedback(table, tmp_path / "feedback.parquet")
    pd.testing.assert_frame_equal(read_feedback(tmp_path / "feedback.parquet"), table)
    empty = typed([])
    write_feedback(empty, tmp_path / "empty.parquet")
    pd.testing.assert_frame_equal(read_feedback(tmp_path / "empty.parquet"), empty)


def test_a_file_of_another_schema_is_refused(tmp_path):
    path = tmp_path / "other.parquet"
    feedback(3).drop(columns="weight").to_parquet(path)
    with pytest.raises(DataError, match="schema unknown, this desk reads feedback/2"):
        read_feedback(path)
    write_feedback(feedback(3), path)
    content = pq.read_table(path)
    pq.write_table(content.replace_schema_metadata({b"schema": b"feedback/1"}), path)
    with pytest.raises(DataError, match="schema feedback/1"):
        read_feedback(path)
    path.write_text("nothing")
    with pytest.raises(DataError, match="no feedback table"):
        read_feedback(path)


def test_an_entry_has_the_mean_price_of_its_executions():
    intents = [
        {"order_ref": "o1", "session_id": "s", "suggestion_id": "a"},
        {"order_ref": "o2", "session_id": "s", "suggestion_id": None},
    ]
    executions = [
        {"order_ref": name, "quantity": count, "price": price}
        for name, count, price in (("o1", 1, 2.0), ("o1", 3, 2.4), ("o2", 1, 0.1), ("x", 1, 9.0))
    ]
    assert fill_prices_of(intents, executions) == {("s", "a"): pytest.approx(2.3)}


def test_a_suggestion_that_two_tables_hold_counts_once():
    table = feedback(4)
    assert len(combined([table, table.iloc[:2], typed([])])) == 4
    assert len(combined([])) == 0


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [("action", 7, "unknown action 7"), ("feature_version", 2, "features of version 2")],
)
def test_rows_that_cannot_be_understood_are_named(tmp_path, column, value, words):
    path = tmp_path / "journal.db"
    journal_with(path, (suggestion("a", 1), None, None, None))
    with JournalReader(path) as reader:
        frames = {name: reader.table(name) for name in ("suggestions", "decisions", "outcomes")}
        frames["suggestions"][column] = value
        with pytest.raises(DataError, match=f"suggestion a of session .* {words}"):
            feedback_table(**frames, sessions=reader.sessions())


def test_a_journal_of_another_schema_is_refused(tmp_path):
    path = tmp_path / "journal.db"
    journal_with(path, (suggestion("a", 1), None, None, None))
    with JournalReader(path) as reader:
        frames = [reader.table(name) for name in ("suggestions", "decisions", "outcomes")]
        frames[1] = frames[1].drop(columns="channel")
        with pytest.raises(DataError, match="decisions have no column channel"):
            feedback_table(*frames, reader.sessions())


def test_times_and_contracts_are_those_of_the_journal(tmp_path):
    path = tmp_path / "journal.db"
    journal_with(path, (suggestion("a", 90), None, None, None))
    (row,) = table_of(path).to_dict("records")
    assert row["ts"].value == OPEN + 90 * MINUTE
    assert row["strike"] == PUT_628.strike and row["session_date"] == FACTS.session_date
