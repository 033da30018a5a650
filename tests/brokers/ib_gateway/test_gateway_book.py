"""The stand-in's own arithmetic: matching, holdings, margin, and its wire format."""

import ast
import math
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from ib_insync.decoder import Decoder

from brokers.ib_gateway import ChainDayMarket, ManualMarket, SimulatedGateway, messages
from brokers.ib_gateway.catalogue import Catalogue
from brokers.ib_gateway.ledger import Ledger
from brokers.ib_gateway.margin import Requirement, requirement
from brokers.ib_gateway.market import NO_QUOTE
from brokers.ib_gateway.records import (
    GatewayOrder,
    Holding,
    Instrument,
    OrderTerms,
    Status,
)
from brokers.ib_gateway.wire import FrameReader, WireError, frame, text
from feeds.chain import chain_day
from feeds.contract import Right
from feeds.sessions import session_on

SESSION = session_on(date(2026, 10, 30))
CALL = Instrument(700_000_001, "SPY", "20261030", 600_000, "C", "SPY")
PUT = Instrument(700_000_002, "SPY", "20261030", 600_000, "P", "SPY")

trades = some.lists(
    some.tuples(
        some.sampled_from([1, -1]),
        some.integers(1, 9),
        some.integers(1, 900).map(float),
        some.integers(0, 300).map(lambda cents: cents / 100),
    ),
    min_size=1,
    max_size=12,
)


@given(trades)
def test_realised_profit_and_cost_account_for_every_cent(
    done: list[tuple[int, int, float, float]],
) -> None:
    held, cash, realised = Holding(), 0.0, 0.0
    for side, quantity, value, commission in done:
        held, gain = held.after(side, quantity, value, commission)
        cash -= side * quantity * value + commission
        realised += gain or 0.0
    assert held.quantity == sum(side * quantity for side, quantity, *_ in done)
    assert cash == pytest.approx(realised - held.quantity * held.average_cost, abs=1e-6)


@given(
    some.lists(
        some.tuples(
            some.sampled_from([1, -1]),
            some.integers(1, 5),
            some.integers(50, 150),
            some.integers(60, 140),
            some.integers(0, 4),
        ),
        min_size=1,
        max_size=10,
    )
)
def test_no_order_fills_beyond_its_size_its_limit_or_the_quote(
    steps: list[tuple[int, int, int, int, int]],
) -> None:
    market = ManualMarket(SESSION, [600_000], 600.0)
    call = market.contract(600, Right.CALL)
    gateway = SimulatedGateway(market, cash=1e9)
    core = gateway._core  # without a socket: the book alone
    option = core.catalogue.option(call)
    assert option is not None
    offered = {1: 0, -1: 0}
    for k, (side, quantity, limit, bid, size) in enumerate(steps):
        market.set_quote(call, bid / 100, bid / 100 + 0.05 + k / 1e6, size)
        offered = {one: total + size for one, total in offered.items()}
        gateway.settle()
        core.book.place(
            17,
            k,
            "DU1234567",
            option.con_id,
            OrderTerms(side, quantity, "LMT", limit=limit / 100, tif="DAY"),
        )
        gateway.settle()
    for order in gateway.orders:
        assert order.filled <= order.terms.quantity
        assert (order.status is Status.FILLED) == (order.remaining == 0)
    traded = {1: 0, -1: 0}
    for one in gateway.executions:
        order = core.ledger.orders[one.permanent_id]
        assert order.terms.limit is not None
        assert one.side * (one.price - order.terms.limit) <= 1e-9
        traded[one.side] += one.quantity
    assert all(traded[one] <= offered[one] for one in (1, -1))
    net = sum(one.side * one.quantity for one in gateway.executions)
    assert core.ledger.holding("DU1234567", option.con_id).quantity == net


