"""One simulated day of the underlying and of the volatility the market quotes."""

from dataclasses import dataclass
from datetime import date, timedelta
from enum import IntEnum
from math import sqrt

import numpy as np

from feeds.sessions import Session
from feeds.simulation import calibration as figures
from feeds.simulation.calibration import Floats
from feeds.simulation.day_shape import DayShape, day_shape

WEDNESDAY = 2
ANNOUNCEMENTS = {1: -1, 3: 2, 4: -1, 6: 2, 7: -1, 9: 2, 10: -1, 12: 1}
"""Month: which of its Wednesdays."""


class Stream(IntEnum):
    """Independent random numbers of a day: asking for other quotes never moves the path."""

    PATH = 0
    QUOTES = 1
    ROWS = 2
    STRIKES = 3
    SPOILED = 4


@dataclass(frozen=True, slots=True)
class Climate:
    """What a day inherits: log of yesterday's close, slow part of the volatility level."""

    log_price: float
    slow: float


@dataclass(frozen=True, slots=True)
class Character:
    """What kind of day it is, drawn before the open.

    Attributes:
        gap: overnight shock in deviations.
        slow: slow part of the volatility level.
        level: IV at 10:00, before the state of the morning and any announcement.
        expected_ratio: realised over implied volatility to be expected at that level.
        luck: factor on it, mean one.
        closing: factor on the variance of the close, mean one.
        skew: shift of the smile's slope.
        event: variance of an announcement in units of W(10:00), 0 on other days.
    """

    gap: float
    slow: float
    level: float
    expected_ratio: float
    luck: float
    closing: float
    skew: float
    event: float


@dataclass(frozen=True, slots=True)
class DayPath:
    """A simulated day, one row a minute from the open to the close: N = 391, 211 on half days.

    Attributes:
        session: the trading day.
        price: [N] dollars, not yet rounded to cents.
        total: [N] square root of the variance that the market prices until expiry (no unit).
        profile: [N] profile minutes, see `calibration`.
        character: what kind of day it is.
        event: row of an announcement, None on other days.
        after: the climate it leaves behind.
    """

    session: Session
    price: Floats
    total: Floats
    profile: Floats
    character: Character
    event: int | None
    after: Climate


def generator(seed: int, day: date, stream: Stream) -> np.random.Generator:
    """The random numbers for one purpose on one day; numpy's global state plays no part."""
    return np.random.default_rng([seed, day.toordinal(), stream])


def announcement_days(year: int) -> tuple[date, ...]:
    """Eight Wednesdays of a year on the pattern of the FOMC (its very dates in 2026)."""
    return tuple(_wednesdays(year, month)[which] for month, which in ANNOUNCEMENTS.items())


def _wednesdays(year: int, month: int) -> list[date]:
    days = (date(year, month, 1) + timedelta(days=n) for n in range(31))
    return [day for day in days if day.month == month and day.weekday() == WEDNESDAY]


def walk_day(session: Session, before: Climate, seed: int) -> DayPath:
    """The path of `session` after the climate `before`."""
    rng = generator(seed, session.date, Stream.PATH)
    character = _draw_character(rng, session.date, before)
    shape = day_shape(int(session.minutes))
    state, shocks = _walk_state(rng, shape, figures.SURPRISE_SHARE * np.log(character.luck))
    quoted, realised = _variances(character, shape, state, session.minutes)
    returns = np.sqrt(realised) * shocks - realised / 2
    opening = before.log_price + _gap(session.date, before.log_price, character)
    log_price = opening + np.concatenate(([0.0], np.cumsum(returns)))
    announced = int(session.minutes) - figures.ANNOUNCEMENT_BEFORE_CLOSE
    return DayPath(
        session=session,
        price=np.exp(log_price),
        total=np.sqrt(quoted),
        profile=shape.profile,
        character=character,
        event=announced if character.event else None,
        after=Climate(float(log_price[-1]), character.slow),
    )


