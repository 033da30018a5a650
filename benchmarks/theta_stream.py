"""Messages a second of Theta's stream, against a bare loop of websockets and json.loads.

Run `python benchmarks/theta_stream.py`. A server process sends the same quotes of 160 contracts, as
fast as they are taken, to one loop and then to the other, a few times. Compared is the CPU time of
a message: other programs on the machine do not count. The time to apply one frame (read, check,
conflate) is measured without a socket.
"""

import argparse
import asyncio
import json
import multiprocessing
import random
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.frames import Frame, Opcode

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from feeds.contract import Contract, Right
from feeds.theta.conflation import LatestQuotes
from feeds.theta.stream import FRAMES_AHEAD, ThetaStream
from feeds.theta.stream_events import QuoteEvent
from feeds.theta.stream_frames import key_of
from feeds.theta.stream_protocol import StreamProtocol

DAY = date(2026, 11, 20)
CONTRACTS = [
    Contract("SPY", DAY, strike, right)
    for strike in range(580_000, 660_000, 1000)
    for right in Right
]
ROUNDS, BLOCK = 5, 2000
GOAL = 80


def quote_frame(contract: Contract, ms_of_day: int, draw: random.Random) -> str:
    """A quote as the terminal writes it."""
    root, expiration, strike, right = key_of(contract)
    bid = round(draw.uniform(0.01, 20.0), 2)
    return json.dumps(
        {
            "header": {"status": "CONNECTED", "type": "QUOTE"},
            "contract": {
                "security_type": "OPTION",
                "root": root,
                "expiration": expiration,
                "strike": strike,
                "right": right,
            },
            "quote": {
                "ms_of_day": ms_of_day,
                "bid_size": draw.randint(1, 500),
                "bid_exchange": 5,
                "bid": bid,
                "bid_condition": 50,
                "ask_size": draw.randint(1, 500),
                "ask_exchange": 5,
                "ask": round(bid + 0.02, 2),
                "ask_condition": 50,
                "date": 20261120,
            },
        },
        separators=(",", ":"),
    )


def quote_frames(count: int) -> list[str]:
    """Quotes of all contracts in turn, all of the same millisecond so that they can be repeated."""
    draw = random.Random(0)
    return [quote_frame(CONTRACTS[i % len(CONTRACTS)], 36_000_000, draw) for i in range(count)]


async def send_quotes(socket: ServerConnection, messages: int) -> None:
    """Acknowledge nothing, send `messages` quotes in blocks, and end."""
    await socket.recv()
    texts = [frame.encode() for frame in quote_frames(BLOCK)]
    block = b"".join(Frame(Opcode.TEXT, text).serialize(mask=False) for text in texts)
    for _ in range(messages // BLOCK):
        socket.transport.write(block)
        await socket.drain()
    await socket.wait_closed()


def run_server(messages: int, pipe: Connection) -> None:
    """Serve for ever, and tell the port by `pipe`."""

    async def forever() -> None:
        async def handler(socket: ServerConnection) -> None:
            await send_quotes(socket, messages)

        async with serve(handler, "127.0.0.1", 0, compression=None, ping_interval=None) as server:
            pipe.send(next(iter(server.sockets)).getsockname()[1])
            await server.serve_forever()

    asyncio.run(forever())


@contextmanager
def quote_server(messages: int) -> Iterator[str]:
    """A server in a process of its own that sends `messages` quotes to each client; its address."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.Process(target=run_server, args=(messages, there), daemon=True)
    process.start()
    try:
        yield f"ws://127.0.0.1:{here.recv()}/v1/events"
    finally:
        process.terminate()
        process.join()


def bare_loop(url: str, messages: int) -> float:
    """CPU seconds of the least that anybody must do."""

    async def loop() -> float:
        latest: dict[tuple[Any, ...], Any] = {}
        async with connect(
            url, compression=None, ping_interval=None, proxy=None, max_queue=FRAMES_AHEAD
        ) as socket:
            await socket.send("{}")
            start = time.process_time()
            for _ in range(messages):
                message = json.loads(await socket.recv())
                contract = message["contract"]
                latest[contract["strike"], contract["right"]] = message["quote"]
            return time.process_time() - start

    return asyncio.run(loop())


def our_stream(url: str, messages: int) -> float:
    """CPU seconds of `ThetaStream`, drained every 50 ms."""
    start = time.process_time()
    with ThetaStream(url, DAY) as stream:
        stream.want(CONTRACTS)
        while stream.status().counters.quotes < messages:
            time.sleep(0.05)
            stream.drain()
        return time.process_time() - start


def apply_times(count: int) -> list[float]:
    """Microseconds to read, check and conflate each of `count` frames."""
    protocol, latest = StreamProtocol(DAY, 0.0), LatestQuotes(lambda: None)
    protocol.want(CONTRACTS, 0.0)
    protocol.opened(0.0)
    spent = []
    for frame in quote_frames(count):
        data = frame.encode()
        start = time.perf_counter_ns()
        for event in protocol.receive(data, 0.0):
            if isinstance(event, QuoteEvent):
                latest.put(event)
        spent.append((time.perf_counter_ns() - start) / 1000)
    return spent


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=200_000)
    messages = parser.parse_args().messages // BLOCK * BLOCK
    with quote_server(messages) as url:
        rounds = [(bare_loop(url, messages), our_stream(url, messages)) for _ in range(ROUNDS)]
    bare, ours = (statistics.median(column) for column in zip(*rounds, strict=True))
    ratio = statistics.median(one / other for one, other in rounds) * 100
    print(f"bare loop            {messages / bare:10,.0f} messages a CPU second")
    print(f"ThetaStream          {messages / ours:10,.0f} messages a CPU second")
    print(f"of the bare loop     {ratio:10.0f} %   at least 60, goal {GOAL}")
    spent = sorted(apply_times(50_000))
    print(f"apply, median        {spent[len(spent) // 2]:10.1f} microseconds")
    print(f"apply, 99 of 100     {spent[len(spent) * 99 // 100]:10.1f} microseconds")


if __name__ == "__main__":
    main()
