"""The underlying and the volatility the market quotes: one day, and the chain of days before it.

A day starts from a `Climate` (yesterday's close and the slow part of volatility) and ends in the
next one. The days are walked once from a fixed first date, so that a day is the same whichever
range it is asked in; only the climates are kept, a path is walked again when it is needed.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache, lru_cache
from threading import Lock

import numpy as np
import numpy.typing as npt

from errors import DataError
from feeds.sessions import Session, sessions_between
from feeds.simulation import calibration as figures
from feeds.simulation.calibration import Floats

FIRST_DATE, LAST_DATE = date(2021, 1, 4), date(2027, 12, 31)
PATH_STREAM, QUOTE_STREAM, FAULT_STREAM = 0, 1, 2
"""Independent random numbers of a day; asking for other quotes never moves the path."""


@dataclass(frozen=True, slots=True)
class Climate:
    """What a day inherits: log of yesterday's close, slow part of the volatility level."""

    log_price: float
    slow: float


@dataclass(frozen=True, slots=True)
class DayPath:
    """A simulated day, one row a minute from the open to the close, N = 391 (211 on half days).

    Attributes:
        session: the trading day.
        price: [N] dollars, not yet rounded to cents.
        total: [N] square root of the variance that the market prices until expiry (no unit).
        profile: [N] profile minutes 0 to 390 (see `calibration`).
        level: the day's IV at 10:00, before the state of the morning and any announcement.
        ratio: realised over implied volatility the day was drawn with, noise aside.
        skew: shift of the smile's slope, the day's own.
        event: row of an announcement, None on other days.
        after: the climate it leaves behind.
    """

    session: Session
    price: Floats
    total: Floats
    profile: Floats
    level: float
    ratio: float
    skew: float
    event: int | None
    after: Climate


def generator(seed: int, day: date, stream: int) -> np.random.Generator:
    """The random numbers of one purpose on one day; numpy's global state plays no part."""
    return np.random.default_rng([seed, day.toordinal(), stream])


def announcement_days(year: int) -> tuple[date, ...]:
    """Eight Wednesdays of a year on the pattern of the FOMC's (its very dates in 2026)."""
    last = {1: -1, 3: 2, 4: -1, 6: 2, 7: -1, 9: 2, 10: -1, 12: 1}
    return tuple(_wednesdays(year, month)[which] for month, which in last.items())


def _wednesdays(year: int, month: int) -> list[date]:
    first = date(year, month, 1)
    days = (first + timedelta(days=n) for n in range(31))
    return [day for day in days if day.month == month and day.weekday() == 2]


def walk_day(session: Session, before: Climate, seed: int) -> DayPath:
    """The path of `session` after the climate `before`."""
    rng = generator(seed, session.date, PATH_STREAM)
    gap_shock = float(_heavy(rng, figures.GAP_DEGREES, 1)[0])
    slow_shock, fast, luck, close, skew, event = rng.standard_normal(6)
    leverage = figures.GAP_LEVERAGE
    slow_shock = -leverage * gap_shock + np.sqrt(1 - leverage**2) * slow_shock
    memory = figures.SLOW_MEMORY
    slow = memory * before.slow + np.sqrt(1 - memory**2) * slow_shock
    level = volatility_level(slow, fast)
    ratio = expected_ratio(level) * _lognormal(luck, figures.RATIO_DEVIATION)
    event_variance = 0.0
    if session.date in announcement_days(session.date.year) and session.minutes > 300:
        event_variance = figures.EVENT_VARIANCE * _lognormal(event, figures.EVENT_WIDTH)
    shape = _shape(int(session.minutes))
    state, shocks = _state(rng, shape, figures.SURPRISE_SHARE * np.log(ratio / expected_ratio(level)))
    closing = _lognormal(close, figures.CLOSE_WIDTH)
    at_ten = level**2 * (360 / figures.MINUTES_A_YEAR) * session.minutes / 390
    growth = np.exp(2 * state)
    total = at_ten * growth * (shape.left + shape.close * (closing - 1) + event_variance * shape.event)
    spent = shape.spent * np.where(shape.at_close, closing, 1.0) - event_variance * np.diff(shape.event)
    variance = ratio**2 * at_ten * growth[:-1] / shape.growth * spent
    returns = np.sqrt(variance) * shocks - variance / 2
    opening = before.log_price + _gap(session.date, before.log_price, level, gap_shock)
    log_price = opening + np.concatenate(([0.0], np.cumsum(returns)))
    return DayPath(
        session=session,
        price=np.exp(log_price),
        total=np.sqrt(total),
        profile=shape.profile,
        level=level,
        ratio=ratio,
        skew=float(skew) * figures.SKEW_DEVIATION,
        event=int(session.minutes) - 120 if event_variance else None,
        after=Climate(float(log_price[-1]), float(slow)),
    )


def volatility_level(slow: float, fast: float) -> float:
    """IV at 10:00 from the slow and the fast normal factor."""
    share = figures.SLOW_SHARE
    g = np.sqrt(share) * slow + np.sqrt(1 - share) * fast
    return float(figures.LEVEL_FLOOR + figures.LEVEL_SCALE * np.exp(figures.LEVEL_WIDTH * g))


def expected_ratio(level: float) -> float:
    """Realised over implied volatility to be expected at a level of IV (a modelling choice)."""
    high, low = figures.RATIO_HIGH_IV, figures.RATIO_LOW_IV
    return float(high + (low - high) / (1 + (level / figures.RATIO_PIVOT) ** figures.RATIO_POWER))


def _lognormal(shock: float, deviation: float) -> float:
    """exp(deviation x shock), its mean one."""
    return float(np.exp(deviation * shock - deviation**2 / 2))


