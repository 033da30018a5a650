"""What a restarted desk remembers is what a plain account of the session says."""

import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from journals import (
    FACTS,
    PUT_628,
    answered,
    at,
    bar,
    fill,
    open_journal,
    shown,
    suggestion,
)

from brokers.journal.events import Event
from brokers.journal.journal import Journal
from brokers.journal.reader import JournalReader
from vocabulary import Answer, DeskMemory, ExitReason, JournalRecord, Suggestion

STRICT = replace(FACTS, settings={"rules": {"waits": "strict", "decision_minutes": 10.0}})


def event(minute: float, name: Event, **detail: Any) -> JournalRecord:
    return JournalRecord("session_events", at(minute), {"event": name, "detail": detail})


def memory_after(path: Path, *records: JournalRecord, facts: Any = FACTS) -> DeskMemory:
    with open_journal(path, facts) as journal:
        journal.write(*records)
        return journal.memory()


def test_an_empty_session_remembers_nothing(tmp_path: Path) -> None:
    assert memory_after(tmp_path / "j.db") == DeskMemory()


A, B, C = suggestion("a", 30), suggestion("b", 60), suggestion("c", 90)


@pytest.mark.parametrize(
    ("records", "answered_at", "skipped_at"),
    [
        ([shown(A), answered(A, Answer.YES, "sent")], 30, None),
        ([shown(A), answered(A, Answer.YES, "drifted 4 ticks")], None, None),
        ([shown(A), answered(A, Answer.YES)], None, None),
        ([shown(A), answered(A, Answer.NO, "not sent")], 30, None),
        ([shown(A), answered(A, Answer.NO)], 30, None),
        ([shown(A), answered(A, Answer.SKIP), shown(B), answered(B, Answer.TIMEOUT)], None, 60),
        ([shown(A), answered(A, Answer.WITHDRAWN)], None, None),
        ([shown(A)], None, None),
        ([shown(A), answered(A, Answer.WITHDRAWN), answered(A, Answer.NO)], 30, None),
        ([shown(replace(A, exit_reason=ExitReason.STOP_LOSS)), answered(A, Answer.NO)], None, None),
    ],
)
def test_waits_follow_the_rule(
    tmp_path: Path, records: list[Any], answered_at: float | None, skipped_at: float | None
) -> None:
    memory = memory_after(tmp_path / "j.db", *records)
    assert memory.answered_ts == (None if answered_at is None else at(answered_at))
    assert memory.skipped_ts == (None if skipped_at is None else at(skipped_at))


def test_a_yes_whose_intent_was_written_before_the_crash_was_sent(tmp_path: Path) -> None:
    with open_journal(tmp_path / "j.db") as journal:
        journal.write(shown(A), answered(A, Answer.YES))
        journal.intend(at(31), purpose="entry", contract=PUT_628, side=-1, quantity=1, suggestion=A)
        assert journal.memory().answered_ts == at(30)


def test_under_strict_waits_every_question_that_was_shown_counts(tmp_path: Path) -> None:
    records = [shown(A), answered(A, Answer.WITHDRAWN), shown(B)]
    assert memory_after(tmp_path / "j.db", *records, facts=STRICT).answered_ts == at(60)


def test_the_last_decision_is_the_last_bar_with_an_action(tmp_path: Path) -> None:
    bars = [bar(29), bar(30, action=0), bar(31), bar(47.5, action=2), bar(48)]
    memory = memory_after(tmp_path / "j.db", *bars)
    assert (memory.slot, memory.decided_ts, memory.last_ts) == (9, at(47.5), at(48))
    memory = memory_after(tmp_path / "k.db", *bars, facts=STRICT)
    assert memory.slot == 4


def test_opening_and_peak_are_those_of_the_bars(tmp_path: Path) -> None:
    bars = [bar(0, 80_000.0), bar(1, 80_240.0, -240.0), bar(2, 80_240.0, -100.1), bar(3, 79_900.0)]
    memory = memory_after(tmp_path / "j.db", *bars)
    assert (memory.opening, memory.peak) == (80_000.0, 80_240.0 - 100.1)


