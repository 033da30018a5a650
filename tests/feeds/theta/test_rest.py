"""Asking a terminal: every code becomes the error that helps, and only what passes is repeated."""

import socket
import threading
import time
from collections.abc import Callable
from datetime import date
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from scripted_terminal import scripted_terminal

from errors import (
    FeedError,
    MalformedAnswerError,
    NoSubscriptionError,
    RequestRefusedError,
    SessionLostError,
    SettingError,
    TemporaryFeedError,
    TerminalUnreachableError,
    TooLargeError,
)
from feeds.theta.asking import Manner, Manners, Waiting
from feeds.theta.rest import ThetaRest
from feeds.theta.tiers import probe_tiers

DAY = date(2026, 10, 30)
QUOTES = (
    "symbol,expiration,strike,right,timestamp,bid_size,bid_exchange,bid,bid_condition,ask_size,"
    "ask_exchange,ask,ask_condition\r\n"
    "SPY,2026-10-30,690.000,CALL,2026-10-30T10:00:00,5,6,1.47,50,25,6,1.50,50\r\n"
)
OK = (200, QUOTES)


class FastTime:
    """A clock that only pauses move, so that minutes of patience take no time."""

    def __init__(self) -> None:
        self.now, self.pauses = 0.0, list[float]()

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds

    @property
    def waiting(self) -> Waiting:
        return Waiting(lambda: self.now, self.sleep, lambda: 1.0)


@pytest.fixture
def fast() -> FastTime:
    return FastTime()


def rest_of(url: str, fast: FastTime | None = None, concurrency: int = 2) -> ThetaRest:
    return ThetaRest(url, concurrency, waiting=(fast or FastTime()).waiting)


@pytest.mark.parametrize(
    ("status", "text", "kind", "says"),
    [
        (403, "", NoSubscriptionError, "subscription"),
        (471, "permission", NoSubscriptionError, "subscription"),
        (404, "", RequestRefusedError, "update it"),
        (410, "root is now symbol", RequestRefusedError, "please report"),
        (400, "", RequestRefusedError, "refuses the request"),
        (473, "bad interval", RequestRefusedError, "parameter"),
        (475, "", RequestRefusedError, "please report"),
        (477, "", RequestRefusedError, "please report"),
        (476, "WRONG_IP", TerminalUnreachableError, "127.0.0.1"),
        (478, "", SessionLostError, "another terminal"),
        (473, "Invalid session ID", SessionLostError, "another terminal"),
        (500, "BadSession", SessionLostError, "another terminal"),
        (570, "", TooLargeError, "longer interval"),
        (429, "", TemporaryFeedError, "too many requests"),
        (470, "", TemporaryFeedError, "restart it"),
        (474, "Connection lost to Theta Data MDDS.", TemporaryFeedError, "reconnects"),
        (500, "Wrong number of data fields", TemporaryFeedError, "restart it"),
        (503, "", TemporaryFeedError, "restart it"),
        (571, "SERVER_STARTING", TemporaryFeedError, "starting"),
        (572, "", TemporaryFeedError, "restart it"),
    ],
)
def test_every_code_is_an_error_that_says_what_to_do(
    status: int, text: str, kind: type[FeedError], says: str, fast: FastTime
) -> None:
    with scripted_terminal((status, text)) as terminal, rest_of(terminal.url, fast) as rest:
        with pytest.raises(FeedError) as raised:
            rest.history_quotes("SPY", DAY)
        assert type(raised.value) is kind
        told = str(raised.value)
        assert says in told and str(status) in told and "quotes of SPY on 2026-10-30" in told
        assert "\n" not in told
        repeated = issubclass(kind, TemporaryFeedError | TerminalUnreachableError)
        assert (len(terminal.requests) > 1) == repeated


def test_no_data_is_an_empty_table(fast: FastTime) -> None:
    nothing = (472, "No data found for your request")
    with scripted_terminal(nothing) as terminal, rest_of(terminal.url, fast) as rest:
        assert len(rest.history_quotes("SPY", DAY)) == 0
        assert len(rest.chain_greeks("SPY", DAY)) == 0
        assert rest.expirations("SPY") == []
        assert not fast.pauses


@pytest.mark.parametrize("status", [429, 474, 500, 503, 571, 572])
def test_what_passes_by_itself_is_asked_again(status: int, fast: FastTime) -> None:
    with scripted_terminal((status, ""), (status, ""), OK) as terminal:
        with rest_of(terminal.url, fast) as rest:
            assert len(rest.history_quotes("SPY", DAY)) == 1
        assert len(terminal.requests) == 3
        assert fast.pauses == [0.5, 1.0]


