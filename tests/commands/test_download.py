"""`run.py download` says in few lines what it does, what it found and what is missing."""

import socket
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import pytest

from commands.screen import progress
from feeds.sessions import sessions_between
from feeds.simulation.market import SimulatedMarket
from feeds.theta_simulator.server import SimulatedTerminal

FIRST, LAST, TODAY = date(2026, 10, 28), date(2026, 10, 29), date(2026, 10, 30)
RANGE = "--from", FIRST, "--to", LAST
Desk = Callable[..., Any]


@pytest.fixture
def terminal() -> Iterator[SimulatedTerminal]:
    market = SimulatedMarket(sessions_between(FIRST, TODAY), strikes_within=0.01)
    with SimulatedTerminal(market, speed=0, tier="standard") as running:
        yield running


def test_a_download_tells_what_is_wanted_and_what_came(
    desk: Desk, terminal: SimulatedTerminal
) -> None:
    first = desk("download", *RANGE, "--theta-url", terminal.url)
    assert (first.code, first.err) == (0, "")
    lines = first.out.splitlines()
    assert lines[0] == "2 sessions to download"
    assert lines[1].startswith("stored 2 sessions, ")
    assert "391 to 391 snapshots a session; gaps 0" in lines[2]
    again = desk("download", *RANGE, "--theta-url", terminal.url)
    assert again.code == 0
    assert again.out.splitlines() == ["0 sessions to download", "2 sessions are stored already"]
    played = desk("backtest", "--data", "data", "--policy", "sell_put@10:00", "--no-report")
    assert played.code == 0 and "downloaded: 2 sessions" in played.out


def test_a_skipped_session_is_listed_with_its_reason(
    desk: Desk, terminal: SimulatedTerminal
) -> None:
    """The session of today has only begun in the simulator's time."""
    done = desk("download", "--from", FIRST, "--to", TODAY, "--theta-url", terminal.url)
    assert done.code == 0
    assert "skipped 2026-10-30: " in done.out


def test_nothing_at_all_is_the_persons_mistake(desk: Desk, terminal: SimulatedTerminal) -> None:
    only = desk("download", "--from", TODAY, "--to", TODAY, "--theta-url", terminal.url)
    assert only.code == 2
    assert "nothing of 2026-10-30 to 2026-10-30 could be stored" in only.fault


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "--from DATE --to DATE"),
        (("--from", FIRST), "--from DATE --to DATE"),
        (("--from", LAST, "--to", FIRST), "reversed"),
        (("--from", "2026-10-31", "--to", "2026-11-01"), "does not open"),
        (("--from", "soon", "--to", LAST), "--from 'soon' is no date"),
        ((*RANGE, "--theta-url", "here"), "theta.url is no address"),
        ((*RANGE, "--set", "theta.interval=7m"), "theta.interval"),
        ((*RANGE, "--set", "theta.terminal=nowhere.jar"), "nowhere.jar is no file"),
    ],
)
def test_a_wrong_call_is_answered_in_one_line(
    words: tuple[object, ...], says: str, desk: Desk, terminal: SimulatedTerminal
) -> None:
    if "--theta-url" not in words:
        address = closed_address() if "theta.terminal=nowhere.jar" in words else terminal.url
        words = (*words, "--theta-url", address)
    refused = desk("download", *words)
    assert refused.code == 2
    assert says in refused.fault


def test_without_a_terminal_one_line_says_so(desk: Desk) -> None:
    refused = desk("download", *RANGE, "--theta-url", closed_address())
    assert refused.code == 2
    assert "no Theta Terminal answers at 127.0.0.1" in refused.fault


@pytest.mark.parametrize("fault", ["478", "500"])
def test_a_terminal_without_a_session_is_told_of_at_once(
    fault: str, desk: Desk, terminal: SimulatedTerminal
) -> None:
    terminal.fault(fault)
    refused = desk("download", *RANGE, "--theta-url", terminal.url)
    assert refused.code == 2
    assert "not signed in" in refused.fault


def test_a_key_is_never_repeated(desk: Desk) -> None:
    refused = desk("download", *RANGE, "--set", "theta.key=td1_secret,with_a_comma")
    assert refused.code == 2
    assert "setting theta.key is ***" in refused.fault
    assert "td1_secret" not in refused.err + refused.out


def test_progress_is_drawn_where_somebody_watches(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    with progress("download", 3) as advance:
        for _ in range(3):
            advance()
    assert "3/3" in capsys.readouterr().err


def closed_address() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"
