"""The watchdog rings for a silent desk with something at risk, and for nothing else."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some
from market import SESSION, contract

from brokers.journal.journal import Journal
from brokers.journal.session import SessionFacts
from desk.heartbeat import RUNNING, STOPPED, Beat, Heartbeat, read_beat, start_watchdog
from desk.watchdog import FAREWELL_SECONDS, REPEAT_SECONDS, Watch, journal_risk
from vocabulary import JournalRecord

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 10.0


def beat(number: int, position: int = 0, working: int = 0, state: str = RUNNING) -> Beat:
    return Beat(1, 1000.0 + number, number, state, position, working)


# --- the rule ------------------------------------------------------------------------------------


def test_silence_with_a_position_rings_and_rings_again() -> None:
    watch = Watch(LIMIT)
    rang = [t for t in range(60) if watch.look(beat(1, position=-1), t, 1001.0)]
    assert rang == [11, 21, 31, 41, 51]
    assert rang[1] - rang[0] == REPEAT_SECONDS


def test_silence_with_a_working_order_rings() -> None:
    watch = Watch(LIMIT)
    watch.look(beat(1, working=2), 0, 1001.0)
    assert "2 working order(s)" in watch.look(beat(1, working=2), 11, 1012.0)


def test_a_flat_desk_may_be_silent_and_is_over_after_a_minute() -> None:
    watch = Watch(LIMIT)
    heard = [watch.look(beat(1), t, 1001.0) for t in range(100)]
    assert not any(heard)
    assert not watch.is_over(FAREWELL_SECONDS) and watch.is_over(FAREWELL_SECONDS + 1)


def test_a_desk_that_died_holding_is_never_over() -> None:
    watch = Watch(LIMIT)
    watch.look(beat(1, position=1), 0, 1001.0)
    assert not watch.is_over(86_400.0)


def test_the_desk_that_is_back_silences_it() -> None:
    watch = Watch(LIMIT)
    watch.look(beat(1, position=-1), 0, 1001.0)
    assert watch.look(beat(1, position=-1), 11, 1001.0)
    assert not watch.look(beat(2, position=-1), 22, 1001.0)
    assert not watch.look(beat(2, position=-1), 31, 1001.0)
    assert watch.look(beat(2, position=-1), 33, 1001.0)


def test_an_orderly_end_is_the_end_even_with_a_position() -> None:
    watch = Watch(LIMIT)
    watch.look(beat(1, position=-1), 0, 1001.0)
    assert not watch.look(beat(2, position=-1, state=STOPPED), 50, 1001.0)
    assert watch.is_over(50)


def test_a_heartbeat_that_was_old_at_the_start_rings_at_once() -> None:
    assert Watch(LIMIT).look(beat(1, position=-1), 5.0, 1001.0 + 300)


def test_a_heartbeat_that_never_comes_is_over_after_a_minute() -> None:
    watch = Watch(LIMIT)
    assert not any(watch.look(None, t, 0.0) for t in range(100))
    assert watch.is_over(100)


def test_a_file_that_cannot_be_read_for_a_moment_is_silence_not_news() -> None:
    watch = Watch(LIMIT)
    watch.look(beat(1, position=-1), 0, 1001.0)
    assert watch.look(None, 11, 1001.0)


def test_the_journal_is_asked_where_the_last_heartbeat_was_flat() -> None:
    asked: list[int] = []

    def risk() -> str:
        asked.append(1)
        return "1 order(s) without an end"

    watch = Watch(LIMIT, risk)
    assert not any(watch.look(beat(1), t, 1001.0) for t in range(11))
    assert asked == []
    assert "without an end" in watch.look(beat(1), 11, 1001.0)
    assert not watch.is_over(100) and len(asked) == 1


@given(
    some.lists(
        some.tuples(some.integers(0, 30), some.booleans(), some.integers(-2, 2)), max_size=30
    ),
    some.sampled_from([2, 10, 25]),
)
def test_it_rings_exactly_when_a_position_was_silent_too_long(
    steps: list[tuple[int, bool, int]], limit: int
) -> None:
    watch, now, number, held, last = Watch(limit), 0, 1, 0, 0
    watch.look(beat(1), 0, 1001.0)
    rang = -1000
    for wait, beats, position in steps:
        now += wait
        if beats:
            number, held, last, rang = number + 1, position, now, -1000
        words = watch.look(beat(number, held), now, 1001.0)
        due = held != 0 and now - last > limit and now - rang >= REPEAT_SECONDS
        assert bool(words) == due
        rang = now if due else rang


# --- the heartbeat -------------------------------------------------------------------------------


def test_a_heartbeat_is_written_once_a_second_and_at_once_when_the_risk_changes(
    tmp_path: Path,
) -> None:
    now = [0.0]
    heart = Heartbeat(tmp_path / "runs" / "beat", monotonic=lambda: now[0])
    seen = []
    for t, position in ((0.0, 0), (0.1, 0), (0.2, -1), (0.3, -1), (1.1, -1), (1.3, -1), (1.31, 0)):
        now[0] = t
        heart.beat(position, 0, "all is well")
        written = read_beat(heart.path)
        assert written is not None and written.position == position
        seen.append(written.number)
    assert seen == [1, 1, 2, 2, 2, 3, 4]
    heart.stop()
    stopped = read_beat(heart.path)
    assert stopped is not None and (stopped.state, stopped.pid) == (STOPPED, os.getpid())
    assert [path.name for path in heart.path.parent.iterdir()] == ["beat"]


def test_a_heartbeat_that_cannot_be_written_is_told_and_does_not_stop_the_desk(
    tmp_path: Path,
) -> None:
    heart = Heartbeat(tmp_path / "beat")
    heart.path = tmp_path / "gone" / "beat"
    heart.beat(1, 0)
    assert "cannot be written" in heart.fault


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"pid": 1}'])
def test_a_damaged_heartbeat_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "beat").write_text(text)
    assert read_beat(tmp_path / "beat") is None


# --- the journal ---------------------------------------------------------------------------------


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    made = Journal(tmp_path / "journal.db", durable=False)
    made.open_session(SessionFacts("paper", SESSION.date))
    yield made
    made.close()


def intend(journal: Journal, side: int) -> str:
    terms: dict[str, Any] = {"contract": contract(), "side": side, "quantity": 1}
    return journal.intend(1, purpose="entry" if side < 0 else "exit", **terms)


def fill(journal: Journal, order_ref: str, side: int) -> None:
    terms: dict[str, Any] = {"execution_id": order_ref, "order_ref": order_ref, "price": 1.0}
    journal.executed(1, side=side, quantity=1, **terms)
    state(journal, order_ref, "filled")


def state(journal: Journal, order_ref: str | None, status: str) -> None:
    journal.write(JournalRecord("orders", 1, {"order_ref": order_ref, "status": status}))


def test_the_journal_tells_of_orders_and_positions_without_an_end(journal: Journal) -> None:
    path = journal.path
    assert journal_risk(path) == ""
    entry = intend(journal, -1)
    state(journal, None, "filled")  # an order of somebody else
    assert journal_risk(path) == "1 order(s) without an end"
    state(journal, entry, "working")
    assert "order" in journal_risk(path)
    fill(journal, entry, -1)
    assert journal_risk(path) == "1 open position(s)"
    leave = intend(journal, +1)
    assert journal_risk(path) == "1 open position(s) and 1 order(s) without an end"
    fill(journal, leave, +1)
    assert journal_risk(path) == ""
    state(journal, leave, "unknown")
    assert journal_risk(path) == "1 order(s) without an end"


def test_a_session_that_was_ended_in_order_is_no_risk(journal: Journal) -> None:
    intend(journal, -1)
    journal.end_session()
    assert journal_risk(journal.path) == ""


def test_no_journal_is_no_risk_and_a_damaged_one_is(tmp_path: Path) -> None:
    assert journal_risk(tmp_path / "none.db") == ""
    (tmp_path / "bad.db").write_bytes(b"no database" * 500)
    assert "cannot be read" in journal_risk(tmp_path / "bad.db")


# --- real processes ------------------------------------------------------------------------------

DESK = """
import sys, time
from pathlib import Path
from desk.heartbeat import Heartbeat
heart = Heartbeat(Path(sys.argv[1]))
while True:
    heart.beat(int(sys.argv[2]), 0, "all is well")
    time.sleep(0.02)
