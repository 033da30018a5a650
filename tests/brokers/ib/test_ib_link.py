"""The link on a real socket: orders, executions, books, what-if, quotes, each exactly once."""

import dataclasses
import math
import threading
import time
from collections.abc import Iterator

import pytest
from linked import Desk, a_desk, a_market, a_put, sale, waited

from brokers.ib import wire
from brokers.ib.link import IBLink
from brokers.ib.records import (
    CommissionSeen,
    ErrorSeen,
    ExecutionSeen,
    LinkChanged,
    LinkState,
    MarginImpact,
    OrderSeen,
    OrderSent,
    OrderTicket,
    StatusSeen,
)
from brokers.ib_gateway import messages
from brokers.ib_gateway.gateway import SimulatedGateway
from brokers.ib_gateway.market import ManualMarket
from errors import BrokerError
from feeds.contract import Right


@pytest.fixture
def market() -> ManualMarket:
    return a_market()


@pytest.fixture
def gateway(market: ManualMarket) -> Iterator[SimulatedGateway]:
    with SimulatedGateway(market) as running:
        yield running


@pytest.fixture
def desk(gateway: SimulatedGateway) -> Iterator[Desk]:
    with a_desk(gateway) as up:
        yield up


def sent(desk: Desk, ref: str) -> int:
    """The order id of the newest ticket of this reference."""
    return desk.wait_for(OrderSent, lambda one: one.order_ref == ref)[-1].order_id


def place(desk: Desk, ticket: OrderTicket) -> int:
    desk.link.place(ticket)
    order_id = sent(desk, ticket.order_ref)
    desk.wait_for(OrderSeen, lambda one: one.order_id == order_id)
    return order_id


def test_an_order_goes_out_rests_is_changed_and_fills(
    gateway: SimulatedGateway, desk: Desk
) -> None:
    order_id = place(desk, sale("a", 2.40))
    desk.link.place(sale("a", 2.38, order_id=order_id))
    desk.wait_for(OrderSeen, lambda one: one.limit == 2.38)
    desk.link.place(sale("a", 2.35, order_id=order_id))
    (fill,) = desk.wait_for(ExecutionSeen, lambda one: one.order_ref == "a")
    (fee,) = desk.wait_for(CommissionSeen, lambda one: one.execution_id == fill.execution_id)
    assert (fill.side, fill.quantity, fill.price) == (-1, 1, 2.35)
    assert (fill.order_id, fill.contract, fill.account) == (order_id, a_put(), "DU1234567")
    assert fill.ts == gateway.executions[0].ts // 1_000_000_000 * 1_000_000_000
    assert fee.commission == 1.05
    assert len(gateway.orders) == 1


def test_what_is_sent_names_account_and_day_and_whole_cents(
    gateway: SimulatedGateway, desk: Desk
) -> None:
    place(desk, sale("a", 2.4000000000000004))
    order = [
        entry.fields for entry in gateway.wire if (entry.direction, entry.fields[0]) == ("in", "3")
    ][-1]
    assert {"DAY", "DU1234567", "a", "2.4", "SELL", "LMT"} <= set(order)


def test_a_sale_is_never_offered_below_what_was_said(desk: Desk) -> None:
    place(desk, sale("a", 2.391))
    assert desk.all(OrderSeen)[-1].limit == 2.40


def test_a_stop_becomes_a_limit_under_the_same_id(gateway: SimulatedGateway, desk: Desk) -> None:
    stop = OrderTicket("s", a_put(), 1, 1, stop_price=7.5, trigger_method=8)
    order_id = place(desk, stop)
    assert (desk.all(OrderSeen)[-1].order_type, desk.all(OrderSeen)[-1].stop_price) == ("STP", 7.5)
    desk.link.place(OrderTicket("s", a_put(), 1, 1, 2.40, order_id=order_id))
    (limit,) = desk.wait_for(OrderSeen, lambda one: one.order_type == "LMT")
    assert (limit.order_id, limit.limit, limit.stop_price) == (order_id, 2.40, None)
    assert len(gateway.orders) == 1


def test_a_cancel_is_told_by_status_and_proved_by_the_books(desk: Desk) -> None:
    order_id = place(desk, sale("a", 2.40))
    assert [one.order_ref for one in desk.link.books().orders] == ["a"]
    desk.link.cancel(order_id)
    desk.wait_for(StatusSeen, lambda one: one.status == "Cancelled")
    books = desk.link.books()
    assert books.orders == ()
    assert [(one.order_ref, one.status) for one in books.completed] == [("a", "Cancelled")]


