"""A person at a real pty: what is seen, what is typed, and what happens when the window closes."""

import os
import pty
import re
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from market import SESSION, at, contract
from pseudo_terminal import PseudoTerminal

from desk.terminal import TerminalApprover
from errors import UserError
from vocabulary import (
    Action,
    Answer,
    Command,
    Decision,
    DeskStatus,
    Instruction,
    LiveQuote,
    OpenQuestion,
    Plan,
    Suggestion,
)

ROOT = Path(__file__).resolve().parents[2]
PROMPT = "Execute? (y/n/skip):"
PLAN = Plan(2.40, 2.32, 240.0, 7.20, 480.0, at(SESSION, 375), 240.0, -338.5, 62_800.0)
SUGGESTION = Suggestion(
    id="1",
    ts=at(SESSION, 97.5),
    action=Action.SELL_PUT,
    contract=contract(),
    side=-1,
    quantity=1,
    bid=2.35,
    ask=2.45,
    spot=628.50,
    risk_score=0.20,
    stop_multiple=3.0,
    features=(),
    probabilities=(),
    mask=(),
    model="m",
    plan=PLAN,
)
BLOCK = """\
[11:07 AM] TRADE SUGGESTION
Action: SELL 1 SPY 628 PUT
SPY Price: $628.50
Option Bid/Ask: $2.35 / $2.45
Risk Score: 0.20

Execute? (y/n/skip):"""


class Person:
    """A terminal approver on a pty, and a desk that keeps what it is told."""

    def __init__(self, **terms: Any) -> None:
        self.terminal = PseudoTerminal()
        self.status = DeskStatus(market_ts=at(SESSION, 97.5), mode="mock", account="simulated")
        self.now = 0.0
        self.instructions: list[Instruction] = []
        self.woken = self.quits = 0
        self.lost: list[str] = []
        self.approver = TerminalApprover(
            lambda: self.status,
            self.instructions.append,
            self._wake,
            self._quit,
            lost=self.lost.append,
            monotonic=lambda: self.now,
            stdin=self.terminal.stdin,
            stdout=self.terminal.stdout,
            refresh_seconds=0.02,
            **terms,
        )

    def _wake(self) -> None:
        self.woken += 1

    def _quit(self) -> None:
        self.quits += 1

    def sees(self, wanted: str | Callable[[str], bool]) -> str:
        return self.terminal.wait_for(wanted)

    def enters(self, line: str) -> None:
        self.terminal.type(f"{line}\r")

    def asked(self, suggestion: Suggestion = SUGGESTION) -> None:
        self.approver.ask(suggestion)
        self.sees(PROMPT)

    def answer(self, suggestion: Suggestion = SUGGESTION) -> Decision:
        end = time.monotonic() + 5
        while time.monotonic() < end:
            decision = self.approver.answer(suggestion)
            if decision is not None:
                return decision
            time.sleep(0.002)
        raise AssertionError(f"no answer\n{self.terminal.text()}")


@pytest.fixture(params=["xterm-256color", "dumb"])
def any_person(request: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Person]:
    monkeypatch.setenv("TERM", request.param)
    yield from sitting(Person())


@pytest.fixture
def person(monkeypatch: pytest.MonkeyPatch) -> Iterator[Person]:
    monkeypatch.setenv("TERM", "xterm-256color")
    yield from sitting(Person())


def sitting(person: Person) -> Iterator[Person]:
    with person.terminal:
        person.approver.start()
        person.sees(">")
        yield person
        person.approver.close()


# --- answers -------------------------------------------------------------------------------------


def test_the_plan_stands_above_the_block_and_the_block_is_exact(any_person: Person) -> None:
    any_person.asked()
    text = any_person.sees(BLOCK)
    assert text.index("never below $2.32") < text.index("TRADE SUGGESTION")
    assert any_person.terminal.screen.bells == 1


@pytest.mark.parametrize(
    ("line", "answer", "reason", "code"),
    [
        ("y", Answer.YES, "", ""),
        ("n too risky", Answer.NO, "too risky", ""),
        ("skip event FOMC", Answer.SKIP, "FOMC", "event"),
    ],
)
def test_an_answer_is_typed(
    any_person: Person, line: str, answer: Answer, reason: str, code: str
) -> None:
    any_person.asked()
    any_person.now = 3.5
    any_person.enters(line)
    decision = any_person.answer()
    assert decision == Decision("1", answer, "terminal", 3.5, reason, code)
    assert any_person.woken == 1
    any_person.approver.conclude(SUGGESTION, decision, "sent")
    any_person.sees(f"{answer}: sent")


