"""From one thread to many browsers: the newest of each topic, made into bytes once for all.

A browser that is slow gets the newest when it is ready, and nothing queues up for it.
"""

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from starlette.types import Receive, Send

MOST_STREAMS = 24
"""Pages that may be open at a time."""

MOST_OF_ONE = 4
"""Pages of one browser: it keeps six connections to a server at most, over all its pages, and an
answer needs one that is free."""

END = "end"
"""The topic that says that no more comes."""


class Hub:
    """Topics and those who follow them. `publish` from any thread, the rest in the server's."""

    def __init__(self) -> None:
        """Nobody follows; there is no topic."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._topics: dict[str, tuple[int, bytes]] = {}
        self._followers: dict[asyncio.Event, str] = {}
        self._version = 0
        self._ended = False

    @property
    def followers(self) -> int:
        """Pages that are open; from any thread."""
        return len(self._followers)

    def is_full(self, browser: str) -> bool:
        """Whether no further page of this browser may follow; in the server's thread."""
        own = list(self._followers.values()).count(browser)
        return len(self._followers) >= MOST_STREAMS or own >= MOST_OF_ONE

    def open(self) -> None:
        """In the server's thread, before the first request."""
        self._loop = asyncio.get_running_loop()

    def publish(self, topics: Mapping[str, Any]) -> None:
        """Replace topics; values are plain and go out as JSON, without NaN."""
        made = {name: _event(name, value) for name, value in topics.items()}
        if self._loop is not None:
            with suppress(RuntimeError):  # the server has just been closed
                self._loop.call_soon_threadsafe(self._put, made)

    def end(self, words: str) -> None:
        """Tell everybody that the desk ends, and let them go."""
        self.publish({END: {"words": words}})

    def _put(self, made: Mapping[str, bytes]) -> None:
        if not self._followers:
            self._topics.clear()
        self._ended = self._ended or END in made
        self._version += 1
        self._topics.update({name: (self._version, data) for name, data in made.items()})
        for follower in self._followers:
            follower.set()

    async def serve(self, browser: str, receive: Receive, send: Send) -> None:
        """An ASGI answer: server-sent events until the browser or the desk goes."""
        changed = asyncio.Event()
        if not self._followers:
            self._topics.clear()  # what nobody followed is old
        self._followers[changed] = browser
        gone = asyncio.create_task(_gone(receive, changed))
        try:
            await send(_start())
            await self._follow(changed, gone, send)
        finally:
            self._followers.pop(changed, None)
            gone.cancel()

    async def _follow(self, changed: asyncio.Event, gone: "asyncio.Task[None]", send: Send) -> None:
        seen = 0
        changed.set()
        while not gone.done():
            await changed.wait()
            changed.clear()
            news = [data for version, data in self._topics.values() if version > seen]
            seen = self._version
            if news and not gone.done():
                await send(_body(b"".join(news), more=True))
            if self._ended:
                break
        await send(_body(b"", more=False))


async def _gone(receive: Receive, changed: asyncio.Event) -> None:
    """Until the browser has gone; then whoever waits for news looks."""
    while (await receive())["type"] != "http.disconnect":
        pass
    changed.set()


def _start() -> dict[str, Any]:
    headers = [(b"content-type", b"text/event-stream; charset=utf-8")]
    return {"type": "http.response.start", "status": 200, "headers": headers}


def _body(data: bytes, more: bool) -> dict[str, Any]:
    return {"type": "http.response.body", "body": data, "more_body": more}


def _event(name: str, value: Any) -> bytes:
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return f"event: {name}\ndata: {text}\n\n".encode()
