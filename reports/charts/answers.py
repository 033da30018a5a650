"""A person's answers: what each kind earned or would have, how long they took, and agreement.

Few figures are drawn one by one; of many there are the median, the middle half and the middle 90 %.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import (
    FixedLocator,
    FuncFormatter,
    MaxNLocator,
    MultipleLocator,
    NullLocator,
)

from feeds.contract import MULTIPLIER
from feeds.sessions import to_new_york
from reports.charts.style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    PALE,
    PURPLE,
    SKY,
    VERMILION,
    Look,
    blank,
    money_axis,
    room_for_zero,
    zero_line,
)
from reports.formatting import count, money, number, percent
from reports.human_figures import GroupFigures, ReasonFigures, ShareFigures
from reports.result import Floats, Integers
from reports.statistics import wilson

ANSWERED = ("y", "n", "skip")
"""Responses of a person; the others came about without one."""

EACH_UP_TO = 300
"""Figures of one kind that are drawn one by one."""

_TICKS = (1, 5, 15, 60, 300, 1800)


@dataclass(frozen=True, slots=True)
class Kind:
    """Suggestions with one answer, and how they are drawn: which column of the table counts."""

    name: str
    response: str
    column: str
    colour: str
    dashes: Any
    width: float


KINDS = (
    Kind("yes, as traded", "y", "earned", BLUE, "-", 2.0),
    Kind("yes, simulated", "y", "shadow_pnl", SKY, (0, (4, 1)), 1.3),
    Kind("no, simulated", "n", "shadow_pnl", VERMILION, "-", 1.6),
    Kind("skip, simulated", "skip", "shadow_pnl", ORANGE, (0, (1, 1)), 1.6),
    Kind("timeout, simulated", "timeout", "shadow_pnl", PURPLE, (0, (5, 1, 1, 1)), 1.6),
)


def known_kinds(table: pd.DataFrame) -> list[tuple[Kind, Integers, Floats]]:
    """Each kind that has figures, their positions among the suggestions, and their dollars."""
    found = []
    for kind in KINDS:
        dollars = table[kind.column].to_numpy(float)
        answered = (table["response"] == kind.response).to_numpy()
        rows = np.flatnonzero(answered & np.isfinite(dollars))
        if rows.size:
            found.append((kind, rows, dollars[rows]))
    return found


def curves(table: pd.DataFrame) -> Figure:
    """Dollars added up suggestion by suggestion, a curve an answer."""
    figure = blank(3.6)
    axes = figure.subplots()
    for kind, rows, dollars in known_kinds(table):
        total = np.concatenate(([0.0], dollars.cumsum(), [dollars.sum()]))
        where = np.concatenate(([0.0], rows + 1, [float(len(table))]))
        label = f"{kind.name}  {money(total[-1], 0, signed=True)}"
        look: Look = {"color": kind.colour, "linestyle": kind.dashes, "linewidth": kind.width}
        axes.step(where, total, where="post", label=label, **look)
    zero_line(axes)
    money_axis(axes)
    axes.set_xlim(0, 1.01 * len(table))  # the last step stands on the page
    _dates(axes, table)
    axes.set_title("Net P&L added up, suggestion by suggestion")
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def _dates(axes: Axes, table: pd.DataFrame) -> None:
    """Label positions of suggestions with their days, each day once."""
    days = [to_new_york(int(ts)).date() for ts in table["ts"]]
    firsts = [row for row, day in enumerate(days) if not row or day != days[row - 1]]
    shown = firsts[:: max(1, -(-len(firsts) // 9))]
    years = len({day.year for day in days}) > 1
    names = [f"{days[r].day} {days[r]:%b}" + (f"\n{days[r].year}" if years else "") for r in shown]
    axes.set_xticks(shown, names)


def spread(table: pd.DataFrame) -> Figure:
    """Dollars of every suggestion by answer, with the median."""
    kinds = known_kinds(table)[::-1]
    figure = blank(1.0 + 0.55 * len(kinds))
    axes = figure.subplots()
    for row, (kind, _, dollars) in enumerate(kinds):
        _row_of(axes, row, dollars, kind.colour)
    names = [f"{kind.name}\n{count(dollars.size, 'figure')}" for kind, _, dollars in kinds]
    axes.set_yticks(range(len(kinds)), names)
    axes.set_ylim(-0.6, len(kinds) - 0.4)
    axes.axvline(0, color=GREY, linewidth=0.8, zorder=1.5)
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.grid(axis="y", visible=False)
    money_axis(axes, "x")
    axes.set_title("P&L of each suggestion; the bar is the median")
    return figure


def _row_of(axes: Axes, row: int, dollars: Floats, colour: str) -> None:
    middle = float(np.median(dollars))
    if dollars.size <= EACH_UP_TO:
        away = np.random.default_rng(0).uniform(-0.22, 0.22, dollars.size)
        dots: Look = {"s": 16, "alpha": 0.65, "linewidth": 0, "zorder": 2}
        axes.scatter(dollars, row + away, color=colour, **dots)
    else:
        low, first, third, high = np.percentile(dollars, [5, 25, 75, 95])
        axes.hlines(row, low, high, color=colour, linewidth=1.5)
        axes.barh(row, third - first, left=first, height=0.4, color=colour, alpha=0.55)
    axes.vlines(middle, row - 0.3, row + 0.3, color=INK, linewidth=2, zorder=3)


def latency(table: pd.DataFrame) -> Figure:
    """How long answers took, and how far the mid moved against the person meanwhile."""
    said = table[table["response"].isin(ANSWERED)]
    seconds, cents = said["seconds"].to_numpy(float), said["delay_cents"].to_numpy(float)
    figure = blank(3.1)
    left, right = figure.subplots(1, 2, width_ratios=[1, 1.5])
    known = np.clip(seconds[np.isfinite(seconds)], 0.5, None)
    top = max(float(known.max(initial=1.0)) * 1.15, 10.0)
    edges = np.geomspace(0.45, top, int(np.clip(4 + np.sqrt(known.size), 8, 26)))
    left.hist(known, edges, color=GREY, linewidth=0)
    left.set_title("Seconds until the answer")
    left.yaxis.get_major_locator().set_params(integer=True)
    both = np.isfinite(seconds) & np.isfinite(cents)
    _cents(right, np.clip(seconds[both], 0.5, None), MULTIPLIER * cents[both], edges)
    right.yaxis.set_major_locator(MaxNLocator(6, integer=True))
    right.yaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value, 0)))
    room_for_zero(right, cents[both])
    right.axhline(0, color=GREY, linewidth=0.8, zorder=1.5)
    right.set_title("Cents a contract that the mid moved against you")
    for axes in (left, right):
        _seconds_axis(axes, top)
    return figure


def _cents(axes: Axes, seconds: Floats, cents: Floats, edges: Floats) -> None:
    if seconds.size <= EACH_UP_TO:
        axes.scatter(seconds, cents, s=16, color=BLUE, alpha=0.6, linewidth=0)
        return
    inside = np.digitize(seconds, edges)
    rows = []
    for each in np.unique(inside):
        values = cents[inside == each]
        if values.size >= 5:
            centre = np.sqrt(edges[max(each - 1, 0)] * edges[min(each, edges.size - 1)])
            rows.append((centre, *np.percentile(values, [10, 50, 90]), values.mean()))
    where, low, middle, high, mean = np.transpose(rows)
    axes.fill_between(where, low, high, color=SKY, alpha=0.3, linewidth=0, label="middle 80 %")
    axes.plot(where, middle, color=BLUE, label="median")
    axes.plot(where, mean, color=VERMILION, linestyle="--", label="mean")
    axes.legend(loc="upper left")


def _seconds_axis(axes: Axes, top: float) -> None:
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator([tick for tick in _TICKS if tick <= top]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(
        FuncFormatter(lambda s, _: f"{s:.0f} s" if s < 60 else f"{s / 60:.0f} min")
    )
    axes.set_xlim(0.45, top)


def agreement(parts: Mapping[str, Sequence[ShareFigures]]) -> Figure:
    """How often the person said yes, by hour, risk and volatility; 95 % of each share."""
    titles = [title for title in parts if parts[title]]
    rows = max(len(parts[title]) for title in titles)
    figure = blank(1.0 + 0.36 * rows)
    for axes, title in zip(figure.subplots(1, len(titles), squeeze=False)[0], titles, strict=True):
        shares = [(one.name, one.yes, one.answers) for one in parts[title]]
        _shares(axes, shares, BLUE)
        axes.set_title(f"Yes, by {title}")
    return figure


def reasons(found: Sequence[ReasonFigures]) -> Figure:
    """In how many of the noes of a reason the trade would have lost, and what was saved."""
    figure = blank(1.1 + 0.4 * len(found))
    left, right = figure.subplots(1, 2, sharey=True)
    _shares(left, [(one.name, one.right, one.shadow.n) for one in found], GREEN)
    left.set_title("Noes that were right, of those known")
    where = np.arange(len(found))[::-1]
    for row, one in zip(where, found, strict=True):
        if one.shadow.n:
            _mean(right, float(row), -one.shadow.mean, sorted(-np.array(one.shadow.interval)))
    right.axvline(0, color=GREY, linewidth=0.8)
    right.set_title("Saved by a no, dollars (mean, 95 %)")
    right.tick_params(axis="y", length=0)
    right.grid(axis="y", visible=False)
    right.margins(x=0.12)
    money_axis(right, "x", most=5)
    return figure


def _shares(axes: Axes, shares: Sequence[tuple[str, int, int]], colour: str) -> None:
    """A dot and a 95 % interval a share; the first on top, its numbers in its name."""
    where = np.arange(len(shares))[::-1]
    for row, (_, part, whole) in zip(where, shares, strict=True):
        if whole:
            low, high = wilson(part, whole)
            axes.hlines(row, low, high, color=colour, linewidth=2, alpha=0.45)
            axes.plot([part / whole], [row], "o", color=colour, markersize=6)
        axes.text(1.08, row, f"{part:,} of {whole:,}", va="center", color=GREY, fontsize=8)
    axes.set_xlim(-0.04, 1.04)
    axes.xaxis.set_major_locator(MultipleLocator(0.5))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: percent(value)))
    axes.axvline(0.5, color=PALE, linewidth=0.8)
    axes.set_yticks(where, [name for name, _, _ in shares])
    axes.set_ylim(-0.6, len(shares) - 0.4)
    axes.tick_params(axis="y", length=0, labelcolor=INK, labelsize=8.5)
    axes.grid(axis="y", visible=False)


def means(groups: Sequence[GroupFigures]) -> Figure:
    """Mean P&L a suggestion of each answer with its 95 % interval, real and simulated."""
    rows = [
        (f"{group.name}, {kind}", figures)
        for group in groups
        for kind, figures in (("as traded", group.earned), ("simulated", group.shadow))
        if figures.n and (kind == "simulated" or group.name == "yes")
    ]
    figure = blank(1.0 + 0.36 * max(len(rows), 1))
    axes = figure.subplots()
    where = np.arange(len(rows))[::-1]
    for row, (_, figures) in zip(where, rows, strict=True):
        _mean(axes, float(row), figures.mean, figures.interval)
    axes.axvline(0, color=GREY, linewidth=0.8)
    names = [f"{name}  (n = {figures.n:,})" for name, figures in rows]
    axes.set_yticks(where, names)
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.margins(x=0.12)
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.grid(axis="y", visible=False)
    money_axis(axes, "x")
    axes.set_title("Mean P&L a suggestion, 95 % where there are ten or more")
    return figure


def _mean(axes: Axes, row: float, mean: float, ends: Sequence[float]) -> None:
    """A full dot with its interval; a hollow one where figures are too few for any."""
    colour = BLUE if mean >= 0 else VERMILION
    is_known = ends[0] == ends[0]
    if is_known:
        axes.hlines(row, ends[0], ends[1], color=colour, linewidth=2.4, alpha=0.5)
    face = colour if is_known else "white"
    axes.plot([mean], [row], "o", color=colour, markerfacecolor=face, markersize=7)