def test_pauses_double_up_to_half_a_minute_and_end_with_patience(fast: FastTime) -> None:
    with scripted_terminal((429, "")) as terminal, rest_of(terminal.url, fast) as rest:
        with pytest.raises(TemporaryFeedError):
            rest.history_quotes("SPY", DAY)
        assert fast.pauses == [0.5, 1, 2, 4, 8, 16, 30, 30]
        fast.pauses.clear()
        with pytest.raises(TemporaryFeedError):
            rest.chain_quotes("SPY", DAY)
        assert sum(fast.pauses) <= 3


def test_chance_spreads_the_pauses() -> None:
    pauses: list[float] = []
    now = iter(range(1000))
    waiting = Waiting(lambda: float(next(now)), pauses.append, iter([0.0, 0.5, 1.0]).__next__)
    busy = (429, "")
    with (
        scripted_terminal(busy, busy, busy, OK) as terminal,
        ThetaRest(terminal.url, waiting=waiting) as rest,
    ):
        rest.history_quotes("SPY", DAY)
    assert pauses == [0.25, 0.75, 2.0]


def test_a_cut_answer_is_asked_again_a_few_times_only(fast: FastTime) -> None:
    cut = (200, QUOTES[:-20])
    with scripted_terminal(cut, OK) as terminal, rest_of(terminal.url, fast) as rest:
        assert len(rest.history_quotes("SPY", DAY)) == 1
    with scripted_terminal(cut) as terminal, rest_of(terminal.url, fast) as rest:
        with pytest.raises(MalformedAnswerError, match=r"quotes of SPY on 2026-10-30: .*column"):
            rest.history_quotes("SPY", DAY)
        assert len(terminal.requests) == 3


def test_a_past_day_without_rows_is_not_taken_for_a_day_without_data(fast: FastTime) -> None:
    header = (200, QUOTES.partition("\r\n")[0] + "\r\n")
    with scripted_terminal(header) as terminal, rest_of(terminal.url, fast) as rest:
        with pytest.raises(MalformedAnswerError, match="no row"):
            rest.history_quotes("SPY", DAY)
        assert len(rest.chain_quotes("SPY", DAY)) == 0


def test_a_broken_off_body_is_asked_again(fast: FastTime) -> None:
    whole = b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\nsymbol,expiration\r\n"
    with scripted_terminal(raw=[whole]) as terminal, rest_of(terminal.url, fast) as rest:
        with pytest.raises(FeedError):
            rest.history_quotes("SPY", DAY)
        assert len(terminal.requests) > 1


def test_no_terminal_says_how_to_start_one(fast: FastTime) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://user:secret@127.0.0.1:{free.getsockname()[1]}"
    with rest_of(url, fast) as rest, pytest.raises(TerminalUnreachableError) as raised:
        rest.status()
    assert "start it" in str(raised.value) and "--theta-url" in str(raised.value)
    assert "secret" not in str(raised.value)
    assert not fast.pauses, "the state is asked for once: whoever asks wants to know now"


def test_a_hung_terminal_is_noticed_by_its_silence() -> None:
    manners = Manners(snapshot=Manner(0.05, 0.0, takes_a_slot=False))
    with (
        scripted_terminal(OK, held=True) as terminal,
        ThetaRest(terminal.url, 2, manners) as rest,
        pytest.raises(TemporaryFeedError, match="did not answer in 0"),
    ):
        rest.stock_quote("SPY")


def test_history_waits_for_a_slot_and_snapshots_do_not() -> None:
    with scripted_terminal(OK, held=True) as terminal, rest_of(terminal.url) as rest:
        asks = [lambda: rest.history_quotes("SPY", DAY)] * 5
        threads = [threading.Thread(target=ask) for ask in asks]
        for thread in threads:
            thread.start()
        _until(lambda: terminal.at_work == 2)
        snapshot = threading.Thread(target=rest.chain_quotes, args=("SPY", DAY))
        snapshot.start()
        _until(lambda: terminal.at_work == 3)
        terminal.gate.set()
        for thread in (*threads, snapshot):
            thread.join(10)
        assert terminal.most_at_work == 3
        assert len(terminal.requests) == 6


