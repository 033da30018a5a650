"""`run.py evaluate` goes on after a stop, counts every try, and says mistakes in one line."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import run
from commands import evaluate
from feeds.simulation import SimulatedMarket
from feeds.simulation.market import default_sessions
from models.session_arrays import read_sessions
from models.trials import read_trials
from models.walk_forward import expanding_folds
from settings import Settings

ROOT = Path(__file__).resolve().parent.parent.parent
SMALL = (
    *("--folds", 1, "--set", "sessions=20", "--set", "training.environments=8"),
    *("--set", "training.rollout=20", "--set", "training.batch=80", "--set", "training.epochs=1"),
    *("--set", "training.first_hold=0.3", "--seeds", 2, "--steps", 320),
)
NARROW = ("--folds", 1, "--from", "2026-07-13", "--to", "2026-08-14")


@pytest.fixture
def trained(tmp_path, monkeypatch):
    """Where tries are counted, instead of beside the real models."""
    monkeypatch.setitem(run.VERBS, "evaluate", "what a training is worth")
    monkeypatch.setattr("models.contest.RANDOM_DRAWS", 4)
    monkeypatch.setattr("models.contest.DRAWS_A_TASK", 2)
    monkeypatch.setattr("commands.train.OTHER_MARKET_SESSIONS", 2)
    for name in ("evaluate", "train", "searching"):
        monkeypatch.setattr(f"commands.{name}.TRAINED_FOLDER", tmp_path / "models")
    return tmp_path / "models"


def test_a_training_is_judged_and_a_stopped_one_goes_on(desk, tmp_path, trained):
    done = desk("evaluate", *SMALL, "--workers", 1, "--out", "run")
    assert done.code == 0, done.err
    assert "sessions that it had not learned from, trained made" in done.out
    folder = tmp_path / "run"
    assert not (folder / "shared").exists()
    metrics = json.loads((folder / "metrics.json").read_text())
    ours = metrics["candidates"]["trained"]
    assert ours["seeds"] == 2
    assert set(ours["against"]) == {
        *("hold", "sell_put@10:00", "sell_call@10:00", "logistic timing", "buy and hold"),
        "random legal",
    }
    assert read_trials(trained).tried == 1

    tasks = sorted((folder / "tasks").iterdir())
    kept = {path: path.stat().st_mtime_ns for path in tasks}
    lost = next(path for path in tasks if path.name.startswith("fold-1-logistic"))
    text = lost.read_text()
    lost.unlink()
    before = (folder / "metrics.json").read_bytes(), (folder / "report.html").read_bytes()
    again = desk("evaluate", *SMALL, "--workers", 2, "--out", "run")
    assert again.code == 0, again.err
    assert lost.read_text() == text
    unchanged = {p: p.stat().st_mtime_ns for p in tasks if p != lost}
    assert unchanged.items() <= kept.items()
    assert ((folder / "metrics.json").read_bytes(), (folder / "report.html").read_bytes()) == before
    assert read_trials(trained).tried == 1  # the same try again is no other one


def test_a_model_is_judged_away_from_its_training_days(desk, tmp_path, trained):
    done = desk("evaluate", "--models", "bundled", *NARROW, "--out", "run", "--workers", 1)
    assert done.code == 0, done.err
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["is_simulated"]
    first = metrics["candidates"]["bundled"]["folds"][0]["first"]
    assert first == "2026-08-07"  # it was chosen by days up to 2026-07-29, six more are left out
    assert "SIMULATED MARKET" in (tmp_path / "run" / "report.html").read_text()


def test_a_model_that_has_seen_everything_is_refused(desk, trained):
    call = ("evaluate", "--models", "bundled", "--from", "2026-01-02", "--to", "2026-02-06")
    fault = desk(*call, "--folds", 1, "--out", "run").fault
    assert "model bundled learned from all sessions it could be judged on" in fault


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (("--folds", 0), "--folds 0: at least one part"),
        (("--folds", 40, "--set", "sessions=30"), "30 sessions are too few for 40 folds"),
        (("--workers", 0, "--set", "sessions=30", "--folds", 1), "--workers 0"),
        (("--workers", 2, "--ray", "auto"), "not allowed with"),
        (("--models", "nobody"), "no model 'nobody'"),
        (("--policy", "hold"), "--policy goes with --lookahead"),
        (("--lookahead", "--workers", 2), "--workers and --ray go with folds"),
        (("--data", "nowhere"), "no data folder nowhere"),
    ],
)
def test_a_mistake_is_one_line(desk, trained, words, fault):
    done = desk("evaluate", *words)
    assert done.code == 2
    assert fault in done.fault


def test_ray_that_does_not_answer_is_one_line(desk, trained):
    done = desk("evaluate", "--ray", "127.0.0.1:1", "--set", "sessions=30", "--folds", 1)
    assert done.code == 2
    assert "--ray" in done.fault


def test_two_at_work_in_one_folder_do_not_meet(desk, tmp_path, trained):
    """They would write over the sessions that the other's workers read."""
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "log.jsonl").touch()
    (folder / "config.toml").write_text("the first one's")
    place = os.open(folder, os.O_RDONLY)
    fcntl.flock(place, fcntl.LOCK_EX)
    done = desk("evaluate", *SMALL, "--out", "run")
    os.close(place)
    assert done.code == 2
    assert "--out run: another process is at work there" in done.fault
    assert (folder / "config.toml").read_text() == "the first one's"


