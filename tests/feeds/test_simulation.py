"""What the simulated market promises whoever uses it as a source of sessions."""

from datetime import date
from itertools import pairwise

import numpy as np
import pytest

from errors import DataError, SettingError
from feeds.chain import ChainDay
from feeds.contract import Right
from feeds.sessions import Session, session_on, sessions_between
from feeds.simulation import MarketFaults, SimulatedMarket, default_sessions
from feeds.simulation.paths import announcement_days

DAY = session_on(date(2026, 10, 14))
HALF_DAY = session_on(date(2026, 11, 27))
ANNOUNCEMENT = session_on(date(2026, 7, 29))


def one(session: Session = DAY, **options: object) -> ChainDay:
    return SimulatedMarket([session], **options).load(0)  # type: ignore[arg-type]


def assert_equal_days(left: ChainDay, right: ChainDay) -> None:
    assert left.session == right.session
    assert left.official_close == right.official_close
    names = ("ts", "spot", "underlying_bid", "underlying_ask", "strikes")
    for name in (*names, "bid", "ask", "bid_size", "ask_size"):
        np.testing.assert_array_equal(getattr(left, name), getattr(right, name), err_msg=name)


def test_a_day_is_the_same_whatever_range_it_is_asked_in() -> None:
    short = SimulatedMarket([DAY])
    long = SimulatedMarket(sessions_between(date(2026, 9, 28), date(2026, 10, 30)))
    index = list(long.sessions).index(DAY)
    long.load(0)
    assert_equal_days(short.load(0), long.load(index))


def test_a_seed_repeats_and_another_seed_does_not() -> None:
    assert_equal_days(one(seed=1), one(seed=1))
    assert not np.array_equal(one(seed=1).spot, one(seed=0).spot)


def test_numpys_global_random_state_is_neither_read_nor_moved() -> None:
    np.random.seed(1)
    before = np.random.get_state()[1].copy()  # type: ignore[index,union-attr]
    first = one()
    np.testing.assert_array_equal(before, np.random.get_state()[1])  # type: ignore[index]
    np.random.seed(2)
    assert_equal_days(first, one())


def test_the_price_goes_on_where_it_stopped_the_day_before() -> None:
    market = SimulatedMarket(default_sessions(250))
    spots = [market.clock(i)[1] for i in range(250)]
    gaps = [np.log(today[0] / before[-1]) for before, today in pairwise(spots)]
    assert 0.004 < np.std(gaps) < 0.012
    assert np.abs(gaps).max() < 0.06


def test_the_level_suits_an_account_of_80_000_dollars() -> None:
    for seed in (0, 1):
        market = SimulatedMarket(sessions_between(date(2024, 1, 2), date(2027, 12, 31)), seed=seed)
        spots = np.array([market.clock(i)[1][-1] for i in range(0, len(market.sessions), 5)])
        assert 520 < spots.min() < spots.max() < 780
    autumn = SimulatedMarket(default_sessions(20)).clock(10)[1]
    assert autumn.mean() == pytest.approx(690, rel=0.08)


def test_the_clock_tells_the_same_instants_and_spots_as_the_day() -> None:
    for faults in (MarketFaults(), MarketFaults(gaps=3)):
        market = SimulatedMarket([DAY, HALF_DAY], faults=faults)
        for index in (0, 1):
            ts, spot = market.clock(index)
            day = market.load(index)
            np.testing.assert_array_equal(ts, day.ts)
            np.testing.assert_array_equal(spot, day.spot)


def test_a_day_has_a_row_a_minute_from_the_open_to_the_close() -> None:
    day = one()
    assert len(day) == day.recorded == 391
    np.testing.assert_array_equal(day.since_open, np.arange(391))
    assert day.ts[-1] == DAY.close_ns


def test_a_half_day_ends_at_one_o_clock_like_any_other_close() -> None:
    day = one(HALF_DAY)
    assert len(day) == 211
    assert day.ts[-1] == HALF_DAY.close_ns
    assert day.flags == ("half day",)
    late, noon = day.atm_iv[195], day.atm_iv[105]
    assert late > noon


