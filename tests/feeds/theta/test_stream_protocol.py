"""The meaning of Theta's stream, without a socket: literal frames, losses, and anything at all."""

import json
import math
from collections.abc import Iterable
from dataclasses import asdict
from datetime import date, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from feeds.contract import Contract, Right
from feeds.sessions import NEW_YORK, to_nanoseconds
from feeds.theta.conflation import LatestQuotes
from feeds.theta.stream_events import (
    Acknowledged,
    Event,
    QuoteEvent,
    Refused,
    SeedNeeded,
    SessionState,
    Silent,
    StatusEvent,
    StreamState,
)
from feeds.theta.stream_frames import (
    STOP,
    HeaderFrame,
    Instrument,
    MalformedFrame,
    QuoteFrame,
    quote_request,
    read_frame,
)
from feeds.theta.stream_protocol import StreamProtocol

DAY = date(2026, 11, 20)
CALL = Contract("SPY", DAY, 620_000, Right.CALL)
PUT = Contract("SPY", DAY, 620_000, Right.PUT)
FAR = Contract("SPY", DAY, 640_000, Right.CALL)

# As the vendor's documentation and recorded sessions have them, to the letter.
QUOTE = (
    '{"header":{"status":"CONNECTED","type":"QUOTE"},"contract":{"security_type":"OPTION",'
    '"root":"SPXW","expiration":20240315,"strike":4800000,"right":"C"},"quote":{"ms_of_day":'
    '26622025,"bid_size":7,"bid_exchange":5,"bid":110.2,"bid_condition":50,"ask_size":7,'
    '"ask_exchange":5,"ask":110.5,"ask_condition":50,"date":20231219}}'
)
TRADE = (
    '{"header":{"status":"CONNECTED","type":"TRADE"},"contract":{"security_type":"OPTION",'
    '"root":"QQQ","expiration":20231110,"strike":360000,"right":"P"},"trade":{"ms_of_day":'
    '49531278,"sequence":-563040482,"size":5,"condition":18,"price":1.06,"exchange":65,'
    '"date":20231103}}'
)
OHLC = (
    '{"header":{"status":"CONNECTED","type":"OHLC"},"contract":{"security_type":"INDEX",'
    '"root":"SPX"},"ohlc":{"ms_of_day":51952000,"open":5314.66,"high":5358.67,"low":5300.84,'
    '"close":5333.39,"volume":0,"count":1135013,"date":20240809}}'
)
STOCK_QUOTE = (
    '{"header":{"status":"CONNECTED","type":"QUOTE"},"contract":{"security_type":"STOCK",'
    '"root":"NVDA"},"quote":{"ms_of_day":43032783,"bid_size":516,"bid_exchange":29,"bid":145.58,'
    '"bid_condition":0,"ask_size":1527,"ask_exchange":29,"ask":145.59,"ask_condition":0,'
    '"date":20250616}}'
)
HEARTBEAT = '{"header":{"type":"STATUS","status":"CONNECTED"}}'
DISCONNECTED = '{"header":{"type":"STATUS","status":"DISCONNECTED"}}'


def quote(
    contract: Contract = CALL, ms_of_day: Any = 36_000_000, bid: Any = 1.0, **fields: Any
) -> str:
    """A quote of the desk's day; `fields` replace what is in it."""
    return json.dumps(
        {
            "header": {"status": fields.pop("status", "CONNECTED"), "type": "QUOTE"},
            "contract": {
                "security_type": "OPTION",
                "root": "SPY",
                "expiration": 20261120,
                "strike": contract.strike_thousandths,
                "right": contract.right.name[0],
            },
            "quote": {
                "ms_of_day": ms_of_day,
                "bid_size": 3,
                "bid": bid,
                "ask_size": 4,
                "ask": 1.25,
                "date": 20261120,
            }
            | fields,
        }
    )


def answer(request_id: Any, response: str = "SUBSCRIBED") -> str:
    header = {"type": "REQ_RESPONSE", "status": "CONNECTED"}
    return json.dumps({"header": header | {"response": response, "req_id": request_id}})


def ids(frames: Iterable[str]) -> list[int]:
    return [message["id"] for message in map(json.loads, frames) if "id" in message]


