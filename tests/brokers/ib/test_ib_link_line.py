"""The line itself: guard, loss, half-open, restart, 326, 1100 to 1102; nothing sent unasked."""

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from linked import Desk, a_desk, a_market, a_put, sale, waited

from brokers.ib import line
from brokers.ib.handshake import GATEWAY_10_50, server_version_of
from brokers.ib.records import (
    AccountRule,
    ErrorSeen,
    LinkChanged,
    LinkState,
    OrderSeen,
    OrderSent,
    StatusSeen,
)
from brokers.ib_gateway import dispatch
from brokers.ib_gateway.gateway import SimulatedGateway
from errors import BrokerError, GatewayUnreachableError


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[SimulatedGateway]:
    with SimulatedGateway(a_market(), state=tmp_path / "gateway") as running:
        yield running


def states(desk: Desk) -> list[LinkState]:
    return [one.state for one in desk.all(LinkChanged)]


def resting(desk: Desk, ref: str = "a") -> int:
    """The id of a sale that rests."""
    desk.link.place(sale(ref, 2.40))
    (seen,) = desk.wait_for(OrderSeen, lambda one: one.order_ref == ref and one.order_id)
    return seen.order_id


def asked(gateway: SimulatedGateway, number: str) -> list[object]:
    """The requests of a kind that the gateway received."""
    return [one for one in gateway.wire if (one.direction, one.fields[0]) == ("in", number)]


def a_free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def refused(gateway: SimulatedGateway, rule: AccountRule) -> str:
    """The words of a refusal, after looking that nothing was asked and nobody tries again."""
    desk = Desk(gateway.port, rule)
    desk.link.start()
    try:
        desk.wait_state(LinkState.REFUSED)
        desk.link.place(sale("never", 2.40))
        desk.wait_for(ErrorSeen, lambda one: one.order_ref == "never")
        with pytest.raises(BrokerError):
            desk.link.books()
        time.sleep(2.5 * line.FIRST_RETRY_SECONDS)
        logins = [entry for entry in gateway.wire if entry.fields[0] == "71"]
        assert len(logins) == 1
        assert gateway.orders == []
        return desk.link.line
    finally:
        desk.link.close()


def test_paper_accounts_are_let_in(gateway: SimulatedGateway) -> None:
    for name in ("DU7", "DF9"):
        gateway.set_accounts(name)
        with a_desk(gateway) as desk:
            assert desk.link.account == name


def test_a_live_looking_account_is_refused_before_any_order(gateway: SimulatedGateway) -> None:
    gateway.set_accounts("U1234567")
    assert "U1234567 is no paper account" in refused(gateway, AccountRule())


def test_a_live_account_among_paper_ones_is_refused(gateway: SimulatedGateway) -> None:
    gateway.set_accounts("DU1", "U2")
    assert "U2" in refused(gateway, AccountRule(account="DU1"))


def test_several_accounts_need_a_name(gateway: SimulatedGateway) -> None:
    gateway.set_accounts("DU1", "DU2")
    assert "DU1, DU2" in refused(gateway, AccountRule())
    with a_desk(gateway, AccountRule(account="DU2")) as desk:
        resting(desk)
        assert desk.link.books().account == "DU2"
        assert gateway.order("a").account == "DU2"


def test_a_named_live_account_is_let_in_and_no_other(gateway: SimulatedGateway) -> None:
    gateway.set_accounts("U1")
    assert "U2" in refused(gateway, AccountRule(allow_live="U2"))
    with a_desk(gateway, AccountRule(allow_live="U1")) as desk:
        assert desk.link.account == "U1"


@pytest.mark.parametrize("name", ["U1234567", "DU9999999"])
def test_another_account_after_a_reconnect_is_refused_for_good(
    gateway: SimulatedGateway, name: str
) -> None:
    with a_desk(gateway) as desk:
        gateway.set_accounts(name)
        gateway.drop()
        desk.wait_state(LinkState.REFUSED)
        desk.link.place(sale("never", 2.40))
        desk.wait_for(ErrorSeen, lambda one: one.order_ref == "never")
        assert name in desk.link.line
    assert gateway.orders == []


def test_nobody_listening_is_told_with_the_port_and_what_to_start() -> None:
    desk = Desk(a_free_port())
    desk.link.start()
    waited(lambda: LinkState.DOWN in states(desk))
    assert f"{desk.link.settings.port}" in desk.link.line
    assert "IB Gateway" in desk.link.line
    desk.link.close()


def test_what_is_no_gateway_is_told(gateway: SimulatedGateway) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        desk = Desk(mute.getsockname()[1], answer_seconds=0.3)
        desk.link.start()
        waited(lambda: LinkState.DOWN in states(desk))
        assert "log us in" in desk.link.line
        desk.link.close()


def test_the_link_waits_for_a_gateway_that_starts_later(gateway: SimulatedGateway) -> None:
    gateway.faults.switch_on("refused")
    time.sleep(0.1)
    desk = Desk(gateway.port)
    desk.link.start()
    waited(lambda: LinkState.DOWN in states(desk))
    gateway.faults.clear()
    desk.wait_state(LinkState.UP)
    desk.link.close()