@pytest.mark.parametrize("change", [("--seed", 1), ("--contracts", 2)])
def test_other_seeds_and_sizes_are_further_tries(desk, trained, change):
    """Who rolls the dice again until it looks good has tried more than once."""
    source = SimulatedMarket(default_sessions(20))
    settings = Settings()
    arrays = read_sessions(source, settings)
    dates = [session.date.isoformat() for session in arrays.sessions[-4:]]
    day = {"net_pnl": [1.0, 2.0, 3.0, 5.0], "less_delta": [0.0] * 4, "wide": [0.0] * 4}
    outcome = {"policy": "trained", "role": "candidate", "fold": 1, "seed": 0, "dates": dates}
    outcome |= day | {"trades": [1] * 4, "calls": 0}
    other = settings.model_copy(update={change[0].removeprefix("--"): change[1]})
    for some in (settings, settings, other):
        evaluate._record([outcome], [], arrays, expanding_folds(20, 1), some)
    assert read_trials(trained).tried == 2


def test_an_evaluation_that_is_killed_leaves_no_worker_and_goes_on(tmp_path):
    """kill -9 of the whole desk: its workers end with it."""
    script = (
        "import sys, run\n"
        "from pathlib import Path\n"
        "from models.task_processes import ProcessWorkers\n"
        "from models.tasks import Task\n"
        "from feeds.simulation import SimulatedMarket\n"
        "from feeds.simulation.market import default_sessions\n"
        "from models.session_arrays import read_sessions\n"
        "from settings import Settings\n"
        "if __name__ == '__main__':\n"
        "    arrays = read_sessions(SimulatedMarket(default_sessions(1)), Settings())\n"
        "    workers = ProcessWorkers(1, Path('shared'))\n"
        "    tasks = [Task('who', 'task_works:tell_and_wait', {'log': 'pid'})]\n"
        "    list(workers.run(tasks, arrays))\n"
    )
    (tmp_path / "script.py").write_text(script)
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests" / "models")])
    process = subprocess.Popen(
        [sys.executable, "script.py"], cwd=tmp_path, env=os.environ | {"PYTHONPATH": paths}
    )
    log = tmp_path / "pid"
    worker = int(wait_for(lambda: log.read_text() if log.exists() else ""))
    process.send_signal(signal.SIGKILL)
    process.wait()
    wait_for(lambda: not Path(f"/proc/{worker}/cmdline").exists() or is_zombie(worker))


def is_zombie(process: int) -> bool:
    return ") Z" in Path(f"/proc/{process}/stat").read_text()


def wait_for(what, seconds=60.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if told := what():
            return told
        time.sleep(0.05)
    raise AssertionError("it never came")


def test_a_search_counts_every_configuration_and_trains_the_best(desk, tmp_path, trained):
    quick = (
        *("--set", "training.sessions=28", "--set", "training.held_out=2", "--seeds", 1),
        *("--set", "training.environments=8", "--set", "training.rollout=20"),
        *("--set", "training.batch=80", "--set", "training.epochs=1", "--steps", 320),
        *("--set", "training.first_hold=0.3", "--name", "found", "--out", "run"),
    )
    done = desk("train", *quick, "--search", 2, "--workers", 1)
    assert done.code == 0, done.err
    assert "best of 2" in done.out
    tried = json.loads((tmp_path / "run" / "search.json").read_text())
    assert sorted(each["number"] for each in tried) == [0, 1]
    assert tried[0]["score"] >= tried[1]["score"]
    assert read_trials(trained).tried == 3  # two of the search, one trained seed
    card = json.loads((trained / "found" / "card.json").read_text())
    best = tried[0]["training"]
    assert card["training"]["hyper_parameters"]["learning_rate"] == best["learning_rate"]
    assert card["training"]["steps"] == 320


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (("--search", 0), "--search 0"),
        (("--workers", 2), "go with --search"),
        (("--search", 1, "--set", "training.sessions=10", "--set", "training.held_out=3"), "few"),
    ],
)
def test_a_mistake_in_a_search_is_one_line(desk, trained, words, fault):
    done = desk("train", *words, "--out", "run")
    assert done.code == 2
    assert fault in done.fault
