"""A session as its journal tells it, and an approver that gives the journal's answers again.

What came from outside - answers, instructions, halts, the desk's own death - took effect at an
instant: a bar, or the time between it and the next. A replay lets the same happen at the same
instants.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pandas as pd

from feeds.sessions import to_new_york
from vocabulary import Answer, Decision, Instruction, PastFill, Suggestion

SENT = "sent"
"""Outcome of a yes that became an order."""


@dataclass(frozen=True, slots=True, order=True)
class Instant:
    """A turn of the desk: as the bar at `ts` (nanoseconds) came, or later, before the next one."""

    ts: int
    later: bool = False


@dataclass(frozen=True, slots=True)
class JournaledAnswer:
    """How a question ended, and what became of it: `SENT`, or why a yes was refused."""

    decision: Decision
    outcome: str = SENT

    @property
    def instant(self) -> Instant:
        """When it took effect."""
        return Instant(self.decision.ts, not self.decision.at_bar)


@dataclass(frozen=True, slots=True)
class JournaledInstruction:
    """A person's instruction and when it took effect."""

    instant: Instant
    instruction: Instruction


@dataclass(frozen=True, eq=False)
class JournaledSession:
    """What the journal holds of one session.

    Attributes:
        bars: the table `bars`, one row a bar, `ts` in nanoseconds, `reason` in words.
        suggestions: every suggestion that was shown, oldest first, as it was asked first.
        answers: of each suggestion id, in order; exits are asked more than once.
        fills: executions, oldest first, corrected and with their commissions.
        instructions: oldest first.
        restarts: last bar before each further start of the desk, nanoseconds.
        real_broker: whether a broker of its own filled the orders: then fills differ from the
            simulated ones by nature.
    """

    bars: pd.DataFrame
    suggestions: Sequence[Suggestion] = ()
    answers: Mapping[str, Sequence[JournaledAnswer]] = field(default_factory=dict)
    fills: Sequence[PastFill] = ()
    instructions: Sequence[JournaledInstruction] = ()
    restarts: Sequence[int] = ()
    real_broker: bool = False

    @property
    def bar_ts(self) -> npt.NDArray[np.int64]:
        """[N] instants of the bars, nanoseconds."""
        return self.bars["ts"].to_numpy(np.int64)

    @property
    def opening_cash(self) -> float | None:
        """Dollars of the account at the first bar, None without bars."""
        if self.bars.empty:
            return None
        first = self.bars.iloc[0]
        return float(first["cash"]) + float(first["position_value"])

    def answer_of(self, suggestion_id: str) -> JournaledAnswer | None:
        """The last answer to a suggestion, None where there was none."""
        answers = self.answers.get(suggestion_id)
        return answers[-1] if answers else None


class JournaledApprover:
    """Answers as the journal says, each answer at its instant.

    A question the journal has no answer to is open until the desk was started again, which took it
    back, or for good; a question the journal does not know at all is taken back at once.

    Attributes:
        asked: every suggestion by its id, as it was asked first and last.
    """

    channel = "journal"

    def __init__(self, session: JournaledSession) -> None:
        """Before the first instant nothing is answered: see `move`."""
        self.asked: dict[str, tuple[Suggestion, Suggestion]] = {}
        self._session = session
        self._known = {one.id for one in session.suggestions} | set(session.answers)
        self._given: dict[str, int] = {}
        self._now = Instant(0)

    def move(self, now: Instant) -> None:
        """Tell the time."""
        self._now = now

    def ask(self, suggestion: Suggestion) -> None:
        """Note the question."""
        first, _ = self.asked.get(suggestion.id, (suggestion, suggestion))
        self.asked[suggestion.id] = first, suggestion

    def answer(self, suggestion: Suggestion) -> Decision | None:
        """The journal's next answer once its instant has come."""
        if suggestion.id not in self._known:
            return self._taken_back(suggestion, "the journal does not know this question")
        answers = self._session.answers.get(suggestion.id, ())
        number = self._given.get(suggestion.id, 0)
        if number < len(answers):
            return self._given_answer(suggestion, answers[number], number)
        if any(suggestion.ts <= last < self._now.ts for last in self._session.restarts):
            return self._taken_back(suggestion, "the desk was started again")
        return None

    def withdraw(self, suggestion: Suggestion, reason: str) -> None:
        """The journal needs not be told."""

    def conclude(self, suggestion: Suggestion, decision: Decision, outcome: str) -> None:
        """The journal needs not be told."""

    def _given_answer(
        self, suggestion: Suggestion, answer: JournaledAnswer, number: int
    ) -> Decision | None:
        if answer.instant > self._now:
            return None
        self._given[suggestion.id] = number + 1
        return answer.decision

    def _taken_back(self, suggestion: Suggestion, reason: str) -> Decision:
        return Decision(suggestion.id, Answer.WITHDRAWN, self.channel, reason=reason)


class AskedSoFar:
    """A clock of questions: it moves on when the journal asked an exit (again), and then alone."""

    def __init__(self, session: JournaledSession) -> None:
        """At zero."""
        bars = session.bar_ts
        asked = np.array([one.ts for one in session.suggestions if not one.is_entry], np.int64)
        which = np.maximum(np.searchsorted(bars, asked, side="right") - 1, 0)
        self._bars = np.sort(bars[which]) if bars.size else asked
        self._now = 0

    def move(self, ts: int) -> None:
        """Tell the bar."""
        self._now = ts

    def market_now(self) -> int:
        """The bar, nanoseconds."""
        return self._now

    def wall_now(self) -> datetime:
        """The same, New York."""
        return to_new_york(self._now)

    def monotonic(self) -> float:
        """How many exits the journal has asked until now; a repetition comes with the next."""
        return float(np.searchsorted(self._bars, self._now, side="right"))
