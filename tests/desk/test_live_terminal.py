"""`run.py live` with a person at a real pty: answers, instructions, and a window that is closed."""

import os
import re
import signal
from pathlib import Path
from typing import Any

from live_desk import DAILY, HALF_DAY, SESSION, Desk, Journaled, Nursery
from pseudo_terminal import ESCAPE, PseudoTerminal

PROMPT = "Execute? (y/n/skip):"
LEVEL = r"2025|Nov|(?<![\d.,:])6[56]\d(?!\d)|6[56],?\d00"
"""The date of the half day, and prices, strikes and margins of that day."""

NO_TARGET = ("--mock", "--date", HALF_DAY, "--policy", "sell_put@10:00", "--speed", "max")
ASKING = (
    *(*SESSION, "--speed", "1200", "--contracts", "3", "--capital", "300000"),
    *("--set", "live.exits=ask", "--set", "live.repeat_seconds=1"),
)


def sit_down(nursery: Nursery, terminal: PseudoTerminal, folder: Path, *words: Any) -> Desk:
    return nursery.live(folder, *words, terminal=os.ttyname(terminal.slave))


def test_a_question_nobody_answers_times_out_and_a_late_answer_is_told(
    nursery: Nursery, tmp_path: Path
) -> None:
    limits = ("--set", "rules.question_seconds=1", "--set", "rules.wait_after_skip=60")
    journal = Journaled.practice(tmp_path)
    with PseudoTerminal() as terminal:
        desk = sit_down(nursery, terminal, tmp_path, *DAILY, *limits)
        terminal.wait_for("timed out", 30)
        terminal.type("y\r")
        terminal.wait_for("too late")
        terminal.wait_for(lambda text: text.count("TRADE SUGGESTION") == 2)
        terminal.hang_up()  # while the question is open
        assert desk.wait() == 0
    assert set(journal.responses) == {"timeout"}
    first, second = journal.rows("SELECT ts FROM suggestions ORDER BY ts LIMIT 2")
    assert second["ts"] - first["ts"] >= 60 * 60 * 10**9  # the wait after a time-out
    assert journal.rows("SELECT state FROM sessions") == [{"state": "closed"}]


def test_a_window_that_is_closed_leaves_the_position_to_its_plan(
    nursery: Nursery, tmp_path: Path
) -> None:
    with PseudoTerminal() as terminal:
        desk = sit_down(nursery, terminal, tmp_path, *NO_TARGET)
        terminal.wait_for(PROMPT, 30)
        terminal.type("y\r")
        terminal.wait_for("SOLD 1 SPY")
        terminal.hang_up()
        assert desk.wait() == 0
    journal = Journaled.practice(tmp_path)
    assert journal.fills[1][8] in ("stop_loss", "time_exit")
    assert journal.held == 0
    assert journal.rows("SELECT drift FROM days") == [{"drift": 0}]


def test_terms_are_changed_exits_are_asked_and_a_kill_outlives_its_desk(
    nursery: Nursery, tmp_path: Path
) -> None:
    journal = Journaled.practice(tmp_path)
    with PseudoTerminal() as terminal:
        desk = sit_down(nursery, terminal, tmp_path, *ASKING)
        terminal.wait_for("Action: SELL 3 SPY", 30)
        terminal.type("qty 2\r")
        terminal.wait_for("Action: SELL 2 SPY")
        terminal.type("limit 0.90\r")
        terminal.wait_for("never below $0.90")
        terminal.type("y\r")
        terminal.wait_for("SOLD 2 SPY")
        terminal.wait_for("(EXIT: profit_target)")
        terminal.wait_for(lambda text: text.count("(EXIT: profit_target)") == 2)  # unanswered
        terminal.type("pause\r")
        terminal.wait_for("paused: no new suggestions")
        terminal.type("resume\r")
        terminal.wait_for("resumed")
        terminal.type("kill\r")
        terminal.wait_for("KILLED")
        terminal.type("\x03")
        assert desk.wait() == 0
        terminal.wait_for("Stopped with an open position")
    with PseudoTerminal() as terminal:
        desk = sit_down(nursery, terminal, tmp_path, *ASKING)
        terminal.wait_for("still latched: killed", 30)
        terminal.wait_for("HALTED: killed")
        terminal.wait_for("(EXIT: profit_target)")  # asked again, as nobody had said yes
        terminal.type("resume\r")
        terminal.wait_for("that does not hold the desk back")
        terminal.type("resume kill\r")
        terminal.wait_for("resumed")
        terminal.type("flatten\r")
        terminal.wait_for("BOUGHT 2 SPY")
        terminal.wait_for("Action: SELL 3 SPY")  # suggestions are back
        terminal.type("quit\r")
        terminal.wait_for("stopping in order")
        assert desk.wait() == 0
        terminal.wait_for("Stopped; there is no open position")
    assert [fill[8] for fill in journal.fills] == [None, "kill"]
    assert journal.fills[0][2] == 2
    assert journal.fills[0][3] >= 0.90


def test_a_blind_replay_shows_neither_date_nor_level(nursery: Nursery, tmp_path: Path) -> None:
    words = ("--replay", HALF_DAY, "--blind", "--policy", "sell_put@10:00", "--speed", "max")
    seen = ""
    for say in ("y\r", None):  # the second desk goes on with the position of the first
        with PseudoTerminal() as terminal:
            desk = sit_down(nursery, terminal, tmp_path, *words)
            if say is not None:
                terminal.wait_for(PROMPT, 30)
                terminal.type(say)
                terminal.wait_for("SOLD 1 SPY")
                desk.send(signal.SIGTERM)
            assert desk.wait() == 0
            seen += terminal.text() + terminal.screen.raw
    strike = Journaled.practice(tmp_path).fills[0][5]
    assert 600 < strike < 700
    assert "position -1 SPY" in seen
    assert "drift: GREEN" in seen
    assert not re.findall(LEVEL, re.sub(ESCAPE, " ", seen))
