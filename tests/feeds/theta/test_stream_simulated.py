"""The stream and the simulated terminal, which were written apart from the same documentation."""

import math
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from waiting import until
from websockets.sync.client import connect

from feeds.chain import ChainDay
from feeds.contract import Contract, Right
from feeds.simulation.market import SimulatedMarket, default_sessions
from feeds.theta.stream import ThetaStream
from feeds.theta.stream_events import QuoteEvent, StreamState
from feeds.theta_simulator.server import SimulatedTerminal

MARKET = SimulatedMarket(default_sessions(1))


@pytest.fixture(scope="module")
def day() -> ChainDay:
    return MARKET.load(0)


@pytest.fixture
def terminal() -> Iterator[SimulatedTerminal]:
    with SimulatedTerminal(MARKET, speed=0) as one:
        yield one


def near_the_money(day: ChainDay, count: int = 10) -> list[Contract]:
    """Both rights of the strikes around the first spot."""
    first = int(np.searchsorted(day.strikes, day.spot[0] * 1000)) - count // 2
    return [day.contract(right, first + k) for k in range(count) for right in Right]


@pytest.fixture
def stream(terminal: SimulatedTerminal, day: ChainDay) -> Iterator[ThetaStream]:
    """Subscribed to the strikes around the money, with the first quotes of the day taken."""
    with ThetaStream(terminal.ws_url, day.session.date) as one:
        one.want(near_the_money(day))
        until(one.take_seeds)
        play(terminal, one)
        one.drain()
        yield one


def play(terminal: SimulatedTerminal, stream: ThetaStream) -> None:
    """One row of the session, quotes of which must arrive."""
    before = stream.status().counters.quotes
    terminal.step()
    until(lambda: stream.status().counters.quotes > before)


def test_quotes_are_those_of_the_market(
    terminal: SimulatedTerminal, stream: ThetaStream, day: ChainDay
) -> None:
    book: dict[Any, QuoteEvent] = {}
    contracts = near_the_money(day)
    for _ in range(30):
        ts = terminal.step()
        assert ts is not None
        book |= {one.instrument: one for one in until(stream.drain)}
    sent = terminal.terminal.counts["frames"]
    until(lambda: stream.status().counters.quotes == sent)
    book |= {one.instrument: one for one in stream.drain()}
    row = int(np.searchsorted(day.ts, ts))
    assert len(book) == len(contracts)
    for contract in contracts:
        quote, k = book[contract], day.strike_index[contract.strike_thousandths]
        assert quote.bid == day.bid[row, contract.right, k]
        assert quote.ask == day.ask[row, contract.right, k]
        assert quote.bid_size == day.bid_size[row, contract.right, k]
        assert quote.ts <= ts


def test_the_underlying_is_streamed_too(terminal: SimulatedTerminal, day: ChainDay) -> None:
    with ThetaStream(terminal.ws_url, day.session.date) as stream:
        stream.want(["SPY"])
        until(stream.take_seeds)
        play(terminal, stream)
        (quote,) = until(stream.drain)
        assert quote.instrument == "SPY"
        assert abs(quote.bid - day.spot[0]) < 0.1


def test_at_the_greatest_speed_every_bar_arrives_as_it_closed(day: ChainDay) -> None:
    contracts = near_the_money(day, 4)
    with (
        SimulatedTerminal(MARKET, speed=0, zero_at_open=False) as terminal,
        ThetaStream(terminal.ws_url, day.session.date, period_seconds=60.0) as stream,
    ):
        stream.want(contracts)
        until(lambda: stream.status().acknowledged == len(contracts))
        terminal.set_speed(math.inf)  # a day is over before a slow machine has subscribed
        last = int(day.ts[day.recorded - 1])
        quotes: list[QuoteEvent] = []

        def arrived() -> bool:
            quotes.extend(stream.drain())
            return bool(quotes) and quotes[-1].ts >= last

        until(arrived, 20.0)
    for contract in contracts:
        k = day.strike_index[contract.strike_thousandths]
        asks = day.ask[: day.recorded, contract.right, k]
        seen = {one.ts: one.ask for one in quotes if one.instrument == contract}
        standing = asks[0]  # the stream never repeats the first quotes: REST would tell them
        for ts, ask in zip(day.ts[1:].tolist(), asks[1:].tolist(), strict=False):
            standing = seen.get(ts, standing)
            assert standing == ask or (math.isnan(ask) and standing == 0)


