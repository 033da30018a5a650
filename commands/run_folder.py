"""Where a run's files go, and the settings it was run with."""

from datetime import datetime
from pathlib import Path

import tomli_w

from errors import SettingError
from settings import Settings

RUNS = Path("runs")
CONFIG = "config.toml"
_OURS = {"metrics.json", "log.jsonl"}


def new_run_folder(settings: Settings, verb: str, name: str) -> Path:
    """Make the run's folder: `--out`, or runs/DATE_TIME_verb_name.

    Raises `SettingError` where `--out` holds files that no run wrote.
    """
    if settings.out is not None:
        folder = settings.out
        if folder.exists() and not folder.is_dir():
            raise SettingError(f"--out {folder} is a file; name a folder")
        if folder.is_dir() and any(folder.iterdir()) and not _is_a_run(folder):
            raise SettingError(f"--out {folder} holds other files; name a new or an earlier run")
    else:
        safe = "".join(c if c.isalnum() else "-" for c in name)
        folder = RUNS / f"{datetime.now():%Y-%m-%d_%H%M%S}_{verb}_{safe}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingError(f"cannot make the folder {folder}: {error.strerror}") from error
    return folder


def write_config(folder: Path, settings: Settings) -> None:
    """Write the effective settings, but for where the files go, as a config.toml of its own."""
    plain = settings.model_dump(mode="json", exclude_none=True, exclude={"out"})
    (folder / CONFIG).write_text(tomli_w.dumps(plain), encoding="utf-8")


def _is_a_run(folder: Path) -> bool:
    return any((folder / name).exists() for name in _OURS)


def is_among_runs(folder: Path) -> bool:
    """Whether a run lies in the folder of all runs, whose index then names it."""
    return folder.resolve().parent == RUNS.resolve()
