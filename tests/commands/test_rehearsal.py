"""Half days of `run.py live --mock --broker ib --rehearse`: real processes, the real order path.

All days are played at once. What IB's stand-in has on the disk (gateway.json) and what the journal
says must be the same, however the desk ended.
"""

import json
import random
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from live_desk import HALF_DAY, Desk, Journaled, Nursery, answers

PUT = (
    *("--mock", "--date", HALF_DAY, "--broker", "ib", "--rehearse", "--speed", "900"),
    *("--policy", "sell_put@10:00", "--set", "rules.decision_minutes=30"),
)
"""A put sold at ten, into a rising price: surely filled; at its stop before noon."""

CALM = (*PUT, "--set", "rules.stop_multiples=20,20,20")
"""The same, held until the time exit."""


@dataclass
class Day:
    """A session's folder and the desk that plays it."""

    folder: Path
    words: tuple[object, ...]
    desk: Desk

    @property
    def journal(self) -> Journaled:
        return Journaled.practice(self.folder)

    @property
    def book(self) -> dict[str, Any]:
        """IB's books as they are on the disk."""
        paths = list((self.folder / "runs").glob("*_live_*/gateway.json"))
        book: dict[str, Any] = json.loads(paths[0].read_text()) if paths else {}
        return book

    @property
    def sent(self) -> list[str]:
        """References of all orders that IB ever had."""
        return [order["terms"]["order_ref"] for order in self.book.get("orders", ())]

    @property
    def has_a_stop(self) -> bool:
        return any(
            order["terms"]["stop"] and order["status"] == "PreSubmitted"
            for order in self.book.get("orders", ())
        )

    def ends(self) -> str:
        """What was printed, once it is over."""
        assert self.desk.wait(120) == 0, self.desk.output
        return self.desk.output


class Days:
    """Starts days; each in a folder of its own."""

    def __init__(self, nursery: Nursery, folder: Path) -> None:
        self._nursery, self._folder = nursery, folder

    def play(self, name: str, *words: object) -> Day:
        folder = self._folder / name
        words = (*words, "--answers", answers(folder, ["y"]))
        return Day(folder, words, self._nursery.live(folder, *words))

    def check(self) -> Desk:
        """`check --full`, in a folder of its own."""
        return self._nursery.start(self._folder / "check", "check", "--full")

    def go_on(self, day: Day) -> None:
        day.desk = self._nursery.live(day.folder, *day.words)


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Days]:
    with Nursery() as nursery:
        yield Days(nursery, tmp_path_factory.mktemp("days"))


@pytest.fixture(scope="module")
def checked(days: Days) -> Desk:
    """A full check, under way beside the days."""
    return days.check()


@pytest.fixture(scope="module")
def started(days: Days) -> dict[str, Day]:
    """All days, under way."""
    asked = (*PUT, "--set", "live.exits=ask", "--set", "ib.native_stop=false")
    return {
        "broken": days.play("broken", *CALM),
        "whole": days.play("whole", *CALM),
        "asked": days.play("asked", *asked),
    }


def assert_agrees(day: Day) -> None:
    """Journal and IB have the same orders, executions and cash, and hold nothing."""
    journal, book = day.journal, day.book
    sent = journal.rows("SELECT DISTINCT order_ref FROM orders WHERE permanent_id > 0")
    assert sorted(day.sent) == sorted(row["order_ref"] for row in sent)
    assert len(day.sent) == len(set(day.sent))
    assert {order["status"] for order in book["orders"]} <= {"Filled", "Cancelled"}
    theirs = sorted(one["execution_id"].rsplit(".", 1)[0] for one in book["executions"])
    ours = journal.rows("SELECT execution_id FROM executions ORDER BY execution_id")
    assert [row["execution_id"] for row in ours] == theirs
    assert journal.held == 0
    assert not any(book["holdings"].values())


def test_a_day_that_is_stopped_and_killed_goes_on_sends_nothing_twice_and_ends_flat(
    days: Days, checked: Desk, started: dict[str, Day]
) -> None:
    day, chance = started["broken"], random.Random(11)
    day.desk.until(lambda: day.journal.count("executions") > 0)
    kill(day, chance.uniform(0.0, 0.1))
    days.go_on(day)
    day.desk.wait_for("keys ")
    bars = day.journal.count("bars")
    day.desk.until(lambda: day.has_a_stop and day.journal.count("bars") > bars)
    day.desk.send(signal.SIGINT)
    assert "Stopped with an open position: its stop rests at the broker at" in day.ends()
    days.go_on(day)
    day.desk.wait_for("found working at IB: ")
    for bars in (90, 150):
        day.desk.until(lambda n=bars: day.journal.count("bars") >= n)
        kill(day, chance.uniform(0.0, 0.2))
        days.go_on(day)
    assert "GREEN" in day.ends()
    assert_agrees(day)
    assert day.journal.responses == ["y"]
    assert [order["terms"]["side"] for order in day.book["orders"]] == [-1, 1]


def kill(day: Day, seconds: float) -> None:
    """kill -9 after a moment, whatever the desk does then."""
    time.sleep(seconds)
    day.desk.kill()
    assert day.desk.code == -signal.SIGKILL


def test_a_day_after_the_only_answer_ends_flat_and_green(started: dict[str, Day]) -> None:
    day = started["whole"]
    printed = day.ends()
    assert "GREEN" in printed
    assert "(time_exit)" in printed
    assert_agrees(day)
    assert [fill[1] for fill in day.journal.fills] == [-1, 1]
    intents = day.journal.rows("SELECT order_ref FROM intents ORDER BY id")
    assert [row["order_ref"] for row in intents] == day.sent
    assert len(day.sent) == 2  # the entry, and one closing order that was stop and exit in turn


def test_exits_that_are_asked_and_never_answered_are_carried_out_at_the_time_exit(
    started: dict[str, Day],
) -> None:
    day = started["asked"]
    printed = day.ends()
    assert "GREEN" in printed
    assert "(stop_loss)" in printed
    assert_agrees(day)
    assert day.journal.responses == ["y", "timeout"]
    sold, bought = day.journal.fills
    assert bought[0] - sold[0] > 2 * 3600 * 10**9  # not before


def test_the_full_check_agrees_and_shows_what_was_asked_sent_and_filled(checked: Desk) -> None:
    assert checked.wait(120) == 0, checked.output
    heading, *lines = [line.split() for line in checked.output.splitlines() if "answered" in line]
    assert heading == ["time", "suggested", "answered", "sent", "filled", "outcome"]
    assert not lines
    assert any("skip nothing nothing" in " ".join(line.split()) for line in printed(checked))
    assert any(" y " in line and " 1 at " in line for line in printed(checked))
    assert "GREEN" in checked.output
    assert printed(checked)[-1] == "all of it agrees"


def printed(desk: Desk) -> list[str]:
    return desk.output.splitlines()
