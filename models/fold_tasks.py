"""What is done in a fold: train a seed and judge it, judge a model or a rule.

Each function is the work of a `models.tasks.Task`: sessions and JSON arguments in, JSON out. torch
is imported by those that train and by nobody else.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from errors import InternalError
from models.matched_random import MatchedRandom, calibrate
from models.playback import play
from models.policy_network import NetworkPolicy, network_from_npz, network_to_npz
from models.session_arrays import SessionArrays
from models.shared_sessions import at_spread, chosen
from models.tasks import Task
from settings import Settings, TrainingSettings
from strategies.baselines import baseline
from vocabulary import Policy

WIDE = 2.0
"""The other spread at which everything is judged, in times the quoted one."""

SEEDED = "models.fold_tasks:seeded"
NETWORK = "models.fold_tasks:network"
RULE = "models.fold_tasks:rule"
TIMING = "models.fold_tasks:timing"
HOLDING = "models.fold_tasks:holding"
CALIBRATION = "models.fold_tasks:calibration"
DRAWS = "models.fold_tasks:draws"

TRAINED, TIMED, HELD = "trained", "logistic timing", "buy and hold"


def judged(
    policy: Policy, arrays: SessionArrays, settings: Settings, wider: SessionArrays | None = None
) -> dict[str, Any]:
    """What `policy` earned on each session: dates, dollars, trades.

    `less_delta` is without the gain of the positions' deltas, `wide` net P&L at twice the spread;
    `wider` are the same sessions at that spread, for who judges many policies on them.
    """
    played = play(policy, arrays, settings)
    wide = play(policy, at_spread(arrays, WIDE) if wider is None else wider, settings)
    return {
        "policy": policy.name,
        "dates": [session.date.isoformat() for session in arrays.sessions],
        "net_pnl": played.net_pnl.tolist(),
        "less_delta": (played.net_pnl - played.hedge_gain).tolist(),
        "wide": wide.net_pnl.tolist(),
        "trades": [len(trips) for trips in played.trips],
        "calls": sum(trip.contract.right.sign > 0 for trips in played.trips for trip in trips),
    }


def seeded(arrays: SessionArrays, task: Task) -> dict[str, Any]:
    """Train one seed on the fold's first sessions and judge it on its last ones.

    Arguments: `training` [first, end], `testing` [indices], `seed`, `settings` of the training.
    """
    from models.ppo_training import measure_features, train_seed
    from models.training import blank_card

    settings = _settings(arrays, task.arguments["settings"])
    training = chosen(arrays, range(*task.arguments["training"]))
    constants = measure_features(training, settings, settings.seed)
    with TemporaryDirectory() as logs:
        trained = train_seed(
            training,
            settings,
            constants,
            blank_card(TRAINED, settings),
            task.arguments["seed"],
            judge=lambda policy: 0.0,  # nobody looks at a curve here
            logs=Path(logs),
        )
    weights = network_to_npz(trained.policy.network, "0" * 64)
    result = judged(trained.policy, chosen(arrays, task.arguments["testing"]), settings)
    return result | {"network_sha256": hashlib.sha256(weights).hexdigest()}


def network(arrays: SessionArrays, task: Task) -> dict[str, Any]:
    """Judge a network (`payload`: its npz) on `testing` [indices]. Further: `name`, `sha256`."""
    loaded = network_from_npz(task.payload, task.arguments["sha256"])
    if loaded is None:
        raise InternalError(f"{task.name}: these are the weights of another model")
    policy = NetworkPolicy(task.arguments["name"], loaded)
    return judged(policy, chosen(arrays, task.arguments["testing"]), arrays.settings)


def rule(arrays: SessionArrays, task: Task) -> dict[str, Any]:
    """Judge a policy that is no model, by its `name`, on `testing` [indices]."""
    policy = baseline(task.arguments["name"], arrays.settings.seed)
    return judged(policy, chosen(arrays, task.arguments["testing"]), arrays.settings)


def timing(arrays: SessionArrays, task: Task) -> dict[str, Any]:
    """Fit the logistic timing on `training` [first, end] and judge it on `testing` [indices]."""
    from models.timing import fit_timing

    training = chosen(arrays, range(*task.arguments["training"]))
    policy = fit_timing(training, arrays.settings)
    return judged(policy, chosen(arrays, task.arguments["testing"]), arrays.settings)


def holding(arrays: SessionArrays, task: Task) -> dict[str, Any]:
    """Hold as many shares as the capital buys at the open of session `bought`, on `testing`.

    A session's gain is counted from the close before it, also where that lies in another fold;
    without dividends, interest and costs.
    """
    first, testing = task.arguments["bought"], task.arguments["testing"]
    some = chosen(arrays, testing)
    before = np.concatenate((arrays.spot[first, :1], arrays.official_close[first:]))
    gains = some.official_close - before[np.asarray(testing) - first]
    gains *= np.floor(arrays.settings.capital / arrays.spot[first, 0])
    nothing = [0] * len(some)
    return {
        "policy": HELD,
        "dates": [session.date.isoformat() for session in some.sessions],
        "net_pnl": gains.tolist(),
        "less_delta": nothing,
        "wide": gains.tolist(),
        "trades": nothing,
        "calls": 0,
    }


def calibration(arrays: SessionArrays, task: Task) -> float:
    """The chance at which random legal sales are as many as `rate` a session on `testing`.

    Further argument: `call_share`.
    """
    some = chosen(arrays, task.arguments["testing"])
    share, rate = task.arguments["call_share"], task.arguments["rate"]
    return calibrate(rate, share, some, arrays.settings)


def draws(arrays: SessionArrays, task: Task) -> list[dict[str, Any]]:
    """Judge random legal policies of `chance` and `call_share`, one for each of the `seeds`."""
    some = chosen(arrays, task.arguments["testing"])
    chance, share = task.arguments["chance"], task.arguments["call_share"]
    policies = [MatchedRandom(chance, share, seed) for seed in task.arguments["seeds"]]
    wider = at_spread(some, WIDE)
    return [judged(policy, some, arrays.settings, wider) for policy in policies]


def training_values(training: TrainingSettings) -> dict[str, Any]:
    """The settings of a training as JSON values, for a task's arguments."""
    return training.model_dump(mode="json", exclude={"seeds", "sessions", "held_out", "validation"})


def _settings(arrays: SessionArrays, values: Mapping[str, Any]) -> Settings:
    training = TrainingSettings.model_validate(values)
    return arrays.settings.model_copy(update={"training": training})


def seed_task(
    name: str,
    training: range,
    testing: Sequence[int],
    seed: int,
    values: Mapping[str, Any],
) -> Task:
    """The task that trains `seed` with the settings `values` and judges it."""
    arguments = {
        "training": [training.start, training.stop],
        "testing": list(testing),
        "seed": seed,
        "settings": dict(values),
    }
    return Task(name, SEEDED, arguments, cost=training_cost(values["steps"]))


def training_cost(steps: int) -> int:
    """The cost of a training for the progress bar: 1 for each 25,000 steps."""
    return max(1, round(steps / 25_000))
