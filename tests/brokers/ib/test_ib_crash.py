"""kill -9 at every step of an order's life, IB working on meanwhile; then the same again."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from ib_desk import PUT_628, Condition, Desk, manual_market, their_position

from brokers.ib_gateway import ManualMarket, SimulatedGateway
from brokers.journal.reader import JournalReader

HERE = Path(__file__).parent
ROOT = HERE.parents[2]

BUSY_SECONDS = 5.0
"""A gateway on a busy machine answers within so long; nothing here waits for a silent one."""


class Undertaker:
    """Runs desks that die."""

    def __init__(self) -> None:
        paths = os.pathsep.join(map(str, (ROOT, ROOT / "tests", HERE)))
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "dying_desk.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": paths},
        )

    def bury(self, step: str, port: int, folder: Path) -> int:
        assert self._process.stdin is not None and self._process.stdout is not None
        print(f"{step}|{port}|{folder}", file=self._process.stdin, flush=True)
        return int(self._process.stdout.readline())

    def close(self) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(10)


@pytest.fixture(scope="module")
def undertaker() -> Iterator[Undertaker]:
    made = Undertaker()
    yield made
    made.close()


@pytest.fixture
def quotes() -> ManualMarket:
    return manual_market(2.20, 2.60)


@pytest.fixture
def gateway(quotes: ManualMarket) -> Iterator[SimulatedGateway]:
    with SimulatedGateway(quotes) as made:
        yield made


def work_on(gateway: SimulatedGateway, fills: int, until: threading.Event) -> None:
    """IB fills the entry lot by lot as it lies there, whether or not a desk is alive."""
    done = 0
    while done < fills and not until.wait(0.02):
        entries = [one for one in gateway.orders if one.terms.side < 0 and one.alive]
        if entries and entries[0].status == "Submitted":
            gateway.fill(entries[0].terms.order_ref, 1, 2.40)
            done += 1
            until.wait(0.2)


def live_and_die(
    undertaker: Undertaker, gateway: SimulatedGateway, folder: Path, step: str, fills: int
) -> None:
    over = threading.Event()
    market = threading.Thread(target=work_on, args=(gateway, fills, over))
    market.start()
    try:
        assert undertaker.bury(step, gateway.port, folder) == -signal.SIGKILL
    finally:
        over.set()
        market.join()


def quantities(gateway: SimulatedGateway) -> tuple[int, int]:
    """Contracts sold and bought at the gateway."""
    sold = sum(one.quantity for one in gateway.executions if one.side < 0)
    return sold, sum(one.quantity for one in gateway.executions if one.side > 0)


def restart(gateway: SimulatedGateway, folder: Path) -> Desk:
    """The same command again: it compares, then leaves what is open, and is flat."""
    quotes = manual_market(2.00, 2.04)
    desk = Desk(gateway.port, folder, quotes, answer_seconds=BUSY_SECONDS)

    def script(desk: Desk) -> Iterator[Condition]:
        assert desk.held() == their_position(gateway)
        held = -desk.held()
        if held:
            yield lambda: desk.orders("stop") and desk.is_calm()
            working = [one for one in gateway.orders if one.alive]
            assert [one.remaining for one in working] == [held]
            desk.leave(held)
            gateway_market(gateway).set_quote(PUT_628, 2.00, 2.04)
            yield desk.flat
        else:
            yield desk.is_calm
            yield desk.turns(5)

    return desk.run(script)


def gateway_market(gateway: SimulatedGateway) -> ManualMarket:
    made = gateway._core.market
    assert isinstance(made, ManualMarket)
    return made


STEPS = [
    ("before entry intent", 0),
    ("after entry intent", 0),
    ("after send", 0),
    ("after acknowledgement", 0),
    ("after partial", 1),
    ("sold, before commit", 1),
    ("sold, after commit", 1),
    ("before stop intent", 1),
    ("after stop intent", 1),
    ("with a stop", 2),
    ("while exiting", 2),
    ("after exit named", 2),
]


@pytest.mark.parametrize(("step", "fills"), STEPS)
def test_a_killed_desk_loses_no_fill_and_sends_nothing_twice(
    step: str,
    fills: int,
    undertaker: Undertaker,
    gateway: SimulatedGateway,
    tmp_path: Path,
) -> None:
    live_and_die(undertaker, gateway, tmp_path, step, fills)
    desk = restart(gateway, tmp_path)
    entries = [one for one in gateway.orders if one.terms.side < 0]
    assert len(entries) == (0 if "entry intent" in step else 1)
    assert not any(one.alive for one in gateway.orders) and their_position(gateway) == 0
    assert quantities(gateway) == (fills, fills)
    assert desk.broker.halted == ""
    with JournalReader(tmp_path / "journal.db") as reader:
        rows = reader.rows("executions")
        assert sorted(row["side"] * row["quantity"] for row in rows) == [-1] * fills + (
            [fills] if fills else []
        )
        assert len(reader.fills(rows[0]["session_id"])) == len(rows) if rows else True


def test_an_entry_that_fills_while_the_desk_is_dead_is_found_and_protected(
    undertaker: Undertaker, gateway: SimulatedGateway, tmp_path: Path
) -> None:
    live_and_die(undertaker, gateway, tmp_path, "after acknowledgement", 0)
    gateway.fill(gateway.orders[0].terms.order_ref, 2, 2.40)
    desk = restart(gateway, tmp_path)
    assert desk.recovery.missed == 1 and "filled while the desk was away" in str(desk.recovery)
    assert quantities(gateway) == (2, 2) and len(gateway.orders) == 2


def test_a_stale_entry_is_cancelled_at_the_start(
    undertaker: Undertaker, gateway: SimulatedGateway, tmp_path: Path
) -> None:
    live_and_die(undertaker, gateway, tmp_path, "after acknowledgement", 0)
    desk = restart(gateway, tmp_path)
    assert desk.recovery.cancelled == 1
    assert [one.status for one in gateway.orders] == ["Cancelled"]


@pytest.mark.parametrize("step", ["with a stop", "bought, before commit"])
def test_a_desk_killed_while_it_was_stopped_out_closes_nothing_twice(
    step: str, undertaker: Undertaker, gateway: SimulatedGateway, tmp_path: Path
) -> None:
    if step == "with a stop":
        live_and_die(undertaker, gateway, tmp_path, step, 2)
        gateway_market(gateway).set_quote(PUT_628, 9.2, 9.4)
        gateway.settle()
    else:
        over = threading.Event()

        def market() -> None:
            work_on(gateway, 2, over)
            while not over.wait(0.02):
                if any(one.alive and one.terms.stop for one in gateway.orders):
                    gateway_market(gateway).set_quote(PUT_628, 9.2, 9.4)
                    return

        fall = threading.Thread(target=market)
        fall.start()
        try:
            assert undertaker.bury(step, gateway.port, tmp_path) == -signal.SIGKILL
        finally:
            over.set()
            fall.join()
    assert their_position(gateway) == 0
    desk = restart(gateway, tmp_path)
    assert quantities(gateway) == (2, 2) and desk.held() == 0 and desk.broker.halted == ""
    with JournalReader(tmp_path / "journal.db") as reader:
        session = reader.rows("sessions")[0]["id"]
        reasons = [past.exit_reason for past in reader.fills(session) if past.fill.side > 0]
    assert set(reasons) == {"stop_loss"}


def test_a_desk_that_starts_beside_a_position_nobody_explains_is_halted(
    gateway: SimulatedGateway, tmp_path: Path
) -> None:
    gateway.manual_trade(PUT_628, -1, 1, 2.40)
    desk = Desk(gateway.port, tmp_path, manual_market())

    def script(desk: Desk) -> Iterator[Condition]:
        yield desk.turns(3)
        assert "the desk holds +0, IB holds -1" in desk.broker.halted
        order = desk.enter()
        assert not order.alive()

    desk.run(script)
    assert len(gateway.orders) == 1
