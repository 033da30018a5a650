"""A session as arrays and one instant of it: the closing row, what a snapshot shows and hides."""

from dataclasses import fields, replace
from datetime import date
from typing import Any

import numpy as np
import pytest

from feeds.chain import ChainDay, chain_day
from feeds.contract import Contract, Right
from feeds.option_maths import option_price, year_fraction
from feeds.quotes import UNLIMITED_SIZE
from feeds.sessions import NANOSECONDS_A_MINUTE, session_on
from feeds.snapshot import NO_QUOTE, ChainSnapshot, Quote

SESSION = session_on(date(2026, 10, 30))
STRIKES = 628_000 + 1_000 * np.arange(-8, 9)
ROWS = 6


def day(last_minute: float = 380.0, **changes: Any) -> ChainDay:
    """Six instants, the last at `last_minute`, quoted two cents wide around 18 % volatility."""
    minutes = np.append(97.5 + np.arange(ROWS - 1), last_minute)
    ts = SESSION.open_ns + np.rint(minutes * NANOSECONDS_A_MINUTE).astype(np.int64)
    spot = 628.5 + 0.3 * np.arange(ROWS)
    years = year_fraction(390 - minutes, "calendar")[:, None, None]
    call = np.array([True, False])[:, None]
    mid = option_price(spot[:, None, None] + 0.01, STRIKES / 1000, years, 0.18, call)
    bid = np.floor(mid * 100) / 100
    facts: dict[str, Any] = {"ts": ts, "spot": spot, "strikes": STRIKES}
    facts |= {"session": SESSION, "underlying": "SPY", "source": "recorded", "bid": bid}
    facts |= {"ask": bid + 0.02, "official_close": 630.0, **changes}
    return chain_day(**facts)


def contract(strike: float, right: Right = Right.PUT, expiration: date = SESSION.date) -> Contract:
    return Contract("SPY", expiration, round(strike * 1000), right)


# --- building a day ------------------------------------------------------------------------------


def test_a_closing_row_without_quotes_is_added_where_it_is_missing() -> None:
    chain = day()
    assert (len(chain), chain.recorded) == (ROWS + 1, ROWS)
    assert chain.ts[-1] == SESSION.close_ns
    assert chain.spot[-1] == chain.spot[-2]
    assert np.isnan(chain.bid[-1]).all()
    assert np.isnan(chain.ask[-1]).all()
    assert np.isnan(chain.underlying_bid).all()
    assert (chain.bid_size[-1] == 0).all()
    assert (chain.ask_size[:-1] == UNLIMITED_SIZE).all()
    assert np.isnan(chain.atm_iv[-1])


def test_a_closing_row_that_was_recorded_is_kept_as_it_is() -> None:
    chain = day(last_minute=390.0)
    assert (len(chain), chain.recorded) == (ROWS, ROWS)
    assert np.isfinite(chain.bid[-1]).any()
    assert chain.until_close[-1] == 0


def test_a_day_without_snapshots_is_its_close_alone() -> None:
    nothing = np.empty((0, 2, STRIKES.size))
    chain = day(ts=np.empty(0, np.int64), spot=np.empty(0), bid=nothing, ask=nothing)
    assert (len(chain), chain.recorded) == (1, 0)
    assert np.isnan(chain.spot[0])
    assert np.isnan(chain.forward[0])
    assert ChainSnapshot(chain, 0).atm(Right.CALL) is None


def test_crossed_quotes_are_cleaned_while_a_day_is_built() -> None:
    bid = day().bid[:ROWS].copy()
    ask = bid + 0.02
    ask[2, Right.PUT, 8] = bid[2, Right.PUT, 8] - 0.01
    chain = day(bid=bid, ask=ask)
    assert np.isnan(chain.bid[2, Right.PUT, 8])
    assert np.isfinite(chain.bid[2, Right.CALL, 8])


def test_sizes_of_the_source_are_kept_contract_by_contract() -> None:
    sizes = np.arange(ROWS * 2 * STRIKES.size, dtype=np.int32).reshape(ROWS, 2, STRIKES.size)
    chain = day(bid_size=sizes, ask_size=sizes + 1)
    np.testing.assert_array_equal(chain.bid_size[:ROWS], sizes)
    np.testing.assert_array_equal(chain.ask_size[:ROWS], sizes + 1)
    assert chain.ask_size.dtype == np.int32


def test_clocks_and_years_follow_the_session_and_the_convention() -> None:
    chain = day(year_convention="vendor")
    assert chain.since_open[0] == 97.5
    assert chain.until_close[0] == 292.5
    assert chain.years[0] == (292.5 + 30) / 525_600


# --- a snapshot ----------------------------------------------------------------------------------


