"""One writer, whole transactions, intents on the disk, executions once."""

import os
import signal
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from journals import DAY, FACTS, PUT_628, SUGGESTION, at, bar, fill, open_journal, shown

from brokers.journal.events import Event
from brokers.journal.journal import Journal
from brokers.journal.reader import JournalReader
from brokers.journal.session import SessionFacts
from errors import InternalError, JournalError, SettingError
from vocabulary import ExitReason, JournalRecord

ROOT = Path(__file__).resolve().parents[3]


def intend(journal: Journal, **terms: object) -> str:
    figures = {"purpose": "entry", "contract": PUT_628, "side": -1, "quantity": 1} | terms
    return journal.intend(at(0), **figures)  # type: ignore[arg-type]


def test_the_same_session_goes_on_after_a_restart(tmp_path: Path) -> None:
    with open_journal(tmp_path / "j.db") as journal:
        first, resumed = journal.session_id, journal.resumed
    with open_journal(tmp_path / "j.db", replace(FACTS, model="another")) as journal:
        assert (first, resumed) == ("20261030-mock-1", False)
        assert (journal.session_id, journal.resumed) == (first, True)
    with JournalReader(tmp_path / "j.db") as reader:
        events = [(row["event"], row["detail"]["model"]) for row in reader.rows("session_events")]
        assert events == [("session_opened", "bundled"), ("session_resumed", "another")]


@pytest.mark.parametrize(
    "other",
    [
        replace(FACTS, mode="replay"),
        replace(FACTS, session_date=DAY.replace(day=29)),
        replace(FACTS, account="DU1"),
        replace(FACTS, market="elsewhere"),
        replace(FACTS, seed=4),
    ],
)
def test_another_session_is_not_resumed(tmp_path: Path, other: SessionFacts) -> None:
    with open_journal(tmp_path / "j.db") as journal:
        first = journal.session_id
        assert journal.open_session(other) != first
        assert not journal.resumed
        assert journal.open_session(FACTS) == first


def test_an_ended_session_is_not_resumed(tmp_path: Path) -> None:
    with open_journal(tmp_path / "j.db") as journal:
        first = journal.session_id
        journal.end_session("the close")
        assert journal.session_id is None
        assert journal.open_session(FACTS) != first
    with JournalReader(tmp_path / "j.db") as reader:
        row = reader.rows("sessions")[0]
        assert (row["state"], row["note"]) == ("closed", "the close")
        assert row["ended_utc"] >= row["started_utc"]


def test_every_intent_has_an_order_ref_of_its_own(tmp_path: Path) -> None:
    refs = []
    for durable in (True, False):
        with open_journal(tmp_path / "j.db", durable=durable) as journal:
            refs += [intend(journal) for _ in range(3)]
    with open_journal(tmp_path / "other.db") as journal:
        refs += [intend(journal)]
    assert len(set(refs)) == 7
    assert all(ref.startswith("zdte-20261030-") for ref in refs)


def test_a_restored_backup_allots_other_order_refs(tmp_path: Path) -> None:
    with open_journal(tmp_path / "j.db") as journal:
        journal.backup(tmp_path / "copy.db")
        with pytest.raises(SettingError, match="exists already"):
            journal.backup(tmp_path / "copy.db")
        later = intend(journal)
    assert sorted(path.name for path in tmp_path.glob("copy.db*")) == ["copy.db"]
    with open_journal(tmp_path / "copy.db") as journal:
        assert journal.resumed
        assert intend(journal) != later


def test_an_entry_keeps_the_suggestion_as_it_was_approved(tmp_path: Path) -> None:
    with open_journal(tmp_path / "j.db") as journal:
        journal.write(shown(SUGGESTION))
        ref = intend(journal, suggestion=replace(SUGGESTION, bid=2.31), limit=2.4)
        fill(journal, ref, 1, "e1")
        (past,) = journal.memory().fills
        assert past.suggestion == replace(SUGGESTION, bid=2.31)
        assert (past.order_ref, past.exit_reason) == (ref, None)
        assert journal.trades_today() == 1


def test_an_execution_is_written_once(tmp_path: Path) -> None:
    with open_journal(tmp_path / "j.db") as journal:
        ref = intend(journal)
        assert fill(journal, ref, 1, "e1")
        assert not fill(journal, ref, 1, "e1")
        assert not fill(journal, ref, 1, "e1", price=9.9)
        assert [one.fill.price for one in journal.memory().fills] == [2.4]


