"""The strategy in Cerebro: entries by slot, exits by rule, waits by answer, session by session."""

from typing import Any

import backtrader as bt
import numpy as np
import pytest
from market import (
    EVERY_MINUTE,
    HALF_DAY,
    MONDAY,
    PUT,
    SESSION,
    Market,
    Scripted,
    at,
    desk,
    market,
    rules,
    wishes,
)

from brokers.approvers import ScriptedApprover
from settings import Settings
from strategies.ppo_strategy import PPOStrategy
from strategies.recorder import OFF_SLOT
from strategies.rules import Refusal
from vocabulary import Action, ExitReason, RoundTrip

SELL_AT_TEN = wishes((6, 2))
ALWAYS = [2]


def play(
    made: Market | list[Market],
    script: list[int] = SELL_AT_TEN,
    settings: Settings | None = None,
    actions: int = 3,
    obeys_waits: bool = True,
    **terms: Any,
) -> PPOStrategy:
    days = [one.day() for one in (made if isinstance(made, list) else [made])]
    return desk(days, Scripted(script, actions, obeys_waits), settings, **terms)


def only_trip(ran: PPOStrategy) -> RoundTrip:
    (trip,) = ran.tracker.round_trips
    return trip


def minute(ts: int | None) -> float:
    assert ts is not None
    return (ts - SESSION.open_ns) / 60e9


def entries(ran: PPOStrategy) -> list[float]:
    return [minute(trip.decided_ts) for trip in ran.tracker.round_trips]


# --- entries -------------------------------------------------------------------------------------


def test_an_entry_fills_at_the_bid_of_the_next_snapshot() -> None:
    made = market().quote(PUT, 628, 30, 1.50, 1.52).quote(PUT, 628, 31, 1.40, 1.44)
    trip = only_trip(play(made))
    assert (minute(trip.decided_ts), minute(trip.entered_ts)) == (30.0, 31.0)
    assert (trip.entry_price, trip.mid_entry) == (1.40, pytest.approx(1.42))


def test_only_the_first_snapshot_of_a_slot_is_a_decision() -> None:
    made = market(np.array([0.5, 4.9, 12.0, 13.0, 14.9, 15.0, 29.99, 61.0, 62.0]))
    ran = play(made, [0])
    slots = ran.recorder.action != OFF_SLOT
    decided = [minute(ts) for ts in np.array(ran.recorder.decision_ts)[slots]]
    assert decided == pytest.approx([0.5, 12.0, 15.0, 29.99, 61.0])


def test_a_policy_hears_of_the_decision_before() -> None:
    policy = Scripted([0])
    desk([market(np.array([30.5, 34.0, 47.0, 58.0])).day()], policy)
    told = [(moment.slot, moment.minutes, moment.previous) for moment in policy.asked]
    assert told == [(6, 30.5, -np.inf), (9, 47.0, 30.5), (11, 58.0, 47.0)]


def test_an_unfilled_entry_is_canceled_at_the_next_slot_and_may_be_tried_again() -> None:
    made = market()
    made.quote(PUT, 628, made.between(31, 36), bid=0.0)
    ran = play(made, [2], obeys_waits=False)
    assert entries(ran)[0] == 35.0  # that of ten o'clock found nobody
    assert play(made).tracker.round_trips == []  # and it does not fill later


def test_an_entry_works_on_until_its_slot_ends_and_fills_there() -> None:
    made = market()
    made.quote(PUT, 628, made.between(31, 35), bid=0.0)
    assert minute(only_trip(play(made)).entered_ts) == 35.0


def test_a_partial_entry_keeps_what_it_got_and_the_rest_is_canceled() -> None:
    made = market()
    made.quote(PUT, 628, made.between(31, 36), size=0).quote(PUT, 628, made.between(33, 35), size=1)
    rich = Settings(capital=300_000.0, contracts=3)
    trip = only_trip(play(made, settings=rich))
    assert (trip.quantity, minute(trip.entered_ts)) == (2, 33.0)
    assert trip.exit_reason is ExitReason.TIME_EXIT
    assert trip.fees == pytest.approx(2 * (1.30 + 0.10))


