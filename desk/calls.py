"""What is asked of the desk, and what it is when it is ready."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal

from desk.context import Channel, Context
from models.feedback.gate import Gate
from vocabulary import Policy

RUNS = Path("runs")
REAL_MODES = ("shadow", "paper", "live")
"""Sessions of the market of now; the others are practice and have a journal of their own."""

Kind = Literal["mock", "replay", "theta"]


@dataclass(frozen=True, slots=True)
class Suggester:
    """Who suggests: the policy, and what the journal and the person should know of it.

    `gate` stands between it and the person, where one was learned.
    """

    policy: Policy
    sha256: str = ""
    schema: str = ""
    notes: tuple[str, ...] = ()
    gate: Gate | None = None


@dataclass(frozen=True, kw_only=True)
class LiveCall:
    """What was asked for on the command line.

    Args:
        kind: whose market: the simulated one, a session of the past, or a terminal's.
        day: of a replay, or of a mock session; None chooses.
        speed: market seconds a wall second of mock and replay, infinity for as fast as possible.
        blind: hide date and level of a replay.
        answers: a file of answers, None for the terminal or standard input.
        person: a scripted one, "biased:1" say, instead of anybody; mock sessions only.
        rehearse: real order path in simulated time.
        new_folder: makes the folder of a new run, by the policy's name.
        channels: make further channels beside the terminal: the web page, notifications.
    """

    kind: Kind
    day: date | None = None
    speed: float = 1.0
    blind: bool = False
    answers: Path | None = None
    person: str | None = None
    rehearse: bool = False
    new_folder: Callable[[str], Path]
    channels: Sequence[Callable[[Context], Channel]] = ()
