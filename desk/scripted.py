"""A scripted person as a channel of the desk: for demonstrations and tests of the whole loop."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from models.feedback.people import Person, find_person
from strategies.baselines import draw
from vocabulary import Answer, Decision, Suggestion

CHANNEL = "scripted"
ANSWERS = (Answer.YES, Answer.NO, Answer.SKIP)

QUICKEST, SLOWEST = 2.0, 20.0
"""Seconds a scripted person claims to think."""


class ScriptedPerson:
    """An `Approver` that answers at once as its person would, exits with y.

    Attributes:
        answered: how many answers it has given, those of earlier sessions included.
    """

    channel = CHANNEL

    def __init__(self, person: Person, seed: int = 0, answered: int = 0) -> None:
        """`answered` are the answers of earlier sessions (`answers_before`)."""
        self.person, self.seed, self.answered = person, seed, answered
        self._given: dict[str, Decision] = {}

    def ask(self, suggestion: Suggestion) -> None:
        """Think about it; asked again with the same id, the answer stands."""
        if suggestion.id not in self._given:
            decision = self._decision(suggestion)
            self._given[suggestion.id] = decision
            self.answered += suggestion.is_entry and decision.answer in ANSWERS

    def answer(self, suggestion: Suggestion) -> Decision | None:
        """The answer; a time-out once the person has nothing more to say."""
        return self._given.get(suggestion.id)

    def withdraw(self, suggestion: Suggestion, reason: str) -> None:
        """Nothing on a screen to take back."""

    def conclude(self, suggestion: Suggestion, decision: Decision, outcome: str) -> None:
        """Nobody to tell."""

    def _decision(self, suggestion: Suggestion) -> Decision:
        if not suggestion.is_entry:
            return Decision(suggestion.id, Answer.YES, self.channel)
        features = np.array(suggestion.features, np.float32)
        said = self.person.answer(features, int(suggestion.action), self.answered, self.seed)
        return Decision(
            suggestion.id,
            said,
            self.channel,
            self._seconds() if said in ANSWERS else 0.0,
            reason_code=self.person.reason_code(features, said),
        )

    def _seconds(self) -> float:
        share = float(draw(self.seed, self.answered, 0))
        return round(QUICKEST + (SLOWEST - QUICKEST) * share, 1)


def scripted_person(text: str, answered: int = 0) -> ScriptedPerson:
    """The channel of `--person NAME[:SEED]`. Raises `SettingError` for a name that is none."""
    person, seed = find_person(text)
    return ScriptedPerson(person, seed, answered)


def answers_before(decisions: Iterable[Mapping[str, Any]]) -> int:
    """How many answers scripted people gave, of rows of the journal's table `decisions`.

    A person who drifts, or who gives ten answers, goes on counting from session to session. Exits
    that were asked count too: scripted sessions leave them to the plan.
    """
    said = {str(answer) for answer in ANSWERS}
    return sum(row["channel"] == CHANNEL and row["response"] in said for row in decisions)
