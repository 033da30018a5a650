"""The trades: P&L of each, by entry time, and why they were closed."""

import itertools
from collections import defaultdict

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from feeds.contract import Right
from feeds.sessions import NANOSECONDS_A_MINUTE
from reports.breakdowns import entry_iv, iv_edges, words
from reports.charts.style import (
    GREY,
    INK,
    ORANGE,
    PURPLE,
    Look,
    blank,
    clock_axis,
    colours,
    money_axis,
    whole_numbers,
    zero_line,
)
from reports.formatting import count, money
from reports.result import BacktestResult, Floats
from reports.trades import session_of, trade_arrays
from vocabulary import ExitReason

_BIN_MINUTES = 30

MANY_DOTS = 300
"""Trades from which dots are drawn smaller, so that none hides another."""

MANY_BARS = 120
"""Trades from which bars are drawn as lines: a bar each would be hardly wider, and slow."""


def pnl_of_each(result: BacktestResult) -> Figure:
    """Net P&L of every trade in order, and how the amounts are distributed."""
    pnl = trade_arrays(result.trades).net_pnl
    figure = blank(3.2)
    left, right = figure.subplots(1, 2, width_ratios=[2.4, 1], sharey=True)
    number = np.arange(1, pnl.size + 1)
    if pnl.size > MANY_BARS:
        width = float(np.clip(330 / pnl.size, 0.9, 2.2))
        left.vlines(number, 0, pnl, colors=colours(pnl), linewidth=width)
    else:
        left.bar(number, pnl, width=0.8 if pnl.size > 6 else 0.4, color=colours(pnl), linewidth=0)
    left.set_xlim(0.3, pnl.size + 0.7)
    whole_numbers(left)
    left.set_xlabel("trade")
    left.set_title("Net P&L of each trade")
    left.grid(axis="x", visible=False)
    _distribution(right, pnl)
    money_axis(left)
    for axes in (left, right):
        zero_line(axes)
    return figure


def _distribution(axes: Axes, pnl: Floats) -> None:
    """A histogram lying on its side, gains and losses never in one bin."""
    low, high = min(pnl.min(), 0.0), max(pnl.max(), 0.0)
    bins = int(np.clip(2 * np.sqrt(pnl.size), 4, 30))
    width = max((high - low) / bins, 1.0)
    edges = width * np.arange(np.floor(low / width), np.ceil(high / width) + 1)
    amounts, _ = np.histogram(pnl, edges)
    centres = edges[:-1] + width / 2
    axes.barh(centres, amounts, height=0.9 * width, color=colours(centres), linewidth=0)
    whole_numbers(axes)
    axes.set_xlabel("trades")
    axes.set_title("Distribution")
    axes.grid(axis="y", visible=False)


def by_entry_time(result: BacktestResult) -> Figure:
    """Net P&L against the time of entry, with the mean of each half hour."""
    opens = {session.date: session.open_ns for session in result.sessions}
    minutes = np.array(
        [(t.entered_ts - opens[session_of(t)]) / NANOSECONDS_A_MINUTE for t in result.trades]
    )
    pnl = trade_arrays(result.trades).net_pnl
    is_put = np.array([trade.contract.right is Right.PUT for trade in result.trades])
    figure = blank(3.4)
    axes = figure.subplots()
    _scatter(axes, minutes, pnl, is_put)
    _mean_by_half_hour(axes, minutes, pnl)
    axes.margins(y=0.1)
    zero_line(axes)
    money_axis(axes)
    clock_axis(axes)
    axes.set_xlabel("entry, New York time")
    axes.set_title("Net P&L by entry time")
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def _scatter(axes: Axes, where: Floats, pnl: Floats, is_put: npt.NDArray[np.bool_]) -> None:
    """A dot a trade, puts and calls told apart by colour and shape; smaller where many are."""
    many = pnl.size > MANY_DOTS
    for chosen, colour, marker, name in (
        (is_put, PURPLE, "o", "put sold"),
        (~is_put, ORANGE, "^", "call sold"),
    ):
        if chosen.any():
            size, alpha = (12, 0.5) if many else (30, 0.85)
            dots: Look = {"zorder": 3, "linewidth": 0.4, "edgecolor": "white"}
            dots |= {"s": size, "alpha": alpha, "marker": marker, "label": name}
            axes.scatter(where[chosen], pnl[chosen], color=colour, **dots)


def _mean_by_half_hour(axes: Axes, minutes: Floats, pnl: Floats) -> None:
    bins = (minutes // _BIN_MINUTES).astype(int)
    means = {each: pnl[bins == each].mean() for each in np.unique(bins).tolist()}
    starts = [each * _BIN_MINUTES for each in means]
    ends = [start + _BIN_MINUTES for start in starts]
    values = list(means.values())
    axes.hlines(values, starts, ends, color=INK, linewidth=2, label="mean of the half hour")


def exits(result: BacktestResult) -> Figure:
    """How often each exit happened, and what it earned."""
    pnl: dict[ExitReason, list[float]] = defaultdict(list)
    for trade in result.trades:
        pnl[trade.exit_reason].append(trade.net_pnl)
    reasons = sorted(pnl, key=lambda reason: len(pnl[reason]))
    names = [words(reason) for reason in reasons]
    sums = np.array([sum(pnl[reason]) for reason in reasons])
    figure = blank(1.2 + 0.38 * len(reasons))
    left, right = figure.subplots(1, 2, sharey=True)
    amounts = [len(pnl[reason]) for reason in reasons]
    bars = left.barh(names, amounts, height=0.6, color=GREY)
    left.bar_label(bars, [count(amount, "trade") for amount in amounts], padding=4)
    left.set_xlim(0, 1.3 * max(amounts))
    left.set_title("Exits")
    bars = right.barh(names, sums, height=0.6, color=colours(sums))
    right.bar_label(bars, [money(value, 0, signed=True) for value in sums], padding=4)
    right.axvline(0, color=GREY, linewidth=0.8)
    right.margins(x=0.28)
    right.set_title("Net P&L by exit")
    for axes in (left, right):
        axes.tick_params(axis="y", length=0, labelcolor=INK)
        axes.xaxis.set_visible(False)
        axes.grid(visible=False)
        axes.spines[:].set_visible(False)
    return figure


def by_entry_iv(result: BacktestResult) -> Figure:
    """Net P&L against the volatility at entry, with the mean of each band."""
    iv, pnl = 100 * entry_iv(result), trade_arrays(result.trades).net_pnl
    is_put = np.array([trade.contract.right is Right.PUT for trade in result.trades])
    figure = blank(3.4)
    axes = figure.subplots()
    _scatter(axes, iv, pnl, is_put)
    edges = 100 * iv_edges(iv / 100)
    for low, high in itertools.pairwise(edges):
        last = high == edges[-1]
        inside = (iv >= low) & ((iv <= high) if last else (iv < high))
        if inside.any():
            label = "mean of the band" if low == edges[0] else ""
            axes.hlines(pnl[inside].mean(), low, high, color=INK, linewidth=2, label=label)
    axes.margins(y=0.1)
    zero_line(axes)
    money_axis(axes)
    axes.set_xlabel("at-the-money volatility at entry, per cent a year")
    axes.set_title("Net P&L by volatility at entry")
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure
