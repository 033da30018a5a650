"""`log.jsonl`: the one file of a run that holds wall times, paths, versions and costs."""

import json
import platform
import resource
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

PACKAGES = ("backtrader", "numpy", "pandas", "pyarrow", "stable-baselines3", "torch")


class Cost:
    """CPU seconds and peak memory since it was made: what a run costs over its imports."""

    def __init__(self) -> None:
        """Start counting now."""
        self._cpu = time.process_time()
        self._memory = peak_memory_mb()

    def so_far(self) -> dict[str, float]:
        """CPU seconds, and megabytes by which the peak has grown."""
        return {
            "cpu_seconds": round(time.process_time() - self._cpu, 3),
            "peak_memory_mb": round(peak_memory_mb() - self._memory, 1),
        }


class RunLog:
    """Appends one JSON object a line; flushed at once, so that a crash leaves what came before."""

    def __init__(self, path: Path, go_on: bool = False) -> None:
        """Start a new log at `path`, or go on with the one of an earlier process."""
        self._file = path.open("a" if go_on else "w", encoding="utf-8")
        self.write("started", python=platform.python_version(), packages=_versions())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def write(self, event: str, **facts: Any) -> None:
        """Append an event with its wall time."""
        line = {"time": datetime.now(UTC).isoformat(), "event": event, **facts}
        self._file.write(json.dumps(line, default=str) + "\n")
        self._file.flush()


def peak_memory_mb() -> float:
    """Largest resident memory of this process so far, in megabytes."""
    status = Path("/proc/self/status")
    if status.exists():  # Linux: getrusage would count the parent before exec as well
        words = status.read_text().split()
        return int(words[words.index("VmHWM:") + 1]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024**2 if platform.system() == "Darwin" else 1024)


def _versions() -> dict[str, str]:
    return {name: version(name) for name in PACKAGES}
