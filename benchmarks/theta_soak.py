"""Twenty million messages through Theta's stream: how much memory grows, at most 20 MB.

Run `python benchmarks/theta_soak.py [--messages N]`; some minutes, so not among the benchmarks that
`make benchmarks` runs. The reader drains twice a second. Memory is counted from the first half
million messages on, when all tables have their size.
"""

import argparse
import sys
import time
from pathlib import Path

from theta_stream import BLOCK, CONTRACTS, DAY, quote_server

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from feeds.theta.stream import ThetaStream

LIMIT = 20.0
WARM_UP = 500_000
LINES = 10


def resident_megabytes() -> float:
    """What the process holds now (Linux)."""
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def main() -> None:
    """Print memory now and then, and its growth at the end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=20_000_000)
    messages = parser.parse_args().messages // BLOCK * BLOCK
    first, shown, seen = 0.0, 0, 0
    start = time.monotonic()
    with quote_server(messages) as url, ThetaStream(url, DAY) as stream:
        stream.want(CONTRACTS)
        while seen < messages:
            time.sleep(0.5)
            stream.drain()
            seen = stream.status().counters.quotes
            if not first and seen >= min(WARM_UP, messages // 2):
                first = resident_megabytes()
            if seen * LINES // messages > shown:
                shown = seen * LINES // messages
                print(f"{seen:12,} messages {resident_megabytes():8.1f} MB", flush=True)
        growth = resident_megabytes() - first
    rate = messages / (time.monotonic() - start)
    print(
        f"{messages:,} messages, {rate:,.0f} a second: grown by {growth:.1f} MB, limit {LIMIT:.0f}"
    )


if __name__ == "__main__":
    main()
