"""Time to expiry, parity forward, at-the-money strike and the volatilities of whole chains."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as some
from hypothesis.extra import numpy as arrays

from errors import SettingError
from feeds import quotes
from feeds.option_maths import (
    atm_index,
    atm_volatility,
    chain_greeks,
    greeks_at,
    implied_volatility,
    option_price,
    parity_forward,
    year_fraction,
)

Floats = npt.NDArray[np.float64]
CALL, PUT = 0, 1
RIGHTS = np.array([True, False])[:, None]


@dataclass
class Market:
    """Quotes of a chain; `thousandths` and `strikes` are the same strikes in two units."""

    spot: Floats
    thousandths: npt.NDArray[np.int64]
    strikes: Floats
    bid: Floats
    ask: Floats
    years: Floats

    def forward(self) -> Floats:
        return parity_forward(self.spot, self.strikes, self.bid, self.ask)

    def nearest(self) -> npt.NDArray[np.int64]:
        return atm_index(self.spot, self.thousandths, self.bid, self.ask)

    def volatility(self) -> Floats:
        return atm_volatility(
            self.forward(), self.strikes, self.bid, self.ask, self.years, self.nearest()
        )


def market(
    rows: int = 20, strikes: int = 41, volatility: float = 0.2, half: float = 0.01
) -> Market:
    """Quotes `half` a spread around Black-76 at a forward two cents above a wandering spot."""
    spot = 600.13 + np.cumsum(np.random.default_rng(3).normal(0, 0.4, rows))
    thousandths = 600_000 + 1_000 * np.arange(-(strikes // 2), strikes - strikes // 2)
    years = year_fraction(np.linspace(390, 30, rows), "calendar")
    forward = spot[:, None, None] + 0.02
    mid = option_price(forward, thousandths / 1000, years[:, None, None], volatility, RIGHTS)
    bid = np.where(mid > half, mid - half, np.nan)
    return Market(spot, thousandths, thousandths / 1000, bid, mid + half, years)


# --- years ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("convention", "minutes", "years"),
    [
        ("calendar", 390, 390 / 525_600),
        ("calendar", 0.2, 1 / 525_600),
        ("trading", 390, 1 / 252),
        ("trading", -5, 1 / (252 * 390)),
        ("t252", 390, 1 / 252),
        ("t252", 0, 1 / 252),
        ("vendor", 60, 90 / 525_600),
        ("vendor", 0, 31 / 525_600),
    ],
)
def test_every_convention_floors_the_time_at_one_minute(
    convention: str, minutes: float, years: float
) -> None:
    found = year_fraction(np.full((2, 3), minutes), convention)
    np.testing.assert_allclose(found, np.full((2, 3), years), rtol=1e-15)


def test_an_unknown_convention_is_a_setting_error_that_names_the_known_ones() -> None:
    with pytest.raises(SettingError, match=r"'act365' is unknown.*calendar, trading, t252"):
        year_fraction(np.array([60.0]), "act365")


# --- forward -------------------------------------------------------------------------------------


def test_exact_mids_give_the_exact_forward() -> None:
    chain = market(half=0.001)
    np.testing.assert_allclose(chain.forward(), chain.spot + 0.02, atol=1e-10)


def forward_by_hand(chain: Market, row: int) -> float:
    """The rule of `parity_forward`, strike by strike."""
    centre = int(np.argmin(np.abs(chain.strikes - chain.spot[row])))
    total = weighted = 0.0
    for k in range(max(centre - 5, 0), min(centre + 6, chain.strikes.size)):
        mids = quotes.mid(chain.bid[row, :, k], chain.ask[row, :, k])
        if np.isnan(mids).any():
            continue
        width = float((chain.ask[row, :, k] - chain.bid[row, :, k]).sum())
        weight = 1 / max(width, 0.01) ** 2
        total += weight
        weighted += weight * (chain.strikes[k] + mids[CALL] - mids[PUT])
    return float(weighted / total) if total else float(chain.spot[row])


@given(some.integers(0, 2**32 - 1), some.sampled_from([1, 2, 7, 12, 41]))
def test_the_forward_follows_its_rule_on_ragged_chains(seed: int, strikes: int) -> None:
    random, chain = np.random.default_rng(seed), market(6, strikes)
    chain.spot += random.uniform(-30, 30)
    chain.ask += random.integers(0, 30, chain.ask.shape) / 100
    chain.bid[random.random(chain.bid.shape) < random.random()] = np.nan
    by_hand = [forward_by_hand(chain, row) for row in range(6)]
    np.testing.assert_allclose(chain.forward(), by_hand, rtol=1e-12)


def test_a_wide_quote_hardly_moves_the_forward() -> None:
    chain = market()
    chain.ask[:, CALL, 20] += 5.0
    np.testing.assert_allclose(chain.forward(), chain.spot + 0.02, atol=1e-4)


def test_locked_quotes_count_as_a_cent_wide() -> None:
    chain = market(half=0.0)
    np.testing.assert_allclose(chain.forward(), chain.spot + 0.02, atol=1e-10)


def test_the_forward_is_spot_where_no_strike_has_both_mids() -> None:
    chain = market()
    chain.bid[3] = chain.ask[3] = np.nan
    chain.bid[4, PUT] = np.nan
    forward = chain.forward()
    np.testing.assert_array_equal(forward[3:5], chain.spot[3:5])
    assert forward[5] == pytest.approx(chain.spot[5] + 0.02)


def test_without_a_spot_the_quotes_alone_find_the_forward() -> None:
    chain = market(half=0.001)
    expected = chain.spot + 0.02
    chain.spot = np.where(np.arange(chain.spot.size) % 2 == 0, np.nan, chain.spot)
    chain.bid[2] = np.nan
    found = chain.forward()
    assert np.isnan(found[2])
    np.testing.assert_allclose(np.delete(found, 2), np.delete(expected, 2), atol=1e-10)


# --- the strike at the money ---------------------------------------------------------------------


def nearest_by_hand(chain: Market, row: int, right: int) -> int:
    """The strike nearest to spot that has a mid, the lower one on a tie, by looking at all."""
    known = np.flatnonzero(~np.isnan(quotes.mid(chain.bid[row, right], chain.ask[row, right])))
    spot = round(float(chain.spot[row]) * 1000)
    return int(min(known, key=lambda k: (abs(int(chain.thousandths[k]) - spot), k), default=-1))


@given(
    steps=some.lists(some.sampled_from([500, 1000, 3000, 25_000]), min_size=0, max_size=40),
    spot=arrays.arrays(np.int64, 5, elements=some.integers(590_000, 720_000)),
    quoted=some.floats(0, 1),
    seed=some.integers(0, 2**32 - 1),
)
def test_the_money_is_found_on_irregular_and_ragged_chains(
    steps: list[int], spot: npt.NDArray[np.int64], quoted: float, seed: int
) -> None:
    thousandths = 600_000 + np.cumsum([0, *steps])
    gone = np.random.default_rng(seed).random((5, 2, thousandths.size)) >= quoted
    bid = np.where(gone, np.nan, 1.0)
    chain = Market(spot / 1000, thousandths, thousandths / 1000, bid, bid + 0.02, np.ones(5))
    by_hand = [[nearest_by_hand(chain, row, right) for right in (CALL, PUT)] for row in range(5)]
    np.testing.assert_array_equal(chain.nearest(), by_hand)


def test_the_lower_strike_wins_a_tie() -> None:
    chain = market(3)
    chain.spot = np.array([600.5, 600.500001, 600.499999])
    np.testing.assert_array_equal(chain.nearest(), [[20, 20], [21, 21], [20, 20]])


@pytest.mark.parametrize(
    ("quoted", "expected"),
    [
        ([0], 0),  # only the far ends
        ([40], 40),
        ([0, 40], 40),  # 20.13 below, 19.87 above
        ([14, 25], 25),  # 25 is within five strikes of spot, 14 is not and is farther
        ([], -1),
    ],
)
def test_far_strikes_count_where_no_near_one_is_quoted(quoted: list[int], expected: int) -> None:
    chain = market(2)
    chain.spot[:] = 600.13
    gone = np.setdiff1d(np.arange(41), quoted)
    chain.bid[1, CALL], chain.ask[1, CALL] = 1.0, 1.02
    chain.bid[1, CALL, gone] = np.nan
    assert chain.nearest()[1, CALL] == expected
    assert chain.nearest()[0, CALL] == 20


def test_a_near_strike_beyond_the_window_beats_a_far_one_within_it() -> None:
    thousandths = np.array([*range(594_000, 600_001, 1_000), 640_000])
    bid = np.full((1, 2, thousandths.size), np.nan)
    bid[:, :, [0, 7]] = 1.0
    spot, strikes = np.array([600.0]), thousandths / 1000
    chain = Market(spot, thousandths, strikes, bid, bid + 0.02, np.ones(1))
    np.testing.assert_array_equal(chain.nearest(), [[0, 0]])


def test_binary_dust_decides_no_tie() -> None:
    thousandths = np.array([512_002, 512_003])
    spot, bid = np.array([512.0025]), np.ones((1, 2, 2))
    assert spot * 1000 > 512_002.5
    chain = Market(spot, thousandths, thousandths / 1000, bid, bid, np.ones(1))
    np.testing.assert_array_equal(chain.nearest(), [[0, 0]])


def test_without_a_quote_or_a_spot_there_is_no_strike_at_the_money() -> None:
    chain = market(3)
    chain.bid[0, CALL] = np.nan
    chain.spot[1] = np.nan
    found = chain.nearest()
    assert found[0, CALL] == -1
    assert found[0, PUT] >= 0
    np.testing.assert_array_equal(found[1], [-1, -1])


# --- volatility at the money ---------------------------------------------------------------------


def test_the_volatility_of_the_quotes_comes_back() -> None:
    np.testing.assert_allclose(market(half=0.001).volatility(), 0.2, atol=1e-9)


def test_the_out_of_the_money_side_alone_decides() -> None:
    chain = market()
    expected = chain.volatility()
    forward, nearest = chain.forward(), chain.nearest()
    for row, k in enumerate(nearest[:, CALL]):
        inside = PUT if chain.strikes[k] >= forward[row] else CALL
        chain.bid[row, inside, k] -= 0.3  # an in-the-money quote below intrinsic is common
        chain.ask[row, inside, k] -= 0.3
    found = atm_volatility(forward, chain.strikes, chain.bid, chain.ask, chain.years, nearest)
    np.testing.assert_array_equal(found, expected)


def test_the_other_side_stands_in_where_the_out_of_the_money_side_has_no_answer() -> None:
    chain = market(half=0.001)
    forward, nearest = chain.forward(), chain.nearest()
    for row, k in enumerate(nearest[:, CALL]):
        outside = CALL if chain.strikes[k] >= forward[row] else PUT
        chain.bid[row, outside, k] = np.nan
    found = atm_volatility(forward, chain.strikes, chain.bid, chain.ask, chain.years, nearest)
    np.testing.assert_allclose(found, 0.2, atol=1e-9)


def test_it_is_the_mean_of_the_two_rights_or_the_one_there_is() -> None:
    chain = market(4, half=0.001)
    forward, nearest = chain.forward(), chain.nearest()
    forward[:], chain.years[:] = forward[0], chain.years[0]
    smile = option_price(
        forward[0], chain.strikes, chain.years[0], 0.2 + 0.01 * np.arange(41), RIGHTS
    )
    chain.bid[:], chain.ask[:] = smile, smile
    nearest[:] = [[22, 18], [22, -1], [-1, 18], [-1, -1]]
    found = atm_volatility(forward, chain.strikes, chain.bid, chain.ask, chain.years, nearest)
    np.testing.assert_allclose(found, [0.40, 0.42, 0.38, np.nan], atol=1e-9)


# --- Greeks of the chain -------------------------------------------------------------------------


def test_both_rights_share_the_volatility_of_the_out_of_the_money_side() -> None:
    chain = market()
    forward = chain.forward()
    found = chain_greeks(forward, chain.strikes, chain.bid, chain.ask, chain.years)
    np.testing.assert_array_equal(found.iv[:, CALL], found.iv[:, PUT])
    mids = quotes.mid(chain.bid, chain.ask)
    calls = chain.strikes >= forward[:, None]
    mid = np.where(calls, mids[:, CALL], mids[:, PUT])
    level, time = forward[:, None], chain.years[:, None]
    alone = implied_volatility(mid, level, chain.strikes, time, calls)
    np.testing.assert_array_equal(found.iv[:, CALL], alone)
    assert np.isnan(alone).any()
    assert np.isfinite(alone).any()


def test_greeks_of_each_right_are_those_at_the_shared_volatility() -> None:
    chain = market()
    forward = chain.forward()
    found = chain_greeks(forward, chain.strikes, chain.bid, chain.ask, chain.years)
    level, time = forward[:, None, None], chain.years[:, None, None]
    expected = greeks_at(found.iv, level, chain.strikes, time, RIGHTS)
    for one, other in zip(found, expected, strict=True):
        assert one.shape == chain.bid.shape
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-15)


# --- no look-ahead, nothing left out -------------------------------------------------------------


def everything(chain: Market) -> list[npt.NDArray[np.generic]]:
    forward = chain.forward()
    greeks = chain_greeks(forward, chain.strikes, chain.bid, chain.ask, chain.years)
    return [forward, chain.nearest(), chain.volatility(), *greeks]


@given(some.integers(1, 19), some.integers(0, 2**32 - 1))
def test_no_row_depends_on_a_later_one(row: int, seed: int) -> None:
    chain, changed, random = market(), market(), np.random.default_rng(seed)
    changed.spot[row:] += random.normal(0, 20, 20 - row)
    changed.bid[row:] *= random.choice([np.nan, 0.0, 0.5], changed.bid[row:].shape)
    changed.years[row:] = random.choice([np.nan, 0.0, 1e-3], 20 - row)
    for before, after in zip(everything(chain), everything(changed), strict=True):
        np.testing.assert_array_equal(before[:row], after[:row])


def test_one_row_alone_gives_what_it_gives_within_the_session() -> None:
    chain = market()
    whole = everything(chain)
    for row in range(20):
        one = slice(row, row + 1)
        bid, ask = chain.bid[one], chain.ask[one]
        alone = Market(
            chain.spot[one], chain.thousandths, chain.strikes, bid, ask, chain.years[one]
        )
        for wanted, got in zip(whole, everything(alone), strict=True):
            np.testing.assert_array_equal(wanted[one], got)


def test_a_chain_without_strikes_or_rows_has_empty_answers() -> None:
    chain = market(3, strikes=0)
    forward, nearest, volatility, *greeks = everything(chain)
    np.testing.assert_array_equal(forward, chain.spot)
    np.testing.assert_array_equal(nearest, np.full((3, 2), -1))
    assert np.isnan(volatility).all()
    assert {column.shape for column in greeks} == {(3, 2, 0)}
    assert {column.shape[0] for column in everything(market(0))} == {0}