def test_a_changed_stop_counts_its_quotes_anew() -> None:
    market = ManualMarket(SESSION, [600_000], 600.0)
    call = market.contract(600, Right.CALL)
    market.set_quote(call, 0.80, 1.00)
    gateway = SimulatedGateway(market)
    core = gateway._core
    option = core.catalogue.option(call)
    assert option is not None
    terms = OrderTerms(-1, 1, "STP", stop=1.00, trigger_method=1)
    order = core.book.place(17, 1, "DU1234567", option.con_id, terms)
    market.set_quote(call, 0.75, 0.94)
    core.book.modify(order, replace(terms, stop=0.95))
    assert gateway.executions == []
    market.set_quote(call, 0.75, 0.93)
    gateway.settle()
    assert [one.price for one in gateway.executions] == [0.75]


@pytest.mark.parametrize(
    ("instrument", "quantity", "mark", "spot", "needed"),
    [
        (CALL, 2, 1.20, 600.0, 240.0),
        (PUT, -1, 2.40, 600.0, 240 + 12_000),
        (PUT, -1, 0.50, 620.0, 50 + 12_400 - 2_000),
        (CALL, -1, 0.10, 300.0, 10 + 3_000),
        (PUT, -1, 0.10, 900.0, 10 + 6_000),
        (Instrument(756_733, "SPY"), -100, 600.0, 600.0, 30_000.0),
    ],
)
def test_margin_is_the_plain_rule(
    instrument: Instrument, quantity: int, mark: float, spot: float, needed: float
) -> None:
    assert requirement(instrument, quantity, mark, spot).initial == pytest.approx(needed)


@given(
    some.lists(some.lists(some.text("ab1.", max_size=4), min_size=1, max_size=4), max_size=5),
    some.integers(1, 7),
)
def test_messages_survive_any_cutting_into_packets(sent: list[list[str]], size: int) -> None:
    stream = b"API\0" + b"".join(frame(one) for one in sent)
    reader, read = FrameReader(), []
    for k in range(0, len(stream), size):
        read += list(reader.feed(stream[k : k + size]))
    assert read == [tuple(one) for one in sent]


def test_a_frame_of_another_protocol_or_beyond_all_size_is_refused() -> None:
    with pytest.raises(WireError, match="TWS protocol"):
        list(FrameReader().feed(b"GET / HTTP"))
    with pytest.raises(WireError, match="bytes"):
        list(FrameReader().feed(b"API\0\xff\xff\xff\xff"))


class Heard:
    """Takes what the library's decoder understands."""

    def __init__(self) -> None:
        self.calls: dict[str, tuple[Any, ...]] = {}

    def __getattr__(self, name: str) -> Any:
        return lambda *values: self.calls.__setitem__(name, values)


@pytest.mark.parametrize("version", [157, 159, 160, 162, 163, 164, 166, 170, 176])
def test_every_server_version_is_understood_field_by_field(version: int) -> None:
    terms = OrderTerms(-1, 3, "STP LMT", 1.25, 1.30, "GTC", 8, "ref")
    order = GatewayOrder(77, 17, 5, "DU1", CALL.con_id, terms, Status.SUBMITTED, SESSION.open_ns)
    impact = messages.impact_figures(Requirement(), Requirement(5.0, 6.0), 1000.0, 2.3)
    heard = Heard()
    decoder = Decoder(heard, version)
    for message in (
        messages.completed_order(order, CALL, version),
        messages.contract_details(9, CALL, "SMART", SESSION, PUT, version),
        messages.open_order(order, CALL, version, impact),
        messages.error(5, 201, "no", version),
    ):
        decoder.interpret([text(one) for one in message])
    order_id, contract, said, state = heard.calls["openOrder"]
    assert (order_id, contract.localSymbol) == (5, CALL.local_symbol)
    assert (said.action, said.totalQuantity, said.orderType) == ("SELL", 3, "STP LMT")
    assert (said.lmtPrice, said.auxPrice, said.tif) == (1.25, 1.30, "GTC")
    assert (said.account, said.orderRef, said.permId, said.clientId) == ("DU1", "ref", 77, 17)
    assert said.whatIf and (state.initMarginChange, state.commission) == ("5.00", 2.3)
    assert heard.calls["completedOrder"][1].orderRef == "ref"
    details = heard.calls["contractDetails"][1]
    assert details.contract.lastTradeDateOrContractMonth == "20261030"
    assert (details.contract.conId, details.minTick) == (CALL.con_id, 0.01)
    assert heard.calls["error"][:3] == (5, 201, "no")


