"""`run.py simulate` from the outside: what it prints, that it serves, that Ctrl-C ends it."""

import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

ROOT = Path(__file__).resolve().parent.parent.parent
ANY_PORT = ("--http-port", "0", "--ws-port", "0")


def _told_until_ready(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None and process.stderr is not None
    told = ""
    while "Ctrl-C" not in told:
        line = process.stdout.readline()
        assert line, process.stderr.read()
        told += line
    return told


def test_it_serves_what_it_says_until_ctrl_c(tmp_path: Path) -> None:
    words = ["simulate", *ANY_PORT, "--date", "2026-09-15", "--tier", "standard/free"]
    with subprocess.Popen(
        [sys.executable, str(ROOT / "run.py"), *words, "--fault", "429=1", "--speed", "60"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            told = _told_until_ready(process)
            assert "options Standard, stocks Free" in told and "2026-09-15 09:30" in told
            (url,) = re.findall(r"curl '([^']*/option/snapshot/quote[^']*)'", told)
            assert requests.get(url, timeout=20).status_code == 429
            assert requests.get(url, timeout=20).text.startswith("timestamp,symbol,")
            process.send_signal(signal.SIGINT)
            rest, errors = process.communicate(timeout=20)
        finally:
            process.kill()
    assert process.returncode == 0
    assert rest.strip().endswith("stopped") and not errors


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--tier", "gold"], "tier 'gold' is unknown"),
        (["--fault", "gremlins"], "fault 'gremlins' is unknown"),
        (["--speed", "0"], "--speed 0: write a number above 0, or max"),
        (["--speed", "inf"], "--speed inf: write a number above 0, or max"),
        (["--date", "someday"], "--date 'someday' is no date: write YYYY-MM-DD"),
        (["--date", "2026-10-31"], "date 2026-10-31 is no session of the source"),
        (["--http-port", "70000"], "port 70000: choose one from 0 to 65535"),
        (["--data", "nowhere"], "there is no data folder nowhere"),
    ],
)
def test_a_wrong_call_is_one_line(desk: Callable[..., Any], words: list[str], said: str) -> None:
    done = desk("simulate", *words)
    assert done.code == 2 and said in done.fault
