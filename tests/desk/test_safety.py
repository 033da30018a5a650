"""Latches, the kill switch, guards and late alarms: they refuse entries, say why, and are kept."""

import os
import signal
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings as tries
from hypothesis import strategies as some
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from market import CALL, HALF_DAY, PUT, SESSION, at, contract, market, rules

from brokers.journal.journal import Journal
from brokers.journal.session import SessionFacts
from desk.safety import KillSwitch, Latch, Latches
from desk.safety_expiry import ExpiryAlarms
from desk.safety_guards import ClockGuard, StaleGuard
from errors import JournalError
from feeds.contract import Right
from feeds.sessions import NEW_YORK, Session
from feeds.snapshot import ChainSnapshot
from settings import Settings
from vocabulary import Command, DeskMemory, JournalRecord, LiveQuote, Position


@dataclass
class Hands:
    """A clock whose three times are set by hand."""

    ts: int = at(SESSION, 60)
    wall: float = 1_000_000.0
    steady: float = 50.0
    said: list[str] = field(default_factory=list)

    def market_now(self) -> int:
        return self.ts

    def wall_now(self) -> datetime:
        return datetime.fromtimestamp(self.wall, NEW_YORK)

    def monotonic(self) -> float:
        return self.steady

    def pass_(self, seconds: float) -> None:
        self.ts += round(seconds * 1e9)
        self.wall += seconds
        self.steady += seconds


# --- latches -------------------------------------------------------------------------------------


def test_a_latch_says_why_and_what_lifts_it() -> None:
    latches = Latches()
    assert latches.halted == ""
    latches.set(Latch.PAUSED, "paused at the terminal", "terminal")
    latches.set(Latch.DAILY_LOSS, "the daily loss limit was reached")
    assert latches.halted == (
        "the daily loss limit was reached (type: resume daily loss); "
        "paused at the terminal (type: resume)"
    )
    assert latches.lift(Latch.PAUSED) and not latches.lift(Latch.PAUSED)
    assert not latches.set(Latch.DAILY_LOSS, "again")
    held = latches.held(Latch.DAILY_LOSS)
    assert held is not None and held.reason == "the daily loss limit was reached"


@pytest.fixture
def journal(tmp_path: Path) -> Any:
    made = Journal(tmp_path / "journal.db", durable=False)
    made.open_session(SessionFacts("paper", SESSION.date))
    yield made
    made.close()


class Remembered(RuleBasedStateMachine):
    """Whatever is set and lifted, a desk started again from the journal has the same latches."""

    latch = some.sampled_from([Latch.PAUSED, Latch.KILLED, Latch.DAILY_LOSS])

    def __init__(self) -> None:
        super().__init__()
        self.written: list[JournalRecord] = []
        self.latches = Latches(self.written.append, lambda: 7)
        self.model: set[Latch] = set()

    @rule(latch=latch)
    def set(self, latch: Latch) -> None:
        assert self.latches.set(latch, "why") is (latch not in self.model)
        self.model.add(latch)

    @rule(latch=latch)
    def lift(self, latch: Latch) -> None:
        assert self.latches.lift(latch) is (latch in self.model)
        self.model.discard(latch)

    @invariant()
    def the_halt_names_each(self) -> None:
        assert {one for one in Latch if self.latches.is_set(one)} == self.model
        assert bool(self.latches.halted) is bool(self.model)
        assert self.latches.halted.count("type: resume") == len(self.model)


TestRemembered = Remembered.TestCase
TestRemembered.settings = tries(max_examples=30, stateful_step_count=20)


def test_latches_outlive_the_process_in_the_journal(journal: Journal) -> None:
    latches = Latches(journal.write, lambda: at(SESSION, 60))
    latches.set(Latch.KILLED, "killed by the key K", "terminal")
    latches.set(Latch.PAUSED, "paused at the terminal")
    latches.set(Latch.DAILY_LOSS, "the daily loss limit was reached", equity=78_000.0)
    latches.lift(Latch.PAUSED, "terminal")
    again = Latches()
    again.restore(journal.memory())
    assert again.is_set(Latch.KILLED) and again.is_set(Latch.DAILY_LOSS)
    assert not again.is_set(Latch.PAUSED)
    assert "killed before the desk was started again (type: resume kill)" in again.halted
    latches.lift(Latch.KILLED)
    latches.lift(Latch.DAILY_LOSS, opening=78_000.0, peak=78_000.0)
    again = Latches()
    again.restore(journal.memory())
    assert again.halted == ""


