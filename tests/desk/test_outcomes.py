"""What a suggestion would have made is what the rules make of the recorded day."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from journaling import Instant, Plot, lived
from market import CALL, HALF_DAY, PUT, SESSION, Scripted, at, desk, from_knobs, market, wishes

from brokers.approvers import ScriptedApprover
from desk.outcomes import NOT_RECORDED, UNFILLED, excursions, outcomes_of, real_trips, shadow
from errors import DataError
from feeds.chain import ChainDay
from settings import Settings
from vocabulary import Command, ExitReason, Instruction, RoundTrip, Suggestion

QUICK = Settings(rules={"wait_minutes": (15, 20, 25)}, contracts=3, capital=300_000.0)


def suggestions_on(day: ChainDay, policy: Any, figures: Settings = QUICK) -> list[Suggestion]:
    """What a policy suggests on a day when everything is skipped."""
    approver = ScriptedApprover(["skip"] * 100)
    desk([day], policy, figures, approver)
    return approver.asked


def plain_shadow(
    day: ChainDay, one: Suggestion, figures: Settings
) -> tuple[float, str, int] | None:
    """P&L, reason and end of a shadow, recomputed with loops: whole lots, unlimited sizes."""
    right, k = int(one.contract.right), day.strike_index[one.contract.strike_thousandths]
    bid, ask = day.bid[:, right, k], day.ask[:, right, k]
    slot = figures.rules.decision_minutes
    first = int(np.searchsorted(day.ts, one.ts))
    entry = stopped = None
    for t in range(first + 1, len(day)):
        if day.until_close[t] < 1:
            break
        if entry is None:
            if bid[t] > 0:
                entry = float(bid[t])
                fill_row = t
            elif day.since_open[t] // slot != day.since_open[first] // slot:
                return None
            else:
                continue
        elif ask[t] == ask[t] and (
            stopped is not None or day.until_close[t] <= figures.rules.time_exit_minutes
        ):
            reason = "stop_loss" if stopped is not None else "time_exit"
            fee = 2 * (max(1.0, 0.65 * one.quantity) + 0.05 * one.quantity)
            gross = (entry - float(ask[t])) * 100 * one.quantity
            return gross - fee, reason, int(day.ts[t])
        late = day.until_close[t] <= figures.rules.time_exit_minutes and t != fill_row
        mid, intrinsic = day.mid[t, right, k], one.contract.intrinsic(day.spot[t])
        hit = max(mid, intrinsic) if mid == mid else intrinsic
        if stopped is None and not late and hit >= one.stop_multiple * entry - 1e-9:
            stopped = t
    if entry is None:
        return None
    value = one.contract.intrinsic(float(day.official_close or 0))
    fee = max(1.0, 0.65 * one.quantity) + 0.05 * one.quantity
    return (entry - value) * 100 * one.quantity - fee, "settlement", day.session.close_ns


@given(
    seed=some.integers(0, 2**32 - 1),
    session=some.sampled_from([SESSION, HALF_DAY]),
    step=some.sampled_from([0.05, 0.2]),
    faults=some.sampled_from([0.0, 0.3]),
    wish=some.sampled_from([1, 2]),
)
@settings(max_examples=6, deadline=None)
def test_a_shadow_is_the_trade_recomputed_by_hand(
    seed: int, session: Any, step: float, faults: float, wish: int
) -> None:
    day = from_knobs(session, seed, "minute", step, 0.0, 25, 0.3, faults, sizes=False).day()
    policy = Scripted([wish] * 79)
    for one in suggestions_on(day, policy)[:4]:
        made, plain = shadow(day, one, policy, QUICK), plain_shadow(day, one, QUICK)
        if plain is None:
            assert made == UNFILLED
        else:
            assert isinstance(made, RoundTrip)
            found = (pytest.approx(made.net_pnl), str(made.exit_reason), made.exited_ts)
            assert plain == found


def answered(day: ChainDay, folder: Path) -> Any:
    """A put that was sold and closed by hand, a call that was refused."""
    closing = (Instant(at(SESSION, 50), True), Instruction(Command.CLOSE))
    told = [(Instant(at(SESSION, 36), True), "y"), (Instant(at(SESSION, 71), True), "n")]
    plot = Plot(Scripted(wishes((7, 2), (14, 1))), QUICK, told, [closing])
    return plot, lived(plot, day, folder)


def test_the_real_trade_and_its_shadow_stand_side_by_side(tmp_path: Path) -> None:
    moves = np.random.default_rng(3).normal(0, 0.12, 390)
    day = market(spot=628.2013 + np.cumsum(moves).round(2)).day()
    plot, session = answered(day, tmp_path)
    done = outcomes_of(day, session.suggestions, session.fills, plot.policy, QUICK)
    assert not done.notes
    yes, no = (record.values for record in done.records)
    (trip,) = real_trips(session.fills, "scripted")
    assert yes["suggestion_id"] == session.suggestions[0].id
    assert (yes["pnl"], yes["exit_reason"]) == (trip.net_pnl, "manual")
    assert yes["shadow_reason"] == "time_exit" and yes["shadow_exit_ts"] == at(SESSION, 375)
    sold = session.fills[0].fill.contract
    bids = day.bid[:, int(sold.right), day.strike_index[sold.strike_thousandths]]
    assert [yes["shadow_entry"], trip.entry_price] == pytest.approx([bids[36], bids[37]])
    assert "pnl" not in no and no["shadow_reason"] in ("time_exit", "stop_loss")
    assert {record.ts for record in done.records} == {SESSION.close_ns}
    assert yes["mae"] <= 0 <= yes["mfe"] and no["mae"] <= 0 <= no["mfe"]


def test_excursions_are_the_extremes_of_the_mid() -> None:
    made = market()
    made.price(CALL, 628, slice(36, 391), 2.00)
    made.price(CALL, 628, made.row(100), 2.75).price(CALL, 628, made.row(200), 0.50)
    made.price(CALL, 628, made.row(380), 0.10)  # after the time exit
    day, policy = made.day(), Scripted(wishes((7, 1)))
    (one,) = suggestions_on(day, policy)
    made_of = shadow(day, replace(one, quantity=2), policy, QUICK)
    assert isinstance(made_of, RoundTrip) and made_of.entry_price == pytest.approx(1.99)
    worst, best = excursions(day, made_of)
    assert worst == pytest.approx((1.99 - 2.75) * 200)
    assert best == pytest.approx((1.99 - 0.50) * 200)


def test_a_suggestion_nobody_would_have_filled_made_nothing() -> None:
    made = market()
    day, policy = made.day(), Scripted(wishes((7, 2)))
    (one,) = suggestions_on(day, policy)
    made.quote(PUT, one.contract.strike, made.between(36, 41), bid=np.nan)
    (record,) = outcomes_of(made.day(), [one], [], policy, QUICK).records
    assert record.values["shadow_reason"] == UNFILLED
    assert record.values["shadow_pnl"] == 0.0 and "mae" not in record.values


def test_rules_that_would_refuse_today_do_not_change_what_was_suggested() -> None:
    """The shadow is the suggestion itself: contract, contracts and stop as they were."""
    day, policy = market().day(), Scripted(wishes((7, 2)))
    (one,) = suggestions_on(day, policy)
    strict = QUICK.model_copy(
        update={"rules": QUICK.rules.model_copy(update={"entry_after_open": 300.0})}
    )
    made = shadow(day, replace(one, quantity=3), policy, strict)
    assert isinstance(made, RoundTrip) and made.quantity == 3
    assert made.contract == one.contract and made.stop_multiple == one.stop_multiple


def test_a_model_that_closes_closes_its_shadow_too() -> None:
    day = market().day()
    policy = Scripted(wishes((7, 2), (20, 3)), actions=4)
    (one, *_) = suggestions_on(day, policy)
    made = shadow(day, one, policy, QUICK)
    assert isinstance(made, RoundTrip) and str(made.exit_reason) == "model"
    assert made.exited_ts == at(SESSION, 101)


def test_a_moment_that_was_not_recorded_has_no_outcome_and_says_so() -> None:
    made = market()
    policy = Scripted(wishes((7, 2)))
    (one,) = suggestions_on(made.day(), policy)
    late = market(minutes=np.arange(60.0, 300.0)).day()
    done = outcomes_of(late, [one], [], policy, QUICK)
    assert done.records[0].values["shadow_reason"] == NOT_RECORDED
    assert done.records[0].values["shadow_pnl"] is None
    (note,) = done.notes
    assert "not whole" in note and "ends 91 minutes before the close" in note


def test_a_day_without_its_official_close_has_no_outcomes_yet() -> None:
    day = replace(market().day(), official_close=None)
    with pytest.raises(DataError, match="no official close yet"):
        outcomes_of(day, [], [], Scripted([0]), QUICK)


def test_exits_that_were_asked_have_no_outcome_of_their_own() -> None:
    day, policy = market().day(), Scripted(wishes((7, 2)))
    (one,) = suggestions_on(day, policy)
    asked = replace(one, id="exit", exit_reason=ExitReason.STOP_LOSS)
    assert not outcomes_of(day, [asked], [], policy, QUICK).records
