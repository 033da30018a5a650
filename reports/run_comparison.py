"""Several runs held against the first of them, on the sessions that all have."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from errors import DataError
from reports import statistics
from reports.drawdowns import HALF_A_CENT
from reports.formatting import count, listing
from reports.metrics import Metrics
from reports.result import BacktestResult, Floats
from reports.run_folder import read_run
from reports.statistics import NO_INTERVAL, Interval
from reports.trades import daily_pnl

FEWEST = 10
"""Fewer common sessions have no interval."""

CONFIGURATION = "config.toml"


@dataclass(frozen=True, slots=True, eq=False)
class ComparedRun:
    """A run under the name of its folder, with its settings by dotted name."""

    name: str
    folder: Path
    result: BacktestResult
    metrics: Metrics
    settings: Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Runs, the first of which the others are held against.

    Args:
        runs: at least two.
        common: sessions that every run kept, in order.
        daily: [runs, common] net dollars.
    """

    runs: Sequence[ComparedRun]
    common: Sequence[date]
    daily: Floats


def compare(folders: Sequence[Path]) -> Comparison:
    """Read the runs of `folders`.

    Raises `DataError` where a folder holds no finished run or is named twice.
    """
    resolved = [folder.resolve() for folder in folders]
    twice = [folder for folder in resolved if resolved.count(folder) > 1]
    if twice:
        raise DataError(f"{twice[0]} is named twice; name each run once")
    names = _names(resolved)
    runs = [_read(name, folder) for name, folder in zip(names, resolved, strict=True)]
    dates = [{session.date for session in run.result.sessions} for run in runs]
    common = sorted(set.intersection(*dates))
    return Comparison(runs, common, np.array([_daily(run.result, common) for run in runs]))


def _names(folders: Sequence[Path]) -> list[str]:
    """The folders' own names; where two are alike, the parent's before them."""
    names = [folder.name for folder in folders]
    if len(set(names)) < len(names):
        return [f"{folder.parent.name}/{folder.name}" for folder in folders]
    return names


def _read(name: str, folder: Path) -> ComparedRun:
    result, metrics = read_run(folder)
    return ComparedRun(name, folder, result, metrics, _settings(folder / CONFIGURATION))


def _settings(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        return _flat(tomllib.loads(path.read_text(encoding="utf-8")))
    except tomllib.TOMLDecodeError as error:
        raise DataError(f"{path} is damaged ({error}); run the backtest again") from error


def _flat(settings: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Settings by dotted name: {"rules": {"wait": 1}} is {"rules.wait": 1}."""
    found: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{before}{name}.")
        else:
            found[f"{before}{name}"] = value
    return found


def _daily(result: BacktestResult, common: Sequence[date]) -> Floats:
    daily = daily_pnl(result.trades, result.sessions)
    row = {session.date: number for number, session in enumerate(result.sessions)}
    return daily[[row[day] for day in common]]


@dataclass(frozen=True, slots=True, eq=False)
class Paired:
    """A run less the first one, session by session.

    Args:
        difference: [common] dollars.
        interval: 95 % of their mean; NaN below ten sessions.
        better, worse: sessions in which the run earned more, less.
        correlation: of the two daily P&Ls; NaN where one does not vary.
    """

    difference: Floats
    interval: Interval
    better: int
    worse: int
    correlation: float

    @property
    def mean(self) -> float:
        """Dollars a session; NaN without common sessions."""
        return float(self.difference.mean()) if self.difference.size else float("nan")


def paired(comparison: Comparison, run: int) -> Paired:
    """Run number `run` less the first, on the common sessions."""
    own, first = comparison.daily[run], comparison.daily[0]
    difference = own - first
    between = NO_INTERVAL
    if difference.size >= FEWEST:
        between = statistics.interval(statistics.bootstrap(difference).means)
    varies = difference.size > 1 and np.ptp(own) > 0 and np.ptp(first) > 0
    return Paired(
        difference,
        between,
        int((difference > HALF_A_CENT).sum()),
        int((difference < -HALF_A_CENT).sum()),
        float(np.corrcoef(own, first)[0, 1]) if varies else float("nan"),
    )


def differing_settings(comparison: Comparison) -> dict[str, list[str]]:
    """Settings that are not the same in all runs, by name; "not set" where a run has none."""
    names = dict.fromkeys(name for run in comparison.runs for name in run.settings)
    found = {}
    for name in names:
        values = [_text(run.settings.get(name)) for run in comparison.runs]
        if len(set(values)) > 1:
            found[name] = values
    return found


def _text(value: Any) -> str:
    if value is None:
        return "not set"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def warnings(comparison: Comparison) -> list[str]:
    """Why the runs may not be compared as they are, a sentence each."""
    runs = comparison.runs
    found = []
    if not comparison.common:
        found.append("The runs have no session in common: nothing can be paired.")
    elif any(len(run.result.sessions) != len(comparison.common) for run in runs):
        found.append(
            f"Only {count(len(comparison.common), 'session')} are common to all; the figures of "
            "each run are of its own sessions, curves and differences of the common ones."
        )
    for what, values in (
        ("data", [run.result.data_label for run in runs]),
        ("starting cash", [f"{run.result.starting_cash:,.0f}" for run in runs]),
        ("underlyings", [run.result.underlying for run in runs]),
    ):
        if len(set(values)) > 1:
            told = listing(list(dict.fromkeys(values)), most=4)
            found.append(
                f"The runs have different {what} ({told}): differences are not the policy's alone."
            )
    trained = [run.name for run in runs if run.result.in_sample]
    if trained:
        found.append(f"IN SAMPLE: {listing(trained, most=4)} saw training days of its own model.")
    return found


def luck(comparison: Comparison) -> str:
    """How lucky the best of as many worthless runs would look, in a sentence; "" without Sharpe."""
    sharpes = [statistics.sharpe_a_session(daily) for daily in comparison.daily]
    known = [value for value in sharpes if value == value]
    if len(comparison.common) < FEWEST or len(known) < 2:
        return ""
    best = int(np.nanargmax(sharpes))
    variance = float(np.var(known, ddof=1))
    chance = statistics.deflated_sharpe(comparison.daily[best], len(comparison.runs), variance)
    return (
        f"The best of {len(comparison.runs)} looks better than it is. By its Sharpe ratio that is "
        f"{comparison.runs[best].name}; the chance that it is truly above what the best of so many "
        f"worthless runs would show is {100 * chance:.0f} % (deflated Sharpe ratio, Bailey and "
        "Lopez de Prado 2014). Runs that were tried and not named here are not counted."
    )
