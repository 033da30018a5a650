"""The main job over a year, against an empty Cerebro loop over the same bars, in one process.

CPU is counted from the end of imports and model loading to the last data file (`--no-report`, warm
store), as the run's own log states it; memory is the peak over the imports in a process of its own.
The empty loop is a bulk-preloaded feed and a strategy without a `next`, as Backtrader comes; beside
it the fastest loop that Backtrader allows, without the bookkeeping of ticks.
"""

import contextlib
import io
import json
import statistics
import subprocess
import sys
import time
from array import array
from pathlib import Path

from year import SESSIONS, year_store

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import backtrader as bt
import numpy as np

import run

ROUNDS = 5
CASES = {
    "sell_put@10:00": (["--policy", "sell_put@10:00"], 3.0, 1.5),
    "PPO model": (["--model", "bundled"], 4.0, 2.0),
}


class BulkFeed(bt.feed.DataBase):
    """The same number of bars, filled whole before the run; nothing else is changed."""

    def preload(self) -> None:
        """Fill the lines."""
        bars = SESSIONS * 391
        minutes = np.tile(np.arange(391), SESSIONS) / 1440
        moments = 730_000 + np.repeat(np.arange(SESSIONS), 391) + minutes
        for name in ("datetime", "open", "high", "low", "close", "volume", "openinterest"):
            values = moments if name == "datetime" else np.ones(bars)
            getattr(self.lines, name).array = array("d", values.tobytes())
        self.home()

    def _load(self) -> bool:
        return False


class TicklessFeed(BulkFeed):
    """The same without Backtrader's bookkeeping of ticks: the fastest loop it allows."""

    def _tick_nullify(self) -> None:
        pass

    def _tick_fill(self, force: bool = False) -> None:
        pass


def empty_loop(feed: type[BulkFeed]) -> float:
    """CPU seconds of Cerebro doing nothing a year long."""
    cerebro = bt.Cerebro(stdstats=False)
    cerebro.adddata(feed())
    cerebro.addstrategy(bt.Strategy)
    start = time.process_time()
    cerebro.run()
    return time.process_time() - start


def backtest(words: list[str], folder: Path) -> tuple[float, float]:
    """CPU seconds and megabytes over the imports of one run, from its own log."""
    call = ["backtest", "--data", str(year_store()), "--no-report", "--out", str(folder), *words]
    with contextlib.redirect_stdout(io.StringIO()):
        assert run.main(call) == 0
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    done = next(line for line in lines if line["event"] == "data files written")
    return done["cpu_seconds"], done["peak_memory_mb"]


def main() -> None:
    """Print the table; the runs alternate, so that a drifting machine hurts all of them."""
    folder = year_store().parent / "zdte-benchmark-run"
    print(f"{SESSIONS} sessions, {SESSIONS * 391:,} bars, medians of {ROUNDS} rounds")
    print("policy          CPU s  empty loop  ratio  limit  goal   without ticks  ratio   MB")
    for name, (words, limit, goal) in CASES.items():
        rounds = [
            (empty_loop(BulkFeed), empty_loop(TicklessFeed), backtest(words, folder)[0])
            for _ in range(ROUNDS)
        ]
        plain, tickless, ours = (statistics.median(column) for column in zip(*rounds, strict=True))
        memory = peak_memory(words, folder)
        print(
            f"{name:15} {ours:5.2f}  {plain:10.2f}  {ours / plain:5.2f}  {limit:5.1f}  {goal:4.1f}"
            f"   {tickless:13.2f}  {ours / tickless:5.2f}  {memory:3.0f}"
        )


def peak_memory(words: list[str], folder: Path) -> float:
    """Megabytes over the imports, of a process of its own."""
    run_it = f"backtest.backtest({words!r}, pathlib.Path({str(folder)!r}))"
    call = f"import backtest, pathlib; print({run_it}[1])"
    here = Path(__file__).resolve().parent
    done = subprocess.run(
        [sys.executable, "-c", call], cwd=here, capture_output=True, text=True, check=True
    )
    return float(done.stdout)


if __name__ == "__main__":
    main()
