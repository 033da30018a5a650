"""`run.py rlhf` from journals to a gate: what it writes, what it refuses, what it tells."""

import argparse
import io
import json
import shutil
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from answered_journals import answered_journal
from journals import open_journal

from brokers.journal.journal import Journal
from brokers.journal.reader import JournalReader
from brokers.journal.session import SessionFacts
from commands import rlhf
from commands.options import load_settings
from commands.policies import choose_policy
from commands.rlhf_files import keep_update
from desk.review_answers import MODE
from errors import DataError, DeskError, JournalError, ModelError, SettingError
from models.feedback.gate_card import read_gate
from models.feedback.people import PEOPLE
from models.feedback.promotion import (
    Check,
    Outcome,
)
from models.feedback.promotion_state import decide, read_promotion, write_promotion
from models.model_folder import TRAINED_FOLDER, load_policy
from settings import Settings

FEW = ("--set", "sessions=4")
SHA256 = load_policy("bundled").sha256
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def trained(tmp_path, monkeypatch):
    """An empty working folder and models/trained with the bundled model alone."""
    folder = tmp_path / "trained"
    shutil.copytree(TRAINED_FOLDER / "bundled", folder / "bundled")
    for module in ("rlhf", "rlhf_files", "rlhf_learning"):
        monkeypatch.setattr(f"commands.{module}.TRAINED_FOLDER", folder)
    monkeypatch.chdir(tmp_path)
    return folder


@pytest.fixture(scope="module")
def journals(tmp_path_factory):
    """A journal of 60 suggestions a person."""
    folder = tmp_path_factory.mktemp("journals")
    for name in ("biased", "random", "always_yes", "always_no", "ten_answers"):
        answered_journal(folder / f"{name}.db", PEOPLE[name], 60, SHA256)
    return folder


def call(*words):
    parser = argparse.ArgumentParser()
    rlhf.add_arguments(parser)
    arguments = parser.parse_args([str(word) for word in words])
    return rlhf.main(arguments, load_settings(arguments))


def test_answers_become_a_gate_beside_a_copy_of_the_policy_and_a_veto_waits(
    trained, journals, capsys
):
    journal = ("--journal", journals / "biased.db", "--gate", "veto")
    assert call(*journal, *FEW, "--out", "run") == 0
    folder = trained / "bundled-learned"
    card = read_gate(folder, SHA256)
    assert card.mode == "advise"
    assert card.why.startswith("may not veto yet: gate refused")
    assert card.figures.auc > 0.75
    assert load_policy(str(folder)).sha256 == SHA256
    promotion = read_promotion(folder)
    assert promotion.status == "refused"
    told = capsys.readouterr().out
    assert "paired backtest: insufficient evidence: 4 held-out sessions, 250 are needed" in told
    assert "too few for an update of the policy: it needs 200" in told
    assert "switch it on by hand: --set rules." in told
    assert not (trained / "bundled" / "gate.json").exists()
    page = Path("run/report.html").read_text()
    for words in ("Agreement", "Who wants what when", "Lineage", "data:image/png"):
        assert words in page
    assert "http" not in page.replace("http-equiv", "")
    assert Path("run/feedback.parquet").is_file()
    figures = json.loads(Path("run/metrics.json").read_text())
    assert {check["candidate"] for check in figures["checks"]} == {"gate"}


def test_the_gate_before_is_kept_and_a_random_person_gets_none_that_acts(trained, journals):
    for name, gate in (("biased", "advise"), ("random", "veto")):
        words = ("--journal", journals / f"{name}.db", "--name", "mine", "--gate", gate)
        call(*words, *FEW, "--out", "run")
        mode = read_gate(trained / "mine", SHA256).mode
        assert mode == {"biased": "advise", "random": "off"}[name]
        assert read_promotion(trained / "mine").status == "refused"
    card = read_gate(trained / "mine", SHA256)
    assert (trained / "mine" / "gates" / f"{card.parent}.json").is_file()


@pytest.mark.parametrize(
    ("name", "words"),
    [("always_yes", "all 60 answers are y"), ("always_no", "all 60 answers are n")],
)
def test_one_kind_of_answer_is_one_line_and_writes_nothing(trained, journals, name, words):
    with pytest.raises(DataError, match=words):
        call("--journal", journals / f"{name}.db", *FEW)
    assert [path.name for path in trained.iterdir()] == ["bundled"]