def _heavy(rng: np.random.Generator, degrees: float, count: int) -> Floats:
    """Student's t of unit variance."""
    return np.asarray(rng.standard_t(degrees, count) * np.sqrt((degrees - 2) / degrees))


def _gap(day: date, log_price: float, level: float, shock: float) -> float:
    """The overnight return: a shock scaled with volatility, and a pull to the long-run line."""
    line = np.interp(day.toordinal(), figures.LEVEL_ORDINALS, np.log(figures.LEVEL_DOLLARS))
    away = log_price - float(line)
    pull = figures.LEVEL_PULL * away * (1 + (away / figures.LEVEL_BAND) ** 2)
    return float(figures.GAP_DEVIATION * level / 0.23 * shock - pull)


@dataclass(frozen=True, slots=True)
class _Shape:
    """What all days of one length share; arrays [N], or [N - 1] for steps."""

    profile: Floats
    left: Floats
    close: Floats
    event: Floats
    spent: Floats
    at_close: npt.NDArray[np.bool_]
    deviation: Floats
    leverage: Floats
    decay: Floats
    growth: Floats


@cache
def _shape(minutes: int) -> _Shape:
    profile = np.linspace(0.0, figures.PROFILE_MINUTES, minutes + 1)
    left = np.interp(profile, figures.VARIANCE_LEFT_MINUTES, figures.VARIANCE_LEFT)
    spent = np.diff(np.interp(profile, np.arange(391.0), _cumulative_variance()))
    step = figures.PROFILE_MINUTES / minutes
    start = profile[:-1]
    deviation = np.interp(start, figures.STATE_MINUTES, figures.STATE_DEVIATION)
    announced = figures.PROFILE_MINUTES - figures.ANNOUNCEMENT_MINUTES_BEFORE_CLOSE
    talk = np.clip(1 - (profile - announced) / figures.EVENT_TALK_MINUTES, 0, 1)
    deviation = deviation * np.sqrt(step / 5)
    decay = figures.STATE_MEMORY**profile
    spread = decay[:-1] ** 2 * np.concatenate(([0.0], np.cumsum((deviation / decay[1:]) ** 2)[:-1]))
    return _Shape(
        profile=profile,
        left=left,
        close=np.minimum(figures.CLOSE_SHARE, figures.CLOSE_FRACTION * left),
        event=np.where(profile <= announced, 1.0, (1 - figures.EVENT_FIRST_SHARE) * talk),
        spent=spent,
        at_close=start >= figures.PROFILE_MINUTES - figures.CLOSE_MINUTES,
        deviation=deviation,
        leverage=np.interp(start, figures.STATE_MINUTES, figures.STATE_LEVERAGE),
        decay=decay,
        growth=np.exp(2 * spread),
    )


def _cumulative_variance() -> Floats:
    """[391] realised variance since the open by profile minute; 1 is that from 10:00 to 16:00."""
    minutes = np.repeat(figures.FIVE_MINUTE_VARIANCE, 5)
    for part, weights in ((slice(0, 5), figures.FIRST_MINUTES), (slice(-5, None), figures.LAST_MINUTES)):
        minutes[part] *= weights / weights.mean()
    sums = np.concatenate(([0.0], np.cumsum(minutes)))
    return np.asarray(sums / (sums[-1] - sums[figures.TEN_O_CLOCK]))


def _state(rng: np.random.Generator, shape: _Shape, target: float) -> tuple[Floats, Floats]:
    """Log state of total volatility [N] and the return shocks [N - 1] that help to drive it."""
    count = shape.spent.size
    shocks = _with_jumps(rng, _heavy(rng, figures.SHOCK_DEGREES, count))
    own = _heavy(rng, figures.STATE_DEGREES, count)
    moves = shape.deviation * (-shape.leverage * shocks + np.sqrt(1 - shape.leverage**2) * own)
    moved = np.concatenate(([0.0], np.cumsum(moves / shape.decay[1:])))
    return shape.decay * moved + target * (1 - shape.decay), shocks


def _with_jumps(rng: np.random.Generator, shocks: Floats) -> Floats:
    count = rng.poisson(figures.JUMPS_A_DAY)
    where = rng.integers(0, shocks.size, count)
    least, mean = figures.JUMP_SIZE
    size = least + rng.exponential(mean - least, count)
    shocks[where] += rng.choice((-1.0, 1.0), count) * size
    return shocks


class History:
    """The walk of one seed through all sessions since the first date."""

    def __init__(self, seed: int) -> None:
        """Nothing is walked yet."""
        self._seed = seed
        self._sessions = sessions_between(FIRST_DATE, LAST_DATE)
        self._index = {session.date: i for i, session in enumerate(self._sessions)}
        self._before = [Climate(float(np.log(figures.LEVEL_DOLLARS[0])), 0.0)]
        self._lock = Lock()

    def path(self, session: Session) -> DayPath:
        """The path of a session, about a tenth of a millisecond once its past is walked.

        Raises `DataError` outside 2021 to 2027.
        """
        index = self._index.get(session.date)
        if index is None:
            raise DataError(
                f"{session.date} cannot be simulated: choose sessions from {FIRST_DATE} "
                f"to {LAST_DATE}"
            )
        with self._lock:
            while len(self._before) <= index:
                past = self._sessions[len(self._before) - 1]
                self._before.append(walk_day(past, self._before[-1], self._seed).after)
        return walk_day(session, self._before[index], self._seed)


@lru_cache(maxsize=4)
def history(seed: int) -> History:
    """The one history of a seed, shared by all markets made from it."""
    return History(seed)
