"""Notices by the real library to a real HTTP receiver."""

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from web_page import SUGGESTION, served

from brokers.channels import Channels
from dashboard.notices import Notices
from desk.context import Context
from desk.markets import LiveMarket
from errors import SettingError
from settings import LiveSettings, Settings
from vocabulary import Answer, Decision, ExitReason

pytest.importorskip("apprise", reason="apprise is not installed: no notices")
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


@dataclass
class Receiver:
    """What a service got."""

    port: int = 0
    status: int = 200
    delay: float = 0.0
    got: list[dict[str, Any]] = field(default_factory=list)

    def wait(self, number: int) -> None:
        until = time.monotonic() + 10
        while len(self.got) < number:
            assert time.monotonic() < until, self.got
            time.sleep(0.01)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    told = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            time.sleep(told.delay)
            told.got.append(json.loads(body))
            self.send_response(told.status)
            self.end_headers()

        def log_message(self, *words: object) -> None:
            """Quiet."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        told.port = server.server_port
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield told
        server.shutdown()
        thread.join()


@pytest.fixture
def context(market: LiveMarket, tmp_path: Path) -> Iterator[tuple[Context, list[str]]]:
    with served(market, tmp_path) as page:
        yield page.context, page.said


def notices(context: Context, addresses: str) -> Notices:
    live = LiveSettings(notify=SecretStr(addresses))
    return Notices(replace(context, settings=Settings(live=live)))


def test_a_suggestion_and_its_end_are_sent(
    context: tuple[Context, list[str]], receiver: Receiver
) -> None:
    channel = notices(context[0], f"json://desk:secret@127.0.0.1:{receiver.port}/")
    channel.start()
    channel.ask(SUGGESTION)
    channel.ask(SUGGESTION)  # the price moved: on the screen, not once more on the phone
    channel.withdraw(SUGGESTION, "it timed out")
    receiver.wait(2)
    channel.close()
    asked, ended = receiver.got
    assert asked["title"] == "SELL 1 SPY 628 PUT?"
    assert "Option Bid/Ask: $2.35 / $2.45" in asked["message"]
    assert "within 60 s, until" in asked["message"]
    assert ended["title"] == "OVER: SELL 1 SPY 628 PUT" and ended["message"] == "it timed out"
    sent = json.dumps(receiver.got)
    for secret in ("token", "secret", "http", "simulated"):
        assert secret not in sent


def test_an_exit_is_sent_as_one(context: tuple[Context, list[str]], receiver: Receiver) -> None:
    channel = notices(context[0], f"json://127.0.0.1:{receiver.port}/")
    channel.start()
    channel.ask(replace(SUGGESTION, id="b", side=1, exit_reason=ExitReason.STOP_LOSS, plan=None))
    receiver.wait(1)
    channel.close()
    assert "(EXIT: stop_loss)" in receiver.got[0]["message"]


def test_a_slow_service_never_holds_up_the_desk(
    context: tuple[Context, list[str]], receiver: Receiver
) -> None:
    receiver.delay = 1.0
    channel = notices(context[0], f"json://127.0.0.1:{receiver.port}/")
    channel.start()
    began = time.monotonic()
    for number in range(100):
        channel.ask(replace(SUGGESTION, id=str(number)))
    assert time.monotonic() - began < 0.5
    receiver.delay = 0.0
    channel.close()
    assert time.monotonic() - began < 5.0


def test_a_failure_is_told_once_and_without_the_address(
    context: tuple[Context, list[str]], receiver: Receiver, capfd: pytest.CaptureFixture[str]
) -> None:
    desk, said = context
    receiver.status = 500
    channel = notices(desk, f"json://desk:secret@127.0.0.1:{receiver.port}/")
    channel.start()
    for number in range(3):
        channel.ask(replace(SUGGESTION, id=str(number)))
    receiver.wait(3)
    channel.close()
    told = [line for line in said if "notification" in line]
    assert told == ["a notification could not be sent: look at live.notify"]
    printed = capfd.readouterr()
    assert "secret" not in printed.out + printed.err


def test_notices_answer_nothing_and_wait_for_the_others(
    context: tuple[Context, list[str]], receiver: Receiver
) -> None:
    class Silent:
        channel = "phone"
        given: Decision | None = None

        def ask(self, suggestion: object) -> None: ...
        def answer(self, suggestion: object) -> Decision | None:
            return self.given

        def withdraw(self, suggestion: object, reason: str) -> None: ...
        def conclude(self, suggestion: object, decision: object, outcome: str) -> None: ...

    person, told = Silent(), notices(context[0], f"json://127.0.0.1:{receiver.port}/")
    channels = Channels([told, person])
    assert channels.answer(SUGGESTION) is None
    person.given = Decision(SUGGESTION.id, Answer.SKIP, "phone", 1.0)
    assert channels.answer(SUGGESTION) == person.given


def test_an_address_that_is_none_is_refused_without_showing_it(
    context: tuple[Context, list[str]],
) -> None:
    with pytest.raises(SettingError, match="address 1") as refused:
        notices(context[0], "secret-that-is-no-address").start()
    assert "secret" not in str(refused.value)


def test_addresses_are_never_written_into_settings_of_a_run() -> None:
    live = LiveSettings(notify=SecretStr("tgram://secret/1"))
    assert live.model_dump(mode="json")["notify"] == "***"
    assert "secret" not in repr(live)
    assert LiveSettings(notify=SecretStr("***")).notify is None
