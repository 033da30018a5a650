"""Market time of a terminal: the wall clock's, or that of a simulated terminal, which tells it."""

import math
import time
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

import requests

from errors import SettingError
from feeds.sessions import to_nanoseconds

ASKING_SECONDS = 2.0


class MarketTime(NamedTuple):
    """The time of a terminal: nanoseconds since 1970 UTC, and how fast it goes."""

    now: Callable[[], int]
    speed: float
    is_simulated: bool


def market_time(url: str) -> MarketTime:
    """The time of the terminal at `url`.

    A simulated terminal says at /simulator what time it has there and how fast it goes; the real
    one knows no such page, and its time is ours. Raises `SettingError` for a simulated terminal
    that goes at full speed, whose time no clock can follow.
    """
    try:
        answer = requests.get(f"{url}/simulator", timeout=ASKING_SECONDS)
        told = answer.json() if answer.ok else None
    except (requests.RequestException, ValueError):
        told = None
    if not isinstance(told, dict) or not {"time", "speed"} <= told.keys():
        return MarketTime(time.time_ns, 1.0, is_simulated=False)
    start, speed = to_nanoseconds(datetime.fromisoformat(told["time"])), float(told["speed"])
    if math.isinf(speed):
        raise SettingError(f"{url} simulates at full speed: start it with --speed 1, say")
    since = time.monotonic_ns()
    return MarketTime(
        lambda: start + round((time.monotonic_ns() - since) * speed), speed, is_simulated=True
    )


def market_clock(url: str) -> Callable[[], int]:
    """The clock of the terminal at `url`: `market_time` without the rest."""
    return market_time(url).now
