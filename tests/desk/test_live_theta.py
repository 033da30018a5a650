"""`run.py live` on a Theta Terminal: outages, a desk that is gone and back, days without one."""

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from live_desk import Journaled, Nursery
from market import SESSION, market
from pseudo_terminal import PseudoTerminal

from feeds.sessions import to_new_york
from feeds.source import MemorySource
from feeds.theta_simulator.server import SimulatedTerminal

PROMPT = "Execute? (y/n/skip):"
MINUTE = 60_000_000_000
RULES = (
    "rules.decision_minutes=0.25",
    "rules.wait_minutes=0.1,0.1,0.1",
    "rules.wait_after_skip=0.1",
)
MORE = ("rules.entry_after_open=0", "rules.drift_ticks=99", "live.bar_seconds=1")
QUICK = [word for rule in (*RULES, *MORE) for word in ("--set", rule)]
"""A decision every fifteen seconds of market time."""


@pytest.fixture
def theta() -> Iterator[SimulatedTerminal]:
    """A market that changes every second, a minute after the open."""
    ticks = np.arange(1500)
    spot = 630 + 2 * np.sin(ticks / 40)
    made = market(ticks / 60, spot, strikes=tuple(range(620, 641))).day()
    with SimulatedTerminal(MemorySource([made]), speed=4.0) as terminal:
        terminal.set_time(SESSION.open_ns + MINUTE)
        yield terminal


def addressed(theta: SimulatedTerminal) -> tuple[str, ...]:
    return ("--set", f"theta.url={theta.url}", "--set", f"theta.ws={theta.ws_url}")


def state(terminal: PseudoTerminal) -> str:
    """The prompt and what stands below it."""
    return terminal.text()[terminal.text().rfind("\n>") :]


def test_outages_hold_back_entries_and_nothing_else(
    nursery: Nursery, tmp_path: Path, theta: SimulatedTerminal
) -> None:
    with PseudoTerminal() as terminal:
        words = ("--policy", "random", *QUICK, *addressed(theta))
        desk = nursery.live(tmp_path, *words, terminal=os.ttyname(terminal.slave))
        terminal.wait_for(PROMPT, 30)
        before = terminal.text().count("HALTED: market data has been gone for")  # no bar at first
        theta.fault("silent", "stale")
        terminal.wait_for(lambda text: text.count("HALTED: market data has been gone") > before)
        terminal.type("y\r")
        terminal.wait_for("y: market data has been gone for")  # with its age
        theta.clear()
        terminal.wait_for(lambda text: text.count("TRADE SUGGESTION") == 2)  # it recovers
        terminal.type("y\r")
        terminal.wait_for("SOLD 1 SPY")
        theta.fault("dropped", "474")
        terminal.wait_for(lambda text: "HALTED: market data" in state(terminal))
        assert "short 1 SPY" in state(terminal)
        theta.clear()
        terminal.wait_for(lambda text: "HALTED" not in state(terminal), 20)
        terminal.type("close\r")
        terminal.wait_for("BOUGHT 1 SPY")
        terminal.type("\x03")
        assert desk.wait() == 0
    journal = Journaled.practice(tmp_path)  # a simulated terminal is no real market
    assert not (tmp_path / "runs" / "journal.db").exists()
    assert [fill[8] for fill in journal.fills] == [None, "manual"]
    refused, sent = journal.rows("SELECT outcome FROM decisions ORDER BY id LIMIT 2")
    assert "gone for" in refused["outcome"]
    assert sent["outcome"] == "sent"


def test_a_terminal_that_is_gone_and_back_takes_the_session_up_again(
    nursery: Nursery, tmp_path: Path, theta: SimulatedTerminal
) -> None:
    journal = Journaled.practice(tmp_path)
    words = ("--policy", "hold", *QUICK, *addressed(theta))
    desk = nursery.live(tmp_path, *words)
    desk.until(lambda: journal.count("bars") > 3)
    desk.kill()
    again = nursery.live(tmp_path, *words)
    before = journal.count("bars")
    again.until(lambda: journal.count("bars") > before + 3)
    assert "goes on" in again.output
    again.kill()
    bars = [row["ts"] for row in journal.rows("SELECT ts FROM bars ORDER BY id")]
    assert bars == sorted(set(bars))


@pytest.mark.parametrize("when", ["after the close", "a holiday"])
def test_a_day_without_a_market_is_refused_in_one_line(
    nursery: Nursery, tmp_path: Path, theta: SimulatedTerminal, when: str
) -> None:
    moment = to_new_york(SESSION.close_ns + MINUTE)
    moment += timedelta(days=0 if when == "after the close" else 1)
    theta.set_time(moment)
    desk = nursery.live(tmp_path, "--policy", "hold", *addressed(theta))
    assert desk.wait() == 2
    (line,) = desk.output.splitlines()
    assert line.startswith("error: ")
    assert not (tmp_path / "runs" / "practice.db").exists()


def test_no_terminal_is_told_in_one_line(nursery: Nursery, tmp_path: Path) -> None:
    address = ("--set", "theta.url=http://127.0.0.1:9", "--set", "theta.ws=ws://127.0.0.1:9")
    desk = nursery.live(tmp_path, "--policy", "hold", *address)
    assert desk.wait() == 2
    (line,) = desk.output.splitlines()
    assert line.startswith("error: ")
