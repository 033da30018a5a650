"""The gate between the desk and the person: what it keeps back is answered at once, and written.

A vetoed entry never reaches a channel. It ends as withdrawn by the channel "gate", starts no wait,
and the policy may ask again at its next decision. Exits always pass.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from models.feedback.gate import TIME, Gate, GateFacts, veto_window
from models.feedback.gate_card import read_gate
from models.feedback.promotion_state import read_promotion
from vocabulary import Answer, Approver, Decision, Suggestion

CHANNEL = "gate"


def standing_gate(folder: Path, policy_sha256: str) -> Gate | None:
    """The gate in a model's folder as it stands: until it is active it only looks on.

    Raises `ModelError` where the files of the folder do not fit together.
    """
    card, promotion = read_gate(folder, policy_sha256), read_promotion(folder)
    if card is None:
        return None
    is_active = promotion is None or promotion.status == "active"
    return card.gate() if is_active else replace(card.gate(), mode="off")


class GateApprover:
    """An `Approver` that asks another one about what its gate lets through.

    Args:
        inner: who is asked.
        gate: what stands before it.
        say: prints a line for the person; a probe is marked as one.
    """

    def __init__(
        self, inner: Approver, gate: Gate, say: Callable[[str], None] | None = None
    ) -> None:
        """The gate of a live account must be `Gate.without_probes`."""
        self.channel = inner.channel
        self._inner, self._gate = inner, gate
        self._say = say
        self._facts: dict[str, GateFacts] = {}
        self._told: set[tuple[int, int]] = set()

    def facts(self, suggestion: Suggestion) -> GateFacts | None:
        """The verdict on an entry, the same however often it is asked for; None for an exit.

        A person who changes the terms of a question does not send it through the gate again.
        """
        if not suggestion.is_entry:
            return None
        if suggestion.id not in self._facts:
            self._facts[suggestion.id] = self._gate.facts(suggestion)
        return self._facts[suggestion.id]

    def columns(self, suggestion: Suggestion) -> Mapping[str, Any]:
        """The gate's columns of the journal's table `suggestions`; none for an exit."""
        facts = self.facts(suggestion)
        if facts is None:
            return {}
        return {
            "gate_version": facts.version,
            "gate_probability": facts.probability,
            "gate_tau": facts.tau,
            "gate_vetoed": facts.vetoed,
            "gate_probe": facts.probe,
            "shown": not facts.vetoed,
            "show_probability": facts.show_probability,
        }

    def explanation(self, suggestion: Suggestion) -> str:
        """The line beside the question; empty for an exit and for a gate that is off."""
        facts = self.facts(suggestion)
        if facts is None or self._gate.mode == "off" or facts.probability != facts.probability:
            return ""
        words = f"GATE: by your earlier answers, y with {facts.probability:.0%}"
        if facts.probe:
            return f"{words}; shown all the same, to learn whether that has changed"
        if facts.probability < facts.tau:
            return f"{words}, below its threshold of {facts.tau:.0%}"
        return words

    def ask(self, suggestion: Suggestion) -> None:
        """Put it to the inner approver unless it is vetoed."""
        facts = self.facts(suggestion)
        if facts is None or not facts.vetoed:
            self._inner.ask(suggestion)
        elif self._say is not None and self._is_news(suggestion):
            self._say(_kept_back(suggestion, facts))

    def answer(self, suggestion: Suggestion) -> Decision | None:
        """Withdrawn at once where it is vetoed, else the inner approver's word."""
        facts = self.facts(suggestion)
        if facts is None or not facts.vetoed:
            return self._inner.answer(suggestion)
        reason = f"p(y) {facts.probability:.2f} below {facts.tau:.2f} ({facts.version})"
        return Decision(suggestion.id, Answer.WITHDRAWN, CHANNEL, 0.0, reason)

    def withdraw(self, suggestion: Suggestion, reason: str) -> None:
        """Take it back where it was shown."""
        if not self._is_vetoed(suggestion):
            self._inner.withdraw(suggestion, reason)

    def conclude(self, suggestion: Suggestion, decision: Decision, outcome: str) -> None:
        """Tell what became of an answer where it was shown."""
        if not self._is_vetoed(suggestion):
            self._inner.conclude(suggestion, decision, outcome)

    def _is_news(self, suggestion: Suggestion) -> bool:
        """Whether no such veto was told in this hour: a vetoed wish comes every few minutes."""
        window = int(veto_window(np.asarray(suggestion.features[TIME])))
        told = int(suggestion.action), window
        is_news = told not in self._told
        self._told.add(told)
        return is_news

    def _is_vetoed(self, suggestion: Suggestion) -> bool:
        facts = self.facts(suggestion)
        return facts is not None and facts.vetoed


def _kept_back(suggestion: Suggestion, facts: GateFacts) -> str:
    contract = suggestion.contract
    return (
        f"GATE: kept back sell {contract.strike:g} {contract.right.name}, "
        f"p(y) {facts.probability:.2f} below {facts.tau:.2f}"
    )
