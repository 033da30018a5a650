"""Differences between the desk's books and IB's: confirmed, shown, and accepted by a person.

One answer of the gateway can be torn by a fill on its way: a difference counts once two answers in
a row show it. Until then nothing new is opened either.
"""

from dataclasses import dataclass, field

from brokers.ib.reconcile import Findings
from feeds.contract import Contract


@dataclass(slots=True)
class Disputes:
    """What is in dispute.

    Attributes:
        confirmed: sentences of the differences that two answers showed and nobody accepted.
        pending: whether a difference waits for the second answer.
        latest: the last findings.
    """

    confirmed: tuple[str, ...] = ()
    pending: bool = False
    latest: Findings = field(default_factory=Findings)
    _seen: tuple[str, ...] = ()
    _accepted: frozenset[str] = frozenset()

    def take(self, findings: Findings) -> bool:
        """Take new findings; whether the gateway must be asked once more."""
        self.latest = findings
        open_ones = tuple(one for one in findings.disputed if one not in self._accepted)
        again = bool(open_ones) and open_ones != self._seen
        self._seen, self.pending = open_ones, again
        if not again:
            self.confirmed = open_ones
        return again

    def held_by_them(self) -> dict[Contract, int]:
        """What IB holds of the contracts whose confirmed positions differ (signed)."""
        if self.pending:
            return {}
        return {one.contract: one.theirs for one in self.latest.differences}

    def accept(self) -> tuple[str, ...]:
        """A person takes IB's books as they were shown; returns what was accepted.

        What has come up since is not among it: nobody has seen it yet.
        """
        accepted = self.confirmed
        self._accepted |= frozenset(accepted)
        self.confirmed, self._seen, self.pending = (), (), False
        return accepted
