"""Pictures of an evaluation: paths over unseen sessions, differences, seeds, luck."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

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
    blank,
    date_ticks,
    money_axis,
    zero_line,
)
from reports.evaluation import Series
from reports.formatting import money, percent

_DASHES = ("--", (0, (1, 1)), "-.", (0, (5, 1, 1, 1)), (0, (3, 1)), (0, (1, 3)))
_COLOURS = (ORANGE, GREEN, PURPLE, SKY, GREY, VERMILION)


def paths(candidate: Series, baselines: Sequence[Series]) -> Figure:
    """Net P&L added up over the unseen sessions: median and worst seed, the range of all."""
    figure = blank(3.8)
    axes = figure.subplots()
    totals = np.cumsum(candidate.net_pnl, axis=1)
    order = np.argsort(totals[:, -1], kind="stable")
    ends = np.arange(1, totals.shape[1] + 1)
    if len(order) > 1:
        axes.fill_between(ends, totals.min(axis=0), totals.max(axis=0), color=SKY, alpha=0.25, lw=0)
        worst = totals[order[0]]
        label = f"worst seed  {money(worst[-1], 0, signed=True)}"
        axes.plot(ends, worst, color=VERMILION, linewidth=1.3, label=label)
    median = totals[order[(len(order) - 1) // 2]]
    name = "median seed" if len(order) > 1 else candidate.name
    label = f"{name}  {money(median[-1], 0, signed=True)}"
    axes.plot(ends, median, color=BLUE, linewidth=2.2, label=label)
    for number, rival in enumerate(baselines):
        total = rival.mean_of("net_pnl").cumsum()
        label = f"{rival.name}  {money(total[-1], 0, signed=True)}"
        dashes, colour = _DASHES[number % 6], _COLOURS[number % 6]
        axes.plot(ends, total, color=colour, linestyle=dashes, linewidth=1.1, label=label)
    _fold_lines(axes, candidate)
    zero_line(axes)
    money_axis(axes)
    date_ticks(axes, candidate.dates)
    axes.set_title(f"{candidate.name}: net P&L on sessions it had not seen")
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def _fold_lines(axes: Axes, candidate: Series) -> None:
    starts = [i for i, fold in enumerate(candidate.fold) if i and fold != candidate.fold[i - 1]]
    for start in starts:
        axes.axvline(start, color=PALE, linewidth=1.4, zorder=0.5)


def against(name: str, figures: Mapping[str, Any]) -> Figure:
    """Paired differences with their intervals: to the right of zero the candidate did better."""
    rivals = list(figures["against"])
    figure = blank(1.2 + 0.42 * len(rivals))
    axes = figure.subplots()
    looks = (("net_pnl", BLUE, "o", 0.14, "net P&L"), ("less_delta", ORANGE, "s", -0.14, None))
    for measure, colour, marker, shift, label in looks:
        for row, rival in enumerate(reversed(rivals)):
            found = figures["against"][rival][measure]
            low, high = found["interval"]
            height = row + shift
            axes.plot([low, high], [height, height], color=colour, linewidth=1.8)
            shown = (label or "less delta") if row == 0 else None
            axes.plot(found["mean"], height, marker, color=colour, markersize=5, label=shown)
    axes.axvline(0, color=GREY, linewidth=0.8)
    axes.set_yticks(range(len(rivals)), [f"less {rival}" for rival in reversed(rivals)])
    axes.tick_params(axis="y", labelcolor=INK)
    money_axis(axes, "x", most=9)
    axes.set_title(f"{name} less each baseline, dollars a session, 95 %")
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def seeds(name: str, figures: Mapping[str, Any]) -> Figure:
    """Every seed in every fold, with the median and the worst of each fold."""
    rows = figures["folds"]
    figure = blank(2.8)
    axes = figure.subplots()
    for place, row in enumerate(rows):
        means = np.sort(np.array(row["seed_means"]))
        axes.plot(np.full(means.size, place), means, "o", color=SKY, markersize=5, zorder=2)
        median = means[(means.size - 1) // 2]
        labels = ("median seed", "worst seed") if place == 0 else (None, None)
        axes.plot([place - 0.2, place + 0.2], [median] * 2, color=BLUE, lw=2.4, label=labels[0])
        axes.plot([place - 0.2, place + 0.2], [means[0]] * 2, color=VERMILION, label=labels[1])
    zero_line(axes)
    money_axis(axes)
    axes.set_xticks(range(len(rows)), [f"fold {row['fold']}\n{row['first']}" for row in rows])
    axes.set_xlim(-0.6, len(rows) - 0.4)
    axes.grid(axis="x", visible=False)
    axes.set_title(f"{name}: mean net P&L a session of each seed in each fold")
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def luck(name: str, figures: Mapping[str, Any]) -> Figure:
    """The candidate among random policies that trade as often."""
    draws = np.array(figures["luck"]["draws"])
    figure = blank(2.6)
    axes = figure.subplots()
    amounts, edges = np.histogram(draws, bins=min(40, 8 + draws.size // 8))
    centres, width = (edges[:-1] + edges[1:]) / 2, edges[1] - edges[0]
    axes.bar(centres, amounts, width=0.92 * width, color=SKY)
    below = percent(figures["luck"]["share_below"])
    label = f"{name} {money(figures['mean'], signed=True)}"
    axes.axvline(figures["mean"], color=INK, linestyle="--", linewidth=1.6, label=label)
    money_axis(axes, "x", most=9)
    axes.yaxis.set_visible(False)
    axes.spines["left"].set_visible(False)
    axes.set_title(f"Random legal sales, as many as {name} makes: {below} of them earned less")
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure
