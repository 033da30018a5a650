"""The frame of every verb: what the machine, the terminal or a hasty finger does to it."""

import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import run
from feeds.simulation.market import SimulatedMarket, default_sessions
from feeds.spill import QUOTE, Spill
from feeds.store import ChainStore

HOLD = ("backtest", "--policy", "hold", "--set", "sessions=2", "--no-report")
DESK = Path(run.__file__)
NO_ROOM = """
import resource, sys
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
import run
sys.exit(run.main(sys.argv[1:]))
"""


def process(*words: str, folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """A call of `run.py` as its own process; `more` goes to its environment."""
    return subprocess.run(
        [sys.executable, str(DESK), *words],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, **more},
        check=False,
    )


@pytest.mark.parametrize(
    "words", [("backtest", "--polic", "hold"), ("live", "--live-acc", "U1"), ("backtest", "now")]
)
def test_half_a_flag_is_refused_by_the_verb_that_lists_the_whole_ones(
    desk: Callable[..., object], words: tuple[str, ...]
) -> None:
    done = desk(*words)
    assert done.code == 2
    assert f"{' '.join(words[1:])} (see run.py {words[0]} --help)" in done.fault


@pytest.mark.parametrize("text", ["20260102", "1767312000", "2026-W01-5", "2026-02-30", ""])
def test_a_day_is_a_date_and_never_a_count_of_seconds(
    desk: Callable[..., object], text: str
) -> None:
    done = desk("backtest", "--from", text)
    assert done.code == 2
    assert done.fault == f"error: --from {text!r} is no date: write YYYY-MM-DD"


def test_a_day_of_the_environment_is_named_as_its_setting(
    desk: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZDTE_START", "monday")
    assert desk("backtest").fault == "error: setting start is 'monday': write a day as YYYY-MM-DD"


def test_a_download_that_cannot_be_is_refused_before_any_terminal_is_asked(
    desk: Callable[..., object], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("x")
    span = ("download", "--from", "2026-10-05", "--to")
    assert "reversed" in desk(*span, "2026-10-01").fault
    assert "is a file" in desk(*span, "2026-10-06", "--data", "file").fault


def test_an_import_into_a_file_is_refused(desk: Callable[..., object], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    assert "--data file is a file" in desk("import", "quotes.csv", "--data", "file").fault


def test_a_narrow_terminal_cuts_no_figure_of_an_import(
    desk: Callable[..., object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    head = "ts,underlying,expiration,strike,right,bid,ask,underlying_price\n"
    row = "2026-10-30T10:00:00-04:00,SPY,2026-10-30,690,{},1.10,1.12,690.10\n"
    (tmp_path / "quotes.csv").write_text(head + row.format("C") + row.format("P"))
    done = desk("import", "quotes.csv", "--close-from-last-quote")
    assert done.code == 0
    (told,) = [line for line in done.out.splitlines() if line.startswith("2026-10-30 ")]
    assert told.split() == ["2026-10-30", "1", "2", "0", "0", "0", "0", "0", "690.10"]


def test_a_manifest_that_cannot_be_read_is_not_called_damaged(
    desk: Callable[..., object], tmp_path: Path
) -> None:
    store = ChainStore(tmp_path / "store")
    store.write(SimulatedMarket(default_sessions(1), step_minutes=30).load(0), 1800)
    (store.root / "manifest.json").unlink()
    (store.root / "manifest.json").mkdir()
    done = desk("backtest", "--data", "store", "--policy", "hold")
    assert done.code == 2
    assert "manifest.json cannot be read: Is a directory" in done.fault


def test_a_fault_prints_no_control_characters_of_a_file(
    desk: Callable[..., object], tmp_path: Path
) -> None:
    (tmp_path / "junk.csv").write_bytes(b"ts,bid\n1\x1b[2J\x07" + b"x" * 2000 + b"\n")
    done = desk("import", "junk.csv")
    assert done.code == 2
    assert done.fault.isprintable()
    assert len(done.fault) < 700


def test_a_full_disk_is_one_line_and_no_bug_to_report(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", NO_ROOM, *HOLD],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(DESK.parent)},
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1, done.stderr
    assert "File too large" in done.stderr
    assert "report it" not in done.stderr


def test_a_crash_without_a_folder_to_tell_it_is_still_one_line(
    desk: Callable[..., object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> int:
        raise IndexError("a promise was broken")

    monkeypatch.setattr(run, "_run", broken)
    (tmp_path / "runs").write_text("a file where a folder should be")
    done = desk("backtest")
    assert done.code == 1
    assert done.err.count("\n") == 1
    assert done.err.startswith("internal error: IndexError: a promise was broken (no details: ")


@pytest.mark.parametrize("words", [("--help",), ("backtest", "--help"), HOLD])
def test_a_closed_pipe_ends_a_call_quietly(words: tuple[str, ...], tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [sys.executable, str(DESK), *words],
            cwd=tmp_path,
            stdout=writing,
            stderr=subprocess.PIPE,
            check=False,
        )
    finally:
        os.close(writing)
    assert done.returncode in (0, 1)  # argparse itself overlooks a pipe that is gone
    assert done.stderr == b""


def test_a_terminal_that_knows_ascii_alone_gets_question_marks(tmp_path: Path) -> None:
    words = (*HOLD, "--out", "Läufe")
    done = process(*words, folder=tmp_path, PYTHONIOENCODING="ascii", PYTHONUTF8="1")
    assert done.returncode == 0, done.stderr
    assert "data files: L?ufe" in done.stdout


def test_the_first_help_says_how_to_begin(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run.main(["--help"])
    shown = capsys.readouterr().out
    assert "run.py live --mock" in shown
    assert all(f"    {verb} " in shown for verb in run.VERBS)


def test_a_full_disk_loses_no_quotes_on_their_way_into_the_store(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    day = default_sessions(1)[0].date
    with Spill(tmp_path) as spill:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
        try:
            with pytest.raises(OSError, match="File too large"):
                spill.add(day, np.zeros(20, QUOTE))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
