"""The sign of life that the desk leaves in a file, for a process that watches it.

The file is replaced as a whole, at most once a second, and at once when a position or an order
comes or goes. Standard library only: the watchdog must start fast and outlive everything.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

RUNNING, STOPPED = "running", "stopped"
EVERY_SECONDS = 1.0
"""An unchanged desk writes so often."""


@dataclass(frozen=True)
class Beat:
    """What a heartbeat says.

    Args:
        pid: of the desk.
        wall: seconds since 1970 UTC when it was written.
        number: counts up; the same number twice is silence.
        state: `RUNNING`, or `STOPPED` after an orderly end.
        position: signed contracts, 0 when flat.
        working: orders at the broker.
        sentence: the desk's state in words.
    """

    pid: int
    wall: float
    number: int
    state: str
    position: int = 0
    working: int = 0
    sentence: str = ""

    @property
    def is_at_risk(self) -> bool:
        """Whether somebody must look if the desk falls silent now."""
        return self.position != 0 or self.working != 0


def read_beat(path: Path) -> Beat | None:
    """The heartbeat in a file; None where there is none that can be read."""
    try:
        return Beat(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


class Heartbeat:
    """Writes heartbeats; for one thread. `fault` says why the last one could not be written."""

    def __init__(
        self,
        path: Path,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """Nothing is written before the first `beat`. Its folder is made where it is missing."""
        self.path = path
        self.fault = ""
        self._monotonic, self._wall = monotonic, wall
        self._number = 0
        self._due = float("-inf")
        self._risk = (0, 0)
        path.parent.mkdir(parents=True, exist_ok=True)

    def beat(self, position: int, working: int, sentence: str = "") -> None:
        """Tell that all is well; call it in every loop, it writes as seldom as it may.

        A full disk does not stop the desk: `fault` tells, and the watchdog will ring.
        """
        now = self._monotonic()
        if now >= self._due or (position, working) != self._risk:
            self._due, self._risk = now + EVERY_SECONDS, (position, working)
            self._write(RUNNING, position, working, sentence)

    def stop(self, position: int = 0, working: int = 0, sentence: str = "") -> None:
        """Tell that the desk ends in order: whoever watches may go home."""
        self._write(STOPPED, position, working, sentence)

    def _write(self, state: str, position: int, working: int, sentence: str) -> None:
        self._number += 1
        beat = Beat(os.getpid(), self._wall(), self._number, state, position, working, sentence)
        written = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        try:
            written.write_text(json.dumps(asdict(beat)), encoding="utf-8")
            written.replace(self.path)
            self.fault = ""
        except OSError as error:
            self.fault = f"the heartbeat {self.path} cannot be written: {error.strerror}"


def start_watchdog(
    heartbeat: Path,
    seconds: float = 10.0,
    alarm: str | None = None,
    journal: Path | None = None,
) -> "subprocess.Popen[bytes]":
    """Start the watchdog in a session of its own, so that no Ctrl-C and no hang-up reaches it.

    One that watches the same file already stays, and the new one ends by itself.
    """
    command = [sys.executable, "-m", "desk.watchdog", "--heartbeat", str(heartbeat.resolve())]
    command += ["--seconds", str(seconds)]
    command += ["--alarm", alarm] if alarm else []
    command += ["--journal", str(journal.resolve())] if journal else []
    root = Path(__file__).resolve().parent.parent
    return subprocess.Popen(
        command, cwd=root, stdin=subprocess.DEVNULL, start_new_session=True, close_fds=True
    )
