"""The WebSocket side over a real connection: reference sections 7 and 9d."""

import json
import math
import time
from typing import Any

import pytest
from small_terminal import CHAIN, DAY, PATIENCE, Start, client, get, new_york, rows
from websockets.exceptions import ConnectionClosed, InvalidStatus

from feeds.source import MemorySource
from feeds.theta_simulator.server import SimulatedTerminal
from feeds.theta_simulator.trades import option_trades

CALL = {"root": "SPY", "expiration": 20261030, "strike": 628000, "right": "C"}
STOCK = {"sec_type": "STOCK", "contract": {"root": "SPY"}}
BULK = {"msg_type": "STREAM_BULK", "sec_type": "OPTION", "req_type": "TRADE", "add": True}


def kinds(frames: list[dict[str, Any]]) -> list[str]:
    return [frame["header"]["type"] for frame in frames]


def test_a_heartbeat_comes_every_second_of_the_wall(start: Start) -> None:
    with client(start()) as one:
        one.next("STATUS")
        began = time.monotonic()
        for _ in range(2):
            one.next("STATUS")
        assert 1.6 <= time.monotonic() - began < 4


def test_the_status_is_disconnected_until_the_first_request(start: Start) -> None:
    terminal = start()
    with client(terminal) as one:
        assert one.frame() == {"header": {"type": "STATUS", "status": "DISCONNECTED"}}
        assert get(terminal, "/terminal/fpss/status").text == "DISCONNECTED"
        assert one.request()["status"] == "CONNECTED"
        assert get(terminal, "/terminal/fpss/status").text == "CONNECTED"


def test_a_request_is_acknowledged_by_its_id(start: Start) -> None:
    with client(start()) as one:
        expected = {"type": "REQ_RESPONSE", "status": "CONNECTED", "response": "SUBSCRIBED"}
        assert one.request(number=41) == {**expected, "req_id": 41}
        assert one.request(number=42, add=False) == {**expected, "req_id": 42}
        assert one.send({"msg_type": "STOP"})["response"] == "SUBSCRIBED"


def test_requests_are_read_leniently(start: Start) -> None:
    contract = {"root": "SPY", "expiration": "20261030", "strike": "628000", "right": "C"}
    message = {
        "msg_type": "STREAM",
        "sec_type": "OPTION",
        "req_type": "QUOTE",
        "add": True,
        "id": 7,
        "contract": contract,
    }
    terminal = start()
    with client(terminal) as one:
        literal = str(message)
        assert "'" in literal and "True" in literal
        assert one.send(None, literal)["response"] == "SUBSCRIBED"
        terminal.step()
        assert one.data(1)[0]["contract"] == {"security_type": "OPTION", **CALL}


@pytest.mark.parametrize(
    "text",
    [
        "hello",
        "[1, 2]",
        "{}",
        '{"msg_type":"STREAM","sec_type":"OPTION","req_type":"QUOTE","id":3}',
        '{"msg_type":"STREAM","sec_type":"BOND","req_type":"QUOTE","id":3,"contract":{}}',
        "__import__('os').getcwd()",
        "(" * 500,
    ],
)
def test_what_cannot_be_read_is_an_error_and_nothing_breaks(start: Start, text: str) -> None:
    with client(start()) as one:
        answer = one.send(None, text)
        assert answer["response"] == "ERROR"
        assert answer["req_id"] == (3 if '"id":3' in text else -1)
        assert one.request()["response"] == "SUBSCRIBED"


def test_quotes_are_those_of_the_source(start: Start, source: MemorySource) -> None:
    terminal, day = start(), source.load(1)
    k = day.strike_index[628_000]
    with client(terminal) as one:
        one.request()
        assert one.nothing()  # no snapshot on subscription
        terminal.step()
        (frame,) = one.data(1)
        assert frame["header"] == {"status": "CONNECTED", "type": "QUOTE"}
        assert frame["contract"] == {"security_type": "OPTION", **CALL}
        quote = frame["quote"]
        assert quote["ms_of_day"] == (10 * 60 + 1) * 60_000 and quote["date"] == 20261030
        assert (quote["bid"], quote["ask"]) == (day.bid[31, 0, k], day.ask[31, 0, k])
        sizes = quote["bid_size"], quote["ask_size"]
        assert sizes == (day.bid_size[31, 0, k], day.ask_size[31, 0, k])
        assert quote["bid_condition"] == quote["ask_condition"] == 50


