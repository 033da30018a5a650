"""The live desk: from a bar to the question on a screen, from `y` to the order, memory, idle CPU.

Run `python benchmarks/live.py`, about two minutes. A day at 600 times its speed is traded at a real
pseudo-terminal: every question is answered with `y` as soon as it can be read, every position
is closed a bar or two later, so that there are many. Wall times: sockets, terminal, disk and other
programs are waited for. Then a day without anybody is watched from outside for its memory, and a
desk on a terminal at the market's own speed for its CPU.
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from datetime import date
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
from live_desk import Journaled, Nursery, answers
from pseudo_terminal import PseudoTerminal

from desk.calls import LiveCall, Suggester
from desk.open_session import OpenDesk
from desk.opening import open_desk
from feeds.sessions import session_on
from feeds.simulation.market import SimulatedMarket
from feeds.theta_simulator.server import SimulatedTerminal
from models.model_folder import load_policy
from settings import Settings
from vocabulary import Action, Moment

DAY = date(2026, 10, 30)
MINUTE = 60_000_000_000
SPEED = 600.0
QUESTION = b"Execute? (y/n/skip):"
ASKED = b"TRADE SUGGESTION"
RULES = {
    "decision_minutes": 1,
    "wait_minutes": (0, 0, 0),
    "wait_after_skip": 0,
    "entry_after_open": 0,
    "entry_before_close": 1,
    "stop_multiples": (1.01, 1.01, 1.01),
    "profit_target": 0.005,
    "daily_loss": 1,
    "drift_ticks": 99,
    "spread_cents": 99,
}
IDLE_SECONDS = 20.0
SCREEN_LIMIT, ORDER_LIMIT, MEMORY_LIMIT, IDLE_LIMIT = 100.0, 50.0, 30.0, 5.0


class AlwaysSells:
    """Asks the bundled model, as a desk does, and sells a put whatever it says."""

    name, actions, obeys_waits = "always sells", 3, False

    def __init__(self) -> None:
        """With the bundled model."""
        self._model = load_policy(Settings().model).policy

    def probabilities(self, moment: Moment) -> Any:
        """All on the sale [..., 3]."""
        certain = np.zeros_like(self._model.probabilities(moment))
        certain[..., Action.SELL_PUT] = 1.0
        return certain


class Keyboard(PseudoTerminal):
    """Answers each question the moment it is on the screen."""

    def __init__(self) -> None:
        """Nobody has asked."""
        self.shown: list[float] = []
        self.typed: list[float] = []
        self._unread = b""
        super().__init__()

    def _read(self) -> None:
        while self.slave >= 0:
            try:
                self._unread += os.read(self.master, 65536)
            except OSError:
                return
            asked = self._unread.find(ASKED)
            if asked >= 0 and QUESTION in self._unread[asked:]:
                now = time.perf_counter()
                self.shown.append(now)
                self._unread = b""
                self.typed.append(time.perf_counter())
                os.write(self.master, b"y\r")


def timed_bars(put: Callable[[Any], bool], times: list[float]) -> Callable[[Any], bool]:
    """`put`, which notes when a bar was complete."""

    def noting(row: Any) -> bool:
        times.append(time.perf_counter())
        return put(row)

    return noting


def timed_entries(intend: Callable[..., str], times: list[float]) -> Callable[..., str]:
    """`intend`, which notes when the intent of an entry was on the disk."""

    def noting(*terms: Any, **named: Any) -> str:
        order_ref = intend(*terms, **named)
        if named["purpose"] == "entry":
            times.append(time.perf_counter())
        return order_ref

    return noting


def trade(opened: OpenDesk) -> tuple[list[float], list[float]]:
    """Run the day; when each bar was complete, and each entry's intent was on the disk."""
    bars: list[float] = []
    intents: list[float] = []
    opened.market.feed.put = timed_bars(opened.market.feed.put, bars)  # type: ignore[method-assign]
    opened.journal.intend = timed_entries(opened.journal.intend, intents)  # type: ignore[method-assign]
    opened.market.start()
    opened.desk.run()
    return bars, intents


def last_before(times: list[float], moments: list[float]) -> np.ndarray[Any, Any]:
    """Milliseconds from the last of `times` before each moment."""
    at = np.searchsorted(times, moments) - 1
    return 1000 * (np.array(moments)[at >= 0] - np.array(times)[at[at >= 0]])


