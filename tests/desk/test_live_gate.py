"""Real money asks for paper sessions, an honest backtest of this very model, and a sentence."""

import json
from pathlib import Path
from typing import Any

import pytest

from desk.calls import LiveCall, Suggester
from desk.live_gate import (
    DeskRecord,
    Model,
    contracts_allowed,
    may_trade_live,
    sentence,
    sentence_fits,
)
from desk.real_money import before_real_money
from errors import AccountRefusedError
from settings import Settings

SHA = "ab" * 32
MODEL = Model("mine", SHA)
READY = DeskRecord(paper_without_drift=20)
GOOD = {"model": "mine", "model_sha256": SHA, "simulated": False, "sessions": 40}


def run(folder: Path, **changes: Any) -> None:
    folder.mkdir(parents=True)
    (folder / "metrics.json").write_text(json.dumps(GOOD | {"sessions_in_sample": 30} | changes))


def reasons(runs: Path, record: DeskRecord = READY, model: Model = MODEL) -> list[str]:
    return may_trade_live(Settings(), record, runs, model)


def test_twenty_paper_sessions_and_an_honest_backtest_are_enough(tmp_path: Path) -> None:
    run(tmp_path / "one")
    assert reasons(tmp_path) == []


def test_every_reason_is_told_at_once(tmp_path: Path) -> None:
    first, second = reasons(tmp_path / "none", DeskRecord(19))
    assert first.startswith("19 of 20 paper sessions without unexplained drift")
    assert "no backtest" in second and SHA[:12] in second
    assert all("\n" not in line for line in (first, second))


@pytest.mark.parametrize(
    "changes",
    [
        {"model_sha256": "cd" * 32},
        {"model_sha256": None},
        {"simulated": True},
        {"simulated": None},
        {"sessions_in_sample": 40},
        {"sessions": 0},
        {"sessions": "many"},
    ],
)
def test_a_backtest_that_proves_nothing_does_not_count(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    run(tmp_path / "one", **changes)
    (reason,) = reasons(tmp_path)
    assert "no backtest" in reason
    run(tmp_path / "two")
    assert reasons(tmp_path) == []


@pytest.mark.parametrize("text", ["", "{", "[]", "3"])
def test_a_damaged_run_proves_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "metrics.json").write_text(text)
    assert len(reasons(tmp_path)) == 1


def test_a_policy_without_a_file_is_known_by_its_name(tmp_path: Path) -> None:
    run(tmp_path / "one", model="sell_put@10:00", model_sha256=None)
    assert reasons(tmp_path, model=Model("sell_put@10:00", None)) == []
    assert len(reasons(tmp_path, model=Model("sell_call@10:00", None))) == 1
    run(tmp_path / "two", model="sell_call@10:00")  # a model of that name is no policy
    assert len(reasons(tmp_path, model=Model("sell_call@10:00", None))) == 1


def test_the_sentence_names_the_account_word_for_word() -> None:
    assert sentence("U1234567") == "I trade U1234567 with real money"
    assert sentence_fits("  I trade  U1234567 with real money\n", "U1234567")
    for typed in ("", "y", "i trade u1234567 with real money", sentence("U7654321")):
        assert not sentence_fits(typed, "U1234567")


def test_the_first_live_sessions_are_held_to_one_contract() -> None:
    settings = Settings(contracts=3)
    allowed = [contracts_allowed(settings, DeskRecord(20, live)) for live in (0, 19, 20, 50)]
    assert allowed == [1, 1, 3, 3]


class Named:
    """A policy by its name alone: nothing is ever asked of it here."""

    name, actions, obeys_waits = "mine", 3, True

    def probabilities(self, moment: Any) -> Any:
        raise AssertionError("nobody may ask")


@pytest.mark.parametrize("scripted", [{"answers": Path("y.txt")}, {"person": "biased:1"}, {}])
def test_real_money_is_never_answered_by_a_file(
    scripted: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    call = LiveCall(kind="theta", new_folder=lambda name: tmp_path, **scripted)
    with pytest.raises(AccountRefusedError) as refused:
        before_real_money(Settings(), "U1234567", Suggester(Named()), call)
    assert ("leave --answers out" in str(refused.value)) == bool(scripted)
