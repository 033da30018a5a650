"""The simulated terminal's time: it waits for its user and loses nothing between speeds."""

import json
import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from market import market
from websockets.sync.client import ClientConnection, connect

from feeds.source import MemorySource
from feeds.theta_simulator.clock import MarketClock
from feeds.theta_simulator.server import SimulatedTerminal

STRIKES = tuple(range(620, 640))
DAY = market(np.arange(0, 30), 630.0 - np.arange(30) * 0.02, strikes=STRIKES).day()
SECOND = 1_000_000_000


def until(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)


def subscribe(client: ClientConnection) -> None:
    """Stream every contract of the day."""
    for number, (strike, right) in enumerate((k, r) for k in STRIKES for r in "CP"):
        contract = {"root": "SPY", "expiration": "20261030", "strike": strike * 1000}
        wish = {"msg_type": "STREAM", "sec_type": "OPTION", "req_type": "QUOTE", "add": True}
        client.send(json.dumps(wish | {"id": number, "contract": contract | {"right": right}}))
    answers = 0
    while answers < 2 * len(STRIKES):
        answers += "REQ_RESPONSE" in str(client.recv(timeout=5))


def test_a_clock_that_is_told_to_stand_stands_and_goes_on_from_there() -> None:
    wall = [0.0]
    clock = MarketClock(0, 10.0, lambda: wall[0])
    wall[0] = 1.0
    clock.stand(True)
    wall[0] = 5.0
    assert clock.now() == 10 * SECOND and clock.runs
    clock.set_speed(2.0)
    wall[0] = 6.0
    assert clock.now() == 10 * SECOND
    clock.stand(False)
    clock.stand(False)
    wall[0] = 7.0
    assert clock.now() == 12 * SECOND


def test_time_waits_while_it_may_not_go() -> None:
    may_go = [True]
    with SimulatedTerminal(MemorySource([DAY]), speed=600.0, may_go=lambda: may_go[0]) as terminal:
        until(lambda: terminal.now > DAY.session.open_ns + 10 * SECOND)
        may_go[0] = False
        time.sleep(0.1)
        stood = terminal.now
        time.sleep(0.1)
        assert terminal.now == stood
        may_go[0] = True
        until(lambda: terminal.now > stood + 10 * SECOND)


def test_no_news_is_lost_when_the_speed_changes_or_the_reader_is_slow() -> None:
    with (
        SimulatedTerminal(
            MemorySource([DAY]), speed=0, outbox=4, lossless=True, spread_quotes=True
        ) as terminal,
        connect(terminal.ws_url, compression=None, close_timeout=0.1) as client,
    ):
        subscribe(client)
        for speed in (600.0, 60.0, 3000.0, 1.0, 2000.0, 0.0, math.inf):
            terminal.set_speed(speed)
            time.sleep(0.05)
        tape = terminal.terminal.market.tape(DAY.session.date)
        assert tape is not None
        expected, news = int(tape.changed[tape.ts > DAY.session.open_ns].sum()), 0
        while not terminal.is_over or news < expected:
            news += '"QUOTE"' in str(client.recv(timeout=5))
        assert news == expected == terminal.terminal.counts["frames"]
