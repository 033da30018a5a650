"""`check --ready`: one table and an exit code that lets the desk trade at IB, or does not."""

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest

from brokers.ib.handshake import GATEWAY_10_50
from brokers.ib_gateway.gateway import SimulatedGateway
from brokers.ib_gateway.market import ManualMarket
from brokers.journal.journal import Journal
from commands import ready_gateway
from commands.ready import check_ready
from feeds.contract import Right
from feeds.sessions import session_on, to_nanoseconds
from settings import IBSettings, LiveSettings, RuleSettings, Settings

DAY = date(2026, 10, 30)


@pytest.fixture(autouse=True)
def _quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In an empty folder, on a wide screen, and quotes are not waited for long."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "250")
    monkeypatch.setattr(ready_gateway, "_SPOT_SECONDS", 0.05)
    monkeypatch.setattr(ready_gateway, "_TICK_SECONDS", 0.5)


@pytest.fixture
def market() -> ManualMarket:
    one = ManualMarket(session_on(DAY), [627_000, 628_000, 629_000], 628.5)
    for right in Right:
        one.set_quote(one.contract(628, right), 2.35, 2.45)
    return one


@pytest.fixture
def gateway(market: ManualMarket) -> Iterator[SimulatedGateway]:
    with SimulatedGateway(market, server_version=GATEWAY_10_50) as running:
        yield running


@pytest.fixture
def table(
    gateway: SimulatedGateway, market: ManualMarket, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, dict[str, str]]]:
    """Check, and give the exit code and the table as name -> the rest of its line."""

    def look(
        answer: str | None = "n", now: int | None = None, **changed: object
    ) -> tuple[int, dict[str, str]]:
        values: dict[str, object] = {"ib": IBSettings(port=gateway.port, answer_seconds=2.0)}
        settings = Settings.model_validate(values | changed)
        ask = None if answer is None else lambda _: answer
        code = check_ready(settings, ask, lambda: market.now() if now is None else now)
        lines = capsys.readouterr().out.splitlines()
        return code, {line[1:11].strip(): line[11:].strip() for line in lines if line.strip()}

    return look


def test_a_paper_gateway_that_is_in_order_is_ready(table: Callable[..., tuple[int, dict]]) -> None:
    code, found = table()
    assert code == 0, found
    for name in ("calendar", "journal", "gateway", "account", "books", "funds", "read-only"):
        assert found[name].startswith("yes"), found
    assert "allowed, initial margin" in found["short put"]
    assert "allowed, initial margin" in found["short call"]
    assert found["IB quotes"].startswith("yes    live")
    assert found["clock"].startswith("yes")
    assert found["drill"].startswith("note")


def test_the_drill_shows_that_a_cancel_kills_and_leaves_nothing(
    gateway: SimulatedGateway, table: Callable[..., tuple[int, dict]]
) -> None:
    code, found = table("y")
    assert code == 0, found
    assert "gone by fresh books" in found["drill"]
    (order,) = gateway.orders
    assert not order.alive
    assert (order.terms.limit, order.filled) == (0.02, 0)


def test_without_a_person_there_is_no_drill(
    gateway: SimulatedGateway, table: Callable[..., tuple[int, dict]]
) -> None:
    _, found = table(None)
    assert found["drill"].startswith("note")
    assert gateway.orders == []


def test_a_cancel_that_does_not_kill_is_a_no(
    gateway: SimulatedGateway, table: Callable[..., tuple[int, dict]]
) -> None:
    gateway.faults.switch_on("cancel-ignored")
    code, found = table("y")
    assert code == 1
    assert "may still work at IB" in found["drill"]


def test_a_drill_that_is_rejected_is_a_no(
    gateway: SimulatedGateway, table: Callable[..., tuple[int, dict]]
) -> None:
    gateway.faults.switch_on("201")
    code, found = table("y")
    assert code == 1
    assert "201" in found["drill"]


