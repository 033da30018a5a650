"""Rehearsals that cannot begin: one line that says what to do, exit code 2, nothing traded."""

import os
import socket
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from brokers.ib_gateway import ManualMarket, SimulatedGateway
from desk.locks import ProcessLock, lock_account
from feeds.sessions import session_on

DAY = "2025-11-28"
MOCK = ("live", "--mock", "--date", DAY, "--broker", "ib", "--set", "live.watchdog=false")
REHEARSAL = (*MOCK, "--policy", "hold", "--rehearse")


@pytest.fixture(autouse=True)
def _own_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def gateway() -> Iterator[SimulatedGateway]:
    market = ManualMarket(session_on(date.fromisoformat(DAY)), [659_000], 659.0)
    with SimulatedGateway(market) as made:
        yield made


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((*MOCK, "--policy", "hold"), "--broker ib with --mock or --replay: say --rehearse"),
        ((*MOCK, "--rehearse"), "--broker ib needs to be told who suggests"),
        ((*REHEARSAL, "--live-account", "U1"), "a rehearsal never trades a live account"),
        (("live", "--mock", "--rehearse"), "--rehearse is the way to use --broker ib"),
        (("live", "--mock", "--live-account", "U1"), "--live-account needs --broker ib"),
    ],
)
def test_a_call_that_makes_no_sense_is_one_line(
    desk: Callable[..., Any], words: tuple[str, ...], said: str
) -> None:
    done = desk(*words)
    assert done.code == 2
    assert said in done.fault


def test_a_port_that_nobody_listens_on_is_told_at_once(desk: Callable[..., Any]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    done = desk(*REHEARSAL, "--ib-port", port)
    assert done.code == 2
    assert f"no IB Gateway at 127.0.0.1:{port}" in done.fault
    assert "--ib-port names the port (paper: 4002, TWS 7497)" in done.fault


def test_an_account_that_looks_live_is_never_rehearsed_on(
    desk: Callable[..., Any], gateway: SimulatedGateway
) -> None:
    gateway.set_accounts("U1234567")
    done = desk(*REHEARSAL, "--ib-port", gateway.port)
    assert done.code == 2
    assert "U1234567 is no paper account: log in to paper trading" in done.fault
    assert gateway.orders == []


def test_a_gateway_that_takes_no_orders_is_told_before_the_first_bar(
    desk: Callable[..., Any], gateway: SimulatedGateway
) -> None:
    gateway.faults.switch_on("read-only")
    done = desk(*REHEARSAL, "--ib-port", gateway.port)
    assert done.code == 2
    assert "clear Read-Only API" in done.fault


def test_a_second_desk_on_the_account_is_refused(
    desk: Callable[..., Any], gateway: SimulatedGateway
) -> None:
    with lock_account("DU1234567"):
        done = desk(*REHEARSAL, "--ib-port", gateway.port)
    assert done.code == 2
    assert f"DU1234567 is traded by another process already (pid {os.getpid()}" in done.fault


def test_a_second_desk_at_the_gateway_is_refused_before_it_connects(
    desk: Callable[..., Any], gateway: SimulatedGateway
) -> None:
    with ProcessLock(f"IB Gateway 127.0.0.1:{gateway.port} client 17"):
        done = desk(*REHEARSAL, "--ib-port", gateway.port)
    assert done.code == 2
    assert f"traded by another process already (pid {os.getpid()}" in done.fault
    assert gateway.wire == []
