"""The book of live quotes: what is taken in, how old it is, and what may be traded on."""

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from market import CALL, HALF_DAY, MONDAY, PUT, SESSION, at, contract

from feeds.contract import Contract
from feeds.live.book import ChainBook
from feeds.quotes import UNLIMITED_SIZE
from feeds.snapshot import ChainSnapshot, Quote

SECOND = 1_000_000_000
NOON = at(SESSION, 150)


def shot(book: ChainBook, ts: int = NOON) -> ChainSnapshot:
    return ChainSnapshot(book.snapshot(ts), 0)


def quote(book: ChainBook, ts: int = NOON, of: Contract | None = None) -> Quote:
    return shot(book, ts).quote(of or contract())


def table(book: ChainBook, *rows: tuple[int, int, int, float, float], **terms: int) -> int:
    """Apply rows (ts, strike in dollars, right, bid, ask)."""
    ts, strike, right, bid, ask = (np.array(column) for column in zip(*rows, strict=True))
    return book.apply_table(ts=ts, strike=strike * 1000, right=right, bid=bid, ask=ask, **terms)


def is_dead(one: Quote) -> bool:
    return bool(np.isnan([one.bid, one.ask, one.mid]).all()) and one.bid_size == one.ask_size == 0


# --- what a quote becomes ------------------------------------------------------------------------


def test_a_quote_is_in_the_next_snapshot_with_its_sizes() -> None:
    book = ChainBook(SESSION)
    assert book.apply_quote(contract(), NOON, 2.35, 2.45, 7, 9)
    assert quote(book) == Quote(2.35, 2.45, 7, 9, (2.35 + 2.45) / 2)
    assert book.apply_quote(contract(CALL), NOON, 2.45, 2.55)
    assert quote(book, of=contract(CALL))[:4] == (2.45, 2.55, UNLIMITED_SIZE, UNLIMITED_SIZE)


def test_a_snapshot_is_not_changed_by_what_comes_later() -> None:
    book = ChainBook(SESSION)
    book.apply_quote(contract(), NOON, 2.35, 2.45, 7, 9)
    before = shot(book)
    book.apply_quote(contract(), NOON, 1.0, 1.1, 1, 1)
    book.apply_quote(contract(PUT, 500), NOON, 0.01, 0.02, 1, 1)
    assert before.quote(contract()).bid == 2.35
    assert before.strikes.tolist() == [628_000]


