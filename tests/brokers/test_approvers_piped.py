"""Typed words, and answers from files and pipes."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import time as TimeOfDay
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as some
from market import contract

from brokers.piped import PipedApprover
from brokers.words import Remark, Reply, Wish, understand
from errors import DataError, UserError
from vocabulary import (
    REASON_CODES,
    Action,
    Answer,
    Command,
    Decision,
    Instruction,
    Suggestion,
)

ROOT = Path(__file__).resolve().parents[2]


def question(name: str = "1") -> Suggestion:
    return Suggestion(
        name, 0, Action.SELL_PUT, contract(), -1, 1, 2.35, 2.45, 628.5, 0.2, 3.0, (), (), (), "m"
    )


# --- words ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        ("y", Reply(Answer.YES)),
        ("  YES ", Reply(Answer.YES)),
        ("n", Reply(Answer.NO)),
        ("n too risky", Reply(Answer.NO, "too risky")),
        ("no spread: 12 cents Wide", Reply(Answer.NO, "12 cents Wide", "spread")),
        ("n EVENT", Reply(Answer.NO, "", "event")),
        ("skip", Reply(Answer.SKIP)),
        ("s timing later", Reply(Answer.SKIP, "later", "timing")),
    ],
)
def test_answers_may_carry_a_reason_and_its_code(line: str, reply: Reply) -> None:
    assert understand(line) == reply


@pytest.mark.parametrize(
    ("line", "instruction"),
    [
        ("close", Instruction(Command.CLOSE)),
        ("pause fed at two", Instruction(Command.PAUSE, text="fed at two")),
        ("resume", Instruction(Command.RESUME)),
        ("Resume Daily  Loss", Instruction(Command.RESUME, text="daily loss")),
        ("resume kill", Instruction(Command.RESUME, text="kill")),
        ("resume books", Instruction(Command.RESUME, text="books")),
        ("stop 4.80", Instruction(Command.STOP, 4.8, "4.80")),
        ("stop $5", Instruction(Command.STOP, 5.0, "$5")),
        ("qty 2", Instruction(Command.QUANTITY, 2.0, "2")),
        ("q 1", Instruction(Command.QUANTITY, 1.0, "1")),
        ("limit .95", Instruction(Command.LIMIT, 0.95, ".95")),
        ("kill", Instruction(Command.KILL)),
        ("flatten", Instruction(Command.FLATTEN)),
        ("accept", Instruction(Command.ACCEPT)),
    ],
)
def test_instructions_carry_their_figure(line: str, instruction: Instruction) -> None:
    assert understand(line) == instruction


def test_every_command_has_a_word() -> None:
    lines = ["close", "pause", "resume", "stop=1", "qty=1", "limit=1", "kill", "flatten", "accept"]
    said = [understand(line.replace("=", " ")) for line in lines]
    assert {one.command for one in said if isinstance(one, Instruction)} == set(Command)


def test_a_reason_may_come_before_its_answer() -> None:
    assert understand("reason volatility too high") == Remark("too high", "volatility")
    assert understand("help") is Wish.HELP
    assert understand("quit") is Wish.QUIT


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("yy", "possible: y, n, skip"),
        ("", "possible: y, n, skip"),
        ("q", "to leave type quit"),
        ("qty 0", "needs a number of contracts"),
        ("qty 1.5", "needs a number of contracts"),
        ("qty -1", "needs a number of contracts"),
        ("stop", "stop needs a price"),
        ("stop 4,80", "stop needs a price"),
        ("stop 0", "stop needs a price"),
        ("limit nan", "limit needs a price"),
        ("limit 2.355", "limit needs a price"),
        ("limit 2.35 4", "limit needs a price"),
        ("close 628", "close stands alone"),
        ("flatten it", "flatten stands alone"),
        ("qty \u0661", "needs a number of contracts"),
        ("stop \u0661", "stop needs a price"),
        ("resume everything", "resume lifts a pause"),
        ("reason", "reason needs words"),
    ],
)
def test_wrong_words_get_one_line_that_says_what_is_possible(line: str, hint: str) -> None:
    with pytest.raises(UserError, match=hint) as caught:
        understand(line)
    assert "\n" not in str(caught.value)


@given(some.text(max_size=30))
@example("qty ²")
def test_no_line_does_more_than_it_says(line: str) -> None:
    """Whatever is typed is understood as one of the known things, or refused in words."""
    try:
        said = understand(line)
    except UserError:
        return
    if isinstance(said, Instruction):
        assert said.value is None or 0 < said.value < 1e6
    elif isinstance(said, Reply | Remark):
        assert said.reason_code in ("", *REASON_CODES)


# --- files ---------------------------------------------------------------------------------------


def written(folder: Path, text: str) -> PipedApprover:
    path = folder / "answers"
    path.write_text(text)
    return PipedApprover.from_file(path)


def ask(approver: PipedApprover, name: str) -> Decision | None:
    approver.ask(question(name))
    return approver.answer(question(name))


def test_a_file_answers_at_once_line_by_line(tmp_path: Path) -> None:
    approver = written(tmp_path, "# a day\ny\n\n  n too risky\nskip event FOMC\n")
    told = [ask(approver, name) for name in "abcde"]
    assert [one and (one.answer, one.reason, one.reason_code) for one in told] == [
        (Answer.YES, "", ""),
        (Answer.NO, "too risky", ""),
        (Answer.SKIP, "FOMC", "event"),
        (Answer.TIMEOUT, "no more answers", ""),
        (Answer.TIMEOUT, "no more answers", ""),
    ]
    assert [one and one.suggestion_id for one in told] == list("abcde")


def test_a_question_that_is_asked_again_takes_no_second_line(tmp_path: Path) -> None:
    approver = written(tmp_path, "y\nn\n")
    approver.ask(question("a"))
    approver.ask(question("a"))
    first = approver.answer(question("a"))
    assert first is not None and first.answer is Answer.YES
    assert approver.answer(question("a")) is None
    second = ask(approver, "b")
    assert second is not None and second.answer is Answer.NO


def test_instructions_in_a_file_have_their_time(tmp_path: Path) -> None:
    approver = written(tmp_path, "y\n@14:30 close\n@9:45 stop 4.80\n")
    assert approver.timed == (
        (TimeOfDay(9, 45), Instruction(Command.STOP, 4.8, "4.80", "piped")),
        (TimeOfDay(14, 30), Instruction(Command.CLOSE, channel="piped")),
    )


@pytest.mark.parametrize(
    "line", ["maybe", "close", "@25:00 close", "@14:30", "@14:30 y", "@1430 close", "help"]
)
def test_a_file_with_a_line_that_is_no_answer_is_refused_with_its_number(
    tmp_path: Path, line: str
) -> None:
    with pytest.raises(DataError, match=r"answers, line 3: ") as caught:
        written(tmp_path, f"y\n# fine\n{line}\n")
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot read the answers in .*nothing"):
        PipedApprover.from_file(tmp_path / "nothing")


def test_a_pipe_in_the_place_of_a_file_is_refused(tmp_path: Path) -> None:
    """It would be empty when the session opens, and every question would run out."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match="pipe answers into standard input instead"):
        PipedApprover.from_file(tmp_path / "pipe")


