"""How many configurations were ever tried: kept beside the models, never shortened.

Who tries a hundred configurations finds a good one by luck. The deflated Sharpe ratio takes that
into account, and needs to know of every trial: each search, each evaluation and each training adds
its own here. The same configuration on the same sessions counts once.
"""

import fcntl
import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from errors import ModelError

TRIALS_NAME = "trials.jsonl"


class Trials(NamedTuple):
    """How many configurations, and the variance of their Sharpe ratios a session.

    `variance` is NaN where fewer than two are known.
    """

    tried: int
    variance: float


def configuration_hash(configuration: Mapping[str, Any]) -> str:
    """What makes two trials the same one; JSON values."""
    plain = json.dumps(configuration, sort_keys=True, default=str)
    return hashlib.sha256(plain.encode()).hexdigest()


def record_trial(
    folder: Path, verb: str, name: str, configuration: Mapping[str, Any], sharpe: float
) -> None:
    """Add a trial to the list in `folder`, unless the same one is there.

    Args:
        folder: of the models.
        verb: search, evaluate or train.
        name: what a person calls it.
        configuration: all that was chosen: settings, sessions, seed.
        sharpe: mean / sd of a session's P&L on sessions it was not trained on; NaN if unknown.

    Raises `ModelError` where the list cannot be read or written.
    """
    key = configuration_hash(configuration)
    known = sharpe if np.isfinite(sharpe) else None
    when = datetime.now(UTC).isoformat(timespec="seconds")
    line: dict[str, Any] = {"key": key, "time": when, "verb": verb, "name": name, "sharpe": known}
    line["configuration"] = dict(configuration)
    path = folder / TRIALS_NAME
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with path.open("a+", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # a search may run beside an evaluation
            file.seek(0)
            text = file.read()
            if all(entry["key"] != key for entry in _entries(text, path)):
                whole = "" if not text or text.endswith("\n") else "\n"
                file.write(whole + json.dumps(line, default=str) + "\n")
    except OSError as error:
        raise ModelError(f"{path} cannot be written: {error.strerror}") from error


def read_trials(folder: Path) -> Trials:
    """All trials ever recorded in `folder`.

    Raises `ModelError` for a damaged list: a count that is too small would flatter.
    """
    path = folder / TRIALS_NAME
    entries = _entries(path.read_text(encoding="utf-8"), path) if path.is_file() else []
    sharpes = [entry["sharpe"] for entry in entries if entry["sharpe"] is not None]
    variance = float(np.var(sharpes, ddof=1)) if len(sharpes) > 1 else np.nan
    return Trials(len(entries), variance)


def _entries(text: str, path: Path) -> Sequence[Mapping[str, Any]]:
    entries = []
    for number, line in enumerate(text.splitlines(), 1):
        try:
            entry = json.loads(line)
            entry["key"], entry["sharpe"]
        except (ValueError, TypeError, KeyError):
            raise ModelError(
                f"{path}, line {number} is no trial: mend it, do not drop it"
            ) from None
        entries.append(entry)
    return entries
