"""A small market for the simulated terminal, and what its clients need."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime, time
from typing import Any

import numpy as np
import requests
from market import EVERY_MINUTE, market
from websockets.sync.client import ClientConnection, connect

from feeds.chain import ChainDay
from feeds.sessions import NEW_YORK, session_on
from feeds.theta_simulator.server import SimulatedTerminal

DAY, DAY_BEFORE = date(2026, 10, 30), date(2026, 10, 29)
CHAIN = {"symbol": "SPY", "expiration": str(DAY)}
HISTORY = {**CHAIN, "date": "20261030", "interval": "1m"}
PATIENCE = 5.0


def chain(day: date) -> ChainDay:
    """A session with 18 strikes around a wandering spot."""
    minutes = np.append(EVERY_MINUTE, 390.0)
    spot = np.round(628.2 + 3 * np.sin(minutes / 40 + day.day), 2)
    made = market(minutes, spot, session=session_on(day))
    made.bid_size[:] = 10 + np.arange(made.bid.size).reshape(made.bid.shape) % 90
    made.ask_size[:] = 12 + np.arange(made.bid.size).reshape(made.bid.shape) % 70
    return made.day()


def new_york(hour: int, minute: int = 0, second: int = 0, day: date = DAY) -> datetime:
    return datetime.combine(day, time(hour, minute, second), NEW_YORK)


Start = Callable[..., SimulatedTerminal]


def get(terminal: SimulatedTerminal, path: str, **parameters: Any) -> requests.Response:
    return requests.get(f"{terminal.url}/v3{path}", params=parameters, timeout=PATIENCE)


def rows(answer: requests.Response) -> list[dict[str, str]]:
    """The rows of a CSV answer."""
    assert answer.status_code == 200, answer.text
    head, *lines = (line.split(",") for line in answer.text.split("\r\n")[:-1])
    return [dict(zip(head, line, strict=True)) for line in lines]


class Client:
    """A WebSocket client that keeps the frames it passes over."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.number = 0

    def frame(self) -> dict[str, Any]:
        return dict(json.loads(self.connection.recv(PATIENCE)))

    def next(self, *kinds: str) -> dict[str, Any]:
        """The next frame of one of `kinds`."""
        while (frame := self.frame())["header"]["type"] not in kinds:
            pass
        return frame

    def send(self, message: Any, text: str | None = None) -> dict[str, Any]:
        """Send a request; its acknowledgement."""
        self.connection.send(text or json.dumps(message))
        return dict(self.next("REQ_RESPONSE")["header"])

    def request(self, add: bool = True, number: int | None = None, **other: Any) -> dict[str, Any]:
        self.number += 1
        message = {
            "msg_type": "STREAM",
            "sec_type": "OPTION",
            "req_type": "QUOTE",
            "add": add,
            "id": number or self.number,
            "contract": {"root": "SPY", "expiration": 20261030, "strike": 628000, "right": "C"},
        }
        return self.send(message | other)

    def data(self, count: int) -> list[dict[str, Any]]:
        """So many frames that are neither heartbeats nor acknowledgements."""
        return [self.next("QUOTE", "TRADE", "OHLC") for _ in range(count)]

    def nothing(self) -> bool:
        """Whether no data came before the answer to one more request."""
        self.connection.send('{"msg_type":"STREAM","id":999}')
        return self.next("REQ_RESPONSE", "QUOTE", "TRADE", "OHLC")["header"].get("req_id") == 999


@contextmanager
def client(terminal: SimulatedTerminal) -> Iterator[Client]:
    with connect(terminal.ws_url, open_timeout=PATIENCE, close_timeout=1) as connection:
        yield Client(connection)
