"""The gateway's thread: its event loop, its port, and the poll that lets the market act."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Protocol, TypeVar

from brokers.ib_gateway.faults import Faults
from errors import InternalError, SettingError

HOST = "127.0.0.1"
POLL_SECONDS = 0.02
ANSWER_SECONDS = 10.0

Result = TypeVar("Result")


class Floor(Protocol):
    """What the server serves."""

    def new_line(self) -> asyncio.Protocol:
        """A client's connection."""

    def tick(self) -> None:
        """Let the market's state have its effects."""

    def cut_all(self) -> None:
        """Drop every connection without a word."""


class Server:
    """A port on 127.0.0.1, served by a thread of its own."""

    def __init__(self, floor: Floor, faults: Faults, port: int) -> None:
        """`port` 0 takes a free one, and keeps it."""
        self.port = port
        self._floor, self._faults = floor, faults
        self._loop: asyncio.AbstractEventLoop | None = None
        self._socket: asyncio.Server | None = None
        self._thread: threading.Thread | None = None
        self._stopping = asyncio.Event()
        self._opens_at = 0.0
        self._failure: BaseException | None = None

    def start(self) -> None:
        """Listen. Raises `SettingError` where the port is taken."""
        ready: Future[None] = Future()
        self._stopping.clear()
        self._thread = threading.Thread(
            target=self._run, args=(ready,), name="gateway stand-in", daemon=True
        )
        self._thread.start()
        ready.result(ANSWER_SECONDS)

    def stop(self) -> None:
        """Cut all lines and end. Raises `InternalError` where something had failed inside."""
        loop, thread = self._loop, self._thread
        if loop is not None and thread is not None:
            loop.call_soon_threadsafe(self._stopping.set)
            thread.join(ANSWER_SECONDS)
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise InternalError(f"the gateway stand-in failed: {failure!r}") from failure

    def do(self, what: Callable[[], Result]) -> Result:
        """Run `what` on the server's thread and wait for it; here while nothing is served."""
        loop = self._loop
        if loop is None:
            return what()

        async def run() -> Result:
            return what()

        return asyncio.run_coroutine_threadsafe(run(), loop).result(ANSWER_SECONDS)

    def later(self, seconds: float, what: Callable[[], Any]) -> None:
        """Run `what` after a while; called on the server's thread. Without one, at once."""
        if self._loop is None:
            what()
        else:
            self._loop.call_later(seconds, self._guarded, what)

    def failed(self, error: BaseException) -> None:
        """Remember an error of ours, to be raised by `stop`."""
        logging.getLogger(__name__).error("the gateway stand-in failed", exc_info=error)
        self._failure = self._failure or error

    def go_away(self, seconds: float) -> None:
        """Cut all lines and refuse connections so long; called on the server's thread."""
        self._opens_at = time.monotonic() + seconds
        self._close_port()
        self._floor.cut_all()

    def _run(self, ready: "Future[None]") -> None:
        asyncio.run(self._main(ready))

    async def _main(self, ready: "Future[None]") -> None:
        try:
            await self._listen()
        except OSError as error:
            ready.set_exception(SettingError(f"port {self.port} cannot be used: {error.strerror}"))
            return
        self._loop = asyncio.get_running_loop()
        ready.set_result(None)
        while not self._stopping.is_set():
            await self._watch_port()
            self._guarded(self._floor.tick)
            await self._pause()
        self._close_port()
        self._floor.cut_all()
        await asyncio.sleep(0)
        self._loop = None

    async def _pause(self) -> None:
        try:
            await asyncio.wait_for(self._stopping.wait(), POLL_SECONDS)
        except TimeoutError:
            return

    async def _watch_port(self) -> None:
        refused = "refused" in self._faults or time.monotonic() < self._opens_at
        if refused:
            self._close_port()
        elif self._socket is None:
            await self._listen()

    async def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        self._socket = await loop.create_server(self._floor.new_line, HOST, self.port)
        self.port = self._socket.sockets[0].getsockname()[1]

    def _close_port(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _guarded(self, what: Callable[[], Any]) -> None:
        try:
            what()
        except Exception as error:
            self.failed(error)
