"""A day traded by answers comes out the same in its replay; what was changed is found."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from journaling import (
    Instant,
    Plot,
    SmallDesk,
    journal_in,
    journaled,
    lived,
    rows_of,
)
from market import PUT, SESSION, Scripted, at, market, wishes

from desk.difference import Cause, Kind
from desk.drift import drift_of
from desk.journaled import JournaledSession
from desk.replayed import replay
from feeds.chain import ChainDay
from settings import Settings
from vocabulary import Command, ExitReason, Instruction, Verdict

QUICK = Settings(rules={"wait_minutes": (15, 20, 25)}, contracts=3, capital=300_000.0)
TWO_TRADES = wishes((7, 2), (12, 1))
"""A put at 10:05 and a call at 10:30."""


def day_of(seed: int = 3, step: float = 0.12) -> ChainDay:
    moves = np.random.default_rng(seed).normal(0, step, 390)
    return market(spot=628.2013 + np.cumsum(moves).round(2)).day()


def bar(minute: float) -> Instant:
    return Instant(at(SESSION, minute))


def between(minute: float) -> Instant:
    return Instant(at(SESSION, minute), later=True)


def plot(*answers: Any, **terms: Any) -> Plot:
    return Plot(Scripted(terms.pop("wishes", TWO_TRADES)), QUICK, answers, **terms)


def order(minute: float, command: Command, value: float | None = None) -> Any:
    return between(minute), Instruction(command, value)


CLOSED_EARLY = order(40, Command.CLOSE)
TRADED = (between(36), "y"), (bar(61), "y")


@pytest.fixture(scope="module")
def traded(tmp_path_factory: pytest.TempPathFactory) -> tuple[ChainDay, Plot, JournaledSession]:
    """Two trades: the first closed by the person, the second by the clock."""
    day, done = day_of(), plot(*TRADED, instructions=[CLOSED_EARLY])
    return day, done, lived(done, day, tmp_path_factory.mktemp("traded"))


def test_a_day_as_it_was_traded_is_green(traded: Any) -> None:
    day, done, session = traded
    assert [fill.exit_reason for fill in session.fills] == [
        *(None, ExitReason.MANUAL),
        *(None, ExitReason.TIME_EXIT),
    ]
    report = drift_of(day, session, done.policy, QUICK)
    assert report.is_green, report.text()
    assert not report.differences
    assert (report.bars, report.decisions, report.suggestions, report.fills) == (391, 78, 2, 4)
    assert report.values == {"drift": 0, "drift_dollars": 0.0}
    assert "GREEN, 391 bars" in report.text()


def test_nothing_to_compare_is_not_green(traded: Any) -> None:
    day, done, session = traded
    empty = JournaledSession(bars=session.bars.iloc[:0])
    report = drift_of(day, empty, done.policy, QUICK)
    assert not report.is_green and "nothing could be compared" in report.text()


@pytest.mark.parametrize("when", [bar(40), between(40)])
def test_an_answer_takes_effect_after_the_bar_it_came_with(when: Instant, tmp_path: Path) -> None:
    """At 10:10 a decision is due: whatever comes meanwhile, it sees a question that is open."""
    day, done = day_of(), plot((when, "skip"), wishes=wishes((7, 2)))
    session = lived(done, day, tmp_path)
    (one,) = session.suggestions
    (answer,) = session.answers[one.id]
    assert answer.instant == between(40)
    assert session.bars["reason"][40] == "an order is working"
    assert drift_of(day, session, done.policy, QUICK).is_green
    other = replace(answer, decision=replace(answer.decision, ts=at(SESSION, 39)))
    report = drift_of(day, replace(session, answers={one.id: [other]}), done.policy, QUICK)
    assert [(d.kind, d.ts) for d in report.drift] == [(Kind.DECISION, at(SESSION, 40))]


def test_an_answer_a_bar_later_in_the_journal_is_found_in_dollars(traded: Any) -> None:
    day, done, session = traded
    key = session.suggestions[1].id
    (answer,) = session.answers[key]
    late = replace(answer, decision=replace(answer.decision, ts=at(SESSION, 64)))
    answers = {**session.answers, key: [late]}
    report = drift_of(day, replace(session, answers=answers), done.policy, QUICK)
    assert not report.is_green
    first = report.drift[0]
    assert first.kind is Kind.FILL
    sold = session.fills[2].fill
    k = day.strike_index[sold.contract.strike_thousandths]
    bid = day.bid[65, int(sold.contract.right), k]
    assert first.dollars == pytest.approx(100 * sold.quantity * (sold.price - bid))
    assert first.dollars
    assert report.dollars == pytest.approx(first.dollars)


def test_a_quote_that_was_recorded_otherwise_is_found(traded: Any) -> None:
    day, done, session = traded
    sold = session.fills[2].fill
    row = int(np.searchsorted(day.ts, sold.ts))
    bid = day.bid.copy()
    bid[row, int(sold.contract.right), day.strike_index[sold.contract.strike_thousandths]] -= 0.02
    report = drift_of(replace(day, bid=bid), session, done.policy, QUICK)
    kinds = {one.kind for one in report.drift}
    assert not report.is_green and kinds & {Kind.FILL, Kind.BAR}
    assert report.dollars == pytest.approx(2.0 * sold.quantity)


@given(cents=some.integers(-200, 200).filter(bool), which=some.integers(0, 3))
@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_changed_fill_is_found_to_the_cent(traded: Any, cents: int, which: int) -> None:
    day, done, session = traded
    past = session.fills[which]
    price = past.fill.price + cents / 100
    fills = list(session.fills)
    fills[which] = replace(past, fill=replace(past.fill, price=price))
    report = drift_of(day, replace(session, fills=fills), done.policy, QUICK)
    (only,) = report.differences
    assert only.kind is Kind.FILL and only.cause is Cause.DRIFT
    dollars = -past.fill.side * past.fill.quantity * cents
    assert report.dollars == pytest.approx(dollars)
    assert report.values["drift"] == 1


@pytest.mark.parametrize(
    ("column", "kind"),
    [("spot", Kind.BAR), ("atm_iv", Kind.BAR), ("cash", Kind.ACCOUNT), ("action", Kind.DECISION)],
)
def test_a_changed_bar_is_found(traded: Any, column: str, kind: Kind) -> None:
    day, done, session = traded
    bars = session.bars.copy()
    bars.loc[60, column] += 1
    report = drift_of(day, replace(session, bars=bars), done.policy, QUICK)
    (only,) = report.drift
    assert only.kind is kind and only.ts == int(bars["ts"][60])
    assert "RED" in report.text()


def test_one_feature_one_bit_off_is_found(traded: Any) -> None:
    day, done, session = traded
    bars, column = session.bars.copy(), "feature_risk_score"
    bars.loc[100, column] = np.nextafter(np.float32(bars.loc[100, column]), np.float32(2))
    report = drift_of(day, replace(session, bars=bars), done.policy, QUICK)
    (only,) = report.drift
    assert (only.kind, only.what) == (Kind.ACCOUNT, "risk_score")


def test_a_suggestion_that_the_replay_does_not_make_is_found(traded: Any) -> None:
    day, _, session = traded
    other = Scripted(wishes((7, 2)))
    report = drift_of(day, session, other, QUICK)
    assert not report.is_green
    kinds = {one.kind for one in report.differences}
    assert {Kind.DECISION, Kind.SUGGESTION, Kind.FILL} <= kinds
    assert len(report.drift) == 1  # the decision; the rest follows from it
    assert report.drift[0].kind is Kind.DECISION


def test_a_lower_quantity_and_a_drawn_in_stop_are_repeated(tmp_path: Path) -> None:
    told = [order(36, Command.QUANTITY, 1), order(50, Command.STOP, 3.0)]
    done = plot((between(37), "y"), instructions=told, wishes=wishes((7, 2)))
    day = market(spot=np.linspace(628.2, 622.2, 390).round(2) + 0.0013).day()
    session = lived(done, day, tmp_path)
    assert [one.fill.quantity for one in session.fills] == [1, 1]
    assert session.suggestions[0].quantity > 1
    assert session.fills[-1].exit_reason is ExitReason.STOP_LOSS
    report = drift_of(day, session, done.policy, QUICK)
    assert report.is_green, report.text()
    unstopped = drift_of(day, replace(session, instructions=[]), done.policy, QUICK)
    assert not unstopped.is_green


def test_a_yes_that_the_recheck_refused_starts_no_wait_in_the_replay_either(tmp_path: Path) -> None:
    done = plot(
        *((between(36), "y"), (between(41), "y")),
        recheck=lambda order, snapshot: Verdict(snapshot.ts > at(SESSION, 38), "too far away"),
        wishes=wishes((7, 2), (8, 2)),
    )
    day = day_of()
    session = lived(done, day, tmp_path)
    outcomes = [session.answer_of(one.id).outcome for one in session.suggestions]
    assert outcomes == ["too far away", "sent"]
    report = drift_of(day, session, done.policy, QUICK)
    assert report.is_green, report.text()


def test_skips_noes_and_halts_are_repeated(tmp_path: Path) -> None:
    halted_until = at(SESSION, 80)
    done = plot(
        *((between(36), "skip"), (between(53), "n: timing"), (between(84), "y")),
        gate=lambda ts: "stale" if at(SESSION, 60) <= ts < halted_until else "",
        wishes=[2] * 79,
    )
    day = day_of()
    session = lived(done, day, tmp_path)
    assert [one.fill.side for one in session.fills[:2]] == [-1, 1]
    report = drift_of(day, session, done.policy, QUICK)
    assert report.is_green, report.text()
    assert (session.bars["reason"] == "the desk is halted").sum() >= 3


def test_a_pause_with_a_question_open_is_repeated(tmp_path: Path) -> None:
    told = [order(37, Command.PAUSE), order(58, Command.RESUME)]
    done = plot(
        *((between(300), "y"), (between(61), "y")),
        instructions=told,
        gate=lambda ts: "paused" if at(SESSION, 37) < ts <= at(SESSION, 58) else "",
    )
    day = day_of()
    session = lived(done, day, tmp_path)
    assert len(session.fills) == 2
    report = drift_of(day, session, done.policy, QUICK)
    assert report.is_green, report.text()


def test_a_desk_that_was_started_again_is_green(tmp_path: Path) -> None:
    day, done = day_of(), plot(*TRADED[:1])
    with journal_in(tmp_path) as journal:
        first = SmallDesk(done, day, journal).run(rows_of(day)[:62])  # dies with a question open
        second = SmallDesk(plot((between(200), "y")), day, journal).run(rows_of(day)[62:])
        assert second.journal.resumed and second.session_id == first.session_id
        session = journaled(journal, first.session_id)
    assert session.restarts == [at(SESSION, 61)]
    report = drift_of(day, session, done.policy, QUICK)
    assert report.is_green, report.text()
    assert "started again after 10:31" in report.text()


def test_an_entry_that_died_with_its_desk_stays_dead_in_the_replay(tmp_path: Path) -> None:
    """It was answered y and had no bid to fill at; the bid comes back after the start."""
    made = market()
    made.quote(PUT, 628, slice(37, 39), bid=np.nan)
    day, done = made.day(), plot((between(36), "y"), wishes=wishes((7, 2)))
    with journal_in(tmp_path) as journal:
        desk = SmallDesk(done, day, journal).run(rows_of(day)[:39])
        SmallDesk(done, day, journal).run(rows_of(day)[39:])
        session = journaled(journal, desk.session_id)
    assert not session.fills
    assert session.answers[session.suggestions[0].id][0].outcome == "sent"
    report = drift_of(day, session, done.policy, QUICK)
    assert report.is_green, report.text()
    assert not drift_of(day, replace(session, restarts=()), done.policy, QUICK).is_green


def test_bars_the_desk_missed_are_left_out_of_both(tmp_path: Path) -> None:
    day, done, missed = day_of(), plot(*TRADED), range(150, 200)
    with journal_in(tmp_path) as journal:
        desk = SmallDesk(done, day, journal).run(rows_of(day, *missed))
        session = journaled(journal, desk.session_id)
    report = drift_of(day, session, done.policy, QUICK)
    assert report.is_green and report.bars == 341, report.text()
    assert "50 recorded rows never reached the desk" in report.text()


def test_a_bar_that_nobody_recorded_is_found(traded: Any) -> None:
    day, done, session = traded
    hole = replace(
        day,
        recorded=day.recorded - 1,
        **{
            name: np.delete(getattr(day, name), 20, axis=0)
            for name in (
                *("ts", "spot", "underlying_bid", "underlying_ask"),
                *("bid", "ask", "bid_size", "ask_size"),
            )
        },
    )
    report = drift_of(hole, session, done.policy, QUICK)
    assert [(one.kind, one.what) for one in report.drift] == [(Kind.BAR, "the bar")]


def real(past: Any, cents: int, seconds: float) -> Any:
    """An execution of a real broker: so many cents better than simulated, and between bars."""
    fill = past.fill
    better = fill.price - cents / 100 * fill.side
    return replace(past, fill=replace(fill, price=better, ts=fill.ts + int(seconds * 1e9)))


def executed(session: JournaledSession, again: Any) -> JournaledSession:
    """The journal that a desk with these executions would have written."""
    return replace(session, bars=again.bars, real_broker=True)


@given(cents=some.lists(some.integers(-5, 5), min_size=4, max_size=4))
@settings(max_examples=4, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_real_brokers_fills_are_taken_as_they_were(traded: Any, cents: list[int]) -> None:
    day, done, session = traded
    pairs = zip(session.fills, cents, strict=True)
    fills = [real(past, each, 20.0) for past, each in pairs]
    theirs = replace(session, fills=fills, real_broker=True)
    again = replay(day, theirs, done.policy, QUICK)
    assert [one.fill for one in again.fills] == [one.fill for one in fills]
    report = drift_of(day, executed(theirs, again), done.policy, QUICK)
    assert report.is_green and report.dollars == 0, report.text()
    better = sum(past.fill.quantity * each for past, each in zip(fills, cents, strict=True))
    assert report.execution_dollars == pytest.approx(better)


def test_drift_is_found_behind_a_real_brokers_fills(traded: Any) -> None:
    day, done, session = traded
    theirs = replace(session, fills=[real(one, 1, 20.0) for one in session.fills], real_broker=True)
    known = executed(theirs, replay(day, theirs, done.policy, QUICK))
    bars = known.bars.copy()
    bars.loc[300, "feature_position_pnl"] += 0.001
    bars.loc[200, "action"] = 0 if bars.loc[200, "action"] else 1
    report = drift_of(day, replace(known, bars=bars), done.policy, QUICK)
    assert not report.is_green and report.drift[0].ts == int(bars["ts"][200])


def test_a_native_stop_is_an_exit_of_its_own(traded: Any) -> None:
    day, done, session = traded
    entry, stop = session.fills[0], session.fills[3]
    contract = entry.fill.contract
    fill = replace(
        stop.fill, contract=contract, quantity=entry.fill.quantity, ts=at(SESSION, 39) + 7
    )
    stopped = replace(stop, fill=fill, exit_reason=ExitReason.STOP_LOSS)
    theirs = replace(session, fills=[entry, stopped], real_broker=True)
    again = replay(day, theirs, done.policy, QUICK)
    assert [one.exit_reason for one in again.fills][:2] == [None, ExitReason.STOP_LOSS]
    assert again.fills[1].fill == fill


@pytest.mark.parametrize("in_time", [0, 1])
def test_a_cancelled_entry_that_was_filled_all_the_same_is_no_drift(
    traded: Any, in_time: int
) -> None:
    """At 10:35 the second entry is cancelled as unfilled; the broker's cancel came too late.

    So many contracts were executed before, one after it, the rest never.
    """
    day, done, session = traded
    entry, leave = session.fills[2:]
    assert entry.fill.quantity > in_time + 1, "something is left to cancel"
    one = replace(entry.fill, quantity=1)
    lots = [replace(one, ts=at(SESSION, 66) + 5, execution_id="late")]
    lots += [replace(one, ts=at(SESSION, 62) + 5, execution_id="early")] * in_time
    entries = [replace(entry, fill=lot) for lot in sorted(lots, key=lambda lot: lot.ts)]
    leave = replace(leave, fill=replace(leave.fill, quantity=len(lots)))
    theirs = replace(session, fills=[*session.fills[:2], *entries, leave], real_broker=True)
    again = replay(day, theirs, done.policy, QUICK)
    assert [past.fill for past in again.fills] == [past.fill for past in theirs.fills]
    held = again.bars.set_index("ts")["feature_has_position"]
    assert held[at(SESSION, 66)] == bool(in_time) and held[at(SESSION, 67)] == 1.0
    report = drift_of(day, executed(theirs, again), done.policy, QUICK)
    assert report.is_green and not report.drift, report.text()


@pytest.mark.parametrize("is_stranger", [True, False])
def test_an_execution_that_no_order_asked_for_is_drift(traded: Any, is_stranger: bool) -> None:
    day, done, session = traded
    theirs = replace(session, real_broker=True)
    known = executed(theirs, replay(day, theirs, done.policy, QUICK))
    entry = session.fills[0]
    if is_stranger:
        other = replace(session.suggestions[0], id="other")
        fills = [*session.fills, replace(entry, suggestion=other)]
    else:
        fills = [replace(entry, fill=replace(entry.fill, quantity=100)), *session.fills[1:]]
    report = drift_of(day, replace(known, fills=fills), done.policy, QUICK)
    assert report.drift[0].kind is Kind.FILL and report.drift[0].replayed == "nothing"


def test_a_close_known_later_is_explained(tmp_path: Path) -> None:
    held = QUICK.model_copy(
        update={"rules": QUICK.rules.model_copy(update={"hold_to_expiry": True})}
    )
    done = Plot(Scripted(wishes((7, 2))), held, [(between(36), "y")])
    day = day_of(5)
    session = lived(done, day, tmp_path)
    assert session.fills[-1].exit_reason is ExitReason.SETTLEMENT
    assert drift_of(day, session, done.policy, held).is_green
    strike = session.fills[0].fill.contract.strike
    later = replace(day, official_close=strike - 3.0)
    report = drift_of(later, session, done.policy, held)
    assert report.is_green and report.dollars == 0
    assert Cause.CLOSE in {one.cause for one in report.differences}


def test_a_time_exit_is_carried_out_where_exits_are_asked(tmp_path: Path) -> None:
    asks = Settings(**(QUICK.model_dump() | {"live": {"exits": "ask"}}))
    done = Plot(Scripted(wishes((7, 2))), asks, [(between(36), "y")])
    day = day_of()
    session = lived(done, day, tmp_path)
    assert [one.exit_reason for one in session.suggestions] == [None]
    assert session.fills[-1].exit_reason is ExitReason.TIME_EXIT
    report = drift_of(day, session, done.policy, asks)
    assert report.is_green, report.text()