@pytest.mark.parametrize("limit", [math.nan, math.inf, -1.0])
def test_a_price_that_is_none_never_leaves(
    gateway: SimulatedGateway, desk: Desk, limit: float
) -> None:
    desk.link.place(sale("bad", limit))
    (error,) = desk.wait_for(ErrorSeen, lambda one: one.order_ref == "bad")
    assert (error.order_id, error.code) == (0, 0)
    assert "not sent" in error.message
    desk.link.books()
    assert gateway.orders == []


def test_an_order_for_an_unknown_contract_never_leaves(
    gateway: SimulatedGateway, desk: Desk
) -> None:
    desk.link.place(OrderTicket("odd", a_put(999), -1, 1, 2.0))
    (error,) = desk.wait_for(ErrorSeen, lambda one: one.order_ref == "odd")
    assert "does not know" in error.message
    assert gateway.orders == []


def test_a_duplicate_execution_is_seen_twice_with_one_id(
    gateway: SimulatedGateway, desk: Desk
) -> None:
    gateway.faults.switch_on("twice")
    place(desk, sale("a", 2.35))
    first, second = desk.wait_for(ExecutionSeen, lambda one: one.order_ref == "a", count=2)
    assert first == second


def test_a_correction_is_seen_as_a_revision_of_one_execution(
    gateway: SimulatedGateway, desk: Desk
) -> None:
    gateway.faults.switch_on("corrected")
    place(desk, sale("a", 2.35))
    first, second = desk.wait_for(ExecutionSeen, lambda one: one.order_ref == "a", count=2)
    assert first.execution_id == second.execution_id
    assert (first.revision, second.revision) == (1, 2)
    assert first.price != second.price
    assert [one.revision for one in desk.link.books().executions] == [1, 2]


def test_every_message_about_orders_is_one_record(gateway: SimulatedGateway, desk: Desk) -> None:
    order_id = place(desk, sale("a", 2.40, quantity=3))
    for quantity in (1, 2):
        gateway.fill("a", quantity, 2.40)
    desk.wait_for(CommissionSeen, lambda one: True, count=2)
    desk.wait_for(StatusSeen, lambda one: one.remaining == 0)
    time.sleep(0.1)
    told = [entry.fields for entry in gateway.wire if entry.direction == "out"]
    for number, kind in (("5", OrderSeen), ("3", StatusSeen), ("11", ExecutionSeen)):
        assert len([one for one in told if one[0] == number]) == len(desk.all(kind))
    assert len([one for one in told if one[0] == "59"]) == len(desk.all(CommissionSeen))
    assert {one.order_id for one in desk.all(StatusSeen)} == {order_id}


def test_executions_asked_for_are_books_and_no_news(gateway: SimulatedGateway, desk: Desk) -> None:
    place(desk, sale("a", 2.35))
    desk.wait_for(CommissionSeen, lambda one: True)
    before = len(desk.all(ExecutionSeen))
    books = desk.link.books()
    assert len(books.executions) == 1
    assert [one.commission for one in books.commissions] == [1.05]
    assert len(desk.all(ExecutionSeen)) == before


def test_the_trade_of_a_person_is_nobodys_order_id(gateway: SimulatedGateway, desk: Desk) -> None:
    gateway.manual_trade(a_put(), -1, 2, 2.30)
    books = desk.link.books()
    assert [(one.order_id, one.quantity) for one in books.executions] == [(0, 2)]
    assert [(one.contract, one.quantity) for one in books.positions] == [(a_put(), -2.0)]


def test_shares_are_a_position_without_a_contract(gateway: SimulatedGateway, desk: Desk) -> None:
    gateway.manual_trade(a_put(), -1, 1, 2.30)
    gateway.assign(a_put())
    (held,) = desk.link.books().positions
    assert (held.contract, held.symbol, held.security, held.quantity) == (None, "SPY", "STK", 100)


def test_orders_of_another_client_carry_no_id_of_ours(
    gateway: SimulatedGateway, desk: Desk
) -> None:
    with a_desk(gateway, client_id=18) as other:
        place(other, sale("theirs", 2.40))
        (seen,) = desk.link.books().orders
        assert (seen.order_ref, seen.order_id) == ("theirs", 0)


def test_the_books_tell_the_figures_of_the_account(desk: Desk) -> None:
    figures = desk.link.books().figures
    assert figures.net_liquidation == figures.cash == 100_000.0
    assert not math.isnan(figures.excess_liquidity)


def test_books_can_be_asked_for_without_waiting(desk: Desk) -> None:
    assert desk.link.take_books() is None
    desk.link.ask_books()
    books = waited(desk.link.take_books)
    assert not isinstance(books, BrokerError)
    assert books.account == "DU1234567"
    assert desk.link.take_books() is None


