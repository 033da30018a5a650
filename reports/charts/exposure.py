"""What the position was exposed to through the day: its delta and theta."""

from datetime import date

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from feeds.sessions import NANOSECONDS_A_MINUTE
from reports.charts.style import (
    BLUE,
    GREY,
    SKY,
    VERMILION,
    Look,
    blank,
    clock_axis,
    money_axis,
    zero_line,
)
from reports.formatting import day as day_name
from reports.result import BacktestResult, Floats, Integers

BAND_FROM = 6
"""Sessions with a position from which a band is drawn; fewer are drawn one by one."""

_BIN_MINUTES = 5


def through_the_day(result: BacktestResult, chosen: date) -> Figure:
    """Delta and theta while a position was held: the chosen session before all the others."""
    table = result.exposure
    opens = np.array([session.open_ns for session in result.sessions])
    number = np.searchsorted(opens, table.ts, side="right") - 1
    minutes = (table.ts - opens[number]) / NANOSECONDS_A_MINUTE
    own = number == [session.date for session in result.sessions].index(chosen)
    figure = blank(4.2)
    upper, lower = figure.subplots(2, 1, sharex=True)
    crowd = _band if np.unique(number).size >= BAND_FROM else _lines
    for axes, values in ((upper, table.delta), (lower, table.theta)):
        crowd(axes, minutes, values, number)
        _line(axes, minutes[own], values[own], VERMILION, 1.6, day_name(chosen))
        zero_line(axes)
        money_axis(axes, most=5)
    upper.set_title("Delta: dollars gained when the underlying rises by one dollar")
    lower.set_title("Theta: dollars gained in a day by time alone")
    upper.legend(loc="lower left", bbox_to_anchor=(1.0, 0.0))
    clock_axis(lower)
    return figure


def _band(axes: Axes, minutes: Floats, values: Floats, number: Integers) -> None:
    """The middle 80 % and the median of what was held in each five minutes."""
    bins = (minutes // _BIN_MINUTES).astype(int)
    every = range(int(bins.min()), int(bins.max()) + 1)
    low, middle, high = np.transpose([_percentiles(values[bins == each]) for each in every])
    where = (np.array(every) + 0.5) * _BIN_MINUTES
    look: Look = {"color": SKY, "alpha": 0.3, "linewidth": 0}
    axes.fill_between(where, low, high, label="middle 80 %\nof all sessions", **look)
    axes.plot(where, middle, color=BLUE, label="median")


def _percentiles(values: Floats) -> Floats:
    known = values[~np.isnan(values)]
    return np.percentile(known, [10, 50, 90]) if known.size else np.full(3, np.nan)


def _lines(axes: Axes, minutes: Floats, values: Floats, number: Integers) -> None:
    """Every session's line."""
    for nth, session in enumerate(np.unique(number)):
        rows = number == session
        label = "every session" if not nth else ""
        _line(axes, minutes[rows], values[rows], GREY, 0.9, label)


def _line(
    axes: Axes, minutes: Floats, values: Floats, colour: str, width: float, label: str = ""
) -> None:
    """A line that breaks where nothing was held for a while."""
    if not minutes.size:
        return
    gaps = np.flatnonzero(np.diff(minutes) > max(_BIN_MINUTES, 3 * np.median(np.diff(minutes))))
    minutes = np.insert(minutes, gaps + 1, np.nan)
    values = np.insert(values, gaps + 1, np.nan)
    axes.plot(minutes, values, color=colour, linewidth=width, label=label or None)
