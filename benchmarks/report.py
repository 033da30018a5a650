"""The report of a year: seconds to draw it from its files, at most 10."""

import contextlib
import io
import statistics
import sys
import time
from pathlib import Path

from year import SESSIONS, year_store

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import run
from reports.backtest_report import draw_report

ROUNDS = 3
LIMIT = 10.0


def main() -> None:
    """Run a year once, then draw it a few times."""
    store = year_store()
    folder = store.parent / "zdte-benchmark-report"
    with contextlib.redirect_stdout(io.StringIO()):
        words = ["--data", str(store), "--policy", "random", "--out", str(folder)]
        assert run.main(["backtest", *words]) == 0
    seconds = [drawn(folder) for _ in range(ROUNDS)]
    wall, cpu = (statistics.median(column) for column in zip(*seconds, strict=True))
    size = (folder / "report.html").stat().st_size / 1e6
    print(f"report of {SESSIONS} sessions: {wall:.1f} s wall, {cpu:.1f} s CPU (limit {LIMIT:.0f})")
    print(f"report.html {size:.1f} MB")


def drawn(folder: Path) -> tuple[float, float]:
    """Wall and CPU seconds of one drawing."""
    wall, cpu = time.perf_counter(), time.process_time()
    draw_report(folder)
    return time.perf_counter() - wall, time.process_time() - cpu


if __name__ == "__main__":
    main()
