"""The main job over a year, against an empty Cerebro loop over the same bars, in one process.

CPU is counted as the issue of speed is put in docs/architecture.md: from the end of imports and
model loading to the last data file, `--no-report`, warm store. The empty loop is the fastest that
Backtrader allows: a bulk-preloaded feed without tick bookkeeping, a strategy without a `next`.
"""

import contextlib
import io
import json
import statistics
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
    """The same number of bars, nothing else."""

    def preload(self) -> None:
        """Fill the lines whole."""
        bars = SESSIONS * 391
        moments = 730_000 + np.repeat(np.arange(SESSIONS), 391) + np.tile(np.arange(391), SESSIONS) / 1440
        for name in ("datetime", "open", "high", "low", "close", "volume", "openinterest"):
            values = moments if name == "datetime" else np.ones(bars)
            getattr(self.lines, name).array = array("d", values.tobytes())
        self.home()

    def _load(self) -> bool:
        return False

    def _tick_nullify(self) -> None:
        pass

    def _tick_fill(self, force: bool = False) -> None:
        pass


def empty_loop() -> float:
    """CPU seconds of Cerebro doing nothing a year long."""
    cerebro = bt.Cerebro(stdstats=False)
    cerebro.adddata(BulkFeed())
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
    """Print the table; runs of both kinds alternate, so that a drifting machine hurts both."""
    folder = year_store().parent / "zdte-benchmark-run"
    print(f"{SESSIONS} sessions, {SESSIONS * 391:,} bars, median of {ROUNDS} pairs")
    print(f"{'policy':16} {'CPU s':>7} {'empty':>7} {'ratio':>6} {'limit':>6} {'goal':>5} {'MB':>5}")
    for name, (words, limit, goal) in CASES.items():
        _, memory = backtest(words, folder)
        pairs = [(empty_loop(), backtest(words, folder)[0]) for _ in range(ROUNDS)]
        empty = statistics.median(pair[0] for pair in pairs)
        ours = statistics.median(pair[1] for pair in pairs)
        ratio = statistics.median(pair[1] / pair[0] for pair in pairs)
        row = f"{name:16} {ours:7.2f} {empty:7.2f} {ratio:6.2f} {limit:6.1f} {goal:5.1f}"
        print(f"{row} {memory:5.0f}")


if __name__ == "__main__":
    main()
