"""Figures of a run as pure functions on arrays. Money is dollars, a day is a session.

What cannot be known (a Sharpe ratio of one day, a win rate without trades) is NaN, never an
exception and never a flattering zero.
"""

import math
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from feeds.contract import TICK

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


def pnl_at_mid(
    side: Integers, size: Floats, entry: Floats, exit_: Floats, mid_entry: Floats, mid_exit: Floats
) -> Floats:
    """[n] gross dollars had every fill been at the mid; a fill without a mid keeps its price.

    `side` is +1 long, -1 short, `size` shares (quantity x multiplier), prices dollars a share.
    """
    bought = np.where(np.isnan(mid_entry), entry, mid_entry)
    sold = np.where(np.isnan(mid_exit), exit_, mid_exit)
    return np.asarray(side * size * (sold - bought))


def pnl_a_tick_worse(
    side: Integers, size: Floats, entry: Floats, exit_: Floats, settled: npt.NDArray[np.bool_]
) -> Floats:
    """[n] gross dollars had every fill been one tick worse; settlement is no fill.

    Arguments as in `pnl_at_mid`. Prices stop at zero.
    """
    bought = np.maximum(entry + side * TICK, 0.0)
    sold = np.where(settled, exit_, np.maximum(exit_ - side * TICK, 0.0))
    return np.asarray(side * size * (sold - bought))


def mean_block(days: int) -> int:
    """Mean block length of the stationary bootstrap: the cube root of the days, at least 1."""
    return max(1, round(float(np.cbrt(days))))


def bootstrap(daily: Floats, resamples: int = RESAMPLES, seed: int = SEED) -> Bootstrap:
    """Means and Sharpe ratios of `daily` [days] resampled by the stationary bootstrap.

    Blocks of geometric length (mean `mean_block`) on a circle keep what one day says about the
    next. Politis and Romano (1994), "The Stationary Bootstrap", JASA 89. Empty under two days.
    """
    if daily.size < 2:
        return Bootstrap(np.empty(0), np.empty(0))
    random = np.random.default_rng(seed)
    chunks = [
        _resample(daily, min(_CHUNK, resamples - done), random)
        for done in range(0, resamples, _CHUNK)
    ]
    means, sharpes = zip(*chunks, strict=True)
    return Bootstrap(np.concatenate(means), np.concatenate(sharpes))


def _resample(daily: Floats, count: int, random: np.random.Generator) -> tuple[Floats, Floats]:
    """[count] means and Sharpe ratios; chunks of resamples keep the arrays in the cache."""
    shape = (count, daily.size)
    days = np.arange(daily.size)
    opens = random.random(shape, np.float32) < 1 / mean_block(daily.size)
    opens[:, 0] = True
    first = np.maximum.accumulate(np.where(opens, days, 0), axis=1)
    starts = np.take_along_axis(random.integers(0, daily.size, shape), first, axis=1)
    sample = daily[(starts + days - first) % daily.size]
    means = sample.mean(axis=1)
    deviations = np.where(np.ptp(sample, axis=1) > 0, sample.std(axis=1, ddof=1), np.nan)
    return means, means / deviations * np.sqrt(SESSIONS_A_YEAR)


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