@pytest.mark.parametrize("fault", ["fpss", "478"])
def test_a_streaming_side_that_is_down_is_told_and_comes_back(
    terminal: SimulatedTerminal, stream: ThetaStream, fault: str
) -> None:
    terminal.fault(fault)
    until(lambda: stream.status().state is StreamState.UPSTREAM_DOWN)
    word = "UNVERIFIED" if fault == "478" else "DISCONNECTED"
    assert f"({word})" in stream.status().line
    terminal.clear()
    assert until(stream.take_seeds) == ["the terminal was reconnected"]
    play(terminal, stream)
    assert stream.drain()


def test_a_cut_socket_comes_back_with_all_subscriptions(
    terminal: SimulatedTerminal, stream: ThetaStream
) -> None:
    terminal.fault("dropped")
    until(lambda: stream.status().state is StreamState.OFFLINE)
    until(lambda: "turned away with HTTP 403" in stream.status().line)
    terminal.clear()
    assert until(stream.take_seeds) == ["connected"]
    until(lambda: stream.status().acknowledged == 20)
    play(terminal, stream)


def test_a_hung_terminal_is_left_and_found_again(
    terminal: SimulatedTerminal, stream: ThetaStream
) -> None:
    terminal.fault("hung")
    until(lambda: "not even a heartbeat" in stream.status().line)
    terminal.clear()
    until(lambda: stream.status().acknowledged == 20)
    assert "connected" in until(stream.take_seeds)
    play(terminal, stream)


def test_quotes_without_heartbeats_are_quotes(
    terminal: SimulatedTerminal, stream: ThetaStream
) -> None:
    terminal.fault("no-heartbeats")
    deadline = time.monotonic() + 3.5
    while time.monotonic() < deadline:
        play(terminal, stream)
        time.sleep(0.5)
    assert stream.status().counters.connections == 1
    assert stream.status().state is StreamState.LIVE


def test_quotes_that_stop_behind_heartbeats_are_told(
    terminal: SimulatedTerminal, day: ChainDay
) -> None:
    with ThetaStream(terminal.ws_url, day.session.date, quiet_seconds=0.5) as stream:
        stream.want(near_the_money(day))
        until(stream.take_seeds)
        play(terminal, stream)
        terminal.fault("silent")
        terminal.step()
        until(lambda: stream.status().state is StreamState.QUIET)
        terminal.clear()
        play(terminal, stream)
        assert until(stream.take_seeds) == ["quotes had stopped"]


def test_cut_messages_are_counted_and_the_others_applied(
    terminal: SimulatedTerminal, stream: ThetaStream
) -> None:
    terminal.fault("malformed")
    play(terminal, stream)
    until(lambda: stream.status().counters.malformed >= 3)
    assert stream.drain()


@pytest.mark.parametrize("fault", ["duplicated", "reordered"])
def test_messages_twice_or_in_another_order_give_the_same_quotes(
    terminal: SimulatedTerminal, stream: ThetaStream, day: ChainDay, fault: str
) -> None:
    terminal.fault(fault)
    for _ in range(3):
        ts = terminal.step()
        assert ts is not None
    sent = terminal.terminal.counts["frames"]
    until(lambda: stream.status().counters.quotes == sent)
    row = int(np.searchsorted(day.ts, ts))
    newest = [quote for quote in stream.drain() if quote.ts == ts]
    assert newest
    for quote in newest:
        assert isinstance(quote.instrument, Contract)
        k = day.strike_index[quote.instrument.strike_thousandths]
        assert quote.bid == day.bid[row, quote.instrument.right, k]


def test_a_second_program_takes_the_stream_for_a_moment_only(
    terminal: SimulatedTerminal, stream: ThetaStream
) -> None:
    with connect(terminal.ws_url, compression=None):
        until(lambda: "another program may have taken the stream" in stream.status().line)
        assert until(stream.take_seeds) == ["connected"]
    play(terminal, stream)


def test_a_tier_without_streaming_is_told_what_to_buy(day: ChainDay) -> None:
    with (
        SimulatedTerminal(MARKET, speed=0, tier="value") as terminal,
        ThetaStream(terminal.ws_url, day.session.date) as stream,
    ):
        stream.want(near_the_money(day))
        until(lambda: stream.status().state is StreamState.REFUSED)
        assert "subscribe to options Standard" in stream.status().line


def test_a_limit_of_streams_cuts_what_is_least_important(day: ChainDay) -> None:
    wanted = near_the_money(day)
    with (
        SimulatedTerminal(MARKET, speed=0, largest_streams=6) as terminal,
        ThetaStream(terminal.ws_url, day.session.date) as stream,
    ):
        stream.want(wanted)
        until(lambda: len(stream.status().refused) == 14)
        assert set(stream.status().refused) == set(wanted[6:])
        stream.want(wanted[4:])
        until(lambda: set(stream.status().refused) == set(wanted[10:]))
