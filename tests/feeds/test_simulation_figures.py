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

from feeds.chain import ChainDay
from feeds.option_maths import implied_volatility
from feeds.sessions import sessions_between
from feeds.simulation import SimulatedMarket, default_sessions
from feeds.simulation.calibration import FIVE_MINUTE_VARIANCE
from feeds.simulation.history import history
from feeds.simulation.surface import fair_values

Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]
BOOKS = np.arange(4, 384, 5)
"""Rows of a recording: 09:34 to 15:49."""


@dataclass
class Quotes:
    """All quotes of the month's books, one array each.

    `inside` is dollars in the money, `deviations` the same in deviations (delta = N(deviations)),
    `changed` whether bid or ask moved since the book before (NaN in the first).
    """

    minutes: Floats
    inside: Floats
    deviations: Floats
    bid: Floats
    ask: Floats
    bid_size: Floats
    ask_size: Floats
    changed: Floats

    @property
    def cents(self) -> Floats:
        """Spreads in whole cents."""
        return np.rint((self.ask - self.bid) * 100)

    def between(self, low: float, high: float) -> Booleans:
        """Quotes of these deviations in the money."""
        return (self.deviations > low) & (self.deviations <= high)

    def dollars(self, low: float, high: float) -> Booleans:
        """Quotes this many dollars in the money."""
        return (self.inside > low) & (self.inside <= high)


@dataclass
class Paths:
    """All full days of five years: price and total volatility [days, 391], and announcements."""

    price: Floats
    total: Floats
    announced: Booleans

    def iv(self, minute: int) -> Floats:
        """[days] at-the-money volatility."""
        return np.asarray(self.total[:, minute] / np.sqrt((390 - minute) / 525_600))

    def five_minutes(self) -> tuple[Floats, Floats]:
        """Returns and moves of log total volatility until 15:50, days without announcements."""
        calm = ~self.announced
        return (
            np.diff(np.log(self.price[calm, :381:5])),
            np.diff(np.log(self.total[calm, :381:5])),
        )

    def realised_over_implied(self) -> Floats:
        """[days] five-minute volatility from 10:00 to 15:50 over that implied at 10:00."""
        returns = np.diff(np.log(self.price[:, 30:381:5]))
        return np.asarray(np.sqrt((returns**2).sum(axis=1)) / self.total[:, 30])


@pytest.fixture(scope="module")
def month() -> list[ChainDay]:
    market = SimulatedMarket(default_sessions(21))
    return [market.load(i) for i in range(21)]


