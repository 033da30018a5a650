"""`check --data` shows the flow of market data, and its exit code says whether it would do."""

from collections.abc import Callable
from datetime import datetime

import pytest

from feeds.sessions import NEW_YORK
from feeds.simulation.market import SimulatedMarket, default_sessions
from feeds.theta_simulator.server import SimulatedTerminal
from vocabulary import FEATURES

MORNING = datetime(2026, 10, 30, 10, 30, tzinfo=NEW_YORK)


def addresses(terminal: SimulatedTerminal) -> tuple[str, ...]:
    return ("--theta-url", terminal.url, "--theta-ws", terminal.ws_url)


def at(moment: datetime, **options: object) -> SimulatedTerminal:
    market = SimulatedMarket(default_sessions(2))
    return SimulatedTerminal(market, spread_quotes=True, **options)  # type: ignore[arg-type]


def test_from_nothing_it_shows_the_whole_way(desk: Callable[..., object]) -> None:
    done = desk("check", "--data", "--seconds", "3")
    assert done.code == 0, done.out + done.err
    assert "simulated terminal" in done.out
    assert "CONNECTED" in done.out
    assert "quotes a second" in done.out
    for name in FEATURES:
        assert name in done.out
    assert "good enough to trade on" in done.out


def test_a_terminal_elsewhere_is_looked_at(desk: Callable[..., object]) -> None:
    with at(MORNING) as terminal:
        terminal.set_time(MORNING)
        done = desk("check", "--data", "--seconds", "3", *addresses(terminal))
    assert done.code == 0, done.out + done.err
    assert "session 2026-10-30" in done.out


def test_an_account_without_quotes_is_told_what_to_buy(desk: Callable[..., object]) -> None:
    with at(MORNING, tier="free") as terminal:
        terminal.set_time(MORNING)
        done = desk("check", "--data", "--seconds", "1", *addresses(terminal))
    assert done.code == 1
    assert "not good enough" in done.out
    assert "Standard" in done.out


def test_stale_data_is_not_good_enough(desk: Callable[..., object]) -> None:
    with at(MORNING, faults=["stale"], tier="value") as terminal:
        terminal.set_time(MORNING)
        done = desk("check", "--data", "--seconds", "3", *addresses(terminal))
    assert done.code == 1
    assert "not good enough" in done.out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("check",), "--data"),
        (("check", "--data", "--seconds", "0"), "--seconds"),
        (("check", "--data", "--theta-url", "http://127.0.0.1:9"), "127.0.0.1:9"),
        (("check", "--data", "--theta-url", "nowhere"), "theta.url"),
    ],
)
def test_what_cannot_be_checked_gets_one_line(
    desk: Callable[..., object], words: tuple[str, ...], says: str
) -> None:
    done = desk(*words)
    assert done.code == 2
    assert says in done.fault


def test_a_key_among_the_arguments_is_warned_of_and_never_shown(
    desk: Callable[..., object],
) -> None:
    done = desk("check", "--data", "--theta-key", "td1_secret", "--theta-url", "http://127.0.0.1:9")
    assert done.code == 2
    assert "THETADATA_API_KEY" in done.err
    assert "td1_secret" not in done.out + done.err


def test_an_account_without_a_stream_is_seen_to_poll(desk: Callable[..., object]) -> None:
    with at(MORNING, tier="value/free") as terminal:
        terminal.set_time(MORNING)
        done = desk("check", "--data", "--seconds", "3", *addresses(terminal))
    assert done.code == 0, done.out + done.err
    assert "streaming: no" in done.out