def test_a_resumed_daily_loss_counts_from_its_own_figures(tmp_path: Path) -> None:
    records = [
        bar(0, 80_000.0),
        bar(1, 78_000.0),
        event(1, Event.DAILY_LOSS),
        event(2, Event.DAILY_LOSS_RESUMED, opening=78_000.0, peak=78_000.0),
        bar(3, 78_100.0),
    ]
    memory = memory_after(tmp_path / "j.db", *records)
    assert (memory.opening, memory.peak, memory.daily_loss) == (78_000.0, 78_100.0, False)


def test_a_stop_that_was_drawn_in_lives_as_long_as_its_position(tmp_path: Path) -> None:
    with open_journal(tmp_path / "j.db") as journal:

        def order(purpose: str, side: int) -> str:
            return journal.intend(at(0), purpose=purpose, contract=PUT_628, side=side, quantity=1)

        fill(journal, order("entry", -1), 30, "e1")
        journal.write(event(31, Event.STOP_TIGHTENED, price=5.0))
        journal.write(event(32, Event.STOP_TIGHTENED, price=4.5))
        assert journal.memory().stop_price == 4.5
        fill(journal, order("exit", 1), 33, "e2", side=1)
        assert journal.memory().stop_price is None
        fill(journal, order("entry", -1), 200, "e3")
        assert journal.memory().stop_price is None
        journal.write(event(199, Event.STOP_TIGHTENED, price=3.0))  # the last bar's time
        assert journal.memory().stop_price == 3.0


LATCHED = [
    (Event.DAILY_LOSS, Event.DAILY_LOSS_RESUMED, "daily_loss"),
    (Event.PAUSED, Event.RESUMED, "paused"),
    (Event.KILLED, Event.KILL_RESUMED, "killed"),
]


@pytest.mark.parametrize(("closing", "lifting", "name"), LATCHED)
def test_a_latch_holds_until_its_own_word(
    tmp_path: Path, closing: Event, lifting: Event, name: str
) -> None:
    others = [lifted for _, lifted, other in LATCHED if other != name]
    with open_journal(tmp_path / "j.db") as journal:
        journal.write(event(1, closing), *(event(2, other) for other in others))
        assert getattr(journal.memory(), name)
        journal.write(event(3, lifting))
        assert not getattr(journal.memory(), name)
        journal.write(event(4, closing), event(4, closing))
    with open_journal(tmp_path / "j.db") as journal:
        assert getattr(journal.memory(), name)


# --- any session ---------------------------------------------------------------------------------


@dataclass
class Account:
    """The same session, kept in plain lists."""

    answers: list[tuple[Suggestion, Answer | None, str | None]] = field(default_factory=list)
    fills: dict[str, list[Any]] = field(default_factory=dict)
    bars: list[tuple[float, int | None, float]] = field(default_factory=list)
    latches: dict[str, bool] = field(default_factory=dict)

    def waits(self, wanted: tuple[Answer, ...]) -> int | None:
        counted = [
            one.ts
            for one, answer, outcome in self.answers
            if answer in wanted and (answer is not Answer.YES or outcome == "sent")
        ]
        return max(counted, default=None)


steps = some.lists(
    some.one_of(
        some.tuples(
            some.just("ask"),
            some.none() | some.sampled_from(Answer),
            some.sampled_from(["sent", "the price moved"]),
        ),
        some.tuples(some.just("fill"), some.integers(1, 3), some.integers(1, 400)),
        some.tuples(some.just("correct"), some.integers(0, 5), some.integers(0, 3)),
        some.tuples(some.just("again"), some.integers(0, 5), some.none()),
        some.tuples(some.just("charge"), some.integers(0, 5), some.integers(0, 300)),
        some.tuples(some.just("bar"), some.none() | some.integers(0, 2), some.integers(-999, 999)),
        some.tuples(some.just("latch"), some.sampled_from(LATCHED), some.booleans()),
        some.tuples(some.just("restart"), some.none(), some.none()),
    ),
    max_size=40,
)


