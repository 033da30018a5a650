"""Waiting for what another thread does, never for ever."""

import time
from collections.abc import Callable
from typing import Any

RECOVERY_SECONDS = 5.0
"""The desk promises to be well again so soon after the cause of a fault ended."""


def until(condition: Callable[[], Any], seconds: float = RECOVERY_SECONDS) -> Any:
    """The first true value of `condition`; fails when there is none in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.01)
    raise AssertionError("it did not happen in time")
