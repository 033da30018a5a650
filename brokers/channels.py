"""Several channels as one approver: all are asked, the first answer wins, the others are told."""

import sys
from collections.abc import Callable, Iterable

from vocabulary import Answer, Approver, Decision, Suggestion


def _to_standard_error(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


class Channels:
    """Asks all its approvers. One that raises is dropped with a message: it is never fatal.

    All calls come from Cerebro's thread; what crosses threads is each channel's own business.
    """

    channel = "channels"

    def __init__(
        self, approvers: Iterable[Approver], say: Callable[[str], None] = _to_standard_error
    ) -> None:
        """`say` tells a person that a channel was dropped, and why."""
        self._approvers = list(approvers)
        self._say = say

    @property
    def names(self) -> tuple[str, ...]:
        """The channels that are still there."""
        return tuple(approver.channel for approver in self._approvers)

    def ask(self, suggestion: Suggestion) -> None:
        """Put it to all."""
        for approver in tuple(self._approvers):
            self._safely(approver, lambda one: one.ask(suggestion))

    def answer(self, suggestion: Suggestion) -> Decision | None:
        """The first answer; of several that are there by now, the one that was given first.

        A channel that has run out of answers (its decision is a time-out) waits for the others.
        """
        given: list[tuple[Approver, Decision]] = []
        for approver in tuple(self._approvers):
            decision = self._safely(approver, lambda one: one.answer(suggestion))
            if decision is not None:
                given.append((approver, decision))
        said = [one for one in given if one[1].answer is not Answer.TIMEOUT]
        if not said:
            return given[0][1] if given and len(given) == len(self._approvers) else None
        winner, decision = min(said, key=lambda one: one[1].latency_seconds)
        word = f"answered {decision.answer} at the {decision.channel}"
        for approver in tuple(self._approvers):
            if approver is not winner:
                self._safely(approver, lambda one: one.withdraw(suggestion, word))
        return decision

    def withdraw(self, suggestion: Suggestion, reason: str) -> None:
        """Take it back from all."""
        for approver in tuple(self._approvers):
            self._safely(approver, lambda one: one.withdraw(suggestion, reason))

    def conclude(self, suggestion: Suggestion, decision: Decision, outcome: str) -> None:
        """Tell all what became of the answer."""
        for approver in tuple(self._approvers):
            self._safely(approver, lambda one: one.conclude(suggestion, decision, outcome))

    def _safely(
        self, approver: Approver, call: Callable[[Approver], Decision | None]
    ) -> Decision | None:
        try:
            return call(approver)
        except Exception as error:  # whatever a channel does, the others go on
            self._approvers.remove(approver)
            self._say(f"the channel {approver.channel} is dropped: {error!r}")
            return None
