"""Readers see the journal as it is, typed, while it is written; and count what a rule counts."""

import sqlite3
import threading
from contextlib import closing
from dataclasses import replace
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from journals import DAY, FACTS, SUGGESTION, answered, at, bar, open_journal, shown

from brokers.journal.reader import TABLES, JournalReader, PaperRecord
from errors import DataError, InternalError, JournalError
from feeds.sessions import NEW_YORK
from vocabulary import JOURNAL_COLUMNS, Answer, JournalRecord


def test_times_are_exact_and_tz_aware(tmp_path: Path) -> None:
    with open_journal(tmp_path / "j.db") as journal:
        journal.write(JournalRecord("bars", at(1) + 1, {"spot": 628.5, "probabilities": (0.5, 1)}))
    with JournalReader(tmp_path / "j.db") as reader:
        table = reader.table("bars")
        assert str(table["ts"].dt.tz) == str(NEW_YORK)
        assert table["ts"][0].value == at(1) + 1
        assert str(table["wall_utc"].dt.tz) == "UTC"
        assert table["probabilities"][0] == [0.5, 1]
        assert pd.isna(table["cash"][0])


def test_every_table_can_be_read_empty_with_the_types_of_a_full_one(tmp_path: Path) -> None:
    with open_journal(tmp_path / "j.db"), JournalReader(tmp_path / "j.db") as reader:
        for name in JOURNAL_COLUMNS:
            if name != "session_events":
                assert reader.table(name).empty
        assert reader.suggestions().empty
        empty = reader.table("bars").dtypes
    with open_journal(tmp_path / "j.db") as journal, JournalReader(tmp_path / "j.db") as reader:
        journal.write(bar(1, action=1, allowed=True, reason="", spot=1.0))
        assert list(reader.table("bars").dtypes) == list(empty)
        assert len(TABLES) == len(JOURNAL_COLUMNS) + 1


def test_rows_are_selected_by_session_and_column(tmp_path: Path) -> None:
    with open_journal(tmp_path / "j.db") as journal:
        first = journal.session_id
        journal.write(bar(1, action=1), bar(2))
        second = journal.open_session(replace(FACTS, seed=9))
        journal.write(bar(3))
    with JournalReader(tmp_path / "j.db") as reader:
        assert [row["ts"] for row in reader.rows("bars", [second])] == [at(3)]
        assert [row["ts"] for row in reader.rows("bars", [str(first)], action=None)] == [at(2)]
        assert reader.rows("bars", []) == []
        assert list(reader.sessions(seed=9)["id"]) == [second]
        with pytest.raises(InternalError, match="no column"):
            reader.rows("bars", weather="fine")
        with pytest.raises(InternalError, match="no table"):
            reader.rows("weather")


def test_suggestions_carry_their_last_answer(tmp_path: Path) -> None:
    with open_journal(tmp_path / "j.db") as journal:
        other = replace(SUGGESTION, id="b")
        journal.write(shown(SUGGESTION), shown(other))
        journal.write(answered(SUGGESTION, Answer.WITHDRAWN), answered(SUGGESTION, Answer.NO))
    with JournalReader(tmp_path / "j.db") as reader:
        table = reader.suggestions()
        assert list(table["suggestion_id"]) == ["a", "b"]
        assert list(table["response"].where(table["response"].notna(), "")) == ["n", ""]
        assert list(reader.suggestions(answer="n")["suggestion_id"]) == ["a"]


def test_a_reader_in_another_thread_sees_whole_transactions_of_a_busy_writer(
    tmp_path: Path,
) -> None:
    faults: list[str] = []
    ready, done = threading.Event(), threading.Event()

    def read() -> None:
        with JournalReader(tmp_path / "j.db") as reader:
            while not done.is_set():
                with reader.at_one_instant():
                    first, again = len(reader.rows("bars")), len(reader.rows("bars"))
                if first % 3 or first != again:
                    faults.append(f"{first} rows, then {again}")
                ready.set()

    with open_journal(tmp_path / "j.db") as journal:
        thread = threading.Thread(target=read)
        thread.start()
        ready.wait(10)
        for minute in range(0, 600, 3):
            journal.write(bar(minute), bar(minute + 1), bar(minute + 2))
        done.set()
        thread.join()
    assert faults == []


