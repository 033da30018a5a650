"""Connections that are opened and never used: nobody is kept out, and the desk keeps its files."""

import os
import socket
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests
from web_page import SUGGESTION, Served

from dashboard.door import MOST_STRANGERS, Door
from dashboard.hub import MOST_OF_ONE, MOST_STREAMS

HALF = b"GET / HTTP/1.1\r\nHost: half"


def _open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_half_requests_keep_nobody_out_and_hold_few_files(page: Served) -> None:
    known = page.enter()
    page.ask()
    before = _open_files()
    with ExitStack() as held, known.events() as events:
        card = events.open_card()
        for _ in range(400):
            stranger = socket.create_connection(("127.0.0.1", page.channel.address.port), 5)
            held.enter_context(stranger)
            stranger.sendall(HALF)
        time.sleep(0.3)
        served = _open_files() - before - 400  # each is open at the other end as well, here
        assert served <= MOST_STRANGERS + 10
        assert known.answer(card).status_code == 200  # who is known
        assert page.channel.answer(SUGGESTION) is not None
        assert page.enter().get("/").status_code == 200  # and who comes now
        page.channel.conclude(SUGGESTION, page.channel.answer(SUGGESTION), "sent")  # type: ignore[arg-type]
        events.next("card", lambda told: not told["open"])  # the open stream went on


def test_connections_of_known_browsers_stay_while_strangers_are_put_out(page: Served) -> None:
    browser = page.enter()
    assert browser.get("/").status_code == 200
    with ExitStack() as held:
        first = socket.create_connection(("127.0.0.1", page.channel.address.port), 5)
        held.enter_context(first)
        for _ in range(MOST_STRANGERS + 5):
            other = socket.create_connection(("127.0.0.1", page.channel.address.port), 5)
            held.enter_context(other)
        assert first.recv(1) == b""  # the oldest stranger has had to go
        assert browser.get("/static/page.js").status_code == 200


def test_a_program_that_looks_at_a_link_does_not_use_it_up(page: Served) -> None:
    looked = requests.head(page.link, timeout=5)
    assert looked.status_code == 200 and "set-cookie" not in looked.headers
    assert requests.get(page.link, timeout=5).status_code == 200


def test_a_browser_keeps_connections_free_for_its_answers(page: Served) -> None:
    browser, other = page.enter(), page.enter()
    page.ask()
    with ExitStack() as held:
        pages = [held.enter_context(browser.events()) for _ in range(MOST_OF_ONE)]
        cards = [one.open_card() for one in pages]
        began = time.monotonic()
        refused = browser.session.head(f"{page.url}/events", timeout=5)
        assert refused.status_code == 503 and time.monotonic() - began < 2
        assert "4 pages in this browser" in browser.get("/events").text
        with other.events() as elsewhere:
            elsewhere.next("now")
        assert browser.answer(cards[0]).status_code == 200
    until = time.monotonic() + 10
    while browser.session.head(f"{page.url}/events", timeout=5).status_code != 200:
        assert time.monotonic() < until
        time.sleep(0.05)


def test_many_browsers_have_so_many_pages_together(page: Served) -> None:
    browsers = [page.enter() for _ in range(MOST_STREAMS // MOST_OF_ONE)] * MOST_OF_ONE
    with ExitStack() as held:
        pages = [held.enter_context(browser.events()) for browser in browsers]
        for one in pages:
            one.next("now")
        refused = page.enter().session.head(f"{page.url}/events", timeout=5)
        assert refused.status_code == 503


@pytest.mark.skipif(sys.platform != "linux", reason="told by Linux alone")
def test_a_phone_out_of_reach_holds_its_place_for_seconds() -> None:
    with Door(socket.AF_INET) as door:
        door.bind(("127.0.0.1", 0))
        door.listen()
        with socket.create_connection(door.getsockname(), 5):
            connection, _ = door.accept()
            with connection:
                told = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
                assert told == 20_000


def test_a_restart_finds_its_port_free_again(page: Served, tmp_path: Path) -> None:
    stranger = socket.create_connection(("127.0.0.1", page.channel.address.port), 5)
    stranger.sendall(HALF)
    began = time.monotonic()
    page.channel.close()
    assert time.monotonic() - began < 5.0
    stranger.close()