@pytest.fixture(scope="module")
def quotes(month: list[ChainDay]) -> Quotes:
    parts = [_books(day) for day in month]
    return Quotes(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _books(day: ChainDay) -> list[Floats]:
    strikes = day.strikes / 1000
    deviations = fair_values(history(0).path(day.session), strikes).deviations[BOOKS]
    inside = (day.spot[BOOKS, None] - strikes)[:, None] * np.array([[1], [-1]])
    bid, ask = day.bid[BOOKS], day.ask[BOOKS]
    changed = np.full(bid.shape, np.nan)
    changed[1:] = (bid[1:] != bid[:-1]) | (ask[1:] != ask[:-1])
    minutes = np.broadcast_to(BOOKS[:, None, None], bid.shape)
    sizes = day.bid_size[BOOKS], day.ask_size[BOOKS]
    return [x.ravel() for x in (minutes, inside, deviations, bid, ask, *sizes, changed)]


@pytest.fixture(scope="module")
def years() -> Paths:
    sessions = sessions_between(date(2022, 1, 3), date(2026, 12, 31))
    paths = [history(0).path(s) for s in sessions if s.minutes == 390]
    return Paths(
        np.array([p.price for p in paths]),
        np.array([p.total for p in paths]),
        np.array([p.event is not None for p in paths]),
    )


def kurtosis(values: Floats) -> float:
    """Excess kurtosis."""
    centred = values - np.mean(values)
    return float(np.mean(centred**4) / np.mean(centred**2) ** 2 - 3)


# --- spreads and sizes ---------------------------------------------------------------------------


def test_spreads_at_the_money_are_mostly_a_cent(quotes: Quotes) -> None:
    cents = quotes.cents[quotes.between(-0.524, 0.524)]
    for width, published, tolerance in ((1, 0.75, 0.05), (2, 0.19, 0.05), (3, 0.05, 0.03)):
        assert np.mean(cents == width) == pytest.approx(published, abs=tolerance), width
    assert np.mean(cents >= 4) < 0.02
    assert 0.0003 < np.mean(cents == 0) < 0.005


def test_spreads_out_of_the_money_are_a_cent(quotes: Quotes) -> None:
    wings = quotes.cents[quotes.deviations < -0.842]
    assert np.quantile(wings, 0.99) == 1
    below_the_money = quotes.cents[quotes.between(-0.842, 0.0)]
    assert np.quantile(below_the_money, [0.5, 0.99]).tolist() == pytest.approx([1, 2], abs=1)


def test_spreads_in_the_money_widen_with_delta(quotes: Quotes) -> None:
    published = {(0.0, 0.253): 1, (0.253, 0.524): 2, (0.524, 0.842): 3, (0.842, 1.282): 3}
    for bounds, median in published.items():
        assert np.median(quotes.cents[quotes.between(*bounds)]) == median, bounds


@pytest.mark.parametrize(
    ("dollars", "minutes", "published", "tolerance"),
    [
        ((0, 1), (30, 330), 1, 0),
        ((1, 2), (30, 330), 2, 1),
        ((2, 5), (30, 330), 3, 1),
        ((5, 10), (30, 375), 18, 6),
        ((10, 20), (90, 330), 22, 5),
        ((20, 45), (0, 90), 150, 50),
        ((20, 45), (330, 375), 29, 20),
    ],
)
def test_spreads_by_dollars_and_time(
    quotes: Quotes,
    dollars: tuple[int, int],
    minutes: tuple[int, int],
    published: float,
    tolerance: float,
) -> None:
    then = (quotes.minutes > minutes[0]) & (quotes.minutes <= minutes[1])
    median = np.median(quotes.cents[quotes.dollars(*dollars) & then])
    assert median == pytest.approx(published, abs=tolerance)


def test_opening_spreads_are_wider_until_0933(month: list[ChainDay]) -> None:
    def at_the_money(rows: list[int]) -> Floats:
        chosen = [(day, row, right) for day in month for row in rows for right in (0, 1)]
        return np.array(
            [
                np.rint(100 * (day.ask - day.bid)[row, right, day.atm_index[row, right]])
                for day, row, right in chosen
            ]
        )

    opening = at_the_money([0, 1, 2])
    assert np.median(opening) == pytest.approx(2, abs=1)
    assert np.quantile(opening, 0.99) <= 8
    assert opening.mean() > at_the_money([60, 61, 62]).mean() + 0.5


def test_sizes_at_the_money_and_in_the_wings(quotes: Quotes) -> None:
    at_the_money = quotes.bid_size[quotes.between(-0.524, 0.524)]
    p1, p10, p50, p90 = np.quantile(at_the_money, [0.01, 0.10, 0.50, 0.90])
    assert p1 <= 3
    assert p10 == pytest.approx(22, rel=0.5)
    assert p50 == pytest.approx(173, rel=0.3)
    assert p90 == pytest.approx(466, rel=0.3)
    wings = quotes.ask_size[quotes.deviations < -2.054]
    assert np.median(wings) == pytest.approx(3_200, rel=0.3)


# --- hygiene and update frequency ----------------------------------------------------------------


def test_the_share_of_zero_bids(quotes: Quotes) -> None:
    outside = quotes.inside < 0
    assert np.mean(quotes.bid == 0) == pytest.approx(0.275, abs=0.06)
    assert np.mean(quotes.bid[outside] == 0) == pytest.approx(0.55, abs=0.12)
    near = quotes.dollars(-2, 0) & (quotes.minutes < 330)
    assert np.mean(quotes.bid[near] == 0) < 0.01
    far = quotes.dollars(-30, -20)
    early, late = quotes.minutes < 30, quotes.minutes > 375
    assert np.mean(quotes.bid[far & early] == 0) == pytest.approx(0.70, abs=0.25)
    assert np.mean(quotes.bid[far & late] == 0) == pytest.approx(0.97, abs=0.05)


def test_quotes_in_the_money_bid_below_intrinsic(quotes: Quotes) -> None:
    inside = quotes.inside > 0
    assert np.mean((quotes.bid < quotes.inside - 1e-9)[inside]) == pytest.approx(0.84, abs=0.10)
    deep = quotes.deviations > 1.645
    below = (quotes.bid + quotes.ask) / 2 < quotes.inside - 1e-9
    assert np.mean(below[deep]) == pytest.approx(0.43, abs=0.10)


@pytest.mark.parametrize(
    ("bounds", "published", "tolerance"),
    [
        ((-9.0, -2.576), 0.010, 0.01),
        ((-2.576, -2.326), 0.038, 0.03),
        ((-2.326, -2.054), 0.108, 0.05),
        ((-2.054, -1.645), 0.404, 0.10),
        ((-1.645, -1.282), 0.763, 0.06),
        ((-1.282, -0.842), 0.909, 0.04),
        ((-0.842, 0.842), 0.98, 0.03),
        ((0.842, 9.0), 0.955, 0.05),
    ],
)
def test_how_often_a_quote_changes_in_five_minutes(
    quotes: Quotes, bounds: tuple[float, float], published: float, tolerance: float
) -> None:
    changed = np.nanmean(quotes.changed[quotes.between(*bounds)])
    assert changed == pytest.approx(published, abs=tolerance)


# --- volatility ----------------------------------------------------------------------------------


def test_the_level_of_volatility_at_ten(years: Paths) -> None:
    p10, p50, p90 = np.quantile(years.iv(30), [0.1, 0.5, 0.9])
    assert p50 == pytest.approx(0.196, rel=0.10)
    assert p10 == pytest.approx(0.134, rel=0.10)
    assert 0.27 < p90 < 0.36  # .268 in the recorded weeks, .352 on 573 SPX days


@pytest.mark.parametrize(
    ("minute", "spy", "spx"),
    [
        (60, 0.84, 0.82),
        (90, 0.66, 0.70),
        (150, 0.47, 0.55),
        (210, 0.39, 0.43),
        (270, 0.26, 0.27),
        (330, 0.17, 0.15),
        (360, 0.112, 0.100),
        (375, 0.093, 0.093),
    ],
)
def test_total_variance_left_by_the_clock(
    years: Paths, minute: int, spy: float, spx: float
) -> None:
    left = np.median(years.total[:, minute] ** 2 / years.total[:, 30] ** 2)
    assert min(spy, spx) * 0.93 < left < max(spy, spx) * 1.07


@pytest.mark.parametrize(
    ("minute", "published"),
    [(0, 1.10), (90, 0.89), (150, 0.84), (210, 0.88), (270, 0.90), (330, 1.01), (360, 1.18)],
)
def test_the_path_of_volatility_measured_from_quotes(
    month: list[ChainDay], minute: int, published: float
) -> None:
    ratio = np.median([day.atm_iv[minute] / day.atm_iv[30] for day in month])
    assert ratio == pytest.approx(published, rel=0.10)


def test_the_dynamics_of_total_volatility(years: Paths) -> None:
    returns, moves = (x.ravel() for x in years.five_minutes())
    assert returns.std() == pytest.approx(5.9e-4, rel=0.25)
    assert moves.std() == pytest.approx(0.035, abs=0.003)
    assert moves.mean() == pytest.approx(-0.016, abs=0.004)
    assert kurtosis(moves) == pytest.approx(3.4, abs=1.5)
    assert np.corrcoef(returns, moves)[0, 1] == pytest.approx(-0.58, abs=0.05)
    assert np.polyfit(returns, moves, 1)[0] == pytest.approx(-35, abs=8)


def test_realised_over_implied_volatility(years: Paths) -> None:
    ratio = years.realised_over_implied()
    standard_error = 0.256 / np.sqrt(21)  # of the published mean, known from 21 days
    assert ratio.mean() == pytest.approx(0.84, abs=standard_error)
    assert np.median(ratio) == pytest.approx(0.82, abs=standard_error)
    assert ratio.std() == pytest.approx(0.256, abs=0.05)


def test_a_seller_is_paid_when_volatility_is_high_and_pays_when_it_is_low(years: Paths) -> None:
    ratio, level = years.realised_over_implied(), years.iv(30)
    assert ratio[level > 0.22].mean() < 0.84
    assert ratio[level < 0.13].mean() > 0.97


# --- smile ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("low", "high", "morning", "afternoon"),
    [
        (-5.0, -4.0, 1.92, 2.05),
        (-2.5, -2.0, 1.36, 1.37),
        (-1.5, -1.0, 1.17, 1.15),
        (-0.5, 0.0, 1.02, 1.015),
        (0.0, 0.5, 0.98, 0.985),
        (0.5, 1.0, 0.95, 0.97),
        (1.0, 1.5, 0.944, 1.00),
        (2.0, 2.5, 1.09, 1.19),
        (3.0, 4.0, 1.49, 1.63),
    ],
)
def test_the_smile_measured_from_quotes(
    month: list[ChainDay], low: float, high: float, morning: float, afternoon: float
) -> None:
    for row, published in ((60, morning), (270, afternoon)):
        ratios = np.concatenate([_smile(day, row, low, high) for day in month])
        assert np.median(ratios) == pytest.approx(published, rel=0.12), row