def seeds(events: Iterable[Event]) -> list[str]:
    return [event.reason for event in events if isinstance(event, SeedNeeded)]


def connected(*instruments: Instrument, day: date = DAY) -> StreamProtocol:
    """A protocol at second 1 whose subscriptions were sent and acknowledged."""
    protocol = StreamProtocol(day, 0.0)
    protocol.want(instruments or [CALL, PUT], 0.0)
    protocol.opened(1.0)
    for request_id in ids(protocol.outgoing(1.0)):
        protocol.receive(answer(request_id), 1.0)
    return protocol


# ---------------------------------------------------------------------- frames


def test_requests_are_what_the_documentation_shows() -> None:
    assert json.loads(quote_request(CALL, 1, add=True)) == {
        "msg_type": "STREAM",
        "sec_type": "OPTION",
        "req_type": "QUOTE",
        "add": True,
        "id": 1,
        "contract": {"root": "SPY", "expiration": 20261120, "strike": 620000, "right": "C"},
    }
    stock = json.loads(quote_request("SPY", 2, add=False))
    assert stock["contract"] == {"root": "SPY"}
    assert (stock["sec_type"], stock["add"], stock["id"]) == ("STOCK", False, 2)
    assert json.loads(STOP) == {"msg_type": "STOP"}


def test_the_documented_frames_are_read() -> None:
    option = QuoteFrame(
        "CONNECTED", ("SPXW", 20240315, 4800000, "C"), 20231219, 26622025, 110.2, 110.5, 7, 7
    )
    assert read_frame(QUOTE) == read_frame(QUOTE.encode()) == read_frame(f" {QUOTE}\r\n") == option
    stock = ("NVDA", None, None, None)
    assert read_frame(STOCK_QUOTE) == QuoteFrame(
        "CONNECTED", stock, 20250616, 43032783, 145.58, 145.59, 516, 1527
    )
    assert read_frame(TRADE) == HeaderFrame("TRADE", "CONNECTED", "", None, "")
    text = '{"header":{"type":"STATE","status":"CONNECTED","state":"START"}}'
    assert read_frame(text) == HeaderFrame("STATE", "CONNECTED", "", None, "START")


@pytest.mark.parametrize("req_id", [17, "17"])
def test_an_answer_is_known_by_its_id_as_number_or_text(req_id: Any) -> None:
    frame = read_frame(answer(req_id))
    assert frame == HeaderFrame("REQ_RESPONSE", "CONNECTED", "SUBSCRIBED", 17, "")


@pytest.mark.parametrize(
    "frame",
    [
        "",
        "{",
        "null",
        "[1]",
        '"QUOTE"',
        "{}",
        '{"header":{}}',
        '{"header":{"type":"STATUS"}}',
        '{"header":{"type":7,"status":"CONNECTED"}}',
        '{"header":{"type":"QUOTE","status":"CONNECTED"}}',
        HEARTBEAT + HEARTBEAT,
        "{'header': {'type': 'STATUS', 'status': 'CONNECTED'}}",
        "[" * 60_000,
        b"\xff\xfe",
        QUOTE[:-40],
        quote(bid="1.0"),
        quote(bid=None),
        quote(bid=True),
        quote(bid=math.nan),
        quote(bid=math.inf),
        quote().replace("1.25", "1e999"),
        quote().replace("1.25", "1" + "0" * 400),
        quote(ms_of_day=-1),
        quote(ms_of_day=86_400_000),
        quote(ms_of_day=1.5),
        quote(bid_size=-1),
        quote(ask_size=2**31),
        quote(bid_size=1.0),
        quote().replace('"SPY"', "[]"),
        quote().replace('"C"', "{}"),
    ],
)
def test_what_is_no_valid_frame_is_malformed_and_never_an_error(frame: str | bytes) -> None:
    with pytest.raises(MalformedFrame):
        read_frame(frame)
    protocol = connected()
    state = protocol.state
    assert protocol.receive(frame, 1.5) == ()
    assert (protocol.counters.malformed, protocol.counters.quotes) == (1, 0)
    assert protocol.state is state


