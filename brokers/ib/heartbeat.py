"""Is the line alive, and do both clocks agree?

Nothing else notices a half-open line: the library says connected for ever. So the gateway is asked
for its time, and a line on which nothing at all came for `silence_seconds` is taken for dead.
"""

import asyncio
import math
import time
from typing import Any

from brokers.ib.wire import Wire
from errors import BrokerError

_BEATS = 5
"""Questions within the silence that is allowed."""

_QUICK_SECONDS = 1.0
"""An answer that took longer says nothing about clocks."""


class Heartbeat:
    """Asks for the time as long as a line lasts."""

    def __init__(self, silence_seconds: float) -> None:
        """`silence_seconds`: a line that says nothing for so long is dead."""
        self._silence = silence_seconds
        self.skew_seconds = math.nan
        """The gateway's clock less ours; it sends whole seconds, so half a second is the error."""

    async def settle(self, wire: Wire) -> None:
        """Wait for what the gateway says at a login, its lost line to IB for one.

        All of it comes before the answer to our first question. Raises `BrokerError` for a loss.
        """
        waiting: list[asyncio.Future[Any]] = [asyncio.ensure_future(self._beat(wire))]
        waiting.append(wire.messages.lost)
        await asyncio.wait(waiting, timeout=_QUICK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        if wire.messages.lost.done():
            raise BrokerError(wire.messages.lost.result())

    async def until_lost(self, wire: Wire) -> str:
        """Watch a line; why it was lost, in words."""
        lost = wire.messages.lost
        while not lost.done():
            beat = asyncio.ensure_future(self._beat(wire))
            left = self._silence - (time.monotonic() - wire.messages.heard)
            if left <= 0:
                beat.cancel()
                return f"the gateway has been silent for {self._silence:g} s"
            await asyncio.wait({lost}, timeout=min(left, self._silence / _BEATS))
        return lost.result()

    async def _beat(self, wire: Wire) -> None:
        before = time.time()
        try:
            seconds = await wire.current_time()
        except (BrokerError, ConnectionError):
            return  # the silence is measured, not this one answer
        after = time.time()
        if after - before <= _QUICK_SECONDS:
            self.skew_seconds = seconds + 0.5 - (before + after) / 2
