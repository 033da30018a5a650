"""One simulated market for all pages, and desks as processes."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from journals import DAY
from live_desk import Nursery
from web_page import Served, served

from desk.markets import LiveMarket, mock_market
from settings import Settings


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    """Starts desks as processes; kills what is left of them at the end."""
    with Nursery() as nursery:
        yield nursery


@pytest.fixture(scope="session")
def market() -> Iterator[LiveMarket]:
    """A day of the simulated market that has not begun."""
    with mock_market(Settings(), DAY, 1.0, None) as market:
        yield market


@pytest.fixture
def page(market: LiveMarket, tmp_path: Path) -> Iterator[Served]:
    """A page that is served."""
    with served(market, tmp_path) as page:
        yield page
