"""Figures of a run as pure functions on arrays. Money is dollars, a day is a session.

What cannot be known (a Sharpe ratio of one day, a win rate without trades) is NaN, never an
exception and never a flattering zero.
"""

import math
from functools import lru_cache
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

SESSIONS_A_YEAR = 252
RESAMPLES = 5_000
LEVEL = 0.95
SEED = 0
FEWEST_SESSIONS = 10
"""With fewer, resampled Sharpe ratios mean nothing: most resamples have next to no variance."""

EULER = 0.5772156649015329
"""The Euler-Mascheroni constant."""

_CHUNK = 250


class Interval(NamedTuple):
    """A percentile interval; NaN at both ends where there is none."""

    low: float
    high: float


NO_INTERVAL = Interval(np.nan, np.nan)


class Bootstrap(NamedTuple):
    """Resampled statistics of daily P&L, [resamples] each."""

    means: Floats
    sharpes: Floats


def win_rate(pnl: Floats) -> float:
    """Fraction of `pnl` [n] above zero; NaN without trades."""
    return float(np.mean(pnl > 0)) if pnl.size else np.nan


def profit_factor(pnl: Floats) -> float:
    """Dollars won over dollars lost, `pnl` [n]; NaN where nothing was lost."""
    lost = -pnl[pnl < 0].sum()
    return float(pnl[pnl > 0].sum() / lost) if lost > 0 else np.nan


def drawdown(equity: Floats, start: float) -> Floats:
    """[M] dollars below the highest equity so far, `start` included; zero or negative."""
    peak = np.maximum.accumulate(np.concatenate(([start], equity)))[1:]
    return np.asarray(equity - peak)


def max_drawdown(equity: Floats, start: float) -> float:
    """Largest fall from a peak in dollars, positive; zero for an empty curve."""
    return float(-drawdown(equity, start).min(initial=0.0))


def sharpe(daily: Floats) -> float:
    """mean / sd x sqrt(252) of daily P&L [days]; NaN under two days or without variance."""
    deviation = spread_of(daily)
    if not deviation > 0:
        return np.nan
    return float(daily.mean() / deviation * np.sqrt(SESSIONS_A_YEAR))


def t_statistic(daily: Floats) -> float:
    """Student's t of the mean against zero; NaN under two days or without variance."""
    deviation = spread_of(daily)
    return float(daily.mean() / deviation * np.sqrt(daily.size)) if deviation > 0 else np.nan


def sessions_needed(daily: Floats, t: float = 2.0) -> float:
    """Sessions until the mean's t reaches `t` at this mean and variance: (t sd / mean)^2.

    NaN where the mean is zero or the variance unknown or zero.
    """
    deviation = spread_of(daily)
    if not deviation > 0 or abs(daily.mean()) < 1e-12 * deviation:
        return np.nan
    return float(np.ceil((t * deviation / daily.mean()) ** 2))


def spread_of(daily: Floats) -> float:
    """Sample standard deviation (n - 1) of `daily`; NaN under two days.

    Equal values give exactly zero: rounding in their mean is not variance.
    """
    if daily.size < 2:
        return np.nan
    return float(daily.std(ddof=1)) if np.ptp(daily) > 0 else 0.0


def exposure(entered: Integers, exited: Integers, session_time: int) -> float:
    """Fraction of `session_time` (nanoseconds) between entries and exits (nanoseconds [n])."""
    return float((exited - entered).sum() / session_time) if session_time else np.nan


def mean_block(days: int) -> int:
    """Mean block length of the stationary bootstrap: the cube root of the days, at least 1."""
    return max(1, round(float(np.cbrt(days))))


def bootstrap(daily: Floats, resamples: int = RESAMPLES, seed: int = SEED) -> Bootstrap:
    """Means and Sharpe ratios of `daily` [days] resampled by the stationary bootstrap.

    Blocks of geometric length (mean `mean_block`) on a circle keep what one day says about the
    next. Politis and Romano (1994), "The Stationary Bootstrap", JASA 89. Empty under two days.
    """
    return _bootstrap(np.ascontiguousarray(daily, float).tobytes(), resamples, seed)