"""


def desk(heartbeat: Path, position: int) -> "subprocess.Popen[bytes]":
    process = subprocess.Popen(
        [sys.executable, "-c", DESK, str(heartbeat), str(position)], cwd=ROOT
    )
    before = read_beat(heartbeat)
    until(lambda: read_beat(heartbeat) not in (None, before))
    return process


def until(true: Any, seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def rings(alarm: Path) -> int:
    return len(alarm.read_text().splitlines()) if alarm.exists() else 0


def end(*processes: "subprocess.Popen[bytes]") -> None:
    for process in processes:
        process.kill()
        process.wait()


def test_kill_nine_of_a_desk_with_a_position_rings_until_it_is_back(tmp_path: Path) -> None:
    heartbeat, alarm = tmp_path / "beat", tmp_path / "alarm"
    trading = desk(heartbeat, -1)
    watching = start_watchdog(heartbeat, 3.0, f'echo "$ZDTE_ALARM" >> {alarm}')
    try:
        time.sleep(1.5)
        assert rings(alarm) == 0
        os.kill(trading.pid, signal.SIGKILL)
        trading.wait()
        watching.send_signal(signal.SIGHUP)  # the terminal hangs up too
        until(lambda: rings(alarm) == 1)
        assert "THE DESK IS SILENT" in alarm.read_text() and "position of -1" in alarm.read_text()
        trading = desk(heartbeat, -1)
        time.sleep(2.0)
        assert rings(alarm) == 1 and watching.poll() is None
    finally:
        end(trading, watching)


def test_an_orderly_end_sends_the_watchdog_home(tmp_path: Path) -> None:
    heart = Heartbeat(tmp_path / "beat")
    heart.beat(-1, 0)
    watching = start_watchdog(heart.path, 1.0)
    try:
        time.sleep(0.3)
        assert watching.poll() is None
        heart.stop()
        assert watching.wait(10) == 0
    finally:
        end(watching)


def test_a_second_watchdog_of_the_same_desk_goes_home(tmp_path: Path) -> None:
    heart = Heartbeat(tmp_path / "beat")
    heart.beat(-1, 0)
    first = start_watchdog(heart.path, 100.0)
    try:
        until(lambda: (tmp_path / "beat.watchdog").exists())
        time.sleep(0.2)
        second = start_watchdog(heart.path, 100.0)
        assert second.wait(10) == 0
        assert first.poll() is None
    finally:
        end(first)


def test_the_watchdog_starts_fast_and_idles_for_nothing(tmp_path: Path) -> None:
    check = (
        "import sys, desk.watchdog; "
        "heavy = {'numpy', 'pandas', 'torch', 'backtrader', 'pydantic'} & set(sys.modules); "
        "sys.exit(str(heavy) if heavy else 0)"
    )
    subprocess.run([sys.executable, "-c", check], cwd=ROOT, check=True)
    heart = Heartbeat(tmp_path / "beat")
    heart.beat(-1, 0)
    watching = start_watchdog(heart.path, 100.0)
    try:
        until(lambda: (tmp_path / "beat.watchdog").exists())
        time.sleep(2.0)
        assert seconds_of(watching.pid) < 0.5  # 0.3 on a quiet machine; this one is shared
    finally:
        end(watching)


def seconds_of(pid: int) -> float:
    """CPU seconds of a running process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