def _smile(day: ChainDay, row: int, low: float, high: float) -> Floats:
    """IV over that at the money of the out-of-the-money quotes between two z."""
    forward, years, strikes = day.forward[row], day.years[row], day.strikes / 1000
    z = np.log(strikes / forward) / (day.atm_iv[row] * np.sqrt(years))
    is_call = z > 0
    bid, ask = (np.where(is_call, x[row, 0], x[row, 1]) for x in (day.bid, day.ask))
    iv = implied_volatility((bid + ask) / 2, forward, strikes, years, is_call)
    return np.asarray(iv[(z > low) & (z <= high)] / day.atm_iv[row])


# --- the underlying ------------------------------------------------------------------------------


def test_the_profile_of_variance_over_the_day(years: Paths) -> None:
    squares = np.diff(np.log(years.price[~years.announced, ::5])) ** 2
    profile = np.median(squares / squares.mean(axis=1, keepdims=True), axis=0)
    assert np.corrcoef(profile, FIVE_MINUTE_VARIANCE)[0, 1] > 0.9
    shares = squares.mean(axis=0) / squares.mean()
    assert shares[0] == pytest.approx(3.67, rel=0.25)
    assert shares[15:21].mean() == pytest.approx(1.03, rel=0.15)
    assert shares[30:42].mean() == pytest.approx(0.75, rel=0.15)
    assert shares[54:75].mean() == pytest.approx(0.63, rel=0.30)
    assert shares[-2:].mean() == pytest.approx(1.94, rel=0.30)


