"""Lines of the report on a person's answers: every mean with its number, no interval of too few."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from feeds.contract import MULTIPLIER
from reports.formatting import DASH, money, money_interval, number, percent
from reports.statistics import Interval


class MeanFigures(Protocol):
    """A mean, of how many figures, and its interval (NaN where they are too few)."""

    @property
    def n(self) -> int:
        """How many."""

    @property
    def mean(self) -> float:
        """Their mean."""

    @property
    def total(self) -> float:
        """Their sum."""

    @property
    def interval(self) -> Interval:
        """95 % of it."""


WIDTHS = (-34, 6, 12, 13, 28)
"""Columns of a table of means; negative is left-aligned."""


def columns(cells: Sequence[str], widths: Sequence[int] = WIDTHS) -> str:
    """Cells side by side."""
    padded = (
        cell.ljust(-width) if width < 0 else cell.rjust(width)
        for cell, width in zip(cells, widths, strict=False)
    )
    return " ".join(padded).rstrip()


def heading(what: str) -> str:
    """The first line of a table of means."""
    return columns((what, "n", "mean", "total", "95 % of the mean"))


def mean_line(name: str, figures: MeanFigures) -> str:
    """A mean in dollars: name, n, mean, total, interval."""
    if not figures.n:
        return columns((name, "0", DASH, DASH, "nothing known"))
    return columns(
        (
            name,
            f"{figures.n:,}",
            money(figures.mean, signed=True),
            money(figures.total, signed=True),
            between(figures),
        )
    )


def between(figures: MeanFigures) -> str:
    """The interval in words."""
    low, high = figures.interval
    return "too few for an interval" if low != low else money_interval(low, high)


def share_line(name: str, part: int, whole: int) -> str:
    """A share with its numbers: name, 3 of 4, 75 %."""
    told = percent(part / whole) if whole else DASH
    return columns((name, f"{part:,}", f"of {whole:,}", told), (-34, 6, 9, 7))


def saved(noes: MeanFigures) -> Iterator[str]:
    """What the noes saved or cost, in a sentence."""
    if noes.n:
        verb = "saved" if noes.total <= 0 else "cost"
        word = "no" if noes.n == 1 else "noes"
        yield f"{noes.n:,} {word} {verb} {money(abs(noes.total))}: that is what was not traded."


def delay(cents: MeanFigures, dollars: MeanFigures, seconds: float) -> str:
    """What the time between question and answer cost."""
    if not cents.n:
        return "the delay: no answer with a price at question and answer"
    return (
        f"the delay of a yes: {number(seconds, 1)} s at the median; the mid moved "
        f"{cents_a_contract(cents)} cents a contract against you (n = {cents.n:,}), "
        f"a cost of {money(dollars.total)} in all"
    )


def cents_a_contract(a_share: MeanFigures) -> str:
    """A mean of cents a share as cents a contract."""
    return number(MULTIPLIER * a_share.mean, 0)