@pytest.mark.parametrize(
    ("volatility", "quantity", "multiple"), [(0.18, 3, 3.0), (0.35, 2, 4.0), (0.80, 1, 5.0)]
)
def test_every_band_of_risk_is_traded_by_a_large_account(
    volatility: float, quantity: int, multiple: float
) -> None:
    late = wishes((45, 2))  # time is a part of risk
    rich = Settings(capital=300_000.0, contracts=3)
    trip = only_trip(play(market(volatility=volatility), late, rich))
    assert (trip.quantity, trip.stop_multiple) == (quantity, multiple)
    small = play(market(volatility=volatility), late).tracker.round_trips
    assert [trip.quantity for trip in small] == ([1] if trip.risk_score < 0.5 else [])


@pytest.mark.parametrize(("volatility", "multiple"), [(0.18, 3.0), (0.35, 4.0), (0.80, 5.0)])
def test_every_band_of_risk_is_stopped_at_its_multiple(volatility: float, multiple: float) -> None:
    rich = Settings(capital=300_000.0, contracts=3)
    made = market(volatility=volatility)
    entry = only_trip(play(made, wishes((45, 2)), rich)).entry_price
    just_below, stop = multiple * entry - 0.01, multiple * entry
    made.price(PUT, 628, made.between(230, 240), just_below)
    made.price(PUT, 628, made.between(240, 391), stop)
    trip = only_trip(play(made, wishes((45, 2)), rich))
    assert trip.exit_reason is ExitReason.STOP_LOSS
    assert (minute(trip.exit_decided_ts), minute(trip.exited_ts)) == (240.0, 241.0)
    assert trip.exit_price == pytest.approx(stop + 0.01)


# --- exits ---------------------------------------------------------------------------------------


def test_the_time_exit_fills_at_the_first_snapshot_at_its_time() -> None:
    trip = only_trip(play(market()))
    assert (minute(trip.exit_decided_ts), minute(trip.exited_ts)) == (375.0, 375.0)
    assert trip.exit_reason is ExitReason.TIME_EXIT


def test_the_time_exit_fills_after_its_time_where_no_snapshot_is_at_it() -> None:
    trip = only_trip(play(market(EVERY_MINUTE + 0.6)))
    assert (minute(trip.exit_decided_ts), minute(trip.exited_ts)) == (375.0, pytest.approx(375.6))


def test_the_time_exit_of_a_half_day_comes_before_its_own_close() -> None:
    trip = only_trip(play(market(session=HALF_DAY)))
    assert trip.exited_ts == at(HALF_DAY, 195)


def test_a_stop_needs_no_mid_when_intrinsic_alone_is_enough() -> None:
    made = market(spot=np.where(EVERY_MINUTE < 60, 628.2013, 620.0013))
    made.quote(PUT, 628, 60, bid=np.nan)
    trip = only_trip(play(made))
    assert (trip.exit_reason, minute(trip.exit_decided_ts)) == (ExitReason.STOP_LOSS, 60.0)
    assert minute(trip.exited_ts) == 61.0


def test_a_stop_that_finds_no_offer_works_on_and_is_settled() -> None:
    made = market(spot=np.where(EVERY_MINUTE < 60, 628.2013, 620.0013), official_close=619.5)
    made.quote(PUT, 628, made.between(61, 391), ask=np.nan)
    trip = only_trip(play(made))
    assert trip.exit_reason is ExitReason.SETTLEMENT
    assert (trip.exit_price, trip.exited_ts) == (8.5, SESSION.close_ns)
    assert trip.exit_was_working
    assert trip.exit_decided_ts is None


def test_nothing_is_decided_filled_or_marked_in_the_last_minute() -> None:
    made = market(np.append(np.arange(389.0), [389.0, 389.2, 389.7, 390.0]))
    made.quote(PUT, 628, made.between(375, 389.1), ask=np.nan)
    made.price(PUT, 628, made.between(389.1, 391), 50.0)  # it could be bought, and worth a stop
    ran = play(made)
    assert only_trip(ran).exit_reason is ExitReason.SETTLEMENT
    value = np.array(ran.recorder.position_value)
    assert value[-4] != 0
    assert value[-3] == value[-2] == value[-4]
    slots = np.array(ran.recorder.decision_ts)[ran.recorder.action != OFF_SLOT]
    assert minute(slots[-1]) == 385.0
    bought = market().quote(PUT, 628, slice(375, 389), ask=np.nan)
    assert minute(only_trip(play(bought)).exited_ts) == 389.0  # one minute before the close