def _draw_character(rng: np.random.Generator, day: date, before: Climate) -> Character:
    gap = float(_heavy(rng, figures.GAP_DEGREES, 1)[0])
    news, fast, luck, closing, skew, event = (float(x) for x in rng.standard_normal(6))
    memory, leverage = figures.SLOW_MEMORY, figures.GAP_LEVERAGE
    news = sqrt(1 - leverage**2) * news - leverage * gap
    slow = memory * before.slow + sqrt(1 - memory**2) * news
    g = sqrt(figures.SLOW_SHARE) * slow + sqrt(1 - figures.SLOW_SHARE) * fast
    level = float(figures.LEVEL_FLOOR + figures.LEVEL_SCALE * np.exp(figures.LEVEL_WIDTH * g))
    announced = figures.EVENT_VARIANCE * _lognormal(event, figures.EVENT_WIDTH)
    return Character(
        gap=gap,
        slow=slow,
        level=level,
        expected_ratio=expected_ratio(level),
        luck=_lognormal(luck, figures.RATIO_DEVIATION),
        closing=_lognormal(closing, figures.CLOSE_WIDTH),
        skew=skew * figures.SKEW_DEVIATION,
        event=announced if day in announcement_days(day.year) else 0.0,
    )


def expected_ratio(level: float) -> float:
    """Realised over implied volatility to be expected at a level of IV (a modelling choice)."""
    high, low = figures.RATIO_HIGH_IV, figures.RATIO_LOW_IV
    return float(high + (low - high) / (1 + (level / figures.RATIO_PIVOT) ** figures.RATIO_POWER))


def _variances(
    character: Character, shape: DayShape, state: Floats, minutes: float
) -> tuple[Floats, Floats]:
    """Variance the market prices until the close [N] and that of each minute's return [N - 1].

    Both hang on the state of the day; the second is the first's decline on average days, times the
    squared ratio of realised to implied volatility.
    """
    after_ten = (figures.PROFILE_MINUTES - figures.TEN_O_CLOCK) / figures.PROFILE_MINUTES
    at_ten = character.level**2 * after_ten * minutes / figures.MINUTES_A_YEAR
    growth = np.exp(2 * state)
    left = shape.left + (character.closing - 1) * shape.closing_left
    spent = shape.spent * np.where(shape.closing, character.closing, 1.0)
    quoted = at_ten * growth * (left + character.event * shape.event_left)
    spent = spent - character.event * np.diff(shape.event_left)
    ratio = character.expected_ratio * character.luck
    return quoted, ratio**2 * at_ten * growth[:-1] / shape.growth * spent


def _walk_state(rng: np.random.Generator, shape: DayShape, target: float) -> tuple[Floats, Floats]:
    """Log state of total volatility [N] and the return shocks [N - 1] that help to drive it.

    The state is an AR(1) around a drift to `target`, summed up in one go.
    """
    count = shape.spent.size
    shocks = _with_jumps(rng, _heavy(rng, figures.SHOCK_DEGREES, count))
    own = _heavy(rng, figures.STATE_DEGREES, count)
    moves = shape.deviation * (np.sqrt(1 - shape.leverage**2) * own - shape.leverage * shocks)
    moved = np.concatenate(([0.0], np.cumsum(moves / shape.decay[1:])))
    return shape.decay * moved + target * (1 - shape.decay), shocks


def _with_jumps(rng: np.random.Generator, shocks: Floats) -> Floats:
    least, mean = figures.JUMP_SIZE
    count = rng.poisson(figures.JUMPS_A_DAY)
    where = rng.integers(0, shocks.size, count)
    shocks[where] += rng.choice((-1.0, 1.0), count) * (least + rng.exponential(mean - least, count))
    return shocks


def _gap(day: date, log_price: float, character: Character) -> float:
    """The overnight return: a shock scaled with volatility, and a pull to the long-run line."""
    line = np.interp(day.toordinal(), figures.LINE_ORDINALS, np.log(figures.LINE_DOLLARS))
    away = log_price - float(line)
    pull = figures.LINE_PULL * away * (1 + (away / figures.LINE_BAND) ** 2)
    return figures.GAP_DEVIATION * character.level / figures.GAP_LEVEL * character.gap - pull


def _lognormal(shock: float, deviation: float) -> float:
    """exp(deviation x shock), scaled to a mean of one."""
    return float(np.exp(deviation * shock - deviation**2 / 2))


def _heavy(rng: np.random.Generator, degrees: float, count: int) -> Floats:
    """Student's t of unit variance."""
    return np.asarray(rng.standard_t(degrees, count) * np.sqrt((degrees - 2) / degrees))
