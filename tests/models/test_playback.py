"""All sessions at once come out as one after the other does, to the cent."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as some
from market import MONDAY, PUT, SESSION, Scripted, at, market, markets, wishes
from plain_desk import PlainDesk

from errors import DataError, InternalError
from feeds.source import MemorySource
from models.playback import play
from models.session_arrays import read_sessions
from settings import Settings
from strategies.baselines import baseline, draw
from strategies.rules import Refusal
from vocabulary import ExitReason


class Dice:
    """Anything legal, close included, by the hash that the random baseline uses."""

    name = "dice"
    obeys_waits = True

    def __init__(self, actions):
        self.actions = actions

    def probabilities(self, moment):
        legal = np.cumsum(moment.mask, axis=-1)
        chosen = np.floor(draw(5, moment.session, moment.slot) * legal[..., -1])
        return ((legal > chosen[..., None]).argmax(-1)[..., None] == np.arange(self.actions)) * 1.0


def arrays(days, settings=None, **terms):
    return read_sessions(MemorySource(days), settings or Settings(), **terms)


def played(days, policy, settings=None):
    settings = settings or Settings()
    return play(policy, arrays(days, settings), settings)


POLICIES = (
    *(baseline("random"), baseline("sell_put@10:00"), baseline("sell_call@14:00")),
    *(Dice(3), Dice(4)),
)


@some.composite
def figures(draw):
    """Settings of every kind of run, most of them livelier than the defaults."""
    rules = {
        "wait_minutes": draw(some.sampled_from([(120, 180, 240), (5, 10, 15), (0, 0, 0)])),
        "stop_multiples": draw(some.sampled_from([(3, 4, 5), (1.05, 1.2, 1.3)])),
        "profit_target": draw(some.sampled_from([None, 0.3])),
        "time_exit_minutes": draw(some.sampled_from([15, 60.5, 200])),
        "hold_to_expiry": draw(some.booleans()),
        "quote_age_seconds": draw(some.sampled_from([5, 700])),
        "entry_before_close": draw(some.sampled_from([30, 2])),
        "entry_after_open": draw(some.sampled_from([30, 0])),
        "daily_loss": draw(some.sampled_from([0.02, 0.0005])),
        "small_capital_risk": draw(some.sampled_from([0.5, 1.0])),
    }
    fills = {
        "latency_seconds": draw(some.sampled_from([0, 0, 90])),
        "slippage": draw(some.sampled_from([0, 0.02])),
    }
    return Settings(
        capital=draw(some.sampled_from([63_100, 80_000, 190_000])),
        contracts=draw(some.sampled_from([1, 3])),
        rules=rules,
        fills=fills,
    )


@hypothesis_settings(max_examples=60)
@given(markets(), figures(), some.sampled_from(POLICIES))
def test_all_sessions_at_once_equal_one_row_after_the_other(sessions, settings, policy):
    days = [made.day() for made in sessions]
    result = played(days, policy, settings)
    carried = 0.0
    for d, day in enumerate(days):
        plain = PlainDesk(day, policy, settings, carried)
        carried += sum(trip.net for trip in plain.trips)
        n = len(plain.log)
        assert result.decisions.action[d, :n].tolist() == [action for _, action, _ in plain.log]
        assert result.decisions.mask[d, :n].tolist() == [mask for _, _, mask in plain.log]
        assert len(result.trips[d]) == len(plain.trips)
        for ours, theirs in zip(result.trips[d], plain.trips, strict=True):
            assert_equal(ours, theirs, day)
        assert result.net_pnl[d] == pytest.approx(sum(t.net for t in plain.trips), abs=1e-6)


def assert_equal(ours, theirs, day):
    contract = ours.contract
    assert contract.right == theirs.right
    assert contract.strike_thousandths == day.strikes[theirs.strike]
    assert contract.expiration == day.session.date
    quantity = sum(q for _, q, _ in theirs.sold)
    assert (ours.side, ours.quantity) == (-1, quantity)
    assert (ours.decided_ts, ours.exit_decided_ts) == (theirs.decided, theirs.exit_decided)
    assert (ours.entered_ts, ours.exited_ts) == (theirs.sold[0][0], theirs.bought[-1][0])
    assert (ours.exit_reason, ours.exit_was_working) == (theirs.reason, theirs.was_working)
    assert ours.entry_price == pytest.approx(theirs.entry, abs=1e-9)
    paid = sum(q * p for _, q, p in theirs.bought) / quantity
    assert ours.exit_price == pytest.approx(paid, abs=1e-9)
    assert ours.fees == pytest.approx(theirs.fees, abs=1e-9)
    assert ours.net_pnl == pytest.approx(theirs.net, abs=1e-6)
    assert ours.risk_score == pytest.approx(theirs.risk)
    assert ours.stop_multiple == theirs.multiple


def put_story():
    """A quiet session in which the 628 put goes from 2.00 to whatever a test wants."""
    made = market()
    return made.price(PUT, 628, slice(None), 2.00)


SELL_PUT_AT_TEN = Scripted(wishes((6, 2)))


class Vector(Scripted):
    """`Scripted` for many sessions at once."""

    def probabilities(self, moment):
        wish = np.array(self.wishes)[np.asarray(moment.slot)]
        legal = np.take_along_axis(moment.mask, wish[..., None], -1)[..., 0]
        return (np.where(legal, wish, 0)[..., None] == np.arange(self.actions)) * 1.0


def only_trip(made, settings=None, slots=((6, 2),), actions=3):
    result = played([made.day()], Vector(wishes(*slots), actions=actions), settings)
    (trip,) = result.trips[0]
    return trip


def test_an_entry_fills_at_the_next_snapshots_bid():
    trip = only_trip(put_story().price(PUT, 628, 31, 2.40))
    assert trip.decided_ts == at(SESSION, 30)
    assert (trip.entered_ts, trip.entry_price) == (at(SESSION, 31), 2.39)
    assert trip.mid_entry == pytest.approx(2.40)


def test_the_stop_buys_at_the_ask_after_the_snapshot_that_hit_it():
    made = put_story()
    made.price(PUT, 628, made.between(100, 390), 7.96).price(PUT, 628, 102, 9.00)
    trip = only_trip(made)
    assert (trip.entry_price, trip.stop_multiple) == (1.99, 4)
    assert trip.exit_reason is ExitReason.STOP_LOSS
    assert (trip.exit_decided_ts, trip.exited_ts) == (at(SESSION, 100), at(SESSION, 101))
    assert trip.exit_price == 7.97


def test_a_cent_below_the_stop_the_position_stays():
    made = put_story()
    trip = only_trip(made.price(PUT, 628, made.between(100, 120), 7.95))
    assert trip.exit_reason is ExitReason.TIME_EXIT


def test_the_time_exit_fills_at_its_time_not_after_it():
    trip = only_trip(put_story())
    assert trip.exit_reason is ExitReason.TIME_EXIT
    assert trip.exit_decided_ts == trip.exited_ts == at(SESSION, 375)


def test_a_position_without_a_quote_at_the_end_is_settled_at_the_official_close():
    made = replace(put_story(), official_close=626.5)
    made.quote(PUT, 628, made.between(370, 391), ask=np.nan)
    trip = only_trip(made)
    assert trip.exit_reason is ExitReason.SETTLEMENT
    assert trip.exit_was_working
    assert (trip.exit_price, trip.exited_ts) == (1.5, SESSION.close_ns)
    assert trip.exit_decided_ts is None
    assert np.isnan(trip.mid_exit)
    assert trip.fees == 1.05  # the entry's alone


def test_a_sale_beyond_the_quoted_size_fills_in_parts_and_the_rest_is_cancelled():
    made = put_story().quote(PUT, 628, slice(None), size=5)
    made.quote(PUT, 628, made.between(31, 40), size=1)
    made.quote(PUT, 628, made.between(32, 36), size=0)
    settings = Settings(capital=400_000, contracts=3)
    trip = only_trip(made, settings)
    assert trip.quantity == 1
    sold_twice = made.quote(PUT, 628, made.between(33, 34), size=1)
    trip = only_trip(sold_twice, settings)
    assert trip.quantity == 2
    assert trip.fees == pytest.approx((1.30 + 0.10) * 2)


def test_the_model_may_close_and_then_waits_before_it_sells_again():
    slots = ((6, 2), (10, 3), (11, 2), (29, 2), (30, 2))
    result = played([market().day()], Vector(wishes(*slots), actions=4))
    first, second = result.trips[0]
    assert first.exit_reason is ExitReason.MODEL
    assert first.exited_ts == at(SESSION, 51)
    assert second.decided_ts == at(SESSION, 150)  # two hours after 10:00


def test_the_daily_loss_ends_the_selling_of_the_day():
    made = put_story()
    made.price(PUT, 628, made.between(40, 50), 8.20)
    figures = {"wait_minutes": (0, 0, 0)}
    result = played([made.day()], Vector([2] * 79), Settings(rules=figures))
    assert len(result.trips[0]) > 1
    limited = Settings(rules=figures | {"daily_loss": 0.005})
    result = played([made.day()], Vector([2] * 79), limited)
    assert len(result.trips[0]) == 1
    assert (result.decisions.refusal[0, 9:] == Refusal.DAILY_LOSS).all()


def test_a_loss_at_a_single_snapshot_counts_though_the_trade_ends_well():
    made = put_story().price(PUT, 628, 60, 6.20)
    limited = Settings(rules={"daily_loss": 0.005, "wait_minutes": (0, 0, 0)})
    policy = Vector(wishes((6, 2), (12, 3), (14, 2)), actions=4)
    result = played([made.day()], policy, limited)
    (trip,) = result.trips[0]
    assert trip.exit_price == 2.01
    assert (result.decisions.refusal[0, 13:] == Refusal.DAILY_LOSS).all()


def test_the_daily_loss_cancels_the_rest_of_an_entry():
    made = put_story().quote(PUT, 628, slice(None), size=9)
    made.quote(PUT, 628, made.between(31, 34), size=1).quote(PUT, 628, slice(32, 34), size=0)
    made.price(PUT, 628, 33, 4.20)
    figures = {"contracts": 3, "capital": 400_000}
    assert only_trip(made, Settings(**figures)).quantity > 1
    assert only_trip(made, Settings(**figures, rules={"daily_loss": 0.0005})).quantity == 1


def test_a_mark_that_is_too_old_refuses_the_decision_but_not_the_stop():
    made = put_story()
    made.quote(PUT, 628, 60, ask=np.nan)  # a decision row; the mark is a minute old
    made.price(PUT, 628, made.between(61, 66), 8.20)
    days, policy = [made.day()], Vector(wishes((6, 2), (12, 3)), actions=4)
    strict = played(days, policy)
    assert np.isnan(strict.decisions.features[0, 12, 4])
    assert strict.decisions.mask[0, 12].tolist() == [True, False, False, False]
    assert strict.trips[0][0].exit_reason is ExitReason.STOP_LOSS
    lenient = played(days, policy, Settings(rules={"quote_age_seconds": 60}))
    assert lenient.decisions.features[0, 12, 4] == pytest.approx(-0.001)  # sold at 1.99, mid 2.00
    assert lenient.trips[0][0].exit_reason is ExitReason.MODEL


def test_earlier_losses_count_against_the_capital():
    lost = put_story().price(PUT, 628, slice(100, None), 6.20)
    after = market(session=MONDAY).price(PUT, 628, slice(None), 2.00)
    days = [lost.day(), after.day()]
    enough = played(days, Vector(wishes((6, 2))), Settings(capital=63_300))
    assert [len(trips) for trips in enough.trips] == [1, 1]
    result = played(days, Vector(wishes((6, 2))), Settings(capital=63_000))
    assert [len(trips) for trips in result.trips] == [1, 0]
    assert result.capital_refusals > 0
    assert result.rounds > 1


@pytest.mark.parametrize("row", [31, 62, 215, 300])
def test_nothing_after_a_snapshot_changes_what_happened_before(row):
    settings = Settings(rules={"wait_minutes": (5, 5, 5)})
    rng = np.random.default_rng(row)
    spot = 628 + np.cumsum(rng.normal(0, 0.2, 390))
    made = market(spot=spot, strikes=range(615, 641))
    other = market(
        spot=np.where(np.arange(390) > row, spot + rng.normal(0, 3, 390), spot),
        strikes=range(615, 641),
        official_close=700.0,
    )
    other.bid[: row + 1], other.ask[: row + 1] = made.bid[: row + 1], made.ask[: row + 1]
    other.ask_size[row + 1 :] = 1
    before, after = (played([m.day()], Dice(4), settings) for m in (made, other))
    known = int(np.searchsorted(np.arange(0, 390, 5), row, side="right"))
    for name in ("features", "action", "mask", "refusal", "probabilities"):
        first, second = (getattr(p.decisions, name)[0, :known] for p in (before, after))
        np.testing.assert_array_equal(first, second)
    limit = at(SESSION, row)
    past = [[t for t in p.trips[0] if t.exited_ts <= limit] for p in (before, after)]
    assert past[0] == past[1]
    assert before.net_pnl != after.net_pnl


def test_a_session_without_an_official_close_is_skipped_and_named():
    made = market(session=MONDAY)
    made.official_close = None
    stacked = arrays([market().day(), made.day()])
    assert [session.date for session in stacked.sessions] == [SESSION.date]
    assert stacked.skipped[0].date == MONDAY.date
    assert "official close" in stacked.skipped[0].reason


def test_no_usable_session_at_all_is_an_error_in_one_line():
    made = market()
    made.official_close = None
    with pytest.raises(DataError, match="holds no session that can be used"):
        arrays([made.day()])


def test_arrays_of_other_rules_are_refused():
    stacked = arrays([market().day()])
    with pytest.raises(InternalError, match="other rules"):
        play(baseline("hold"), stacked, Settings(rules={"decision_minutes": 10}))
