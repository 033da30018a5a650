"""One client's connection: its frames, its id, what it listens to, and the faults of a wire."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from brokers.ib_gateway.faults import Faults
from brokers.ib_gateway.messages import Message
from brokers.ib_gateway.records import Instrument
from brokers.ib_gateway.wire import (
    OLDEST_CLIENT,
    FrameReader,
    WireError,
    frame,
    text,
    version_range,
)


@dataclass(frozen=True, slots=True)
class WireEntry:
    """A message that passed: monotonic seconds, the client (-1 before it said), `in` or `out`."""

    at: float
    client_id: int
    direction: str
    fields: tuple[str, ...]


@dataclass(slots=True)
class Subscription:
    """Market data that a client asked for, and what it was told last."""

    instrument: Instrument
    snapshot: bool
    told: dict[int, tuple[float, int]] = field(default_factory=dict)


class Office(Protocol):
    """Who answers what comes in over a line."""

    def opened(self, line: "Line") -> None:
        """A socket was opened."""

    def received(self, line: "Line", message: tuple[str, ...]) -> None:
        """A message arrived."""

    def ended(self, line: "Line") -> None:
        """The socket is closed."""


class Line(asyncio.Protocol):
    """A socket of a client."""

    def __init__(
        self, office: Office, faults: Faults, log: Callable[[WireEntry], None], version: int
    ) -> None:
        """`version` is the newest that the gateway speaks."""
        self.client_id = -1
        self.version = version
        self.muted = False
        self.subscriptions: dict[int, Subscription] = {}
        self.wants_positions = False
        self.account = ""
        self.summary: int | None = None
        self.data_type = 1
        self._office, self._faults, self._log = office, faults, log
        self._reader = FrameReader()
        self._transport: asyncio.Transport | None = None
        self._dead = False
        self._greeted = False
        self._due = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is open."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._office.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is gone."""
        self._transport = None
        self._office.ended(self)

    def data_received(self, data: bytes) -> None:
        """Bytes came; whole messages among them are answered."""
        if self._is_dead():
            return
        try:
            for message in self._reader.feed(data):
                if self._transport is None:
                    return
                self._take(message)
        except WireError:
            self.cut()

    def send(self, message: Message) -> None:
        """A message to the client, now or as late as the fault `slow` says."""
        if self._is_dead() or self.muted or "silent" in self._faults:
            return
        delay = self._faults.seconds("slow")
        if not delay:
            self._write(message)
            return
        loop = asyncio.get_running_loop()
        self._due = max(self._due + 1e-6, loop.time() + delay)
        loop.call_at(self._due, self._write, message)

    def cut(self) -> None:
        """Drop the line without a word."""
        if self._transport is not None:
            self._transport.abort()

    def close(self) -> None:
        """End the line once what was said is sent."""
        if self._transport is not None:
            self._transport.close()

    def deaden(self) -> None:
        """Nothing passes any more, and the socket stays."""
        self._dead = True

    def _is_dead(self) -> bool:
        self._dead = self._dead or "half-open" in self._faults
        return self._dead

    def _take(self, message: tuple[str, ...]) -> None:
        self._log(WireEntry(time.monotonic(), self.client_id, "in", message))
        if self._greeted:
            self._office.received(self, message)
            return
        oldest, newest = version_range(message)
        if newest < OLDEST_CLIENT or oldest > self.version:
            raise WireError(f"the client speaks {oldest} to {newest}")
        self.version = min(self.version, newest)
        self._greeted = True
        self.send((self.version, f"{datetime.now(UTC):%Y%m%d %H:%M:%S} UTC"))

    def _write(self, message: Message) -> None:
        if self._transport is None or self._dead:
            return
        fields = tuple(map(text, message))
        self._log(WireEntry(time.monotonic(), self.client_id, "out", fields))
        self._transport.write(frame(fields))
