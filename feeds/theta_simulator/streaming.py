"""The terminal's WebSocket: subscriptions that outlive clients, heartbeats, the market's news."""

import asyncio
from collections.abc import Iterable

from starlette.websockets import WebSocket, WebSocketDisconnect

from feeds.theta_simulator.messages import (
    Instrument,
    StreamRequest,
    Unreadable,
    acknowledgement,
    heartbeat,
    number_of,
    parsed,
)
from feeds.theta_simulator.replay import Frame, bursts, wanted
from feeds.theta_simulator.tape import Tape
from feeds.theta_simulator.terminal import DATA_FAULTS, Terminal

HEARTBEAT_SECONDS = 1.0
TICK_SECONDS, SLOW_TICK_SECONDS = 0.02, 0.05
"""How often news are sent while time runs: seldom where it is no faster than the wall's."""

HELD_TICK_SECONDS = 0.002
"""Time that waits for its user goes on soon after it may."""

SETTLED_SECONDS = 0.3
"""At the greatest speed time begins to run so long after the last request: all have subscribed."""

MALFORMED_EVERY = 3
REPLACED, TURNED_AWAY = 1000, 1008

Stream = tuple[str, Instrument]


class Client:
    """One connected client and what waits to be sent to it."""

    def __init__(self, websocket: WebSocket, most: int) -> None:
        """The connection must be accepted already; `most` frames may wait."""
        self.websocket = websocket
        self.outbox: asyncio.Queue[str] = asyncio.Queue(most)
        self._gone = False

    async def put(self, text: str) -> None:
        """Send `text` in its turn; waits while too many wait. Nothing is sent to who is gone."""
        if not self._gone:
            await self.outbox.put(text)

    def leave(self) -> None:
        """Nobody waits for a client that is gone."""
        self._gone = True
        while not self.outbox.empty():
            self.outbox.get_nowait()

    async def send_on(self) -> None:
        """Send what is put into the outbox, in order, for ever."""
        while True:
            text = await self.outbox.get()
            await self.websocket.send({"type": "websocket.send", "text": text})


