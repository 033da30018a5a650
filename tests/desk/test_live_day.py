"""A whole day of `run.py live --mock`: what it leaves behind, and that a backtest says the same."""

import json
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from live_desk import DAILY, HALF_DAY, MIXED, Journaled, Nursery, answers

from brokers.journal.reader import JournalReader
from feeds.sessions import session_on

FILES = ("config.toml", "metrics.json", "trades.csv", "decisions.parquet", "equity.csv")


@pytest.fixture(scope="module")
def agreed(nursery: Nursery, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a day on which every question was answered with yes."""
    folder = tmp_path_factory.mktemp("agreed")
    desk = nursery.live(folder, *DAILY, "--answers", answers(folder, ["y"] * 40))
    assert desk.wait() == 0, desk.output
    return folder


def run_folder(folder: Path) -> Path:
    (found,) = (folder / "runs").glob("*_live_*")
    return found


def test_a_mock_day_ends_green_with_the_files_of_a_run(mixed: tuple[Path, str]) -> None:
    folder, printed = mixed
    assert "GREEN" in printed
    assert "is still open" not in printed  # its time exit filled at its bar
    for name in FILES:
        assert (run_folder(folder) / name).stat().st_size > 0
    assert json.loads((run_folder(folder) / "metrics.json").read_text())["trades"] == 5


def test_every_question_is_answered_by_its_line(mixed: tuple[Path, str]) -> None:
    journal = Journaled.practice(mixed[0])
    assert journal.responses == MIXED[: len(journal.responses)]
    assert len(journal.responses) == 9


def test_every_suggestion_has_an_outcome(mixed: tuple[Path, str]) -> None:
    with JournalReader(mixed[0] / "runs" / "practice.db") as reader:
        (session,) = reader.rows("sessions")
        suggested = {row["suggestion_id"] for row in reader.rows("suggestions")}
        outcomes = reader.rows("outcomes")
        (day,) = reader.rows("days")
    assert {row["suggestion_id"] for row in outcomes} == suggested
    assert session["state"] == "closed"
    assert (day["suggestions"], day["trades"], day["drift"]) == (len(suggested), 5, 0)
    assert all(row["shadow_pnl"] is not None for row in outcomes)


def test_a_report_can_be_drawn(nursery: Nursery, mixed: tuple[Path, str]) -> None:
    folder, _ = mixed
    drawn = nursery.start(folder, "report", run_folder(folder))
    assert drawn.wait() == 0, drawn.output
    assert (run_folder(folder) / "report.html").is_file() or list(run_folder(folder).glob("*.png"))


def test_a_backtest_of_the_recording_trades_the_same(nursery: Nursery, agreed: Path) -> None:
    recorded = run_folder(agreed) / "recorded"
    rules = [word for word in DAILY if "=" in word or word == "--set"]
    words = ("--data", recorded, "--policy", "random", *rules, "--out", agreed / "again")
    backtest = nursery.start(agreed, "backtest", *words)
    assert backtest.wait() == 0, backtest.output
    (again,) = agreed.glob("again/**/trades.csv")
    ours, theirs = pd.read_csv(run_folder(agreed) / "trades.csv"), pd.read_csv(again)
    assert len(ours) >= 3
    pd.testing.assert_frame_equal(ours, theirs)


def test_the_next_call_takes_the_next_day(nursery: Nursery, mixed: tuple[Path, str]) -> None:
    folder, _ = mixed
    desk = nursery.live(folder, "--mock", "--policy", "hold", "--speed", "1")
    printed = desk.wait_for("keys ")
    assert "2025-12-01, mock, begins" in printed
    desk.kill()


def test_an_exit_that_nobody_answers_is_carried_out_at_the_time_exit(
    nursery: Nursery, tmp_path: Path
) -> None:
    asks = ("--set", "live.exits=ask", "--set", "rules.wait_after_skip=300")
    desk = nursery.live(tmp_path, *DAILY, *asks, "--answers", answers(tmp_path, ["y"]))
    assert desk.wait() == 0, desk.output
    journal = Journaled.practice(tmp_path)
    time_exit = session_on(date.fromisoformat(HALF_DAY)).close_ns - 15 * 60 * 10**9
    assert journal.held == 0
    assert time_exit <= journal.fills[1][0] <= time_exit + 60 * 10**9
    assert "GREEN" in desk.output
