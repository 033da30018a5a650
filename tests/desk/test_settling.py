"""Positions that outlive their session at IB: settled once, at the official close, and labelled."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from journals import DAY, MINUTE, OPEN, PUT_628, SUGGESTION, at, shown
from market import market

from brokers.ib.records import AccountFigures, Books, ExecutionSeen, HeldPosition
from brokers.journal.journal import Journal
from brokers.journal.reader import JournalReader
from brokers.journal.session import SessionFacts
from brokers.journal.settlements import SETTLEMENT
from desk.markets.recording import SafeRecording
from desk.settled_records import late_records, settled_result
from desk.settling import (
    UNCONFIRMED,
    _settlement,
    fill_of,
    left_open,
    settle_earlier,
    settle_today,
    shares,
)
from errors import InternalError
from feeds.contract import Contract, Right
from feeds.sessions import session_on
from feeds.underlying import OfficialClose
from reports.result import BacktestResult, DecisionTable, EquityTable, ExposureTable
from settings import SIMULATED, Settings
from strategies.position_tracker import PositionTracker
from strategies.recorder import RunRecorder
from vocabulary import ExitReason, JournalRecord

ACCOUNT, NEXT = "DU1234567", date(2026, 11, 2)
CLOSE = session_on(DAY).close_ns
SETTINGS = Settings(broker="ib")


def recorded(folder: Path, close: float | None) -> None:
    """The session's recording in the run's folder."""
    day = market(strikes=range(620, 640)).day()
    made = SafeRecording(folder / "recorded", day.session, 60, SIMULATED, 15.0)
    for t in range(day.recorded):
        made.add(replace(day.row(t), recorded=1))
    made.finish(OfficialClose(close, "end-of-day" if close is not None else ""))
    assert made.problem == ""


def opened(folder: Path, day: date = DAY) -> Journal:
    """A journal with an open paper session of that day."""
    run = folder / f"run_{day}"
    run.mkdir(parents=True, exist_ok=True)
    journal = Journal(folder / "journal.db", durable=False)
    journal.open_session(
        SessionFacts(
            "paper",
            day,
            ACCOUNT,
            "theta",
            model="bundled",
            run_folder=str(run),
            settings=SETTINGS.model_dump(mode="json"),
        )
    )
    return journal


def sold(journal: Journal, quantity: int = 1, contract: Contract = PUT_628) -> None:
    """An entry that was filled at 2.40."""
    one = replace(SUGGESTION, contract=contract, quantity=quantity)
    journal.write(shown(one))
    ref = journal.intend(
        OPEN,
        purpose="entry",
        contract=contract,
        side=-1,
        quantity=quantity,
        limit=2.4,
        suggestion=one,
        account=ACCOUNT,
    )
    journal.executed(
        at(5),
        execution_id="e1",
        order_ref=ref,
        side=-1,
        quantity=quantity,
        price=2.4,
        commission=1.05,
    )
    bar = {"cash": 80_000 + 240.0 * quantity - 1.05, "position_value": -230.0, "spot": 628.0}
    journal.write(JournalRecord("bars", CLOSE, bar))


def books(*positions: tuple[Contract | None, float]) -> Books:
    held = [
        HeldPosition(ACCOUNT, one, "SPY", "STK" if one is None else "OPT", number, 0.0)
        for one, number in positions
    ]
    figures = AccountFigures(1e5, 1e5, 1e5, 1e5)
    return Books(ACCOUNT, (), (), (), (), tuple(held), figures)


def left_behind(folder: Path, close: float | None, quantity: int = 1) -> Journal:
    """Friday's desk died with a short put; Monday's journal is open."""
    with opened(folder) as journal:
        recorded(folder / f"run_{DAY}", close)
        sold(journal, quantity)
    return opened(folder, NEXT)


def earlier(journal: Journal, *positions: tuple[Contract | None, float]) -> list[str]:
    return list(settle_earlier(journal, ACCOUNT, books(*positions), NEXT))


def settlements(journal: Journal) -> list[dict[str, Any]]:
    with JournalReader(journal.path) as reader:
        return reader.rows("intents", exit_reason="settlement")


def fills(journal: Journal, number: int = 0) -> Sequence[Any]:
    with JournalReader(journal.path) as reader:
        return reader.fills(reader.rows("sessions")[number]["id"])


@given(
    close=some.integers(60_000, 65_000).map(lambda cents: cents / 100),
    right=some.sampled_from(list(Right)),
    held=some.integers(-3, 3).filter(bool),
)
def test_the_shares_are_worth_what_the_option_was(close: float, right: Right, held: int) -> None:
    contract = replace(PUT_628, right=right)
    made = shares(contract, held, close)
    value = held * contract.multiplier * contract.intrinsic(close)
    assert made * (close - contract.strike) == pytest.approx(value)
    assert abs(made) in (0, 100 * abs(held))


def test_a_position_in_the_money_becomes_shares_in_the_books_of_its_own_session(
    tmp_path: Path,
) -> None:
    with left_behind(tmp_path, 626.5, quantity=2) as journal:
        (told,) = earlier(journal, (None, 200.0))
        assert "short 2 SPY" in told and "assigned (+200 shares)" in told
        assert "closed in the books at 1.50 by the desk, IB reported no execution" in told
        assert "holds +200 SPY shares, as it should" in told
        _, settled = fills(journal)
        assert (settled.fill.side, settled.fill.quantity, settled.fill.price) == (1, 2, 1.5)
        assert settled.exit_reason is ExitReason.SETTLEMENT and settled.fill.fee == 0.0
        assert settled.fill.ts == CLOSE + 15 * MINUTE
        assert not fills(journal, 1), "Monday's books have nothing of it"
        (intent,) = settlements(journal)
        grounds = intent["payload"][SETTLEMENT]
        assert grounds["shares"] == 200 and "IB reported no execution" in grounds["booked_by"]
        assert earlier(journal, (None, 200.0)) == [], "it is settled once"
        assert journal.memory().fills == ()
    trades = (tmp_path / f"run_{DAY}" / "trades.csv").read_text().splitlines()
    assert len(trades) == 2 and ",settlement," in trades[1] and ",626.5," in trades[1]


@pytest.mark.parametrize(
    ("close", "positions", "words"),
    [
        (628.5, (), "expired worthless at the official close 628.50"),
        (628.5, ((None, 100.0),), "holds +100 SPY shares, +0 were expected: compare"),
        (626.5, (), "holds +0 SPY shares, +100 were expected: compare"),
    ],
)
def test_what_ib_shows_is_held_against_what_was_booked(
    close: float, positions: Any, words: str, tmp_path: Path
) -> None:
    with left_behind(tmp_path, close) as journal:
        (told,) = earlier(journal, *positions)
    assert words in told


def test_nothing_is_settled_that_ib_still_lists_or_whose_close_nobody_knows(
    tmp_path: Path,
) -> None:
    with left_behind(tmp_path / "a", 626.5) as journal:
        (told,) = earlier(journal, (PUT_628, -1.0))
        assert "not settled: IB still lists -1" in told and len(fills(journal)) == 1
    with left_behind(tmp_path / "b", None) as journal:
        (told,) = earlier(journal, (None, 100.0))
        assert "not settled: no official close" in told and len(fills(journal)) == 1
    assert not (tmp_path / "b" / f"run_{DAY}" / "trades.csv").exists()


def test_a_contract_of_today_and_a_simulated_account_are_left_alone(tmp_path: Path) -> None:
    with opened(tmp_path) as journal:
        recorded(tmp_path / f"run_{DAY}", 626.5)
        sold(journal)
        assert list(settle_earlier(journal, ACCOUNT, books(), DAY)) == []
        assert list(settle_earlier(journal, "DU7654321", books(), NEXT)) == []


def living() -> Any:
    """What is asked of a strategy whose short put is open."""
    tracker, recorder = PositionTracker("bundled"), RunRecorder(3)
    recorder.equity(CLOSE, 80_238.95, -230.0)
    return SimpleNamespace(tracker=tracker, recorder=recorder)


def test_the_session_s_own_end_books_it_and_the_next_start_confirms(tmp_path: Path) -> None:
    strategy = living()
    with opened(tmp_path) as journal:
        recorded(tmp_path / f"run_{DAY}", 626.5)
        sold(journal)
        for past in journal.memory().fills:
            assert past.suggestion is not None
            strategy.tracker.entry_filled(past.fill, past.suggestion)
        (told,) = settle_today(journal, ACCOUNT, books((PUT_628, -1.0)), strategy)
        assert UNCONFIRMED in told and "assigned (+100 shares)" in told
        assert list(settle_today(journal, ACCOUNT, books((PUT_628, -1.0)), strategy)) == []
        journal.end_session()
    (trip,) = strategy.tracker.round_trips
    assert trip.exit_reason is ExitReason.SETTLEMENT and trip.exit_price == 1.5
    assert trip.net_pnl == pytest.approx(100 * (2.4 - 1.5) - 1.05)
    assert strategy.recorder.cash[-1] == pytest.approx(80_238.95 - 150.0)
    assert strategy.recorder.position_value[-1] == 0.0
    with opened(tmp_path, NEXT) as journal:
        assert earlier(journal, (PUT_628, -1.0)) == [], "IB has not worked it off yet"
        (told,) = earlier(journal, (None, 100.0))
        assert "as it should" in told
        assert earlier(journal, (None, 100.0)) == []
        assert len(settlements(journal)) == 1


BY_HAND = ExecutionSeen("x9", 1, "", 0, 5, ACCOUNT, PUT_628, "", 1, 1, 0.9, CLOSE)


@pytest.mark.parametrize(
    ("known", "words"),
    [
        (None, "books are not known"),
        (replace(books(), executions=(BY_HAND,)), "somebody traded it, IB holds +0"),
        (books((PUT_628, -2.0)), "IB holds -2"),
    ],
)
def test_the_end_books_nothing_that_ib_does_not_hold(
    known: Books | None, words: str, tmp_path: Path
) -> None:
    """Somebody closed it by hand after the close, or the line is down: nobody knows its price."""
    with opened(tmp_path) as journal:
        recorded(tmp_path / f"run_{DAY}", 626.5)
        sold(journal)
        (told,) = settle_today(journal, ACCOUNT, known, living())
        assert words in told and "is not settled" in told
        assert len(fills(journal)) == 1 and not settlements(journal)


def test_an_option_that_ib_took_off_its_list_by_the_end_is_settled_and_compared(
    tmp_path: Path,
) -> None:
    ours = replace(BY_HAND, execution_id="e1", side=-1)
    with opened(tmp_path) as journal:
        recorded(tmp_path / f"run_{DAY}", 628.5)
        sold(journal)
        gone = replace(books(), executions=(ours,))
        (told,) = settle_today(journal, ACCOUNT, gone, living())
        assert "expired worthless" in told and "as it should" in told


def test_a_session_that_was_over_gets_its_day_its_outcome_and_its_files(tmp_path: Path) -> None:
    with opened(tmp_path) as journal:
        recorded(tmp_path / f"run_{DAY}", 626.5)
        sold(journal)
        journal.write(
            JournalRecord("days", CLOSE, {"session_date": DAY, "mode": "paper", "trades": 0}),
            JournalRecord("outcomes", CLOSE, {"suggestion_id": SUGGESTION.id, "shadow_pnl": 7.0}),
        )
        journal.end_session()
    with opened(tmp_path, NEXT) as journal:
        earlier(journal, (None, 100.0))
        with JournalReader(journal.path) as reader:
            (day,), (outcome,) = reader.rows("days"), reader.rows("outcomes")
    pnl = 100 * (2.4 - 1.5) - 1.05
    assert day["realised_pnl"] == pytest.approx(pnl) and day["trades"] == 1
    assert day["closing_equity"] == pytest.approx(80_000 + pnl)
    assert outcome["pnl"] == pytest.approx(pnl) and outcome["exit_reason"] == "settlement"
    assert outcome["shadow_pnl"] == 7.0, "what was known stays"


def test_a_settlement_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    with left_behind(tmp_path, 626.5) as journal:
        (told,) = earlier(journal)
        (one,) = settlements(journal)
        assert told and one["quantity"] == 1
    with left_behind(tmp_path / "b", 626.5) as journal:
        with JournalReader(journal.path) as reader:
            (left,) = left_open(reader, ACCOUNT, DAY)
        settlement = _settlement(left, ACCOUNT, "")
        assert settlement is not None
        with pytest.raises(InternalError):
            journal.settle(left.session_id, settlement, JournalRecord("nothing", 1, {}))
        assert len(fills(journal)) == 1 and not settlements(journal)
        assert np.isfinite(settlement.price)


def test_a_finished_run_gets_the_trade_and_the_money_once(tmp_path: Path) -> None:
    """A process that died between files and journal does both again."""
    with left_behind(tmp_path, 626.5) as journal, JournalReader(journal.path) as reader:
        (left,) = left_open(reader, ACCOUNT, DAY)
        settlement = _settlement(left, ACCOUNT, "")
        assert settlement is not None
        _, trips = late_records(reader, left.facts, fill_of(settlement, ""))
    before = BacktestResult(
        model="bundled",
        data_label="recorded",
        starting_cash=80_000.0,
        sessions=[],
        skipped=[],
        trades=[],
        decisions=DecisionTable(*(np.empty(0) for _ in range(6))),  # type: ignore[arg-type]
        equity=EquityTable(np.array([CLOSE]), np.array([80_238.95]), np.array([-230.0])),
        exposure=ExposureTable.empty(),
        in_sample_dates=frozenset(),
        notes=[],
    )
    once = settled_result(before, trips, settlement)
    again = settled_result(once, trips, settlement)
    for result in (once, again):
        assert [trade.exit_price for trade in result.trades] == [1.5]
        assert result.equity.equity.tolist() == [80_008.95, pytest.approx(80_088.95)]
