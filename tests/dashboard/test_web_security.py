"""Attempts to get in, by real HTTP and raw sockets."""

import io
import re
import socket
import ssl
import subprocess
import threading
import time
from pathlib import Path

import pytest
import requests
from web_page import SUGGESTION, Browser, Served, raw, served

from dashboard.gate import BODY_BYTES
from desk.markets import LiveMarket
from errors import SettingError
from vocabulary import Answer, Command, Decision

PRIVATE = ("/", "/events", "/static/page.js", "/nothing")


def test_without_a_cookie_nothing_is_told(page: Served) -> None:
    for path in PRIVATE:
        answer = requests.get(page.url + path, timeout=5)
        assert answer.status_code == 401
        assert "SPY" not in answer.text and "simulated" not in answer.text


def test_the_printed_link_lets_one_browser_in(page: Served) -> None:
    link = page.link
    first = requests.get(link, timeout=5)
    cookie = first.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=strict" in cookie and "Path=/" in cookie
    again = requests.get(link, timeout=5)
    assert again.status_code == 403 and "used already" in again.text
    assert "set-cookie" not in again.headers
    assert page.link != link  # the next browser has a link of its own


@pytest.mark.parametrize("token", ["", "x", "x" * 43, "%00", "é"])
def test_a_wrong_token_is_refused(page: Served, token: str) -> None:
    answer = requests.get(f"{page.url}/enter", params={"token": token}, timeout=5)
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


def test_a_cookie_of_another_desk_is_refused(page: Served) -> None:
    name = page.channel.address.cookie
    for value in ("", "x" * 43, "a=b", '"'):
        answer = requests.get(page.url, headers={"Cookie": f"{name}={value}"}, timeout=5)
        assert answer.status_code == 401


@pytest.mark.parametrize("host", ["evil.example", "evil.example:{port}", "127.0.0.1", ""])
def test_a_foreign_host_is_refused(page: Served, host: str) -> None:
    browser = page.enter()
    named = host.format(port=page.channel.address.port)
    assert browser.get("/", Host=named).status_code in (400, 421)


def test_two_hosts_are_refused(page: Served) -> None:
    port = page.channel.address.port
    twice = f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nHost: evil.example\r\n\r\n"
    assert raw(page.url, twice.encode()).split(b" ")[1] in (b"400", b"421")
    for host in ("[::1", "]", ":", "127.0.0.1:", f"127.0.0.1:{port}:", f"127.0.0.1.evil:{port}"):
        request = f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
        assert raw(page.url, request.encode()).split(b" ")[1] in (b"400", b"421"), host


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1", ""])
def test_an_answer_from_another_page_is_refused(page: Served, origin: str) -> None:
    browser = page.enter()
    page.ask()
    with browser.events() as events:
        card = events.open_card()
    told = {"key": card["key"], "terms": card["terms"], "answer": "y", "code": "", "reason": ""}
    refused = browser.post("/answer", told, Origin=origin)
    assert refused.status_code == 403
    assert page.channel.answer(SUGGESTION) is None


def test_an_answer_without_an_origin_is_refused(page: Served) -> None:
    browser = page.enter()
    del browser.session.headers["Origin"]
    assert browser.post("/answer", {}).status_code == 403


def test_a_form_of_another_page_is_refused(page: Served) -> None:
    browser = page.enter()
    answer = browser.session.post(f"{page.url}/answer", data={"answer": "y"}, timeout=5)
    assert answer.status_code == 415
    assert browser.get("/events", **{"Sec-Fetch-Site": "cross-site"}).status_code == 403


def test_every_answer_has_the_strict_headers(page: Served) -> None:
    browser = page.enter()
    for answer in (browser.get("/"), browser.get("/nothing"), requests.get(page.url, timeout=5)):
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "server" not in answer.headers


def test_the_page_has_no_inline_script_and_no_foreign_address(page: Served) -> None:
    browser = page.enter()
    front = browser.get("/").text
    scripts = re.findall(r"<script[^>]*>", front)
    assert scripts == ['<script type="module" src="/static/page.js">']
    assert not re.search(r"\son\w+=|style=|javascript:|https?://", front)
    for name in re.findall(r"/static/([\w.]+)", front):
        text = browser.get(f"/static/{name}").text
        assert "innerHTML" not in text and "eval(" not in text
        assert set(re.findall(r"https?://[\w.]+", text)) <= {"http://www.w3.org"}