def test_a_client_id_in_use_is_told_and_waited_for(gateway: SimulatedGateway) -> None:
    with a_desk(gateway):
        second = Desk(gateway.port)
        second.link.start()
        waited(lambda: "client id 17 is in use" in second.link.line)
    second.wait_state(LinkState.UP)
    second.link.close()


def test_an_id_held_after_a_drop_is_waited_for_with_the_same_id(gateway: SimulatedGateway) -> None:
    with a_desk(gateway) as desk:
        gateway.faults.switch_on("id-held=0.7")
        gateway.drop()
        waited(lambda: "in use" in desk.link.line)
        desk.wait_state(LinkState.UP)
        assert gateway.clients == [17]


def test_a_dropped_line_comes_back_and_says_to_reconcile(gateway: SimulatedGateway) -> None:
    with a_desk(gateway) as desk:
        order_id = resting(desk)
        gateway.drop()
        gateway.fill("a", 1, 2.40)
        waited(lambda: states(desk)[-2:] == [LinkState.DOWN, LinkState.UP])
        books = desk.link.books()
        assert [(one.order_ref, one.order_id) for one in books.executions] == [("a", order_id)]


def test_a_ticket_of_before_a_loss_is_never_sent_after_it(gateway: SimulatedGateway) -> None:
    with a_desk(gateway) as desk:
        resting(desk, "first")
        gateway.restart(0.4)
        desk.wait_state(LinkState.DOWN)
        desk.link.place(sale("late", 2.40))
        (error,) = desk.wait_for(ErrorSeen, lambda one: one.order_ref == "late")
        assert "not sent" in error.message
        desk.wait_state(LinkState.UP)
        assert [one.order_ref for one in desk.link.books().orders] == ["first"]


def test_an_order_that_was_still_held_when_the_line_came_back_is_not_sent(
    gateway: SimulatedGateway,
) -> None:
    with a_desk(gateway) as desk:
        gateway.faults.switch_on("slow=0.5")
        desk.link.place(sale("held", 2.40))  # its contract has to be asked for first
        waited(lambda: asked(gateway, "9"))
        gateway.faults.clear()
        gateway.say(1102, "Connectivity has been restored.")
        (error,) = desk.wait_for(ErrorSeen, lambda one: one.order_ref == "held")
        assert "reconcile first" in error.message
        assert gateway.orders == []


@pytest.mark.parametrize(("fault", "arrived"), [("lost-before", False), ("lost-after", True)])
def test_a_cut_while_an_order_travels_resends_nothing(
    gateway: SimulatedGateway, fault: str, arrived: bool
) -> None:
    with a_desk(gateway) as desk:
        desk.link.what_if(sale("w", 2.40))  # the contract is known: the order leaves at once
        gateway.faults.switch_on(f"{fault}=1")
        desk.link.place(sale("a", 2.40))
        desk.wait_for(OrderSent, lambda one: one.order_ref == "a")
        waited(lambda: states(desk)[-2:] == [LinkState.DOWN, LinkState.UP])
        refs = [one.order_ref for one in desk.link.books().orders]
        assert refs == (["a"] if arrived else [])
        assert len(gateway.orders) == int(arrived)


def test_no_order_id_is_used_twice_even_when_the_first_never_arrived(
    gateway: SimulatedGateway,
) -> None:
    with a_desk(gateway) as desk:
        desk.link.what_if(sale("w", 2.40))
        gateway.faults.switch_on("lost-before=1")
        desk.link.place(sale("lost", 2.40))
        waited(lambda: states(desk)[-2:] == [LinkState.DOWN, LinkState.UP])
        resting(desk, "next")
        ids = [one.order_id for one in desk.all(OrderSent)]
        assert len(set(ids)) == 2
        assert ids == sorted(ids)


def test_a_half_open_line_is_noticed_by_its_silence(gateway: SimulatedGateway) -> None:
    with a_desk(gateway, silence_seconds=0.6) as desk:
        time.sleep(0.8)
        assert states(desk)[-1] == LinkState.UP  # a quiet line with a heartbeat lives
        gateway.faults.switch_on("half-open")
        began = time.monotonic()
        desk.wait_state(LinkState.DOWN)
        assert time.monotonic() - began < 1.5
        assert "silent" in desk.link.line


def test_a_restart_of_the_gateway_keeps_orders_and_the_link_returns(
    gateway: SimulatedGateway,
) -> None:
    with a_desk(gateway) as desk:
        order_id = resting(desk)
        gateway.restart(0.8)
        desk.wait_state(LinkState.DOWN)
        desk.wait_state(LinkState.UP)
        assert [one.order_ref for one in desk.link.books().orders] == ["a"]
        desk.link.cancel(order_id)
        desk.wait_for(StatusSeen, lambda one: one.status == "Cancelled")


