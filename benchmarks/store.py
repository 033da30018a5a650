"""A year in the chain store: CPU to write, select and load a session, and its size on disk.

Run `python benchmarks/store.py`. The year is 250 simulated sessions of 391 snapshots, 40 strikes
and 2 rights, with sizes; the import is a tidy CSV file of the first 10 of them.
"""

import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np  # after the number of threads is set
import pandas as pd

from feeds.chain import ChainDay
from feeds.importing import import_files
from feeds.simulation.market import SimulatedMarket, default_sessions
from feeds.store import ChainStore

SESSIONS, STRIKES, IMPORTED = 250, 40, 10
Report = Callable[[str, float, str, str], None]


@contextmanager
def cpu_milliseconds(record: Callable[[float], None], share: int = 1) -> Iterator[None]:
    """Record the CPU time of the block in milliseconds, divided by `share`."""
    start = time.process_time()
    yield
    record((time.process_time() - start) * 1000 / share)


def near_the_money(day: ChainDay) -> ChainDay:
    """The `STRIKES` strikes around the first spot alone."""
    first = int(np.searchsorted(day.strikes, day.spot[0] * 1000)) - STRIKES // 2
    kept = slice(first, first + STRIKES)
    columns = ("bid", "ask", "bid_size", "ask_size")
    return replace(
        day,
        strikes=day.strikes[kept],
        **{name: getattr(day, name)[:, :, kept] for name in columns},
    )


def tidy(day: ChainDay) -> pd.DataFrame:
    """A session as a vendor would send it."""
    snapshots, strikes = day.recorded, day.strikes.size
    shape = (snapshots, 2, strikes)
    instants = pd.to_datetime(day.ts[:snapshots], utc=True).tz_convert("America/New_York")
    return pd.DataFrame(
        {
            "ts": np.repeat(instants, 2 * strikes),
            "underlying": "SPY",
            "expiration": day.session.date,
            "strike": np.broadcast_to(day.strikes / 1000, shape).ravel(),
            "right": np.tile(np.repeat(["C", "P"], strikes), snapshots),
            "bid": day.bid[:snapshots].ravel(),
            "ask": day.ask[:snapshots].ravel(),
            "bid_size": day.bid_size[:snapshots].ravel(),
            "ask_size": day.ask_size[:snapshots].ravel(),
            "underlying_price": np.repeat(day.spot[:snapshots], 2 * strikes),
        }
    )


def measure_year(folder: Path, report: Report) -> list[ChainDay]:
    """Write a year, select it, read every clock and load every session."""
    market, store = SimulatedMarket(default_sessions(SESSIONS)), ChainStore(folder)
    first_days, written = [], 0.0
    for index in range(SESSIONS):
        day = near_the_money(market.load(index))
        first_days += [day] * (index < IMPORTED)
        start = time.process_time()
        store.write(day, 60)
        written += time.process_time() - start
    report("write a session", written * 1000 / SESSIONS, "ms", "")
    megabytes = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
    report("a year's store", megabytes, "MB", "100")
    with cpu_milliseconds(lambda spent: report("select, each session", spent, "ms", ""), SESSIONS):
        source = ChainStore(folder).select()
    with cpu_milliseconds(lambda spent: report("clock of a session", spent, "ms", ""), SESSIONS):
        for index in range(SESSIONS):
            source.clock(index)
    with cpu_milliseconds(lambda spent: report("load a session", spent, "ms", "5"), SESSIONS):
        for index in range(SESSIONS):
            source.load(index)
    return first_days


def measure_import(folder: Path, days: list[ChainDay], report: Report) -> None:
    """Import the days from one CSV file."""
    quotes = pd.concat([tidy(day) for day in days], ignore_index=True)
    quotes.to_csv(folder / "quotes.csv", index=False)
    rows = len(quotes)
    del quotes
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    store = ChainStore(folder / "store")
    import_files([folder / "quotes.csv"], [], store, close_from_last_quote=True)
    seconds = time.process_time() - start
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    report("import from CSV", rows / seconds / 1e6, "M quotes/s", "")
    report("growth of peak memory in it", (after - before) / 1024, "MB", "")


def main() -> None:
    """Print the table."""

    def report(what: str, value: float, unit: str, target: str) -> None:
        print(f"{what:30} {value:9.2f} {unit:11} {target and f'at most {target}'}")

    with tempfile.TemporaryDirectory() as year, tempfile.TemporaryDirectory() as vendor:
        days = measure_year(Path(year), report)
        measure_import(Path(vendor), days, report)


if __name__ == "__main__":
    main()