def test_nothing_outside_the_static_folder_is_served(page: Served) -> None:
    browser = page.enter()
    for path in ("/static/../access.py", "/static/%2e%2e%2faccess.py", "/static/page.html"):
        assert browser.get(path).status_code == 404
    port = page.channel.address.port
    name, value = page.channel.address.cookie, browser.session.cookies.values()[0]
    lines = ["GET /static/../channel.py HTTP/1.1", f"Host: 127.0.0.1:{port}"]
    request = "\r\n".join([*lines, f"Cookie: {name}={value}", "", ""])
    assert b" 404 " in raw(page.url, request.encode()).splitlines()[0]


def test_a_body_that_is_too_long_is_refused(page: Served) -> None:
    browser = page.enter()
    long = "x" * (BODY_BYTES + 1)
    assert browser.post("/answer", {"reason": long}).status_code == 413
    chunks = iter([b"x" * 1000] * 100)
    kind = {"Content-Type": "application/json"}
    sent = browser.session.post(f"{page.url}/answer", data=chunks, headers=kind, timeout=5)
    assert sent.status_code == 413
    wrong = browser.session.post(
        f"{page.url}/answer", data=io.BytesIO(b"x" * 10_000_000), headers=kind, timeout=5
    )
    assert wrong.status_code == 413


@pytest.mark.parametrize(
    "told",
    [
        [],
        "y",
        {},
        {"key": "k" * 24, "terms": "t" * 24, "answer": "y", "code": "", "reason": "", "more": ""},
        {"key": "k" * 24, "terms": "t" * 24, "answer": "maybe", "code": "", "reason": ""},
        {"key": 1, "terms": "t" * 24, "answer": "y", "code": "", "reason": ""},
        {"key": "k" * 24, "terms": "t" * 24, "answer": "y", "code": "nonsense", "reason": ""},
        {"key": "k" * 24, "terms": "t" * 24, "answer": "y", "code": "", "reason": "x" * 301},
        {"key": "<script>", "terms": "t" * 24, "answer": "y", "code": "", "reason": ""},
    ],
)
def test_a_malformed_answer_is_refused_in_one_line(page: Served, told: object) -> None:
    answer = page.enter().post("/answer", told)
    assert answer.status_code == 400
    assert answer.json()["words"] and "\n" not in answer.json()["words"]


def test_deeply_nested_json_is_refused(page: Served) -> None:
    browser = page.enter()
    kind = {"Content-Type": "application/json"}
    sent = browser.session.post(f"{page.url}/answer", data="[" * 4000, headers=kind, timeout=5)
    assert sent.status_code == 400


def test_a_replayed_answer_is_refused(page: Served) -> None:
    browser = page.enter()
    page.ask()
    with browser.events() as events:
        card = events.open_card()
    assert browser.answer(card, "y").status_code == 200
    again = browser.answer(card, "n")
    assert again.status_code == 409
    assert again.json()["words"] == "answered already: y at the web page"
    decision = page.channel.answer(SUGGESTION)
    assert decision is not None and decision.answer is Answer.YES
    page.channel.conclude(SUGGESTION, decision, "sent")
    late = browser.answer(card, "n")
    assert late.status_code == 409
    assert late.json()["words"].startswith("too late: answered y at the web page: sent")


def test_an_answer_to_a_withdrawn_question_is_told_why(page: Served) -> None:
    browser = page.enter()
    page.ask()
    with browser.events() as events:
        card = events.open_card()
    page.channel.withdraw(SUGGESTION, "it timed out")
    late = browser.answer(card)
    assert late.status_code == 409
    assert late.json()["words"].startswith("too late: it timed out")


def test_an_answer_after_the_time_is_refused_before_the_desk_looks(
    market: LiveMarket, tmp_path: Path
) -> None:
    with served(market, tmp_path, seconds=0.5) as page:
        browser = page.enter()
        page.ask()
        with browser.events() as events:
            card = events.open_card()
        time.sleep(0.6)
        late = browser.answer(card)
        assert late.status_code == 409
        assert late.json()["words"] == "too late: the 0.5 s are over"
        assert page.channel.answer(SUGGESTION) is None


