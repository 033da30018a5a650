"""Figures of an evaluation: candidates beside baselines on sessions that nobody trained on.

An outcome is what a policy did in a fold, as JSON values: `policy`, `role` (candidate, baseline,
luck), `fold`, `seed`, `dates`, and a session's dollars `net_pnl`, `less_delta` (without the gain of
the positions' deltas), `wide` (at twice the spread), and `trades`. Of several seeds of a candidate
nobody picks one: compared is their mean a session, shown are the median and the worst.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np

from reports import statistics
from reports.statistics import Floats, Interval

CANDIDATE, BASELINE, LUCK = "candidate", "baseline", "luck"
MEASURES = ("net_pnl", "less_delta", "wide")
RANDOM = "random legal"

Outcome = Mapping[str, Any]
Figures = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Series:
    """A policy over its sessions, all folds joined, oldest first.

    Attributes:
        name: of the policy.
        dates: [D].
        fold: [D] the fold of each session.
        seeds: [S] the seeds, one None where there are none.
        net_pnl, less_delta, wide: [S, D] dollars.
        trades: [S, D].
    """

    name: str
    dates: list[date]
    fold: list[int | None]
    seeds: list[int | None]
    net_pnl: Floats
    less_delta: Floats
    wide: Floats
    trades: Floats

    def mean_of(self, measure: str) -> Floats:
        """[D] the mean over the seeds."""
        return np.asarray(getattr(self, measure).mean(axis=0))

    def on(self, dates: Iterable[date]) -> "Series":
        """The same on some of its sessions, which it must have."""
        place = {day: i for i, day in enumerate(self.dates)}
        kept = [place[day] for day in dates]
        parts = {name: getattr(self, name)[:, kept] for name in (*MEASURES, "trades")}
        days, folds = [self.dates[i] for i in kept], [self.fold[i] for i in kept]
        return Series(self.name, days, folds, self.seeds, **parts)


def series(outcomes: Sequence[Outcome], role: str, beside: str | None = None) -> list[Series]:
    """The policies of a role in the order of their outcomes; of luck that `beside` a candidate."""
    some = [
        each for each in outcomes if each["role"] == role and each.get("beside", beside) == beside
    ]
    names = list(dict.fromkeys(each["policy"] for each in some))
    return [_joined([each for each in some if each["policy"] == name]) for name in names]


def _joined(outcomes: Sequence[Outcome]) -> Series:
    seeds = list(dict.fromkeys(each["seed"] for each in outcomes))
    by_seed = [
        sorted((e for e in outcomes if e["seed"] == seed), key=lambda e: e["dates"][0])
        for seed in seeds
    ]
    first = by_seed[0]
    parts = {
        name: np.array([np.concatenate([e[name] for e in some]) for some in by_seed], float)
        for name in (*MEASURES, "trades")
    }
    return Series(
        name=first[0]["policy"],
        dates=[date.fromisoformat(day) for each in first for day in each["dates"]],
        fold=[each["fold"] for each in first for _ in each["dates"]],
        seeds=seeds,
        **parts,
    )


def evaluation_figures(
    outcomes: Sequence[Outcome], facts: Mapping[str, Any], trials: int, variance: float
) -> Figures:
    """Every figure of the report.

    Args:
        outcomes: of all tasks.
        facts: `data`, `is_simulated`, `folds` and whatever else the report shows.
        trials: configurations ever tried, this one included.
        variance: of their Sharpe ratios a session, NaN where not known.
    """
    baselines = series(outcomes, BASELINE)
    figures: Figures = {**facts, "trials": {"tried": trials, "variance": variance}}
    figures["baselines"] = {each.name: _plain_figures(each) for each in baselines}
    figures["candidates"] = {
        each.name: _candidate_figures(
            each, baselines, series(outcomes, LUCK, each.name), trials, variance
        )
        for each in series(outcomes, CANDIDATE)
    }
    return figures


def _plain_figures(policy: Series) -> Figures:
    """Figures that every policy has."""
    daily = policy.mean_of("net_pnl")
    everything = policy.net_pnl.ravel()
    return {
        "sessions": len(policy.dates),
        "seeds": len(policy.seeds),
        "trades_a_session": float(policy.trades.mean()),
        "mean": float(daily.mean()),
        "mean_interval": _interval(daily),
        "less_delta": float(policy.less_delta.mean()),
        "less_delta_interval": _interval(policy.mean_of("less_delta")),
        "wide": float(policy.wide.mean()),
        "worst_session": float(everything.min()),
        "expected_shortfall": statistics.expected_shortfall(everything),
        "daily_sharpe": statistics.sharpe(_median_seed(policy)),
        "sessions_needed": statistics.sessions_needed(daily),
    }


def _candidate_figures(
    policy: Series,
    baselines: Sequence[Series],
    luck: Sequence[Series],
    trials: int,
    variance: float,
) -> Figures:
    means = policy.net_pnl.mean(axis=1)
    median = _median_seed(policy)
    rivals = [each.on(policy.dates) for each in (*baselines, *luck)]
    return {
        **_plain_figures(policy),
        "seed_names": list(policy.seeds),
        "seed_means": [float(mean) for mean in means],
        "median_seed": float(np.sort(means)[(len(means) - 1) // 2]),
        "worst_seed": float(means.min()),
        "probabilistic_sharpe": statistics.probabilistic_sharpe(median),
        "deflated_sharpe": statistics.deflated_sharpe(median, trials, variance),
        "against": {rival.name: _against(policy, rival) for rival in rivals},
        "luck": _luck(policy, luck),
        "folds": _by_fold(policy),
    }


def _median_seed(policy: Series) -> Floats:
    """[D] net P&L of the seed in the middle, the lower one of two."""
    order = np.argsort(policy.net_pnl.mean(axis=1), kind="stable")
    return np.asarray(policy.net_pnl[order[(len(order) - 1) // 2]])


def _against(policy: Series, rival: Series) -> Figures:
    """Paired differences a session in each measure."""
    figures = {}
    for measure in MEASURES:
        ours, theirs = policy.mean_of(measure), rival.mean_of(measure)
        found = statistics.paired_difference(ours, theirs)
        figures[measure] = {"mean": found.mean, "interval": list(found.interval)}
    return figures


def _luck(policy: Series, luck: Sequence[Series]) -> Figures:
    """Where the candidate stands among random policies that trade as often."""
    if not luck:
        return {}
    draws = luck[0].net_pnl.mean(axis=1)
    return {
        "figures": _plain_figures(luck[0]),
        "draws": [float(mean) for mean in draws],
        "trades_a_session": float(luck[0].trades.mean()),
        "share_below": float((draws < policy.net_pnl.mean()).mean()),
    }


def _by_fold(policy: Series) -> list[Figures]:
    """A row a fold: its sessions, and the mean of each seed there."""
    rows = []
    for fold in dict.fromkeys(policy.fold):
        here = [i for i, number in enumerate(policy.fold) if number == fold]
        rows.append(
            {
                "fold": fold,
                "first": policy.dates[here[0]].isoformat(),
                "last": policy.dates[here[-1]].isoformat(),
                "sessions": len(here),
                "seed_means": policy.net_pnl[:, here].mean(axis=1).tolist(),
                "less_delta": float(policy.less_delta[:, here].mean()),
                "trades_a_session": float(policy.trades[:, here].mean()),
            }
        )
    return rows


def _interval(daily: Floats) -> list[float]:
    found = statistics.paired_difference(daily, np.zeros(daily.size)).interval
    return list(Interval(*found))