@lru_cache(maxsize=64)
def _bootstrap(figures: bytes, resamples: int, seed: int) -> Bootstrap:
    """`bootstrap`; a text and a page on the same figures resample them once. Read-only."""
    daily = np.frombuffer(figures)
    if daily.size < 2:
        return Bootstrap(np.empty(0), np.empty(0))
    random = np.random.default_rng(seed)
    chunks = [
        _resample(daily, min(_CHUNK, resamples - done), random)
        for done in range(0, resamples, _CHUNK)
    ]
    means, sharpes = (np.concatenate(column) for column in zip(*chunks, strict=True))
    for column in (means, sharpes):
        column.setflags(write=False)
    return Bootstrap(means, sharpes)


def _resample(daily: Floats, count: int, random: np.random.Generator) -> tuple[Floats, Floats]:
    """[count] means and Sharpe ratios; chunks of resamples keep the arrays in the cache.

    A block's sums are differences of running sums, so that work grows with the blocks and not with
    their days. Deviations are of values less their mean: that keeps the digits of the squares.
    """
    size, shape = daily.size, (count, daily.size)
    opens = random.random(shape, np.float32) < 1 / mean_block(size)
    opens[:, 0] = True
    firsts = np.flatnonzero(opens)
    starts = random.integers(0, size, shape).ravel()[firsts]
    ends = starts + np.diff(firsts, append=opens.size)
    rows = np.flatnonzero(firsts % size == 0)
    around = daily - daily.mean()
    totals, sums, squares = (
        _by_row(values, starts, ends, rows) for values in (daily, around, around**2)
    )
    means = _without_dust(totals / size, daily)
    variance = (squares - sums**2 / size) / (size - 1)
    varies = _varies(daily, starts, ends, rows)
    deviations = np.sqrt(np.where(varies & (variance > 0), variance, np.nan))
    return means, means / deviations * np.sqrt(SESSIONS_A_YEAR)


def _by_row(values: Floats, starts: Integers, ends: Integers, rows: Integers) -> Floats:
    """Sums of `values` on a circle over blocks [starts, ends), from each of `rows` to the next."""
    running = np.concatenate(([0.0], np.tile(values, 2).cumsum()))
    return np.asarray(np.add.reduceat(running[ends] - running[starts], rows))


def _without_dust(means: Floats, daily: Floats) -> Floats:
    """`means` with rounding taken for what it is: an end of an interval at zero must be zero."""
    return np.where(np.abs(means) < 1e-12 * np.abs(daily).max(), 0.0, means)


def _varies(
    daily: Floats, starts: Integers, ends: Integers, rows: Integers
) -> npt.NDArray[np.bool_]:
    """Whether a resample has two different values: told exactly, rounding is no variance."""
    changes = np.concatenate(([0], (daily != np.roll(daily, -1)).cumsum()))
    changes = np.concatenate((changes, changes[-1] + changes[1:]))
    within = np.add.reduceat(changes[ends - 1] - changes[starts], rows) > 0
    lowest, highest = (each.reduceat(daily[starts], rows) for each in (np.minimum, np.maximum))
    return np.asarray(within | (lowest < highest))


def wilson(part: int, whole: int, level: float = LEVEL) -> Interval:
    """The interval of a share, `part` of `whole`; NaN where `whole` is zero.

    Wilson (1927), "Probable Inference, the Law of Succession, and Statistical Inference", JASA 22:
    unlike mean and deviation it holds with few figures and near 0 and 1.
    """
    if not whole:
        return NO_INTERVAL
    z = NormalDist().inv_cdf(0.5 + level / 2)
    share, room = part / whole, z * z / whole
    middle = share + room / 2
    width = z * math.sqrt(share * (1 - share) / whole + room / (4 * whole))
    return Interval(
        max(0.0, (middle - width) / (1 + room)), min(1.0, (middle + width) / (1 + room))
    )


def difference_of_means(one: Floats, other: Floats) -> Interval:
    """95 % of mean(`one` [n]) - mean(`other` [m]), each resampled by itself; NaN under two."""
    first, second = bootstrap(one).means, bootstrap(other, seed=SEED + 1).means
    return interval(first - second) if first.size and second.size else NO_INTERVAL