def test_closing_ends_the_waits_of_others() -> None:
    with scripted_terminal((571, "")) as terminal:
        rest = ThetaRest(terminal.url)
        failed = threading.Event()

        def ask() -> None:
            with pytest.raises(FeedError):
                rest.history_quotes("SPY", DAY)
            failed.set()

        threading.Thread(target=ask, daemon=True).start()
        _until(lambda: len(terminal.requests) >= 2)
        rest.close()
        assert failed.wait(2)
        with pytest.raises(TerminalUnreachableError, match="closed"):
            rest.status()


def test_an_older_terminal_is_asked_for_snapshots_in_its_own_way(fast: FastTime) -> None:
    unknown = (473, "unknown parameter current_day_only")
    with scripted_terminal(unknown, OK, OK) as terminal, rest_of(terminal.url, fast) as rest:
        assert len(rest.chain_quotes("SPY", DAY)) == 1
        assert len(rest.chain_quotes("SPY", DAY)) == 1
        asked = ["current_day_only" in path for path in terminal.requests]
        assert asked == [True, False, False]


def test_a_refusal_that_has_another_reason_stays_one(fast: FastTime) -> None:
    with scripted_terminal((473, "")) as terminal, rest_of(terminal.url, fast) as rest:
        for _ in range(2):
            with pytest.raises(RequestRefusedError):
                rest.chain_quotes("SPY", DAY)
        assert sum("current_day_only" in path for path in terminal.requests) == 2


def test_a_request_says_what_is_wanted_in_thetas_words(fast: FastTime) -> None:
    with scripted_terminal(OK) as terminal, rest_of(terminal.url, fast) as rest:
        rest.history_quotes("SPY", DAY, strike=690_500, right="call")
        asked = urlsplit(terminal.requests[0])
        assert asked.path == "/v3/option/history/quote"
        assert {name: values[0] for name, values in parse_qs(asked.query).items()} == {
            "symbol": "SPY",
            "date": "2026-10-30",
            "expiration": "2026-10-30",
            "strike": "690.500",
            "right": "call",
            "interval": "1m",
            "start_time": "09:30:00",
            "end_time": "16:00:00",
            "format": "csv",
        }


@pytest.mark.parametrize("url", ["127.0.0.1:25503", "ftp://127.0.0.1", "http://"])
def test_an_address_that_is_none_is_the_persons_mistake(url: str) -> None:
    with pytest.raises(SettingError, match="is no address"):
        ThetaRest(url)


def test_the_state_is_one_word(fast: FastTime) -> None:
    with scripted_terminal((200, "CONNECTED\r\n")) as terminal, rest_of(terminal.url, fast) as rest:
        assert (rest.status(), rest.stream_status()) == ("CONNECTED", "CONNECTED")
        assert terminal.requests == ["/v3/terminal/mdds/status", "/v3/terminal/fpss/status"]


def test_the_probe_takes_both_refusals_and_no_data_for_what_they_are(fast: FastTime) -> None:
    answers = [OK, (471, ""), (403, ""), (472, ""), OK]
    with scripted_terminal(*answers) as terminal, rest_of(terminal.url, fast) as rest:
        tiers = probe_tiers(rest, "SPY", DAY, DAY)
    seen = [tiers.chain_quotes, tiers.implied_volatility, tiers.greeks, tiers.stock_quotes]
    assert seen == [True, False, False, True] and tiers.history
    assert [yes for _, yes, _ in tiers.rows()] == ["yes", "no", "no", "yes", "yes"]
    assert "options Standard" in tiers.rows()[1][2]
    assert "options Standard" in tiers.advice()


def test_the_probe_does_not_mistake_a_fault_for_a_missing_subscription(fast: FastTime) -> None:
    with (
        scripted_terminal((478, "")) as terminal,
        rest_of(terminal.url, fast) as rest,
        pytest.raises(SessionLostError),
    ):
        probe_tiers(rest, "SPY", DAY, DAY)


def test_prices_keep_their_last_digit(fast: FastTime) -> None:
    cents = np.arange(1, 2000) / 100
    rows = [QUOTES.split("\r\n")[1].replace("1.50", f"{ask:.2f}") for ask in cents]
    body = "\r\n".join([QUOTES.split("\r\n")[0], *rows, ""])
    with scripted_terminal((200, body)) as terminal, rest_of(terminal.url, fast) as rest:
        assert rest.history_quotes("SPY", DAY).ask.tolist() == cents.tolist()


def _until(true: Callable[[], bool], seconds: float = 5.0) -> None:
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, "it did not come to that"
        time.sleep(0.005)
