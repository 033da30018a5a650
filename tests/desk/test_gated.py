"""The gate in the desk: what it keeps back nobody sees, and the journal has all of it."""

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from journaling import Plot, SmallDesk, journal_in, rows_of
from journals import suggestion
from market import PUT, Scripted, market, wishes

from brokers.approvers import ScriptedApprover
from brokers.journal.bookkeeper import Bookkeeper
from brokers.journal.reader import JournalReader
from desk.gated import GateApprover
from desk.scripted import answers_before, scripted_person
from errors import SettingError
from models.feedback.acceptance import AcceptanceModel
from models.feedback.dataset import feedback_table, is_labelled
from models.feedback.fits import LogisticFit
from models.feedback.gate import Gate
from settings import Settings
from vocabulary import Answer, Decision, ExitReason

QUICK = Settings(rules={"wait_minutes": (15, 20, 25)}, contracts=3, capital=300_000.0)
CALLS_AND_PUTS = wishes((7, 2), (8, 2), (9, 2), (12, 1))
"""A put at 10:05 and again while it is not answered, a call at 10:30."""


def gate(bias: float = 0.0, mode: Any = "veto", probe_rate: float = 0.0) -> Gate:
    """Likes calls (log-odds 5) and not puts (-5), shifted by `bias`."""
    flat = (0.0,) * 9
    fit = LogisticFit(mean=flat, sd=(1.0,) * 9, weights=(10.0, *flat[1:]), bias=-5.0 + bias)
    model = AcceptanceModel(
        kind="logistic", logistic=fit, half_life=90, answers=20, yes=9, last=date(2026, 10, 1)
    )
    return Gate("gate-test", model, mode, 0.5, probe_rate=probe_rate)


class Told:
    """An approver that says y to all and remembers what it was told."""

    channel = "test"

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []

    def ask(self, one: Any) -> None:
        self.calls.append(("ask", one.id))

    def answer(self, one: Any) -> Decision:
        return Decision(one.id, Answer.YES, self.channel)

    def withdraw(self, one: Any, reason: str) -> None:
        self.calls.append(("withdraw", one.id))

    def conclude(self, one: Any, decision: Decision, outcome: str) -> None:
        self.calls.append(("conclude", one.id))


PUT_WANTED = suggestion("a", 35)
CALL_WANTED = replace(suggestion("b", 35), action=1)


def test_what_is_vetoed_reaches_nobody_and_is_withdrawn_at_once() -> None:
    inner, said = Told(), []
    gated = GateApprover(inner, gate(), said.append)
    gated.ask(PUT_WANTED)
    decision = gated.answer(PUT_WANTED)
    assert decision is not None
    gated.withdraw(PUT_WANTED, "end")
    gated.conclude(PUT_WANTED, decision, "not sent")
    assert inner.calls == []
    assert (decision.answer, decision.channel) == (Answer.WITHDRAWN, "gate")
    assert "p(y) 0.01 below 0.50 (gate-test)" in decision.reason
    assert said == ["GATE: kept back sell 628 PUT, p(y) 0.01 below 0.50"]


def test_a_veto_is_told_once_an_hour() -> None:
    said: list[str] = []
    gated = GateApprover(Told(), gate(), said.append)
    for n, minute in enumerate((35, 40, 55, 60, 65)):
        features = (minute / 390, *PUT_WANTED.features[1:])
        gated.ask(replace(suggestion(f"s{n}", minute), features=features))
    assert len(said) == 2


def test_everything_else_passes_untouched() -> None:
    inner = Told()
    gated = GateApprover(inner, gate())
    decision = Decision("b", Answer.YES, "test")
    for one in (CALL_WANTED, replace(PUT_WANTED, id="exit", exit_reason=ExitReason.STOP_LOSS)):
        gated.ask(one)
        assert gated.answer(one) == Decision(one.id, Answer.YES, "test")
        gated.withdraw(one, "why")
        gated.conclude(one, decision, "sent")
    kinds = ["ask", "withdraw", "conclude"]
    assert inner.calls == [(kind, name) for name in ("b", "exit") for kind in kinds]
    assert gated.columns(replace(PUT_WANTED, exit_reason=ExitReason.STOP_LOSS)) == {}


def test_a_gate_that_advises_adds_one_line_and_a_gate_that_is_off_none() -> None:
    advises = GateApprover(Told(), gate(mode="advise"))
    assert advises.explanation(PUT_WANTED) == (
        "GATE: by your earlier answers, y with 1%, below its threshold of 50%"
    )
    assert advises.explanation(CALL_WANTED) == "GATE: by your earlier answers, y with 99%"
    columns = advises.columns(PUT_WANTED)
    assert columns["shown"] and not columns["gate_vetoed"] and columns["show_probability"] == 1
    assert GateApprover(Told(), gate(mode="off")).explanation(PUT_WANTED) == ""