def test_a_reason_may_be_typed_first(person: Person) -> None:
    person.asked()
    person.enters("reason volatility too high")
    person.sees("noted: it goes with your answer")
    person.enters("n")
    decision = person.answer()
    assert (decision.reason, decision.reason_code) == ("too high", "volatility")


def test_an_answer_without_a_question_is_told_so(any_person: Person) -> None:
    any_person.enters("y")
    any_person.sees("there is no question to answer now")
    assert any_person.woken == 0


def test_a_late_answer_is_told_that_it_is_late(any_person: Person) -> None:
    any_person.asked()
    any_person.approver.withdraw(SUGGESTION, "it timed out")
    any_person.sees("question withdrawn: it timed out")
    any_person.now = 2.0
    any_person.enters("y")
    any_person.sees("too late: it timed out 2 s ago")
    assert any_person.approver.answer(SUGGESTION) is None


def test_an_answer_that_was_on_its_way_is_told_that_it_is_late(person: Person) -> None:
    person.asked()
    person.enters("y")
    person.sees(lambda text: person.woken == 1)
    person.approver.withdraw(SUGGESTION, "answered n at the web")
    person.sees("too late: answered n at the web")
    assert person.approver.answer(SUGGESTION) is None


def test_a_second_answer_is_not_taken(person: Person) -> None:
    person.asked()
    person.enters("y")
    person.enters("n")
    person.sees("answered already")
    assert person.answer().answer is Answer.YES
    assert person.approver.answer(SUGGESTION) is None


def test_an_answer_of_another_channel_is_shown(person: Person) -> None:
    person.asked()
    person.approver.withdraw(SUGGESTION, "answered y at the web")
    person.approver.conclude(SUGGESTION, Decision("1", Answer.YES, "web"), "sent")
    person.sees("y (web): sent")


def test_what_was_typed_for_the_question_before_is_no_answer_to_this_one(person: Person) -> None:
    person.asked()
    person.terminal.type("y")
    person.sees(f"{PROMPT} y")
    person.approver.withdraw(SUGGESTION, "it timed out")
    person.approver.ask(replace(SUGGESTION, id="2"))
    person.sees("('y' was typed before this question: cleared)")
    person.enters("")
    time.sleep(0.05)
    assert person.approver.answer(replace(SUGGESTION, id="2")) is None


def test_an_answer_to_terms_that_changed_meanwhile_is_not_taken(person: Person) -> None:
    person.asked()
    person.enters("y")
    person.sees(lambda text: person.woken == 1)
    fewer = replace(SUGGESTION, plan=replace(PLAN, worst_price=2.38))
    assert person.approver.answer(fewer) is None
    person.sees("not taken: the terms changed meanwhile")
    person.approver.ask(fewer)
    person.sees("never below $2.38")
    person.now = 9.0
    person.enters("y")
    assert person.answer(fewer).latency_seconds == 9.0  # since the question first was put


def test_a_price_that_moved_does_not_void_an_answer(person: Person) -> None:
    person.asked()
    moved = replace(SUGGESTION, bid=2.36)
    person.approver.ask(moved)
    person.sees("Option Bid/Ask: $2.36 / $2.45")
    person.enters("y")
    assert person.answer(moved).answer is Answer.YES
    assert person.terminal.screen.bells == 2


# --- instructions --------------------------------------------------------------------------------


def test_instructions_are_handed_over_and_the_desk_is_woken(any_person: Person) -> None:
    for line in ("pause", "stop 4.80", "qty 1", "resume daily loss", "kill"):
        any_person.enters(line)
    any_person.sees(lambda text: len(any_person.instructions) == 5)
    assert any_person.instructions == [
        Instruction(Command.PAUSE),
        Instruction(Command.STOP, 4.8, "4.80"),
        Instruction(Command.QUANTITY, 1.0, "1"),
        Instruction(Command.RESUME, text="daily loss"),
        Instruction(Command.KILL),
    ]
    any_person.sees(lambda text: any_person.woken == 5)