def test_it_says_that_it_is_simulated() -> None:
    market = SimulatedMarket([DAY], seed=1)
    assert market.label == "simulated market, seed 1"
    assert (market.underlying, market.skipped) == ("SPY", ())
    day = market.load(0)
    assert (day.source, day.spot_source) == ("simulated", "simulated")
    assert day.close_source == "simulated closing print"
    assert day.official_close == day.spot[-1]


def test_longer_steps_are_the_same_day_seen_less_often() -> None:
    minutes, fives = one(), one(step_minutes=5)
    np.testing.assert_array_equal(fives.ts, minutes.ts[::5])
    np.testing.assert_array_equal(fives.bid, minutes.bid[::5])
    sevens = one(step_minutes=7)
    assert sevens.ts[-1] == DAY.close_ns


def test_prices_are_whole_cents_and_spot_is_a_side_of_its_market() -> None:
    day = one()
    for prices in (day.spot, day.underlying_bid, day.underlying_ask, day.bid, day.ask):
        np.testing.assert_array_equal(prices, np.round(prices, 2))
    np.testing.assert_allclose(day.underlying_ask - day.underlying_bid, 0.01, atol=1e-9)
    assert np.all((day.spot == day.underlying_bid) | (day.spot == day.underlying_ask))


def test_strikes_are_a_dollar_apart_and_reach_five_percent_beyond_the_day() -> None:
    day = one()
    assert set(np.diff(day.strikes)) == {1000}
    assert day.strikes[0] / 1000 == pytest.approx(day.spot.min() * 0.95, abs=1)
    assert day.strikes[-1] / 1000 == pytest.approx(day.spot.max() * 1.05, abs=1)
    narrow = one(strikes_within=0.01)
    assert narrow.strikes.size < day.strikes.size / 2


def test_nobody_can_trade_two_or_three_quotes_for_a_sure_profit() -> None:
    for session in (DAY, ANNOUNCEMENT, HALF_DAY):
        day = one(session)
        (call_bid, put_bid), (call_ask, put_ask) = (
            (quotes[:, Right.CALL], quotes[:, Right.PUT]) for quotes in (day.bid, day.ask)
        )
        cent = 1e-9
        assert not np.any(call_bid[:, 1:] > call_ask[:, :-1] + cent)
        assert not np.any(put_bid[:, :-1] > put_ask[:, 1:] + cent)
        assert not np.any(call_bid[:, :-1] - call_ask[:, 1:] > 1 + cent)
        assert not np.any(put_bid[:, 1:] - put_ask[:, :-1] > 1 + cent)
        butterfly = 2 * day.bid[:, :, 1:-1] - day.ask[:, :, :-2] - day.ask[:, :, 2:]
        assert not np.any(butterfly > cent)


def test_put_call_parity_holds_at_executable_prices_within_a_tick() -> None:
    day = one()
    strikes = day.strikes / 1000
    conversion = day.bid[:, 0] - day.ask[:, 1] - (day.underlying_ask[:, None] - strikes)
    reversal = day.bid[:, 1] - day.ask[:, 0] + (day.underlying_bid[:, None] - strikes)
    for profit in (conversion, reversal):
        assert profit.max() < 0.0101
        assert np.mean(profit > 1e-9) < 1e-4


def test_a_bid_is_zero_if_and_only_if_the_ask_is_a_penny() -> None:
    for session in (DAY, ANNOUNCEMENT):
        day = one(session)
        zero = day.bid == 0
        np.testing.assert_array_equal(zero, day.ask == 0.01)
        assert not day.bid_size[zero].any()
        assert np.all(day.ask >= day.bid)
        assert np.all(day.ask_size >= 1)


def test_the_last_two_rows_are_quoted_too_wide_to_mark_by() -> None:
    day = one()
    k = int(np.abs(day.strikes / 1000 - day.spot[-1]).argmin()) + np.array([-3, 3])
    inside = day.ask[:, [0, 1], k] - day.bid[:, [0, 1], k]
    assert inside[-1].min() > 0.3
    assert inside[-2].min() > 0.05
    assert np.median(inside[300:380]) < 0.2


