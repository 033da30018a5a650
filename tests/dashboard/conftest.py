"""One simulated market for all pages, and desks as processes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from journals import DAY
from live_desk import Nursery
from web_page import FLAGS, Served, served

from desk.markets import LiveMarket, mock_market
from settings import Settings

CHROMIUM = Path("/usr/bin/chromium")


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


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """Debian's browser; a test that needs it is skipped, with the reason, where there is none."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed: no browser tests"
    )
    if not CHROMIUM.exists():
        pytest.skip(f"there is no {CHROMIUM}")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=str(CHROMIUM), args=list(FLAGS))
        yield browser
        browser.close()