def test_a_reader_cannot_write(tmp_path: Path) -> None:
    open_journal(tmp_path / "j.db").close()
    with (
        JournalReader(tmp_path / "j.db") as reader,
        pytest.raises(sqlite3.OperationalError, match="readonly"),
    ):
        reader._connection.execute("DELETE FROM sessions")


@pytest.mark.parametrize("content", [None, b"", b"no journal " * 1000])
def test_what_is_no_journal_is_refused_in_one_line(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "j?#%.db"
    if content is not None:
        path.write_bytes(content)
    fault = DataError if content is None else JournalError  # a file that is not there: the call's
    with pytest.raises(fault, match="j") as refused:
        JournalReader(path)
    assert "\n" not in str(refused.value)


def test_a_journal_without_a_table_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    open_journal(path).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TABLE outcomes")
    with pytest.raises(JournalError, match=r"is damaged .it has no table outcomes."):
        JournalReader(path)


def test_a_name_with_odd_characters_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a b?c#d%20.db"
    with open_journal(path), JournalReader(path) as reader:
        assert len(reader.rows("sessions")) == 1


def test_an_unknown_session_is_told(tmp_path: Path) -> None:
    open_journal(tmp_path / "j.db").close()
    with (
        JournalReader(tmp_path / "j.db") as reader,
        pytest.raises(JournalError, match="no session x"),
    ):
        reader.memory("x")


# --- what opens the way to a live account --------------------------------------------------------

DAYS = [
    ("paper", 26, "DU1", 0),
    ("paper", 27, "DU1", 2),
    ("paper", 28, "DU1", None),
    ("paper", 29, "DU2", 0),
    ("mock", 29, "simulated", 0),
    ("live", 29, "U1", 0),
    ("live", 30, "U1", 3),
    ("live", 30, "U2", 0),
]


def write_days(path: Path) -> None:
    with open_journal(path) as journal:
        for mode, day, account, drift in DAYS:
            facts = replace(FACTS, mode=mode, account=account, session_date=DAY.replace(day=day))
            journal.open_session(facts)
            journal.write(JournalRecord("days", at(390), {"drift": drift}))
        journal.open_session(replace(facts, session_date=date(2026, 11, 2)))


def test_paper_sessions_count_when_they_were_compared_and_nothing_was_unexplained(
    tmp_path: Path,
) -> None:
    write_days(tmp_path / "j.db")
    with JournalReader(tmp_path / "j.db") as reader:
        assert reader.paper_record() == PaperRecord(sessions=4, without_drift=2)
        assert reader.paper_record("DU1") == PaperRecord(sessions=3, without_drift=1)
        assert reader.paper_record("U1") == PaperRecord(sessions=0, without_drift=0)


def test_a_date_with_a_second_session_that_drifted_does_not_count(tmp_path: Path) -> None:
    with open_journal(tmp_path / "j.db", replace(FACTS, mode="paper")) as journal:
        journal.write(JournalRecord("days", at(390), {"drift": 0}))
        journal.open_session(replace(FACTS, mode="paper", seed=8))
        journal.write(JournalRecord("days", at(390), {"drift": 1}))
    with JournalReader(tmp_path / "j.db") as reader:
        assert reader.paper_record() == PaperRecord(sessions=1, without_drift=0)


def test_live_sessions_are_counted_by_finished_days(tmp_path: Path) -> None:
    write_days(tmp_path / "j.db")
    with JournalReader(tmp_path / "j.db") as reader:
        assert reader.live_sessions("U1") == 2
        assert reader.live_sessions("U1", before=date(2026, 10, 30)) == 1
        assert reader.live_sessions() == 2
        assert reader.live_sessions("U3") == 0


def test_the_log_stays_short_beside_an_idle_reader(tmp_path: Path) -> None:
    with open_journal(tmp_path / "j.db") as journal, JournalReader(tmp_path / "j.db") as reader:
        sizes = []
        for minute in range(1200):
            journal.write(bar(minute, reason="x" * 200))
            sizes.append((tmp_path / "j.db-wal").stat().st_size)
        assert len(reader.rows("bars")) == 1200
    assert max(sizes) < 4_000_000
