"""Asks a run's policy what it wants over time of day and volatility, for the report's map."""

import tomllib
from pathlib import Path

import numpy as np

from commands.policies import choose_policy
from commands.run_folder import CONFIG
from errors import DataError
from feeds.sessions import FULL_DAY_MINUTES
from reports.decision_grid import DecisionGrid, write_grid
from reports.result import BacktestResult
from reports.run_folder import read_run
from settings import Settings
from strategies.features import feature_vector, risk_score
from vocabulary import FEATURES, Action, Moment, Policy

STEPS = 60
"""Rows of volatility that are asked."""

ASSUMED_SCHEMA = 1
"""Of a zip without a card: the run used it, so somebody said so then."""


def ask_run(folder: Path) -> None:
    """Ask the policy of a finished run and leave `decision_grid.parquet` in its folder.

    Raises `DataError` where the folder has no settings, or the run saw no volatility to ask about,
    `ModelError` or `SettingError` where the policy is not at hand any more.
    """
    result, _ = read_run(folder)
    settings = run_settings(folder)
    policy = choose_policy(settings, ASSUMED_SCHEMA).policy
    grid = policy_grid(policy, result, settings)
    if grid is None:
        raise DataError(f"{folder} saw no volatility: there is nothing to ask its policy about")
    write_grid(folder, grid)


def policy_grid(policy: Policy, result: BacktestResult, settings: Settings) -> DecisionGrid | None:
    """What `policy` answers at every decision time and volatility of a run.

    Nothing is held and every sale allowed; spot is the run's median, the day its last, the risk
    score that of no open contract. Volatility spans what the run saw while entries were allowed;
    None where it saw none, as in sessions of a single book.
    """
    first = settings.rules.entry_after_open
    last = FULL_DAY_MINUTES - settings.rules.entry_before_close
    seen = _seen(result, first, last)
    if seen is None:
        return None
    low, high = seen
    minutes = np.arange(first, last + 1e-9, settings.rules.decision_minutes)
    rows = np.linspace(low, max(high, low + 1e-3), STEPS)
    spot = float(np.median(result.decisions.spot))
    day = result.sessions[-1].date.toordinal()
    answers = policy.probabilities(_moment(policy, minutes, rows, spot, day, settings))
    return DecisionGrid(minutes, rows, np.asarray(answers, float))


def _seen(result: BacktestResult, first: float, last: float) -> tuple[float, float] | None:
    """The middle 98 % of volatility between two times of the day, minutes since the open."""
    iv = result.decisions.atm_iv
    since = FULL_DAY_MINUTES * result.decisions.features[:, FEATURES.index("minutes_since_open")]
    seen = iv[np.isfinite(iv) & (since >= first) & (since <= last)]
    if not seen.size:
        return None
    low, high = np.percentile(seen, [1, 99])
    return float(low), float(high)


def _moment(
    policy: Policy,
    minutes: np.ndarray,
    rows: np.ndarray,
    spot: float,
    day: int,
    settings: Settings,
) -> Moment:
    """The question [V, T]; decisions are a slot apart."""
    since, iv = np.meshgrid(minutes, rows)
    nothing = np.zeros_like(since)
    risk = risk_score(nothing, since, iv, settings.risk)
    features = feature_vector(
        since, spot, iv, nothing, nothing, nothing, risk, FULL_DAY_MINUTES - since
    )
    mask = np.ones((*since.shape, policy.actions), bool)
    mask[..., Action.CLOSE :] = False
    every = settings.rules.decision_minutes
    slots = (since // every).astype(np.int64)
    return Moment(features, mask, np.full(since.shape, day), slots, since, since - every)


def run_settings(folder: Path) -> Settings:
    """The settings that a run was made with.

    Raises `DataError` where the folder does not have them, or they are no settings any more.
    """
    path = folder / CONFIG
    unset = {name: None for name, field in Settings.model_fields.items() if field.default is None}
    try:
        return Settings(**(unset | tomllib.loads(path.read_text(encoding="utf-8"))))
    except OSError as error:
        raise DataError(f"{folder} holds no {CONFIG}: its policy is not known") from error
    except ValueError as error:
        first = str(error).splitlines()[0]
        raise DataError(f"{path} cannot be read ({first})") from error