def test_an_answer_to_a_question_of_another_desk_is_refused(
    market: LiveMarket, tmp_path: Path, page: Served
) -> None:
    (tmp_path / "other").mkdir()
    with served(market, tmp_path / "other") as other:
        other.ask()
        with other.enter().events() as events:
            foreign = events.open_card()
    page.ask()
    refused = page.enter().answer(foreign)
    assert refused.status_code == 409
    assert "has not asked that" in refused.json()["words"]
    assert page.channel.answer(SUGGESTION) is None


def test_an_instruction_is_carried_out_once(page: Served) -> None:
    browser = page.enter()
    assert browser.instruct("pause", number="number-1").status_code == 200
    assert browser.instruct("pause", number="number-1").status_code == 409
    given = page.context.inbox.take()
    assert given is not None and given.command is Command.PAUSE
    assert given.channel == "web page"
    assert page.context.inbox.take() is None
    assert page.woken


@pytest.mark.parametrize("words", ["kill", "flatten", "close"])
def test_grave_instructions_must_be_confirmed(page: Served, words: str) -> None:
    browser = page.enter()
    assert browser.instruct(words).status_code == 400
    assert page.context.inbox.take() is None
    assert browser.instruct(words, sure="yes").status_code == 200
    given = page.context.inbox.take()
    assert given is not None and given.command == words


def test_words_that_are_no_instruction_are_refused(page: Served) -> None:
    browser = page.enter()
    for words in ("y", "quit", "help", "rm -rf /", "stop", "qty 0", "limit -1", ""):
        assert browser.instruct(words).status_code == 400
    assert page.context.inbox.take() is None


def test_terms_are_changed_for_the_question_on_the_screen_alone(page: Served) -> None:
    browser = page.enter()
    page.ask()
    assert browser.instruct("qty 1", key="k" * 24).status_code == 409
    with browser.events() as events:
        card = events.open_card()
    assert browser.instruct("limit 2.30", key=card["key"]).status_code == 200
    page.channel.withdraw(SUGGESTION, "paused")
    assert browser.instruct("limit 2.30", key=card["key"]).status_code == 409


def test_ten_thousand_requests_do_not_keep_a_known_browser_out(page: Served) -> None:
    browser = page.enter()
    page.ask()
    port = page.channel.address.port
    one = f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()
    statuses: list[bytes] = []

    def flood() -> None:
        with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
            answers = connection.makefile("rb")
            for _ in range(100):
                connection.sendall(one * 50)
                for _ in range(50):
                    statuses.append(_one_answer(answers))

    floods = [threading.Thread(target=flood) for _ in range(2)]
    for thread in floods:
        thread.start()
    with browser.events() as events:
        card = events.open_card()
    assert browser.answer(card).status_code == 200
    for thread in floods:
        thread.join(60)
    assert len(statuses) == 10_000
    assert set(statuses) == {b"401", b"429"}
    assert statuses.count(b"429") > 9_000
    assert page.channel.answer(SUGGESTION) is not None
    assert browser.get("/").status_code == 200


def _one_answer(answers: io.BufferedReader) -> bytes:
    status, length = answers.readline().split(b" ")[1], 0
    while (line := answers.readline()) != b"\r\n":
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    answers.read(length)
    return status


def test_a_known_browser_that_floods_is_slowed_down(page: Served) -> None:
    browser, port = page.enter(), page.channel.address.port
    name, value = page.channel.address.cookie, browser.session.cookies.values()[0]
    lines = ["GET /static/icon.svg HTTP/1.1", f"Host: 127.0.0.1:{port}", f"Cookie: {name}={value}"]
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode() * 400)
        answers = connection.makefile("rb")
        statuses = [_one_answer(answers) for _ in range(400)]
    assert {b"200", b"429"} == set(statuses)


def test_nothing_that_was_printed_or_said_holds_a_cookie(page: Served) -> None:
    browser = page.enter()
    with browser.events() as events:
        events.next("now")
        heard = "\n".join(events.heard)
    for secret in (*browser.session.cookies.values(), page.link.rpartition("=")[2]):
        assert secret not in heard
    assert browser.session.cookies.values()[0] not in "\n".join(page.said)


def test_a_further_device_gets_a_link_of_its_own(page: Served) -> None:
    browser = page.enter()
    assert requests.post(f"{page.url}/invite", json={}, timeout=5).status_code == 403
    link = browser.post("/invite", {}).json()["link"]
    assert requests.get(link, timeout=5).status_code == 200
    assert requests.get(link, timeout=5).status_code == 403