@pytest.mark.parametrize("lost", [1100, 2110])
@pytest.mark.parametrize("back", [1101, 1102])
def test_while_the_gateway_has_lost_ib_nothing_is_sent(
    gateway: SimulatedGateway, lost: int, back: int
) -> None:
    with a_desk(gateway) as desk:
        resting(desk)
        desk.link.watch(a_put())
        waited(lambda: desk.link.quote(a_put()))
        gateway.lose_ib(lost)
        desk.wait_state(LinkState.BROKEN_BEYOND)
        desk.link.place(sale("meanwhile", 2.40))
        desk.wait_for(ErrorSeen, lambda one: one.order_ref == "meanwhile")
        with pytest.raises(BrokerError, match="broken beyond"):
            desk.link.books()
        gateway.fill("a", 1, 2.40)
        gateway.restore_ib(back)
        desk.wait_state(LinkState.UP)
        assert [one.order_ref for one in desk.link.books().executions] == ["a"]
        assert [order.terms.order_ref for order in gateway.orders] == ["a"]
        subscribed = 2 if back == 1101 else 1
        waited(lambda: len(asked(gateway, "1")) == subscribed)
        waited(lambda: desk.link.quote(a_put()))


def test_a_gateway_that_has_lost_ib_is_not_up_however_often_we_connect(
    gateway: SimulatedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    with a_desk(gateway) as desk:
        gateway.lose_ib()
        desk.wait_state(LinkState.BROKEN_BEYOND)
        monkeypatch.setattr(dispatch, "FARMS", ())
        gateway.drop()
        waited(lambda: states(desk)[-2:] == [LinkState.DOWN, LinkState.BROKEN_BEYOND])
        desk.link.place(sale("meanwhile", 2.40))
        desk.wait_for(ErrorSeen, lambda one: one.order_ref == "meanwhile")
        gateway.restore_ib()
        desk.wait_state(LinkState.UP)
        desk.link.books()


def test_a_gateway_without_ib_at_the_login_is_not_up(
    gateway: SimulatedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "FARMS", ((2110, "Connectivity to the server is broken."),))
    desk = Desk(gateway.port)
    desk.link.start()
    desk.wait_state(LinkState.BROKEN_BEYOND)
    assert LinkState.UP not in states(desk)
    gateway.restore_ib()
    desk.wait_state(LinkState.UP)
    desk.link.close()


def test_a_new_gateway_that_finds_its_farms_ends_the_old_ones_trouble(
    gateway: SimulatedGateway,
) -> None:
    with a_desk(gateway) as desk:
        gateway.lose_ib()
        desk.wait_state(LinkState.BROKEN_BEYOND)
        gateway.restart(0.3)
        desk.wait_state(LinkState.UP)
        assert states(desk)[-2] in (LinkState.DOWN, LinkState.BROKEN_BEYOND)


def test_quotes_go_with_the_line_and_come_back_with_it(gateway: SimulatedGateway) -> None:
    with a_desk(gateway) as desk:
        desk.link.watch(a_put())
        waited(lambda: desk.link.quote(a_put()))
        gateway.restart(0.3)
        desk.wait_state(LinkState.DOWN)
        assert desk.link.quote(a_put()) is None
        desk.wait_state(LinkState.UP)
        waited(lambda: desk.link.quote(a_put()))


def test_contracts_named_before_the_line_is_up_are_qualified_then(
    gateway: SimulatedGateway,
) -> None:
    gateway.faults.switch_on("refused")
    time.sleep(0.1)
    desk = Desk(gateway.port)
    desk.link.start()
    desk.link.qualify([a_put()])
    waited(lambda: LinkState.DOWN in states(desk))
    gateway.faults.clear()
    waited(lambda: asked(gateway, "9"))
    assert desk.all(ErrorSeen) == [] or all(one.code for one in desk.all(ErrorSeen))
    desk.link.close()


def test_read_only_mode_is_told_in_words_and_at_once(gateway: SimulatedGateway) -> None:
    gateway.faults.switch_on("read-only")
    with a_desk(gateway) as desk:
        began = time.monotonic()
        with pytest.raises(BrokerError, match="Read-Only API"):
            desk.link.books()
        assert time.monotonic() - began < 2
        assert desk.link.is_read_only


def test_a_line_cut_during_the_books_is_an_error(gateway: SimulatedGateway) -> None:
    with a_desk(gateway) as desk:
        gateway.faults.switch_on("slow=0.5")
        threading.Timer(0.2, gateway.drop).start()
        with pytest.raises(BrokerError, match="line"):
            desk.link.books()


def test_the_gateways_own_version_is_found_without_logging_in() -> None:
    with SimulatedGateway(a_market(), server_version=GATEWAY_10_50) as gateway:
        assert server_version_of("127.0.0.1", gateway.port) == GATEWAY_10_50
        assert gateway.clients == []


def test_a_port_without_a_gateway_has_no_version() -> None:
    with pytest.raises(GatewayUnreachableError, match="nothing answers"):
        server_version_of("127.0.0.1", a_free_port())
    with socket.create_server(("127.0.0.1", 0)) as mute, pytest.raises(BrokerError):
        server_version_of("127.0.0.1", mute.getsockname()[1], 0.2)