def test_hold_to_expiry_has_no_time_exit() -> None:
    trip = only_trip(play(market(official_close=626.75), settings=rules(hold_to_expiry=True)))
    assert (trip.exit_reason, trip.exit_price) == (ExitReason.SETTLEMENT, 1.25)
    assert not trip.exit_was_working


def test_a_profit_target_buys_back_at_the_ask_that_reaches_it() -> None:
    made = market()
    entry = only_trip(play(made)).entry_price
    target = round(entry * 0.6, 2)
    made.quote(PUT, 628, made.between(60, 70), target - 0.01, target + 0.01)
    made.quote(PUT, 628, made.between(70, 391), target - 0.02, round(0.6 * entry - 0.004, 2))
    trip = only_trip(play(made, settings=rules(profit_target=0.4)))
    assert trip.exit_reason is ExitReason.PROFIT_TARGET
    assert minute(trip.exit_decided_ts) == 70.0


def test_a_stop_goes_before_a_profit_target() -> None:
    crash = market(spot=np.where(EVERY_MINUTE < 60, 628.2013, 620.0013))
    crash.quote(PUT, 628, crash.between(60, 391), 0.01, 0.02)  # absurd, but both are true
    trip = only_trip(play(crash, settings=rules(profit_target=0.4)))
    assert trip.exit_reason is ExitReason.STOP_LOSS


def test_a_model_with_four_actions_closes_at_a_decision() -> None:
    trip = only_trip(play(market(), wishes((6, 2), (12, 3)), actions=4))
    assert (trip.exit_reason, minute(trip.exit_decided_ts)) == (ExitReason.MODEL, 60.0)
    assert minute(trip.exited_ts) == 61.0


def test_a_partial_entry_that_is_stopped_gives_up_its_rest() -> None:
    made = market(spot=np.where(EVERY_MINUTE < 32, 628.2013, 620.0013))
    made.quote(PUT, 628, 31, size=1).quote(PUT, 628, 32, size=0)
    rich = Settings(capital=300_000.0, contracts=3)
    trip = only_trip(play(made, settings=rich))
    assert (trip.quantity, trip.exit_reason) == (1, ExitReason.STOP_LOSS)
    assert (minute(trip.entered_ts), minute(trip.exited_ts)) == (31.0, 33.0)


def test_an_exit_in_parts_pays_one_fee() -> None:
    made = market()
    made.quote(PUT, 628, made.between(375, 391), size=1)
    trip = only_trip(play(made, settings=Settings(capital=300_000.0, contracts=3)))
    assert (trip.quantity, minute(trip.exited_ts)) == (3, 377.0)
    assert trip.fees == pytest.approx(4.20)


# --- the daily loss ------------------------------------------------------------------------------


def test_a_daily_loss_ends_entries_for_the_session_and_leaves_the_position_to_its_plan() -> None:
    made, tight = market(), rules(daily_loss=0.001)
    made.price(PUT, 628, made.between(40, 391), 2.00)  # 93 dollars down, no stop yet
    ran = play([made, market(session=MONDAY)], ALWAYS, tight, obeys_waits=False)
    first, *later = ran.tracker.round_trips
    assert first.exit_reason is ExitReason.TIME_EXIT
    assert later and all(trip.contract.expiration == MONDAY.date for trip in later)


def test_a_daily_loss_stays_reached_when_the_loss_is_made_good() -> None:
    made, tight = market(), rules(daily_loss=0.001, profit_target=0.5)
    made.price(PUT, 628, made.between(40, 50), 2.00)
    made.price(PUT, 628, made.between(50, 391), 0.20)
    ran = play(made, ALWAYS, tight, obeys_waits=False)
    assert len(ran.tracker.round_trips) == 1
    assert ran.tracker.realised_pnl > 0
    assert ran.recorder.refusals()[Refusal.DAILY_LOSS] > 50


def test_a_daily_loss_cancels_the_rest_of_an_entry() -> None:
    made = market()
    made.quote(PUT, 628, 31, size=1).quote(PUT, 628, 32, size=0).price(PUT, 628, 32, 2.50)
    tight = Settings(capital=300_000.0, contracts=3, rules={"daily_loss": 0.0003})
    assert only_trip(play(made, settings=tight)).quantity == 1