def test_books_that_do_not_come_are_an_error_not_empty(gateway: SimulatedGateway) -> None:
    with a_desk(gateway, answer_seconds=0.4) as desk:
        gateway.faults.switch_on("silent")
        with pytest.raises(BrokerError, match=r"has not answered|not complete"):
            desk.link.books()


def test_a_what_if_tells_margin_and_places_nothing(gateway: SimulatedGateway, desk: Desk) -> None:
    impact = desk.link.what_if(sale("w", 2.40))
    assert impact.initial_change > 10_000
    assert impact.commission > 0
    assert impact.refused == ""
    assert gateway.orders == []


def test_a_what_if_can_be_asked_for_without_waiting(desk: Desk) -> None:
    desk.link.ask_what_if(sale("w", 2.40))
    impact = waited(lambda: desk.link.take_what_if("w"))
    assert isinstance(impact, MarginImpact)
    assert desk.link.take_what_if("w") is None


def test_ibs_no_to_a_what_if_is_told_in_its_words(gateway: SimulatedGateway, desk: Desk) -> None:
    gateway.faults.switch_on("read-only")
    assert "read-only" in desk.link.what_if(sale("w", 2.40)).refused.lower()


def test_a_rejected_order_is_told_with_code_and_words(
    gateway: SimulatedGateway, desk: Desk
) -> None:
    gateway.faults.switch_on("201")
    desk.link.place(sale("a", 2.40))
    (error,) = desk.wait_for(ErrorSeen, lambda one: one.code == 201)
    assert error.order_id == sent(desk, "a")
    assert "margin" in error.message.lower()


def test_quotes_of_watched_contracts_come_and_age_by_market_time(
    market: ManualMarket, desk: Desk
) -> None:
    put = a_put()
    assert desk.link.quote(put) is None
    desk.link.watch(put)
    quote = waited(lambda: desk.link.quote(put))
    waited(lambda: (desk.link.quote(put) or quote).ask == 2.45)
    market.set_quote(put, 2.36, 2.47, 5)
    waited(lambda: (desk.link.quote(put) or quote).ask == 2.47)
    quote = waited(lambda: desk.link.quote(put))
    assert (quote.bid, quote.ask, quote.bid_size, quote.source) == (2.36, 2.47, 5, "ib")
    desk.now += 7_000_000_000
    assert dataclasses.replace(quote, age_seconds=7.0) == desk.link.quote(put)
    desk.link.unwatch(put)
    waited(lambda: desk.link.quote(put) is None)


def test_delayed_quotes_are_never_young(gateway: SimulatedGateway, desk: Desk) -> None:
    gateway.faults.switch_on("delayed")
    desk.link.watch(a_put())
    desk.wait_for(ErrorSeen, lambda one: one.code == 10167)
    quote = waited(lambda: desk.link.quote(a_put()))
    assert quote.age_seconds == math.inf


def test_a_missing_subscription_is_told_and_gives_no_quote(
    gateway: SimulatedGateway, desk: Desk
) -> None:
    gateway.faults.switch_on("354")
    desk.link.watch(a_put())
    (error,) = desk.wait_for(ErrorSeen, lambda one: one.code == 354)
    assert "SPY 2026-10-30 628 PUT" in error.message
    quote = desk.link.quote(a_put())
    assert quote is None or quote.age_seconds == math.inf


def test_a_cancel_does_not_wait_behind_a_chain_that_is_qualified(
    gateway: SimulatedGateway, desk: Desk
) -> None:
    order_id = place(desk, sale("a", 2.40))
    desk.link.qualify([a_put(strike) for strike in range(600, 660)])
    time.sleep(0.3)
    began = time.monotonic()
    desk.link.cancel(order_id)
    desk.wait_for(StatusSeen, lambda one: one.status == "Cancelled")
    assert time.monotonic() - began < 0.8
    asked = [entry for entry in gateway.wire if entry.direction == "in" and entry.fields[0] == "9"]
    assert len(asked) < 60


def test_a_qualified_contract_is_asked_for_once(gateway: SimulatedGateway, desk: Desk) -> None:
    desk.link.qualify([a_put(), a_put()])
    place(desk, sale("a", 2.40))
    place(desk, sale("b", 2.41))
    asked = [entry for entry in gateway.wire if entry.direction == "in" and entry.fields[0] == "9"]
    assert len(asked) <= 2  # an order does not wait for the background's turn


def test_every_batch_of_records_wakes_the_desk(gateway: SimulatedGateway, desk: Desk) -> None:
    place(desk, sale("a", 2.40))
    before = desk.wakes
    gateway.fill("a", 1, 2.40)
    waited(lambda: desk.wakes > before)