def test_announcements_move_volatility_and_spreads_at_two_o_clock() -> None:
    assert [day.month for day in announcement_days(2026)] == [1, 3, 4, 6, 7, 9, 10, 12]
    assert ANNOUNCEMENT.date in announcement_days(2026)
    widths, before, after = [], [], []
    for day in announcement_days(2025) + announcement_days(2026):
        chain = one(session_on(day))
        atm = chain.atm_index[270, Right.PUT]
        widths.append(chain.ask[270, 1, atm] - chain.bid[270, 1, atm])
        before.append(chain.atm_iv[265] / chain.atm_iv[30])
        after.append(chain.atm_iv[275] / chain.atm_iv[265])
    assert 0.10 < np.median(widths) < 0.30
    assert max(widths) < 0.60
    assert 1.3 < np.median(before) < 2.0
    assert 0.65 < np.median(after) < 0.9


def test_gaps_drop_minutes_but_never_the_first_or_the_last() -> None:
    clean, gappy = one(), one(faults=MarketFaults(gaps=4))
    assert len(gappy) < len(clean) - 20
    assert (gappy.ts[0], gappy.ts[-1]) == (clean.ts[0], clean.ts[-1])
    rows = np.isin(clean.ts, gappy.ts)
    np.testing.assert_array_equal(gappy.bid, clean.bid[rows])
    assert np.diff(gappy.since_open).max() >= 8


def test_crossed_openings_are_no_quotes_and_end_at_0934() -> None:
    clean, crossed = one(), one(faults=MarketFaults(crossed_opening=0.5))
    missing = np.isnan(crossed.bid)
    tradable = clean.bid[:4] > 0.05
    assert 0.4 < missing[:4][tradable].mean() < 0.6
    assert not missing[4:].any()


def test_missing_strikes_leave_steps_of_three_and_five_dollars() -> None:
    market = SimulatedMarket(default_sessions(12), faults=MarketFaults(missing_strikes=2))
    steps = np.concatenate([np.diff(market.load(i).strikes) for i in range(12)])
    assert {1000, 3000, 5000} <= set(steps)


def test_silent_contracts_have_neither_price_nor_size() -> None:
    day = one(faults=MarketFaults(silent_contracts=0.1))
    silent = np.isnan(day.bid)
    np.testing.assert_array_equal(silent, np.isnan(day.ask))
    assert silent.mean() == pytest.approx(0.1, abs=0.01)
    assert not day.bid_size[silent].any()
    assert not day.ask_size[silent].any()


def test_faults_spoil_quotes_and_never_move_the_market() -> None:
    faults = MarketFaults(crossed_opening=0.2, silent_contracts=0.1)
    clean, spoiled = one(), one(faults=faults)
    np.testing.assert_array_equal(clean.spot, spoiled.spot)
    kept = ~np.isnan(spoiled.bid)
    np.testing.assert_array_equal(clean.bid[kept], spoiled.bid[kept])


@pytest.mark.parametrize(
    "options",
    [{"seed": -1}, {"step_minutes": 0.5}, {"step_minutes": 2.5}, {"strikes_within": 0.0}],
)
def test_options_that_cannot_be_simulated_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(SettingError, match=next(iter(options))):
        SimulatedMarket([DAY], **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("fault", [{"gaps": -1}, {"silent_contracts": 1.5}])
def test_faults_that_cannot_be_drawn_are_refused(fault: dict[str, float]) -> None:
    with pytest.raises(SettingError, match=next(iter(fault))):
        MarketFaults(**fault)  # type: ignore[arg-type]


def test_days_before_2021_are_refused_by_name() -> None:
    market = SimulatedMarket([session_on(date(2020, 12, 31))])
    with pytest.raises(DataError, match="2020-12-31 cannot be simulated"):
        market.clock(0)