def test_a_probe_is_shown_and_marked() -> None:
    inner = Told()
    gated = GateApprover(inner, gate(probe_rate=1.0))
    gated.ask(PUT_WANTED)
    assert inner.calls == [("ask", "a")]
    assert "shown all the same, to learn" in gated.explanation(PUT_WANTED)
    columns = gated.columns(PUT_WANTED)
    assert columns["shown"] and columns["gate_probe"] and columns["show_probability"] == 1.0


def test_changed_terms_do_not_go_through_the_gate_again() -> None:
    inner = Told()
    gated = GateApprover(inner, gate(bias=6.0))
    gated.ask(PUT_WANTED)
    gated.ask(replace(PUT_WANTED, quantity=1, features=(0.9, *PUT_WANTED.features[1:])))
    assert inner.calls == [("ask", "a"), ("ask", "a")]
    assert gated.facts(PUT_WANTED) is gated.facts(replace(PUT_WANTED, quantity=1))


class GatedDesk(SmallDesk):
    """The small desk with a gate before its approver, wired as `desk.opening` would."""

    def __init__(self, inner: Any, the_gate: Gate, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.approver = GateApprover(inner, the_gate)  # type: ignore[assignment]
        self.books = Bookkeeper(
            self.journal,
            self.facts,
            lambda: self.feed.snapshot().ts,
            gate=self.approver.columns,
        )


@pytest.fixture(scope="module")
def day() -> Any:
    moves = np.random.default_rng(3).normal(0, 0.12, 390)
    return market(spot=628.2013 + np.cumsum(moves).round(2)).day()


def lived(day: Any, folder: Path, inner: Any, the_gate: Gate) -> Any:
    plot = Plot(Scripted(CALLS_AND_PUTS), QUICK)
    with journal_in(folder) as journal:
        desk = GatedDesk(inner, the_gate, plot, day, journal).run(rows_of(day))
        with JournalReader(journal.path) as reader:
            names = ("suggestions", "decisions", "outcomes")
            table = feedback_table(*(reader.table(name) for name in names), reader.sessions())
            decisions = reader.rows("decisions")
    return desk, table, decisions


def test_a_desk_behind_a_gate_trades_what_is_left_and_journals_all(
    day: Any, tmp_path: Path
) -> None:
    person = ScriptedApprover(["y"])
    desk, table, decisions = lived(day, tmp_path, person, gate())
    assert [one.contract.right is PUT for one in person.asked] == [False]
    assert table["right"].tolist() == ["P", "P", "P", "C"]  # a veto starts no wait
    assert table["shown"].tolist() == [False, False, False, True]
    assert table["response"].tolist() == ["withdrawn"] * 3 + ["y"]
    assert is_labelled(table).tolist() == [False] * 3 + [True]
    assert (table["gate_version"] == "gate-test").all()
    assert (table["show_probability"] == [0.0, 0.0, 0.0, 1.0]).all()
    assert {row["channel"] for row in decisions} == {"gate", "script"}
    assert len(desk.strategy.tracker.round_trips) == 1


def test_with_an_open_gate_the_desk_trades_as_without_one(day: Any, tmp_path: Path) -> None:
    trips = []
    for name, bias in (("open", 100.0), ("none", 0.0)):
        (tmp_path / name).mkdir()
        mode = "veto" if bias else "off"
        desk, table, _ = lived(
            day, tmp_path / name, ScriptedApprover("yyyy"), gate(bias=bias, mode=mode)
        )
        assert table["shown"].all()
        trips.append(desk.strategy.tracker.round_trips)
    assert trips[0] == trips[1] and trips[0]


def test_a_scripted_person_answers_through_the_real_journal(day: Any, tmp_path: Path) -> None:
    person = scripted_person("always_no:3")
    _, table, decisions = lived(day, tmp_path, person, gate(mode="off"))
    assert table["response"].tolist() == ["n"] * len(table) and len(table) > 1
    assert set(table["reason_code"]) <= {"volatility", "timing"}
    assert table["response_seconds"].between(2, 20).all()
    assert person.answered == answers_before(decisions) == len(table)


def test_a_person_goes_on_counting_from_session_to_session() -> None:
    fresh, tired = scripted_person("ten_answers"), scripted_person("ten_answers", answered=10)
    for person in (fresh, tired):
        person.ask(PUT_WANTED)
        person.ask(PUT_WANTED)
    said, silent = fresh.answer(PUT_WANTED), tired.answer(PUT_WANTED)
    assert said is not None and said.answer is not Answer.TIMEOUT and fresh.answered == 1
    assert silent is not None and silent.answer is Answer.TIMEOUT and tired.answered == 10


def test_an_unknown_person_is_told() -> None:
    with pytest.raises(SettingError, match="no person 'nobody'"):
        scripted_person("nobody")