# --- pipes ---------------------------------------------------------------------------------------


class Pipe:
    """A pipe whose other end answers when the test says so."""

    def __init__(self) -> None:
        self.descriptor, self._writing = os.pipe()
        self.said: list[str] = []
        self.approver = PipedApprover.from_stream(self.descriptor, self.said.append)

    def write(self, text: str) -> None:
        os.write(self._writing, text.encode())

    def end(self) -> None:
        if self._writing >= 0:
            os.close(self._writing)
            self._writing = -1

    def answer(self, name: str) -> Decision:
        """The answer once it has come through."""
        return within(lambda: self.approver.answer(question(name)))


def within(get: Callable[[], Decision | None]) -> Decision:
    end = time.monotonic() + 5
    while time.monotonic() < end:
        found = get()
        if found is not None:
            return found
        time.sleep(0.001)
    raise AssertionError("no answer came")


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = Pipe()
    yield made
    made.end()


def test_an_answer_may_come_later_than_its_question(pipe: Pipe) -> None:
    pipe.approver.ask(question("a"))
    assert pipe.approver.answer(question("a")) is None
    pipe.write("n later\n")
    assert pipe.answer("a").reason == "later"


def test_the_end_of_a_pipe_is_the_end_of_answers(pipe: Pipe) -> None:
    pipe.write("y\n")
    pipe.end()
    pipe.approver.ask(question("a"))
    assert pipe.answer("a").answer is Answer.YES
    pipe.approver.ask(question("b"))
    decision = pipe.answer("b")
    assert (decision.answer, decision.reason) == (Answer.TIMEOUT, "no more answers")


def test_a_line_in_a_pipe_that_is_no_answer_is_a_skip_and_told(pipe: Pipe) -> None:
    pipe.write("maybe\n@10:00 close\ny")
    pipe.end()
    pipe.approver.ask(question("a"))
    assert pipe.answer("a").answer is Answer.SKIP
    pipe.approver.ask(question("b"))
    assert pipe.answer("b").answer is Answer.YES
    assert pipe.said[0].startswith("taken as skip: not understood: 'maybe'")
    assert pipe.said[1].startswith("not done: '@10:00 close'")


def test_a_line_that_was_not_used_in_time_is_for_the_next_question(pipe: Pipe) -> None:
    pipe.approver.ask(question("a"))
    pipe.approver.withdraw(question("a"), "it timed out")
    pipe.write("n\n")
    pipe.approver.ask(question("b"))
    assert pipe.answer("b").answer is Answer.NO


def test_a_process_ends_though_its_pipe_stays_open() -> None:
    script = (
        "import sys; from brokers.piped import PipedApprover; "
        "PipedApprover.from_stream(sys.stdin.fileno(), print); print('done')"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with process:
        assert process.wait(20) == 0
        assert process.stdin and process.stdout and process.stderr
        assert (process.stdout.read(), process.stderr.read()) == (b"done\n", b"")
