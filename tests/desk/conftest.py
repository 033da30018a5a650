"""The nursery of desks that all tests of this folder share, and a whole day to compare with."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from live_desk import DAILY, MIXED, Nursery, answers


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    """Starts desks as processes; kills what is left of them at the end."""
    with Nursery() as nursery:
        yield nursery


@pytest.fixture(scope="session")
def mixed(nursery: Nursery, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A day with yes, no and skip that nothing interrupted: its folder and what was printed."""
    folder = tmp_path_factory.mktemp("mixed")
    desk = nursery.live(folder, *DAILY, "--answers", answers(folder, MIXED))
    assert desk.wait() == 0, desk.output
    return folder, desk.output
