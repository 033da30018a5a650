"""Whatever is wrong with a call of `run.py live`: one clear line, exit code 2, nothing traded."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

MOCK = ("--mock", "--policy", "hold", "--speed", "max", "--set", "live.watchdog=false")


@pytest.fixture(autouse=True)
def _own_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--mock", "--replay", "2026-10-30"), "not allowed with"),
        (("--mock", "--date", "30.10.2026"), "write YYYY-MM-DD"),
        (("--mock", "--date", "2026-10-31"), "no trading day"),
        (("--mock", "--date", "1999-01-04"), "1999"),
        (("--replay", "yesterday"), "write YYYY-MM-DD"),
        (("--replay", "2026-10-31"), "no trading day"),
        (("--replay", "2026-10-30", "--data", "nowhere"), "nowhere"),
        (("--replay", "2026-10-30", "--date", "2026-10-30"), "--date is the day of a --mock"),
        (("--mock", "--blind"), "--blind"),
        (("--blind",), "--blind"),
        (("--speed", "2"), "--speed"),
        (("--date", "2026-10-30"), "--date"),
        (("--mock", "--speed", "0"), "--speed 0"),
        (("--mock", "--speed", "-1"), "--speed -1"),
        (("--mock", "--speed", "nan"), "--speed nan"),
        (("--mock", "--speed", "inf"), "--speed inf"),
        (("--mock", "--speed", "fast"), "--speed fast"),
        (("--mock", "--rehearse"), "--rehearse"),
        (("--mock", "--broker", "ib", "--policy", "hold"), "--rehearse"),
        (("--mock", "--broker", "ib", "--rehearse"), "--model or --policy"),
        (("--mock", "--broker", "etrade"), "broker"),
        (("--mock", "--live-account", "U1234567"), "--live-account"),
        (
            ("--mock", "--broker", "ib", "--rehearse", "--live-account", "U1", "--policy", "hold"),
            "never trades a live account",
        ),
        (("--mock", "--broker", "ib", "--rehearse", "--ib-port", "x"), "port"),
        (("--mock", "--model", "nobody"), "no model 'nobody'"),
        (("--mock", "--policy", "buy_low"), "no policy 'buy_low'"),
        (("--mock", "--capital", "-5"), "capital"),
        (("--mock", "--contracts", "0"), "contracts"),
        (("--mock", "--seed", "-1"), "seed"),
        (("--mock", "--answers", "none.txt"), "none.txt"),
        (("--mock", "--answers", "."), "is no file"),
        (("--mock", "--set", "live.bar_seconds=0"), "live.bar_seconds"),
        (("--mock", "--set", "live.exits=maybe"), "live.exits"),
        (("--mock", "--set", "rules.question_seconds=0"), "rules.question_seconds"),
        (("--mock", "--set", "rules.events=none.csv"), "none.csv"),
        (("--mock", "--assume-schema", "2"), "assume-schema"),
        (("--mock", "--nonsense"), "--nonsense"),
    ],
)
def test_a_wrong_call_is_told_in_one_line(
    desk: Callable[..., Any], words: tuple[str, ...], says: str
) -> None:
    outcome = desk("live", *words)
    assert outcome.code == 2
    assert says in outcome.fault
    assert "[10:" not in outcome.out  # nothing was traded


def test_a_file_of_answers_names_the_line_that_is_none(
    desk: Callable[..., Any], tmp_path: Path
) -> None:
    for line in ("maybe", "@25:00 close", "@10:00 y", "@10:00", "close"):
        path = tmp_path / "answers.txt"
        path.write_text(f"y\n# a comment\n\n{line}\n")
        outcome = desk("live", *MOCK, "--answers", path)
        assert outcome.code == 2
        assert f"{path}, line 4" in outcome.fault


def test_a_journal_that_is_none_is_refused(desk: Callable[..., Any], tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    path.write_bytes(b"not a database at all, just text" * 200)
    outcome = desk("live", *MOCK, "--set", f"live.journal={path}")
    assert outcome.code == 1  # no mistake in the call
    assert f"journal {path} is damaged" in outcome.fault
    outcome = desk("live", *MOCK, "--set", f"live.journal={tmp_path}")
    assert "cannot be opened" in outcome.fault


def test_a_folder_that_cannot_be_written_is_refused(
    desk: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "runs").write_text("a file where a folder must be")
    outcome = desk("live", *MOCK)
    assert outcome.code == 2
    assert "runs" in outcome.fault
