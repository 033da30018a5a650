"""Round trips in groups: by the reason of their exit, by right, by implied volatility at entry."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from reports import statistics
from reports.result import BacktestResult, Floats
from reports.statistics import NO_INTERVAL, Interval
from reports.trades import session_of, trade_arrays
from vocabulary import ExitReason

FEWEST = 10
"""A group of fewer trades has no interval."""

RESAMPLES = 1_000
"""Of each group: there are many groups, and their intervals are wide."""

BANDS = ((50, 5), (15, 3))
"""From so many trades on, so many bands of volatility with equally many trades each."""

Texts = npt.NDArray[np.str_]


@dataclass(frozen=True, slots=True, eq=False)
class TradeGroup:
    """Trades that are alike in one thing; `pnl` [n] net dollars in the order of time."""

    name: str
    pnl: Floats

    @property
    def win_rate(self) -> float:
        """Fraction above zero."""
        return statistics.win_rate(self.pnl)

    @property
    def mean(self) -> float:
        """Net dollars a trade."""
        return float(self.pnl.mean())

    @property
    def interval(self) -> Interval:
        """95 % of the mean by the stationary bootstrap; NaN below ten trades."""
        if self.pnl.size < FEWEST:
            return NO_INTERVAL
        return statistics.interval(statistics.bootstrap(self.pnl, RESAMPLES).means)


def by_exit(result: BacktestResult) -> list[TradeGroup]:
    """Groups by exit reason, the most frequent first."""
    names = np.array([words(trade.exit_reason) for trade in result.trades])
    groups = _grouped(result, names, sorted(set(names.tolist())))
    return sorted(groups, key=lambda group: -group.pnl.size)


def words(reason: ExitReason) -> str:
    """An exit reason as a reader likes it: "stop loss"."""
    return reason.value.replace("_", " ")


def by_right(result: BacktestResult) -> list[TradeGroup]:
    """Groups by what was traded: "sold put", "sold call", "bought put", ..."""
    sides = ("sold" if trade.side < 0 else "bought" for trade in result.trades)
    rights = (trade.contract.right.name.lower() for trade in result.trades)
    names = np.array([f"{side} {right}" for side, right in zip(sides, rights, strict=True)])
    return _grouped(result, names, sorted(set(names.tolist())))


def entry_iv(result: BacktestResult) -> Floats:
    """[trades] at-the-money volatility when the entry was decided; NaN where it was not seen."""
    opens = {session.date: session.open_ns for session in result.sessions}
    decided = np.array([trade.decided_ts for trade in result.trades], np.int64)
    first = np.array([opens[session_of(trade)] for trade in result.trades], np.int64)
    ts = result.decisions.ts
    if not ts.size:
        return np.full(decided.size, np.nan)
    row = np.searchsorted(ts, decided, side="right") - 1
    known = (row >= 0) & (ts[row] >= first)
    return np.where(known, result.decisions.atm_iv[row], np.nan)


def iv_edges(iv: Floats) -> Floats:
    """Bounds of the bands of `iv` [n], with equally many trades in each; at least two bounds."""
    known = iv[np.isfinite(iv)]
    if not known.size:
        return np.empty(0)
    bands = next((bands for amount, bands in BANDS if known.size >= amount), 1)
    return np.unique(np.quantile(known, np.linspace(0, 1, bands + 1)))


def by_entry_iv(result: BacktestResult) -> list[TradeGroup]:
    """Groups by implied volatility at entry, the calmest first."""
    iv = entry_iv(result)
    edges = iv_edges(iv)
    labels = band_names(edges)
    if not labels:
        return []
    inside = np.clip(np.searchsorted(edges, iv, side="right") - 1, 0, len(labels) - 1)
    names = np.where(np.isfinite(iv), np.array(labels)[inside], "unknown")
    return _grouped(result, names, [*labels, "unknown"])


def band_names(edges: Floats) -> list[str]:
    """ "11.2 to 13.0 %" for each pair of bounds; one bound alone is a band of its own."""
    if edges.size == 1:
        return [f"{100 * edges[0]:.1f} %"]
    pairs = itertools.pairwise(edges)
    return [f"{100 * low:.1f} to {100 * high:.1f} %" for low, high in pairs]


def _grouped(result: BacktestResult, names: Texts, order: Sequence[str]) -> list[TradeGroup]:
    pnl = trade_arrays(result.trades).net_pnl
    groups = [TradeGroup(name, pnl[names == name]) for name in dict.fromkeys(order)]
    return [group for group in groups if group.pnl.size]
