"""A simulated Theta Terminal: both ports, in a thread of its own."""

import asyncio
import socket
import threading
from collections.abc import Callable, Coroutine, Sequence
from datetime import date, datetime
from types import TracebackType
from typing import Any, Self, TypeVar

import uvicorn
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute

from errors import SettingError
from feeds.sessions import to_nanoseconds, to_new_york
from feeds.source import ChainSource
from feeds.theta_simulator.clock import MarketClock
from feeds.theta_simulator.control import control_routes
from feeds.theta_simulator.faults import Faults
from feeds.theta_simulator.formats import JsonShape
from feeds.theta_simulator.market import Market
from feeds.theta_simulator.rest import Rest, rest_application
from feeds.theta_simulator.streaming import Streaming
from feeds.theta_simulator.terminal import SecondClient, SnapshotMemory, Terminal
from feeds.theta_simulator.tiers import subscription

HOST = "127.0.0.1"
STREAM_PATH = "/v1/events"
ANSWER_SECONDS = 60.0

Result = TypeVar("Result")


class SimulatedTerminal:
    """Theta Terminal v3 over any chain source, on 127.0.0.1 alone.

        with SimulatedTerminal(SimulatedMarket(default_sessions(1)), speed=0) as terminal:
            requests.get(f"{terminal.url}/v3/calendar/today")

    Market time begins at the open of `date`. At a finite speed it runs; at `math.inf` it goes a row
    at a time as fast as the client takes the messages, from the first subscriptions to the end of
    the session; at 0 it stands still and is moved by `set_time`, `step` and `advance`.
    """

    def __init__(
        self,
        source: ChainSource,
        *,
        tier: str = "pro",
        speed: float = 1.0,
        date: date | None = None,
        http_port: int = 0,
        ws_port: int = 0,
        faults: Sequence[str] = (),
        json_shape: JsonShape = "grouped",
        snapshot_memory: SnapshotMemory = "week",
        second_client: SecondClient = "replace",
        permission_code: int = 471,
        chain_snapshots: bool = True,
        zero_at_open: bool = True,
        spread_quotes: bool = False,
        largest_streams: int | None = None,
        queue_length: int = 16,
        outbox: int = 65_536,
        lossless: bool = False,
        may_go: Callable[[], bool] = lambda: True,
    ) -> None:
        """Nothing is bound yet.

        Args:
            source: the market. Only contracts of the session's own date exist.
            tier: "free", "value", "standard" or "pro", or options/stocks as "standard/free".
            speed: market seconds a wall second, 0 and infinity as told above.
            date: the session to begin with; the source's last when None.
            http_port, ws_port: 0 for any that is free.
            faults: names as in `feeds.theta_simulator.faults.FAULTS`.
            json_shape: of the account: grouped, columnar or flat.
            snapshot_memory, second_client, permission_code, chain_snapshots, largest_streams,
                queue_length, outbox, lossless, may_go: see `feeds.theta_simulator.terminal`.
            zero_at_open, spread_quotes: as in `feeds.theta_simulator.tape.tape`.

        Raises `SettingError` for an unknown tier, fault or date.
        """
        market = Market(source, zero_at_open, spread_quotes)
        self.terminal = Terminal(
            market=market,
            clock=MarketClock(_beginning(market, date), speed),
            subscription=subscription(tier),
            faults=Faults(faults),
            json_shape=json_shape,
            snapshot_memory=snapshot_memory,
            second_client=second_client,
            permission_code=permission_code,
            chain_snapshots=chain_snapshots,
            queue_length=queue_length,
            largest_streams=largest_streams,
            outbox=outbox,
            lossless=lossless,
            may_go=may_go,
        )
        self._ports = http_port, ws_port
        self._sockets: list[socket.socket] = []
        self._thread: threading.Thread | None = None
        self._ready = threading.Event()

    # --- life ------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Bind both ports and serve. Raises `SettingError` where a port is taken."""
        self._sockets = [_bound(port) for port in self._ports]
        self._ports = self._sockets[0].getsockname()[1], self._sockets[1].getsockname()[1]
        self._thread = threading.Thread(target=self._run, name="simulated terminal", daemon=True)
        self._thread.start()
        self._ready.wait()

    def stop(self) -> None:
        """Close everything; returns when both ports are free."""
        if self.is_running:
            self._loop.call_soon_threadsafe(self._end)
        self.wait()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait for its end, by `stop` or by a client's /v3/terminal/shutdown; whether it came."""
        if self._thread is not None:
            self._thread.join(seconds)
        return not self.is_running

    @property
    def is_running(self) -> bool:
        """Whether it serves."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def url(self) -> str:
        """The REST address, without /v3."""
        return f"http://{HOST}:{self._ports[0]}"

    @property
    def ws_url(self) -> str:
        """The WebSocket's address."""
        return f"ws://{HOST}:{self._ports[1]}{STREAM_PATH}"

    # --- while it runs ---------------------------------------------------------------------------

    def fault(self, *texts: str) -> None:
        """Switch faults on, by name. Raises `SettingError` for an unknown one."""
        self.terminal.faults.switch_on(texts)
        self._ask(self._faults_changed())

    def clear(self, *names: str) -> None:
        """Switch faults off; all when none is named."""
        self.terminal.faults.clear(names)
        self._ask(self._faults_changed())

    @property
    def now(self) -> int:
        """Market time in nanoseconds since 1970 UTC."""
        return self.terminal.clock.now()

    @property
    def is_over(self) -> bool:
        """Whether the last row of its session has been sent."""
        played = self._streaming.played
        tape = self.terminal.market.tape(to_new_york(played).date())
        return tape is None or tape.next_instant(played) is None

    def set_time(self, moment: datetime | int) -> None:
        """Jump to a tz-aware time or nanoseconds; news in between are not sent."""
        self._ask(self._jump(moment if isinstance(moment, int) else to_nanoseconds(moment)))

    def step(self, rows: int = 1) -> int | None:
        """Play so many rows of the session; the market time reached, None at its end."""
        reached = None
        for _ in range(rows):
            reached = self._ask(self._streaming.step())
        return reached

    def advance(self, seconds: float) -> None:
        """Play so many seconds of market time at once, all news in between included."""
        self._ask(self._advance(round(seconds * 1e9)))

    def set_speed(self, speed: float) -> None:
        """Go on at another speed (0 by hand, infinity a row at a time)."""
        self._ask(self._change_speed(speed))

    # --- in the server's thread ------------------------------------------------------------------

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._streaming = Streaming(self.terminal)
        self._rest = Rest(self.terminal, self._end_soon)
        control = control_routes(self.terminal, self._streaming, self._faults_changed)
        stream = Starlette(routes=[WebSocketRoute(STREAM_PATH, self._streaming.serve)])
        rest = rest_application(self._rest, control)
        self._servers = [_server(application) for application in (rest, stream)]
        await self._faults_changed()
        play = asyncio.create_task(self._streaming.run())
        self._ready.set()
        pairs = zip(self._servers, self._sockets, strict=True)
        await asyncio.gather(*(server.serve([bound]) for server, bound in pairs))
        play.cancel()
        await asyncio.gather(play, return_exceptions=True)

    def _end_soon(self) -> None:
        """End once the answer to whoever asked for it is out."""
        self._loop.call_later(0.05, self._end)

    def _end(self) -> None:
        self.terminal.faults.clear()
        self._rest.release()
        for server in self._servers:
            server.should_exit = True

    async def _faults_changed(self) -> None:
        self.terminal.faults_changed()
        self._streaming.faults_changed()
        if "hung" not in self.terminal.faults:
            self._rest.release()
        if "dropped" in self.terminal.faults:
            for connection in list(self._servers[1].server_state.connections):
                connection.transport.abort()

    async def _jump(self, ts: int) -> None:
        self.terminal.clock.set(ts)
        self._streaming.jumped()

    async def _advance(self, nanoseconds: int) -> None:
        until = self.terminal.clock.now() + nanoseconds
        self.terminal.clock.set(until)
        await self._streaming.play(until)

    async def _change_speed(self, speed: float) -> None:
        self.terminal.clock.set_speed(speed)
        self._streaming.speed_changed()

    def _ask(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Do something in the server's thread and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(ANSWER_SECONDS)


def _beginning(market: Market, day: date | None) -> int:
    """The open of the session to begin with. Raises `SettingError` where the source has none."""
    if not market.sessions:
        raise SettingError("the source has no session to simulate")
    last = max(market.sessions)
    if day is not None and day not in market.sessions:
        first = min(market.sessions)
        raise SettingError(f"date {day} is no session of the source ({first} to {last})")
    return market.sessions[day or last].open_ns


def _bound(port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOST, port))
    except OSError as error:
        listening.close()
        raise SettingError(
            f"port {port} cannot be opened ({error.strerror}): choose another with --http-port "
            "or --ws-port, or 0 for any"
        ) from error
    listening.listen()
    return listening


def _server(application: Starlette) -> uvicorn.Server:
    """Quiet, without compression or pings of its own: nothing on the wire that is not told of."""
    return uvicorn.Server(
        uvicorn.Config(
            application,
            http="h11",
            ws="websockets-sansio",
            ws_ping_interval=None,
            ws_per_message_deflate=False,
            lifespan="off",
            log_config=None,
            log_level="critical",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=1,
        )
    )
