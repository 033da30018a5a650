"""Requests that wait for their answer: what belongs to which, and when it is complete."""

import asyncio
import time
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any


class RefusedRequest(Exception):
    """IB's no to a request: `code` and its words."""

    def __init__(self, code: int, words: str) -> None:
        """The code and the words of IB's error message."""
        super().__init__(f"{code}: {words}")
        self.code, self.words = code, words


@dataclass(slots=True)
class _Waiting:
    future: asyncio.Future[list[Any]]
    since: float
    items: list[Any] = field(default_factory=list)


class Answers:
    """The open requests of one connection, by request id or by the name of what was asked.

    Some answers carry no id (open orders, positions, the time), so only one request of a name may
    be open: two answers could not be told apart. One that nobody waits for any more stays open
    until its answer comes, and holds back the next: a late answer is never taken for a fresh one.
    """

    def __init__(self) -> None:
        """Nothing was asked yet."""
        self._open: dict[Hashable, _Waiting] = {}
        self._asked: set[Hashable] = set()

    def ask(self, key: Hashable) -> asyncio.Future[list[Any]]:
        """A new request; its future gives the items when the answer is complete.

        `key` must not be open, see `open_seconds`.
        """
        assert key not in self._open, key
        waiting = _Waiting(asyncio.get_running_loop().create_future(), time.monotonic())
        self._open[key] = waiting
        self._asked.add(key)
        return waiting.future

    def open_seconds(self, key: Hashable) -> float | None:
        """For how long a request has been open; None where none is."""
        waiting = self._open.get(key)
        return None if waiting is None else time.monotonic() - waiting.since

    def was_asked(self, key: Hashable) -> bool:
        """Whether a request ever had this key, also one that is answered or given up."""
        return key in self._asked

    def waits(self, key: Hashable) -> bool:
        """Whether a request with this key is still open."""
        return key in self._open

    def add(self, key: Hashable, item: Any) -> None:
        """A part of an answer; dropped where nothing was asked."""
        if (waiting := self._open.get(key)) is not None:
            waiting.items.append(item)

    def end(self, key: Hashable) -> None:
        """The request with this key is answered in full."""
        waiting = self._open.pop(key, None)
        if waiting is not None and not waiting.future.done():
            waiting.future.set_result(waiting.items)

    def fail(self, key: Hashable, error: Exception) -> None:
        """The request with this key is refused."""
        waiting = self._open.pop(key, None)
        if waiting is not None and not waiting.future.done():
            waiting.future.set_exception(error)

    def close(self, error: Exception) -> None:
        """The line is gone: everything open has failed."""
        for key in list(self._open):
            self.fail(key, error)
