"""`run.py report`: one folder is drawn, several are compared, the index is renewed."""

from dataclasses import replace

import factory
import numpy as np
import pytest

import run
from commands.decision_grid import policy_grid, run_settings
from commands.policies import choose_policy
from reports.decision_grid import GRID, DecisionGrid, read_grid, write_grid
from reports.run_folder import write_run_files
from vocabulary import FEATURES


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A working folder with two runs in runs/ and one elsewhere."""
    monkeypatch.chdir(tmp_path)
    for name in ("runs/a", "runs/b", "elsewhere"):
        write_run_files(tmp_path / name, factory.result(1, 1, baselines=()))
    return tmp_path


def test_one_folder_is_drawn_and_the_index_names_it(place, capsys):
    assert run.main(["report", "runs/a"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "report: runs/a/report.html",
        "index: runs/index.html",
    ]
    assert 'href="a/report.html"' in (place / "runs" / "index.html").read_text()
    assert not (place / "runs" / "a" / GRID).exists()  # nobody said that it should be asked


def test_a_run_elsewhere_leaves_other_folders_alone(place, capsys):
    assert run.main(["report", "elsewhere"]) == 0
    assert capsys.readouterr().out == "report: elsewhere/report.html\n"
    assert not list(place.glob("*.html"))


def test_several_folders_are_compared_on_one_page(place, capsys):
    assert run.main(["report", "runs/a", "runs/b"]) == 0
    assert "comparison: runs/comparison.html" in capsys.readouterr().out
    assert not (place / "runs" / "a" / "report.html").exists()
    assert run.main(["report", "runs/a", "elsewhere", "--out", "sub/page.html"]) == 0
    assert "2 runs side by side" in (place / "sub" / "page.html").read_text()


@pytest.mark.parametrize(
    "words",
    [
        ("runs/a", "--out", "page.html"),
        ("runs/a", "runs/b", "--out", "runs"),
        ("runs/a", "--out", "page.html", "--drift"),
        ("a.db", "b.db", "--out", "page.html", "--human"),
    ],
)
def test_a_page_that_will_not_be_is_refused_in_one_line(place, capsys, words):
    assert run.main(["report", *words]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_page_for_comparison_is_refused_where_a_session_is_named(place, capsys):
    assert run.main(["report", "runs/a", "runs/b", "--session", "2026-10-30"]) == 2
    assert "--session" in capsys.readouterr().err


def test_a_run_without_settings_cannot_be_asked(place, capsys):
    assert run.main(["report", "runs/a", "--ask"]) == 2
    assert "holds no config.toml: its policy is not known" in capsys.readouterr().err


def test_a_run_keeps_its_settings_wherever_it_is_asked(place):
    (place / "config.toml").write_text('policy = "hold"\n[rules]\ndecision_minutes = 9.0\n')
    (place / "runs" / "a" / "config.toml").write_text(
        'model = "bundled"\n[rules]\ndecision_minutes = 5.0\n'
    )
    settings = run_settings(place / "runs" / "a")
    assert (settings.policy, settings.model, settings.rules.decision_minutes) == (
        None,
        "bundled",
        5,
    )


def test_an_asked_policy_answers_in_its_report(place):
    words = ["--policy", "sell_put@10:00", "--set", "sessions=1", "--out", "runs/put"]
    assert run.main(["backtest", "--no-report", *words]) == 0
    (place / "config.toml").write_text('policy = "hold"\n')
    assert run.main(["report", "runs/put", "--ask"]) == 0
    grid = read_grid(place / "runs" / "put")
    at_ten = grid.minutes == 30
    assert (grid.probabilities[:, at_ten, 2] == 1).all()
    assert (grid.probabilities[:, grid.minutes > 60, 0] == 1).all()
    drawn = (place / "runs" / "put" / "report.html").read_text()
    assert "nothing held and every sale allowed" in drawn


def test_a_journal_without_a_word_of_what_is_wanted_is_told_which_words_there_are(place, capsys):
    (place / "journal.db").write_bytes(b"any")
    assert run.main(["report", "journal.db"]) == 2
    assert "of a journal, say --human or --drift" in capsys.readouterr().err


def test_a_run_that_saw_no_volatility_has_no_map_and_cannot_be_asked(place, capsys):
    folder = place / "runs" / "blind"
    seen = factory.result(1, 1, baselines=())
    features = seen.decisions.features.copy()
    features[:, FEATURES.index("atm_iv")] = np.nan
    blind = replace(seen, decisions=replace(seen.decisions, features=features))
    write_run_files(folder, blind)
    (folder / "config.toml").write_text('policy = "hold"\n')
    settings = run_settings(folder)
    policy = choose_policy(settings, None).policy
    write_grid(folder, DecisionGrid(np.array([30.0]), np.array([0.2]), np.ones((1, 1, 3)) / 3))
    write_grid(folder, policy_grid(policy, blind, settings))
    assert not (folder / GRID).exists()  # nor that of an earlier run
    assert run.main(["report", "runs/blind"]) == 0
    assert run.main(["report", "runs/blind", "--ask"]) == 2
    assert "runs/blind saw no volatility" in capsys.readouterr().err