def test_strange_prices_are_passed_on_for_the_chain_to_judge() -> None:
    protocol = connected()
    (crossed, *_) = protocol.receive(quote(bid=9.0), 1.0)
    assert isinstance(crossed, QuoteEvent)
    assert (crossed.bid, crossed.ask) == (9.0, 1.25)
    (zero, *_) = protocol.receive(quote(bid=0, ask=0), 1.0)
    assert isinstance(zero, QuoteEvent)
    assert (zero.bid, zero.ask) == (0, 0)


# ---------------------------------------------------------------------- subscribing


def test_a_connection_begins_with_stop_then_asks_in_order_of_importance() -> None:
    protocol = StreamProtocol(DAY, 0.0)
    protocol.want([PUT, "SPY", CALL], 0.0)
    assert protocol.outgoing(0.0) == []
    protocol.opened(1.0)
    stop, *asked = protocol.outgoing(1.0)
    assert stop == STOP
    assert [json.loads(one)["contract"].get("right") for one in asked] == ["P", None, "C"]
    assert ids(asked) == [1, 2, 3]
    assert protocol.outgoing(1.0) == []


def test_answers_are_matched_by_id_whatever_comes_between() -> None:
    protocol = StreamProtocol(DAY, 0.0)
    protocol.want([CALL, PUT], 0.0)
    protocol.opened(0.0)
    first, second = ids(protocol.outgoing(0.0))
    assert seeds(protocol.receive(HEARTBEAT, 0.1)) == []
    assert Acknowledged(PUT, second) in protocol.receive(answer(str(second)), 0.2)
    assert protocol.acknowledged == 1
    events = protocol.receive(answer(first), 0.3)
    assert Acknowledged(CALL, first) in events
    assert seeds(events) == ["connected"], "the chain is read once all are subscribed"


def test_an_answer_to_nothing_is_counted() -> None:
    protocol = connected()
    for request_id in (1, 99, None, "x", -1):
        protocol.receive(answer(request_id), 1.0)
    assert protocol.counters.unmatched == 5
    assert protocol.acknowledged == 2


def test_only_differences_are_sent_and_ids_never_repeat() -> None:
    protocol = connected(CALL, PUT)
    protocol.want([PUT, FAR], 2.0)
    removal, addition = map(json.loads, protocol.outgoing(2.0))
    assert (removal["add"], removal["contract"]["right"], removal["id"]) == (False, "C", 3)
    assert (addition["add"], addition["contract"]["strike"], addition["id"]) == (True, 640000, 4)
    protocol.receive(answer(3), 2.1)
    assert seeds(protocol.receive(answer(4), 2.1)) == ["new subscriptions"]
    protocol.want([PUT, FAR], 3.0)
    assert protocol.outgoing(3.0) == []


def test_what_was_never_asked_for_need_not_be_removed() -> None:
    protocol = connected(CALL)
    protocol.want([CALL, PUT], 2.0)
    protocol.want([CALL], 2.0)
    assert protocol.outgoing(2.0) == []


def test_a_change_of_mind_ends_with_what_is_wanted() -> None:
    protocol = connected(CALL, PUT)
    protocol.want([PUT], 2.0)
    protocol.want([CALL, PUT], 2.0)
    sent = [(one["add"], one["contract"]["right"]) for one in map(json.loads, protocol.outgoing(2))]
    assert sent == [(False, "C"), (True, "C")]


def test_the_seed_waits_for_answers_even_where_nothing_was_wanted_for_long() -> None:
    protocol = StreamProtocol(DAY, 0.0)
    protocol.opened(0.0)
    assert protocol.receive(HEARTBEAT, 60.0) == ()
    assert seeds(protocol.want([CALL], 60.0)) == []
    protocol.outgoing(60.0)
    assert seeds(protocol.receive(answer(1), 60.1)) == ["connected"]


def test_a_request_without_answer_is_asked_again_with_a_new_id() -> None:
    protocol = StreamProtocol(DAY, 0.0)
    protocol.want([CALL], 0.0)
    protocol.opened(0.0)
    protocol.outgoing(0.0)
    protocol.receive(HEARTBEAT, 2.9)
    protocol.tick(2.9)
    assert protocol.outgoing(2.9) == []
    assert seeds(protocol.tick(3.1)) == ["connected"], "a chain without stream is better than none"
    assert ids(protocol.outgoing(3.1)) == [2]
    assert protocol.counters.unanswered == 1