def test_the_first_of_two_browsers_wins_and_the_other_is_told(page: Served) -> None:
    one, other = page.enter(), page.enter()
    page.ask()
    with one.events() as first, other.events() as second:
        card, same = first.open_card(), second.open_card()
        assert (card["key"], card["terms"]) == (same["key"], same["terms"])
        assert one.answer(card, "n", code="spread", reason="12 cents").status_code == 200
        assert other.answer(same, "y").status_code == 409
        decision = page.channel.answer(SUGGESTION)
        assert decision is not None
        assert (decision.answer, decision.reason_code) == (Answer.NO, "spread")
        assert decision.reason == "12 cents"
        page.channel.conclude(SUGGESTION, decision, "not sent")
        told = second.next("card", lambda card: not card["open"])
        assert told["ended"]["words"] == "answered n at the web page: not sent"


def test_an_answer_at_the_terminal_is_told_to_browsers(page: Served) -> None:
    browser = page.enter()
    page.ask()
    with browser.events() as events:
        card = events.open_card()
        page.channel.withdraw(SUGGESTION, "answered y at the terminal")
        decision = Decision(SUGGESTION.id, Answer.YES, "terminal", 1.0)
        page.channel.conclude(SUGGESTION, decision, "sent")
        told = events.next("card", lambda card: not card["open"])
        assert "terminal" in told["ended"]["words"]
    assert browser.answer(card).json()["words"].startswith("too late: answered y at the terminal")


def test_other_machines_are_refused_without_tls(market: LiveMarket, tmp_path: Path) -> None:
    for host in ("0.0.0.0", "192.0.2.1", "::", "desk.example"):
        with (
            pytest.raises(SettingError, match="TLS"),
            served(market, tmp_path, {"web_host": host}),
        ):
            pass


def test_a_taken_port_is_named(market: LiveMarket, tmp_path: Path, page: Served) -> None:
    port = page.channel.address.port
    (tmp_path / "second").mkdir()
    with (
        pytest.raises(SettingError, match=f"127.0.0.1:{port}"),
        served(market, tmp_path / "second", {"web_port": port}),
    ):
        pass


def test_with_tls_files_the_page_is_served_by_tls(market: LiveMarket, tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    try:
        subprocess.run(
            [
                *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt"),
                *("ec_paramgen_curve:prime256v1", "-nodes", "-days", "1", "-subj", "/CN=desk"),
                *("-addext", "subjectAltName=DNS:desk.test,IP:127.0.0.1"),
                *("-keyout", str(key), "-out", str(certificate)),
            ],
            check=True,
            capture_output=True,
        )
    except FileNotFoundError:
        pytest.skip("there is no openssl to make a certificate with")
    terms = {"web_host": "0.0.0.0", "web_key": key, "web_certificate": certificate}
    with served(market, tmp_path, {**terms, "web_names": ("desk.test",)}) as page:
        assert page.link.startswith("https://desk.test:")
        browser = Browser(page.url.replace("desk.test", "127.0.0.1"))
        browser.session.verify = str(certificate)
        link = page.link.replace("desk.test", "127.0.0.1")
        assert browser.session.get(link, timeout=5).status_code == 200
        assert browser.get("/").status_code == 200
        assert page.channel.address.cookie.startswith("__Host-")
        named = f"desk.test:{page.channel.address.port}"
        cookie = f"{page.channel.address.cookie}={browser.session.cookies.values()[0]}"
        own = {"Host": named, "Origin": f"https://{named}", "Cookie": cookie}
        assert browser.get("/", **own).status_code == 200
        assert browser.get("/", Host="evil.test", Origin="https://evil.test").status_code == 421
        with (
            socket.create_connection(("127.0.0.1", page.channel.address.port), 5) as plain,
            pytest.raises((OSError, ssl.SSLError, AssertionError)),
        ):
            plain.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert plain.recv(100).startswith(b"HTTP/1.1 200")


def test_half_of_the_tls_files_is_refused(market: LiveMarket, tmp_path: Path) -> None:
    for terms in ({"web_key": tmp_path / "k"}, {"web_key": tmp_path, "web_certificate": tmp_path}):
        with pytest.raises(SettingError), served(market, tmp_path, terms):
            pass