def test_streams_and_snapshots_agree(start: Start) -> None:
    terminal = start(spread_quotes=True)
    with client(terminal) as one:
        for strike in range(620, 638):
            for right in "CP":
                one.request(contract={**CALL, "strike": strike * 1000, "right": right})
        terminal.advance(300)
        seen: dict[tuple[int, str], dict[str, Any]] = {}
        one.connection.send("the end")
        while "quote" in (frame := one.next("QUOTE", "REQ_RESPONSE")):
            seen[frame["contract"]["strike"], frame["contract"]["right"]] = frame["quote"]
        for row in rows(get(terminal, "/option/snapshot/quote", **CHAIN)):
            quote = seen[round(float(row["strike"]) * 1000), row["right"][0]]
            assert (float(row["bid"]), float(row["ask"])) == (quote["bid"], quote["ask"])
            assert int(row["ask_size"]) == quote["ask_size"]


def test_spread_quotes_come_through_the_minute_in_order(start: Start) -> None:
    terminal = start(spread_quotes=True)
    with client(terminal) as one:
        for strike in range(620, 638):
            one.request(contract={**CALL, "strike": strike * 1000})
        terminal.step()
        stamps = [frame["quote"]["ms_of_day"] for frame in one.data(18)]
        assert stamps == sorted(stamps) and len(set(stamps)) > 9
        assert stamps[0] > 36_000_000 and stamps[-1] <= 36_060_000


def test_a_contract_that_does_not_exist_is_silent(start: Start) -> None:
    terminal = start()
    with client(terminal) as one:
        assert one.request(contract={**CALL, "strike": 628})["response"] == "SUBSCRIBED"
        terminal.step()
        assert one.nothing()


def test_nothing_comes_after_unsubscribing_or_stop(start: Start) -> None:
    terminal = start()
    with client(terminal) as one:
        one.request()
        one.request(add=False)
        terminal.step()
        assert one.nothing()
        one.request()
        one.send({"msg_type": "STOP"})
        terminal.step()
        assert one.nothing()


def test_subscriptions_outlive_the_client(start: Start) -> None:
    terminal = start()
    with client(terminal) as one:
        one.request()
    with client(terminal) as other:
        other.next("STATUS")
        terminal.step()
        assert kinds(other.data(1)) == ["QUOTE"]


def test_trades_come_behind_the_bar_of_the_session(start: Start) -> None:
    terminal = start()
    with client(terminal) as one:
        assert one.request(req_type="TRADE")["response"] == "SUBSCRIBED"
        terminal.advance(1800)
        bar, trade = one.data(2)
        assert kinds([bar, trade]) == ["OHLC", "TRADE"]
        assert bar["contract"] == trade["contract"] == {"security_type": "OPTION", **CALL}
        assert bar["ohlc"]["close"] == trade["trade"]["price"]
        assert bar["ohlc"]["low"] <= bar["ohlc"]["open"] <= bar["ohlc"]["high"]
        assert -(2**31) <= trade["trade"]["sequence"] < 2**31


def test_the_full_trade_stream_wraps_each_trade_in_quotes(start: Start) -> None:
    terminal = start()
    with client(terminal) as one:
        assert one.send({**BULK, "id": 1})["response"] == "SUBSCRIBED"
        tape = terminal.terminal.market.tape(DAY)
        assert tape is not None
        ts = option_trades(tape).trades.ts
        first = int(ts[ts > terminal.now][0])
        terminal.advance((first - terminal.now) / 1e9)
        before = one.data(3)
        assert kinds(before) == ["QUOTE", "OHLC", "TRADE"]
        contract = before[0]["contract"]
        assert all(frame["contract"] == contract for frame in before)
        terminal.advance(240)
        after = one.data(40)
        same = kinds([frame for frame in after if frame["contract"] == contract])
        assert same[:2] == ["QUOTE", "QUOTE"]