def test_the_tails_of_minute_returns(years: Paths) -> None:
    returns = np.diff(np.log(years.price))
    scaled = returns / returns.std(axis=1, keepdims=True)
    assert 3.0 < kurtosis(scaled.ravel()) < 4.6  # 3.3-3.8 on days without announcements
    assert 0.0005 < np.mean(np.abs(scaled) > 5) < 0.0025
    assert abs(np.corrcoef(scaled[:, :-1].ravel(), scaled[:, 1:].ravel())[0, 1]) < 0.01


def test_the_size_of_days_and_nights(years: Paths) -> None:
    minutes = np.diff(np.log(years.price))
    realised = np.sqrt((minutes**2).sum(axis=1))
    assert 0.0037 < np.median(realised) < 0.0056
    reach = (years.price.max(axis=1) - years.price.min(axis=1)) / years.price[:, 0]
    assert 0.0061 * 0.9 < np.median(reach) < 0.0079 * 1.1
    gaps = np.log(years.price[1:, 0] / years.price[:-1, -1])
    assert gaps.std() == pytest.approx(0.0073, rel=0.15)
    day_moves = np.log(years.price[:, -1] / years.price[:, 0])
    assert abs(day_moves.mean()) < 3 * day_moves.std() / np.sqrt(day_moves.size)
