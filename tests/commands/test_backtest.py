"""The main job from the command line: files, figures, determinism, in-sample banner, redrawing."""

import filecmp
import json
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from feeds.simulation.market import SimulatedMarket, default_sessions
from feeds.store import ChainStore

ROOT = Path(__file__).resolve().parents[2]
WEEK = ("--set", "sessions=5")


def files(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def test_a_run_leaves_every_promised_file(desk: Callable[..., object], tmp_path: Path) -> None:
    done = desk("backtest", "--policy", "sell_put@10:00", "--out", "run", *WEEK)
    assert done.code == 0, done.err
    assert "report: run/report.html" in done.out
    promised = {
        *("report.html", "metrics.json", "trades.csv", "decisions.parquet"),
        *("equity.csv", "config.toml", "log.jsonl"),
    }
    assert promised <= set(files(tmp_path / "run"))
    assert list((tmp_path / "run" / "pictures").glob("*.png"))
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert set(metrics["baselines"]) == {"hold", "random", "sell_put@10:00", "sell_call@10:00"}
    assert metrics["baselines"]["sell_put@10:00"]["net_pnl"] == metrics["net_pnl"]
    assert "simulated market" in (tmp_path / "run" / "report.html").read_text().lower()


def test_two_runs_with_one_seed_differ_in_the_log_alone(
    desk: Callable[..., object], tmp_path: Path
) -> None:
    for name in ("a", "b"):
        assert desk("backtest", "--policy", "random", "--seed", "3", "--out", name, *WEEK).code == 0
    names = files(tmp_path / "a")
    assert names == files(tmp_path / "b")
    _, different, errors = filecmp.cmpfiles(tmp_path / "a", tmp_path / "b", names, shallow=False)
    assert (different, errors) == (["log.jsonl"], [])


def test_another_seed_is_another_market(desk: Callable[..., object], tmp_path: Path) -> None:
    for seed in ("1", "2"):
        words = ("backtest", "--policy", "hold", "--seed", seed, "--out", seed, "--no-report")
        assert desk(*words, *WEEK).code == 0
    first, second = (tmp_path / seed / "decisions.parquet" for seed in ("1", "2"))
    assert not filecmp.cmp(first, second, shallow=False)


def test_no_report_draws_nothing_and_plays_no_baseline(
    desk: Callable[..., object], tmp_path: Path
) -> None:
    assert desk("backtest", "--policy", "hold", "--out", "run", "--no-report", *WEEK).code == 0
    assert "report.html" not in files(tmp_path / "run")
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["baselines"] == {}


def test_a_report_is_redrawn_from_the_files(desk: Callable[..., object], tmp_path: Path) -> None:
    assert desk("backtest", "--policy", "sell_call@10:00", "--out", "run", *WEEK).code == 0
    report = tmp_path / "run" / "report.html"
    before = report.read_bytes()
    report.unlink()
    assert desk("report", "run").code == 0
    assert report.read_bytes() == before


def test_the_store_gives_what_the_simulated_market_gives(
    desk: Callable[..., object], tmp_path: Path
) -> None:
    store = ChainStore(tmp_path / "store")
    market = SimulatedMarket(default_sessions(3))
    for index in range(3):
        store.write(market.load(index), 60)
    words = ("backtest", "--policy", "sell_put@10:00", "--no-report")
    assert desk(*words, "--data", "store", "--out", "stored").code == 0
    assert desk(*words, "--set", "sessions=3", "--out", "made").code == 0
    stored, made = (pd.read_csv(tmp_path / name / "trades.csv") for name in ("stored", "made"))
    pd.testing.assert_frame_equal(stored, made)


def test_training_days_carry_the_in_sample_banner(
    desk: Callable[..., object], tmp_path: Path
) -> None:
    card = json.loads((ROOT / "models" / "trained" / "bundled" / "card.json").read_text())
    day = date.fromisoformat(card["training"]["days"]["dates"][-1])
    words = ("backtest", "--from", day, "--to", day)
    assert desk(*words, "--out", "seen").code == 0
    assert "IN SAMPLE" in (tmp_path / "seen" / "report.html").read_text()
    assert desk("backtest", "--from", "2026-10-29", "--out", "unseen").code == 0
    assert "IN SAMPLE" not in (tmp_path / "unseen" / "report.html").read_text()


def test_the_example_of_an_own_cerebro_runs() -> None:
    example = ROOT / "examples" / "own_cerebro.py"
    done = subprocess.run(
        [sys.executable, str(example)],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("->") == 5
    assert "value 8" in done.stdout


@pytest.mark.parametrize("words", [("--help",), ("backtest", "--help"), ("import", "--help")])
def test_help_is_printed(desk: Callable[..., object], words: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as stop:
        desk(*words)
    assert stop.value.code == 0


def test_a_run_that_the_capital_rule_held_back_says_so(desk: Callable[..., object]) -> None:
    words = ("backtest", "--policy", "sell_put@10:00", "--capital", "50000", "--out", "run")
    done = desk(*words, "--no-report", *WEEK)
    assert "0 trades" in done.out
    assert "capital rule refused" in done.out