def test_a_fresh_session_has_no_latch() -> None:
    latches = Latches()
    latches.restore(DeskMemory())
    assert latches.halted == ""


def test_a_journal_that_fails_leaves_the_latch_set() -> None:
    def broken(record: JournalRecord) -> None:
        raise JournalError("the disk is full")

    latches = Latches(broken)
    with pytest.raises(JournalError):
        latches.set(Latch.KILLED, "killed")
    assert latches.is_set(Latch.KILLED)
    with pytest.raises(JournalError):
        latches.lift(Latch.KILLED)
    assert latches.is_set(Latch.KILLED)


# --- the kill switch -----------------------------------------------------------------------------


def test_the_kill_file_kills_once_and_holds_the_desk_while_it_is_there(tmp_path: Path) -> None:
    file, hands = tmp_path / "KILL", Hands()
    switch = KillSwitch(file, hands.monotonic)
    assert switch.poll() is None
    file.touch()
    assert switch.poll() is None  # it looks ten times a second at most
    hands.pass_(0.11)
    told = switch.poll()
    assert told is not None and told.command is Command.KILL and str(file) in told.text
    assert "remove it first" in switch.halted
    hands.pass_(0.11)
    assert switch.poll() is None and switch.halted
    file.unlink()
    hands.pass_(0.11)
    assert switch.poll() is None and switch.halted == ""
    file.touch()
    hands.pass_(0.11)
    assert switch.poll() is not None


def test_a_kill_file_that_was_there_at_the_start_counts(tmp_path: Path) -> None:
    (tmp_path / "KILL").touch()
    assert KillSwitch(tmp_path / "KILL", Hands().monotonic).poll() is not None


def test_the_signal_kills_and_wakes_the_desk(tmp_path: Path) -> None:
    woken: list[bool] = []
    switch = KillSwitch(tmp_path / "KILL", Hands().monotonic)
    former = signal.getsignal(signal.SIGUSR1)
    switch.arm(lambda: woken.append(True))
    try:
        os.kill(os.getpid(), signal.SIGUSR1)
        told = switch.poll()
        assert told is not None and (told.command, told.channel) == (Command.KILL, "signal")
        assert woken == [True] and switch.poll() is None
    finally:
        switch.disarm()
    assert signal.getsignal(signal.SIGUSR1) is former


# --- stale data ----------------------------------------------------------------------------------


def bar(minute: int = 60, quoted: bool = True) -> ChainSnapshot:
    made = market()
    if not quoted:
        made.bid[minute] = made.ask[minute] = np.nan
    return ChainSnapshot(made.day(), minute)


def quote(age: float) -> LiveQuote:
    return LiveQuote(contract(), at(SESSION, 60), 1.0, 1.02, 1, 1, 628.2, age)


def test_fresh_data_halts_nothing() -> None:
    guard = StaleGuard(Settings(), Hands())
    assert guard.halted(bar(), quote(5.0)) == guard.halted(bar()) == ""


def test_each_kind_of_stale_data_is_named_with_its_age() -> None:
    hands = Hands()
    guard = StaleGuard(Settings(), hands)
    assert guard.halted(None) == "no market data has arrived yet"
    assert guard.halted(bar(), quote(7.25)) == "quotes are 7.2 s old, 5 s are allowed"
    assert guard.halted(bar(quoted=False)) == "the last bar has no quotes"
    hands.pass_(119)
    assert guard.halted(bar()) == ""
    hands.pass_(2)
    assert guard.halted(bar()) == "the last bar is 2 minutes old, 120 s are allowed"


def test_a_lost_feed_halts_until_it_is_back() -> None:
    hands = Hands()
    guard = StaleGuard(Settings(), hands)
    guard.lost()
    hands.pass_(30)
    guard.lost()
    assert guard.halted(bar()) == "market data has been gone for 30 s"
    guard.found()
    assert guard.halted(bar()) == ""


def test_after_the_close_no_bar_is_missing() -> None:
    hands = Hands(ts=SESSION.close_ns + 10**12)
    made = market(np.append(np.arange(390.0), 390.0))
    assert StaleGuard(Settings(), hands).halted(ChainSnapshot(made.day(), 390)) == ""


