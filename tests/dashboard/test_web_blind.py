"""A blind session on the page: neither date nor level, in no byte that is sent."""

import re
import signal
from pathlib import Path

from live_desk import Nursery
from web_page import Browser

DAY = "2026-10-15"
CALM = ("--set", "rules.drift_ticks=100", "--set", "rules.quote_age_seconds=60")
BLIND = ("--replay", DAY, "--blind", "--policy", "sell_put@10:00", "--speed", "600", *CALM)


def test_a_blind_page_shows_neither_date_nor_level(nursery: Nursery, tmp_path: Path) -> None:
    desk = nursery.live(tmp_path, *BLIND, "--web", "--set", "live.web_port=0")
    link = re.findall(r"http://\S+token=\S+", desk.wait_for("token="))[-1]
    browser = Browser(link.partition("/enter")[0])
    browser.session.get(link, timeout=5)
    front = browser.get("/").text
    with browser.events() as events:
        card = events.open_card()
        if card["greeks"] is None:
            card = events.next("card", lambda told: told["open"] and told["greeks"])
        strike = int(re.search(r"SPY ([\d.]+) PUT", card["title"])[1].partition(".")[0])  # type: ignore[index]
        assert 480 < strike < 520
        assert browser.answer(card).status_code == 200
        events.next("now", lambda told: told["position"])
        events.next("day", lambda told: told["executions"])
        sent = "\n".join((front, *events.heard))
    desk.send(signal.SIGINT)
    desk.wait()
    for hidden in ("2026", "Oct", "10-15", '"utc"'):
        assert hidden not in sent, hidden
    figures = re.sub(r'"[0-9a-f]{24}"', "", sent)  # names of questions: digests, of any digits
    levels = [float(one) for one in re.findall(r"(?<![\d.])\d{3}\.?\d*(?![\d])", figures)]
    assert not [one for one in levels if 600 < one < 800 and one != 600]
    margin = dict(map(tuple, card["plan"]["rows"]))["Margin"]
    assert 48_000 < float(margin.replace("$", "").replace(",", "")) < 52_000