def first_after(times: list[float], moments: list[float]) -> np.ndarray[Any, Any]:
    """Milliseconds to the first of `times` before the next moment; a yes may be refused."""
    at = np.searchsorted(times, moments)
    first = np.append(times, np.inf)[at]
    taken = first < np.append(moments[1:], np.inf)
    return np.asarray(1000 * (first - moments)[taken])


def report(what: str, taken: np.ndarray[Any, Any], limit: float) -> None:
    """Median and 99th percentile in milliseconds, and the latter over its limit."""
    p50, p99 = np.percentile(taken, (50, 99))
    ratio = p99 / limit
    print(f"{what:42} p50 {p50:6.1f} ms  p99 {p99:6.1f} ms  {ratio:5.2f} of {limit:g} ms")


def measure_answers(folder: Path) -> None:
    """From bar to screen, from key to order."""
    live = {"journal": folder / "journal.db", "watchdog": False, "kill_file": folder / "KILL"}
    settings = Settings(live=live, rules=RULES, capital=1_000_000)
    call = LiveCall(kind="mock", day=DAY, speed=SPEED, new_folder=lambda name: folder / "run")
    keyboard, own = Keyboard(), (sys.stdin, sys.stdout)
    with keyboard, redirect_stdout(keyboard.stdout):
        sys.stdin = keyboard.stdin
        try:
            with open_desk(call, settings, Suggester(AlwaysSells()), print) as opened:
                bars, intents = trade(opened)
        finally:
            sys.stdin = own[0]
    print(f"{len(keyboard.shown)} questions")
    report(
        "bar complete to question on the screen", last_before(bars, keyboard.shown), SCREEN_LIMIT
    )
    report(
        "y to the durable intent and the order", first_after(intents, keyboard.typed), ORDER_LIMIT
    )


def resident(pid: int) -> float:
    """Megabytes in memory."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def processor(pid: int) -> float:
    """CPU seconds so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure_memory(nursery: Nursery, folder: Path) -> None:
    """What a day adds after its first half hour."""
    words = ("--mock", "--date", DAY, "--policy", "random", "--speed", SPEED)
    desk = nursery.live(folder, *words, "--answers", answers(folder, ["skip"] * 40))
    journal = Journaled.practice(folder)
    desk.until(lambda: journal.count("bars") >= 30)
    begun = most = resident(desk.pid)
    while journal.count("bars") < 391 and not desk.is_over:
        most = max(most, resident(desk.pid))
        time.sleep(0.2)
    desk.kill()
    ratio = (most - begun) / MEMORY_LIMIT
    print(
        f"{'memory grown from 10:00 to the close':42} {most - begun:6.1f} MB"
        f"{ratio:21.2f} of {MEMORY_LIMIT:g} MB  (from {begun:.0f} MB)"
    )


def measure_idle(nursery: Nursery, folder: Path) -> None:
    """CPU of a desk that waits, with a terminal's screen, on a market at its own speed."""
    session = session_on(DAY)
    source = SimulatedMarket([session])
    with (
        SimulatedTerminal(source, speed=1.0, spread_quotes=True) as theta,
        PseudoTerminal() as seat,
    ):
        theta.set_time(session.open_ns + 30 * MINUTE)
        address = ("--set", f"theta.url={theta.url}", "--set", f"theta.ws={theta.ws_url}")
        name = os.ttyname(seat.slave)
        desk = nursery.live(folder, "--policy", "hold", *address, terminal=name)
        seat.wait_for("stream: quotes of", 60)
        time.sleep(5)
        before = processor(desk.pid)
        time.sleep(IDLE_SECONDS)
        used = 100 * (processor(desk.pid) - before) / IDLE_SECONDS
        desk.kill()
    ratio = used / IDLE_LIMIT
    print(f"{'CPU of an idle desk':42} {used:6.1f} %{ratio:22.2f} of {IDLE_LIMIT:g} % of a core")


def main() -> None:
    """Print the table."""
    os.environ.setdefault("TERM", "xterm")
    with tempfile.TemporaryDirectory() as name, Nursery() as nursery:
        folder = Path(name)
        measure_idle(nursery, folder / "idle")
        measure_memory(nursery, folder / "memory")
        (folder / "answers").mkdir()
        measure_answers(folder / "answers")


if __name__ == "__main__":
    main()
