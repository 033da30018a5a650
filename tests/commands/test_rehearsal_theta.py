"""A desk at a terminal: `run.py simulate` in one process, `run.py live --broker ib` in another."""

import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from live_desk import HALF_DAY, Desk, Journaled, Nursery, answers

from brokers.ib.link import IBLink
from brokers.ib.records import AccountRule, Books
from settings import IBSettings

RULES = (
    *("--policy", "sell_put@12:15"),
    *("--set", "rules.time_exit_minutes=40"),
    *("--set", "rules.stop_multiples=20,20,20"),
)
"""A put, sold at a quarter past twelve and bought back at twenty past."""


class Stand:
    """Both stand-ins in their process."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        told = desk.wait_for("Ctrl-C ends it")
        (self.ib_port,) = re.findall(r"IB Gateway: port (\d+)", told)
        (self.url,) = re.findall(r"REST +(\S+)/v3", told)
        (self.ws,) = re.findall(r"WebSocket +(\S+)", told)

    def tell(self, page: str, **wishes: Any) -> None:
        body = json.dumps(wishes).encode()
        urlopen(Request(f"{self.url}/simulator/{page}", body), timeout=20).read()

    def books(self) -> Books:
        """IB's books, as a second client hears them."""
        ib = IBSettings(port=int(self.ib_port), client_id=99)
        link = IBLink(ib, AccountRule(), lambda: None, time.time_ns)
        link.start()
        try:
            until(lambda: link.state == "up")
            return link.books()
        finally:
            link.close()


def until(comes: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not comes():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.fixture
def nursery() -> Iterator[Nursery]:
    with Nursery() as made:
        yield made


def test_a_position_whose_market_data_are_cut_is_closed_on_ibs_own_quotes(
    nursery: Nursery, tmp_path: Path
) -> None:
    ports = ("--http-port", "0", "--ws-port", "0", "--ib-port", "0")
    stand = Stand(nursery.start(tmp_path, "simulate", "--date", HALF_DAY, "--speed", "20", *ports))
    stand.tell("clock", time=f"{HALF_DAY}T12:14:00")
    there = ("--ib-port", stand.ib_port, "--theta-url", stand.url, "--theta-ws", stand.ws)
    said = ("--answers", answers(tmp_path, ["y"]))
    desk = nursery.live(tmp_path, "--broker", "ib", "--rehearse", *there, *RULES, *said)
    journal = Journaled.practice(tmp_path)
    desk.until(lambda: journal.count("executions") == 1 or desk.is_over)
    stand.tell("faults", on=["dropped", "hung"])
    (stop,) = wait_for_stop(stand)
    assert stop.side == 1 and stop.quantity == 1
    desk.until(lambda: journal.count("executions") == 2 or desk.is_over)
    assert "HALTED: market data has been gone" in desk.output
    sold, bought = journal.fills
    assert (sold[1], bought[1]) == (-1, 1)
    assert bought[8] == "time_exit"
    books = stand.books()
    assert not [one for one in books.positions if one.quantity]
    assert not books.orders


def wait_for_stop(stand: Stand) -> list[Any]:
    found: list[Any] = []

    def comes() -> bool:
        found[:] = [one for one in stand.books().orders if one.order_type == "STP"]
        return bool(found)

    until(comes)
    return found