def test_a_correction_replaces_and_what_it_was_stays(tmp_path: Path) -> None:
    with open_journal(tmp_path / "j.db") as journal:
        ref = intend(journal)
        fill(journal, ref, 1, "e1", revision=1, commission=1.05)
        assert fill(journal, ref, 2, "e1", revision=2, price=2.41, quantity=2)
        assert not fill(journal, ref, 1, "e1", revision=1, price=7.0)
        (past,) = journal.memory().fills
        assert (past.fill.price, past.fill.quantity, past.fill.fee) == (2.41, 2, 1.05)
        assert past.fill.ts == at(2)
    with JournalReader(tmp_path / "j.db") as reader:
        (event,) = reader.rows("session_events", event=Event.EXECUTION_CORRECTED.value)
        assert (event["detail"]["price"], event["detail"]["revision"]) == (2.4, 1)


def test_a_commission_is_set_and_never_added(tmp_path: Path) -> None:
    with open_journal(tmp_path / "j.db") as journal:
        ref = intend(journal)
        assert not journal.charged("e1", 1.05)
        fill(journal, ref, 1, "e1")
        assert journal.memory().fills[0].fill.fee == 0.0
        assert journal.charged("e1", 1.05)
        assert not journal.charged("e1", 1.05)
        assert not fill(journal, ref, 1, "e1", commission=1.05)
        assert fill(journal, ref, 1, "e1", commission=1.15)
        assert journal.memory().fills[0].fill.fee == 1.15


def test_an_order_that_was_modified_keeps_its_new_reason_and_the_old_one(tmp_path: Path) -> None:
    with open_journal(tmp_path / "j.db") as journal:
        ref = intend(journal, purpose="stop", exit_reason=ExitReason.STOP_LOSS, limit=9.0)
        journal.amend_intent(
            at(5), ref, exit_reason=ExitReason.TIME_EXIT, exit_decided_ts=at(4), limit=1.2
        )
        fill(journal, ref, 6, "e1", side=1)
        (past,) = journal.memory().fills
        assert (past.exit_reason, past.exit_decided_ts) == (ExitReason.TIME_EXIT, at(4))
        with pytest.raises(InternalError, match="no order_ref"):
            journal.amend_intent(at(5), "zdte-unknown", limit=1.0)
    with JournalReader(tmp_path / "j.db") as reader:
        (event,) = reader.rows("session_events", event=Event.INTENT_AMENDED.value)
        assert event["detail"]["exit_reason"] == "stop_loss"
        assert event["detail"]["limit"] == 9.0


def test_a_transaction_is_all_or_nothing(tmp_path: Path) -> None:
    with open_journal(tmp_path / "j.db") as journal:
        with pytest.raises(InternalError, match="no column"):
            journal.write(bar(1), bar(2, weather="fine"))
        with pytest.raises(InternalError, match="no table"):
            journal.write(bar(1), JournalRecord("sessions", 0, {}))
        with pytest.raises(InternalError, match="cannot keep"):
            journal.write(bar(1), bar(2, spot="dear"))
        assert journal.memory().last_ts is None
        journal.write(bar(3))
        assert journal.memory().last_ts == at(3)


def test_a_day_is_completed_and_a_bar_replaced(tmp_path: Path) -> None:
    with open_journal(tmp_path / "j.db") as journal:
        journal.write(JournalRecord("days", at(390), {"realised_pnl": 12.5, "trades": 1}))
        journal.write(JournalRecord("days", at(390), {"drift": 0, "drift_dollars": 0.0}))
        journal.write(bar(1), bar(1, value=-5.0))
    with JournalReader(tmp_path / "j.db") as reader:
        (day,) = reader.rows("days")
        assert (day["realised_pnl"], day["trades"], day["drift"]) == (12.5, 1, 0)
        assert [row["position_value"] for row in reader.rows("bars")] == [-5.0]


def test_without_a_session_nothing_is_written(tmp_path: Path) -> None:
    with Journal(tmp_path / "j.db") as journal, pytest.raises(InternalError, match="session"):
        journal.write(bar(1))


# --- one writer ----------------------------------------------------------------------------------

HOLD = """
import sys, time
from pathlib import Path
sys.path[:0] = [{root!r}]
from brokers.journal.journal import Journal
journal = Journal(Path({path!r}))
print("held", flush=True)
time.sleep(60)
"""


