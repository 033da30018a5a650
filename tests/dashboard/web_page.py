"""Web pages for tests: a real server on a real market and journal, and browsers by requests."""

import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
from journals import DAY, SUGGESTION, open_journal

from brokers.prompt import plan_text
from dashboard.channel import WebChannel
from desk.clock import DeskClock
from desk.context import Context
from desk.instructions import Inbox
from desk.markets import LiveMarket
from desk.markets.market import Mask
from desk.status import StatusBoard
from settings import LiveSettings, RuleSettings, Settings
from vocabulary import DeskStatus, OpenQuestion, Suggestion

FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


@dataclass
class Served:
    """A page that is served, and what its desk got and said."""

    context: Context
    channel: WebChannel
    said: list[str] = field(default_factory=list)
    woken: list[float] = field(default_factory=list)

    @property
    def url(self) -> str:
        return self.channel.address.url()

    @property
    def link(self) -> str:
        """The link it printed last."""
        return next(line for line in reversed(self.said) if "token=" in line).rpartition(" ")[2]

    def ask(self, suggestion: Suggestion = SUGGESTION) -> None:
        """As the desk does: the channel is asked, and the state tells of it."""
        self.channel.ask(suggestion)
        self.context.status.publish(question=OpenQuestion(suggestion, 60.0))

    def enter(self) -> "Browser":
        """A browser that came in by the newest link."""
        browser = Browser(self.url)
        assert browser.session.get(self.link, timeout=5).status_code == 200
        return browser


class Browser:
    """Requests with cookies and with the headers that a browser sends of itself."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers["Origin"] = url

    def get(self, path: str, **headers: str) -> requests.Response:
        return self.session.get(f"{self.url}{path}", headers=headers, timeout=5)

    def post(self, path: str, told: Any, **headers: str) -> requests.Response:
        return self.session.post(f"{self.url}{path}", json=told, headers=headers, timeout=5)

    @contextmanager
    def events(self) -> Iterator["Events"]:
        """What the desk pushes."""
        with self.session.get(f"{self.url}/events", stream=True, timeout=5) as answer:
            assert answer.status_code == 200
            yield Events(answer)

    def answer(self, card: dict[str, Any], answer: str = "y", **more: str) -> requests.Response:
        """Answer the question of a card."""
        told = {"key": card["key"], "terms": card["terms"], "answer": answer, "code": ""}
        return self.post("/answer", told | {"reason": ""} | more)

    def instruct(self, words: str, number: str = "", **more: str) -> requests.Response:
        told = {
            "number": number or f"n{time.monotonic_ns()}",
            "words": words,
            "key": "",
            "sure": "",
        }
        return self.post("/instruct", told | more)


class Events:
    """A stream of events, read until what is wanted comes."""

    def __init__(self, answer: requests.Response) -> None:
        self._lines = answer.iter_lines(chunk_size=1)
        self.heard: list[str] = []

    def next(self, topic: str, wanted: Callable[[Any], bool] = lambda told: True) -> Any:
        """The next of a topic that is as wanted."""
        name, until = "", time.monotonic() + 20
        for line in self._lines:
            assert time.monotonic() < until, f"no such {topic}; heard {self.heard[-3:]}"
            text = line.decode()
            self.heard.append(text)
            if text.startswith("event: "):
                name = text.removeprefix("event: ")
            elif text.startswith("data: ") and name == topic:
                told = json.loads(text.removeprefix("data: "))
                if wanted(told):
                    return told
        raise AssertionError(f"the stream ended without such {topic}")

    def open_card(self) -> dict[str, Any]:
        card: dict[str, Any] = self.next("card", lambda told: told["open"])
        return card


@contextmanager
def served(
    market: LiveMarket,
    folder: Path,
    live: dict[str, Any] | None = None,
    seconds: float = 60.0,
    market_now: Callable[[], int] | None = None,
    explain: Callable[[Suggestion], str] | None = None,
) -> Iterator[Served]:
    """A page over a market, with an open session in a journal; the market's time and explanations
    may be another's."""
    settings = Settings(
        live=LiveSettings(**{"web_port": 0, **(live or {})}),
        rules=RuleSettings(question_seconds=seconds),
    )
    said: list[str] = []
    woken: list[float] = []
    with open_journal(folder / "journal.db") as journal:
        context = Context(
            status=StatusBoard(DeskStatus(mode="mock", account="simulated", model="bundled")),
            inbox=Inbox(lambda: woken.append(time.monotonic())),
            wake=lambda: woken.append(time.monotonic()),
            market=market,
            journal=journal.path,
            session_id=str(journal.session_id),
            mask=Mask(),
            settings=settings,
            clock=DeskClock(market_now or market.now),
            explain=explain or (lambda suggestion: plan_text(suggestion, seconds=seconds)),
            say=said.append,
        )
        channel = WebChannel(context)
        try:
            channel.start()
            yield Served(context, channel, said, woken)
        finally:
            channel.close()


def raw(url: str, request: bytes, seconds: float = 5.0) -> bytes:
    """Bytes to the server, and what comes back until it closes or is silent for a moment."""
    host, port = url.partition("//")[2].split(":")
    with socket.create_connection((host, int(port)), timeout=seconds) as connection:
        connection.sendall(request)
        connection.settimeout(0.5)
        got = b""
        try:
            while piece := connection.recv(65536):
                got += piece
        except TimeoutError:
            pass
        return got


__all__ = ["DAY", "FLAGS", "SUGGESTION", "Browser", "Events", "Served", "raw", "served"]
