"""From a bar's time to the snapshot of the whole chain, with implied volatilities and Greeks.

Run `python benchmarks/theta_market.py`. One thread receives 5,000 quotes a second of 320 contracts
(frame, protocol, conflation), as the stream's thread does. Another closes a bar twenty times a
second: it takes the quotes that wait into the book, makes the snapshot, and IV and Greeks of all
contracts. Then a chain's snapshot, as the terminal sends it over REST, is read and put into the
book. Wall time is what counts and other programs lengthen it; the thread's CPU time stands beside.
"""

import argparse
import json
import random
import sys
import threading
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from theta_stream import DAY, quote_frame

from feeds.contract import Contract, Right
from feeds.live.book import ChainBook
from feeds.option_maths import option_price, year_fraction
from feeds.sessions import NANOSECONDS_A_MINUTE, session_on
from feeds.snapshot import ChainSnapshot
from feeds.theta.conflation import LatestQuotes
from feeds.theta.parsing import read_columns
from feeds.theta.seeding import ChainReading
from feeds.theta.stream_events import QuoteEvent
from feeds.theta.stream_protocol import StreamProtocol
from feeds.theta.tables import OptionQuotes

CHAIN = [
    Contract("SPY", DAY, strike, right)
    for strike in range(580_000, 660_000, 500)
    for right in Right
]
MESSAGES_A_SECOND, BURST, BARS_A_SECOND = 5000, 50, 20
SNAPSHOT_LIMIT, SEED_LIMIT = 20, 10
SESSION = session_on(DAY)
MS_OF_DAY = 36_000_000
TS = SESSION.open_ns + 30 * NANOSECONDS_A_MINUTE  # 10:00, which is `MS_OF_DAY`


def priced_frames() -> list[bytes]:
    """A quote of each contract that has a volatility: Black-76 around 620 at 20 %."""
    draw = random.Random(0)
    frames = []
    years = year_fraction(np.array(360.0), "calendar")
    for one in CHAIN:
        is_call = one.right is Right.CALL
        value = float(option_price(620.0, one.strike, years, 0.2, is_call))
        frame = json.loads(quote_frame(one, MS_OF_DAY, draw))
        frame["quote"] |= {"bid": round(value, 2), "ask": round(value + 0.02, 2)}
        frames.append(json.dumps(frame, separators=(",", ":")).encode())
    return frames


def receive(protocol: StreamProtocol, latest: LatestQuotes, seconds: float) -> int:
    """Receive quotes of all contracts in turn at the rate; how many were."""
    frames, sent, begun = priced_frames(), 0, time.perf_counter()
    while (elapsed := time.perf_counter() - begun) < seconds:
        while sent < elapsed * MESSAGES_A_SECOND:
            for event in protocol.receive(frames[sent % len(frames)], elapsed):
                if isinstance(event, QuoteEvent):
                    latest.put(event)
            sent += 1
        time.sleep(BURST / MESSAGES_A_SECOND)
    return sent


def make_bar(book: ChainBook, latest: LatestQuotes) -> ChainSnapshot:
    """What happens at a bar's time."""
    for quote in latest.take():
        if isinstance(quote.instrument, Contract):
            book.apply_quote(quote.instrument, quote.ts, quote.bid, quote.ask)
            book.stream_alive(quote.ts)
    snapshot = ChainSnapshot(book.snapshot(TS), 0)
    snapshot.greeks()
    return snapshot


def bar_times(seconds: float) -> tuple[list[float], list[float], int]:
    """Milliseconds of each bar by the wall and of its thread's CPU; messages received."""
    protocol, latest, book = (
        StreamProtocol(DAY, 0.0),
        LatestQuotes(lambda: None),
        ChainBook(SESSION),
    )
    protocol.want(CHAIN, 0.0)
    protocol.opened(0.0)
    book.subscribed(CHAIN)
    received: list[int] = []
    thread = threading.Thread(
        target=lambda: received.append(receive(protocol, latest, seconds)), daemon=True
    )
    thread.start()
    time.sleep(0.5)
    wall, cpu = [], []
    while thread.is_alive():
        start, start_cpu = time.perf_counter(), time.thread_time()
        snapshot = make_bar(book, latest)
        wall.append((time.perf_counter() - start) * 1e3)
        cpu.append((time.thread_time() - start_cpu) * 1e3)
        time.sleep(1 / BARS_A_SECOND)
    quoted = int(np.isfinite(snapshot.chain().ask).sum())
    solved = int(np.isfinite(snapshot.greeks().delta).sum())
    print(f"contracts quoted {quoted}, with Greeks {solved}, of {len(CHAIN)}")
    return wall, cpu, received[0]


def rest_body() -> bytes:
    """The chain as the terminal answers /option/snapshot/quote, CSV with CRLF."""
    lines = [
        "timestamp,symbol,expiration,strike,right,bid_size,bid_exchange,bid,bid_condition,"
        "ask_size,ask_exchange,ask,ask_condition"
    ]
    lines += [
        f'{DAY}T10:00:00.{i:03},"SPY","{DAY}",{one.strike:.3f},"{one.right.name}",'
        f"{10 + i},5,{1 + i / 100:.2f},50,{12 + i},5,{1.02 + i / 100:.2f},50"
        for i, one in enumerate(CHAIN)
    ]
    return ("\r\n".join(lines) + "\r\n").encode()


def seed_times(rounds: int) -> list[float]:
    """CPU milliseconds to read and apply a whole chain to a book that knows its strikes."""
    body, book, spent = rest_body(), ChainBook(SESSION), []
    for _ in range(rounds):
        start = time.process_time()
        quotes = OptionQuotes.of(read_columns(body))
        ChainReading(TS, quotes, None).apply(book, all_stand=True)
        spent.append((time.process_time() - start) * 1e3)
    assert book.counts.applied == rounds * len(CHAIN)
    return spent


def show(what: str, times: list[float], limit: float) -> None:
    """Median, the 99th of a hundred, and the longest."""
    median, late = np.percentile(times, [50, 99])
    print(f"{what:<34} {median:6.1f} {late:6.1f} {max(times):6.1f} ms   p99 at most {limit:g}")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=15.0)
    seconds = parser.parse_args().seconds
    wall, cpu, received = bar_times(seconds)
    print(f"{received / seconds:,.0f} messages a second, {len(wall)} bars")
    print(f"{'':<34} median    p99    max")
    show("bar to snapshot, IV, Greeks: wall", wall, SNAPSHOT_LIMIT)
    show("the same, CPU of its thread", cpu, SNAPSHOT_LIMIT)
    show("REST chain read and in the book", seed_times(200), SEED_LIMIT)


if __name__ == "__main__":
    main()