def test_the_clocks_are_compared(desk: Desk) -> None:
    waited(lambda: not math.isnan(desk.link.skew_seconds))
    assert abs(desk.link.skew_seconds) < 1.5


def test_any_thread_may_use_the_link(gateway: SimulatedGateway, desk: Desk) -> None:
    failures: list[BaseException] = []

    def use(number: int) -> None:
        try:
            desk.link.books()
            desk.link.place(sale(f"t{number}", 2.40))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=use, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    waited(lambda: len(gateway.orders) == 4)
    assert len({order.order_id for order in gateway.orders}) == 4


def test_waiting_in_the_links_own_thread_is_refused_and_never_hangs(
    gateway: SimulatedGateway,
) -> None:
    said: list[BrokerError] = []

    class Meddler(Desk):
        def _woken(self) -> None:
            try:
                self.link.books()
            except BrokerError as error:
                said.append(error)

    desk = Meddler(gateway.port)
    desk.link.start()
    desk.wait_state(LinkState.UP)
    desk.link.close()
    assert "own thread" in str(said[0])


def test_a_link_that_never_started_says_so(gateway: SimulatedGateway) -> None:
    link: IBLink = Desk(gateway.port).link
    with pytest.raises(BrokerError, match="not running"):
        link.books()
    link.place(sale("a", 2.40))
    link.cancel(3)
    assert all("not" in event.message for event in link.drain() if isinstance(event, ErrorSeen))
    link.close()


def test_closing_is_quick_may_be_repeated_and_cancels_nothing(gateway: SimulatedGateway) -> None:
    with a_desk(gateway) as desk:
        place(desk, sale("a", 2.40))
        began = time.monotonic()
        desk.link.close()
        desk.link.close()
        assert time.monotonic() - began < 5
        assert desk.link.state == LinkState.DOWN
    assert gateway.order("a").alive
    assert threading.active_count() < 20


def test_a_late_answer_is_never_taken_for_the_next_one(gateway: SimulatedGateway) -> None:
    with a_desk(gateway, answer_seconds=0.5) as desk:
        desk.link.what_if(sale("w", 2.40))
        gateway.faults.switch_on("slow=1.0")
        with pytest.raises(BrokerError):
            desk.link.books()
        gateway.faults.clear()
        place(desk, sale("later", 2.40))
        with pytest.raises(BrokerError, match="earlier request"):
            desk.link.books()  # its answer would come before the late one
        time.sleep(0.7)
        assert [one.order_ref for one in desk.link.books().orders] == ["later"]


def test_an_answer_that_never_comes_ends_the_line(
    gateway: SimulatedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "GIVE_UP_SECONDS", 0.1)
    with a_desk(gateway, answer_seconds=0.3) as desk:
        gateway.faults.switch_on("silent")
        for _ in range(2):
            with pytest.raises(BrokerError):
                desk.link.books()
        gateway.faults.clear()
        waited(lambda: [one.state for one in desk.all(LinkChanged)].count(LinkState.UP) == 2)
        assert desk.link.books().orders == ()


def test_an_execution_that_cannot_be_read_is_told_and_spoils_the_books(
    gateway: SimulatedGateway, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messages, "clock", lambda ts: "20261030 12:00:00 Moon/Base")
    place(desk, sale("a", 2.35))
    desk.wait_for(ErrorSeen, lambda one: "could not be read" in one.message)
    with pytest.raises(BrokerError, match="not complete"):
        desk.link.books()


def test_the_ticks_of_another_underlying_come_from_its_market_rule(market: ManualMarket) -> None:
    other = dataclasses.replace(a_put(), underlying="XYZ")
    with SimulatedGateway(market, underlying="XYZ") as gateway, a_desk(gateway) as desk:
        place(desk, OrderTicket("x", other, -1, 1, 2.391))
        assert desk.all(OrderSeen)[-1].limit == 2.40
        asked = [one for one in gateway.wire if (one.direction, one.fields[0]) == ("in", "91")]
        assert len(asked) == 1


def test_the_strikes_of_a_day_are_listed(desk: Desk) -> None:
    strikes = desk.link.strikes("SPY", a_put().expiration)
    assert strikes == tuple(range(600_000, 660_000, 1_000))


def test_a_call_is_another_contract_than_its_put(desk: Desk) -> None:
    call = dataclasses.replace(a_put(), right=Right.CALL)
    place(desk, OrderTicket("c", call, -1, 1, 2.50))
    (seen,) = desk.link.books().orders
    assert seen.contract == call
