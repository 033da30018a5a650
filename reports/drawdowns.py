"""The worst falls of an account: how deep, from when, how long, and whether it came back."""

from dataclasses import dataclass

import numpy as np

from reports.result import BacktestResult
from reports.statistics import Floats, drawdown

WORST = 5
"""Falls that a report lists."""

HALF_A_CENT = 0.005
"""Less than this below a peak is the rounding of sums, no fall."""


@dataclass(frozen=True, slots=True)
class Drawdown:
    """A fall from a peak until the peak is reached again.

    Args:
        depth: dollars from the peak to the lowest value, positive.
        peak: dollars at the peak.
        first: row of the first value below the peak; the peak is the row before it, or the
            account's start where `first` is 0.
        lowest: row of the lowest value.
        recovered: row of the first value at the peak or above; None where there is none.
    """

    depth: float
    peak: float
    first: int
    lowest: int
    recovered: int | None


def worst_drawdowns(equity: Floats, start: float, most: int = WORST) -> list[Drawdown]:
    """The `most` deepest falls of `equity` [M] from `start`, deepest first, none overlapping."""
    fall = drawdown(equity, start)
    below = (fall < -HALF_A_CENT).astype(np.int8)
    edges = np.diff(below, prepend=0, append=0)
    firsts, ends = np.flatnonzero(edges > 0), np.flatnonzero(edges < 0)
    if not firsts.size:
        return []
    depths = np.minimum.reduceat(fall, firsts)
    deepest = np.argsort(depths, kind="stable")[:most]
    return [_one(equity, fall, int(firsts[n]), int(ends[n])) for n in deepest]


def _one(equity: Floats, fall: Floats, first: int, end: int) -> Drawdown:
    lowest = first + int(fall[first:end].argmin())
    depth = float(-fall[lowest])
    recovered = end if end < fall.size else None
    return Drawdown(depth, float(equity[lowest]) + depth, first, lowest, recovered)


@dataclass(frozen=True, slots=True)
class DrawdownOfRun:
    """A fall with its times in nanoseconds; sessions are counted with both ends.

    Args:
        fall: depth and rows.
        first_ts, lowest_ts, recovered_ts: of the rows; None where it has not recovered.
        sessions: from the first below the peak to the recovery, or to the run's end.
        sessions_to_recover: from the lowest to the recovery; None where there is none yet.
    """

    fall: Drawdown
    first_ts: int
    lowest_ts: int
    recovered_ts: int | None
    sessions: int
    sessions_to_recover: int | None


def drawdowns_of(result: BacktestResult, most: int = WORST) -> list[DrawdownOfRun]:
    """The worst falls of a run's equity, the open position at mid."""
    falls = worst_drawdowns(result.equity.equity, result.starting_cash, most)
    ts = result.equity.ts
    opens = np.array([session.open_ns for session in result.sessions])
    number = np.searchsorted(opens, ts, side="right")
    found = []
    for fall in falls:
        end = ts.size - 1 if fall.recovered is None else fall.recovered
        found.append(
            DrawdownOfRun(
                fall,
                int(ts[fall.first]),
                int(ts[fall.lowest]),
                None if fall.recovered is None else int(ts[end]),
                int(number[end] - number[fall.first]) + 1,
                None if fall.recovered is None else int(number[end] - number[fall.lowest]) + 1,
            )
        )
    return found
