"""The desk's state for screens: news wake those who wait, figures beside the status included."""

import threading
from datetime import date

from desk.markets.since import MarketSince
from desk.status import StatusBoard
from feeds.sessions import session_on
from vocabulary import DeskStatus

OPEN = session_on(date(2026, 10, 30)).open_ns
MINUTE = 60_000_000_000


def test_the_wait_that_is_left_is_news_of_its_own() -> None:
    board = StatusBoard(DeskStatus(mode="mock"))
    assert board.latest().wait_left == 0.0
    board.publish(wait_left=119.5)
    first = board.latest().version
    assert board.latest().wait_left == 119.5 and first == 1
    board.publish(spot=628.5)
    assert board.latest().wait_left == 119.5, "who does not tell it does not change it"
    timer = threading.Timer(0.05, lambda: board.publish(wait_left=119.0))
    timer.start()
    assert board.wait(board.latest().version, 5.0).version == 3
    timer.join()


def test_since_is_told_in_the_markets_time_and_stays_as_it_was_first_seen() -> None:
    now = [OPEN + 5 * MINUTE]
    since = MarketSince(lambda: now[0])
    line = "stream: quotes of 812 instruments, since 22:14:08; full (since 22:14:30)"
    assert since.told("stream: down, since 22:14:08") == "stream: down, since 09:35:00"
    now[0] += 3 * MINUTE
    assert "since 09:35:00; full (since 09:38:00)" in since.told(line)
    assert "since 09:35:00" in since.told("since 22:14:09"), "a rounded second is the same moment"
    assert since.told("recorded books, 78 of them") == "recorded books, 78 of them"


def test_since_at_the_wall_s_midnight_is_one_moment_too() -> None:
    now = [OPEN]
    since = MarketSince(lambda: now[0])
    since.told("since 23:59:59")
    now[0] += MINUTE
    assert since.told("since 00:00:00") == "since 09:30:00"
