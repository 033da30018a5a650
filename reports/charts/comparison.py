"""How much to believe: baselines on the same sessions, other fills, the bootstrap."""

import numpy as np
from matplotlib.figure import Figure

from reports import statistics
from reports.charts.style import (
    BLUE,
    CURVES,
    GREY,
    INK,
    SKY,
    VERMILION,
    Look,
    blank,
    colours,
    date_ticks,
    money_axis,
    zero_line,
)
from reports.formatting import money, money_interval
from reports.metrics import Metrics, daily_series
from reports.result import BacktestResult
from reports.trades import daily_pnl


def baselines(result: BacktestResult) -> Figure:
    """Net P&L added up session by session, the run and every baseline."""
    figure = blank(3.6)
    axes = figure.subplots()
    for number, (name, daily) in enumerate(daily_series(result).items()):
        colour, dashes, width = CURVES[number % len(CURVES)]
        total = np.concatenate(([0.0], daily.cumsum()))
        label = f"{name}  {money(total[-1], 0, signed=True)}"
        marker = "o" if daily.size <= 30 else ""
        look: Look = {
            "marker": marker,
            "markersize": 3.5,
            "color": colour,
            "linestyle": dashes,
            "linewidth": width,
        }
        axes.plot(np.arange(total.size), total, label=label, zorder=3 - 0.1 * number, **look)
    zero_line(axes)
    money_axis(axes)
    date_ticks(axes, [session.date for session in result.sessions])
    axes.set_title("Net P&L after each session")
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def fill_ladder(metrics: Metrics) -> Figure:
    """The same trades at the mid, at the quoted side, and a tick worse."""
    names = ("a tick worse than natural", "natural: bid to sell, ask to buy", "mid")
    keys = ("pnl_at_natural_plus_tick", "net_pnl", "pnl_at_mid")
    values = np.array([metrics[key] for key in keys])
    figure = blank(1.9)
    axes = figure.subplots()
    bars = axes.barh(names, values, height=0.6, color=colours(values))
    axes.bar_label(bars, [money(value, signed=True) for value in values], padding=5)
    axes.axvline(0, color=GREY, linewidth=0.8)
    axes.margins(x=0.2)
    axes.set_title("Net P&L of the same trades at other fills")
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.xaxis.set_visible(False)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    return figure


def bootstrap(result: BacktestResult) -> Figure:
    """Where the mean daily P&L could lie, had other days of the same kind come."""
    daily = daily_pnl(result.trades, result.sessions)
    means = statistics.bootstrap(daily).means
    low, high = statistics.interval(means)
    figure = blank(2.8)
    axes = figure.subplots()
    amounts, edges = np.histogram(means, bins=min(60, 10 + 2 * daily.size))
    centres, width = (edges[:-1] + edges[1:]) / 2, edges[1] - edges[0]
    inside = (centres >= low) & (centres <= high)
    axes.bar(centres, amounts, width=0.92 * width, color=np.where(inside, BLUE, SKY).tolist())
    marks = ((0.0, VERMILION, "-", "zero"), (daily.mean(), INK, "--", "mean of the run"))
    for at, colour, dashes, name in marks:
        label = f"{name}" if name == "zero" else f"{name} {money(at, signed=True)}"
        axes.axvline(at, color=colour, linestyle=dashes, linewidth=1.6, label=label)
    axes.set_title(f"Mean P&L a session: 95 % within {money_interval(low, high)}")
    money_axis(axes, "x", most=9)
    axes.yaxis.set_visible(False)
    axes.spines["left"].set_visible(False)
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure
