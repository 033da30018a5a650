"""A table of finished text; the template only lays it out."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from feeds.sessions import to_new_york
from reports.formatting import DASH, MINUS, money, money_interval
from reports.statistics import Interval


@dataclass(frozen=True, slots=True)
class Table:
    """A table: headings, rows of text, and the columns that hold words (set to the left)."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    words: frozenset[int] = frozenset({0})


def is_loss(text: str) -> bool:
    """Whether a cell is a single negative amount; an interval is neither gain nor loss."""
    return text.startswith(f"{MINUS}$") and " " not in text


def time_cell(ts: int | None, text: str) -> str:
    """`text` for an instant of `ts` nanoseconds, with the reader's own time on hover."""
    if ts is None:
        return text
    moment = to_new_york(ts).isoformat(timespec="seconds")
    return Markup('<time datetime="{}">{}</time>').format(moment, text)


def interval_cell(ends: Sequence[float] | Interval | None, decimals: int = 2) -> str:
    """An interval of dollars, a dash where there is none."""
    return DASH if ends is None else money_interval(ends[0], ends[1], decimals)


def signed(value: float | None, decimals: int = 2) -> str:
    """Dollars with a sign."""
    return money(value, decimals, signed=True)