def test_status_tells_and_writes_nothing(trained, journals, capsys):
    assert call("--journal", journals / "biased.db", "--status") == 0
    told = capsys.readouterr().out
    for words in (
        "advises: 7 sessions with suggestions it would have kept back",
        "agreement, volatility below 17.0%: y to 16 of 17",
        "calibration: foretold",
        "the first 25 answers foretell the 25 later ones",
        "y to 100% of the 20 from 50% on, to 92% of all",
        "150 answers more, 200 in all: an update of the policy itself",
    ):
        assert words in told
    assert [path.name for path in trained.iterdir()] == ["bundled"]
    assert not Path("runs").exists()


def test_status_of_ten_answers_says_what_is_missing(journals, capsys):
    assert call("--journal", journals / "ten_answers.db", "--status") == 0
    told = capsys.readouterr().out
    assert "7 answers of y or n, 5 y" in told
    assert "is off: 7 answers of y or n, and it takes 10" in told
    assert "takes 10 answers with 3 y and 3 n: there are 5 and 2" in told


def test_a_damaged_state_of_one_model_hides_no_other(trained, journals, capsys):
    for name, content in (("broken", "{"), ("mine", None)):
        (trained / name).mkdir()
        write_promotion(trained / name, decide("gate", SHA256, [], 20, NOW))
        if content:
            (trained / name / "promotion.json").write_text(content)
    assert call("--journal", journals / "biased.db", "--status") == 0
    told = capsys.readouterr().out
    assert "mine: gate refused" in told
    assert "broken: " in told and "promotion.json cannot be read: wrong at file" in told


def refused(error, words, *arguments):
    with pytest.raises(error, match=words) as caught:
        call(*arguments, *FEW)
    assert "\n" not in str(caught.value)


def test_no_journal_and_no_answers_are_one_line(tmp_path):
    refused(DataError, "there are no answers yet")
    refused(DataError, "there is no journal", "--journal", tmp_path / "none.db")
    open_journal(tmp_path / "empty.db").close()
    refused(DataError, "no answer of y or n yet", "--journal", tmp_path / "empty.db")


def test_files_of_others_and_newer_journals_are_one_line(tmp_path):
    import sqlite3

    (tmp_path / "text.db").write_text("not a journal, and long enough to be read as a page" * 20)
    refused(JournalError, "text.db", "--journal", tmp_path / "text.db")
    open_journal(tmp_path / "newer.db").close()
    with sqlite3.connect(tmp_path / "newer.db") as file:
        file.execute("PRAGMA user_version = 99")
    file.close()
    refused(JournalError, "version 99", "--journal", tmp_path / "newer.db")


def test_answers_of_another_model_are_one_line(tmp_path):
    answered_journal(tmp_path / "other.db", PEOPLE["biased"], 20, "b" * 64)
    refused(DataError, "another model", "--journal", tmp_path / "other.db")


def test_an_unknown_action_is_one_line(tmp_path):
    answered_journal(tmp_path / "odd.db", PEOPLE["biased"], 8, SHA256)
    import sqlite3

    with sqlite3.connect(tmp_path / "odd.db") as file:
        file.execute("UPDATE suggestions SET action = 7 WHERE id = 3")
    file.close()
    refused(DataError, "unknown action 7", "--journal", tmp_path / "odd.db")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("UPDATE suggestions SET ts = NULL WHERE id = 4", "has no time"),
        ("UPDATE decisions SET response = 'maybe'", "unknown answer 'maybe'"),
        ("UPDATE suggestions SET show_probability = -3", "shown with the probability -3"),
        ("UPDATE suggestions SET feature_atm_iv = 'x'", "cannot be read: .*'x'"),
        ("UPDATE suggestions SET probabilities = '[1,'", "holds a value that cannot be read"),
        ("UPDATE sessions SET session_date = 'x'", "holds a value that cannot be read"),
        ("UPDATE sessions SET mode = 'moon'", "source 'moon'"),
    ],
)
def test_a_value_that_none_can_be_is_one_line_that_names_the_journal(tmp_path, change, words):
    answered_journal(tmp_path / "odd.db", PEOPLE["biased"], 8, SHA256)
    import sqlite3

    with sqlite3.connect(tmp_path / "odd.db") as file:
        file.execute("UPDATE suggestions SET mode = NULL")
        file.execute(change)
    file.close()
    refused(DataError, f"^journal {tmp_path}/odd.db.*{words}", "--journal", tmp_path / "odd.db")


