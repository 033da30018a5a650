"""IBBroker over a real socket: entries, exits, the native stop, what the strategy hears."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from backtrader.order import SellOrder
from ib_desk import PUT_628, Condition, Desk, manual_market, suggestion, their_position

from brokers.ib_gateway import ManualMarket, SimulatedGateway
from brokers.ib_gateway.records import Holding
from brokers.journal.reader import JournalReader
from vocabulary import ExitReason


@pytest.fixture
def quotes() -> ManualMarket:
    return manual_market()


@pytest.fixture
def gateway(quotes: ManualMarket) -> Iterator[SimulatedGateway]:
    with SimulatedGateway(quotes) as made:
        yield made


@pytest.fixture
def desk(gateway: SimulatedGateway, quotes: ManualMarket, tmp_path: Path) -> Desk:
    return Desk(gateway.port, tmp_path, quotes)


def test_a_filled_entry_is_told_in_backtraders_order_and_gets_its_stop(
    desk: Desk, gateway: SimulatedGateway
) -> None:
    def script(desk: Desk) -> Iterator[Condition]:
        desk.enter()
        yield lambda: "Accepted" in desk.statuses()
        desk.market.set_quote(PUT_628, 2.40, 2.50)
        yield lambda: desk.held() == -1
        yield lambda: desk.orders("stop") and desk.orders("stop")[0].can_act
        yield desk.is_charged

    desk.run(script)
    assert desk.statuses()[:3] == ["Submitted", "Accepted", "Completed"]
    (stop,) = desk.orders("stop")
    assert stop.ticket.stop_price == pytest.approx(9.0) and stop.ticket.quantity == 1
    assert their_position(gateway) == -1
    assert desk.broker.getcash() == pytest.approx(80_000 + 240 - 1.05)


def test_a_commission_that_comes_later_replaces_the_fill(
    desk: Desk, gateway: SimulatedGateway
) -> None:
    gateway.faults.switch_on("late-commission=0.3")

    def script(desk: Desk) -> Iterator[Condition]:
        yield from entered(desk)
        yield lambda: desk.broker.ledger.fill(next(iter(desk.orders("entry")[0].executions))).fee

    desk.run(script)
    fills = [fill for _, made, _ in desk.news for fill in made if made]
    assert fills[0].fee == 0.0 and fills[-1].fee == pytest.approx(1.05)
    assert fills[0].execution_id == fills[-1].execution_id
    assert desk.broker.getcash() == pytest.approx(80_000 + 100 * fills[-1].price - 1.05)


def entered(desk: Desk, quantity: int = 1) -> Iterator[Condition]:
    """Sell, have the market come to the limit, wait until the stop works."""
    desk.enter(suggestion(quantity))
    desk.market.set_quote(PUT_628, 2.40, 2.50)
    yield lambda: desk.held() == -quantity
    yield lambda: desk.orders("stop") and desk.is_calm()


def test_an_entry_walks_tick_by_tick_to_its_worst_price_and_no_further(
    desk: Desk, gateway: SimulatedGateway
) -> None:
    desk.market.set_quote(PUT_628, 2.20, 2.60)
    limits: list[float] = []

    def script(desk: Desk) -> Iterator[Condition]:
        desk.enter(suggestion(worst=2.37))
        yield lambda: desk.orders("entry") and desk.orders("entry")[0].can_act
        for _ in range(6):
            limits.append(desk.orders("entry")[0].ticket.limit or 0)
            desk.clock.pass_seconds(3.1)
            yield desk.turns(12)
            yield desk.is_calm

    desk.run(script)
    assert limits == [2.40, 2.39, 2.38, 2.37, 2.37, 2.37]
    assert len(gateway.orders) == 1


def test_an_exit_turns_the_native_stop_into_its_limit_and_never_adds_an_order(
    desk: Desk, gateway: SimulatedGateway
) -> None:
    def script(desk: Desk) -> Iterator[Condition]:
        yield from entered(desk)
        desk.leave()
        yield desk.flat

    desk.run(script)
    assert len(gateway.orders) == 2 and their_position(gateway) == 0
    assert desk.statuses()[-2:] == ["Completed", "Completed"] or "Completed" in desk.statuses()
    assert desk.broker.halted == "" and not desk.broker.working()


def test_an_exit_climbs_the_ladder_until_flat(desk: Desk, gateway: SimulatedGateway) -> None:
    seen: list[float] = []

    def script(desk: Desk) -> Iterator[Condition]:
        yield from entered(desk)
        gateway.hold_fills()
        desk.market.set_quote(PUT_628, 2.00, 2.20)
        desk.leave()
        for _ in range(5):
            yield desk.turns(12)
            yield desk.is_calm
            seen.append(desk.orders("stop")[0].ticket.limit or 0)
            desk.clock.pass_seconds(4.0)
        gateway.hold_fills(False)
        yield lambda: desk.held() == 0

    desk.run(script)
    assert seen == [2.10, 2.20, 2.31, 2.53, 2.53]


@pytest.mark.parametrize("fault", ["modify-201", "modify-105", "modify-110"])
def test_a_refused_change_is_answered_by_cancel_then_one_new_order(
    fault: str, desk: Desk, gateway: SimulatedGateway
) -> None:
    def script(desk: Desk) -> Iterator[Condition]:
        yield from entered(desk)
        gateway.faults.switch_on(f"{fault}=1")
        desk.leave()
        yield desk.flat

    desk.run(script)
    assert their_position(gateway) == 0
    assert [order.status for order in gateway.orders[1:]] == ["Cancelled", "Filled"]


def test_a_change_that_meets_an_order_in_process_is_tried_again(
    desk: Desk, gateway: SimulatedGateway
) -> None:
    def script(desk: Desk) -> Iterator[Condition]:
        yield from entered(desk)
        gateway.faults.switch_on("modify-2102=1")
        desk.leave()
        yield desk.flat

    desk.run(script)
    assert len(gateway.orders) == 2


def test_a_held_exit_works_from_its_time_on(desk: Desk, gateway: SimulatedGateway) -> None:
    def script(desk: Desk) -> Iterator[Condition]:
        yield from entered(desk)
        desk.leave(reason=ExitReason.TIME_EXIT, good_after=desk.clock.ts + 60_000_000_000)
        yield desk.turns(20)
        assert desk.orders("stop")[0].ticket.stop_price is not None
        desk.clock.pass_seconds(60)
        yield desk.flat

    desk.run(script)
    assert their_position(gateway) == 0


def test_the_native_stop_that_fires_is_told_as_a_stop_loss_and_ends_the_held_exit(
    desk: Desk, gateway: SimulatedGateway
) -> None:
    def script(desk: Desk) -> Iterator[Condition]:
        yield from entered(desk)
        held = desk.leave(reason=ExitReason.TIME_EXIT, good_after=desk.clock.ts + 60_000_000_000)
        desk.market.set_quote(PUT_628, 9.20, 9.40)
        yield lambda: desk.held() == 0 and not held.alive()

    desk.run(script)
    reasons = {order.info.get("exit_reason") for order in desk.told.values()}
    assert ExitReason.STOP_LOSS in reasons
    closed = [one for one in desk.told.values() if one.info.get("exit_reason") == "stop_loss"]
    assert closed[0].getstatusname() == "Completed"
    assert [one.order_ref for one in desk.orders("stop")] == [closed[0].info["order_ref"]]


def test_partial_fills_raise_the_stop_to_exactly_what_is_open(
    desk: Desk, gateway: SimulatedGateway
) -> None:
    def script(desk: Desk) -> Iterator[Condition]:
        desk.market.set_quote(PUT_628, 2.20, 2.60)
        desk.enter(suggestion(3, worst=2.40))
        for filled in (1, 2, 3):
            yield lambda: desk.orders("entry") and desk.is_calm()
            gateway.fill(desk.orders("entry")[0].order_ref, 1, 2.40)
            yield lambda done=filled: desk.held() == -done
            yield (
                lambda done=filled: (
                    desk.orders("stop") and desk.orders("stop")[0].ticket.quantity == done
                )
            )

    desk.run(script)
    assert [s for s in desk.statuses() if s in ("Partial", "Completed")][:1] == ["Partial"]
    assert len(gateway.orders) == 2
    assert desk.broker.getposition(desk.feed.contract(PUT_628)).size == -3


@pytest.mark.parametrize(
    ("fault", "status"), [("201", "Margin"), ("110", "Rejected"), ("inactive", "Rejected")]
)
def test_a_refused_entry_is_told_with_ibs_words_and_never_sent_again(
    fault: str, status: str, desk: Desk, gateway: SimulatedGateway
) -> None:
    def script(desk: Desk) -> Iterator[Condition]:
        yield from desk.prepared(suggestion())
        gateway.faults.switch_on(f"{fault}=1")
        order = desk.enter()
        yield lambda: not order.alive()
        desk.clock.pass_seconds(60)
        yield desk.turns(20)
        yield desk.is_calm

    desk.run(script)
    assert desk.statuses()[-1] == status
    assert desk.broker.halted == ""
    assert len(gateway.orders) <= 1


@pytest.mark.parametrize(
    "fault",
    [
        "10349",
        "399",
        "unacknowledged",
        "no-details",
        "no-status",
        "twice",
        "filled-first",
        "corrected",
        "no-commission",
        "lost-after=1",
    ],
)
def test_one_lot_is_one_lot_whatever_ib_says_of_it(
    fault: str, desk: Desk, gateway: SimulatedGateway
) -> None:
    def script(desk: Desk) -> Iterator[Condition]:
        yield from desk.prepared(suggestion())
        gateway.faults.switch_on(fault)
        desk.enter()
        desk.market.set_quote(PUT_628, 2.40, 2.50)
        yield lambda: desk.held() == -1
        gateway.faults.clear(fault.split("=")[0])
        yield lambda: desk.orders("stop") and desk.is_calm()
        desk.leave()
        yield desk.flat

    desk.run(script)
    assert their_position(gateway) == 0 and len(gateway.orders) == 2
    assert desk.broker.halted == ""
    assert "Canceled" not in desk.statuses() and "Rejected" not in desk.statuses()
    prices = [
        100 * fill.side * fill.price for order in desk.told.values() for fill in order.info["fills"]
    ]
    fees = sum(fill.fee for order in desk.told.values() for fill in order.info["fills"])
    assert desk.broker.getcash() == pytest.approx(80_000 - sum(prices) - fees)


def test_an_entry_lost_on_the_way_is_refused_after_reconciling_and_not_sent_again(
    desk: Desk, gateway: SimulatedGateway
) -> None:
    def script(desk: Desk) -> Iterator[Condition]:
        yield from desk.prepared(suggestion())
        gateway.faults.switch_on("lost-before=1")
        order = desk.enter()
        yield lambda: not order.alive()

    desk.run(script)
    assert desk.statuses() == ["Submitted", "Rejected"]
    assert "never arrived" in desk.news[-1][2]
    assert gateway.orders == []


@pytest.mark.parametrize("fault", ["", "cancel-161=1", "cancel-10147=1", "cancel-ignored=1"])
def test_a_cancelled_entry_is_told_when_it_is_certain(
    fault: str, desk: Desk, gateway: SimulatedGateway
) -> None:
    desk.market.set_quote(PUT_628, 2.20, 2.60)

    def script(desk: Desk) -> Iterator[Condition]:
        order = desk.enter()
        yield lambda: desk.orders("entry") and desk.orders("entry")[0].can_act
        if fault:
            gateway.faults.switch_on(fault)
        desk.broker.cancel(order, "unfilled")
        assert order.alive()
        yield lambda: not order.alive()
        assert gateway.orders[0].status == "Cancelled"

    desk.run(script)
    assert desk.statuses()[-1] == "Canceled" and desk.news[-1][2] == "unfilled"


def test_a_cancel_that_loses_the_race_is_a_fill(desk: Desk, gateway: SimulatedGateway) -> None:
    desk.market.set_quote(PUT_628, 2.20, 2.60)

    def script(desk: Desk) -> Iterator[Condition]:
        order = desk.enter()
        yield lambda: desk.orders("entry") and desk.orders("entry")[0].can_act
        gateway.faults.switch_on("cancel-10148=1")
        desk.broker.cancel(order, "unfilled")
        yield lambda: desk.held() == -1
        yield lambda: desk.orders("stop") and desk.is_calm()

    desk.run(script)
    assert "Canceled" not in desk.statuses() and desk.statuses()[-1] == "Completed"


def test_a_gateway_restart_leaves_working_orders_working(
    desk: Desk, gateway: SimulatedGateway
) -> None:
    desk.market.set_quote(PUT_628, 2.20, 2.60)

    def script(desk: Desk) -> Iterator[Condition]:
        desk.enter()
        yield lambda: desk.orders("entry") and desk.orders("entry")[0].can_act
        gateway.restart(0.5)
        yield lambda: desk.broker.halted
        gateway.fill(desk.orders("entry")[0].order_ref, 1, 2.40)
        yield lambda: desk.held() == -1
        yield lambda: desk.orders("stop") and desk.is_calm()

    desk.run(script)
    assert len(gateway.orders) == 2 and desk.broker.halted == ""


def test_a_fill_while_ib_is_away_is_found_when_it_is_back(
    desk: Desk, gateway: SimulatedGateway
) -> None:
    desk.market.set_quote(PUT_628, 2.20, 2.60)

    def script(desk: Desk) -> Iterator[Condition]:
        desk.enter()
        yield lambda: desk.orders("entry") and desk.orders("entry")[0].can_act
        gateway.lose_ib()
        yield lambda: desk.broker.halted
        gateway.fill(desk.orders("entry")[0].order_ref, 1, 2.40)
        yield desk.turns(10)
        assert desk.held() == 0
        gateway.restore_ib()
        yield lambda: desk.held() == -1
        yield lambda: desk.orders("stop") and desk.is_calm()

    desk.run(script)
    assert desk.broker.halted == ""


def test_a_trade_by_hand_halts_and_shows_both_sides_until_it_is_accepted(
    desk: Desk, gateway: SimulatedGateway
) -> None:
    def script(desk: Desk) -> Iterator[Condition]:
        yield from entered(desk)
        gateway.manual_trade(PUT_628, 1, 1, 2.50)
        desk.broker.room.ask_for_books()
        yield lambda: "books differ" in desk.broker.halted
        assert "the desk holds -1, IB holds +0" in desk.broker.halted
        yield lambda: not desk.broker.room.live()
        desk.broker.accept_books()
        yield lambda: desk.held() == 0 and desk.is_calm()
        yield lambda: desk.broker.halted == ""

    desk.run(script)
    manual = [one for one in desk.told.values() if one.info.get("exit_reason") == "manual"]
    assert manual[0].info["fills"][0].price == 2.50
    assert their_position(gateway) == 0


def test_an_assignment_is_named(desk: Desk, gateway: SimulatedGateway) -> None:
    def script(desk: Desk) -> Iterator[Condition]:
        yield from entered(desk)
        gateway.assign(PUT_628)
        desk.broker.room.ask_for_books()
        yield lambda: "assignment" in desk.broker.halted

    desk.run(script)
    assert "IB holds +100 SPY shares" in desk.broker.halted


def test_an_assignment_that_is_accepted_closes_the_position_and_says_what_it_is(
    desk: Desk, gateway: SimulatedGateway, quotes: ManualMarket, tmp_path: Path
) -> None:
    said: list[str] = []

    def script(desk: Desk) -> Iterator[Condition]:
        yield from entered(desk, 2)
        desk.market.set_spot(626.5)
        gateway.assign(PUT_628)
        desk.broker.room.ask_for_books()
        yield lambda: "assignment" in desk.broker.halted
        yield lambda: not desk.broker.room.live()
        said.extend(desk.broker.accept_books())
        yield lambda: desk.held() == 0 and desk.is_calm()
        yield lambda: desk.broker.halted == ""

    desk.run(script)
    assert "2 assigned, booked at 1.50" in said[-1] and "no execution" in said[-1]
    (made,) = (one for one in desk.told.values() if one.info.get("exit_reason") == "settlement")
    (fill,) = made.info["fills"]
    assert (fill.side, fill.quantity, fill.price, fill.fee) == (1, 2, 1.5, 0.0)
    with JournalReader(tmp_path / "journal.db") as reader:
        (intent,) = reader.rows("intents", exit_reason="settlement")
        assert "IB reports no execution" in intent["payload"]["booked"]
    again = Desk(gateway.port, tmp_path, quotes)

    def goes_on(desk: Desk) -> Iterator[Condition]:
        yield desk.is_calm
        assert desk.held() == 0 and "+200 SPY shares" in desk.broker.halted
        assert all("assigned" not in one for one in desk.broker.accept_books())
        yield lambda: desk.broker.halted == "" and desk.is_calm()

    again.run(goes_on)
    assert again.recovery.missed == 0


def test_a_position_that_is_gone_without_shares_is_never_booked(
    desk: Desk, gateway: SimulatedGateway
) -> None:
    def script(desk: Desk) -> Iterator[Condition]:
        yield from entered(desk)
        gateway.assign(PUT_628)
        core = gateway._core  # and somebody sells the shares
        shares = core.catalogue.shares.con_id
        gateway._server.do(lambda: core.ledger.hold("DU1234567", shares, Holding()))
        desk.broker.room.ask_for_books()
        yield lambda: "IB holds +0" in desk.broker.halted
        desk.broker.accept_books()
        yield lambda: desk.broker.halted == "" and desk.is_calm()

    desk.run(script)
    assert desk.held() == -1, "nobody knows what became of it"


def test_a_correction_of_a_fill_from_before_a_restart_reaches_the_strategy(
    desk: Desk, gateway: SimulatedGateway, quotes: ManualMarket, tmp_path: Path
) -> None:
    desk.run(entered)
    again = Desk(gateway.port, tmp_path, quotes)

    def script(desk: Desk) -> Iterator[Condition]:
        (entry,) = desk.orders("entry")
        (known,) = entry.executions
        yield desk.turns(3)
        gateway.correct(gateway.executions[0].execution_id, 2.41)
        desk.broker.room.ask_for_books()
        yield lambda: desk.news
        gateway.correct(gateway.executions[-1].execution_id, 2.43)
        desk.broker.room.ask_for_books()
        yield lambda: desk.broker.ledger.fill(known).price == 2.43 and len(desk.news) > 1

    again.run(script)
    assert {status for status, *_ in again.news} == {"Completed"}
    (order,) = again.told.values()
    (fill,) = order.info["fills"]
    assert fill.price == 2.43 and fill.fee == pytest.approx(1.05)
    assert order.info["restated"].price == 2.40 and not again.trades


def test_an_approved_entry_whose_quote_is_gone_by_now_is_not_sent(
    desk: Desk, gateway: SimulatedGateway
) -> None:
    def script(desk: Desk) -> Iterator[Condition]:
        wanted = suggestion()
        yield from desk.prepared(wanted)
        old = replace(desk.quote(PUT_628), age_seconds=1e4)
        desk.broker.quotes._quotes = lambda _: old
        order = desk.enter(wanted)
        yield lambda: not order.alive()

    desk.run(script)
    assert desk.statuses() == ["Submitted", "Rejected"]
    assert "gone or old" in desk.news[-1][2] and gateway.orders == []


def test_accept_takes_what_was_shown_and_nothing_that_came_after(
    desk: Desk, gateway: SimulatedGateway
) -> None:
    def script(desk: Desk) -> Iterator[Condition]:
        yield from entered(desk, 2)
        gateway.manual_trade(PUT_628, 1, 1, 2.50)
        desk.broker.room.ask_for_books()
        yield lambda: "books differ" in desk.broker.halted
        shown = desk.broker.disputes.confirmed
        gateway.manual_trade(PUT_628, 1, 1, 2.70)
        desk.broker.room.ask_for_books()
        yield lambda: len(desk.broker.disputes.latest.foreign_executions) == 2
        assert desk.broker.accept_books() == shown
        yield desk.turns(2)
        assert desk.held() == -1, "the second trade has not been seen by anybody"
        yield lambda: "2.70" in desk.broker.halted
        assert desk.broker.accept_books()
        yield lambda: desk.held() == 0 and desk.broker.halted == ""
        assert desk.broker.accept_books() == ()

    desk.run(script)


def test_too_little_excess_liquidity_is_margin_before_anything_is_sent(
    quotes: ManualMarket, tmp_path: Path
) -> None:
    with SimulatedGateway(quotes, cash=15_000.0) as gateway:
        desk = Desk(gateway.port, tmp_path, quotes)

        def script(desk: Desk) -> Iterator[Condition]:
            order = desk.enter()
            yield lambda: not order.alive()

        desk.run(script)
        assert desk.statuses()[-1] == "Margin" and "excess liquidity" in desk.news[-1][2]
        assert gateway.orders == []


def test_a_prepared_entry_is_sent_within_submit(desk: Desk, gateway: SimulatedGateway) -> None:
    def script(desk: Desk) -> Iterator[Condition]:
        wanted = suggestion()
        data = desk.feed.contract(PUT_628)
        asked = desk.broker._order(SellOrder, desk.strategy, data, 1, suggestion=wanted)
        desk.broker.prepare(asked)
        yield lambda: desk.broker.room.is_clear and desk.broker.margin.verdict(wanted, 1e9)
        assert not desk.orders("entry")
        desk.broker.submit(asked)
        assert desk.orders("entry")[0].order_ref

    desk.run(script)


def test_a_journal_that_cannot_be_written_refuses_entries(
    desk: Desk, gateway: SimulatedGateway
) -> None:
    def script(desk: Desk) -> Iterator[Condition]:
        desk.journal._tables.connection.execute("PRAGMA query_only = ON")
        order = desk.enter()
        yield lambda: not order.alive()
        assert "journal" in desk.broker.halted

    desk.run(script)
    assert desk.statuses()[-1] == "Rejected" and "journal" in desk.news[-1][2]
    assert gateway.orders == []


def test_a_tightened_stop_moves_the_native_one(desk: Desk, gateway: SimulatedGateway) -> None:
    def script(desk: Desk) -> Iterator[Condition]:
        yield from entered(desk)
        assert desk.broker.tighten_stop(9.0) != ""
        assert desk.broker.tighten_stop(4.0) == ""
        yield lambda: desk.orders("stop")[0].ticket.stop_price == 5.0 and desk.is_calm()

    desk.run(script)
    assert len(gateway.orders) == 2


def test_a_withdrawn_exit_gives_the_stop_back(desk: Desk, gateway: SimulatedGateway) -> None:
    def script(desk: Desk) -> Iterator[Condition]:
        yield from entered(desk)
        gateway.hold_fills()
        order = desk.leave()
        yield lambda: desk.orders("stop")[0].ticket.limit is not None and desk.is_calm()
        desk.broker.cancel(order, "changed my mind")
        yield lambda: desk.orders("stop")[0].ticket.stop_price is not None and desk.is_calm()

    desk.run(script)
    assert len(gateway.orders) == 2 and desk.held() == -1