def test_an_error_is_tried_again_and_a_refusal_is_not() -> None:
    protocol = StreamProtocol(DAY, 0.0)
    protocol.want([CALL, PUT, FAR], 0.0)
    protocol.opened(0.0)
    protocol.outgoing(0.0)
    assert Refused(CALL, "ERROR") in protocol.receive(answer(1, "ERROR"), 0.1)
    assert Refused(PUT, "INVALID_PERMS") in protocol.receive(answer(2, "INVALID_PERMS"), 0.1)
    protocol.receive(answer(3, "MAX_STREAMS_REACHED"), 0.1)
    assert protocol.refused == {PUT: "INVALID_PERMS", FAR: "MAX_STREAMS_REACHED"}
    protocol.receive(HEARTBEAT, 3.1)
    protocol.tick(3.1)
    (again,) = map(json.loads, protocol.outgoing(3.1))
    assert (again["id"], again["contract"]["strike"], again["contract"]["right"]) == (
        4,
        620000,
        "C",
    )


def test_room_given_up_is_used_by_what_found_none() -> None:
    protocol = StreamProtocol(DAY, 0.0)
    protocol.want([CALL, PUT, FAR], 0.0)
    protocol.opened(0.0)
    protocol.outgoing(0.0)
    protocol.receive(answer(1), 0.1)
    protocol.receive(answer(2, "INVALID_PERMS"), 0.1)
    protocol.receive(answer(3, "MAX_STREAMS_REACHED"), 0.1)
    protocol.want([PUT, FAR], 1.0)
    removal, addition = map(json.loads, protocol.outgoing(1.0))
    assert not removal["add"]
    assert addition["add"] and addition["contract"]["strike"] == 640000


def test_an_account_that_may_not_stream_is_told_so() -> None:
    protocol = StreamProtocol(DAY, 0.0)
    protocol.want([CALL], 0.0)
    protocol.opened(0.0)
    protocol.outgoing(0.0)
    events = protocol.receive(answer(1, "INVALID_PERMS"), 0.5)
    assert StatusEvent(StreamState.REFUSED, 0.5) in events


def test_leaving_says_stop_and_nothing_else() -> None:
    protocol = connected()
    protocol.leave()
    assert protocol.outgoing(2.0) == [STOP]
    assert protocol.outgoing(2.0) == []


# ---------------------------------------------------------------------- quotes


def test_a_quote_of_an_option_arrives_with_its_exchange_time() -> None:
    protocol = connected(Contract("SPXW", date(2024, 3, 15), 4_800_000, Right.CALL))
    assert protocol.receive(QUOTE, 1.0) == ()
    assert protocol.counters.other_day == 1
    wanted = Contract("SPXW", date(2024, 3, 15), 4_800_000, Right.CALL)
    protocol = connected(wanted, day=date(2023, 12, 19))
    ts = to_nanoseconds(datetime(2023, 12, 19, 7, 23, 42, 25_000, tzinfo=NEW_YORK))
    assert protocol.receive(QUOTE, 1.5) == (
        QuoteEvent(wanted, ts, 110.2, 110.5, 7, 7, 1.5),
        StatusEvent(StreamState.LIVE, 1.5),
    )


def test_a_quote_of_a_stock_arrives_too() -> None:
    protocol = connected("NVDA", day=date(2025, 6, 16))
    (event, *_) = protocol.receive(STOCK_QUOTE, 1.5)
    ts = to_nanoseconds(datetime(2025, 6, 16, 11, 57, 12, 783_000, tzinfo=NEW_YORK))
    assert event == QuoteEvent("NVDA", ts, 145.58, 145.59, 516, 1527, 1.5)


def test_trades_bars_and_unknown_frames_are_counted() -> None:
    protocol = connected()
    for frame in (TRADE, OHLC, OHLC, HEARTBEAT.replace("STATUS", "MARKET_VALUE"), QUOTE):
        protocol.receive(frame, 1.0)
    counters = protocol.counters
    assert (counters.trades, counters.bars, counters.unknown, counters.other_day) == (1, 2, 1, 1)
    assert counters.quotes == 0


