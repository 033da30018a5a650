"""Several runs side by side: what each added up, and what each earned less the first."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from reports.charts.style import (
    CURVES,
    GREY,
    INK,
    blank,
    colours,
    date_ticks,
    money_axis,
    zero_line,
)
from reports.formatting import count, money
from reports.run_comparison import Comparison, Paired

LONGEST_NAME = 34


def curves(comparison: Comparison) -> Figure:
    """Net P&L added up over the common sessions, a curve a run."""
    figure = blank(3.8)
    axes = figure.subplots()
    for number, (run, daily) in enumerate(zip(comparison.runs, comparison.daily, strict=True)):
        colour, dashes, width = CURVES[number % len(CURVES)]
        total = np.concatenate(([0.0], daily.cumsum()))
        label = f"{short(run.name)}\n{money(total[-1], 0, signed=True)}"
        axes.plot(total, color=colour, linestyle=dashes, linewidth=width, label=label)
    zero_line(axes)
    money_axis(axes)
    date_ticks(axes, comparison.common)
    axes.set_title(f"Net P&L after each of {count(len(comparison.common), 'common session')}")
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def differences(names: Sequence[str], pairs: Sequence[Paired]) -> Figure:
    """Mean difference a session of each run but the first, with its 95 % interval."""
    figure = blank(1.1 + 0.42 * len(pairs))
    axes = figure.subplots()
    where = np.arange(len(pairs))[::-1]
    means = np.array([pair.mean for pair in pairs])
    for row, pair, colour in zip(where, pairs, colours(means), strict=True):
        low, high = pair.interval
        if low == low:
            axes.hlines(row, low, high, color=colour, linewidth=2.4)
        axes.plot([pair.mean], [row], "o", color=colour, markersize=7)
        amount = money(pair.mean, signed=True)
        axes.text(pair.mean, row + 0.18, amount, ha="center", color=INK, fontsize=8.5)
    axes.axvline(0, color=GREY, linewidth=1)
    axes.set_yticks(where, [short(name) for name in names])
    axes.set_ylim(-0.6, len(pairs) - 0.3)
    axes.margins(x=0.1)
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.grid(axis="y", visible=False)
    money_axis(axes, "x")
    axes.set_title("Dollars a session more than the first run, 95 % interval of the mean")
    return figure


def short(name: str) -> str:
    """A name that fits beside a picture."""
    return name if len(name) <= LONGEST_NAME else f"…{name[1 - LONGEST_NAME :]}"