def test_a_table_and_single_quotes_make_the_same_chain() -> None:
    one, other = ChainBook(SESSION), ChainBook(SESSION)
    rows = [(NOON - i, 620 + i, i % 2, 1.0 + i / 10, 1.1 + i / 10) for i in range(12)]
    assert table(one, *rows) == 12
    for ts, strike, right, bid, ask in reversed(rows):
        other.apply_quote(contract([CALL, PUT][right], strike), ts, bid, ask)
    a, b = one.snapshot(NOON), other.snapshot(NOON)
    for name in ("strikes", "bid", "ask", "spot", "atm_iv", "forward"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
    quoted = np.isfinite(a.bid)
    np.testing.assert_array_equal(a.bid_size[quoted], b.bid_size[quoted])


def test_crossed_and_zero_quotes_are_no_quotes_and_counted() -> None:
    book = ChainBook(SESSION)
    book.apply_quote(contract(), NOON, 2.35, 2.45)
    book.apply_quote(contract(), NOON + 1, 2.50, 2.45)
    table(book, (NOON, 630, 0, 3.0, 2.0), (NOON, 631, 0, 0.0, 0.0))
    assert np.isnan(quote(book).bid) and np.isnan(quote(book).ask)
    assert np.isnan(quote(book, of=contract(CALL, 630)).ask)
    assert np.isnan(quote(book, of=contract(CALL, 631)).ask)
    assert (book.counts.crossed, book.counts.applied) == (2, 4)


# --- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize("away", [-7, -3, -1, 1])
def test_another_days_quote_is_refused_and_counted(away: int) -> None:
    book = ChainBook(SESSION)
    other = NOON + round(timedelta(days=away).total_seconds()) * SECOND
    assert not book.apply_quote(contract(), other, 2.35, 2.45)
    assert table(book, (other, 628, 1, 2.35, 2.45)) == 0
    assert not book.set_underlying(other, "stock stream", last=628.0)
    assert book.counts.foreign == 3
    assert book.strikes.size == 0
    assert np.isnan(shot(book).spot)


def test_another_expiration_or_underlying_is_refused() -> None:
    book = ChainBook(SESSION)
    assert not book.apply_quote(contract(session=MONDAY), NOON, 2.35, 2.45)
    assert not book.apply_quote(Contract("QQQ", SESSION.date, 628_000, PUT), NOON, 2.35, 2.45)
    assert book.counts.foreign == 2


def test_a_mixed_table_keeps_todays_rows_only() -> None:
    book = ChainBook(SESSION)
    friday_before = NOON - round(timedelta(days=7).total_seconds()) * SECOND
    assert table(book, (friday_before, 627, 1, 9.0, 9.1), (NOON, 628, 1, 2.35, 2.45)) == 1
    assert book.strikes.tolist() == [628_000]
    assert (book.counts.foreign, book.counts.applied) == (1, 1)


def test_an_older_quote_never_replaces_a_newer_one() -> None:
    book = ChainBook(SESSION)
    book.apply_quote(contract(), NOON, 2.35, 2.45)
    assert not book.apply_quote(contract(), NOON - 1, 9.0, 9.1)
    assert table(book, (NOON - SECOND, 628, 1, 9.0, 9.1)) == 0
    assert table(book, (NOON + 2, 628, 1, 2.0, 2.1), (NOON + 1, 628, 1, 9.0, 9.1)) == 2
    assert quote(book).bid == 2.0
    assert book.counts.out_of_order == 2


@given(order=some.permutations(range(8)), twice=some.booleans())
@settings(max_examples=40)
def test_any_order_and_repetition_ends_with_the_newest_quote(order: list[int], twice: bool) -> None:
    book = ChainBook(SESSION)
    for i in order * (2 if twice else 1):
        book.apply_quote(contract(), NOON - SECOND + i, 1 + i / 100, 2 + i / 100)
    assert quote(book).bid == 1.07


# --- ages ----------------------------------------------------------------------------------------


def test_a_tables_quote_is_as_old_as_its_own_stamp() -> None:
    book = ChainBook(SESSION, age_limit_seconds=5)
    table(book, (NOON, 628, 1, 2.35, 2.45))
    assert quote(book, NOON + 5 * SECOND).bid == 2.35
    assert is_dead(quote(book, NOON + 5 * SECOND + 1))
    assert book.counts.stale == 1


def test_a_server_that_vouches_for_its_table_keeps_old_quotes_alive() -> None:
    book = ChainBook(SESSION)
    table(book, (NOON - 90 * SECOND, 628, 1, 2.35, 2.45), alive_ts=NOON)
    assert quote(book, NOON + SECOND).bid == 2.35
    ages = book.ages(NOON + SECOND)
    assert (ages.market[PUT, 0], ages.live[PUT, 0]) == (91, 1)
    assert np.isinf(ages.market[CALL, 0]) and np.isinf(ages.live[CALL, 0])


def test_a_streamed_quote_is_as_old_as_the_streams_last_proof_of_life() -> None:
    book = ChainBook(SESSION)
    book.subscribed([contract()])
    book.apply_quote(contract(), NOON, 2.35, 2.45)
    book.stream_alive(NOON + 60 * SECOND)
    assert quote(book, NOON + 63 * SECOND).bid == 2.35
    ages = book.ages(NOON + 63 * SECOND)
    assert (ages.market[PUT, 0], ages.live[PUT, 0]) == (63, 3)
    assert is_dead(quote(book, NOON + 66 * SECOND))


def test_heartbeats_prove_nothing_about_a_contract_that_is_not_streamed() -> None:
    book = ChainBook(SESSION)
    book.subscribed([contract(CALL)])
    book.apply_quote(contract(), NOON, 2.35, 2.45)
    book.stream_alive(NOON + 10 * SECOND)
    assert is_dead(quote(book, NOON + 10 * SECOND))
    book.subscribed([contract()])  # what came before the subscription may have changed unseen
    book.stream_alive(NOON + 11 * SECOND)
    assert is_dead(quote(book, NOON + 11 * SECOND))
    table(book, (NOON, 628, 1, 2.35, 2.45))  # the seed says that it did not
    assert quote(book, NOON + 11 * SECOND).bid == 2.35


def test_a_lost_stream_lets_all_quotes_age_until_they_are_seeded_anew() -> None:
    book = ChainBook(SESSION)
    book.subscribed([contract()])
    book.apply_quote(contract(), NOON, 2.35, 2.45)
    book.stream_alive(NOON + 20 * SECOND)
    book.stream_lost()
    assert quote(book, NOON + 25 * SECOND).bid == 2.35
    assert is_dead(quote(book, NOON + 26 * SECOND))
    table(book, (NOON + 26 * SECOND, 628, 1, 2.35, 2.45))
    book.stream_alive(NOON + 36 * SECOND)  # of a stream that knows nothing of this contract yet
    assert is_dead(quote(book, NOON + 36 * SECOND))
    book.subscribed([contract()])
    book.stream_alive(NOON + 40 * SECOND)
    assert is_dead(quote(book, NOON + 40 * SECOND))
    book.apply_quote(contract(), NOON + 41 * SECOND, 2.30, 2.40)
    assert quote(book, NOON + 41 * SECOND).bid == 2.30


def test_an_unsubscribed_contract_ages_from_the_last_proof() -> None:
    book = ChainBook(SESSION)
    book.subscribed([contract(), contract(CALL)])
    book.apply_quote(contract(), NOON, 2.35, 2.45)
    book.apply_quote(contract(CALL), NOON, 1.35, 1.45)
    book.stream_alive(NOON + 20 * SECOND)
    book.unsubscribed([contract(), contract(PUT, 700)])
    assert quote(book, NOON + 24 * SECOND).bid == 2.35
    book.stream_alive(NOON + 30 * SECOND)
    assert is_dead(quote(book, NOON + 30 * SECOND))
    assert quote(book, NOON + 30 * SECOND, contract(CALL)).bid == 1.35


def test_a_stamp_far_ahead_of_the_clock_is_not_traded_on() -> None:
    book = ChainBook(SESSION)
    book.apply_quote(contract(), NOON + 60 * SECOND, 2.35, 2.45)
    assert is_dead(quote(book, NOON))
    assert quote(book, NOON + 57 * SECOND).bid == 2.35


@given(stamp=some.integers(0, 600), proof=some.integers(0, 600), now=some.integers(0, 600))
def test_no_quote_without_proof_within_the_limit_is_ever_tradable(
    stamp: int, proof: int, now: int
) -> None:
    book = ChainBook(SESSION)
    book.subscribed([contract()])
    book.apply_quote(contract(), NOON + stamp * SECOND, 2.35, 2.45)
    book.stream_alive(NOON + proof * SECOND)
    alive = abs(now - max(stamp, proof)) <= 5
    assert is_dead(quote(book, NOON + now * SECOND)) != alive


# --- strikes -------------------------------------------------------------------------------------


def test_strikes_that_are_listed_at_midday_move_no_quote() -> None:
    book = ChainBook(SESSION)
    book.add_strikes([628_000])
    book.subscribed([contract()])
    book.apply_quote(contract(), NOON, 2.35, 2.45, 7, 9)
    book.add_strikes([627_000, 629_500])
    book.apply_quote(contract(CALL, 500), NOON, 128, 129)
    table(book, (NOON, 700, 1, 72.0, 72.2), (NOON, 627, 1, 1.9, 2.0))
    assert book.strikes.tolist() == [500_000, 627_000, 628_000, 629_500, 700_000]
    assert quote(book)[:4] == (2.35, 2.45, 7, 9)
    assert quote(book, of=contract(PUT, 700)).bid == 72.0
    assert quote(book, of=contract(CALL, 500)).ask == 129
    assert is_dead(quote(book, of=contract(PUT, 629.5)))
    book.stream_alive(NOON + 30 * SECOND)
    assert quote(book, NOON + 30 * SECOND).bid == 2.35
    assert is_dead(quote(book, NOON + 30 * SECOND, contract(PUT, 627)))


def test_an_empty_book_has_snapshots_that_nobody_can_trade_on() -> None:
    one = shot(ChainBook(SESSION))
    assert one.strikes.size == 0
    assert np.isnan([one.spot, one.atm_iv]).all()
    assert is_dead(one.quote(contract()))
    assert one.is_recorded


def test_a_snapshot_at_the_close_without_quotes_counts_as_not_recorded() -> None:
    book = ChainBook(HALF_DAY)
    put = contract(session=HALF_DAY)
    book.apply_quote(put, HALF_DAY.close_ns - 60 * SECOND, 2.35, 2.45)
    assert not shot(book, HALF_DAY.close_ns).is_recorded
    book.apply_quote(put, HALF_DAY.close_ns, 2.35, 2.45)
    closing = shot(book, HALF_DAY.close_ns)
    assert closing.is_recorded and closing.minutes_until_close == 0


# --- spot ----------------------------------------------------------------------------------------


def parity_quotes(book: ChainBook, ts: int) -> None:
    """A chain whose forward is 628.40."""
    for strike in range(624, 633):
        call = max(628.40 - strike, 0) + 1
        for right, mid in ((CALL, call), (PUT, call - 628.40 + strike)):
            book.apply_quote(contract(right, strike), ts, mid - 0.01, mid + 0.01)


def test_spot_takes_the_best_source_that_is_young_enough() -> None:
    book = ChainBook(SESSION)
    parity_quotes(book, NOON)
    told = [shot(book)]
    for terms in (
        {"bar_close": 628.3},
        {"last": 628.25},
        {"bid": 628.19, "ask": 628.21},
        {"price": 628.15},
    ):
        book.set_underlying(NOON, next(iter(terms)), **terms)
        told.append(shot(book))
    assert [round(one.spot, 6) for one in told] == [628.40, 628.3, 628.25, 628.20, 628.15]
    sources = [one.chain().spot_source for one in told]
    assert sources == ["parity forward", "bar_close", "last", "bid", "price"]
    assert told[-1].chain().underlying_bid[0] == 628.19


def test_an_old_spot_gives_way_to_parity_and_returns_when_nothing_is_left() -> None:
    book = ChainBook(SESSION)
    book.set_underlying(NOON, "stock stream", bid=628.19, ask=628.21)
    later = NOON + 6 * SECOND
    parity_quotes(book, later)
    one = shot(book, later)
    assert (round(one.spot, 6), one.chain().spot_source) == (628.40, "parity forward")
    assert np.isnan(one.chain().underlying_bid[0])
    last = shot(book, NOON + 60 * SECOND)
    assert (round(last.spot, 6), last.chain().spot_source) == (628.40, "last known")


@pytest.mark.parametrize(
    "terms",
    [
        {"price": 0.0},
        {"price": float("nan")},
        {"price": float("inf")},
        {"last": -1.0},
        {"bid": 628.3, "ask": 628.2},
        {"bid": 0.0, "ask": 628.2},
        {"bid": 628.2},
    ],
)
def test_a_price_that_is_none_changes_no_spot(terms: dict[str, float]) -> None:
    for before in ({"price": 628.15}, {"bid": 628.1, "ask": 628.2}, {"last": 628.15}, {}):
        book = ChainBook(SESSION)
        book.set_underlying(NOON, "before", bar_close=628.15, **before)
        book.set_underlying(NOON + 1, "after", **terms)
        one = shot(book)
        assert (round(one.spot, 6), one.chain().spot_source) == (628.15, "before")


def test_an_older_price_of_the_underlying_does_not_replace_a_newer() -> None:
    book = ChainBook(SESSION)
    book.set_underlying(NOON, "stock stream", last=628.15)
    book.set_underlying(NOON - 1, "stock stream", last=600.0)
    assert shot(book).spot == 628.15
