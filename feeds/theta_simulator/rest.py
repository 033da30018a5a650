"""The terminal's REST side: one way for every request, refusals in the terminal's own order."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from errors import DeskError
from feeds.theta_simulator import listing, option_greeks, option_history, option_snapshot, stock
from feeds.theta_simulator.enquiry import Endpoint, Enquiry
from feeds.theta_simulator.formats import CONTENT_TYPES, written
from feeds.theta_simulator.query import OLD_NAMES, Query, Refused, invalid
from feeds.theta_simulator.terminal import DATA_FAULTS, Terminal
from feeds.theta_simulator.tiers import FREE_REQUESTS_A_MINUTE, Tier

ENDPOINTS: tuple[Endpoint, ...] = (
    *listing.ENDPOINTS,
    *option_snapshot.ENDPOINTS,
    *option_history.ENDPOINTS,
    *option_greeks.ENDPOINTS,
    *stock.ENDPOINTS,
)

BY_NUMBER = {
    "571": "SERVER_STARTING",
    "476": "Wrong IP",
    "478": "Invalid session ID",
    "500": "BadSession",
    "474": "Connection lost to Theta Data MDDS.",
    "429": "Too many requests",
    "403": "Forbidden: your subscription does not include this",
    "471": "Your subscription does not include this",
    "570": "Request too large",
}
"""Texts that are not in the reference are ours: a client must go by the status alone."""

PLAIN = {"content-type": "text/plain"}
MALFORMED_KEEPS = 0.6

Handler = Callable[[Request], Awaitable[Response]]


class Rest:
    """Answers for one terminal."""

    def __init__(self, terminal: Terminal, shut_down: Callable[[], None]) -> None:
        """`shut_down` is called when a client asks the terminal to end."""
        self._released = asyncio.Event()
        self._terminal = terminal
        self._shut_down = shut_down
        self._slots = asyncio.Semaphore(terminal.subscription.concurrent)
        self._waiting = 0
        self._recent: deque[float] = deque()
        self._host: str | None = None

    def routes(self) -> list[Route]:
        """All paths; anything else is 410 for version 2 and 404."""
        system = {
            "/v3/terminal/mdds/status": self._data_status,
            "/v3/terminal/fpss/status": self._stream_status,
            "/v3/terminal/shutdown": self._shutdown,
        }
        data = [(f"/v3{one.path}", self._data(one)) for one in ENDPOINTS]
        pairs = [*system.items(), *data, ("/{anything:path}", self._unknown)]
        return [Route(path, self._guarded(handler), methods=["GET"]) for path, handler in pairs]

    def release(self) -> None:
        """Let hung and slow requests go on."""
        self._released.set()
        self._released = asyncio.Event()

    def _guarded(self, handler: Handler) -> Handler:
        """The handler behind what hits every request: silence, start-up, host."""

        async def answer(request: Request) -> Response:
            self._terminal.count("requests")
            if "hung" in self._terminal.faults:
                await self._released.wait()
            try:
                self._refuse("571")
                self._same_host(request)
                return await handler(request)
            except Refused as refused:
                return Response(refused.text, refused.status, headers=PLAIN)
            except DeskError as error:
                return Response(f"UNCAUGHT_ERROR: {error}", 572, headers=PLAIN)

        return answer

    async def _late(self, endpoint: Endpoint, request: Request) -> Response:
        """The answer after the latency that is asked for, but not after the server's end."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._released.wait(), self._terminal.faults.latency)
        return await asyncio.to_thread(self._answer, endpoint, request)

    def _refuse(self, *names: str) -> None:
        name = self._terminal.faults.answer(names)
        if name:
            raise Refused(int(name), BY_NUMBER[name])

    def _same_host(self, request: Request) -> None:
        """The first request fixes the form of the host."""
        self._refuse("476")
        host = request.headers.get("host", "").rpartition(":")[0]
        self._host = self._host or host
        if host != self._host:
            raise Refused(476, BY_NUMBER["476"])

    async def _data_status(self, request: Request) -> Response:
        return Response(self._terminal.data_status, headers=PLAIN)

    async def _stream_status(self, request: Request) -> Response:
        return Response(self._terminal.stream_status, headers=PLAIN)

    async def _shutdown(self, request: Request) -> Response:
        self._shut_down()
        return Response("OK", headers=PLAIN)

    async def _unknown(self, request: Request) -> Response:
        if request.url.path.startswith("/v2/"):
            raise Refused(410, f"Version 2 is gone, use /v3. {_replacements(OLD_NAMES)}")
        raise Refused(404, "No implementation for this path")

    def _data(self, endpoint: Endpoint) -> Handler:
        async def answer(request: Request) -> Response:
            self._refuse("478", "500", "474", "429", "403", "471", "570")
            old = [name for name in request.query_params if name in OLD_NAMES]
            if old:
                raise Refused(410, _replacements(old))
            self._permitted(endpoint, request)
            if not endpoint.takes_slot:
                return await self._late(endpoint, request)
            await self._take_slot()
            try:
                return await self._late(endpoint, request)
            finally:
                self._slots.release()

        return answer

    def _permitted(self, endpoint: Endpoint, request: Request) -> None:
        tier = self._terminal.subscription.of(endpoint.asset)
        is_chain = request.query_params.get("strike", "*") == "*"
        is_chain &= endpoint.path.startswith("/option/snapshot/")
        refused = is_chain and tier == Tier.VALUE and not self._terminal.chain_snapshots
        if tier < endpoint.tier or refused:
            need = f"{endpoint.asset} {endpoint.tier.name.lower()}"
            raise Refused(self._terminal.permission_code, f"Subscription needed: {need}")
        if self._terminal.subscription.highest == Tier.FREE:
            self._count_free()

    def _count_free(self) -> None:
        minute_ago = time.monotonic() - 60
        while self._recent and self._recent[0] < minute_ago:
            self._recent.popleft()
        if len(self._recent) >= FREE_REQUESTS_A_MINUTE:
            raise Refused(429, BY_NUMBER["429"])
        self._recent.append(time.monotonic())

    async def _take_slot(self) -> None:
        """Wait for one of the account's slots. Raises `Refused` (429) where the queue is full."""
        if self._slots.locked() and self._waiting >= self._terminal.queue_length:
            raise Refused(429, BY_NUMBER["429"])
        self._waiting += 1
        try:
            await self._slots.acquire()
        finally:
            self._waiting -= 1

    def _answer(self, endpoint: Endpoint, request: Request) -> Response:
        terminal, values = self._terminal, dict(request.query_params)
        if terminal.snapshot_memory == "midnight":
            values.pop("current_day_only", None)
        form = values.get("format", "csv")
        if form not in CONTENT_TYPES:
            raise invalid(f"format must be one of {', '.join(CONTENT_TYPES)}, not {form}")
        tier = terminal.subscription.of(endpoint.asset)
        frozen = terminal.frozen_at if "/snapshot/" in endpoint.path else None
        enquiry = Enquiry(
            market=terminal.market,
            query=Query(values, tier),
            now=terminal.clock.now() if frozen is None else frozen,
            only_today=terminal.snapshot_memory == "midnight",
            word=request.path_params.get("word", ""),
            spoiled=DATA_FAULTS.intersection(terminal.faults.names),
        )
        body = written(endpoint.answer(enquiry), form, terminal.json_shape)
        if "malformed" in terminal.faults:
            body = body[: int(len(body) * MALFORMED_KEEPS)]
        return Response(body, headers={"content-type": CONTENT_TYPES[form]})


def rest_application(rest: Rest, control: list[Route]) -> Starlette:
    """The application of the REST port, with the simulator's own control paths."""
    return Starlette(routes=[*control, *rest.routes()])


def _replacements(old: Collection[str]) -> str:
    names = [name for name in OLD_NAMES if name in old]
    return "Old parameters: " + ", ".join(f"{name} -> {OLD_NAMES[name]}" for name in names)
