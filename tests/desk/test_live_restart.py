"""Desks that were stopped or killed: the same command goes on, and the day comes out the same."""

import random
import resource
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from live_desk import DAILY, MIXED, SESSION, Journaled, Nursery, answers

GUARDED = (*DAILY, "--set", "rules.daily_loss=0.0004")
TIMED = [
    *["y"] * 20,
    "@10:20 stop 2.00",
    "@10:30 pause",
    "@11:00 resume",
    "@12:00 resume daily loss",
]
"""A stop drawn in for a losing position, a pause, and the daily loss lifted at noon."""


def goes_on(nursery: Nursery, folder: Path, *words: object) -> str:
    """The last start of a session: it runs to its end."""
    desk = nursery.live(folder, *words)
    assert desk.wait() == 0, desk.output
    return desk.output


def interrupted(
    nursery: Nursery, folder: Path, words: tuple[object, ...], how: signal.Signals, when: Any
) -> str:
    """Start, and send a signal as soon as `when` the journal says so."""
    journal = Journaled.practice(folder)
    desk = nursery.live(folder, *words)
    desk.until(lambda: when(journal) or desk.is_over)
    desk.send(how)
    code = desk.wait()
    assert code == (-9 if how == signal.SIGKILL else 0), desk.output
    return desk.output


def told(journal: Journaled) -> list[str]:
    """The events that no restart may change."""
    return [one for one in journal.events if one not in ("session_resumed", "halted", "unhalted")]


def fills_are(number: int) -> Callable[[Journaled], bool]:
    return lambda journal: journal.count("executions") >= number


def happened(event: str) -> Callable[[Journaled], bool]:
    return lambda journal: event in journal.events


def more(table: str, journal: Journaled) -> Callable[[Journaled], bool]:
    """Whether the journal has a row more of a table than it has now."""
    before = journal.count(table)
    return lambda journal: journal.count(table) > before