class Streaming:
    """The streaming side of one terminal; lives in one asyncio loop."""

    def __init__(self, terminal: Terminal) -> None:
        """News before the clock's present time are not sent."""
        self._terminal = terminal
        self._client: Client | None = None
        self._streams: dict[Stream, bool] = {}  # whether it comes back by itself
        self._every_trade: dict[str, bool] = {}
        self._numbers: set[int] = set()
        self._played = terminal.clock.now()
        self._was_down = False
        self._changed = asyncio.Event()
        self._last_request = 0.0
        self._playing = asyncio.Lock()
        self._frames = 0
        self._owed: dict[tuple[int, int], int] = {}

    # --- clients ---------------------------------------------------------------------------------

    async def serve(self, websocket: WebSocket) -> None:
        """One client from its coming to its going."""
        if "dropped" in self._terminal.faults or self._is_turned_away():
            await websocket.close(TURNED_AWAY)
            return
        await websocket.accept()
        client = Client(websocket, self._terminal.outbox)
        former, self._client = self._client, client
        if former is not None:
            await _closed(former.websocket)
        tasks = [asyncio.create_task(one) for one in (client.send_on(), self._beat(client))]
        try:
            while True:
                await self._receive(client, await websocket.receive_text())
        except (WebSocketDisconnect, RuntimeError, KeyError):
            pass  # gone, replaced, or sending what is no text
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            client.leave()
            if self._client is client:
                self._client = None

    def _is_turned_away(self) -> bool:
        return self._client is not None and self._terminal.second_client == "refuse"

    async def _beat(self, client: Client) -> None:
        while True:
            if not {"no-heartbeats", "hung"}.intersection(self._terminal.faults.names):
                await client.put(heartbeat(self._terminal.stream_status))
            await asyncio.sleep(HEARTBEAT_SECONDS)

    async def _receive(self, client: Client, text: str) -> None:
        if "hung" in self._terminal.faults:
            return
        try:
            request = parsed(text)
        except Unreadable:
            response, number = "ERROR", number_of(text)
        else:
            response, number = self._accepted(request), request.number
        self._terminal.streaming_began = True
        self._last_request = asyncio.get_running_loop().time()
        self._changed.set()
        answer = acknowledgement(self._terminal.stream_status, response, number)
        await client.put(answer)

    # --- subscriptions ---------------------------------------------------------------------------

    def _accepted(self, request: StreamRequest) -> str:
        """Do what is asked; the word of the acknowledgement."""
        if request.action == "STOP":
            self._streams.clear()
            self._every_trade.clear()
            return "SUBSCRIBED"
        fresh = request.number not in self._numbers
        self._numbers.add(request.number)
        if request.instrument is None:
            return self._bulk(request)
        most = self._most(request.security, request.kind)
        stream = request.kind, request.instrument
        if not most:
            return "INVALID_PERMS"
        if not request.add:
            self._streams.pop(stream, None)
            return "SUBSCRIBED"
        if stream not in self._streams and self._held(request) >= most:
            return "MAX_STREAMS_REACHED"
        self._streams[stream] = fresh
        return "SUBSCRIBED"

    def _bulk(self, request: StreamRequest) -> str:
        """The full trade stream, of options here; Pro alone has it."""
        if request.kind != "TRADE":
            return "ERROR"
        tier = self._terminal.subscription.of(request.security.lower())
        if tier.name != "PRO":
            return "INVALID_PERMS"
        self._every_trade[request.security] = request.add
        return "SUBSCRIBED"

    def _most(self, security: str, kind: str) -> int:
        allowed = self._terminal.subscription.streams(security, kind)
        fewer = self._terminal.largest_streams
        return allowed if fewer is None else min(allowed, fewer)

    def _held(self, request: StreamRequest) -> int:
        same = (
            1
            for kind, one in self._streams
            if kind == request.kind and one.security == request.security
        )
        return sum(same)

    def faults_changed(self) -> None:
        """When the connection comes back, streams whose ids were unique come back with it."""
        down = self._terminal.faults.disconnected
        if self._was_down and not down:
            self._streams = {stream: True for stream, returns in self._streams.items() if returns}
        self._was_down = down
        self._changed.set()

    # --- the market's news -----------------------------------------------------------------------

    async def run(self) -> None:
        """Let time pass and send its news, until cancelled."""
        clock = self._terminal.clock
        while True:
            self._changed.clear()
            held = bool(clock.speed) and not self._terminal.may_go()
            clock.stand(held)
            if held:
                await self._pause(HELD_TICK_SECONDS)
            elif clock.runs:
                await self.play(clock.now())
                await self._pause(TICK_SECONDS if clock.speed > 1 else SLOW_TICK_SECONDS)
            elif clock.speed and self._is_settled():
                if await self.step() is None:
                    await self._pause(None)
            else:
                await self._pause(TICK_SECONDS if clock.speed and self._streams else None)

    async def step(self) -> int | None:
        """On to the next row of the session; its instant, None after the last."""
        clock = self._terminal.clock
        tape = await asyncio.to_thread(self._terminal.market.tape, clock.today)
        instant = tape.next_instant(clock.now()) if tape else None
        if instant is not None:
            clock.set(instant)
            await self.play(instant)
        return instant

    def jumped(self) -> None:
        """Time was set: what lay between is not sent."""
        self._played = self._terminal.clock.now()
        self._changed.set()

    def speed_changed(self) -> None:
        """Time goes on at another speed, nothing lies between."""
        self._changed.set()

    @property
    def played(self) -> int:
        """The news up to this instant (nanoseconds) were sent, or are being sent."""
        return self._played

    async def play(self, until: int) -> None:
        """Send the news up to `until` (nanoseconds)."""
        async with self._playing:
            after, self._played = self._played, max(until, self._played)
            if after >= until or not (self._streams or any(self._every_trade.values())):
                return
            market = self._terminal.market
            for day, session in market.sessions.items():
                if session.open_ns - 2_000_000_000 <= until and after <= session.close_ns:
                    tape = await asyncio.to_thread(market.tape, day)
                    if tape is not None:
                        await self._play(tape, after, until)

    async def _play(self, tape: Tape, after: int, until: int) -> None:
        every = self._every_trade.get("OPTION", False)
        want = wanted(tape, self._streams.keys(), every)
        want.owed = self._owed
        if want.anything:
            spoiled = DATA_FAULTS.intersection(self._terminal.faults.names)
            for burst in bursts(tape, want, after, until, spoiled):
                await self._send(burst)

    async def _send(self, frames: Iterable[Frame]) -> None:
        """Put a burst into the outbox; who does not read loses it when time runs, or delays it."""
        faults, client = self._terminal.faults, self._client
        texts = [frame.text for frame in frames]
        if client is None or faults.disconnected or {"silent", "hung"} & set(faults.names):
            return
        if "duplicated" in faults:
            texts = [text for text in texts for _ in range(2)]
        if "reordered" in faults:
            texts.reverse()
        for text in texts:
            self._frames += 1
            if "malformed" in faults and self._frames % MALFORMED_EVERY == 0:
                text = text[: len(text) // 2]
            if self._terminal.lossless or not self._terminal.clock.runs:
                await client.put(text)
            elif client.outbox.full():
                self._terminal.count("frames dropped")
            else:
                client.outbox.put_nowait(text)
            self._terminal.count("frames")

    def _is_settled(self) -> bool:
        if self._client is None or not (self._streams or self._every_trade):
            return False
        quiet = asyncio.get_running_loop().time() - self._last_request
        return quiet >= SETTLED_SECONDS

    async def _pause(self, seconds: float | None) -> None:
        """Until something changes, or so many seconds."""
        try:
            await asyncio.wait_for(self._changed.wait(), seconds)
        except TimeoutError:
            return


async def _closed(websocket: WebSocket) -> None:
    """Close for a successor; the client may be gone already."""
    try:
        await websocket.close(REPLACED)
    except RuntimeError:
        return
