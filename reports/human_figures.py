"""What the page on a person's answers is made of: a table, figures, and who they are of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import pandas as pd

from reports.human_text import MeanFigures
from reports.statistics import Interval

FEWEST = 10
"""Fewer figures than this have no interval."""


class GroupFigures(Protocol):
    """Suggestions that ended alike: what they earned, and what their shadows did."""

    @property
    def name(self) -> str:
        """How they ended."""

    @property
    def n(self) -> int:
        """How many."""

    @property
    def earned(self) -> MeanFigures:
        """Dollars of the real trades."""

    @property
    def shadow(self) -> MeanFigures:
        """Dollars of the simulated ones."""


class ShareFigures(Protocol):
    """How often the person said yes."""

    @property
    def name(self) -> str:
        """Of which hour, risk, volatility."""

    @property
    def yes(self) -> int:
        """Answered y."""

    @property
    def answers(self) -> int:
        """Answered y or n."""


class ReasonFigures(Protocol):
    """Noes of one reason."""

    @property
    def name(self) -> str:
        """The reason."""

    @property
    def n(self) -> int:
        """How many."""

    @property
    def right(self) -> int:
        """Of those whose outcome is known, how many would have lost."""

    @property
    def shadow(self) -> MeanFigures:
        """What they would have made."""


class RivalFigures(Protocol):
    """Somebody who traded the same sessions."""

    @property
    def name(self) -> str:
        """Who."""

    @property
    def theirs(self) -> MeanFigures:
        """Dollars a session."""

    @property
    def ahead(self) -> MeanFigures:
        """The person's less theirs."""


@dataclass(frozen=True, slots=True)
class Choosing:
    """Whether choosing helped: the shadows of what was taken less those of what was refused.

    Args:
        name: of all, or of a version of the model.
        sessions, n: with suggestions, and suggestions.
        yes, answers: answered y; answered y or n.
        offered: shadows of every suggestion.
        earned: of the trades made.
        taken, refused: shadows of y, of n and skip.
        added: mean of taken less mean of refused, dollars; NaN where one is unknown.
        interval: 95 % of it; NaN where either has fewer than ten.
    """

    name: str
    sessions: int
    n: int
    yes: int
    answers: int
    offered: MeanFigures
    earned: MeanFigures
    taken: MeanFigures
    refused: MeanFigures
    added: float
    interval: Interval


@dataclass(frozen=True, slots=True, eq=False)
class HumanFigures:
    """All that the page shows.

    Args:
        table: one row a suggestion, oldest first: ts (nanoseconds), response, seconds, earned,
            shadow_pnl, delay_cents (NaN where unknown), is_sent.
        span: first and last day, in words.
        groups: by how the questions ended.
        cents, dollars: cost of the delay, cents a share and dollars, of those answered y.
        agreement: by title ("hour", ...), the shares of each part.
        reasons: of the noes.
        choosing: of all suggestions.
        models: the same by version of the model, oldest first.
        you: dollars a session; None where nobody could be held against the person.
        rivals: others on the same sessions.
        notes: a sentence each.
    """

    table: pd.DataFrame
    span: str
    groups: Sequence[GroupFigures]
    cents: MeanFigures
    dollars: MeanFigures
    agreement: Mapping[str, Sequence[ShareFigures]]
    reasons: Sequence[ReasonFigures]
    choosing: Choosing
    models: Sequence[Choosing]
    you: MeanFigures | None
    rivals: Sequence[RivalFigures]
    notes: Sequence[str] = ()
