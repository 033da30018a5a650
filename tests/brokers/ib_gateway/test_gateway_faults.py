"""Each fault, and what unmodified ib_insync makes of it beside the truth in the book."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ib_insync import Trade

from brokers.ib_gateway import ManualMarket, SimulatedGateway
from brokers.ib_gateway.faults import FAULTS, Faults
from brokers.ib_gateway.records import Status
from errors import SettingError
from feeds.contract import Contract

Place = Callable[..., Trade]


def codes(ib: Any) -> list[int]:
    return [code for _, code in ib.errors if code < 2100 or code > 2199]


def change(ib: Any, trade: Trade, limit: float) -> None:
    trade.order.lmtPrice = limit
    ib.placeOrder(trade.contract, trade.order)
    ib.settle()


def test_a_new_order_refused_by_201_looks_cancelled_then_inactive_and_is_dead(
    gateway: SimulatedGateway, buy: Place
) -> None:
    gateway.faults.switch_on("201=1")
    trade = buy(1.25)
    assert [entry.status for entry in trade.log][-2:] == ["Cancelled", "Inactive"]
    assert not trade.isDone() and gateway.order("entry").status is Status.INACTIVE
    assert buy(1.25, orderRef="next").orderStatus.status == "Filled"


def test_a_new_order_refused_by_110_is_pending_for_ever_and_not_in_the_book(
    gateway: SimulatedGateway, buy: Place, ib: Any
) -> None:
    gateway.faults.switch_on("110")
    trade = buy(1.25)
    assert trade.orderStatus.status == "PendingSubmit" and trade.isActive()
    assert gateway.orders == [] and codes(ib) == [110]


def test_a_rejection_by_status_alone_is_inactive_without_an_error(
    gateway: SimulatedGateway, buy: Place, ib: Any
) -> None:
    gateway.faults.switch_on("inactive")
    assert buy(1.25).orderStatus.status == "Inactive" and codes(ib) == []


@pytest.mark.parametrize(
    ("fault", "status", "done"),
    [
        ("modify-201", "Cancelled", True),
        ("modify-105", "Cancelled", True),
        ("modify-110", "Submitted", False),
        ("modify-2102", "Submitted", False),
    ],
)
def test_a_refused_change_leaves_the_order_alive_whatever_the_library_says(
    gateway: SimulatedGateway, buy: Place, ib: Any, fault: str, status: str, done: bool
) -> None:
    gateway.faults.switch_on(fault)
    trade = buy(1.20)
    change(ib, trade, 1.21)
    assert (trade.orderStatus.status, trade.isDone()) == (status, done)
    order = gateway.order("entry")
    assert order.status is Status.SUBMITTED and order.terms.limit == 1.20


@pytest.mark.parametrize("fault", ["10349", "cancel-161", "cancel-10147"])
def test_an_order_that_the_library_calls_cancelled_fills_later(
    gateway: SimulatedGateway,
    buy: Place,
    ib: Any,
    market: ManualMarket,
    call: Contract,
    fault: str,
) -> None:
    gateway.faults.switch_on(fault)
    trade = buy(1.20)
    if fault != "10349":
        ib.cancelOrder(trade.order)
        ib.settle()
    assert trade.orderStatus.status == "Cancelled" and trade.isDone()
    assert gateway.order("entry").alive
    market.set_quote(call, 1.10, 1.15)
    ib.settle()
    assert trade.filled() == 1 and trade.orderStatus.status == "Filled"


def test_a_warning_399_leaves_the_order_alive(gateway: SimulatedGateway, buy: Place) -> None:
    gateway.faults.switch_on("399")
    assert buy(1.20).orderStatus.status == "Submitted"


def test_a_cancel_that_is_never_answered_stays_pending(
    gateway: SimulatedGateway, buy: Place, ib: Any
) -> None:
    gateway.faults.switch_on("cancel-ignored")
    trade = buy(1.20)
    ib.cancelOrder(trade.order)
    ib.settle()
    assert trade.orderStatus.status == "PendingCancel" and not trade.isDone()
    assert gateway.order("entry").alive


def test_a_cancel_that_loses_the_race_is_a_fill_and_10148(
    gateway: SimulatedGateway, buy: Place, ib: Any
) -> None:
    gateway.faults.switch_on("cancel-10148")
    trade = buy(1.20)
    ib.cancelOrder(trade.order)
    ib.settle()
    assert trade.orderStatus.status == "Filled" and trade.filled() == 1
    assert codes(ib) == [10148]


def test_fills_by_status_alone_have_no_event_and_are_found_by_request(
    gateway: SimulatedGateway, buy: Place, ib: Any
) -> None:
    gateway.faults.switch_on("no-details")
    trade = buy(1.25)
    assert trade.orderStatus.status == "Filled" and trade.fills == []
    (fill,) = ib.reqExecutions()
    assert fill.execution.shares == 1 and trade.filled() == 1


def test_fills_by_executions_alone_leave_the_status_behind(
    gateway: SimulatedGateway, buy: Place
) -> None:
    gateway.faults.switch_on("no-status")
    trade = buy(1.25)
    assert trade.orderStatus.status == "Submitted" and trade.isActive()
    assert trade.filled() == 1 and gateway.order("entry").status is Status.FILLED


def test_filled_may_come_before_the_execution(gateway: SimulatedGateway, buy: Place) -> None:
    gateway.faults.switch_on("filled-first")
    trade = buy(1.25)
    messages = [(entry.status, entry.message) for entry in trade.log]
    assert messages[-2:] == [("Filled", ""), ("Filled", "Fill 1.0@1.25")]


def test_an_execution_that_comes_twice_is_counted_once(
    gateway: SimulatedGateway, buy: Place
) -> None:
    gateway.faults.switch_on("twice")
    trade = buy(1.25)
    assert trade.filled() == 1
    assert sum(one.fields[0] == "11" for one in gateway.wire) == 2


def test_a_corrected_execution_is_counted_twice_by_the_library(
    gateway: SimulatedGateway, buy: Place, ib: Any
) -> None:
    gateway.faults.switch_on("corrected")
    trade = buy(1.25)
    assert trade.filled() == 2
    ids = [fill.execution.execId for fill in trade.fills]
    assert [one[-3:] for one in ids] == [".01", ".02"] and ids[0][:-3] == ids[1][:-3]
    (held,) = ib.positions()
    assert held.position == 1 and held.avgCost == pytest.approx(126 + 1.05)
    assert gateway.cash() == pytest.approx(100_000 - 126 - 1.05)


def test_commissions_may_be_late_or_never_come(
    gateway: SimulatedGateway, buy: Place, ib: Any
) -> None:
    gateway.faults.switch_on("late-commission=0.2")
    late = buy(1.25, orderRef="late")
    while not late.fills[0].commissionReport.execId:
        ib.sleep(0.02)
    sent = {one.fields[0]: one.at for one in gateway.wire if one.direction == "out"}
    assert sent["59"] - sent["11"] >= 0.2
    gateway.faults.switch_on("no-commission")
    never = buy(1.25, orderRef="never")
    ib.reqExecutions()
    ib.settle()
    assert never.fills[0].commissionReport.execId == ""


def test_an_order_without_acknowledgement_is_pending_and_fills(
    gateway: SimulatedGateway, buy: Place, ib: Any
) -> None:
    gateway.faults.switch_on("unacknowledged=1")
    trade = buy(1.25)
    assert trade.orderStatus.status == "PendingSubmit" and trade.fills == []
    (fill,) = ib.reqExecutions()
    assert fill.execution.orderRef == "entry"


def test_a_living_order_killed_by_201_is_not_done(
    gateway: SimulatedGateway, buy: Place, ib: Any
) -> None:
    trade = buy(1.20)
    gateway.kill("entry")
    ib.settle()
    assert [entry.status for entry in trade.log][-2:] == ["Cancelled", "Inactive"]
    assert not trade.isDone() and not gateway.order("entry").alive


def test_one_lot_fills_and_the_rest_stays(
    gateway: SimulatedGateway, buy: Place, ib: Any, market: ManualMarket, call: Contract
) -> None:
    gateway.faults.switch_on("one-lot")
    trade = buy(1.25, 3)
    market.set_quote(call, 1.10, 1.15)
    ib.settle()
    assert trade.filled() == 1 and gateway.order("entry").remaining == 2


def test_fills_are_held_and_made_by_hand(gateway: SimulatedGateway, buy: Place, ib: Any) -> None:
    gateway.hold_fills()
    trade = buy(1.25, 2)
    assert trade.filled() == 0
    gateway.fill("entry", 1, 1.23)
    ib.settle()
    assert trade.filled() == 1 and trade.orderStatus.avgFillPrice == 1.23
    gateway.hold_fills(False)
    ib.settle()
    assert trade.orderStatus.status == "Filled"
    with pytest.raises(SettingError, match="no 1 contracts"):
        gateway.fill("entry", 1, 1.23)


def test_a_person_trades_beside_us(
    gateway: SimulatedGateway, call: Contract, ib: Any, option: Any
) -> None:
    gateway.manual_trade(call, 1, 3, 1.25)
    ib.settle()
    (held,) = ib.positions()
    (fill,) = ib.reqExecutions()
    assert held.position == 3 and fill.execution.orderId == 0 and fill.execution.clientId == 0


def test_a_correction_by_hand_needs_an_execution(gateway: SimulatedGateway, buy: Place) -> None:
    buy(1.25)
    better = gateway.correct(gateway.executions[0].execution_id, 1.20)
    assert better.execution_id.endswith(".02") and gateway.order("entry").average_price == 1.20
    with pytest.raises(SettingError, match="no execution"):
        gateway.correct("nonsense", 1.0)


def test_market_data_may_be_refused_or_delayed(
    gateway: SimulatedGateway, ib: Any, option: Any
) -> None:
    gateway.faults.switch_on("354=1", "delayed")
    ib.reqMktData(option)
    ib.settle()
    assert codes(ib) == [354]
    ib.cancelMktData(option)
    ticker = ib.reqMktData(option)
    ib.settle()
    assert codes(ib) == [354, 10167] and ticker.marketDataType == 3 and ticker.bid == 1.20


@pytest.mark.parametrize("words", ["nonsense", "slow", "slow=x", "201=-1"])
def test_a_fault_that_is_none_is_refused(words: str) -> None:
    faults = Faults(["201=2"])
    with pytest.raises(SettingError, match="fault"):
        faults.switch_on(words)
    assert faults.names == ["201"]


def test_a_counted_fault_ends_by_itself() -> None:
    faults = Faults(["201=2", "held"])
    assert [faults.strikes("201") for _ in range(3)] == [True, True, False]
    faults.clear("held")
    assert faults.names == []


def test_the_documentation_has_every_fault() -> None:
    page = (Path(__file__).parents[3] / "docs" / "ib-gateway.md").read_text()
    for name, what in FAULTS.items():
        assert f"| `{name}` | {what} |" in page