@settings(max_examples=60, deadline=None)
@given(steps)
def test_memory_is_a_plain_account_of_any_session(script: list[Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "j.db"
        journal, account = open_journal(path), Account()
        for minute, (what, first, second) in enumerate(script):
            if what == "restart":
                journal.close()
                journal = open_journal(path)
                assert journal.resumed
            else:
                DO[what](journal, account, minute, first, second)
        memory = journal.memory()
        journal.close()
        with JournalReader(path) as reader:
            assert reader.memory(str(journal.session_id)) == memory
    check(memory, account)


def ask(journal: Journal, account: Account, minute: int, answer: Any, outcome: str) -> None:
    one = suggestion(f"s{minute}", minute)
    journal.write(shown(one))
    if answer is not None:
        journal.write(answered(one, answer))
        journal.concluded(one.id, outcome)
    account.answers.append((one, answer, outcome))


def trade(journal: Journal, account: Account, minute: int, quantity: int, cents: int) -> None:
    entry = suggestion(f"f{minute}", minute)
    ref = journal.intend(
        at(minute), purpose="entry", contract=PUT_628, side=-1, quantity=3, suggestion=entry
    )
    assert fill(journal, ref, minute, f"x{minute}", quantity=quantity, price=cents / 100)
    account.fills[f"x{minute}"] = [ref, minute, 0, quantity, cents / 100, 0.0, entry]


def one_of(account: Account, number: int) -> str | None:
    names = list(account.fills)
    return names[number % len(names)] if names else None


def correct(journal: Journal, account: Account, minute: int, number: int, revision: int) -> None:
    name = one_of(account, number)
    if name is None:
        return
    known = account.fills[name]
    changed = fill(
        journal, known[0], minute, name, quantity=7, price=0.5 + minute, revision=revision
    )
    assert changed == (revision > known[2])
    if changed:
        known[1:5] = [minute, revision, 7, 0.5 + minute]


def again(journal: Journal, account: Account, minute: int, number: int, _: Any) -> None:
    name = one_of(account, number)
    if name is not None:
        ref, at_minute, revision, quantity, price, _, _ = account.fills[name]
        terms = {"quantity": quantity, "price": price, "revision": revision}
        assert not fill(journal, ref, at_minute, name, **terms)


def charge(journal: Journal, account: Account, minute: int, number: int, cents: int) -> None:
    name = one_of(account, number)
    assert not journal.charged("unknown", 1.0)
    if name is not None:
        journal.charged(name, cents / 100)
        account.fills[name][5] = cents / 100


def see_bar(journal: Journal, account: Account, minute: int, action: Any, dollars: int) -> None:
    journal.write(bar(minute, 80_000.0, float(dollars), action=action))
    account.bars.append((minute, action, 80_000.0 + dollars))


def latch(journal: Journal, account: Account, minute: int, which: Any, closing: bool) -> None:
    journal.write(event(minute, which[0] if closing else which[1]))
    account.latches[which[2]] = closing


DO = {
    "ask": ask,
    "fill": trade,
    "correct": correct,
    "again": again,
    "charge": charge,
    "bar": see_bar,
    "latch": latch,
}


def check(memory: DeskMemory, account: Account) -> None:
    assert memory.answered_ts == account.waits((Answer.YES, Answer.NO))
    assert memory.skipped_ts == account.waits((Answer.SKIP, Answer.TIMEOUT))
    assert {
        past.fill.execution_id: [
            *(past.order_ref, past.fill.ts, past.fill.quantity, past.fill.price, past.fill.fee),
            past.suggestion,
        ]
        for past in memory.fills
    } == {
        name: [ref, at(minute), quantity, price, fee, entry]
        for name, (ref, minute, _, quantity, price, fee, entry) in account.fills.items()
    }
    instants = [past.fill.ts for past in memory.fills]
    assert instants == sorted(instants)
    decided = [minute for minute, action, _ in account.bars if action is not None]
    assert memory.decided_ts == (at(decided[-1]) if decided else None)
    assert memory.slot == (decided[-1] // 5 if decided else -1)
    assert memory.last_ts == (at(account.bars[-1][0]) if account.bars else None)
    equity = [dollars for *_, dollars in account.bars]
    assert memory.opening == (equity[0] if equity else None)
    assert memory.peak == max(equity, default=None)
    for name in ("daily_loss", "killed", "paused"):
        assert getattr(memory, name) == account.latches.get(name, False)
