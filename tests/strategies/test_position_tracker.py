"""The desk's own books: partial fills, averages, marks, and what a round trip earned."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some
from market import contract

from strategies.position_tracker import PositionTracker
from vocabulary import Action, DeskMemory, ExitReason, Fill, PastFill, Suggestion

MINUTE = 60_000_000_000
NAN = float("nan")
PUT_628 = contract()


def suggestion(ts: int = 5 * MINUTE, **changes: Any) -> Suggestion:
    facts: dict[str, Any] = {
        "id": "one",
        "ts": ts,
        "action": Action.SELL_PUT,
        "contract": PUT_628,
        "side": -1,
        "quantity": 3,
        "bid": 1.0,
        "ask": 1.02,
        "spot": 628.2,
        "risk_score": 0.4,
        "stop_multiple": 4.0,
        "features": (),
        "probabilities": (),
        "mask": (),
        "model": "m",
    }
    return Suggestion(**facts | changes)


def fill(
    side: int, quantity: int, price: float, minute: int, fee: float = 0.0, mid: float = NAN
) -> Fill:
    return Fill(PUT_628, side, quantity, price, fee, minute * MINUTE, 628.0 + minute / 100, mid)


def test_a_round_trip_in_parts() -> None:
    tracker = PositionTracker("model")
    tracker.entry_filled(fill(-1, 1, 1.20, 6, 1.05, 1.21), suggestion())
    tracker.entry_filled(fill(-1, 2, 0.90, 8, 0.75, 0.91), suggestion())
    position = tracker.position
    assert position is not None
    assert (position.quantity, position.average_price) == (3, pytest.approx(1.00))
    assert (position.entered_ts, position.decided_ts) == (6 * MINUTE, 5 * MINUTE)
    assert (position.risk_score, position.stop_multiple) == (0.4, 4.0)
    assert tracker.exit_filled(fill(+1, 1, 2.0, 20, 1.05, 1.99), ExitReason.STOP_LOSS, 7) is None
    assert tracker.position is not None
    assert (tracker.position.quantity, tracker.position.average_price) == (2, pytest.approx(1.0))
    trip = tracker.exit_filled(fill(+1, 2, 3.5, 21, 0.75, 3.49), ExitReason.STOP_LOSS, 7)
    assert trip is not None and tracker.position is None
    assert tracker.round_trips == [trip]
    assert (trip.quantity, trip.side, trip.model) == (3, -1, "model")
    assert (trip.entry_price, trip.exit_price) == (pytest.approx(1.0), pytest.approx(3.0))
    assert (trip.mid_entry, trip.mid_exit) == (pytest.approx(1.01), pytest.approx(2.99))
    assert trip.entry_underlying == pytest.approx(628 + (0.06 + 2 * 0.08) / 3)
    assert trip.exit_underlying == pytest.approx(628 + (0.20 + 2 * 0.21) / 3)
    assert (trip.entered_ts, trip.exited_ts) == (6 * MINUTE, 21 * MINUTE)
    assert (trip.decided_ts, trip.exit_decided_ts) == (5 * MINUTE, 7)
    assert trip.exit_reason is ExitReason.STOP_LOSS
    assert (trip.gross_pnl, trip.fees) == (pytest.approx(-600.0), pytest.approx(3.60))
    assert trip.net_pnl == tracker.realised_pnl == pytest.approx(-603.60)


def test_a_settlement_has_neither_a_decision_nor_a_mid() -> None:
    tracker = PositionTracker()
    tracker.entry_filled(fill(-1, 1, 1.20, 6, 1.05, 1.21), suggestion())
    closing = fill(+1, 1, 0.0, 390)
    trip = tracker.exit_filled(closing, ExitReason.SETTLEMENT, 99, was_working=True)
    assert trip is not None
    assert trip.exit_decided_ts is None
    assert trip.mid_exit != trip.mid_exit
    assert trip.exit_was_working
    assert trip.net_pnl == pytest.approx(118.95)


def test_an_exit_without_a_position_is_our_mistake() -> None:
    with pytest.raises(ValueError, match="without a position"):
        PositionTracker().exit_filled(fill(1, 1, 1.0, 1), ExitReason.MODEL, 1)


def test_the_mark_follows_the_mid_and_stays_where_there_is_none() -> None:
    tracker = PositionTracker()
    assert (tracker.pnl(0, 5), tracker.value(), tracker.minutes_held(9)) == (0.0, 0.0, 0.0)
    tracker.entry_filled(fill(-1, 2, 1.20, 6), suggestion())
    assert tracker.pnl(6 * MINUTE, 5) == 0.0  # marked at the entry price until a mid is seen
    tracker.see(1.50, 7 * MINUTE)
    tracker.see(NAN, 8 * MINUTE)
    assert tracker.value() == pytest.approx(-300.0)
    assert tracker.pnl(7 * MINUTE, 5) == pytest.approx(-60.0)
    assert tracker.pnl(7 * MINUTE + 5_000_000_000, 5) == pytest.approx(-60.0)
    too_old = tracker.pnl(7 * MINUTE + 5_000_000_001, 5)
    assert too_old != too_old
    assert tracker.minutes_held(7 * MINUTE + MINUTE // 2) == 1.5


def test_a_new_position_starts_from_a_clean_page() -> None:
    tracker = PositionTracker()
    tracker.entry_filled(fill(-1, 1, 1.20, 6, 1.05), suggestion())
    tracker.see(9.0, 7 * MINUTE)
    tracker.exit_filled(fill(+1, 1, 2.0, 8, 1.05), ExitReason.MODEL, 7)
    tracker.entry_filled(fill(-1, 2, 0.5, 200, 1.4), suggestion(199 * MINUTE, stop_multiple=5.0))
    assert tracker.position is not None
    assert (tracker.mark, tracker.position.entered_ts) == (0.5, 200 * MINUTE)
    trip = tracker.exit_filled(fill(+1, 2, 0.4, 210, 1.4), ExitReason.MODEL, 7)
    assert trip is not None
    assert (trip.quantity, trip.stop_multiple, trip.fees) == (2, 5.0, pytest.approx(2.8))
    assert tracker.realised_pnl == pytest.approx(-82.10 + 17.20)


cents = some.integers(1, 2000)
parts = some.lists(some.tuples(some.integers(1, 5), cents), min_size=1, max_size=6)


@given(
    entries=parts,
    prices=some.lists(cents, min_size=1, max_size=30),
    side=some.sampled_from([-1, 1]),
)
def test_what_a_trip_earned_is_the_sum_of_its_cash_flows(
    entries: list[tuple[int, int]], prices: list[int], side: int
) -> None:
    tracker, cash, value = PositionTracker(), 0, 0
    for minute, (quantity, price) in enumerate(entries):
        tracker.entry_filled(fill(side, quantity, price / 100, minute, 0.05), suggestion())
        cash -= side * quantity * price * 100 + 5
        value += quantity * price
    position = tracker.position
    assert position is not None
    total = sum(quantity for quantity, _ in entries)
    assert position.quantity == total
    assert position.average_price == pytest.approx(value / total / 100)
    for minute in range(total):
        price = prices[minute % len(prices)]
        cash += side * price * 100 - 5
        exit_ = fill(-side, 1, price / 100, 100 + minute, 0.05)
        trip = tracker.exit_filled(exit_, ExitReason.MODEL, 1)
        assert (trip is None) == (minute < total - 1)
    assert trip is not None
    assert trip.net_pnl * 100 == pytest.approx(cash, abs=1e-4)
    assert tracker.realised_pnl == trip.net_pnl


# --- corrections ---------------------------------------------------------------------------------


def booked(entries: list[Fill], exits: list[Fill]) -> PositionTracker:
    tracker = PositionTracker("m")
    for one in entries:
        tracker.entry_filled(one, suggestion())
    for one in exits:
        tracker.exit_filled(one, ExitReason.STOP_LOSS, 7)
    return tracker


def books(tracker: PositionTracker) -> tuple[Any, ...]:
    return (
        repr(tracker.position),
        list(map(repr, tracker.round_trips)),
        tracker.realised_pnl,
        tracker._shares,
    )


@given(
    some.lists(some.tuples(some.integers(1, 3), some.floats(0.05, 9)), min_size=1, max_size=3),
    some.integers(0, 9),
    some.integers(0, 5),
    some.floats(0.05, 9),
    some.floats(0, 5),
)
def test_a_correction_gives_the_books_of_having_known_it_at_once(
    sold: list[tuple[int, float]], bought: int, which: int, price: float, fee: float
) -> None:
    entries = [
        replace(fill(-1, n, p, i, 1.0), execution_id=f"e{i}") for i, (n, p) in enumerate(sold)
    ]
    left = min(bought, sum(n for n, _ in sold))
    exits = [replace(fill(+1, 1, 1.0 + i, 20 + i, 1.0), execution_id=f"x{i}") for i in range(left)]
    tracker = booked(entries, exits)
    both = entries + exits
    old = both[which % len(both)]
    new = replace(old, price=price, fee=fee)
    tracker.correct(old, new)
    again = booked(
        [new if one is old else one for one in entries],
        [new if one is old else one for one in exits],
    )
    assert books(tracker) == books(again)
    assert tracker.known(new.execution_id) == new and tracker.known("") is None


def test_a_quantity_that_is_corrected_opens_what_was_closed() -> None:
    tracker = booked([fill(-1, 1, 1.0, 6)], [fill(+1, 1, 2.0, 20)])
    closed = tracker.round_trips[0]
    tracker.correct(fill(-1, 1, 1.0, 6), fill(-1, 2, 1.0, 6))
    position = tracker.position
    assert position is not None and position.quantity == 1
    assert tracker.round_trips == [] and tracker.realised_pnl == 0.0
    tracker.correct(fill(-1, 2, 1.0, 6), fill(-1, 1, 1.0, 6))
    assert tracker.position is None and repr(tracker.round_trips) == repr([closed])


def test_an_entry_that_was_annulled_never_was() -> None:
    tracker = booked([fill(-1, 1, 1.0, 6)], [])
    tracker.correct(fill(-1, 1, 1.0, 6), fill(-1, 0, 1.0, 6))
    assert tracker.position is None and tracker.value() == 0.0
    tracker.entry_filled(fill(-1, 1, 1.5, 30), suggestion())
    assert tracker.position is not None and tracker.position.average_price == 1.5


@pytest.mark.parametrize("quantity", [0, 2])
def test_a_correction_that_no_books_can_follow_is_refused_and_changes_nothing(
    quantity: int,
) -> None:
    tracker = booked([fill(-1, 1, 1.0, 6)], [fill(+1, 1, 2.0, 20)])
    tracker.entry_filled(fill(-1, 1, 1.5, 30), suggestion())
    before = books(tracker)
    with pytest.raises(ValueError, match=f"corrected to {quantity} contracts"):
        tracker.correct(fill(-1, 1, 1.0, 6), fill(-1, quantity, 1.0, 6))
    with pytest.raises(ValueError, match="never counted"):
        tracker.correct(fill(-1, 1, 9.0, 6), fill(-1, 1, 1.0, 6))
    with pytest.raises(ValueError, match="2 times, 1 were open"):
        tracker.exit_filled(fill(+1, 2, 1.0, 40), ExitReason.MANUAL, 9)
    assert books(tracker) == before


@given(some.floats(0.005, 40.0), some.integers(1, 9))
def test_a_mark_is_restored_to_the_last_bit_of_its_value(mark: float, quantity: int) -> None:
    tracker = booked([fill(-1, quantity, 1.0, 6)], [])
    tracker.see(mark, 7)
    value = tracker.value()
    again = booked([fill(-1, quantity, 1.0, 6)], [])
    again.see_value(value, 7)
    assert again.value() == value


def test_an_entry_without_a_suggestion_cannot_be_restored() -> None:
    memory = DeskMemory(fills=(PastFill(fill(-1, 1, 1.0, 6)),))
    with pytest.raises(ValueError, match="no suggestion"):
        PositionTracker().restore(memory, None)
