"""The account: equity with drawdown, and P&L by session."""

import numpy as np
from matplotlib.figure import Figure

from feeds.sessions import to_new_york
from reports import statistics
from reports.charts.style import (
    BLUE,
    GREY,
    VERMILION,
    blank,
    colours,
    date_ticks,
    money_axis,
    room_for_zero,
    session_position,
    zero_line,
)
from reports.formatting import day as day_name
from reports.formatting import money
from reports.result import BacktestResult, Floats
from reports.trades import daily_pnl

BARS_UP_TO = 65
"""Sessions that fit side by side as bars; of more there is the calendar."""


def equity(result: BacktestResult) -> Figure:
    """Equity on every snapshot above, dollars below its peak beneath."""
    figure = blank(4.6)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1.2])
    where = session_position(result.equity.ts, result.sessions)
    value, start = result.equity.equity, result.starting_cash
    fall = statistics.drawdown(value, start)
    upper.plot(where, value, color=BLUE, linewidth=1.1)
    upper.axhline(start, color=GREY, linewidth=0.8, linestyle=(0, (4, 3)))
    upper.set_title("Equity, the open position at mid")
    lower.fill_between(where, fall, 0, color=VERMILION, alpha=0.35, linewidth=0)
    lower.plot(where, fall, color=VERMILION, linewidth=0.7)
    lower.set_title(f"Drawdown{_deepest(result, fall)}")
    for axes in (upper, lower):
        date_ticks(axes, [session.date for session in result.sessions])
    money_axis(upper)
    money_axis(lower, most=3)
    room_for_zero(lower, fall)
    return figure


def _deepest(result: BacktestResult, fall: Floats) -> str:
    """Where the account stood lowest below its peak, in words."""
    if not fall.size or fall.min() == 0:
        return ""
    when = to_new_york(int(result.equity.ts[fall.argmin()])).date()
    return f": at worst {money(fall.min(), 0)} on {day_name(when)}"


def by_session(result: BacktestResult) -> Figure:
    """Net P&L of each session as bars."""
    daily = daily_pnl(result.trades, result.sessions)
    figure = blank(2.8)
    axes = figure.subplots()
    width = 0.8 if daily.size > 6 else 0.4
    axes.bar(np.arange(daily.size) + 0.5, daily, width=width, color=colours(daily))
    zero_line(axes)
    money_axis(axes)
    room_for_zero(axes, daily)
    date_ticks(axes, [session.date for session in result.sessions], most=12)
    axes.grid(axis="x", which="both", visible=False)
    axes.set_title("Net P&L of each session")
    return figure
