"""Pictures of what answers taught: agreement, calibration, who wants what when, what it earned."""

from collections.abc import Sequence
from math import isfinite

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from reports.charts.style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    PALE,
    VERMILION,
    blank,
    clock_axis,
    colours,
    date_ticks,
    money_axis,
    whole_numbers,
    zero_line,
)
from reports.feedback import (
    AnswerCurve,
    BeforeAfter,
    CalibrationPoint,
    DecisionMap,
    Earned,
)
from reports.formatting import money

ROLLING = 20
"""Answers of which a share is taken."""

FEWEST = 5
"""Fewer answers in a window make no share."""

Floats = npt.NDArray[np.float64]


def rolling_share(said: npt.NDArray[np.bool_], counts: npt.NDArray[np.bool_]) -> Floats:
    """[N] share of y among the last `ROLLING` answers that count; NaN under `FEWEST`."""
    shares = np.full(said.size, np.nan)
    for end in range(1, said.size + 1):
        window = slice(max(0, end - ROLLING), end)
        chosen = said[window][counts[window]]
        if chosen.size >= FEWEST:
            shares[end - 1] = chosen.mean()
    return shares


def agreement(curve: AnswerCurve) -> Figure:
    """Share of y among what was shown, and among what the gate of that time would have shown."""
    figure = blank(3.2)
    axes = figure.subplots()
    number = np.arange(1, curve.said.size + 1)
    everything = rolling_share(curve.said, np.ones(curve.said.size, bool))
    known = np.isfinite(curve.foretold)
    kept = rolling_share(curve.said, known & (curve.foretold >= curve.tau))
    first = int(np.argmax(known)) if known.any() else curve.said.size
    kept[:first] = np.nan
    axes.plot(number, everything, color=GREY, linestyle="--", label="as answered")
    label = f"of those the gate would have shown (at {curve.tau:g})"
    axes.plot(number, kept, color=BLUE, linewidth=2.0, label=label)
    for said, height, colour in ((True, 1.03, GREEN), (False, -0.03, VERMILION)):
        where = number[curve.said == said]
        axes.plot(where, np.full(where.size, height), "|", color=colour, markersize=5)
    axes.set_ylim(-0.07, 1.07)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set_xlabel("answers, in the order they were given (green y, orange n)")
    axes.set_title(f"Share of y among the last {ROLLING} answers")
    whole_numbers(axes)
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def calibration(points: Sequence[CalibrationPoint]) -> Figure:
    """Foretold against said, in groups that are as equal in number as can be."""
    figure = blank(3.4)
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle="--", label="perfect")
    foretold, said = ([getattr(one, name) for one in points] for name in ("foretold", "said"))
    errors = [np.sqrt(max(one.said * (1 - one.said), 0.01) / one.count) for one in points]
    fewest, most = (pick(one.count for one in points) for pick in (min, max))
    many = f"{most}" if fewest == most else f"{fewest} or {most}"
    label = f"groups of {many}, ± 1 s.e."
    axes.errorbar(foretold, said, yerr=errors, color=BLUE, marker="o", label=label)
    axes.set_xlim(-0.03, 1.03)
    axes.set_ylim(-0.08, 1.08)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1.0))
    axes.set_xlabel("probability of y, foretold before the answer")
    axes.set_ylabel("share of y")
    axes.set_title("Calibration")
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def decision_map(figures: DecisionMap) -> Figure:
    """Policy, gate and person side by side, by the time of day and volatility."""
    figure = blank(3.7)
    all_axes = figure.subplots(1, 3, sharex=True, sharey=True)
    x, y = figures.minutes, figures.volatilities
    names = ("Policy: sells", "Gate: expects y", "Person: said y")
    for axes, grid in zip(all_axes, (figures.policy, figures.gate), strict=False):
        picture = axes.pcolormesh(x, y, grid.T, vmin=0, vmax=1, cmap="cividis", shading="nearest")
    if np.nanmin(figures.gate) < figures.tau < np.nanmax(figures.gate):
        all_axes[1].contour(x, y, figures.gate.T, [figures.tau], colors="white", linewidths=1.4)
    _persons(all_axes[2], figures)
    for axes, name in zip(all_axes, names, strict=True):
        axes.set_title(name)
        clock_axis(axes, float(x[0]), float(x[-1]))
        axes.set_xticks(axes.get_xticks()[::2])
        axes.grid(visible=False)
        axes.set_ylim(float(y[0]), float(y[-1]))
    all_axes[0].set_ylabel("at-the-money volatility")
    all_axes[0].yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    bar = figure.colorbar(picture, ax=list(all_axes), aspect=30, pad=0.01)
    bar.ax.yaxis.set_major_formatter(PercentFormatter(1.0))
    bar.outline.set_visible(False)
    return figure


def _persons(axes: Axes, figures: DecisionMap) -> None:
    """Shares of y in coarse fields, each with its number of answers; empty fields stay pale."""
    with np.errstate(invalid="ignore"):
        share = np.where(figures.answers > 0, figures.yes / figures.answers, np.nan)
    axes.set_facecolor(PALE)
    edges = figures.edges_minutes, figures.edges_volatility
    axes.pcolormesh(*edges, share.T, vmin=0, vmax=1, cmap="cividis", shading="flat")
    for column, row in np.argwhere(figures.answers > 0).tolist():
        x, y = (float(e[at : at + 2].mean()) for e, at in zip(edges, (column, row), strict=True))
        light = share[column, row] > 0.55
        axes.text(
            x,
            y,
            f"{int(figures.answers[column, row])}",
            ha="center",
            va="center",
            fontsize=8,
            color=INK if light else "white",
        )


def earned(groups: Sequence[Earned]) -> Figure:
    """Mean dollars of each kind of suggestion with its interval."""
    figure = blank(0.9 + 0.45 * len(groups))
    axes = figure.subplots()
    names = [f"{one.name} (n = {one.n})" for one in groups]
    means = np.array([one.mean for one in groups])
    axes.barh(names, means, height=0.55, color=colours(means))
    for place, one in enumerate(groups):
        low, high = one.interval
        if isfinite(low):
            axes.plot([low, high], [place, place], color=INK, linewidth=1.4)
            axes.plot([low, high], [place, place], "|", color=INK, markersize=8)
        right = max([value for value in (0.0, one.mean, high) if isfinite(value)])
        axes.annotate(
            money(one.mean, signed=True),
            (right, place),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
        )
    axes.axvline(0, color=GREY, linewidth=0.8)
    axes.margins(x=0.16)
    axes.invert_yaxis()
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.grid(axis="y", visible=False)
    axes.set_title("Dollars a suggestion after fees, with 95 % of the mean")
    money_axis(axes, "x")
    return figure


def before_after(one: BeforeAfter) -> Figure:
    """Net P&L added up over the same sessions, before and after."""
    figure = blank(3.0)
    axes = figure.subplots()
    looks = (("before", one.before, GREY, "--"), ("after", one.after, BLUE, "-"))
    for name, daily, colour, dashes in looks:
        total = np.concatenate(([0.0], daily.cumsum()))
        label = f"{name}  {money(float(total[-1]), 0, signed=True)}"
        axes.plot(np.arange(total.size), total, color=colour, linestyle=dashes, label=label)
    gap = np.concatenate(([0.0], (one.after - one.before).cumsum()))
    axes.plot(np.arange(gap.size), gap, color=ORANGE, linewidth=1.0, label="after less before")
    zero_line(axes)
    money_axis(axes)
    date_ticks(axes, list(one.dates))
    axes.set_title(one.name)
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure
