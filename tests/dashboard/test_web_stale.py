"""Nothing on the page is old, or missing, or of an earlier bar, without saying so: in a browser."""

import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import backtrader as bt
import pytest
from journals import DAY, PUT_628, SUGGESTION
from web_page import Served, served

from brokers.prompt import plan_text
from desk.markets import LiveMarket, mock_market
from errors import JournalError
from settings import Settings
from vocabulary import LiveQuote, OpenQuestion, Position, Suggestion

HOSTILE = "<img src=x onerror=\"document.title='got in'\">\u202e'--"
"""A name that would be markup, a script, and written backwards."""

Open = Callable[[Served], Any]


@pytest.fixture
def opened(chromium: Any) -> Iterator[Open]:
    """Opens the newest link of a page; no fault of a script passes in silence."""
    faults: list[str] = []
    contexts = []
    stopped = threading.Event()
    desks = []

    def open_page(page: Served) -> Any:
        desks.append(threading.Thread(target=_tell, args=(page, stopped)))
        desks[-1].start()
        context = chromium.new_context(viewport={"width": 1440, "height": 800})
        contexts.append(context)
        browser = context.new_page()
        browser.on("pageerror", lambda error: faults.append(str(error)))
        browser.goto(page.link)
        browser.wait_for_url(re.compile(r"/$"))
        browser.wait_for_selector('body[data-state="live"]', timeout=5000)
        return browser

    yield open_page
    stopped.set()
    for desk in desks:
        desk.join()
    for context in contexts:
        context.close()
    assert not faults


def _tell(page: Served, stopped: threading.Event) -> None:
    """The desk goes on telling, as it does ten times a second."""
    number = 0
    while not stopped.wait(0.1):
        number += 1
        page.context.status.publish(market_ts=number)


def asked(page: Served, age: float = 0.1, bid: float = SUGGESTION.bid) -> None:
    """An open question with a quote."""
    quote = LiveQuote(PUT_628, SUGGESTION.ts, bid, bid + 0.1, 5, 5, 628.5, age)
    page.channel.ask(SUGGESTION)
    page.context.status.publish(question=OpenQuestion(SUGGESTION, 59.0, quote))


def until(browser: Any, wanted: Callable[[], bool]) -> None:
    for _ in range(150):
        if wanted():
            return
        browser.wait_for_timeout(20)
    raise AssertionError(browser.inner_text("body"))


def test_a_yes_that_would_be_refused_is_told_before_it_is_given(page: Served, opened: Open) -> None:
    browser = opened(page)
    for terms, words in (
        ({}, ""),
        ({"age": 6.0}, "the quote is old, 5 s allowed"),
        ({"bid": SUGGESTION.bid - 0.22}, "22 ticks against, 3 allowed"),
        ({}, ""),
    ):
        asked(page, **terms)
        told = f"A yes would be refused: {words}" if words else ""
        until(browser, lambda told=told: browser.inner_text("#armed") == told)  # type: ignore[misc]


@pytest.fixture
def at_bar() -> Iterator[LiveMarket]:
    """A market whose feed stands at the bar of 11:30."""
    with mock_market(Settings(), DAY, 1.0, None) as market:
        market.feed.put(market.day.row(120))
        market.feed.end()
        cerebro = bt.Cerebro(stdstats=False)
        cerebro.adddata(market.feed)
        cerebro.run()
        yield market


def test_a_bar_that_is_missing_marks_all_that_is_of_the_last_one(
    at_bar: LiveMarket, tmp_path: Path, opened: Open
) -> None:
    bar, age = at_bar.feed.snapshot(), 30.0
    with served(at_bar, tmp_path, market_now=lambda: bar.ts + round(age * 1e9)) as page:
        browser = opened(page)
        until(browser, lambda: browser.inner_text("#bar") == "11:30:00")
        assert browser.is_hidden("#stale") and browser.locator("#chain tbody tr").count() == 12
        age = 200.0  # at once, as in accelerated time: the next bar is on its way
        until(browser, lambda: "3 min ago" in browser.inner_text("#h-bar"))
        assert browser.is_hidden("#stale")
        until(browser, lambda: "NO BAR since 11:30:00" in browser.inner_text("#stale"))
        for part in ("#spot", "#day-pnl", "#chain", "#chart"):
            assert browser.eval_on_selector(part, "(one) => getComputedStyle(one).opacity") == "0.5"
        age = 30.0
        until(browser, lambda: browser.is_hidden("#stale"))


def test_a_position_whose_quote_is_old_has_old_dollars(page: Served, opened: Open) -> None:
    browser = opened(page)
    held = Position(PUT_628, -1, 1, 2.4, SUGGESTION.ts, SUGGESTION.ts, 0.2, 3.0)
    page.context.status.publish(position=held, position_pnl=40.0)
    until(browser, lambda: browser.inner_text("#pnl") == "+$40.00 old")
    assert browser.inner_text("#p-age") == "no quote"


