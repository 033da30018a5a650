"""Unmodified ib_insync trades against the gateway stand-in."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from ib_insync import LimitOrder, MarketOrder, Option, Order, Stock, StopOrder, Trade

from brokers.ib_gateway import ManualMarket, SimulatedGateway
from brokers.ib_gateway.records import Status
from feeds.contract import Contract, Right
from feeds.sessions import session_on

ACCOUNT = "DU1234567"
Place = Callable[..., Trade]


def statuses(trade: Trade) -> list[str]:
    log = [entry.status for entry in trade.log]
    return [status for k, status in enumerate(log) if k == 0 or status != log[k - 1]]


def codes(ib: Any) -> list[int]:
    return [code for _, code in ib.errors if code < 2100 or code > 2199]


def test_a_client_connects_and_sees_its_account(ib: Any) -> None:
    assert ib.managedAccounts() == [ACCOUNT]
    assert ib.client.serverVersion() == 176
    figures = {one.tag: one.value for one in ib.accountValues()}
    assert figures["NetLiquidation"] == figures["AvailableFunds"] == "100000.00"
    assert {one.tag for one in ib.accountSummary()} >= {"ExcessLiquidity", "TotalCashValue"}


def test_an_option_is_found_by_its_terms_and_by_its_id(ib: Any, option: Option) -> None:
    assert option.localSymbol == "SPY   261030C00600000"
    (again,) = ib.reqContractDetails(Option(conId=option.conId, exchange="SMART"))
    assert again.contract == option
    assert again.liquidHours == "20261030:0930-20261030:1600"
    rule = ib.reqMarketRule(int(again.marketRuleIds.split(",")[0]))
    assert [(one.lowEdge, one.increment) for one in rule] == [(0.0, 0.01)]
    (shares,) = ib.qualifyContracts(Stock("SPY", "SMART", "USD"))
    assert again.underConId == shares.conId
    (chain,) = ib.reqSecDefOptParams("SPY", "", "STK", shares.conId)
    assert chain.expirations == ["20261030"] and len(chain.strikes) == 21


@pytest.mark.parametrize(
    ("strike", "right", "exchange", "trading_class"),
    [
        (600, "C", "", "SPY"),
        (600, "", "SMART", "SPY"),
        (600, "C", "SMART", ""),
        (600.5, "C", "SMART", "SPY"),
        (600, "C", "SMART", "QQQ"),
    ],
)
def test_what_is_ambiguous_or_unknown_does_not_qualify(
    ib: Any, strike: float, right: str, exchange: str, trading_class: str
) -> None:
    wanted = Option("SPY", "20261030", strike, right, exchange, tradingClass=trading_class)
    assert ib.qualifyContracts(wanted) == []


def test_a_marketable_limit_order_fills_at_the_ask(
    ib: Any, gateway: SimulatedGateway, buy: Place
) -> None:
    trade = buy(1.30, 2)
    assert statuses(trade) == ["PendingSubmit", "Submitted", "Filled"]
    assert [(fill.execution.shares, fill.execution.price) for fill in trade.fills] == [(2, 1.25)]
    report = trade.fills[0].commissionReport
    assert report.commission == pytest.approx(1.40) and report.realizedPNL == 0.0
    (held,) = ib.positions()
    assert held.position == 2 and held.avgCost == pytest.approx(125.70)
    assert gateway.cash() == pytest.approx(100_000 - 250 - 1.40)
    (item,) = ib.portfolio()
    assert item.marketPrice == pytest.approx(1.225)


def test_the_library_and_the_book_agree_on_ids_and_references(
    gateway: SimulatedGateway, buy: Place
) -> None:
    trade, order = buy(1.22), gateway.order("entry")
    assert (trade.order.orderId, trade.order.permId) == (order.order_id, order.permanent_id)
    assert order.status is Status.SUBMITTED


def test_an_order_fills_by_the_quoted_size(
    gateway: SimulatedGateway, market: ManualMarket, call: Contract, buy: Place, ib: Any
) -> None:
    market.set_quote(call, 1.20, 1.25, size=3)
    trade = buy(1.25, 5)
    assert trade.orderStatus.status == "Submitted" and trade.filled() == 3
    ib.settle()
    assert trade.filled() == 3, "the same quote is not traded twice"
    market.set_quote(call, 1.20, 1.25, size=10)
    ib.settle()
    assert trade.orderStatus.status == "Filled" and trade.filled() == 5
    assert [one.commission for one in gateway.executions] == pytest.approx([2.10, 1.40])


def test_a_resting_order_fills_at_its_limit_when_the_market_comes(
    market: ManualMarket, call: Contract, buy: Place, ib: Any
) -> None:
    trade = buy(1.22)
    assert trade.orderStatus.status == "Submitted"
    market.set_quote(call, 1.10, 1.15)
    ib.settle()
    assert trade.orderStatus.status == "Filled" and trade.fills[0].execution.price == 1.22


def test_a_modified_order_walks_to_the_market(buy: Place, ib: Any, option: Option) -> None:
    trade = buy(1.22)
    for limit in (1.23, 1.24):
        trade.order.lmtPrice = limit
        ib.placeOrder(option, trade.order)
        ib.settle()
        assert trade.orderStatus.status == "Submitted" and trade.order.lmtPrice == limit
    assert [entry.message for entry in trade.log].count("Modified") == 2
    trade.order.lmtPrice = 1.25
    ib.placeOrder(option, trade.order)
    ib.settle()
    assert trade.orderStatus.status == "Filled" and len(trade.fills) == 1


def test_a_cancel_says_pending_cancelled_and_202(
    gateway: SimulatedGateway, buy: Place, ib: Any
) -> None:
    trade = buy(1.20)
    ib.cancelOrder(trade.order)
    ib.settle()
    assert statuses(trade)[-2:] == ["PendingCancel", "Cancelled"]
    assert codes(ib) == [202] and ib.openTrades() == []
    sent = [one.fields for one in gateway.wire if one.direction == "out"]
    ending = [one[2] if one[0] == "3" else one[3] for one in sent if one[0] in ("3", "4")]
    assert ending[-3:] == ["PendingCancel", "Cancelled", "202"]


def test_partly_filled_then_cancelled_keeps_its_fills(
    market: ManualMarket, call: Contract, buy: Place, ib: Any
) -> None:
    market.set_quote(call, 1.20, 1.25, size=1)
    trade = buy(1.25, 2)
    ib.cancelOrder(trade.order)
    ib.settle()
    assert trade.orderStatus.status == "Cancelled"
    assert trade.filled() == 1 and trade.orderStatus.remaining == 1


def test_a_market_order_waits_for_a_quote(
    market: ManualMarket, call: Contract, ib: Any, option: Option
) -> None:
    market.set_quote(call, float("nan"), float("nan"))
    trade = ib.placeOrder(option, MarketOrder("BUY", 1, tif="DAY", account=ACCOUNT))
    ib.settle()
    assert trade.orderStatus.status == "Submitted"
    market.set_quote(call, 1.20, 1.25)
    ib.settle()
    assert trade.fills[0].execution.price == 1.25


@pytest.mark.parametrize(
    ("method", "quotes", "triggers"),
    [
        (8, [(0.85, 1.15)], True),
        (8, [(0.90, 1.15)], False),
        (4, [(0.80, 1.00)], True),
        (4, [(0.80, 1.01)], False),
        (1, [(0.80, 1.00)], False),
        (1, [(0.80, 1.00), (0.80, 0.99)], True),
        (0, [(0.80, 1.00), (0.80, 1.02), (0.80, 1.00)], False),
    ],
)
def test_a_stop_triggers_by_its_method(
    market: ManualMarket,
    call: Contract,
    ib: Any,
    buy: Place,
    option: Option,
    method: int,
    quotes: list[tuple[float, float]],
    triggers: bool,
) -> None:
    buy(1.25)
    stop = StopOrder("SELL", 1, 1.00, tif="DAY", account=ACCOUNT, triggerMethod=method)
    trade = ib.placeOrder(option, stop)
    ib.settle()
    assert trade.orderStatus.status == "PreSubmitted" and trade.orderStatus.whyHeld == "trigger"
    for bid, ask in quotes:
        market.set_quote(call, bid, ask)
        ib.settle()
    assert trade.orderStatus.status == ("Filled" if triggers else "PreSubmitted")
    if triggers:
        assert trade.fills[0].execution.price == quotes[-1][0]


def test_a_stop_becomes_a_limit_order_by_modification(
    gateway: SimulatedGateway, ib: Any, buy: Place, option: Option
) -> None:
    buy(1.25)
    stop = StopOrder("SELL", 1, 0.80, tif="DAY", account=ACCOUNT, orderRef="exit")
    trade = ib.placeOrder(option, stop)
    ib.settle()
    exit_order = Order(
        orderId=trade.order.orderId,
        clientId=trade.order.clientId,
        action="SELL",
        totalQuantity=1,
        orderType="LMT",
        lmtPrice=1.20,
        tif="DAY",
        account=ACCOUNT,
        orderRef="exit",
    )
    ib.placeOrder(option, exit_order)
    ib.settle()
    assert trade.orderStatus.status == "Filled" and gateway.order("exit").average_price == 1.20
    assert gateway.positions == {ACCOUNT: {}}
    assert trade.fills[0].commissionReport.realizedPNL == pytest.approx(-5 - 1.00 - 1.10, abs=0.11)


def test_what_an_order_would_tie_up_is_told_without_an_order(
    gateway: SimulatedGateway, ib: Any, option: Option
) -> None:
    state = ib.whatIfOrder(option, LimitOrder("SELL", 1, 1.20, tif="DAY", account=ACCOUNT))
    assert float(state.initMarginChange) == pytest.approx(100 * (1.225 + 0.2 * 600))
    assert state.commission == pytest.approx(1.05)
    assert gateway.orders == []


def test_an_order_beyond_the_margin_is_rejected_and_its_whatif_empty(
    ib: Any, buy: Place, option: Option
) -> None:
    order = LimitOrder("SELL", 20, 1.20, tif="DAY", account=ACCOUNT)
    assert ib.whatIfOrder(option, order) == []
    trade = buy(1.20, 20, "SELL")
    assert trade.orderStatus.status == "Inactive" and codes(ib) == [201, 201]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"lmtPrice": 1.234}, 110),
        ({"lmtPrice": 0.1 + 0.2}, 110),
        ({"lmtPrice": float("nan")}, 321),
        ({"totalQuantity": 0}, 434),
        ({"totalQuantity": 1.5}, 10318),
        ({"account": "DU7654321"}, 321),
        ({"orderType": "REL"}, 387),
        ({"tif": "IOC"}, 321),
        ({"ocaGroup": "x"}, 321),
        ({"parentId": 5}, 321),
        ({"goodAfterTime": "20261030 15:00:00 US/Eastern"}, 321),
    ],
)
def test_an_invalid_order_is_refused_by_its_code_and_not_in_the_book(
    gateway: SimulatedGateway, ib: Any, buy: Place, fields: dict[str, Any], code: int
) -> None:
    buy(1.20, **fields)
    assert codes(ib) == [code] and gateway.orders == []


def test_an_order_without_an_exchange_is_refused(
    gateway: SimulatedGateway, ib: Any, option: Option
) -> None:
    ib.placeOrder(
        Option(conId=option.conId), LimitOrder("BUY", 1, 1.20, tif="DAY", account=ACCOUNT)
    )
    ib.settle()
    assert codes(ib) == [321] and gateway.orders == []


def test_an_untransmitted_order_is_silent_until_it_is_sent(
    gateway: SimulatedGateway, buy: Place, ib: Any, option: Option
) -> None:
    trade = buy(1.25, transmit=False)
    assert trade.orderStatus.status == "PendingSubmit" and gateway.executions == []
    trade.order.transmit = True
    ib.placeOrder(option, trade.order)
    ib.settle()
    assert trade.orderStatus.status == "Filled"


def test_completed_orders_and_executions_carry_the_reference(buy: Place, ib: Any) -> None:
    buy(1.25, orderRef="one")
    cancelled = buy(1.20, orderRef="two")
    ib.cancelOrder(cancelled.order)
    ib.settle()
    completed = {one.order.orderRef: one.orderStatus.status for one in ib.reqCompletedOrders(False)}
    assert completed == {"one": "Filled", "two": "Cancelled"}
    (fill,) = ib.reqExecutions()
    assert (fill.execution.orderRef, fill.execution.side) == ("one", "BOT")


def test_a_commission_report_comes_again_with_every_request(buy: Place, ib: Any) -> None:
    trade = buy(1.25)
    seen: list[float] = []
    trade.commissionReportEvent += lambda trade, fill, report: seen.append(report.commission)
    ib.reqExecutions()
    ib.reqExecutions()
    ib.settle()
    assert seen == [1.05, 1.05] and trade.filled() == 1


def test_quotes_are_told_as_they_change(
    market: ManualMarket, call: Contract, ib: Any, option: Option
) -> None:
    ticker = ib.reqMktData(option)
    ib.settle()
    assert (ticker.bid, ticker.ask, ticker.marketDataType) == (1.20, 1.25, 1)
    market.set_quote(call, 1.30, float("nan"), 7)
    ib.settle()
    assert (ticker.bid, ticker.bidSize, ticker.ask) == (1.30, 7, -1)
    ib.cancelMktData(option)


def test_orders_lapse_and_options_leave_at_the_close(
    gateway: SimulatedGateway, market: ManualMarket, buy: Place, ib: Any
) -> None:
    buy(1.25, 2)
    resting = buy(1.10, orderRef="resting")
    market.set_spot(601.0)
    market.set_time(market.session.close_ns)
    ib.settle()
    (held,) = ib.positions()
    assert resting.orderStatus.status == "Cancelled" and held.contract.secType == "STK"
    assert (held.position, held.avgCost) == (200, 600.0)
    assert gateway.order("resting").ended == "Expired at the close"
    assert gateway.cash() == pytest.approx(100_000 - 250 - 1.40 - 200 * 600)


def test_an_order_before_the_open_is_held_with_399(
    market: ManualMarket, buy: Place, ib: Any
) -> None:
    market.set_time(market.session.open_ns - 60_000_000_000)
    trade = buy(1.25)
    assert trade.orderStatus.status == "PreSubmitted" and codes(ib) == [399]
    market.set_time(market.session.open_ns)
    ib.settle()
    assert statuses(trade) == ["PendingSubmit", "PreSubmitted", "Submitted", "Filled"]


@pytest.mark.parametrize(
    ("right", "side", "shares"),
    [("C", "SELL", -100), ("C", "BUY", 100), ("P", "SELL", 100), ("P", "BUY", -100)],
)
def test_assignment_turns_the_option_into_shares(
    gateway: SimulatedGateway, market: ManualMarket, ib: Any, right: str, side: str, shares: int
) -> None:
    contract = market.contract(600, Right.CALL if right == "C" else Right.PUT)
    market.set_quote(contract, 1.25, 1.25)
    option = Option("SPY", "20261030", 600, right, "SMART", tradingClass="SPY")
    ib.qualifyContracts(option)
    ib.placeOrder(option, LimitOrder(side, 1, 1.25, tif="DAY", account=ACCOUNT))
    ib.settle()
    gateway.assign(contract)
    ib.settle()
    (held,) = ib.positions()
    assert (held.contract.symbol, held.contract.secType) == ("SPY", "STK")
    assert (held.position, held.avgCost) == (shares, 600.0)
    premium = 125 if side == "SELL" else -125
    assert gateway.cash() == pytest.approx(100_000 + premium - 1.05 - shares * 600)


def test_a_day_order_placed_after_the_close_is_for_the_next_session(
    tmp_path: Path, market: ManualMarket, connect: Callable[..., Any]
) -> None:
    state = tmp_path / "gateway.json"
    market.set_time(market.session.close_ns)
    with SimulatedGateway(market, state=state) as gateway:
        ib = connect(gateway)
        option = Option("SPY", "20261030", 600, "C", "SMART", tradingClass="SPY")
        ib.qualifyContracts(option)
        order = LimitOrder("BUY", 1, 1.25, tif="DAY", account=ACCOUNT, orderRef="late")
        ib.placeOrder(option, order)
        ib.settle()
        assert gateway.order("late").status is Status.PRE_SUBMITTED
        ib.disconnect()
    monday = ManualMarket(session_on(date(2026, 11, 2)), [600_000], 600.0)
    later = SimulatedGateway(monday, state=state)
    later.settle()
    assert later.order("late").alive
    monday.set_time(monday.session.close_ns)
    later.settle()
    assert later.order("late").ended == "Expired at the close"


def test_global_cancel_ends_every_order_of_everybody(
    gateway: SimulatedGateway, buy: Place, ib: Any, connect: Callable[..., Any]
) -> None:
    trade = buy(1.20)
    connect(gateway, 18).reqGlobalCancel()
    ib.settle()
    assert trade.orderStatus.status == "Cancelled"
