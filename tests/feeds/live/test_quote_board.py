"""Quotes between bars: what is watched is there, grows old by itself, and is never junk."""

import math
from typing import Any

import pytest
from market import CALL, PUT, SESSION, contract

from feeds.contract import Contract
from feeds.live.book import ChainBook
from feeds.live.quote_board import BoardPublisher, QuoteBoard
from feeds.live.standing import StandingQuote

NOW = SESSION.open_ns + 3_600_000_000_000
SECOND = 1_000_000_000
ONE = contract(PUT, 628)
OTHER = contract(CALL, 630)


def book() -> ChainBook:
    made = ChainBook(SESSION)
    made.subscribed([ONE, OTHER])
    made.apply_quote(ONE, NOW, 2.35, 2.45, 10, 20)
    made.set_underlying(NOW, "stock stream", bid=628.49, ask=628.51)
    return made


def published(made: ChainBook, *watched: Contract, **terms: Any) -> QuoteBoard:
    board = QuoteBoard()
    for one in watched:
        board.watch(one)
    BoardPublisher(made, board).renew(NOW + SECOND, **terms)
    return board


def test_a_watched_contract_is_shown_with_spot_and_proof() -> None:
    told = published(book(), ONE).latest(ONE)
    assert told == StandingQuote(NOW, NOW, 2.35, 2.45, 10, 20, 628.5)


def test_what_is_not_watched_never_came_or_is_foreign_is_not_shown() -> None:
    foreign = Contract("QQQ", SESSION.date, 628_000, PUT)
    board = published(book(), OTHER, foreign)
    assert [board.latest(one) for one in (ONE, OTHER, foreign)] == [None, None, None]


def test_the_stream_proves_until_it_is_lost_and_then_nothing_does() -> None:
    made = book()
    made.stream_alive(NOW + 30 * SECOND)
    told = published(made, ONE).latest(ONE)
    assert told is not None and told.proved_ts == NOW + 30 * SECOND
    made.stream_lost()
    made.stream_alive(NOW + 60 * SECOND)
    told = published(made, ONE, proved_ts=NOW + 60 * SECOND).latest(ONE)
    assert told is not None and told.proved_ts == NOW + 30 * SECOND


def test_accelerated_time_vouches_for_what_is_streamed() -> None:
    told = published(book(), ONE, proved_ts=NOW + 60 * SECOND).latest(ONE)
    assert told is not None and told.proved_ts == NOW + 60 * SECOND


@pytest.mark.parametrize(("bid", "ask"), [(2.45, 2.35), (math.nan, math.nan), (-1.0, 2.0)])
def test_a_quote_that_cannot_be_is_shown_as_none(bid: float, ask: float) -> None:
    made = book()
    made.apply_quote(ONE, NOW + SECOND, bid, ask)
    told = published(made, ONE).latest(ONE)
    assert told is not None and math.isnan(told.bid) and math.isnan(told.ask)


def test_watching_wakes_the_market_once_and_unwatching_forgets() -> None:
    woken: list[int] = []
    board = QuoteBoard()
    board.on_change(lambda: woken.append(1))
    board.watch(ONE)
    board.watch(ONE)
    BoardPublisher(book(), board).renew(NOW)
    assert len(woken) == 1 and board.latest(ONE) is not None
    board.unwatch(ONE)
    assert len(woken) == 2 and board.latest(ONE) is None and board.watched == ()
