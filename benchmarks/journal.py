"""The journal: how long a durable intent takes, rows a second, reading back, size of a session.

Run `python benchmarks/journal.py [FOLDER]`. FOLDER must lie on the disk to be measured; a memory
file system would say nothing about intents. Wall times: the disk is waited for.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from brokers.journal.journal import Journal
from brokers.journal.reader import JournalReader
from brokers.journal.records import position_record
from brokers.journal.session import SessionFacts
from feeds.contract import Contract, Right
from feeds.sessions import session_on
from vocabulary import FEATURES, JournalRecord

DAY = date(2026, 10, 30)
OPEN = session_on(DAY).open_ns
CONTRACT = Contract("SPY", DAY, 628_000, Right.PUT)
INTENTS, BARS, BATCH = 1000, 391, 20
FILLS = 100
"""Many times what a day of this desk has."""


def bar(second: int) -> JournalRecord:
    """A full bar row."""
    row = {f"feature_{name}": 0.123456789 for name in FEATURES}
    row |= {"spot": 628.5, "atm_iv": 0.155, "cash": 80_000.0, "position_value": -240.0}
    row |= {"action": 2, "probabilities": (0.2, 0.0, 0.8), "allowed": True, "reason": ""}
    return JournalRecord("bars", OPEN + second * 1_000_000_000, row)


def milliseconds(act: Callable[[int], object], times: int) -> np.ndarray:
    """Wall milliseconds of each call."""
    taken = []
    for number in range(times):
        start = time.perf_counter()
        act(number)
        taken.append(1000 * (time.perf_counter() - start))
    return np.array(taken)


def intend(journal: Journal) -> None:
    """One intent."""
    journal.intend(OPEN, purpose="entry", contract=CONTRACT, side=-1, quantity=1, limit=2.4)


def report(what: str, taken: np.ndarray, goal: str = "") -> None:
    """Median and 99th percentile."""
    p50, p99 = np.percentile(taken, (50, 99))
    print(f"{what:34} p50 {p50:7.2f} ms   p99 {p99:7.2f} ms   {goal}")


def measure(folder: Path, durable: bool) -> None:
    """One habit of writing: live and paper, or practice."""
    name = "durable" if durable else "practice"
    path = folder / f"{name}.db"
    with Journal(path, durable=durable) as journal:
        journal.open_session(SessionFacts("mock", DAY))
        report(f"{name}: an intent", milliseconds(lambda _: intend(journal), INTENTS), "at most 50")
        report(f"{name}: a bar", milliseconds(lambda n: journal.write(bar(n)), BARS))
        start = time.perf_counter()
        for first in range(0, 100 * BATCH, BATCH):
            journal.write(*(bar(10_000 + first + n) for n in range(BATCH)))
        rate = 100 * BATCH / (time.perf_counter() - start)
        print(f"{name + ': rows, 20 a transaction':34} {rate:11,.0f} a second")
        report(f"{name}: memory of the session", milliseconds(lambda _: journal.memory(), 20))
    with JournalReader(path) as reader:
        report(f"{name}: bars as a frame", milliseconds(lambda _: reader.table("bars"), 10))


def measure_fills(folder: Path) -> None:
    """What a fill costs beside itself, late on a busy day: all of the session's are read again."""
    with Journal(folder / "fills.db", durable=False) as journal:
        journal.open_session(SessionFacts("mock", DAY))
        for number in range(FILLS):
            ref = journal.intend(
                OPEN, purpose="exit", contract=CONTRACT, side=1, quantity=1, limit=2.4
            )
            journal.executed(
                OPEN + number,
                execution_id=f"e{number}",
                order_ref=ref,
                side=1 if number % 2 else -1,
                quantity=1,
                price=2.4,
            )
        taken = milliseconds(lambda _: position_record(journal.fills(), CONTRACT, OPEN), 50)
    report(f"position after {FILLS} fills", taken, "at most 10")


def measure_size(folder: Path) -> None:
    """A session's bars alone."""
    path = folder / "size.db"
    with Journal(path, durable=False) as journal:
        journal.open_session(SessionFacts("mock", DAY))
        empty = path.stat().st_size
        for minute in range(BARS):
            journal.write(bar(60 * minute))
    print(f"{'bars of a session':34} {(path.stat().st_size - empty) / 1000:11,.0f} kB")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=Path("runs"))
    parent: Path = parser.parse_args().folder
    with tempfile.TemporaryDirectory(dir=parent) as folder:
        for durable in (True, False):
            measure(Path(folder), durable)
        measure_fills(Path(folder))
        measure_size(Path(folder))


if __name__ == "__main__":
    main()