# --- answers and waits ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answers", "asked", "entered"),
    [
        (["y"], [30.0], [30.0]),
        (["n", "y"], [30.0, 150.0], [150.0]),
        (["skip", "y"], [30.0, 45.0], [45.0]),
        (["timeout", "skip", "y"], [30.0, 45.0, 60.0], [60.0]),
        (["n", "skip", "n"], [30.0, 150.0, 165.0, 345.0], []),
    ],
)
def test_the_wait_follows_the_answer(
    answers: list[str], asked: list[float], entered: list[float]
) -> None:
    approver = ScriptedApprover(answers)
    ran = play(market(), ALWAYS, approver=approver)
    assert [minute(suggestion.ts) for suggestion in approver.asked[: len(asked)]] == asked
    assert entries(ran)[: len(entered)] == entered


def test_a_withdrawn_question_starts_no_wait() -> None:
    approver = ScriptedApprover(["withdrawn", "y"])
    play(market(), ALWAYS, approver=approver)
    assert [minute(suggestion.ts) for suggestion in approver.asked] == [30.0, 35.0]


def test_strict_waits_count_every_question_that_was_shown() -> None:
    approver = ScriptedApprover(["skip", "y"])
    play(market(), ALWAYS, rules(waits="strict"), approver=approver)
    assert [minute(suggestion.ts) for suggestion in approver.asked] == [30.0, 150.0]


def test_while_a_question_is_open_the_model_is_not_asked() -> None:
    approver, policy = ScriptedApprover([]), Scripted(ALWAYS)
    ran = desk([market().day()], policy, approver=approver)
    assert [minute(suggestion.ts) for suggestion in approver.asked] == [30.0]
    assert [moment.minutes for moment in policy.asked] == [30.0]
    assert ran.recorder.refusals()[Refusal.WORKING] == 71
    assert [reason for _, reason in approver.withdrawn] == ["session_end"]
    assert ran.tracker.round_trips == []


def test_a_session_starts_without_waits_orders_or_losses_of_the_day_before() -> None:
    approver = ScriptedApprover(["n", "n", "n", "y"])
    made = [market(np.arange(150.0)), market(session=MONDAY, volatility=0.1)]
    play(made, ALWAYS, approver=approver)
    asked = [(suggestion.ts - MONDAY.open_ns) / 60e9 for suggestion in approver.asked]
    assert asked[1:] == [30.0, 150.0, 270.0]


# --- what is recorded ----------------------------------------------------------------------------


def test_every_recorded_snapshot_leaves_one_row_and_the_close_an_equity_row() -> None:
    ran = play([market(), market(np.arange(0.0, 391), session=MONDAY)])
    record = ran.recorder
    assert len(record.decision_ts) == 390 + 391
    assert len(record.equity_ts) == 391 + 391
    assert record.equity_ts[390] == SESSION.close_ns
    assert record.features.shape == (781, 8)
    off = record.action == OFF_SLOT
    assert np.isnan(record.probabilities[off]).all()
    assert np.isfinite(record.probabilities[~off]).all()
    assert not record.allowed[off].any()


def test_features_know_of_the_position() -> None:
    made = market()
    ran = play(made, settings=Settings(capital=300_000.0, contracts=3))
    before, after = ran.recorder.features[30], ran.recorder.features[41]
    np.testing.assert_array_equal(before[3:6], 0)
    mark = (made.bid + made.ask)[41, PUT, 8] / 2
    pnl = (only_trip(ran).entry_price - mark) * 300
    np.testing.assert_allclose(after[3:6], [1, pnl / 1000, 10 / 390], rtol=1e-6)
    assert after[6] - before[6] == pytest.approx(0.32 + 0.18 * 11 / 390, abs=1e-3)


def test_without_a_mid_a_decision_is_refused_but_the_exit_is_not() -> None:
    made = market()
    made.quote(PUT, 628, made.between(40, 391), bid=np.nan)
    ran = play(made, wishes((6, 2), (12, 3)), actions=4)
    assert np.isnan(ran.recorder.features[60, 4])
    assert ran.recorder.action[60] == Action.HOLD
    assert only_trip(ran).exit_reason is ExitReason.TIME_EXIT


@pytest.mark.parametrize("run", [{}, {"runonce": False}, {"preload": False, "runonce": False}])
def test_notifications_may_be_slow_and_the_loop_live(run: dict[str, bool]) -> None:
    def slow(cerebro: bt.Cerebro) -> None:
        cerebro.p.quicknotify = False

    made = market(spot=np.where(EVERY_MINUTE < 200, 628.2013, 620.0013))
    usual = only_trip(play(made))
    assert repr(only_trip(play(made, run=run, set_up=slow))) == repr(usual)
