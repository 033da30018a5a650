"""A real browser at a real `run.py live --mock --web`."""

import re
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from live_desk import ROOT, SESSION, Desk, Journaled, Nursery

SCREENSHOTS = ROOT / "runs" / "screenshots"
WEB = ("--web", "--set", "live.web_port=0")
FAST = ("--speed", "900")


Open = Callable[[Desk], Any]


@pytest.fixture
def opened(chromium: Any) -> Iterator[Open]:
    """Opens the newest link of a desk in a browser of its own; no page may fail in silence."""
    faults: list[str] = []
    contexts = []

    def open_page(desk: Desk) -> Any:
        desk.wait_for("token=")
        context = chromium.new_context(viewport={"width": 1440, "height": 1000})
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda line: _heed(line, faults))
        links = re.findall(r"http://\S+token=\S+", desk.output)
        page.goto(links[-1])
        page.wait_for_url(re.compile(r"/$"))
        desk.until(lambda: len(re.findall("token=", desk.output)) > len(links))
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not faults


def _heed(line: Any, faults: list[str]) -> None:
    """Refused and lost requests are told to the console by the browser; all else is a fault."""
    if line.type in ("error", "warning") and "Failed to load resource" not in line.text:
        faults.append(line.text)


def shot(page: Any, name: str, **terms: Any) -> None:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=str(SCREENSHOTS / f"{name}.png"), **terms)


def until(page: Any, comes: Callable[[], bool], seconds: float = 15.0) -> None:
    """Waits by the page's own clock, so that its events are heard meanwhile."""
    end = time.monotonic() + seconds
    while not comes():
        assert time.monotonic() < end, page.inner_text("body")
        page.wait_for_timeout(20)


def is_live(page: Any) -> bool:
    return bool(page.get_attribute("body", "data-state") == "live")


def ready(page: Any) -> None:
    """A question is open and may be answered."""
    page.wait_for_selector(".card.is-open .answer.yes:enabled", timeout=30_000)


def changes(page: Any, where: str) -> None:
    """A figure is another one soon."""
    before = page.inner_text(where)
    until(page, lambda: page.inner_text(where) != before)


def test_a_trader_answers_sees_the_market_move_and_kills(
    nursery: Nursery, opened: Open, tmp_path: Path
) -> None:
    desk = nursery.live(tmp_path, *SESSION, *FAST, *WEB)
    page = opened(desk)
    changes(page, "#spot")  # the price moves
    ready(page)
    assert "TRADE SUGGESTION" in page.inner_text("#text")
    assert page.inner_text("#q-bid") != "-" and "s left" in page.inner_text("#left")
    shot(page, "question-light")
    page.emulate_media(color_scheme="dark")
    shot(page, "question-dark")
    page.set_viewport_size({"width": 390, "height": 844})
    shot(page, "question-phone")
    width = page.evaluate("() => document.documentElement.scrollWidth")
    assert width <= 390  # nothing has to be scrolled sideways
    page.set_viewport_size({"width": 1440, "height": 1000})
    page.emulate_media(color_scheme="light")

    page.keyboard.press("4")  # direction
    page.keyboard.press("y")
    assert "Enter gives YES" in page.inner_text("#armed")
    page.keyboard.press("Escape")
    page.keyboard.press("n")
    page.keyboard.press("Enter")
    page.wait_for_selector(".card:not(.is-open)")
    assert "answered n at the web page" in page.inner_text("#quiet")
    journal = Journaled.practice(tmp_path)
    [decision] = journal.rows("SELECT * FROM decisions")
    assert (decision["response"], decision["channel"]) == ("n", "web page")
    assert decision["reason_code"] == "direction"

    while page.is_hidden("#held"):  # a yes to a price that ran away is refused
        ready(page)
        page.click(".answer.yes")
        page.wait_for_selector(".card:not(.is-open)")
        page.wait_for_timeout(500)
    changes(page, "#p-bid")
    assert page.locator("#executions tbody tr").count() >= 1
    shot(page, "position-light", full_page=True)
    page.emulate_media(color_scheme="dark")
    shot(page, "position-dark", full_page=True)
    page.set_viewport_size({"width": 390, "height": 844})
    shot(page, "position-phone", full_page=True)

    page.click("#kill")
    page.click("#ask-no")
    page.click("#kill")
    page.click("#ask-yes")
    assert "Really" in page.inner_text("#ask-title")
    assert "killed" not in journal.events  # it asks twice
    page.click("#ask-yes")
    page.wait_for_selector("#halted:visible")
    assert "killed" in page.inner_text("#halted")
    desk.until(lambda: "killed" in journal.events)
    desk.send(signal.SIGINT)
    page.wait_for_selector("#lost:visible")
    until(page, lambda: "stopped" in page.inner_text("#lost"))
    assert desk.wait() == 0


def test_a_lost_connection_shows_within_two_seconds_and_comes_back(
    nursery: Nursery, opened: Open, tmp_path: Path
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = ("--web", "--set", f"live.web_port={free.getsockname()[1]}")
    desk = nursery.live(tmp_path, *SESSION, *FAST, *port)
    page = opened(desk)
    ready(page)
    began = time.monotonic()
    desk.send(signal.SIGSTOP)
    until(page, lambda: not is_live(page))
    assert time.monotonic() - began < 2.2
    assert "CONNECTION LOST" in page.inner_text("#lost")
    assert page.is_disabled(".answer.yes") and page.is_disabled("#kill")
    shot(page, "lost-light")
    desk.send(signal.SIGCONT)
    until(page, lambda: is_live(page))
    began = time.monotonic()
    desk.kill()
    until(page, lambda: not is_live(page))
    assert time.monotonic() - began < 2.2
    assert page.is_disabled(".answer.yes")
    nursery.live(tmp_path, *SESSION, *FAST, *port)  # goes on, and knows no browser
    until(page, lambda: "started anew" in page.inner_text("#lost"), seconds=40)
    assert not is_live(page)


def test_too_late_is_told(nursery: Nursery, opened: Open, tmp_path: Path) -> None:
    limit = ("--set", "rules.question_seconds=3")
    desk = nursery.live(tmp_path, *SESSION, *FAST, *WEB, *limit)
    page = opened(desk)
    ready(page)
    desk.send(signal.SIGSTOP)  # the answer is on its way while the time runs out
    page.click(".answer.yes")
    time.sleep(3)
    desk.send(signal.SIGCONT)
    until(page, lambda: "too late" in page.inner_text("#said"))
    shot(page, "too-late-light")
    journal = Journaled.practice(tmp_path)
    desk.until(lambda: journal.count("decisions") >= 1)
    assert journal.responses[0] == "timeout"
    until(page, lambda: "it timed out" in page.inner_text("#quiet"))
    assert journal.count("intents") == 0


def test_the_second_browser_is_told_who_was_first(
    nursery: Nursery, opened: Open, tmp_path: Path
) -> None:
    desk = nursery.live(tmp_path, *SESSION, *FAST, *WEB)
    one, other = opened(desk), opened(desk)
    ready(one)
    ready(other)
    one.click(".answer.skip")
    other.wait_for_selector(".card:not(.is-open)")
    assert "answered skip at the web page" in other.inner_text("#quiet")
    journal = Journaled.practice(tmp_path)
    assert journal.responses[:1] == ["skip"]