def test_a_snapshot_shows_its_own_row() -> None:
    chain = day()
    for row in range(len(chain)):
        shot = ChainSnapshot(chain, row)
        assert shot.ts == chain.ts[row]
        assert shot.spot == chain.spot[row]
        assert shot.minutes_since_open + shot.minutes_until_close == pytest.approx(390)
        assert shot.forward == chain.forward[row]
        assert shot.years == chain.years[row]
        np.testing.assert_array_equal(shot.atm_iv, chain.atm_iv[row])
        np.testing.assert_array_equal(shot.bid, chain.bid[row])
    assert f"{ChainSnapshot(chain, 0).time:%H:%M:%S%z}" == "11:07:30-0400"


def test_a_quote_is_the_one_of_its_contract_at_that_instant() -> None:
    chain, k = day(), int(np.flatnonzero(STRIKES == 628_000)[0])
    for row in range(ROWS):
        bid, ask = chain.bid[row, Right.PUT, k], chain.ask[row, Right.PUT, k]
        unlimited = (UNLIMITED_SIZE, UNLIMITED_SIZE)
        expected = Quote(bid, ask, *unlimited, pytest.approx((bid + ask) / 2))
        assert ChainSnapshot(chain, row).quote(contract(628)) == expected


@pytest.mark.parametrize(
    "foreign",
    [
        contract(628, expiration=date(2026, 11, 2)),
        replace(contract(628), underlying="QQQ"),
        contract(700),
        contract(628.5),
    ],
    ids=["another day", "another underlying", "no such strike", "between strikes"],
)
def test_a_contract_that_is_not_of_this_chain_has_no_quote(foreign: Contract) -> None:
    assert ChainSnapshot(day(), 0).quote(foreign) is NO_QUOTE


def test_the_contract_at_the_money_is_a_quoted_one_or_none() -> None:
    chain = day()
    assert ChainSnapshot(chain, 0).atm(Right.PUT) == contract(628)
    assert ChainSnapshot(chain, 0).atm(Right.CALL) == contract(628, Right.CALL)
    assert ChainSnapshot(chain, ROWS).atm(Right.PUT) is None


def test_a_snapshot_cannot_see_the_official_close() -> None:
    shot = ChainSnapshot(day(), 2)
    assert not hasattr(shot, "official_close")
    assert shot.chain().official_close is None
    shown = [getattr(shot, name) for name in dir(shot) if not name.startswith("_")]
    assert 630.0 not in [value for value in shown if isinstance(value, float)]


def visible(shot: ChainSnapshot) -> list[object]:
    """All that a snapshot tells about itself, in comparable form."""
    names = ("ts", "time", "session", "spot", "atm_iv", "forward", "years", "bid", "ask", "source")
    told = [getattr(shot, name) for name in names]
    told += [shot.atm(right) for right in Right] + list(shot.greeks())
    told += [shot.quote(contract(strike / 1000, right)) for strike in STRIKES for right in Right]
    return [
        repr(np.asarray(item).tolist() if isinstance(item, np.ndarray) else item) for item in told
    ]


@pytest.mark.parametrize("row", range(ROWS))
def test_nothing_later_changes_what_a_snapshot_shows(row: int) -> None:
    chain = day()
    spot, bid = chain.spot[:ROWS].copy(), chain.bid[:ROWS].copy()
    spot[row + 1 :] += 20
    bid[row + 1 :] = np.nan
    changes: dict[str, Any] = {"spot": spot, "bid": bid, "official_close": None}
    changed = day(last_minute=385.0 if row < ROWS - 1 else 380.0, flags=("thin",), **changes)
    assert visible(ChainSnapshot(changed, row)) == visible(ChainSnapshot(chain, row))


# --- one instant as a day of its own -------------------------------------------------------------


@pytest.mark.parametrize("row", range(ROWS + 1))
def test_a_row_equals_the_day_at_that_row(row: int) -> None:
    chain = day(flags=("thin",))
    one = chain.row(row)
    assert (len(one), one.recorded, one.flags) == (1, 1, ())
    by_time = ("ts", "spot", "bid", "ask", "bid_size", "ask_size", "since_open", "until_close")
    for name in (*by_time, "years", "forward", "atm_index", "atm_iv"):
        np.testing.assert_array_equal(getattr(one, name)[0], getattr(chain, name)[row], name)
    for name in ("session", "underlying", "source", "year_convention"):
        assert getattr(one, name) == getattr(chain, name)


def test_a_row_shares_no_cache_with_its_day() -> None:
    chain = day()
    before = ChainSnapshot(chain, 3).quote(contract(628))
    one = ChainSnapshot(chain, 3).chain()
    assert ChainSnapshot(one, 0).quote(contract(628)) == before
    assert chain.row(4).mid.shape == (1, *chain.mid.shape[1:])
    assert {field.name for field in fields(one)} >= {"spot", "bid", "official_close"}


def test_contracts_of_the_axes_are_found_back_by_their_strike() -> None:
    chain = day()
    for k, strike in enumerate(STRIKES):
        assert chain.contract(Right.CALL, k) == contract(strike / 1000, Right.CALL)
        assert chain.strike_index[int(strike)] == k