def test_sessions_start_and_stop_are_passed_on() -> None:
    text = '{"header":{"type":"STATE","status":"CONNECTED","state":"STOP"}}'
    assert connected().receive(text, 1.0) == (SessionState("STOP"),)


def test_an_older_quote_of_the_same_contract_is_not_applied() -> None:
    protocol = connected(CALL, PUT)
    protocol.receive(quote(CALL, 36_000_500), 1.0)
    assert protocol.receive(quote(CALL, 36_000_499), 1.1) == ()
    assert protocol.counters.late == 1
    assert protocol.receive(quote(PUT, 36_000_000), 1.2), "another contract has a time of its own"
    assert protocol.receive(quote(CALL, 36_000_500, 1.1), 1.3), "equal times: the last word counts"


def test_quotes_of_what_nobody_wants_are_dropped_and_counted() -> None:
    protocol = connected(CALL)
    assert protocol.receive(quote(PUT), 1.0) == ()
    assert protocol.counters.unwanted == 1


# ---------------------------------------------------------------------- losses


def test_silence_of_three_seconds_is_told_once_and_ends_the_connection() -> None:
    protocol = connected()
    protocol.receive(HEARTBEAT, 5.0)
    assert not any(isinstance(event, Silent) for event in protocol.tick(8.0))
    events = protocol.tick(8.25)
    assert Silent(3.25) in events
    assert StatusEvent(StreamState.OFFLINE, 8.25) in events
    assert not any(isinstance(event, Silent) for event in protocol.tick(9.0))
    assert protocol.outgoing(9.0) == []


def test_quotes_alone_are_a_sign_of_life() -> None:
    protocol = connected()
    for second in range(2, 20, 2):
        protocol.receive(quote(ms_of_day=36_000_000 + second), float(second))
        assert not any(isinstance(event, Silent) for event in protocol.tick(second + 1.9))


def test_heartbeats_without_quotes_are_quiet_and_their_return_needs_a_seed() -> None:
    protocol = connected()
    protocol.receive(quote(), 1.0)
    states = []
    for second in range(2, 15):
        events = protocol.receive(HEARTBEAT, float(second))
        states += [event for event in events if isinstance(event, StatusEvent)]
    assert states == [StatusEvent(StreamState.QUIET, 12.0)]
    events = protocol.receive(quote(ms_of_day=36_100_000), 15.0)
    assert StatusEvent(StreamState.LIVE, 15.0) in events
    assert seeds(events) == ["quotes had stopped"]


def test_after_a_new_connection_everything_is_asked_for_again() -> None:
    protocol = connected(CALL, PUT)
    protocol.receive(quote(), 1.0)
    assert StatusEvent(StreamState.OFFLINE, 2.0) in protocol.lost(2.0)
    assert protocol.lost(2.5) == ()
    assert protocol.since == 2.0
    protocol.opened(3.0)
    stop, *asked = protocol.outgoing(3.0)
    assert stop == STOP
    assert ids(asked) == [3, 4]
    protocol.receive(answer(3), 3.1)
    assert seeds(protocol.receive(answer(4), 3.1)) == ["connected"]
    assert protocol.receive(quote(ms_of_day=35_000_000), 3.2), (
        "a new connection begins its own time"
    )


def test_the_terminals_own_loss_is_told_and_healed() -> None:
    protocol = connected(CALL, PUT)
    protocol.receive(quote(), 1.0)
    assert StatusEvent(StreamState.UPSTREAM_DOWN, 2.0) in protocol.receive(DISCONNECTED, 2.0)
    assert protocol.receive(DISCONNECTED, 3.0) == ()
    assert protocol.upstream == "DISCONNECTED"
    events = protocol.receive(HEARTBEAT, 4.0)
    assert StatusEvent(StreamState.LIVE, 4.0) in events
    assert ids(protocol.outgoing(4.0)) == [3, 4]
    protocol.receive(answer(3), 4.1)
    assert seeds(protocol.receive(answer(4), 4.1)) == ["the terminal was reconnected"]
    assert protocol.counters.upstream_losses == 1


