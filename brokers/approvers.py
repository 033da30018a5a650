"""Approvers that need no screen: the automatic yes, and answers known in advance."""

from collections.abc import Iterable, Iterator

from vocabulary import Answer, Decision, Suggestion


class AutomaticApprover:
    """Answers every question with yes at once. Backtests and shadow sessions use it."""

    channel = "automatic"

    def ask(self, suggestion: Suggestion) -> None:
        """Nothing to show."""

    def answer(self, suggestion: Suggestion) -> Decision | None:
        """Yes."""
        return Decision(suggestion.id, Answer.YES, self.channel)

    def withdraw(self, suggestion: Suggestion, reason: str) -> None:
        """Nothing to take back."""

    def conclude(self, suggestion: Suggestion, decision: Decision, outcome: str) -> None:
        """Nobody to tell."""


class ScriptedApprover:
    """Answers questions in order from a script; when it ends, they stay unanswered."""

    channel = "script"

    def __init__(self, answers: Iterable[Answer | str]) -> None:
        """Answers such as "y", "n" and "skip", one a question."""
        self._answers: Iterator[Answer | str] = iter(answers)
        self._given: dict[str, Decision] = {}
        self.asked: list[Suggestion] = []
        self.withdrawn: list[tuple[Suggestion, str]] = []

    def ask(self, suggestion: Suggestion) -> None:
        """Take the next answer of the script for this question; asked again it has its own."""
        again = any(one.id == suggestion.id for one in self.asked)
        self.asked.append(suggestion)
        answer = None if again else next(self._answers, None)
        if answer is not None:
            self._given[suggestion.id] = Decision(suggestion.id, Answer(answer), self.channel)

    def answer(self, suggestion: Suggestion) -> Decision | None:
        """The scripted answer, None where the script had ended."""
        return self._given.get(suggestion.id)

    def withdraw(self, suggestion: Suggestion, reason: str) -> None:
        """Remember that the question was taken back."""
        self.withdrawn.append((suggestion, reason))

    def conclude(self, suggestion: Suggestion, decision: Decision, outcome: str) -> None:
        """Nobody to tell."""