def test_what_cannot_be_made_is_named_and_not_left_standing(
    market: LiveMarket, tmp_path: Path, opened: Open
) -> None:
    is_full = False

    def explain(suggestion: Suggestion) -> str:
        if is_full:
            raise JournalError("the disk is full")
        return plan_text(suggestion, seconds=60.0)

    with served(market, tmp_path, explain=explain) as page:
        browser = opened(page)
        asked(page)
        until(browser, lambda: browser.is_enabled(".answer.yes"))
        is_full = True
        page.channel.ask(replace(SUGGESTION, quantity=2))
        until(browser, lambda: "the question" in browser.inner_text("#stale"))
        assert browser.is_disabled(".answer.yes")  # the card on the screen is an earlier one
        assert browser.get_attribute("body", "data-state") == "live"
        assert browser.is_enabled("#kill")  # the rest of the page goes on
        assert sum("the disk is full" in line for line in page.said) == 1
        is_full = False
        until(browser, lambda: browser.is_hidden("#stale"))
        assert browser.inner_text("#card-title") == "SELL 2 SPY 628 PUT"


def test_an_alarm_stands_above_everything_until_it_is_seen(page: Served, opened: Open) -> None:
    browser = opened(page)
    page.context.status.message(SUGGESTION.ts, "ALARM: short 1 SPY 628 PUT is in the money")
    until(browser, lambda: browser.is_visible("#alarm"))
    assert "in the money" in browser.inner_text("#alarm")
    browser.click("#alarm-seen")
    page.context.status.message(SUGGESTION.ts, "paused")
    until(browser, lambda: "paused" in browser.inner_text("#log"))
    assert browser.is_hidden("#alarm")
    page.context.status.message(SUGGESTION.ts, "ALARM: it will be closed in 1 minute")
    until(browser, lambda: browser.is_visible("#alarm"))


def test_what_decides_is_seen_without_scrolling(page: Served, opened: Open) -> None:
    browser = opened(page)
    asked(page)
    until(browser, lambda: browser.is_enabled(".answer.yes"))
    above = browser.evaluate("document.querySelector('.decide').getBoundingClientRect().top")
    for part in ("#q-bid", "#text", "#moves"):
        box = browser.locator(part).bounding_box()
        assert box["y"] + box["height"] <= above, part


def test_at_phone_width_nothing_is_cut_off(page: Served, opened: Open) -> None:
    browser = opened(page)
    browser.set_viewport_size({"width": 360, "height": 780})
    big = replace(SUGGESTION, quantity=20, bid=12.35, ask=12.45)
    page.channel.ask(big)
    page.context.status.publish(question=OpenQuestion(big, 59.0, None), day_pnl=-123_456.78)
    until(browser, lambda: browser.is_visible("#moves"))
    assert browser.evaluate("document.documentElement.scrollWidth") <= 360
    cut = browser.evaluate(
        "[...document.querySelectorAll('#moves td, #moves th, .live dd, .answer')]"
        ".filter((one) => one.scrollWidth > one.clientWidth + 1).map((one) => one.textContent)"
    )
    assert cut == []


def test_a_new_question_is_read_out_and_every_control_has_a_name(
    page: Served, opened: Open
) -> None:
    browser = opened(page)
    asked(page)
    wanted = "Question: SELL 1 SPY 628 PUT. Answer within 60 seconds. Keys y, n, s, then Enter."
    until(browser, lambda: browser.inner_text("#announce") == wanted)
    assert browser.get_attribute("#announce", "aria-live") == "assertive"
    nameless = browser.evaluate(
        """[...document.querySelectorAll('button, input, progress, meter, table, [tabindex]')]
        .filter((one) => one.checkVisibility())
        .filter((one) => !(one.getAttribute('aria-label') || one.textContent.trim()
          || one.labels?.length || one.getAttribute('aria-labelledby')))
        .map((one) => one.outerHTML)"""
    )
    assert nameless == []


def test_by_tab_alone_every_answer_is_reached_and_seen(page: Served, opened: Open) -> None:
    browser = opened(page)
    asked(page)
    until(browser, lambda: browser.is_enabled(".answer.yes"))
    reached = []
    for _ in range(40):
        browser.keyboard.press("Tab")
        told = browser.evaluate(
            "({name: document.activeElement.textContent.trim(),"
            " ring: getComputedStyle(document.activeElement).outlineStyle})"
        )
        reached.append(told["name"])
        assert told["ring"] != "none", told["name"]
        if told["name"].startswith("Skip"):
            break
    assert [one for one in reached if one in ("Yesy", "Non", "Skips")] == ["Yesy", "Non", "Skips"]
    assert reached.index("Kill") < reached.index("Yesy")


def test_a_connection_that_has_died_in_silence_is_made_anew(page: Served, opened: Open) -> None:
    browser = opened(page)
    page.channel._hub._followers.clear()  # as behind a network that went: open, and nothing comes
    until(browser, lambda: browser.get_attribute("body", "data-state") == "lost")
    assert "CONNECTION LOST" in browser.inner_text("#lost")
    browser.wait_for_selector('body[data-state="live"]', timeout=10_000)


def test_hostile_names_are_text(market: LiveMarket, tmp_path: Path, opened: Open) -> None:
    with served(market, tmp_path) as page:
        page.context.status.publish(model=HOSTILE, account=HOSTILE)
        browser = opened(page)
        page.context.status.message(SUGGESTION.ts, HOSTILE)
        page.context.status.publish(halted=HOSTILE, broker_line=HOSTILE)
        page.channel.ask(SUGGESTION)
        page.channel.withdraw(SUGGESTION, HOSTILE)
        until(browser, lambda: "onerror" in browser.inner_text("#log"))
        until(browser, lambda: "onerror" in browser.inner_text("#quiet"))
        assert browser.locator("img").count() == 0
        assert "got in" not in browser.title()
        assert "onerror" in browser.inner_text(".facts")