def test_instructions_do_not_end_a_question(person: Person) -> None:
    person.asked()
    person.enters("limit 2.38")
    person.sees(lambda text: person.instructions != [])
    person.enters("y")
    assert person.answer().answer is Answer.YES


def test_wrong_words_get_one_line(any_person: Person) -> None:
    any_person.enters("sell everything")
    any_person.sees("not understood: 'sell everything'; possible: y, n, skip, close")
    any_person.enters("help")
    any_person.sees("move the open position's stop nearer to the market")


@pytest.mark.parametrize("keys", ["quit\r", "\x03", "\x04"])
def test_leaving_stops_in_order(person: Person, keys: str) -> None:
    person.terminal.type(keys)
    person.sees("stopping in order")
    person.sees(lambda text: person.quits == 1)


# --- the screen ----------------------------------------------------------------------------------


def test_the_countdown_and_the_quote_are_refreshed_while_it_waits(person: Person) -> None:
    quote = LiveQuote(contract(), 0, 2.35, 2.45, 1, 1, 628.5, 0.4)
    person.asked()
    for seconds, bid in ((47.0, 2.35), (46.0, 2.31), (45.0, 2.28)):
        open_question = OpenQuestion(SUGGESTION, seconds, replace(quote, bid=bid))
        person.status = replace(person.status, question=open_question)
        shown = f"bid {bid:.2f} ask 2.45 (theta, 0.4 s old) | {seconds:.0f} s left"
        person.sees(
            lambda text, shown=shown: shown in text and len(re.findall(r"\d s left", text)) == 1
        )


def test_messages_do_not_break_what_is_being_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    for person in sitting(Person()):
        types_while_others_print(person)


def types_while_others_print(person: Person) -> None:
    person.asked()
    person.terminal.type("n too ri")
    person.sees(f"{PROMPT} n too ri")
    person.approver.say("FILLED sell 1 at 2.40")
    print("a line of the log")
    print("and of an error", file=sys.stderr)
    person.sees("and of an error")
    person.enters("sky")
    assert person.answer().reason == "too risky"
    text = person.sees(f"{PROMPT} n too risky")
    assert text.index("FILLED") < text.index(f"{PROMPT} n too risky")


def test_a_halt_is_red_and_without_colour_still_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    red = []
    for colour in ("", "1"):
        monkeypatch.setenv("NO_COLOR", colour)
        person = Person()
        person.status = replace(person.status, halted="quotes are 12 s old")
        for one in sitting(person):
            one.sees("HALTED: quotes are 12 s old")
            red.append(re.search(r"[;[]41[;m]", one.terminal.screen.raw) is not None)
    assert red == [True, False]


def test_the_terminal_is_given_back_as_it_was(person: Person) -> None:
    def flags() -> int:
        found: int = termios.tcgetattr(person.terminal.master)[3]
        return found

    person.asked()
    assert not flags() & termios.ICANON
    person.approver.close()
    person.approver.close()
    assert flags() & termios.ICANON and flags() & termios.ECHO
    assert "flat" not in person.terminal.text().splitlines()[-1]  # the toolbar is gone


def test_no_terminal_is_refused() -> None:
    with open(os.devnull) as nothing, pytest.raises(UserError, match="--answers FILE"):
        TerminalApprover(DeskStatus, print, print, print, stdin=nothing).start()


