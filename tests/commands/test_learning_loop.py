"""The last arrow of the desk with nothing but its commands: sessions, answers, a gate, sessions.

`live --mock --speed max` as processes, answered by a scripted person who fears volatility; `rlhf`
between them, on the journal that they wrote. Whether agreement rises is a matter of months, not of
days: `benchmarks/README.md` has that run.
"""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from live_desk import Journaled, Nursery

from models.feedback.gate_card import read_gate, write_gate
from models.feedback.promotion_state import read_promotion, write_promotion
from models.model_folder import TRAINED_FOLDER, load_policy

OFTEN = (
    *("--set", "rules.wait_minutes=15,15,15", "--set", "rules.wait_after_skip=5"),
    *("--set", "rules.profit_target=0.1", "--set", "seed=3"),
)
"""Short waits, quick exits and a wild market: as many answers in days as otherwise in months."""

LIVE = ("live", "--mock", "--speed", "max", "--person", "biased:1", "--set", "live.watchdog=false")
ANSWERED, LOOKED_ON, VETOED = 6, 1, 3
"""Sessions without a gate, with one that looks on, and behind one that vetoes."""


@pytest.fixture
def nursery() -> Iterator[Nursery]:
    with Nursery() as nursery:
        yield nursery


@pytest.fixture
def trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """models/trained with the bundled model alone."""
    folder = tmp_path / "trained"
    shutil.copytree(TRAINED_FOLDER / "bundled", folder / "bundled")
    for module in ("rlhf", "rlhf_files", "rlhf_learning"):
        monkeypatch.setattr(f"commands.{module}.TRAINED_FOLDER", folder)
    return folder


def test_sessions_teach_a_gate_that_looks_on_and_then_keeps_suggestions_back(
    nursery: Nursery, desk: Callable[..., Any], trained: Path, tmp_path: Path
) -> None:
    journal, mine = Journaled.practice(tmp_path), trained / "mine"

    def live(sessions: int, model: Path) -> list[dict[str, Any]]:
        """The entry suggestions of so many sessions, with their answers."""
        before = journal.count("suggestions")
        for _ in range(sessions):
            day = nursery.start(tmp_path, *LIVE, *OFTEN, "--model", model)
            assert day.wait() == 0, day.output
            assert "GREEN" in day.output, day.output
        return journal.rows(
            "SELECT s.*, d.response, d.channel AS answered_by FROM suggestions s"
            " JOIN decisions d USING (session_id, suggestion_id)"
            " WHERE s.id > ? AND s.exit_reason IS NULL ORDER BY s.id",
            before,
        )

    said = [row["response"] for row in live(ANSWERED, trained / "bundled")]
    assert {"y", "n"} <= set(said)
    learned = desk("rlhf", "--practice", "--name", "mine", *OFTEN, "--set", "sessions=20")
    assert learned.code == 0, learned.err
    assert f"{said.count('y') + said.count('n')} answers" in learned.out
    assert "paired backtest: insufficient evidence" in learned.out

    looked_on = live(LOOKED_ON, mine)
    assert all(row["gate_probability"] is not None and row["shown"] for row in looked_on)
    vetoes(mine)  # as after its shadow: that takes months
    behind = live(VETOED, mine)
    kept_back = [row for row in behind if not row["shown"]]
    assert kept_back
    assert all(
        row["gate_vetoed"] and row["gate_probability"] < row["gate_tau"] for row in kept_back
    )
    assert {(row["response"], row["answered_by"]) for row in kept_back} == {("withdrawn", "gate")}
    asked = [row for row in behind if row["shown"]]
    assert all(row["gate_probe"] or row["gate_probability"] >= row["gate_tau"] for row in asked)
    told = desk("rlhf", "--practice", "--status", "--model", mine, *OFTEN)
    assert told.code == 0, told.err


def vetoes(folder: Path) -> None:
    """Let a gate veto, as if it had passed every check and left the shadow."""
    card = read_gate(folder, load_policy(str(folder)).sha256)
    promotion = read_promotion(folder)
    assert card is not None and promotion is not None
    write_gate(folder, card.model_copy(update={"mode": "veto", "why": "", "parent": card.version}))
    write_promotion(folder, promotion.model_copy(update={"status": "active"}))