def test_a_second_writer_is_refused_until_the_first_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    code = HOLD.format(root=str(ROOT), path=str(path))
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(SettingError, match=f"process {holder.pid}"):
            Journal(path)
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
    open_journal(path).close()


def test_a_second_writer_in_the_same_process_is_refused(tmp_path: Path) -> None:
    with (
        open_journal(tmp_path / "j.db"),
        pytest.raises(SettingError, match=f"process {os.getpid()}"),
    ):
        Journal(tmp_path / "j.db")
    open_journal(tmp_path / "j.db").close()


def test_a_journal_that_could_not_be_opened_is_not_locked(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    path.write_bytes(b"no database at all, " * 100)
    with pytest.raises(JournalError):
        Journal(path)
    path.unlink()
    open_journal(path).close()


# --- files that cannot be used --------------------------------------------------------------------


def test_a_full_disk_is_told_at_once_and_nothing_is_lost_of_what_was_written(
    tmp_path: Path,
) -> None:
    """The limit on the size of files stands for the disk, in a process of its own."""
    code = f"""
import resource, signal, sys
sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / "tests")!r}]
from pathlib import Path
from journals import bar, open_journal, PUT_628, at
from errors import JournalError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
journal = open_journal(Path({str(tmp_path / "j.db")!r}), durable=True)
journal.write(bar(0))
size = 400_000
resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
written = 1
try:
    for minute in range(1, 10_000):
        journal.write(bar(minute, reason="x" * 500))
        written += 1
except JournalError as error:
    assert "cannot be written" in str(error), error
    assert "\\n" not in str(error)
try:
    journal.intend(at(1), purpose="entry", contract=PUT_628, side=-1, quantity=1)
except JournalError:
    print(written)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    written = int(done.stdout)
    assert 10 < written < 10_000
    with JournalReader(tmp_path / "j.db") as reader:
        assert len(reader.rows("bars")) == written
        assert reader.rows("intents") == []
    with open_journal(tmp_path / "j.db") as journal:  # there is room again
        assert journal.resumed
        intend(journal)


@pytest.mark.parametrize(("durable", "usual"), [(True, 2), (False, 1)])
def test_an_intent_waits_for_the_disk_even_where_practice_does_not(
    tmp_path: Path, durable: bool, usual: int
) -> None:
    full = 2
    with open_journal(tmp_path / "j.db", durable=durable) as journal:
        tables = journal._tables
        seen: list[tuple[str, int]] = []

        def look(words: str) -> None:
            if words.startswith(("INSERT INTO intents", "INSERT INTO bars", "UPDATE intents")):
                seen.append((words.split()[0], tables.row("PRAGMA synchronous")[0]))

        tables.connection.set_trace_callback(look)
        ref = intend(journal)
        journal.amend_intent(at(1), ref, limit=2.0)
        journal.write(bar(1))
        assert seen == [("INSERT", full), ("UPDATE", full), ("INSERT", usual)]


@pytest.mark.parametrize("spoil", ["text", "middle", "other", "newer"])
def test_a_file_that_is_no_sound_journal_is_refused_in_one_line(tmp_path: Path, spoil: str) -> None:
    path = tmp_path / "j.db"
    with open_journal(path) as journal:
        journal.write(*(bar(minute, reason="x" * 200) for minute in range(200)))
    words = {"text": "damaged", "middle": "damaged", "other": "another program", "newer": "newer"}
    if spoil == "text":
        path.write_text("not a database, whatever its name says " * 200)
    elif spoil == "middle":
        content = bytearray(path.read_bytes())
        content[4096 * 20 : 4096 * 24] = os.urandom(4096 * 4)
        path.write_bytes(content)
    elif spoil == "other":
        path.unlink()
        with sqlite3.connect(path) as other:
            other.execute("CREATE TABLE recipes (name TEXT)")
        other.close()
    else:
        with sqlite3.connect(path) as newer:
            newer.execute("PRAGMA user_version = 99")
        newer.close()
    with pytest.raises(JournalError, match=words[spoil]) as refused:
        Journal(path)
    assert "\n" not in str(refused.value)
    assert str(path) in str(refused.value)


def test_a_folder_in_its_place_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "j.db").mkdir()
    with pytest.raises(JournalError, match="cannot be opened"):
        Journal(tmp_path / "j.db")
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingError, match=r"needs a folder .*file, and a file is in its place"):
        Journal(tmp_path / "file" / "j.db")