def assert_sound(journal: Journaled, printed: str) -> None:
    """Nothing twice, nothing lost, nothing left open, and the replay agrees."""
    asked = [row["suggestion_id"] for row in journal.rows("SELECT * FROM suggestions")]
    decided = [row["suggestion_id"] for row in journal.rows("SELECT * FROM decisions")]
    assert max(Counter(asked).values()) == max(Counter(decided).values()) == 1
    assert journal.responses == MIXED[: len(journal.responses)]
    assert [fill[7] for fill in journal.fills] == ["entry", "exit"] * (len(journal.fills) // 2)
    assert journal.held == 0
    ends = {row["order_ref"]: row["status"] for row in journal.rows("SELECT * FROM orders")}
    entries = journal.rows("SELECT order_ref FROM intents WHERE purpose = 'entry'")
    assert {ends[row["order_ref"]] for row in entries} <= {"Completed", "Canceled"}
    assert "GREEN" in printed, printed
    bars = [row["ts"] for row in journal.rows("SELECT ts FROM bars ORDER BY id")]
    assert len(bars) == 211
    assert bars == sorted(set(bars))


def test_a_day_that_was_stopped_twice_trades_as_one_that_was_not(
    nursery: Nursery, tmp_path: Path, mixed: tuple[Path, str]
) -> None:
    whole, broken = mixed[0], tmp_path / "broken"
    words = (*DAILY, "--answers", answers(broken, MIXED))
    printed = interrupted(nursery, broken, words, signal.SIGINT, fills_are(3))
    assert "Stopped with an open position: NOTHING protects it" in printed
    assert "The same command goes on" in printed
    printed = interrupted(nursery, broken, words, signal.SIGTERM, fills_are(9))
    assert "position -1 SPY 657 PUT" in printed
    printed = goes_on(nursery, broken, *words)
    ours, theirs = Journaled.practice(broken), Journaled.practice(whole)
    assert ours.fills == theirs.fills
    assert ours.responses == theirs.responses
    assert_sound(ours, printed)
    assert len(list((broken / "runs").glob("*_live_*"))) == 1


def test_a_second_desk_is_refused_and_takes_nothing_from_the_first(
    nursery: Nursery, tmp_path: Path
) -> None:
    journal = Journaled.practice(tmp_path)
    words = (*SESSION, "--speed", "2000", "--answers", answers(tmp_path, MIXED))
    first = nursery.live(tmp_path, *words)
    first.until(lambda: journal.count("bars") > 20)
    second = nursery.live(tmp_path, *words)
    assert second.wait() == 2
    assert f"is written by process {first.pid} already" in second.output
    assert first.wait() == 0, first.output
    assert_sound(journal, first.output)


def test_kill_9_at_every_step_loses_nothing_and_repeats_nothing(
    nursery: Nursery, tmp_path: Path
) -> None:
    journal = Journaled.practice(tmp_path)
    words = (*DAILY, "--answers", answers(tmp_path, MIXED))
    for table in ("suggestions", "decisions", "intents", "executions", "orders"):
        interrupted(nursery, tmp_path, words, signal.SIGKILL, more(table, journal))
    interrupted(
        nursery, tmp_path, words, signal.SIGKILL, lambda journal: journal.count("bars") == 211
    )
    printed = goes_on(nursery, tmp_path, *words)  # it died after the close
    assert_sound(journal, printed)
    assert journal.events.count("session_resumed") == 6


def test_kill_9_at_any_time_of_an_accelerated_day(nursery: Nursery, tmp_path: Path) -> None:
    journal = Journaled.practice(tmp_path)
    words = (*SESSION, "--speed", "3000", "--answers", answers(tmp_path, MIXED))
    for bars in sorted(random.Random(4).sample(range(20, 200), 2)):
        reached = lambda journal, bars=bars: journal.count("bars") >= bars  # noqa: E731
        interrupted(nursery, tmp_path, words, signal.SIGKILL, reached)
    assert_sound(journal, goes_on(nursery, tmp_path, *words))


def test_latches_stops_and_timed_instructions_survive(nursery: Nursery, tmp_path: Path) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    goes_on(nursery, whole, *GUARDED, "--answers", answers(whole, TIMED))
    words = (*GUARDED, "--answers", answers(broken, TIMED))
    for event in ("stop_tightened", "daily_loss", "resumed"):
        interrupted(nursery, broken, words, signal.SIGKILL, happened(event))
    printed = goes_on(nursery, broken, *words)
    ours, theirs = Journaled.practice(broken), Journaled.practice(whole)
    assert ours.fills == theirs.fills
    assert "stop_loss" in [fill[8] for fill in ours.fills]
    lived = told(ours)
    assert lived == told(theirs)
    assert lived.count("stop_tightened") == lived.count("daily_loss_resumed") == 1
    assert "GREEN" in printed, printed
    loss, lifted = (
        ours.rows("SELECT ts FROM session_events WHERE event = ? ORDER BY id", event)[0]["ts"]
        for event in ("daily_loss", "daily_loss_resumed")
    )
    asked = [row["ts"] for row in ours.rows("SELECT ts FROM suggestions")]
    assert not [ts for ts in asked if loss < ts < lifted]
    assert [ts for ts in asked if ts > lifted]


def test_a_kill_latches_over_a_restart_and_the_stop_still_protects(
    nursery: Nursery, tmp_path: Path
) -> None:
    journal = Journaled.practice(tmp_path)
    kill_file = tmp_path / "runs" / "KILL"
    words = (*DAILY, "--answers", answers(tmp_path, [*["y"] * 9, "@12:00 flatten"]))
    desk = nursery.live(tmp_path, *words)
    desk.until(lambda: journal.count("executions") >= 3)
    kill_file.touch()
    desk.until(lambda: "killed" in journal.events)
    desk.kill()
    kill_file.unlink()
    before = len(journal.responses)
    printed = goes_on(nursery, tmp_path, *words)
    assert "still latched: killed" in printed
    assert len(journal.responses) == before
    assert journal.held == 0
    assert "kill_resumed" not in journal.events
    assert "GREEN" in printed, printed


def test_the_signal_kills_too(nursery: Nursery, tmp_path: Path) -> None:
    journal = Journaled.practice(tmp_path)
    words = (*SESSION, "--speed", "60", "--answers", answers(tmp_path, ["y"]))
    desk = nursery.live(tmp_path, *words)
    desk.until(lambda: journal.count("bars") >= 1)
    desk.send(signal.SIGUSR1)
    desk.wait_for("KILLED")
    assert "HALTED: killed by signal SIGUSR1" in desk.wait_for("HALTED")
    assert "killed" in journal.events
    desk.kill()


def test_a_journal_that_cannot_be_written_stops_entries_and_no_exit(
    nursery: Nursery, tmp_path: Path
) -> None:
    journal = Journaled.practice(tmp_path)
    words = (*SESSION, "--speed", "1000", "--answers", answers(tmp_path, ["y"] * 9))
    desk = nursery.live(tmp_path, *words)
    desk.until(lambda: journal.count("executions") == 1)
    full = (tmp_path / "runs" / "practice.db-wal").stat().st_size
    resource.prlimit(desk.pid, resource.RLIMIT_FSIZE, (full, resource.RLIM_INFINITY))
    printed = desk.wait_for("BOUGHT 1 SPY")
    assert "HALTED: " in printed
    assert "practice.db" in printed.split("HALTED: ")[1].splitlines()[0]
    assert journal.count("executions") == 1
    resource.prlimit(desk.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
    desk.wait_for("no longer halted")
    desk.until(lambda: journal.count("executions") >= 2)  # what waited is written
    assert journal.fills[1][8] == "profit_target"
    desk.wait_for("SOLD 1 SPY 659 PUT")
    desk.kill()


def test_a_second_desk_on_the_journal_is_refused(nursery: Nursery, tmp_path: Path) -> None:
    words = ("--mock", "--policy", "hold", "--speed", "1")
    first = nursery.live(tmp_path, *words)
    first.wait_for("keys ")
    second = nursery.live(tmp_path, *words)
    assert second.wait() == 2
    (line,) = second.output.splitlines()
    assert line.startswith("error: ")
    assert str(first.pid) in line
    assert not first.is_over
    first.kill()
