"""The stream over a real WebSocket: every way in which a terminal can fail, and its recovery."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any

import pytest
from waiting import RECOVERY_SECONDS, until
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from errors import InternalError, SettingError
from feeds.contract import Contract, Right
from feeds.theta.stream import ThetaStream
from feeds.theta.stream_events import QuoteEvent, StreamState
from feeds.theta.stream_frames import key_of

DAY = date(2026, 11, 20)
CALL = Contract("SPY", DAY, 620_000, Right.CALL)
PUT = Contract("SPY", DAY, 620_000, Right.PUT)


def quote(contract: Contract, ms_of_day: int, bid: float = 1.0) -> str:
    root, expiration, strike, right = key_of(contract)
    named = {"root": root, "expiration": expiration, "strike": strike, "right": right}
    prices = {"bid_size": 1, "bid": bid, "ask_size": 1, "ask": bid + 1, "date": 20261120}
    return json.dumps(
        {
            "header": {"type": "QUOTE", "status": "CONNECTED"},
            "contract": {"security_type": "OPTION"} | named,
            "quote": {"ms_of_day": ms_of_day} | prices,
        }
    )


class Terminal:
    """A terminal whose every fault is a switch; it runs in a thread of its own.

    Attributes:
        heartbeats, answers: whether it sends a STATUS ten times a second, and acknowledges.
        status, response: what its headers and acknowledgements say.
        requests: everything it received, of all connections.
        most_open: the most clients it ever had at a time.
    """

    def __init__(self) -> None:
        self.heartbeats = self.answers = True
        self.status, self.response = "CONNECTED", "SUBSCRIBED"
        self.requests: list[dict[str, Any]] = []
        self.clients: set[ServerConnection] = set()
        self.connections = self.most_open = self.port = 0
        self._loop = asyncio.new_event_loop()
        self._server: Server | None = None
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.open()

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/v1/events"

    def open(self) -> None:
        """Listen, on the same port as before."""

        async def opening() -> None:
            options: dict[str, Any] = {"ping_interval": None, "close_timeout": 0.1}
            self._server = await serve(self._handle, "127.0.0.1", self.port, **options)
            self.port = next(iter(self._server.sockets)).getsockname()[1]

        self._run(opening())

    def shut(self) -> None:
        """Stop listening, and drop every client."""

        async def shutting() -> None:
            assert self._server is not None
            self._server.close(close_connections=False)
            for client in tuple(self.clients):
                client.transport.abort()
            await self._server.wait_closed()

        self._run(shutting())

    def end(self) -> None:
        self.shut()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def send(self, *frames: str | bytes, text: bool | None = None) -> None:
        async def sending() -> None:
            for client in tuple(self.clients):
                for frame in frames:
                    await client.send(frame, text=text)

        self._run(sending())

    def drop(self) -> None:
        """Break the sockets, without a good-bye."""

        async def dropping() -> None:
            for client in tuple(self.clients):
                client.transport.abort()

        self._run(dropping())

    def replace_clients(self) -> None:
        """Close as a terminal does when another client takes the stream."""

        async def replacing() -> None:
            for client in tuple(self.clients):
                await client.close(1000)

        self._run(replacing())

    def subscribed(self) -> set[tuple[Any, Any]]:
        """What it would stream now, by strike and right."""
        kept: set[tuple[Any, Any]] = set()
        for message in tuple(self.requests):
            if message["msg_type"] == "STOP":
                kept.clear()
                continue
            contract = message["contract"]
            change = kept.add if message["add"] else kept.discard
            change((contract.get("strike"), contract.get("right")))
        return kept

    def _run(self, work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10.0)

    async def _handle(self, client: ServerConnection) -> None:
        self.clients.add(client)
        self.connections += 1
        self.most_open = max(self.most_open, len(self.clients))
        beating = asyncio.create_task(self._beat(client))
        try:
            async for text in client:
                message = json.loads(text)
                self.requests.append(message)
                if self.answers and "id" in message:
                    await client.send(self._answer(message["id"]))
        except ConnectionClosed:
            pass  # the desk, or a test, broke it
        finally:
            beating.cancel()
            self.clients.discard(client)

    def _answer(self, request_id: int) -> str:
        header = {"type": "REQ_RESPONSE", "status": self.status}
        return json.dumps({"header": header | {"response": self.response, "req_id": request_id}})

    async def _beat(self, client: ServerConnection) -> None:
        while True:
            if self.heartbeats:
                await client.send(json.dumps({"header": {"type": "STATUS", "status": self.status}}))
            await asyncio.sleep(0.1)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    one = Terminal()
    yield one
    one.end()


@contextmanager
def live(terminal: Terminal, **options: Any) -> Iterator[ThetaStream]:
    """A stream of the call and the put that has had a quote of each, and no seed waiting."""
    with ThetaStream(terminal.url, DAY, **options) as stream:
        stream.want([CALL, PUT])
        until(lambda: stream.status().acknowledged == 2)
        terminal.send(quote(CALL, 1000), quote(PUT, 1000))
        until(lambda: stream.status().counters.quotes == 2)
        stream.drain()
        stream.take_seeds()
        yield stream


def recovered(terminal: Terminal, stream: ThetaStream) -> list[QuoteEvent]:
    """Quotes of a later second, once all is subscribed again and the seed was asked for."""
    until(lambda: stream.status().acknowledged == 2 and stream.take_seeds())
    assert terminal.subscribed() == {(620_000, "C"), (620_000, "P")}
    terminal.send(quote(CALL, 2000, 7.0))
    quotes: list[QuoteEvent] = until(stream.drain)
    until(lambda: stream.status().state is StreamState.LIVE)
    return quotes


def test_quotes_arrive_after_subscribing_and_wake_the_reader(terminal: Terminal) -> None:
    woken = threading.Event()
    with ThetaStream(terminal.url, DAY, wake=woken.set) as stream:
        stream.want([CALL])
        until(stream.take_seeds)
        assert terminal.requests[0] == {"msg_type": "STOP"}
        until(lambda: "stream: 1 of 1 acknowledged, no quote yet, since" in stream.status().line)
        woken.clear()
        terminal.send(quote(CALL, 1000, 2.5))
        assert woken.wait(RECOVERY_SECONDS)
        (one,) = until(stream.drain)
        assert (one.instrument, one.bid, one.ask) == (CALL, 2.5, 3.5)
        until(lambda: "stream: quotes of 1 instruments, since" in stream.status().line)
        assert stream.drain() == []


def test_changes_of_what_is_wanted_are_sent_as_differences(terminal: Terminal) -> None:
    with live(terminal) as stream:
        sent = len(terminal.requests)
        other = Contract("SPY", DAY, 621_000, Right.PUT)
        stream.want([PUT, other, "SPY"])
        until(lambda: stream.status().acknowledged == 3)
        assert [one["add"] for one in terminal.requests[sent:]] == [False, True, True]
        assert terminal.subscribed() == {(620_000, "P"), (621_000, "P"), (None, None)}
        assert stream.take_seeds() == ["new subscriptions"]


def test_a_slow_reader_gets_the_newest_quotes_alone(terminal: Terminal) -> None:
    with live(terminal) as stream:
        for first in range(2000, 22_000, 1000):
            terminal.send(*(quote(CALL, ms, float(ms)) for ms in range(first, first + 1000)))
        terminal.send(quote(PUT, 3000, 5.0))
        until(lambda: stream.status().counters.quotes == 20_003, 20.0)
        assert [(one.instrument, one.bid) for one in stream.drain()] == [
            (PUT, 5.0),
            (CALL, 21_999.0),
        ]


def test_bars_are_kept_apart_where_that_is_wished(terminal: Terminal) -> None:
    with live(terminal, period_seconds=1.0) as stream:
        terminal.send(*(quote(CALL, ms, float(ms)) for ms in (1500, 1999, 2000, 2001, 2500)))
        until(lambda: stream.status().counters.quotes == 7)
        assert [one.bid for one in stream.drain()] == [2000.0, 2500.0]


def test_duplicated_and_reordered_messages_change_nothing(terminal: Terminal) -> None:
    with live(terminal) as stream:
        newest = quote(CALL, 3000, 3.0)
        terminal.send(newest, newest, quote(CALL, 2000, 2.0), quote(PUT, 2000, 4.0))
        until(lambda: stream.status().counters.late == 1)
        assert {(one.instrument, one.bid) for one in until(stream.drain)} >= {(CALL, 3.0)}


def test_malformed_frames_are_dropped_and_the_stream_goes_on(terminal: Terminal) -> None:
    with live(terminal) as stream:
        terminal.send('{"header":', "", "[[[", "NaN", quote(CALL, 2000).replace("2.0", '"x"'))
        terminal.send(b"\xff\xfe\x00", text=True)
        terminal.send(b"\xff\xfe\x00")
        terminal.send(quote(CALL, 3000, 9.0))
        (one,) = until(stream.drain)
        assert one.bid == 9.0
        until(lambda: stream.status().counters.malformed == 7)
        assert terminal.connections == 1


def test_a_frame_beyond_all_bounds_costs_the_connection_and_no_memory(terminal: Terminal) -> None:
    with live(terminal) as stream:
        terminal.send('"' + "x" * 1_000_000 + '"')
        assert recovered(terminal, stream)
        assert terminal.most_open == 1


def test_a_broken_socket_is_opened_again_and_everything_asked_for(terminal: Terminal) -> None:
    with live(terminal) as stream:
        terminal.drop()
        (one,) = recovered(terminal, stream)
        assert one.bid == 7.0
        ids = [message["id"] for message in terminal.requests if "id" in message]
        assert ids == sorted(set(ids)) and len(ids) == 4
        assert terminal.most_open == 1


def test_a_terminal_that_is_gone_is_told_and_found_again(terminal: Terminal) -> None:
    with live(terminal) as stream:
        terminal.shut()
        until(lambda: "nothing answers at ws://127.0.0.1:" in stream.status().line)
        status = stream.status()
        assert status.state is StreamState.OFFLINE
        terminal.open()
        assert recovered(terminal, stream)
        assert status.since <= stream.status().since


def test_a_silent_socket_is_given_up_and_opened_again(terminal: Terminal) -> None:
    woken = threading.Event()
    with live(terminal, wake=woken.set) as stream:
        terminal.heartbeats = terminal.answers = False
        until(lambda: "not even a heartbeat for 3 s" in stream.status().line)
        assert woken.is_set()
        terminal.heartbeats = terminal.answers = True
        assert recovered(terminal, stream)
        assert terminal.most_open == 1


def test_heartbeats_alone_are_told_as_quiet(terminal: Terminal) -> None:
    with live(terminal, quiet_seconds=0.4) as stream:
        until(lambda: stream.status().state is StreamState.QUIET)
        assert "no quotes, though the terminal answers" in stream.status().line
        assert terminal.connections == 1
        terminal.send(quote(CALL, 2000, 7.0))
        assert until(stream.take_seeds) == ["quotes had stopped"]
        assert stream.drain()[0].bid == 7.0


def test_the_terminals_own_loss_is_told_and_everything_asked_for_again(terminal: Terminal) -> None:
    with live(terminal) as stream:
        sent = len(terminal.requests)
        terminal.status = "DISCONNECTED"
        until(lambda: stream.status().state is StreamState.UPSTREAM_DOWN)
        assert "the terminal lost Theta Data (DISCONNECTED)" in stream.status().line
        terminal.status = "CONNECTED"
        until(lambda: stream.take_seeds() == ["the terminal was reconnected"])
        assert [one["msg_type"] for one in terminal.requests[sent:]] == ["STREAM", "STREAM"]
        terminal.send(quote(CALL, 2000, 7.0))
        assert until(stream.drain)[0].bid == 7.0


def test_another_program_that_takes_the_stream_is_named(terminal: Terminal) -> None:
    with live(terminal) as stream:
        terminal.replace_clients()
        taken_at = time.monotonic()
        until(lambda: "another program may have taken the stream" in stream.status().line)
        until(lambda: terminal.connections == 2)
        assert time.monotonic() - taken_at > 0.9, "no tug-of-war"
        assert recovered(terminal, stream)
        assert terminal.most_open == 1


def test_requests_without_an_answer_are_sent_again(terminal: Terminal) -> None:
    terminal.answers = False
    with ThetaStream(terminal.url, DAY) as stream:
        stream.want([CALL])
        until(lambda: len(terminal.requests) == 2)
        terminal.answers = True
        until(lambda: stream.status().acknowledged == 1)
        assert [message.get("id") for message in terminal.requests] == [None, 1, 2]


def test_an_account_that_may_not_stream_reads_what_to_buy(terminal: Terminal) -> None:
    terminal.response = "INVALID_PERMS"
    with ThetaStream(terminal.url, DAY) as stream:
        stream.want([CALL, PUT])
        until(lambda: stream.status().state is StreamState.REFUSED)
        status = stream.status()
        assert status.refused == {CALL: "INVALID_PERMS", PUT: "INVALID_PERMS"}
        assert "options Standard (INVALID_PERMS for 2), since" in status.line


def test_a_terminal_that_accepts_but_never_greets_is_tried_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as hung:
        url = f"ws://127.0.0.1:{hung.getsockname()[1]}/v1/events"
        with ThetaStream(url, DAY) as stream:
            until(lambda: "no greeting from ws://127.0.0.1:" in stream.status().line)
            start = time.monotonic()
            stream.close()
        assert time.monotonic() - start < RECOVERY_SECONDS


def test_closing_says_stop_and_frees_the_terminal(terminal: Terminal) -> None:
    with live(terminal) as stream:
        stream.close()
        stream.close()
        until(lambda: terminal.requests[-1] == {"msg_type": "STOP"})
        assert stream.status().state is StreamState.OFFLINE
        assert "no connection (closed)" in stream.status().line
    until(lambda: not terminal.clients)
    stream.want([CALL])
    assert stream.drain() == []


def test_closing_what_was_never_started_or_reached_is_quick() -> None:
    ThetaStream("ws://127.0.0.1:1/v1/events", DAY).close()
    start = time.monotonic()
    with ThetaStream("ws://127.0.0.1:1/v1/events", DAY) as stream:
        until(lambda: "no connection" in stream.status().line)
    assert time.monotonic() - start < RECOVERY_SECONDS
    assert not [one for one in threading.enumerate() if one.name == "theta stream"]


@pytest.mark.parametrize("url", ["", "127.0.0.1:25520", "http://127.0.0.1:25520/v1", "ws://"])
def test_a_wrong_address_is_refused_in_one_line(url: str) -> None:
    with pytest.raises(SettingError, match="no WebSocket address"):
        ThetaStream(url, DAY)


def test_a_failure_of_the_streams_own_thread_reaches_the_reader(terminal: Terminal) -> None:
    def broken() -> None:
        raise RuntimeError("a reader that cannot be woken")

    with ThetaStream(terminal.url, DAY, wake=broken) as stream:
        stream.want([CALL])
        stream._thread.join(RECOVERY_SECONDS)
        with pytest.raises(InternalError, match="cannot be woken"):
            stream.drain()
        assert "cannot be woken" in stream.status().line
    until(lambda: not terminal.clients)
