"""A year of simulated chains in a store: 250 sessions x 391 snapshots x 40 strikes x 2 rights."""

import sys
import tempfile
from dataclasses import replace
from datetime import date
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from feeds.chain import ChainDay
from feeds.sessions import last_sessions
from feeds.simulation.market import SimulatedMarket
from feeds.store import ChainStore

SESSIONS, STRIKES = 250, 40
YEAR = Path(tempfile.gettempdir()) / "zdte-benchmark-year"


def year_store() -> Path:
    """The store's folder; made on the first call (about a minute), kept for later ones."""
    if not (YEAR / "complete").exists():
        market = SimulatedMarket(last_sessions(SESSIONS, date(2026, 10, 30)), seed=1)
        store = ChainStore(YEAR)
        for index in range(SESSIONS):
            store.write(_narrow(market.load(index)), 60)
        (YEAR / "complete").touch()
    return YEAR


def _narrow(day: ChainDay) -> ChainDay:
    middle = int(np.abs(day.strikes - day.spot.mean() * 1000).argmin())
    first = max(0, min(middle - STRIKES // 2, day.strikes.size - STRIKES))
    kept = slice(first, first + STRIKES)
    return replace(
        day,
        strikes=day.strikes[kept],
        bid=day.bid[:, :, kept],
        ask=day.ask[:, :, kept],
        bid_size=day.bid_size[:, :, kept],
        ask_size=day.ask_size[:, :, kept],
    )
