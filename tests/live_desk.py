"""Desks for tests: `run.py live` as real processes, whose imports are paid once.

`Nursery` is a process that has imported everything and forks for each desk; a desk has its own
session, folder, environment, standard streams and, if wanted, terminal. Kill it, stop it, wait.
"""

import fcntl
import json
import os
import signal
import sqlite3
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).resolve().parent.parent
QUIET = ("--set", "live.watchdog=false")
HALF_DAY = "2025-11-28"
RULES = (
    *("--set", "rules.wait_minutes=10,10,10"),
    *("--set", "rules.wait_after_skip=5"),
    *("--set", "rules.profit_target=0.1"),
)
SESSION = ("--mock", "--date", HALF_DAY, "--policy", "random", *RULES)
"""Half a day with many suggestions."""

DAILY = (*SESSION, "--speed", "max")
MIXED = ["y", "n", "skip", "y", "skip", "y", "y", "n", "y", "skip", "y", "y"]


class Desk:
    """One process of `run.py`."""

    def __init__(self, nursery: "Nursery", pid: int, printed: Path) -> None:
        self.pid = pid
        self.code: int | None = None
        self._nursery, self._printed = nursery, printed

    @property
    def output(self) -> str:
        """What it printed, both streams."""
        return self._printed.read_text(errors="replace")

    @property
    def is_over(self) -> bool:
        if self.code is None:
            self.code = self._nursery.tell({"poll": self.pid})["code"]
        return self.code is not None

    def send(self, number: signal.Signals) -> None:
        if not self.is_over:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """kill -9, and wait until it is dead."""
        self.send(signal.SIGKILL)
        self.wait()

    def wait(self, seconds: float = 60.0) -> int:
        """The exit code; negative for a signal."""
        self.until(lambda: self.is_over, seconds)
        assert self.code is not None
        return self.code

    def wait_for(self, wanted: str, seconds: float = 60.0) -> str:
        """What it printed once `wanted` is among it."""
        self.until(lambda: wanted in self.output or self.is_over, seconds)
        assert wanted in self.output, f"never printed: {wanted}\n{self.output}"
        return self.output

    def until(self, comes: Callable[[], bool], seconds: float = 60.0) -> None:
        end = time.monotonic() + seconds
        while not comes():
            assert time.monotonic() < end, f"waited {seconds:g} s in vain:\n{self.output}"
            time.sleep(0.01)


class Nursery:
    """Starts desks. As a context it kills what is left of them."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).resolve())],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            text=True,
        )
        self._desks: list[Desk] = []
        self._number = 0
        return self

    def __exit__(self, *error: object) -> None:
        for desk in self._desks:
            desk.kill()
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def start(
        self,
        folder: Path,
        *words: object,
        terminal: str | None = None,
        term: str = "xterm",
        typed: str = "",
    ) -> Desk:
        """`run.py WORDS` in `folder`; at the terminal of that name, else with `typed` as input."""
        self._number += 1
        folder.mkdir(parents=True, exist_ok=True)
        printed = folder / f"printed.{self._number}"
        typed_file = folder / f"typed.{self._number}"
        printed.touch()
        typed_file.write_text(typed)
        call = {
            "words": [str(word) for word in words],
            "folder": str(folder),
            "terminal": terminal,
            "printed": str(printed),
            "typed": str(typed_file),
            "environment": {"XDG_STATE_HOME": str(folder / "state"), "TERM": term},
        }
        desk = Desk(self, self.tell(call)["pid"], printed)
        self._desks.append(desk)
        return desk

    def live(self, folder: Path, *words: object, **terms: Any) -> Desk:
        """`run.py live WORDS`, without a watchdog."""
        return self.start(folder, "live", *QUIET, *words, **terms)

    def tell(self, call: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(call) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer


class Journaled:
    """What a practice journal holds, by plain SQL; other processes may write it meanwhile."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def practice(cls, folder: Path) -> "Journaled":
        return cls(folder / "runs" / "practice.db")

    def rows(self, question: str, *values: Any) -> list[dict[str, Any]]:
        if not self.path.is_file():
            return []
        with closing(sqlite3.connect(f"file:{self.path}?mode=ro", uri=True)) as connection:
            connection.row_factory = sqlite3.Row
            with suppress(sqlite3.OperationalError):  # not made yet, or busy: nothing to see
                return [dict(row) for row in connection.execute(question, values)]
        return []

    def count(self, table: str) -> int:
        rows = self.rows(f"SELECT count(*) AS number FROM {table}")
        return int(rows[0]["number"]) if rows else 0

    @property
    def responses(self) -> list[str]:
        return [row["response"] for row in self.rows("SELECT * FROM decisions ORDER BY id")]

    @property
    def events(self) -> list[str]:
        return [row["event"] for row in self.rows("SELECT * FROM session_events ORDER BY id")]

    @property
    def fills(self) -> list[tuple[Any, ...]]:
        """Each execution in market terms, oldest first."""
        rows = self.rows(
            'SELECT e.*, i.purpose, i.exit_reason, i.strike, i."right" AS side_of FROM executions e'
            " JOIN intents i USING (order_ref) ORDER BY e.ts, e.id"
        )
        names = ("ts", "side", "quantity", "price", "commission", "strike", "side_of")
        return [tuple(row[name] for name in (*names, "purpose", "exit_reason")) for row in rows]

    @property
    def held(self) -> int:
        return sum(fill[1] * fill[2] for fill in self.fills)


def answers(folder: Path, lines: Sequence[str]) -> Path:
    """A file of answers."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "answers.txt"
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


# --- the nursery's own process -------------------------------------------------------------------


def _serve() -> None:
    """Fork for each line that asks for a desk, tell of the end of one for each that asks for it."""
    sys.path.insert(0, str(ROOT))
    for name in ("backtest", "journal", "live", "report"):
        __import__(f"commands.{name}")
    import run

    done: dict[int, int | None] = {}
    for line in sys.stdin:
        call = json.loads(line)
        if "poll" in call:
            pid = call["poll"]
            if done.get(pid) is None:
                dead, status = os.waitpid(pid, os.WNOHANG)
                done[pid] = os.waitstatus_to_exitcode(status) if dead else None
            answer = {"code": done[pid]}
        else:
            child = os.fork()
            if child == 0:
                _become(call)
                sys.exit(run.main(call["words"]))
            answer = {"pid": child}
        print(json.dumps(answer), flush=True)


def _become(call: dict[str, Any]) -> None:
    """A process of its own: session, streams, folder, environment."""
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if call["terminal"] is None:
        stdin = os.open(call["typed"], os.O_RDONLY)
        stdout = os.open(call["printed"], os.O_WRONLY | os.O_APPEND)
    else:
        stdin = stdout = os.open(call["terminal"], os.O_RDWR)
        fcntl.ioctl(stdin, termios.TIOCSCTTY, 0)
    for stream, descriptor in enumerate((stdin, stdout, stdout)):
        os.dup2(descriptor, stream)
    sys.stdin = os.fdopen(0, closefd=False)
    sys.stdout, sys.stderr = (os.fdopen(n, "w", buffering=1, closefd=False) for n in (1, 2))
    os.chdir(call["folder"])
    os.environ.update(call["environment"])


if __name__ == "__main__":
    _serve()
