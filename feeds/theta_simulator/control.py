"""The simulator's own page, which no real terminal has: look at it, spoil it, set its time.

curl -X POST 127.0.0.1:25503/simulator/faults -d '{"on": ["429", "latency=0.5"], "off": ["474"]}'
curl -X POST 127.0.0.1:25503/simulator/clock -d '{"time": "2026-10-30T10:00:00"}'
"""

import json
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from errors import SettingError
from feeds.sessions import NEW_YORK, to_nanoseconds, to_new_york
from feeds.theta_simulator.faults import FAULTS
from feeds.theta_simulator.streaming import Streaming
from feeds.theta_simulator.terminal import Terminal


def control_routes(
    terminal: Terminal, streaming: Streaming, changed: Callable[[], Awaitable[None]]
) -> list[Route]:
    """GET /simulator, POST /simulator/faults and /simulator/clock.

    `changed` is called after the faults have changed.
    """

    def state() -> Response:
        return JSONResponse(
            {
                "time": to_new_york(terminal.clock.now()).isoformat(),
                "speed": str(terminal.clock.speed),
                "subscription": str(terminal.subscription),
                "faults": terminal.faults.names,
                "all_faults": dict(FAULTS),
                "counts": terminal.counts,
            }
        )

    async def show(request: Request) -> Response:
        return state()

    async def faults(request: Request) -> Response:
        wishes = await _wishes(request)
        if wishes.get("off"):
            off = wishes["off"]
            terminal.faults.clear([] if off == "all" else off)
        terminal.faults.switch_on(wishes.get("on", ()))
        await changed()
        return state()

    async def clock(request: Request) -> Response:
        wishes = await _wishes(request)
        if "time" in wishes:
            terminal.clock.set(_instant(wishes["time"]))
            streaming.jumped()
        if "speed" in wishes:
            terminal.clock.set_speed(float(wishes["speed"]))
            streaming.speed_changed()
        for _ in range(int(wishes.get("step", 0))):
            await streaming.step()
        return state()

    return [
        Route("/simulator", _polite(show), methods=["GET"]),
        Route("/simulator/faults", _polite(faults), methods=["POST"]),
        Route("/simulator/clock", _polite(clock), methods=["POST"]),
    ]


Handler = Callable[[Request], Awaitable[Response]]


def _polite(handler: Handler) -> Handler:
    """One line and 400 for a wish that makes no sense."""

    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except (SettingError, ValueError, TypeError) as error:
            return Response(f"{error}\n", 400)

    return answer


async def _wishes(request: Request) -> dict[str, Any]:
    wishes = json.loads(await request.body() or b"{}")
    if not isinstance(wishes, dict):
        raise ValueError("send a JSON object")
    return wishes


def _instant(text: str) -> int:
    moment = datetime.fromisoformat(text)
    return to_nanoseconds(moment if moment.tzinfo else moment.replace(tzinfo=NEW_YORK))