def interval(samples: Floats, level: float = LEVEL) -> Interval:
    """Central percentile interval of `samples`, NaN among them left out."""
    known = samples[~np.isnan(samples)]
    if not known.size:
        return NO_INTERVAL
    tail = 50 * (1 - level)
    low, high = np.percentile(known, [tail, 100 - tail])
    return Interval(float(low), float(high))


def expected_shortfall(daily: Floats, share: float = 0.01) -> float:
    """Mean of the worst `share` of `daily` [days], of the worst one at least; NaN without days."""
    if not daily.size:
        return np.nan
    count = max(1, math.ceil(share * daily.size))
    return float(np.sort(daily)[:count].mean())


class Difference(NamedTuple):
    """A mean difference a session and its bootstrap interval."""

    mean: float
    interval: Interval


def paired_difference(ours: Floats, theirs: Floats) -> Difference:
    """`ours` less `theirs` on the same sessions [days], resampled in blocks of sessions.

    Pairs take out what both owe to the market of the day.
    """
    daily = ours - theirs
    if not daily.size:
        return Difference(np.nan, NO_INTERVAL)
    if np.ptp(daily) == 0:  # nothing varies: there is nothing to resample
        return Difference(float(daily[0]), Interval(float(daily[0]), float(daily[0])))
    return Difference(float(daily.mean()), interval(bootstrap(daily).means))


def sharpe_a_session(daily: Floats) -> float:
    """mean / sd of `daily` [days], not annualised; NaN as `sharpe`."""
    return sharpe(daily) / math.sqrt(SESSIONS_A_YEAR)


def probabilistic_sharpe(daily: Floats, above: float = 0.0) -> float:
    """Probability that the true Sharpe ratio a session exceeds `above` (a session, too).

    Phi((s - above) sqrt(n - 1) / sqrt(1 - g3 s + (g4 - 1) / 4 s^2)) with skewness g3 and kurtosis
    g4 of `daily` [days]: fat tails and losses that are rarer but larger make it smaller. Bailey and
    Lopez de Prado (2012), "The Sharpe Ratio Efficient Frontier". NaN as `sharpe`.
    """
    ratio = sharpe_a_session(daily)
    if np.isnan(ratio):
        return np.nan
    standard = (daily - daily.mean()) / daily.std()
    skewness, kurtosis = float(np.mean(standard**3)), float(np.mean(standard**4))
    # Never negative, as g4 >= 1 + g3^2; zero only where two values alternate.
    error = math.sqrt(max(1 - skewness * ratio + (kurtosis - 1) / 4 * ratio**2, 1e-12))
    return NormalDist().cdf((ratio - above) * math.sqrt(daily.size - 1) / error)


def expected_best_sharpe(trials: int, variance: float) -> float:
    """The best Sharpe ratio that `trials` worthless configurations show by luck.

    sqrt(V) ((1 - g) Phi^-1(1 - 1/N) + g Phi^-1(1 - 1/(N e))), g = 0.5772...: Bailey and Lopez de
    Prado (2014), "The Deflated Sharpe Ratio", Journal of Portfolio Management 40. `variance` is
    that of the trials' Sharpe ratios. Zero for one trial.
    """
    if trials < 2:
        return 0.0
    quantile = NormalDist().inv_cdf
    best = (1 - EULER) * quantile(1 - 1 / trials) + EULER * quantile(1 - 1 / (trials * math.e))
    return math.sqrt(variance) * best


def deflated_sharpe(daily: Floats, trials: int, variance: float = np.nan) -> float:
    """Probability that the true Sharpe ratio is above what the best of `trials` shows by luck.

    `variance` of the trials' Sharpe ratios a session; where it is not known (NaN), that of a
    worthless one measured on as many sessions, 1 / (n - 1). NaN as `sharpe`.
    """
    if daily.size < 2:
        return np.nan
    if np.isnan(variance):
        variance = 1 / (daily.size - 1)
    return probabilistic_sharpe(daily, expected_best_sharpe(trials, variance))