def test_the_stock_streams_quotes_and_trades(start: Start, source: MemorySource) -> None:
    terminal, day = start(), source.load(1)
    with client(terminal) as one:
        one.request(**STOCK)
        one.request(**STOCK, req_type="TRADE")
        terminal.step()
        frames = one.data(5)
        assert all(
            frame["contract"] == {"security_type": "STOCK", "root": "SPY"} for frame in frames
        )
        (quote,) = (frame["quote"] for frame in frames if "quote" in frame)
        assert quote["bid"] <= day.spot[31] <= quote["ask"] and quote["bid_exchange"] == 29
        assert [frame["trade"]["price"] for frame in frames if "trade" in frame] == [
            day.spot[31]
        ] * 2


@pytest.mark.parametrize("tier", ["free", "value", "free/pro"])
def test_streaming_needs_standard(start: Start, tier: str) -> None:
    with client(start(tier=tier)) as one:
        assert one.request()["response"] == "INVALID_PERMS"


def test_stocks_and_the_full_stream_need_their_own_tier(start: Start) -> None:
    with client(start(tier="standard/free")) as one:
        assert one.request()["response"] == "SUBSCRIBED"
        assert one.request(**STOCK)["response"] == "INVALID_PERMS"
        assert one.send({**BULK, "id": 9})["response"] == "INVALID_PERMS"


def test_only_so_many_contracts_stream(start: Start) -> None:
    with client(start(largest_streams=2)) as one:
        answers = [
            one.request(contract={**CALL, "strike": strike})["response"]
            for strike in (627_000, 628_000, 629_000, 628_000)
        ]
        assert answers == ["SUBSCRIBED", "SUBSCRIBED", "MAX_STREAMS_REACHED", "SUBSCRIBED"]
        one.request(add=False, contract={**CALL, "strike": 627_000})
        assert one.request(contract={**CALL, "strike": 629_000})["response"] == "SUBSCRIBED"


def test_a_second_client_takes_the_place_of_the_first(start: Start) -> None:
    terminal = start()
    with client(terminal) as first, client(terminal) as second:
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                first.frame()
        assert closed.value.rcvd is not None and closed.value.rcvd.code == 1000
        assert second.request()["response"] == "SUBSCRIBED"


def test_or_is_turned_away(start: Start) -> None:
    terminal = start(second_client="refuse")
    with client(terminal) as first:
        with pytest.raises(InvalidStatus), client(terminal):
            pass
        assert first.request()["response"] == "SUBSCRIBED"


@pytest.mark.parametrize("fault", ["474", "478", "fpss"])
def test_streams_with_unique_ids_come_back_after_a_loss(start: Start, fault: str) -> None:
    terminal = start()
    with client(terminal) as one:
        one.request(number=1)
        one.request(number=1, contract={**CALL, "strike": 629_000})  # the id is used again
        terminal.fault(fault)
        terminal.step()
        word = "UNVERIFIED" if fault == "478" else "DISCONNECTED"
        while one.next("STATUS", "QUOTE")["header"] != {"type": "STATUS", "status": word}:
            pass
        terminal.clear(fault)
        terminal.step()
        (frame,) = one.data(1)
        assert frame["contract"]["strike"] == 628_000
        assert frame["quote"]["ms_of_day"] == (10 * 60 + 2) * 60_000
        assert one.nothing()


def test_a_silent_socket_keeps_its_heartbeats(start: Start) -> None:
    terminal = start()
    with client(terminal) as one:
        one.request()
        terminal.fault("silent")
        terminal.step()
        assert one.nothing()
        assert one.next("STATUS")["header"]["status"] == "CONNECTED"
        terminal.clear()
        terminal.step()
        assert kinds(one.data(1)) == ["QUOTE"]


def test_heartbeats_alone_can_stop(start: Start) -> None:
    terminal = start(faults=["no-heartbeats"])
    with client(terminal) as one:
        one.request()
        terminal.step()
        assert kinds(one.data(1)) == ["QUOTE"]
        with pytest.raises(TimeoutError):
            one.connection.recv(1.3)


def test_a_hung_terminal_says_nothing(start: Start) -> None:
    terminal = start()
    with client(terminal) as one:
        one.request()
        terminal.fault("hung")
        terminal.step()
        one.connection.send(json.dumps({"msg_type": "STOP"}))
        with pytest.raises(TimeoutError):
            while True:  # the heartbeat of the last second may be on its way
                assert json.loads(one.connection.recv(1.3))["header"]["type"] == "STATUS"


