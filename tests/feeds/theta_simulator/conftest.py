"""Simulated terminals over a small market."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from small_terminal import DAY, DAY_BEFORE, Start, chain, new_york

from feeds.source import MemorySource
from feeds.theta_simulator.server import SimulatedTerminal


@pytest.fixture(scope="session")
def source() -> MemorySource:
    return MemorySource([chain(DAY_BEFORE), chain(DAY)])


@pytest.fixture
def start(source: MemorySource) -> Iterator[Start]:
    """Start a terminal at 10:00 that stands still, with other options where given."""
    with ExitStack() as stack:

        def begin(**options: Any) -> SimulatedTerminal:
            terminal = stack.enter_context(SimulatedTerminal(source, **{"speed": 0, **options}))
            if terminal.terminal.clock.speed == 0:
                terminal.set_time(new_york(10))
            return terminal

        yield begin


@pytest.fixture(scope="module")
def still(source: MemorySource) -> Iterator[SimulatedTerminal]:
    """One terminal for tests that only read; it is the evening of the last session."""
    with SimulatedTerminal(source, speed=0) as terminal:
        terminal.set_time(new_york(17, 30))
        yield terminal