def test_a_screen_that_fails_gives_the_terminal_back_and_says_why(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")

    def broken() -> DeskStatus:
        raise ZeroDivisionError("no status")

    person = Person()
    person.approver = TerminalApprover(
        broken,
        print,
        person._wake,
        person._quit,
        lost=person.lost.append,
        stdin=person.terminal.stdin,
        stdout=person.terminal.stdout,
    )
    with person.terminal:
        person.approver.start()
        person.sees(lambda text: person.lost != [])
        person.approver.screen._thread.join(5)
        print("visible again")
        person.approver.close()
    assert person.lost[0].startswith("the terminal failed: ZeroDivisionError('no status')")
    assert "visible again" in capsys.readouterr().out


# --- a window that closes ------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["xterm-256color", "dumb"])
def test_a_closed_window_is_reported_once_and_nothing_is_raised(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", kind)
    person = Person()
    with person.terminal:
        person.approver.start()
        person.asked()
        person.terminal.hang_up()
        end = time.monotonic() + 5
        while not person.lost and time.monotonic() < end:
            time.sleep(0.005)
        print("printed into the void")
        person.approver.say("so is this")
        person.approver.ask(SUGGESTION)
        assert person.approver.answer(SUGGESTION) is None
        person.approver.withdraw(SUGGESTION, "it timed out")
        person.approver.close()
    assert person.lost == ["the terminal hung up"] == [person.approver.gone]
    sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__


def test_a_keyboard_that_is_gone_is_noticed_though_the_screen_still_shows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    person = Person()
    with PseudoTerminal() as other:
        person.approver.screen._stdin = other.stdin
        for one in sitting(person):
            other.hang_up()
            one.sees(lambda text: person.lost == ["the terminal hung up"])


DESK = """
import sys, time, pathlib
from datetime import date
from desk.terminal import TerminalApprover
from feeds.contract import Contract, Right
from vocabulary import Action, DeskStatus, Suggestion
SUGGESTION = Suggestion(
    "1", 0, Action.SELL_PUT, Contract("SPY", date(2026, 10, 30), 628_000, Right.PUT),
    -1, 1, 2.35, 2.45, 628.5, 0.2, 3.0, (), (), (), "m",
)
log = pathlib.Path(sys.argv[1])
def note(text):
    with log.open("a") as file:
        file.write(text + "\\n")
running = [True]
approver = TerminalApprover(DeskStatus, print, lambda: None, running.clear,
                            lost=lambda why: note("lost " + why))
approver.start()
approver.ask(SUGGESTION)
began = None
while running:
    time.sleep(0.01)
    print("a fill, an exit")
    answer = approver.answer(SUGGESTION)
    if answer:
        note("answer " + answer.answer)
    if approver.gone and began is None:
        began = time.monotonic(), time.process_time()
    if began and time.monotonic() - began[0] > 0.7:
        note(f"busy {(time.process_time() - began[1]) / 0.7:.3f}")
        break
approver.close()
note("ended in order")
"""


def start_desk(log: Path) -> tuple[subprocess.Popen[bytes], int]:
    """A desk in a session of its own, whose controlling terminal is ours to close."""
    master, slave = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "OMP_NUM_THREADS": "1"}
    acquire = "import os, fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"
    process = subprocess.Popen(
        [sys.executable, "-c", acquire + DESK, str(log)],
        cwd=ROOT,
        env=environment,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
    )
    os.close(slave)
    return process, master


def read_until(master: int, wanted: bytes) -> bytes:
    seen = b""
    while wanted not in seen:
        seen += os.read(master, 65536)
    return seen


def test_a_desk_outlives_the_hang_up_of_its_terminal(tmp_path: Path) -> None:
    process, master = start_desk(tmp_path / "log")
    with process:
        read_until(master, PROMPT.encode())
        os.close(master)  # SIGHUP for the session, EIO for every read and write
        assert process.wait(20) == 0
    lost, busy, end = (tmp_path / "log").read_text().splitlines()
    assert (lost, end) == ("lost the terminal hung up", "ended in order")
    assert float(busy.split()[1]) < 0.3  # a dead terminal is readable for ever: no spinning


def test_a_desk_is_answered_and_left_by_its_controlling_terminal(tmp_path: Path) -> None:
    process, master = start_desk(tmp_path / "log")
    with process:
        seen = read_until(master, PROMPT.encode())
        os.write(master, b"y\r")
        read_until(master, b"y\r\n")
        os.write(master, b"\x03")
        read_until(master, b"stopping in order")
        assert process.wait(20) == 0
    os.close(master)
    assert b"TRADE SUGGESTION" in seen
    assert (tmp_path / "log").read_text().splitlines() == ["answer y", "ended in order"]


def test_a_hang_up_signal_alone_does_not_end_the_desk(tmp_path: Path) -> None:
    process, master = start_desk(tmp_path / "log")
    with process:
        read_until(master, PROMPT.encode())
        process.send_signal(signal.SIGHUP)
        assert process.wait(20) == 0
    os.close(master)
    assert (tmp_path / "log").read_text().splitlines()[0] == "lost the terminal hung up"
