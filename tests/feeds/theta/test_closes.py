"""The official close of a recorded session: asked when it may be known, refused when wrong."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest

from feeds.sessions import session_on
from feeds.simulation.market import SimulatedMarket
from feeds.theta.asking import Manner, Manners
from feeds.theta.closes import ask_close
from feeds.theta.rest import ThetaRest
from feeds.theta_simulator.server import SimulatedTerminal

SESSION = session_on(date(2026, 10, 30))
MARKET = SimulatedMarket([SESSION], strikes_within=0.003)
DAY = MARKET.load(0)
HASTY = Manners(history=Manner(2.0, 0.3))


@contextmanager
def asked(minutes_after: float, **terms: Any) -> Iterator[ThetaRest]:
    with SimulatedTerminal(MARKET, speed=0, **terms) as terminal:
        terminal.set_time(SESSION.close + timedelta(minutes=minutes_after))
        with ThetaRest(terminal.url, manners=HASTY) as rest:
            yield rest


@pytest.mark.parametrize(("minutes", "source"), [(5, "minute bar"), (120, "end-of-day")])
def test_the_minute_bar_tells_the_close_until_the_end_of_day_does(
    minutes: float, source: str
) -> None:
    with asked(minutes) as rest:
        found = ask_close(rest, "SPY", SESSION, DAY.ts, DAY.spot)
    assert found.source == source
    assert found.price == pytest.approx(DAY.official_close, abs=0.05)


def test_a_close_far_from_what_was_recorded_is_refused() -> None:
    with asked(120) as rest:
        found = ask_close(rest, "SPY", SESSION, DAY.ts, DAY.spot * 1.02)
    assert found.price is None
    assert "too far from the last minute" in found.problem


@pytest.mark.parametrize(("fault", "words"), [("474", "474"), ("429", "429")])
def test_a_terminal_that_cannot_say_is_no_error(fault: str, words: str) -> None:
    with asked(120, faults=(fault,)) as rest:
        found = ask_close(rest, "SPY", SESSION, np.empty(0, np.int64), np.empty(0))
    assert found.price is None
    assert words in found.problem


def test_an_account_without_stocks_learns_no_close_and_no_error() -> None:
    with asked(5, tier="standard/free") as rest:
        found = ask_close(rest, "SPY", SESSION)
    assert found.price is None
    assert found.problem
