"""`run.py journal`: lists, filters, exports and copies, beside a desk that writes or without."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from journals import DAY, FACTS, PUT_628, answered, at, bar, fill, open_journal, shown, suggestion

from brokers.journal.journal import Journal
from brokers.journal.reader import TABLES, JournalReader
from vocabulary import Answer, JournalRecord

Desk = Callable[..., Any]


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """Two sessions: one with a traded yes and a no, one of another day without anything."""
    path = tmp_path / "runs" / "journal.db"
    with open_journal(path) as writer:
        yes, no = suggestion("yes", 30), suggestion("no", 200, risk_score=0.1 + 0.2)
        writer.write(shown(yes), answered(yes, Answer.YES, "sent"))
        writer.write(shown(no), answered(no, Answer.NO, "not sent"))
        entry = writer.intend(
            at(31), purpose="entry", contract=PUT_628, side=-1, quantity=1, suggestion=yes
        )
        fill(writer, entry, 32, "e1", price=0.1 + 0.2)
        writer.write(bar(31, probabilities=(0.1, 0.9)), bar(32, 80_012.34))
        writer.write(JournalRecord("days", at(390), {"realised_pnl": 12.34, "drift": 0}))
        writer.open_session(replace(FACTS, mode="paper", session_date=DAY.replace(day=29)))
    return path


def test_sessions_are_listed_with_answers_and_result(journal: Path, desk: Desk) -> None:
    done = desk("journal")
    assert done.code == 0
    lines = done.out.splitlines()
    assert len(lines) == 3
    assert all(len(line) <= 100 for line in lines)
    assert lines[1].split()[:4] == ["20261030-mock-1", "simulated", "bundled", "open"]
    assert lines[1].split()[4:] == ["1", "1", "0", "0", "+$12.34", "0"]


@pytest.mark.parametrize("table", TABLES)
def test_every_table_fits_the_screen(journal: Path, desk: Desk, table: str) -> None:
    done = desk("journal", "--table", table)
    assert done.code == 0, done.err
    assert all(len(line) <= 100 for line in done.out.splitlines())


@pytest.mark.parametrize(
    ("words", "sessions"),
    [
        (("--session", "20261030-mock-1"), ["mock"]),
        (("--session", "2026-10-29"), ["paper"]),
        (("--mode", "paper"), ["paper"]),
        (("--from", "2026-10-30"), ["mock"]),
        (("--to", "2026-10-29"), ["paper"]),
        (("--from", "2026-10-01", "--to", "2026-10-31"), ["mock", "paper"]),
    ],
)
def test_sessions_are_selected(
    journal: Path, desk: Desk, words: tuple[str, ...], sessions: list[str]
) -> None:
    done = desk("journal", *words)
    listed = [line.split("-")[1] for line in done.out.splitlines()[1:]]
    assert sorted(listed) == sessions


def test_answers_select_suggestions(journal: Path, desk: Desk) -> None:
    done = desk("journal", "--answer", "n")
    assert len(done.out.splitlines()) == 2
    assert "not sent" in done.out
    assert desk("journal", "--answer", "skip").out == "no suggestions\n"
    assert len(desk("journal", "--table", "decisions", "--answer", "y").out.splitlines()) == 2


def test_long_tables_show_their_end(journal: Path, desk: Desk) -> None:
    done = desk("journal", "--table", "bars", "--rows", "1")
    assert "80,012.34" in done.out
    assert "the last 1 of 2" in done.out


def test_a_csv_holds_every_bit(journal: Path, desk: Desk, tmp_path: Path) -> None:
    done = desk("journal", "--table", "executions", "--export", "fills.csv")
    assert done.out == "1 rows of executions are in fills.csv\n"
    table = pd.read_csv(tmp_path / "fills.csv")
    assert table["price"][0] == 0.1 + 0.2
    assert pd.Timestamp(table["ts"][0]).value == at(32)
    assert table["ts"][0] == "2026-10-30T10:02:00-04:00"
    desk("journal", "--table", "bars", "--export", "bars.csv")
    bars = pd.read_csv(tmp_path / "bars.csv")
    assert json.loads(bars["probabilities"][0]) == [0.1, 0.9]
    assert pd.isna(bars["action"][0])


def test_all_tables_go_into_a_folder_and_come_back(
    journal: Path, desk: Desk, tmp_path: Path
) -> None:
    done = desk("journal", "--session", "2026-10-30", "--export", "all")
    assert done.code == 0, done.err
    assert {path.stem for path in (tmp_path / "all").iterdir()} == set(TABLES)
    chosen = ["20261030-mock-1"]
    with JournalReader(journal) as reader:
        for name in TABLES:
            usual = name != "suggestions"
            kept = reader.table(name, chosen) if usual else reader.suggestions(chosen)
            back = pd.read_parquet(tmp_path / "all" / f"{name}.parquet")
            assert plain(back) == plain(kept), name
            assert len(back) == len(kept)


def plain(table: pd.DataFrame) -> dict[str, list[str]]:
    """Every value by its name and repr; JSON decoded, missing ones alike."""
    return {str(name): [_plain(value) for value in table[name]] for name in table.columns}


def _plain(value: Any) -> str:
    if isinstance(value, str) and value[:1] in ("[", "{"):
        value = json.loads(value)
    if isinstance(value, list | dict):
        return json.dumps(value)
    return "" if pd.isna(value) else repr(value)


def test_a_backup_is_a_journal(journal: Path, desk: Desk, tmp_path: Path) -> None:
    with Journal(journal) as writer:  # in use meanwhile
        writer.open_session(FACTS)
        assert desk("journal", "--backup", "copy.db").code == 0
    assert len(desk("journal", "--journal", "copy.db").out.splitlines()) == 3
    assert "exists already" in desk("journal", "--backup", "copy.db").fault


def test_practice_has_a_journal_of_its_own(journal: Path, desk: Desk) -> None:
    assert "runs/practice.db" in desk("journal", "--practice").fault
    journal.rename(journal.with_name("practice.db"))
    assert desk("journal", "--practice").code == 0
    assert desk("journal", "--set", "live.journal=runs/practice.db").code == 0


def test_an_empty_journal_says_so(desk: Desk, tmp_path: Path) -> None:
    Journal(tmp_path / "new.db").close()
    assert desk("journal", "--journal", "new.db").out == "no sessions yet\n"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--journal", "nowhere.db"), "no journal nowhere.db"),
        (("--table", "weather"), "weather"),
        (("--answer", "perhaps"), "perhaps"),
        (("--from", "yesterday"), "yesterday is no date"),
        (("--rows", "0"), "--rows"),
        (("--session", "2025-01-01"), "no such session"),
        (("--table", "bars", "--answer", "y"), "not from bars"),
        (("--export", "file.xlsx"), ".parquet"),
        (("--export", "folder", "--table", "bars"), "all tables"),
        (("--export", "none/file.csv"), "no folder none"),
        (("--backup", "none/file.db"), "no folder none"),
        (("--export", "a.csv", "--backup", "b.db"), "not allowed"),
        (("--practice", "--journal", "a.db"), "not allowed"),
    ],
)
def test_bad_input_gets_one_line(
    journal: Path, desk: Desk, words: tuple[str, ...], says: str
) -> None:
    done = desk("journal", *words)
    assert done.code == 2
    assert says in done.fault