def test_a_dropped_socket_is_cut_and_refused_until_it_is_cleared(start: Start) -> None:
    terminal = start()
    with client(terminal) as one:
        one.request()
        terminal.fault("dropped")
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                one.frame()
        assert closed.value.rcvd is None  # without a word
        with pytest.raises(InvalidStatus), client(terminal):
            pass
    terminal.clear("dropped")
    with client(terminal) as other:
        assert other.request(number=5)["response"] == "SUBSCRIBED"


def test_messages_can_come_twice_in_reverse_and_broken(start: Start) -> None:
    terminal = start()
    with client(terminal) as one:
        for strike in (627_000, 628_000, 629_000):
            one.request(contract={**CALL, "strike": strike})
        terminal.fault("duplicated")
        terminal.step()
        strikes = [frame["contract"]["strike"] for frame in one.data(6)]
        assert strikes == [627_000, 627_000, 628_000, 628_000, 629_000, 629_000]
        terminal.clear()
        terminal.fault("reordered")
        terminal.step()
        assert [f["contract"]["strike"] for f in one.data(3)] == [629_000, 628_000, 627_000]
        terminal.clear()
        terminal.fault("malformed")
        terminal.step()
        texts = _texts(one.connection, 3)
        assert sum(_is_json(text) for text in texts) == 2


def _texts(connection: Any, count: int) -> list[str]:
    """So many messages that are no heartbeat."""
    found: list[str] = []
    while len(found) < count:
        text = connection.recv(PATIENCE)
        found += [] if '"STATUS"' in text else [text]
    return found


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def test_streamed_quotes_can_be_crossed_and_zero(start: Start) -> None:
    terminal = start(faults=["crossed"])
    with client(terminal) as one:
        one.request(contract={**CALL, "strike": 629_000})
        terminal.step()
        (crossed,) = one.data(1)
        assert crossed["quote"]["bid"] > crossed["quote"]["ask"] > 0
        terminal.fault("zero")
        terminal.step()
        (zero,) = one.data(1)
        assert zero["quote"]["bid"] == zero["quote"]["ask"] == 0


def test_late_strikes_stream_from_midday(start: Start) -> None:
    terminal = start(faults=["late-strikes"])
    with client(terminal) as one:
        one.request(contract={**CALL, "strike": 627_000})
        terminal.step()
        assert one.nothing()
        terminal.set_time(new_york(11, 59))
        terminal.step()
        assert one.data(1)[0]["contract"]["strike"] == 627_000


def test_a_slow_reader_loses_quotes_but_not_the_connection(start: Start) -> None:
    terminal = start(outbox=10, speed=600)
    with client(terminal) as one:
        for strike in range(620, 638):
            one.request(contract={**CALL, "strike": strike * 1000})
        until = time.monotonic() + PATIENCE
        while not terminal.terminal.counts.get("frames dropped") and time.monotonic() < until:
            one.next("STATUS", "QUOTE")
        assert terminal.terminal.counts["frames dropped"] > 0
        assert one.next("STATUS")["header"]["status"] == "CONNECTED"
        assert get(terminal, "/terminal/fpss/status").text == "CONNECTED"


def test_as_fast_as_possible_the_whole_day_arrives_in_order(
    source: MemorySource, start: Start
) -> None:
    terminal = start(speed=math.inf, date=DAY)
    with client(terminal) as one:
        one.request()
        stamps = []
        while not stamps or stamps[-1] < 16 * 3_600_000:
            stamps.append(one.data(1)[0]["quote"]["ms_of_day"])
        assert len(stamps) > 380 and stamps == sorted(stamps)
        assert stamps[0] == 9 * 3_600_000 + 30 * 60_000 + 1000


def test_time_runs_at_the_speed_that_is_asked_for(source: MemorySource) -> None:
    with SimulatedTerminal(source, speed=3600) as terminal:
        began = terminal.now
        with client(terminal) as one:
            one.request()
            first, second = (frame["quote"]["ms_of_day"] for frame in one.data(2))
            assert second > first
        assert terminal.now - began >= 60 * 10**9
