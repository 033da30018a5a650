"""The simulated market measured against the published figures, with stated tolerances.

`MONTH` is the last 21 sessions of the default range, measured from its quotes as a recording
would be (a book every five minutes, forward by parity, IV from the quotes). Figures of the
underlying and of volatility need more days than a month has: they come from the paths of
2022 to 2026.
"""

from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt
import pytest
from numpy.typing import ArrayLike

from feeds.chain import ChainDay
from feeds.option_maths import implied_volatility
from feeds.sessions import sessions_between
from feeds.simulation import SimulatedMarket, default_sessions
from feeds.simulation.calibration import FIVE_MINUTE_VARIANCE
from feeds.simulation.history import history
from feeds.simulation.surface import fair_values

Floats = npt.NDArray[np.float64]
BOOKS = np.arange(4, 384, 5)
"""Rows of a recording: 09:34 to 15:49."""


@dataclass
class Quotes:
    """All quotes of the month's books, one array each; `delta` is that of the right itself."""

    minutes: Floats
    inside: Floats
    delta: Floats
    bid: Floats
    ask: Floats
    changed: Floats


@dataclass
class Paths:
    """All full days of five years: price and total volatility [days, 391], and events."""

    price: Floats
    total: Floats
    announced: npt.NDArray[np.bool_]

    def iv(self, minute: int) -> Floats:
        return np.asarray(self.total[:, minute] / np.sqrt((390 - minute) / 525_600))

    def ratio_to_ten(self, minute: int) -> Floats:
        return np.asarray(self.iv(minute) / self.iv(30))

    def five_minutes(self) -> tuple[Floats, Floats]:
        """Returns and moves of log total volatility until 15:50, days without announcements."""
        calm = ~self.announced
        price, total = np.log(self.price[calm, :381:5]), np.log(self.total[calm, :381:5])
        return np.diff(price), np.diff(total)


@pytest.fixture(scope="module")
def month() -> list[ChainDay]:
    market = SimulatedMarket(default_sessions(21))
    return [market.load(i) for i in range(21)]


@pytest.fixture(scope="module")
def quotes(month: list[ChainDay]) -> Quotes:
    parts = [_measure(day) for day in month]
    return Quotes(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _measure(day: ChainDay) -> tuple[Floats, ...]:
    strikes = day.strikes / 1000
    path = history(0).path(day.session)
    deviations = fair_values(path, strikes).deviations[BOOKS]
    inside = (day.spot[BOOKS, None] - strikes)[:, None] * np.array([[1], [-1]])
    bid, ask = day.bid[BOOKS], day.ask[BOOKS]
    changed = np.full(bid.shape, np.nan)
    changed[1:] = (bid[1:] != bid[:-1]) | (ask[1:] != ask[:-1])
    minutes = np.broadcast_to(BOOKS[:, None, None], bid.shape)
    delta = np.vectorize(_normal)(np.round(deviations, 3))
    return tuple(x.ravel() for x in (minutes, inside, delta, bid, ask, changed))


def _normal(x: float) -> float:
    from statistics import NormalDist

    return NormalDist().cdf(x)


@pytest.fixture(scope="module")
def years() -> Paths:
    sessions = sessions_between(date(2022, 1, 3), date(2026, 12, 31))
    paths = [history(0).path(s) for s in sessions if s.minutes == 390]
    return Paths(
        np.array([p.price for p in paths]),
        np.array([p.total for p in paths]),
        np.array([p.event is not None for p in paths]),
    )


def kurtosis(values: ArrayLike) -> float:
    """Excess kurtosis."""
    centred = np.asarray(values) - np.mean(values)
    return float(np.mean(centred**4) / np.mean(centred**2) ** 2 - 3)
