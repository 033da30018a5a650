"""Theta's stream over a real socket: quotes of the instruments wanted, whatever happens to it.

`ThetaStream` runs `StreamProtocol` on one WebSocket in a thread of its own, with an event loop that
nothing else shares. The reader, in any other thread:

    with ThetaStream("ws://127.0.0.1:25520/v1/events", day, wake=wake) as stream:
        stream.want(contracts)              # again at any time: differences are sent
        ...                                 # wake() was called: something is new
        if stream.take_seeds():             # quotes may have been missed
            ...                             # read the chain by REST
        for quote in stream.drain():        # the newest of each instrument since the last time
            ...
        print(stream.status().line)

Apply a quote only where it is not older (`QuoteEvent.ts`) than what the seed said. A reader that
never drains costs one quote an instrument; it does not slow the socket.

The connection is opened again after any loss, never two at a time: the terminal has room for one,
and a second would push out the first. When another program pushes out ours (close code 1000), we
wait `LONGEST_PAUSE` before we take the stream back.
"""

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import date, datetime
from threading import Thread

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidURI, WebSocketException
from websockets.uri import parse_uri

from errors import InternalError, SettingError
from feeds.sessions import NEW_YORK
from feeds.theta.conflation import LatestQuotes
from feeds.theta.stream_events import Event, QuoteEvent, SeedNeeded, SessionState, Silent
from feeds.theta.stream_frames import Instrument
from feeds.theta.stream_protocol import QUIET_SECONDS, StreamProtocol
from feeds.theta.stream_status import (
    NORMAL_END,
    StreamStatus,
    status_of,
    why_ended,
    why_not_opened,
)

OPENING_SECONDS = 2.0
"""A terminal that accepts but does not greet within this is tried again."""

FIRST_PAUSE, LONGEST_PAUSE = 0.25, 2.0
"""Seconds between two attempts: doubled each time, times a random half to whole."""

TICK_SECONDS = 0.25
"""How often time is watched and the status renewed, when nothing else happens."""

LEAVING_SECONDS = 1.0
"""For STOP, and again for the closing handshake; then the socket is cut."""

SENDING_SECONDS = 3.0
"""A terminal that takes no requests for this long is left."""

LARGEST_FRAME, FRAMES_AHEAD = 65_536, 1024
"""Bytes (a quote has 300), and frames read before they are applied."""