def test_a_busy_machine_in_accelerated_time_is_not_silence() -> None:
    hands = Hands()
    guard = StaleGuard(Settings(), hands, is_accelerated=True)
    assert guard.halted(bar()) == ""
    hands.ts += round(200e9)
    hands.steady += 3
    assert guard.halted(bar()) == ""
    hands.steady += 3
    assert "the last bar is" in guard.halted(bar())


# --- clocks --------------------------------------------------------------------------------------


@pytest.mark.parametrize("jump", [-3600.0, -3.0, 3.0, 28_800.0])
def test_a_clock_that_jumps_is_said_and_entries_rest(jump: float) -> None:
    hands = Hands()
    guard = ClockGuard(hands, is_simulated=True, rest_seconds=60, say=hands.said.append)
    hands.pass_(100)
    assert guard.halted() == ""
    hands.wall += jump
    assert f"jumped by {jump:+.0f} s" in guard.halted() and len(hands.said) == 1
    hands.pass_(59)
    assert guard.halted() and len(hands.said) == 1
    hands.pass_(2)
    assert guard.halted() == ""


def test_a_real_market_must_agree_with_the_wall() -> None:
    hands = Hands(wall=at(SESSION, 60) / 1e9)
    guard = ClockGuard(hands, is_simulated=False)
    assert guard.halted() == ""
    hands.ts += round(2.5e9)
    assert "+2.5 s off the wall clock" in guard.halted()
    assert ClockGuard(hands, is_simulated=True).halted() == ""


# --- late in the day -----------------------------------------------------------------------------


def position(right: Right = PUT, strike: float = 628, side: int = -1) -> Position:
    return Position(contract(right, strike), side, 2, 1.0, 0, 0, 0.2, 3.0)


def hear(
    minutes: list[float],
    held: Position | None = None,
    spot: float = 640.0,
    session: Session = SESSION,
    settings: Settings | None = None,
) -> list[tuple[float, str]]:
    alarms = ExpiryAlarms(session, settings or Settings())
    held = held if held is not None else position()
    return [(m, words) for m in minutes for words in alarms.look(at(session, m), held, spot)]


def test_an_expiring_position_is_named_before_its_time_exit_and_every_minute_after() -> None:
    heard = hear([300.0, 359.0, 360.5, 365.0, 370.5, 374.5, 374.9, 375.5, 376.0, 377.0])
    assert [minute for minute, _ in heard] == [360.5, 370.5, 374.5, 376.0, 377.0]
    assert "short 2 SPY 628 PUT will be closed at 15:45 New York" in heard[0][1]
    assert (
        heard[-1][1] == "short 2 SPY 628 PUT is still open, its time exit was due at 15:45 New York"
    )


def test_a_half_day_has_its_own_alarms() -> None:
    heard = hear([179.0, 181.0, 196.0], session=HALF_DAY)
    assert [minute for minute, _ in heard] == [181.0, 196.0]
    assert "12:45" in heard[0][1]


@pytest.mark.parametrize(
    ("held", "spot", "words"),
    [
        (
            position(),
            627.9,
            "in the money (SPY 627.90): open at the close it may become +200",
        ),
        (position(CALL), 628.1, "in the money (SPY 628.10): open at the close it may become -200"),
        (position(), 629.8, "within 0.3 % of its strike"),
        (position(), 630.2, ""),
        (position(side=+1), 620.0, ""),
    ],
)
def test_a_short_near_its_strike_in_the_last_hour_may_be_assigned(
    held: Position, spot: float, words: str
) -> None:
    heard = hear([329.0, 331.0, 332.0], held, spot)
    assert [minute for minute, _ in heard] == ([331.0] if words else [])
    assert not words or words in heard[0][1]


def test_a_position_after_the_close_is_shouted_every_minute() -> None:
    heard = hear([390.0, 390.2, 391.0, 405.0])
    assert [minute for minute, _ in heard] == [390.0, 391.0, 405.0]
    assert "STILL" not in heard[0][1] and "trades for 15 minutes" in heard[0][1]
    assert "WAS NOT CLOSED" in heard[2][1]


def test_holding_to_expiry_is_no_alarm_and_being_flat_never_is() -> None:
    assert hear([370.0, 380.0], settings=rules(hold_to_expiry=True)) == []
    alarms = ExpiryAlarms(SESSION, Settings())
    assert alarms.look(SESSION.close_ns, None, 628.0) == []
