"""One question: the order it holds and when it is due; and who is told of its life."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import backtrader as bt

from errors import JournalError
from feeds.snapshot import ChainSnapshot
from vocabulary import Decision, Suggestion

TIMED_OUT = "it timed out"
"""Why a channel loses a question that nobody answered."""


TIME_EXIT = "the time exit has come: it is carried out without an answer"
"""Why a channel loses the question of an exit that nobody answered until the time exit."""


@dataclass(eq=False)
class Question:
    """An order that waits for a person.

    Attributes:
        order: held as Submitted until the answer.
        suggestion: as it was last put; None for an exit that was not put yet.
        put_at: monotonic seconds when it was put, None while it is not before anybody.
        again_at: monotonic seconds from which an exit is put (again).
        times: how often an exit was put anew, for its suggestion's id.
    """

    order: bt.Order
    suggestion: Suggestion | None = None
    put_at: float | None = None
    again_at: float = float("-inf")
    times: int = 0

    @property
    def is_entry(self) -> bool:
        """Whether the order opens a position."""
        return self.order.info.get("exit_reason") is None

    @property
    def due_ts(self) -> int:
        """Market time (nanoseconds) from which an exit works; 0 for one that does at once."""
        return int(self.order.info.get("good_after") or 0)


class Listeners:
    """Who is told of a question's life: the journal's bookkeeper, as a rule.

    A listener that cannot write raises `JournalError`: that is a fault, and no crash.

    Attributes:
        fault: what the last fault said, empty once a question could be written again.
    """

    def __init__(
        self,
        asked: Callable[[bt.Order, Suggestion, ChainSnapshot], None] | None,
        decided: Callable[[Suggestion, Decision], None] | None,
        concluded: Callable[[Suggestion, Decision, str], None] | None,
        told: Callable[[bt.Order], None] | None,
    ) -> None:
        """None where nobody listens."""
        self._asked, self._decided, self._concluded = asked, decided, concluded
        self._told = told
        self.fault = ""

    def asked(self, order: bt.Order, suggestion: Suggestion, snapshot: ChainSnapshot) -> str:
        """A question was put. Returns the fault, empty when it was written."""
        fault = self._tell(self._asked, order, suggestion, snapshot)
        self.fault = fault
        return fault

    def decided(self, suggestion: Suggestion, decision: Decision) -> str:
        """It ended so. Returns the fault, empty when it was written."""
        return self._tell(self._decided, suggestion, decision)

    def concluded(self, suggestion: Suggestion, decision: Decision, outcome: str) -> None:
        """This became of the answer."""
        self._tell(self._concluded, suggestion, decision, outcome)

    def told(self, order: bt.Order) -> None:
        """Cerebro is handed this news."""
        if self._told is not None:  # at every order of a backtest
            self._tell(self._told, order)

    def _tell(self, listener: Callable[..., None] | None, *facts: Any) -> str:
        if listener is None:
            return ""
        try:
            listener(*facts)
        except JournalError as error:
            self.fault = str(error)
            return self.fault
        return ""