def test_a_chain_is_quoted_by_the_row_in_force() -> None:
    ts = SESSION.open_ns + np.array([60, 120], np.int64) * 1_000_000_000
    bid = np.full((2, 2, 1), np.nan)
    bid[:, 0, 0] = [1.0, 1.5]
    day = chain_day(
        session=SESSION,
        underlying="SPY",
        ts=ts,
        spot=np.array([600.0, 601.0]),
        strikes=np.array([600_000]),
        bid=bid,
        ask=bid + 0.05,
        source="simulated",
        official_close=None,
    )
    now = SESSION.open_ns
    market = ChainDayMarket(day, lambda: now)
    call = day.contract(0, 0)
    assert market.quote(call) == NO_QUOTE and market.spot() == 600.0
    now = int(ts[1]) - 1
    assert market.quote(call)[:2] == (1.0, 1.05)
    now = int(ts[1])
    assert market.quote(call)[:2] == (1.5, 1.55) and market.spot() == 601.0
    assert math.isnan(market.quote(day.contract(1, 0))[0])
    assert market.strikes(SESSION.date) == [600_000] and market.strikes(date(2026, 11, 2)) == []


def test_contract_ids_are_kept_with_the_ledger() -> None:
    market = ManualMarket(SESSION, [600_000, 601_000], 600.0)
    ledger = Ledger(None, {})
    first = Catalogue(ledger, market, "SPY").option(market.contract(601, Right.PUT))
    more = ManualMarket(SESSION, [590_000, 600_000, 601_000], 600.0)
    assert Catalogue(ledger, more, "SPY").option(market.contract(601, Right.PUT)) == first
    assert len({one.con_id for one in ledger.instruments.values()}) == len(ledger.instruments)


def test_options_of_yesterday_have_left_the_account(tmp_path: Any) -> None:
    state = tmp_path / "gateway.json"
    market = ManualMarket(SESSION, [600_000], 600.0)
    call = market.contract(600, Right.CALL)
    gateway = SimulatedGateway(market, state=state)
    gateway.manual_trade(call, -1, 2, 1.0)
    assert gateway.positions["DU1234567"]
    monday = ManualMarket(session_on(date(2026, 11, 2)), [600_000], 603.0)
    later = SimulatedGateway(monday, state=state)
    later.settle()
    ((instrument, held),) = later.positions["DU1234567"].items()
    assert (instrument.security, held.quantity, held.average_cost) == ("STK", -200, 600.0)
    assert later.cash() == pytest.approx(gateway.cash() + 200 * 600)


def test_the_stand_in_shares_nothing_with_the_connector_or_its_library() -> None:
    folder = Path(__file__).resolve().parents[3] / "brokers" / "ib_gateway"
    for path in folder.glob("*.py"):
        names = list(ast.walk(ast.parse(path.read_text())))
        modules = {one.module or "" for one in names if isinstance(one, ast.ImportFrom)}
        modules |= {a.name for one in names if isinstance(one, ast.Import) for a in one.names}
        for module in modules:
            assert not module.startswith(("brokers.ib.", "ib_insync", "ib_async")), path
            assert module != "brokers.ib", path


@pytest.mark.parametrize(("close", "shares"), [(602.0, 0), (600.0, 0), (599.99, 200)])
def test_a_short_put_expires_worthless_or_becomes_shares_at_its_strike(
    close: float, shares: int
) -> None:
    market = ManualMarket(SESSION, [600_000], close)
    put = market.contract(600, Right.PUT)
    with SimulatedGateway(market, expiry_seconds=3600.0) as gateway:
        gateway.manual_trade(put, -1, 2, 1.5)
        paid = gateway.cash()
        market.set_time(SESSION.close_ns + 900_000_000_000)
        gateway.settle()
        (held,) = gateway.positions["DU1234567"].values()
        assert held.quantity == -2, "it trades until a quarter past"
        market.set_time(SESSION.close_ns + 3_600_000_000_000)
        gateway.settle()
        left = {one.security: held.quantity for one, held in gateway.positions["DU1234567"].items()}
        assert left == ({"STK": shares} if shares else {})
        assert gateway.cash() == pytest.approx(paid - 600.0 * shares)
