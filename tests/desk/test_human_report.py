"""The report on a person's answers says what they earned, and how little a few of them prove."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from journaling import Instant, Plot, SmallDesk, journal_in, rows_of
from market import SESSION, Scripted, at, market, wishes

from brokers.journal.reader import JournalReader
from brokers.journal.session import SessionFacts
from commands.drift_report import report_drift, report_human
from desk import human
from desk.human import (
    ALL_YES,
    Agreement,
    answered,
    by_session,
    groups,
    mean_of,
    play_session,
    rivals,
)
from desk.human_report import NOTHING, human_report, plain_mean, risks_as_they_rise
from desk.outcomes import outcomes_of
from errors import DataError
from feeds.store import ChainStore
from settings import RuleSettings, Settings
from strategies.baselines import baseline
from vocabulary import Answer

LIMITS = RuleSettings()


def suggestion(number: int, minute: float = 60.0, **terms: Any) -> dict[str, Any]:
    row = {
        "session_id": f"s{number}",
        "suggestion_id": f"q{number}",
        "ts": at(SESSION, minute) + number,
        "exit_reason": None,
        "shown": True,
        "risk_score": 0.2,
        "side": -1,
        "quantity": 2,
        "bid": 2.40,
        "ask": 2.50,
    }
    return row | terms


def decision(number: int, response: str, **terms: Any) -> dict[str, Any]:
    row = {
        "session_id": f"s{number}",
        "suggestion_id": f"q{number}",
        "response": response,
        "outcome": "sent" if response == "y" else "not sent",
        "reason_code": "",
        "response_ms": 4000.0,
        "bid_at_response": 2.37,
        "ask_at_response": 2.47,
    }
    return row | terms


def outcome(number: int, pnl: float | None, shadow: float | None) -> dict[str, Any]:
    key = {"session_id": f"s{number}", "suggestion_id": f"q{number}"}
    return key | {"pnl": pnl, "shadow_pnl": shadow}


def table_of(*ends: tuple[str, float | None, float | None]) -> Any:
    numbers = range(len(ends))
    return answered(
        [suggestion(n) for n in numbers],
        [decision(n, ends[n][0]) for n in numbers],
        [outcome(n, *ends[n][1:]) for n in numbers],
    )


def test_a_yes_earns_its_trade_and_a_no_what_it_was_spared() -> None:
    table = table_of(("y", 30.0, 20.0), ("n", None, -50.0), ("skip", None, 10.0), ("y", -5.0, 1.0))
    named = {group.name: group for group in groups(table)}
    assert list(named) == ["yes", "no", "skip"]
    assert (named["yes"].earned.total, named["yes"].shadow.total) == (25.0, 21.0)
    assert (named["no"].shadow.total, named["no"].earned.n) == (-50.0, 0)
    text = human_report(table, LIMITS)
    assert "yes, as traded" in text and "+$25.00" in text
    assert "1 no saved $50.00" in text
    assert "too few for an interval" in text


def test_a_refused_yes_is_no_trade_of_the_person() -> None:
    table = answered(
        [suggestion(0)], [decision(0, "y", outcome="too far away")], [outcome(0, None, 9.0)]
    )
    (group,) = groups(table)
    assert (group.name, group.earned.n, group.shadow.total) == ("yes, refused by the desk", 0, 9.0)


def test_risk_bands_stand_in_the_order_of_risk() -> None:
    names = ("risk 0.3 to 0.6", "risk below 0.3", "risk from 0.6")
    bands = [Agreement(name, 1, 2) for name in names]
    assert [one.name for one in risks_as_they_rise(bands)] == [names[1], names[0], names[2]]


def test_a_mean_without_an_interval_is_the_same_mean() -> None:
    figures = [1.0, float("nan"), 4.5]
    plain, full = plain_mean(figures), mean_of(figures)
    assert (plain.n, plain.mean, plain.total) == (full.n, full.mean, full.total) == (2, 2.75, 5.5)
    assert plain_mean([]).n == 0


def test_the_delay_costs_what_the_mid_moved_against_the_seller() -> None:
    table = table_of(("y", 1.0, 1.0))
    assert table["delay_cents"][0] == pytest.approx(3.0)
    assert table["delay_dollars"][0] == pytest.approx(6.0)
    assert "300 cents a contract against you (n = 1), a cost of $6.00" in human_report(
        table, LIMITS
    )


def test_a_suggestion_of_unknown_side_and_size_has_no_delay_and_keeps_its_dollars() -> None:
    asked = suggestion(0, side=None, quantity=None)
    (row,) = answered([asked], [decision(0, "y")], [outcome(0, 5.0, 6.0)]).itertuples()
    assert (row.earned, row.shadow_pnl) == (5.0, 6.0)
    assert np.isnan([row.delay_cents, row.delay_dollars]).all()


@given(
    ends=some.lists(
        some.tuples(
            some.sampled_from([one.value for one in Answer]),
            some.floats(-500, 500).map(lambda figure: round(figure, 2)),
        ),
        min_size=1,
        max_size=30,
    )
)
def test_every_dollar_is_in_exactly_one_group(ends: list[tuple[str, float]]) -> None:
    table = table_of(*((word, 1.0 if word == "y" else None, dollars) for word, dollars in ends))
    found = groups(table)
    assert sum(group.n for group in found) == len(ends)
    total = sum(group.shadow.total for group in found)
    assert total == pytest.approx(sum(dollars for _, dollars in ends))
    assert sum(group.earned.n for group in found) == sum(word == "y" for word, _ in ends)


def test_ten_figures_have_an_interval_and_nine_have_none() -> None:
    figures = np.arange(10.0)
    assert np.isnan(mean_of(figures[:9]).interval.low)
    low, high = mean_of(figures).interval
    assert low < 4.5 < high
    assert mean_of([np.nan, 2.0]).n == 1 and mean_of([]).n == 0


def test_agreement_is_told_by_hour_and_by_risk() -> None:
    rows = [suggestion(0), suggestion(1, 100.0, risk_score=0.4), suggestion(2, 100.0)]
    said = [decision(0, "y"), decision(1, "n"), decision(2, "n")]
    hours, bands = human.agreement(answered(rows, said, []), LIMITS)
    assert [(one.name, one.yes, one.answers) for one in hours] == [
        ("10:00 to 11:00", 1, 1),
        ("11:00 to 12:00", 0, 2),
    ]
    assert [(one.name, one.yes, one.answers) for one in bands] == [
        ("risk 0.3 to 0.6", 0, 1),
        ("risk below 0.3", 1, 2),
    ]


def test_a_reason_is_right_when_the_trade_would_have_lost() -> None:
    rows = [suggestion(n) for n in range(3)]
    said = [decision(n, "n", reason_code=code) for n, code in enumerate(("event", "event", ""))]
    ends = [outcome(0, None, -5.0), outcome(1, None, 5.0), outcome(2, None, -1.0)]
    found = human.reasons(answered(rows, said, ends))
    assert [(one.name, one.right, one.n) for one in found] == [
        ("event", 1, 2),
        ("no reason", 1, 1),
    ]


def test_others_are_held_against_the_person_on_the_same_sessions_only() -> None:
    table = table_of(("y", 30.0, 1.0), ("n", None, 1.0))
    earned = by_session(table, ["s0", "s1", "s2"])
    assert earned == {"s0": 30.0, "s1": 0.0, "s2": 0.0}
    (one,) = rivals(earned, {"clock": {"s0": 10.0, "s2": 5.0, "unknown": 100.0}})
    assert (one.theirs.total, one.ahead.total, one.ahead.n) == (15.0, 15.0, 2)


def test_an_empty_journal_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with journal_in(tmp_path) as journal:
        journal.open_session(SessionFacts("mock", SESSION.date))
    assert report_human(tmp_path / "practice.db", Settings()) == 0
    assert capsys.readouterr().out == NOTHING + "\n"
    assert "an outcome: not counted" in human_report(answered([suggestion(0)], [], []), LIMITS)


@pytest.fixture
def lived_run(tmp_path: Path) -> Path:
    """A run's folder with its recording; the journal beside it knows one session."""
    settings = Settings(policy="sell_put@10:00", live={"journal": tmp_path / "practice.db"})
    spot = np.rint((628.2013 + np.cumsum(np.random.default_rng(3).normal(0, 0.1, 390))) * 1e4) / 1e4
    day = replace(market(spot=spot).day(), official_close=628.5)
    run = tmp_path / "run"
    ChainStore(run / "recorded").write(replace(day, source="simulated"), 60)
    plot = Plot(
        Scripted(wishes((6, 2)), name="sell_put@10:00"),
        settings,
        [(Instant(at(SESSION, 31), later=True), "y")],
    )
    with journal_in(tmp_path) as journal:
        desk = SmallDesk(plot, day, journal, folder=run).run(rows_of(day))
        with JournalReader(journal.path) as reader:
            fills = reader.fills(desk.session_id)
            asked = reader.rows("suggestions")
        assert len(fills) == 2 and len(asked) == 1
        suggestions = [fills[0].suggestion]
        done = outcomes_of(day, suggestions, fills, plot.policy, settings)  # type: ignore[arg-type]
        journal.write(*done.records)
    return run