class ThetaStream:
    """The stream of one session's quotes; every method may be called from any thread."""

    def __init__(
        self,
        url: str,
        day: date,
        *,
        wake: Callable[[], None] = lambda: None,
        period_seconds: float = 0.0,
        quiet_seconds: float = QUIET_SECONDS,
    ) -> None:
        """Prepare; `start` (or `with`) connects.

        Args:
            url: `ws://host:port/v1/events` of the terminal.
            day: the session; quotes of other dates are dropped.
            wake: called in the stream's thread when quotes wait after a `drain`, when the state
                changes and when a seed is needed. It must not block or raise.
            period_seconds: quotes of different bars of this length are not merged; 0 keeps only
                the newest quote of each instrument (see `conflation.LatestQuotes`).
            quiet_seconds: without a quote for this long, the state is QUIET.

        Raises `SettingError` where `url` is no WebSocket address.
        """
        try:
            parse_uri(url)
        except (InvalidURI, ValueError):
            raise SettingError(
                f"{url!r} is no WebSocket address; write ws://127.0.0.1:25520/v1/events, say"
            ) from None
        self._url = url
        self._wake = wake
        self._protocol = StreamProtocol(day, time.monotonic(), quiet_seconds=quiet_seconds)
        self._quotes = LatestQuotes(wake, round(period_seconds * 1_000_000_000))
        self._seeds: deque[str] = deque(maxlen=16)
        self._wanted: tuple[Instrument, ...] = ()
        self._applied: tuple[Instrument, ...] = ()
        self._session_state = ""
        self._cause = "not started"
        self._pause = FIRST_PAUSE
        self._failure: BaseException | None = None
        self._closing = False
        self._connected = self._news = False
        self._changed = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._thread = Thread(target=self._main, name="theta stream", daemon=True)
        self._status = self._look()

    def start(self) -> None:
        """Connect, and stay connected until `close`. Once."""
        self._thread.start()

    def close(self, timeout: float = 3.0) -> None:
        """Say STOP, close the socket and end the thread, within `timeout` seconds. Idempotent."""
        self._closing = True
        if self._thread.ident is not None:
            self._post(self._leave)
            self._thread.join(timeout)

    def __enter__(self) -> "ThetaStream":
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def want(self, instruments: Iterable[Instrument]) -> None:
        """Set what is streamed: contracts, and stocks by symbol; the most important first."""
        self._wanted = tuple(instruments)
        self._post(self._changed.set)

    def drain(self) -> list[QuoteEvent]:
        """The newest quote of each instrument (and bar) since the last call, by exchange time.

        Raises `InternalError` where the stream's thread failed.
        """
        if self._failure is not None:
            raise InternalError(f"the Theta stream stopped: {self._failure!r}") from self._failure
        return self._quotes.take()

    def take_seeds(self) -> list[str]:
        """Why the chain must be read by REST since the last call; empty where it need not be."""
        reasons = []
        while self._seeds:
            reasons.append(self._seeds.popleft())
        return reasons

    def status(self) -> StreamStatus:
        """What the stream is worth, at most a quarter of a second ago."""
        return self._status

    # Everything below runs in the stream's own thread, but for `_post`.

    def _post(self, callback: Callable[[], None]) -> None:
        loop = self._loop
        if loop is not None:
            with suppress(RuntimeError):  # the loop was closed a moment ago: nothing to tell
                loop.call_soon_threadsafe(callback)

    def _main(self) -> None:
        try:
            asyncio.run(self._run())
        except asyncio.CancelledError:
            pass  # closed while nothing was connected
        except Exception as error:
            self._failure = error
        with suppress(Exception):  # a `wake` that raises is what failed, maybe
            self._lose("closed" if self._failure is None else repr(self._failure))

    def _leave(self) -> None:
        """End what runs: with STOP where there is a connection, at once where there is none."""
        self._changed.set()
        if not self._connected and self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        while not self._closing:
            try:
                socket = await self._open()
            except (OSError, TimeoutError, WebSocketException) as error:
                self._lose(why_not_opened(error, self._url))
            else:
                await self._converse(socket)
            if not self._closing:
                await asyncio.sleep(self._pause * random.uniform(0.5, 1.0))
                self._pause = min(2 * self._pause, LONGEST_PAUSE)

    async def _open(self) -> ClientConnection:
        return await connect(
            self._url,
            compression=None,
            proxy=None,
            ping_interval=None,  # the protocol's own watchdog is quicker, and knows of heartbeats
            open_timeout=OPENING_SECONDS,
            close_timeout=LEAVING_SECONDS,
            max_size=LARGEST_FRAME,
            max_queue=FRAMES_AHEAD,
        )

    async def _converse(self, socket: ClientConnection) -> None:
        """Live on one socket until it is gone; whatever happened, it is closed afterwards."""
        self._connected = True
        self._cause = ""
        frames = self._protocol.counters.frames
        self._take(self._protocol.opened(time.monotonic()), socket)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._attend(socket))
                await self._read(socket)
        except* (ConnectionClosed, TimeoutError) as errors:
            self._cause = self._cause or why_ended(errors.exceptions[0])
        finally:
            self._connected = False
            socket.transport.abort()
            await socket.wait_closed()
        if self._protocol.counters.frames > frames:
            self._pause = FIRST_PAUSE
        if socket.close_code == NORMAL_END:
            self._pause = LONGEST_PAUSE
        self._lose(self._cause)

    async def _read(self, socket: ClientConnection) -> None:
        receive, now = self._protocol.receive, time.monotonic
        while True:
            frame = await socket.recv(decode=False)  # what is no UTF-8 is counted as malformed
            self._take(receive(frame, now()), socket)

    async def _attend(self, socket: ClientConnection) -> None:
        """Send what is due and watch the time, until the person leaves."""
        while not self._closing:
            self._changed.clear()
            now = time.monotonic()
            if self._wanted is not self._applied:
                self._applied = self._wanted
                self._take(self._protocol.want(self._applied, now), socket)
            self._take(self._protocol.tick(now), socket)
            self._publish()
            await self._send(socket, SENDING_SECONDS)
            with suppress(TimeoutError):  # `wait_for` can lose a cancellation in Python 3.11
                async with asyncio.timeout(TICK_SECONDS):
                    await self._changed.wait()
        self._protocol.leave()
        await self._send(socket, LEAVING_SECONDS)
        await socket.close()

    async def _send(self, socket: ClientConnection, seconds: float) -> None:
        async with asyncio.timeout(seconds):
            for frame in self._protocol.outgoing(time.monotonic()):
                await socket.send(frame)

    def _take(self, events: tuple[Event, ...], socket: ClientConnection) -> None:
        for event in events:
            if isinstance(event, QuoteEvent):
                self._quotes.put(event)
            else:
                self._tell(event, socket)

    def _tell(self, event: Event, socket: ClientConnection) -> None:
        self._news = True
        self._changed.set()
        if isinstance(event, SeedNeeded):
            self._seeds.append(event.reason)
        elif isinstance(event, SessionState):
            self._session_state = event.state
        elif isinstance(event, Silent):
            self._cause = f"not even a heartbeat for {event.seconds:.0f} s"
            socket.transport.abort()

    def _lose(self, cause: str) -> None:
        self._cause = cause
        self._protocol.lost(time.monotonic())
        self._news = True
        self._publish()

    def _publish(self) -> None:
        """Renew the status, and wake the reader where it or the seeds say something new."""
        self._status = self._look()
        if self._news:
            self._news = False
            self._wake()

    def _look(self) -> StreamStatus:
        wall = datetime.now(NEW_YORK)
        return status_of(self._protocol, time.monotonic(), wall, self._cause, self._session_state)