@pytest.mark.parametrize("detail", ['{"x": 1}', "7", "null", '{"better": 1, "worse": 2}'])
def test_a_comparison_that_is_none_is_one_line(tmp_path, detail):
    import sqlite3

    answered_journal(tmp_path / "odd.db", PEOPLE["biased"], 8, SHA256)
    with sqlite3.connect(tmp_path / "odd.db") as file:
        file.execute(
            "INSERT INTO session_events (session_id, ts, wall_utc, event, detail) "
            "SELECT id, 0, '2026-01-01T00:00:00+00:00', 'preferred', ? FROM sessions LIMIT 1",
            (detail,),
        )
    file.close()
    refused(DataError, "no better and worse", "--journal", tmp_path / "odd.db")


def test_a_journal_that_is_written_meanwhile_is_read(tmp_path, capsys):
    path = tmp_path / "busy.db"
    answered_journal(path, PEOPLE["biased"], 20, SHA256)
    with Journal(path) as journal:
        journal.open_session(SessionFacts("mock", date(2025, 7, 1), model_sha256=SHA256))
        assert call("--journal", path, "--status") == 0
    assert "15 answers of y or n" in capsys.readouterr().out


def test_a_rule_a_bad_name_and_a_foreign_folder_are_refused(trained, journals, tmp_path):
    journal = ("--journal", journals / "biased.db")
    refused(SettingError, "needs a model", *journal, "--set", "policy=hold")
    refused(SettingError, "letters, digits", *journal, "--name", "../x")
    (trained / "notes").mkdir()
    (trained / "notes" / "readme").write_text("mine")
    refused(ModelError, "holds no model", *journal, "--name", "notes")


def test_sessions_that_the_store_does_not_have_are_one_line(journals, tmp_path):
    (tmp_path / "store").mkdir()
    with pytest.raises(DeskError):
        call("--journal", journals / "biased.db", "--data", tmp_path / "store", "--out", "run")
    assert not Path("run").exists()


def test_an_update_that_is_promoted_is_a_new_folder_with_its_state(trained):
    import numpy as np

    from models.feedback.update import Update, folded, unfolded

    parent = load_policy("bundled")
    constants = parent.card.standardisation
    same = unfolded(parent.policy.network, constants)
    done = Update(folded(same, constants), same, constants, 0.0, 0, False, (0.0, 0.0))
    promotion = decide("policy", SHA256, [Check("all", Outcome.PASSED, "")], 200, NOW)
    chosen = choose_policy(Settings(), None)
    folders = [keep_update(done, chosen, "bundled", "mine", promotion, NOW) for _ in range(2)]
    assert [folder.name for folder in folders] == ["mine-policy", "mine-policy-2"]
    loaded = load_policy(str(folders[0]))
    assert loaded.card.parent_sha256 == SHA256
    assert read_promotion(folders[0]).status == "shadow"
    seen = np.full((1, 8), 0.3)
    np.testing.assert_allclose(
        loaded.policy.network.logits(seen), parent.policy.network.logits(seen), atol=1e-4
    )


def test_a_gate_never_takes_the_place_of_a_policys_state(trained, journals):
    (trained / "mine").mkdir()
    write_promotion(trained / "mine", decide("policy", SHA256, [], 200, NOW))
    refused(
        ModelError,
        "state of an updated policy",
        "--journal",
        journals / "biased.db",
        "--name",
        "mine",
    )


def test_a_review_by_pipe_is_kept_and_learned_from(tmp_path, monkeypatch, capsys):
    lines = "y\n" * 3 + "n volatility\n" * 3 + "a\nput\nquit\n"
    monkeypatch.setattr("sys.stdin", io.StringIO(lines))
    assert call("--review", "6", *FEW) == 0
    told = capsys.readouterr().out
    assert "kept in runs/review.db" in told
    with JournalReader(Path("runs/review.db")) as reader:
        table = reader.suggestions()
        assert set(reader.sessions()["mode"]) == {MODE}
    assert len(table) >= 3
    assert set(table["model_sha256"]) == {SHA256}
    assert call("--status") == 0
    assert "review:" in capsys.readouterr().out