def test_both_reports_are_made_from_a_journal_file(
    lived_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    journal = lived_run.parent / "practice.db"
    assert report_drift(journal, Settings()) == 0
    assert "GREEN, 391 bars" in capsys.readouterr().out
    assert report_drift(lived_run, Settings(live={"journal": journal})) == 0
    assert report_drift(journal, Settings(), "2026-10-30") == 0
    capsys.readouterr()
    assert report_human(journal, Settings()) == 0
    told = capsys.readouterr().out
    assert "1 suggestion in 1 session, 2026-10-30 to 2026-10-30" in told
    for name in ("yes, as traded", ALL_YES, "sell_put@10:00", "you less that"):
        assert name in told


def test_a_report_on_a_session_nobody_knows_is_one_line(lived_run: Path, tmp_path: Path) -> None:
    journal = lived_run.parent / "practice.db"
    with pytest.raises(DataError, match="has no session 2020-01-02"):
        report_drift(journal, Settings(), "2020-01-02")
    with pytest.raises(DataError, match="not the folder of a run"):
        report_drift(tmp_path, Settings(live={"journal": journal}))
    (lived_run / "recorded").rename(lived_run / "elsewhere")
    with pytest.raises(DataError, match="was not recorded in"):
        report_drift(journal, Settings())


def test_the_model_alone_is_played_by_the_rules_of_a_backtest() -> None:
    day = market().day()
    earned = play_session(day, baseline("hold"), Settings())
    assert earned[ALL_YES] == 0.0 and earned["hold"] == 0.0
    assert earned["sell_put@10:00"] != 0.0