def test_a_loss_told_by_a_quote_counts_as_well() -> None:
    protocol = connected(CALL)
    protocol.receive(quote(), 1.0)
    events = protocol.receive(quote(status="UNVERIFIED"), 2.0)
    assert isinstance(events[0], QuoteEvent)
    assert StatusEvent(StreamState.UPSTREAM_DOWN, 2.0) in events


def test_disconnected_before_the_first_request_is_no_loss() -> None:
    protocol = StreamProtocol(DAY, 0.0)
    protocol.want([CALL], 0.0)
    protocol.opened(0.0)
    protocol.receive(DISCONNECTED, 0.1)
    protocol.outgoing(0.1)
    protocol.receive(DISCONNECTED, 0.2)
    protocol.receive(answer(1), 0.3)
    protocol.receive(HEARTBEAT, 0.4)
    assert protocol.counters.upstream_losses == 0
    assert protocol.outgoing(0.4) == []
    assert protocol.state is StreamState.SUBSCRIBING


def test_a_terminal_without_its_vendor_at_the_start_is_asked_again_when_it_has_it() -> None:
    protocol = StreamProtocol(DAY, 0.0)
    protocol.want([CALL], 0.0)
    protocol.opened(0.0)
    protocol.outgoing(0.0)
    protocol.receive(answer(1).replace("CONNECTED", "DISCONNECTED"), 0.1)
    protocol.receive(DISCONNECTED, 1.0)
    protocol.tick(1.0)
    protocol.receive(HEARTBEAT, 2.0)
    protocol.receive(DISCONNECTED, 3.0)
    assert protocol.state is StreamState.UPSTREAM_DOWN
    protocol.receive(HEARTBEAT, 4.0)
    assert ids(protocol.outgoing(4.0)) == [2]


# ---------------------------------------------------------------------- conflation


def event(ts: int, bid: float, instrument: Instrument = CALL) -> QuoteEvent:
    return QuoteEvent(instrument, ts, bid, bid + 1, 1, 1, 0.0)


def test_a_reader_takes_the_newest_of_each_instrument_once() -> None:
    calls: list[None] = []
    latest = LatestQuotes(lambda: calls.append(None))
    for ts in range(5, 1000):
        latest.put(event(ts, float(ts)))
    latest.put(event(4, 1.0, PUT))
    assert len(calls) == 1
    assert latest.take() == [event(4, 1.0, PUT), event(999, 999.0)]
    assert latest.take() == []
    latest.put(event(1000, 1.0))
    assert len(calls) == 2


@given(st.lists(st.tuples(st.integers(1, 100), st.sampled_from([CALL, PUT]))), st.integers(1, 40))
def test_quotes_of_different_bars_are_never_merged(
    puts: list[tuple[int, Contract]], period: int
) -> None:
    latest = LatestQuotes(lambda: None, period)
    newest: dict[tuple[int, Contract], QuoteEvent] = {}
    for number, (ts, contract) in enumerate(puts):
        latest.put(event(ts, float(number), contract))
        newest[math.ceil(ts / period), contract] = event(ts, float(number), contract)
    taken = latest.take()
    assert [one.ts for one in taken] == sorted(one.ts for one in taken)
    assert sorted(taken, key=lambda one: one.bid) == sorted(
        newest.values(), key=lambda one: one.bid
    )


# ---------------------------------------------------------------------- anything at all

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["header", "type", "status", "contract", "quote", "root", "bid"]), inner
        )
    ),
    max_leaves=12,
)


@st.composite
def damaged(draw: st.DrawFn) -> str | bytes:
    """A true frame with one field replaced by anything, or cut, or with a byte changed."""
    frame = draw(st.sampled_from([quote(), HEARTBEAT, answer(1), TRADE, STOCK_QUOTE]))
    way = draw(st.sampled_from(["field", "cut", "byte"]))
    if way == "cut":
        return frame[: draw(st.integers(0, len(frame)))]
    if way == "byte":
        data = bytearray(frame.encode())
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
        return bytes(data)
    message = json.loads(frame)
    part = message[draw(st.sampled_from(sorted(message)))]
    part[draw(st.sampled_from(sorted(part)))] = draw(JSON)
    return json.dumps(message)


