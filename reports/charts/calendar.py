"""The calendar: every session a field, a month a row, with the months' sums beside it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from reports.charts.style import (
    GAIN,
    GREY,
    INK,
    LOSS,
    PALE,
    Look,
    blank,
    colours,
    money_axis,
    room_for_zero,
)
from reports.formatting import MINUS, money
from reports.result import BacktestResult, Floats
from reports.trades import daily_pnl

WORDS_UP_TO = 14
"""Months up to which the amounts stand in their fields."""

NEUTRAL = "#eaedf0"


@dataclass(frozen=True, slots=True, eq=False)
class Months:
    """P&L on a grid of months and days: `grid` [months, 31], NaN without a session."""

    months: Sequence[tuple[int, int]]
    grid: Floats

    @property
    def sums(self) -> Floats:
        """[months] dollars."""
        return np.asarray(np.nansum(self.grid, axis=1))


def months_of(result: BacktestResult) -> Months:
    """Every calendar month from the first to the last session, empty ones included."""
    days = [session.date for session in result.sessions]
    first, last = (12 * day.year + day.month - 1 for day in (days[0], days[-1]))
    grid = np.full((last - first + 1, 31), np.nan)
    for day, pnl in zip(days, daily_pnl(result.trades, result.sessions), strict=True):
        grid[_row(day, first), day.day - 1] = pnl
    return Months([divmod(first + row, 12) for row in range(len(grid))], grid)


def _row(day: date, first: int) -> int:
    return 12 * day.year + day.month - 1 - first


def calendar(result: BacktestResult) -> Figure:
    """A field a session, blue won, orange lost; a cross is a session that was skipped."""
    months = months_of(result)
    amount = len(months.months)
    row_height = 0.26 if amount <= WORDS_UP_TO else 0.17
    figure = blank(0.95 + row_height * max(amount, 2))
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=[6.4, 1])
    _fields(left, months)
    _crosses(left, result, months)
    if amount <= WORDS_UP_TO:
        _amounts(left, months)
    _sums(right, months)
    left.set_ylim(amount, 0)
    left.set_yticks(np.arange(amount) + 0.5, _names(months.months))
    return figure


def _fields(axes: Axes, months: Months) -> None:
    known = np.abs(months.grid[np.isfinite(months.grid)])
    most = max(float(np.percentile(known, 98)), 1.0)
    shades = LinearSegmentedColormap.from_list("pnl", [LOSS, NEUTRAL, GAIN])
    look: Look = {
        "cmap": shades,
        "vmin": -most,
        "vmax": most,
        "edgecolors": "white",
        "linewidth": 1,
    }
    masked = np.ma.masked_invalid(months.grid)
    axes.pcolormesh(np.arange(32), np.arange(len(masked) + 1), masked, **look)
    axes.set_xticks(np.arange(31) + 0.5, [str(day) for day in range(1, 32)])
    axes.tick_params(length=0)
    axes.tick_params(axis="x", labelsize=7.5)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    axes.set_title(f"Net P&L of each session; full colour from {money(most, 0)}")


def _crosses(axes: Axes, result: BacktestResult, months: Months) -> None:
    year, month = months.months[0]
    first = 12 * year + month
    rows = [_row(each.date, first) for each in result.skipped]
    inside = [0 <= row < len(months.months) for row in rows]
    where = [
        (each.date.day - 0.5, row + 0.5)
        for each, row, shown in zip(result.skipped, rows, inside, strict=True)
        if shown
    ]
    if where:
        axes.plot(*np.transpose(where), "x", color=GREY, markersize=4, markeredgewidth=0.9)


def _amounts(axes: Axes, months: Months) -> None:
    most = max(float(np.nanpercentile(np.abs(months.grid), 98)), 1.0)
    for row, day in np.argwhere(np.isfinite(months.grid)):
        value = months.grid[row, day]
        ink = "white" if abs(value) > 0.55 * most else INK
        look: Look = {"ha": "center", "va": "center", "fontsize": 5.8, "in_layout": False}
        axes.text(day + 0.5, row + 0.5, short(value), color=ink, **look)


def short(value: float) -> str:
    """Dollars in at most four signs: 0, 87, -412, 1.3k, -12k."""
    size = abs(value)
    digits = f"{size:.0f}" if size < 999.5 else f"{size / 1000:.{1 if size < 9950 else 0}f}k"
    return f"{MINUS}{digits}" if value < 0 and digits != "0" else digits


def _sums(axes: Axes, months: Months) -> None:
    sums = months.sums
    axes.barh(np.arange(sums.size) + 0.5, sums, height=0.72, color=colours(sums), linewidth=0)
    axes.axvline(0, color=GREY, linewidth=0.8)
    axes.tick_params(axis="y", labelleft=False, length=0)
    money_axis(axes, "x", most=2)
    room_for_zero(axes, sums, "x")
    axes.grid(axis="y", visible=False)
    axes.grid(axis="x", color=PALE)
    axes.set_title("Month")


def _names(months: Sequence[tuple[int, int]]) -> list[str]:
    """ "Jan 2026" where a year begins (and on the first row), else the month alone."""
    return [
        f"{date(year, month + 1, 1):%b %Y}"
        if not row or not month
        else f"{date(year, month + 1, 1):%b}"
        for row, (year, month) in enumerate(months)
    ]
