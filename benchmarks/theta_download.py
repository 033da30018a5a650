"""Downloading sessions from a simulated terminal: what it costs us, the client.

The terminal is a process of its own, so that the CPU counted here is the client's alone.
"""

import contextlib
import io
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import run
from commands.run_log import peak_memory_mb

ROOT = Path(__file__).resolve().parent.parent
FIRST, LAST, SESSIONS = "2026-10-01", "2026-10-28", 20
CPU_LIMIT, MEMORY_LIMIT = 0.6, 500


def main() -> None:
    """Download four weeks and print the cost a session."""
    command = [sys.executable, str(ROOT / "run.py"), "simulate", "--tier", "standard"]
    ports = ["--http-port", "0", "--ws-port", "0", "--date", "2026-10-29"]
    terminal = subprocess.Popen([*command, *ports], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        assert terminal.stdout is not None
        told = "".join(terminal.stdout.readline() for _ in range(4))
        url = re.findall(r"http://[\d.:]+", told)[0]
        with tempfile.TemporaryDirectory() as folder:
            _measure(url, Path(folder))
    finally:
        terminal.terminate()
        terminal.wait()


def _measure(url: str, folder: Path) -> None:
    wall, cpu = time.perf_counter(), time.process_time()
    words = ["--from", FIRST, "--to", LAST, "--data", str(folder / "store"), "--theta-url", url]
    with contextlib.redirect_stdout(io.StringIO()):
        assert run.main(["download", *words, "--set", "theta.concurrency=4"]) == 0
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(f"{SESSIONS} sessions in {wall:.1f} s, {os.cpu_count()} cores shared with the terminal")
    print(f"client CPU a session  {cpu / SESSIONS:6.2f} s   at most {CPU_LIMIT}")
    print(f"peak memory           {peak_memory_mb():6.0f} MB  at most {MEMORY_LIMIT}")


if __name__ == "__main__":
    main()