def test_real_money_is_never_drilled(
    gateway: SimulatedGateway, table: Callable[..., tuple[int, dict]]
) -> None:
    gateway.set_accounts("U77")
    live = IBSettings(port=gateway.port, answer_seconds=2.0, live_account="U77")
    code, found = table("y", ib=live)
    assert code == 0, found
    assert "REAL MONEY" in found["account"]
    assert found["drill"].startswith("note")
    assert gateway.orders == []


def test_a_live_account_that_was_not_named_is_a_no(
    gateway: SimulatedGateway, table: Callable[..., tuple[int, dict]]
) -> None:
    gateway.set_accounts("U77")
    code, found = table()
    assert code == 1
    assert "U77 is no paper account" in found["line"]


def test_an_old_gateway_is_a_no(
    market: ManualMarket, table: Callable[..., tuple[int, dict]]
) -> None:
    with SimulatedGateway(market, server_version=GATEWAY_10_50 - 1) as old:
        code, found = table(ib=IBSettings(port=old.port, answer_seconds=2.0))
    assert code == 1
    assert "update TWS or IB Gateway" in found["gateway"]


def test_no_gateway_is_a_no(table: Callable[..., tuple[int, dict]], market: ManualMarket) -> None:
    with SimulatedGateway(market) as gone:
        port = gone.port
    code, found = table(ib=IBSettings(port=port, answer_seconds=1.0))
    assert code == 1
    assert str(port) in found["gateway"]


def test_a_read_only_gateway_is_a_no(
    gateway: SimulatedGateway, table: Callable[..., tuple[int, dict]]
) -> None:
    gateway.faults.switch_on("read-only")
    code, found = table()
    assert code == 1
    assert "Read-Only API" in found["read-only"]


def test_what_nobody_explains_is_a_no(
    gateway: SimulatedGateway, market: ManualMarket, table: Callable[..., tuple[int, dict]]
) -> None:
    gateway.manual_trade(market.contract(628, Right.CALL), -1, 1, 2.30)
    gateway.manual_trade(market.contract(628, Right.PUT), -1, 1, 2.30)
    gateway.assign(market.contract(628, Right.PUT))
    code, found = table()
    assert code == 1
    assert "-1 SPY 2026-10-30 628 CALL" in found["books"]
    assert "+100 SPY STK: an assignment?" in found["books"]


def test_delayed_quotes_are_a_note(
    gateway: SimulatedGateway, table: Callable[..., tuple[int, dict]]
) -> None:
    gateway.faults.switch_on("delayed")
    code, found = table()
    assert code == 0
    assert found["IB quotes"].startswith("note")
    assert "10167" in found["IB quotes"]


def test_a_saturday_is_a_no_and_a_half_day_is_told(table: Callable[..., tuple[int, dict]]) -> None:
    code, found = table(now=to_nanoseconds(session_on(DAY).open) + 86_400_000_000_000)
    assert code == 1
    assert "Saturday" in found["calendar"]
    _, found = table(now=to_nanoseconds(session_on(date(2026, 11, 27)).open))
    assert "09:30 to 13:00 New York, HALF DAY" in found["calendar"]


def test_an_events_file_that_ends_before_today_is_a_no(
    tmp_path: Path, table: Callable[..., tuple[int, dict]]
) -> None:
    path = tmp_path / "events.csv"
    head = "date,time,name,before,after,action\n"
    path.write_text(f"{head}2026-10-28,14:00,FOMC,30,60,block\n")
    code, found = table(rules=RuleSettings(events=path))
    assert code == 1
    assert "ends before 2026-10-30" in found["events"]
    path.write_text(f"{head}2026-10-30,10:00,CPI,30,60,block\n")
    code, found = table(rules=RuleSettings(events=path))
    assert code == 0
    assert "CPI blocks until 11:00" in found["events"]


def test_a_journal_that_another_desk_writes_is_a_no(
    tmp_path: Path, table: Callable[..., tuple[int, dict]]
) -> None:
    path = tmp_path / "j.db"
    with Journal(path):
        code, found = table(live=LiveSettings(journal=path))
    assert code == 1
    assert found["journal"].startswith("no")
