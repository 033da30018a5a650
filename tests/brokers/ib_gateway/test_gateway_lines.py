"""Connections: ids, breaks, restarts, accounts, and a gateway that lost IB."""

import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ib_insync import IB, LimitOrder, Option, Trade

from brokers.ib_gateway import ManualMarket, SimulatedGateway
from brokers.ib_gateway.records import Status
from errors import DataError, SettingError
from feeds.contract import Contract

ACCOUNT = "DU1234567"
ROOT = Path(__file__).resolve().parents[3]
Place = Callable[..., Trade]
Connect = Callable[..., Any]


def until(condition: Callable[[], Any], ib: Any = None, seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came"
        ib.sleep(0.02) if ib else time.sleep(0.02)


def listens(gateway: SimulatedGateway) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", gateway.port)) == 0


def try_to_connect(connect: Connect, gateway: SimulatedGateway, **options: Any) -> type | None:
    try:
        connect(gateway, **options)
    except Exception as error:
        return type(error)
    return None


def test_an_id_is_used_once(gateway: SimulatedGateway, ib: Any, connect: Connect) -> None:
    assert try_to_connect(connect, gateway, timeout=0.3) is TimeoutError
    assert gateway.clients == [17] and ib.isConnected()
    connect(gateway, 18)
    assert gateway.clients == [17, 18]


def test_an_id_may_be_held_for_a_while(gateway: SimulatedGateway, connect: Connect) -> None:
    gateway.faults.switch_on("id-held=60")
    connect(gateway).disconnect()
    until(lambda: gateway.clients == [])
    assert try_to_connect(connect, gateway, timeout=0.3) is TimeoutError
    gateway.faults.clear("id-held")
    assert try_to_connect(connect, gateway) is None


def test_a_refused_connection_is_refused_until_it_is_not(
    gateway: SimulatedGateway, connect: Connect
) -> None:
    gateway.faults.switch_on("refused")
    until(lambda: not listens(gateway))
    assert try_to_connect(connect, gateway) is ConnectionRefusedError
    gateway.faults.clear("refused")
    until(lambda: listens(gateway))
    assert try_to_connect(connect, gateway) is None


@pytest.mark.parametrize(("fault", "arrives"), [("lost-before", False), ("lost-after", True)])
def test_a_line_lost_with_an_order_looks_the_same_either_way(
    gateway: SimulatedGateway, buy: Place, ib: Any, connect: Connect, fault: str, arrives: bool
) -> None:
    gateway.faults.switch_on(f"{fault}=1")
    with pytest.raises(ConnectionError):
        buy(1.20)
    assert [one.terms.order_ref for one in gateway.orders] == ["entry"] * arrives
    again = connect(gateway)
    assert [one.order.orderRef for one in again.reqAllOpenOrders()] == ["entry"] * arrives
    assert again.trades() == again.openTrades()


def test_a_half_open_line_says_nothing_and_stays(
    gateway: SimulatedGateway, ib: Any, buy: Place, connect: Connect
) -> None:
    gateway.faults.switch_on("half-open")
    trade = buy(1.25)
    assert ib.isConnected() and trade.orderStatus.status == "PendingSubmit"
    ib.RequestTimeout = 0.2
    with pytest.raises(TimeoutError):
        ib.reqCurrentTime()
    gateway.faults.clear()
    with pytest.raises(TimeoutError):
        ib.reqCurrentTime()
    assert gateway.orders == []
    ib.disconnect()
    until(lambda: gateway.clients == [])
    assert connect(gateway).reqCurrentTime()


def test_silence_carries_orders_out_without_a_word(gateway: SimulatedGateway, buy: Place) -> None:
    gateway.faults.switch_on("silent")
    assert buy(1.25).orderStatus.status == "PendingSubmit"
    until(lambda: gateway.executions)
    assert gateway.order("entry").status is Status.FILLED


def test_slow_answers_are_late_and_in_order(gateway: SimulatedGateway, ib: Any, buy: Place) -> None:
    gateway.faults.switch_on("slow=0.15")
    trade = buy(1.25)
    until(lambda: trade.fills and trade.fills[0].commissionReport.execId, ib)
    assert trade.orderStatus.status == "Filled"
    passed = gateway.wire
    asked = next(one.at for one in passed if one.fields[0] == "3" and one.direction == "in")
    told = next(one.at for one in passed if one.fields[0] == "3" and one.direction == "out")
    assert told - asked >= 0.15


def test_read_only_refuses_orders_and_never_ends_the_open_ones(
    gateway: SimulatedGateway, connect: Connect
) -> None:
    gateway.faults.switch_on("read-only")
    begun = time.monotonic()
    ib = connect(gateway, timeout=0.3)
    assert time.monotonic() - begun > 0.25
    option = Option("SPY", "20261030", 600, "C", "SMART", tradingClass="SPY")
    ib.qualifyContracts(option)
    ib.placeOrder(option, LimitOrder("BUY", 1, 1.25, tif="DAY", account=ACCOUNT))
    ib.settle()
    assert [code for _, code in ib.errors][-1] == 321 and gateway.orders == []


def test_any_account_may_stand_behind_the_port(
    gateway: SimulatedGateway, ib: Any, connect: Connect
) -> None:
    gateway.set_accounts("U1234567")
    assert ib.managedAccounts() == [ACCOUNT]
    gateway.drop()
    with pytest.raises(ConnectionError):
        ib.sleep(10)
    assert connect(gateway, 21).managedAccounts() == ["U1234567"]


def test_with_several_accounts_an_order_needs_one(market: ManualMarket, connect: Connect) -> None:
    with SimulatedGateway(market, accounts=("DU1", "DU2")) as gateway:
        ib = connect(gateway)
        option = Option("SPY", "20261030", 600, "C", "SMART", tradingClass="SPY")
        ib.qualifyContracts(option)
        ib.placeOrder(option, LimitOrder("BUY", 1, 1.25, tif="DAY"))
        ib.placeOrder(option, LimitOrder("BUY", 1, 1.25, tif="DAY", account="DU2"))
        ib.settle()
        assert 435 in [code for _, code in ib.errors]
        assert [(one.account, one.position) for one in ib.positions()] == [("DU2", 1)]


def test_a_restart_drops_the_line_and_orders_live_on(
    gateway: SimulatedGateway,
    ib: Any,
    buy: Place,
    connect: Connect,
    market: ManualMarket,
    call: Contract,
) -> None:
    old = buy(1.20)
    gateway.restart(1.0)
    with pytest.raises(ConnectionError, match="Socket disconnect"):
        ib.sleep(10)
    assert try_to_connect(connect, gateway) is ConnectionRefusedError
    until(lambda: listens(gateway))
    again = connect(gateway)
    (trade,) = again.openTrades()
    assert trade is not old and old.orderStatus.status == "Submitted"
    market.set_quote(call, 1.10, 1.15)
    again.settle()
    assert trade.orderStatus.status == "Filled"


def test_fills_while_ib_is_lost_are_found_by_request(
    gateway: SimulatedGateway,
    ib: Any,
    buy: Place,
    market: ManualMarket,
    call: Contract,
    option: Option,
) -> None:
    trade = buy(1.20)
    gateway.lose_ib()
    market.set_quote(call, 1.10, 1.15)
    lost = ib.placeOrder(option, LimitOrder("BUY", 1, 1.15, tif="DAY", account=ACCOUNT))
    ib.settle()
    assert [code for _, code in ib.errors][-1] == 1100
    assert trade.orderStatus.status == "Submitted"
    ib.RequestTimeout = 0.2
    with pytest.raises(TimeoutError):
        ib.reqExecutions()
    gateway.restore_ib()
    assert len(ib.reqExecutions()) == 1
    assert [code for _, code in ib.errors][-1] == 1102
    assert trade.filled() == 1 and lost.orderStatus.status == "PendingSubmit"
    assert len(gateway.orders) == 1


def test_a_broken_server_is_2110_and_may_lose_the_subscriptions(
    gateway: SimulatedGateway, ib: Any, market: ManualMarket, call: Contract, option: Option
) -> None:
    ticker = ib.reqMktData(option)
    gateway.lose_ib(2110)
    gateway.restore_ib(1101)
    market.set_quote(call, 1.50, 1.60)
    ib.settle()
    assert [code for _, code in ib.errors][-2:] == [2110, 1101] and ticker.bid == 1.20


def test_another_clients_order_is_listed_once_and_not_updated(
    gateway: SimulatedGateway, ib: Any, buy: Place, connect: Connect
) -> None:
    other = connect(gateway, 18)
    trade = buy(1.20)
    assert other.reqOpenOrders() == []
    (seen,) = other.reqAllOpenOrders()
    assert (seen.order.permId, seen.order.clientId) == (trade.order.permId, 17)
    ib.cancelOrder(trade.order)
    ib.settle()
    other.settle()
    assert seen.orderStatus.status == "Submitted"


def test_an_order_id_is_used_once(gateway: SimulatedGateway, buy: Place, ib: Any) -> None:
    filled = buy(1.25)
    ib.client.placeOrder(filled.order.orderId, filled.contract, filled.order)
    cancelled = buy(1.20)
    ib.cancelOrder(cancelled.order)
    ib.settle()
    ib.client.placeOrder(cancelled.order.orderId, cancelled.contract, cancelled.order)
    ib.client.placeOrder(filled.order.orderId - 1, filled.contract, filled.order)
    ib.settle()
    told = [code for _, code in ib.errors if code < 2100]
    assert told == [104, 202, 103, 103]


def test_a_stranger_on_the_port_is_cut_off(gateway: SimulatedGateway) -> None:
    with socket.create_connection(("127.0.0.1", gateway.port)) as stranger:
        stranger.sendall(b"GET / HTTP/1.1\r\n\r\n")
        stranger.settimeout(2)
        assert stranger.recv(10) == b""


def test_what_is_not_simulated_is_said(ib: Any) -> None:
    ib.client.reqScannerParameters()
    ib.settle()
    assert ib.errors[-1] == (-1, 320)


def test_a_port_that_is_taken_is_one_line(gateway: SimulatedGateway, market: ManualMarket) -> None:
    with pytest.raises(SettingError, match=f"port {gateway.port} cannot be used"):
        SimulatedGateway(market, port=gateway.port).start()


def test_time_is_the_markets_where_asked_for(market: ManualMarket, connect: Connect) -> None:
    with SimulatedGateway(market, market_time=True) as gateway:
        told = connect(gateway).reqCurrentTime().timestamp()
    assert told == market.now() // 1_000_000_000


def test_a_new_gateway_on_the_same_state_goes_on(
    tmp_path: Path, market: ManualMarket, connect: Connect, call: Contract
) -> None:
    state = tmp_path / "gateway.json"
    option = Option("SPY", "20261030", 600, "C", "SMART", tradingClass="SPY")
    with SimulatedGateway(market, state=state) as first:
        ib = connect(first)
        ib.qualifyContracts(option)
        for ref, limit in (("filled", 1.25), ("working", 1.20)):
            order = LimitOrder("BUY", 1, limit, tif="DAY", account=ACCOUNT, orderRef=ref)
            ib.placeOrder(option, order)
        ib.settle()
        before = (first.orders, first.executions, first.positions, first.cash())
        ib.disconnect()
    with SimulatedGateway(market, state=state) as second:
        assert (second.orders, second.executions, second.positions, second.cash()) == before
        ib = connect(second)
        (again,) = ib.reqContractDetails(option)
        assert again.contract.conId == option.conId
        assert ib.client.getReqId() > max(one.order_id for one in second.orders)
        market.set_quote(call, 1.10, 1.15)
        ib.settle()
        assert second.order("working").status is Status.FILLED
        assert len({one.execution_id for one in second.executions}) == 2


def test_a_file_that_is_no_state_is_refused(tmp_path: Path, market: ManualMarket) -> None:
    state = tmp_path / "gateway.json"
    state.write_text('{"version": 99}')
    with pytest.raises(DataError, match="no state of the gateway stand-in"):
        SimulatedGateway(market, state=state)


CHILD = """
import sys, time
from datetime import date
from pathlib import Path
from brokers.ib_gateway import ManualMarket, SimulatedGateway
from feeds.contract import Right
from feeds.sessions import session_on

market = ManualMarket(session_on(date(2026, 10, 30)), [600_000], 600.0)
market.set_quote(market.contract(600, Right.CALL), 1.20, 1.25)
with SimulatedGateway(market, state=Path(sys.argv[1])) as gateway:
    print(gateway.port, flush=True)
    time.sleep(60)
"""


def test_a_killed_gateway_has_lost_nothing_it_acknowledged(
    tmp_path: Path, market: ManualMarket, loop: Any
) -> None:
    state = tmp_path / "gateway.json"
    command = [sys.executable, "-c", CHILD, str(state)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        ib = IB()
        ib.connect("127.0.0.1", int(child.stdout.readline()), 17, timeout=20)
        option = Option("SPY", "20261030", 600, "C", "SMART", tradingClass="SPY")
        ib.qualifyContracts(option)
        trades = [
            ib.placeOrder(option, LimitOrder("BUY", 1, limit, tif="DAY", account=ACCOUNT))
            for limit in (1.25, 1.20)
        ]
        until(lambda: trades[1].orderStatus.status == "Submitted", ib)
        child.kill()
        child.wait()
        ib.disconnect()
    gateway = SimulatedGateway(market, state=state)
    assert [one.status for one in gateway.orders] == [Status.FILLED, Status.SUBMITTED]
    assert [one.permanent_id for one in gateway.orders] == [one.order.permId for one in trades]