@settings(max_examples=300)
@given(st.lists(st.binary() | st.text() | JSON.map(json.dumps) | damaged(), min_size=1, max_size=8))
def test_no_frame_raises_and_every_frame_is_counted(frames: list[str | bytes]) -> None:
    protocol = connected()
    for number, frame in enumerate(frames):
        for one in protocol.receive(frame, 1.0 + number):
            if isinstance(one, QuoteEvent):
                assert math.isfinite(one.bid) and math.isfinite(one.ask)
        protocol.outgoing(1.0 + number)
    counts = asdict(protocol.counters)
    for name in ("refused", "unmatched", "unanswered", "upstream_losses", "connections"):
        del counts[name]
    assert counts.pop("frames") == len(frames) + 2 == sum(counts.values())


class Terminal(RuleBasedStateMachine):
    """A terminal that keeps its books, and a desk that changes its mind, loses and returns.

    Whatever happens, the terminal ends up streaming what is wanted, and the ids only grow.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.protocol = StreamProtocol(DAY, self.now)
        self.wanted: set[Instrument] = set()
        self.streaming: set[tuple[Any, ...]] = set()
        self.open = False
        self.upstream = "CONNECTED"
        self.last_id = 0
        self.unanswered: list[int] = []

    def pass_on(self, *, lose: bool = False) -> None:
        """Take what the desk sends; lose the requests, if so wished."""
        for text in self.protocol.outgoing(self.now):
            message = json.loads(text)
            if message["msg_type"] == "STOP":
                self.streaming.clear()
                continue
            assert message["id"] > self.last_id
            self.last_id = message["id"]
            if lose:
                continue
            contract = tuple(sorted(message["contract"].items()))
            (self.streaming.add if message["add"] else self.streaming.discard)(contract)
            self.unanswered.append(message["id"])

    def answer_all(self) -> None:
        for request_id in self.unanswered:
            text = answer(request_id).replace("CONNECTED", self.upstream)
            self.protocol.receive(text, self.now)
        self.unanswered.clear()

    @rule(instruments=st.sets(st.sampled_from([CALL, PUT, FAR, "SPY"])))
    def change_mind(self, instruments: set[Instrument]) -> None:
        self.wanted = instruments
        self.protocol.want(instruments, self.now)

    @rule(lose=st.booleans())
    def send(self, lose: bool) -> None:
        self.pass_on(lose=lose)

    @rule()
    def answer_requests(self) -> None:
        self.answer_all()

    @precondition(lambda self: not self.open)
    @rule()
    def connect(self) -> None:
        self.open = True
        self.protocol.opened(self.now)

    @rule()
    def lose_connection(self) -> None:
        self.open = False
        self.unanswered.clear()
        self.protocol.lost(self.now)

    @rule(word=st.sampled_from(["CONNECTED", "DISCONNECTED", "UNVERIFIED", "ERROR"]))
    def upstream_says(self, word: str) -> None:
        self.upstream = word
        if self.open:
            self.protocol.receive(HEARTBEAT.replace("CONNECTED", word), self.now)

    @rule(seconds=st.sampled_from([0.25, 1.0, 4.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        if self.open and any(isinstance(one, Silent) for one in self.protocol.tick(self.now)):
            self.open = False

    @rule()
    def calm_down(self) -> None:
        """With a healthy terminal and a few seconds, all is as wanted."""
        self.upstream = "CONNECTED"
        if not self.open:
            self.connect()
        for _ in range(4):
            self.now += 2.0
            self.upstream_says("CONNECTED")
            self.wait(0.25)
            self.pass_on()
            self.answer_all()
        assert self.protocol.wanted == self.protocol.acknowledged == len(self.wanted)
        expected = {
            tuple(sorted(json.loads(quote_request(one, 1, add=True))["contract"].items()))
            for one in self.wanted
        }
        assert expected <= self.streaming
        assert self.protocol.state is (StreamState.IDLE if not self.wanted else self.protocol.state)
        assert self.protocol.state not in (StreamState.OFFLINE, StreamState.UPSTREAM_DOWN)

    @invariant()
    def open_requests_are_bounded(self) -> None:
        assert self.protocol.acknowledged <= self.protocol.wanted <= 4


TestTerminal = Terminal.TestCase
TestTerminal.settings = settings(max_examples=40, stateful_step_count=30)
