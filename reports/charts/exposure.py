"""What the book was exposed to through the day: its Greeks, and how often it held anything."""

from datetime import date

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from feeds.contract import Right
from feeds.option_maths import volatility_and_greeks
from feeds.sessions import FULL_DAY_MINUTES, NANOSECONDS_A_MINUTE
from reports.charts.style import (
    BLUE,
    GREY,
    ORANGE,
    PURPLE,
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
    """The book through the day: the chosen session before all the others, and how often it held.

    Greeks only while something was held. Gamma is that of the mark's own volatility; where the mark
    has no time value it is left out.
    """
    table = result.exposure
    opens = np.array([session.open_ns for session in result.sessions])
    number = np.searchsorted(opens, table.ts, side="right") - 1
    minutes = (table.ts - opens[number]) / NANOSECONDS_A_MINUTE
    own = number == [session.date for session in result.sessions].index(chosen)
    figure = blank(7.0)
    panels = list(figure.subplots(4, 1, sharex=True, height_ratios=[1.2, 1.2, 1.2, 0.8]))
    crowd = _band if np.unique(number).size >= BAND_FROM else _lines
    for axes, (title, values) in zip(panels, _greeks(result), strict=False):
        crowd(axes, minutes, values, number)
        _line(axes, minutes[own], values[own], VERMILION, 1.6, day_name(chosen))
        zero_line(axes)
        money_axis(axes, most=5)
        axes.set_title(title)
    panels[0].legend(loc="lower left", bbox_to_anchor=(1.0, 0.0))
    _held(panels[3], result, minutes, number)
    clock_axis(panels[3])
    return figure


def _greeks(result: BacktestResult) -> list[tuple[str, Floats]]:
    table = result.exposure
    return [
        ("Delta: dollars gained when the underlying rises by one dollar", table.delta),
        ("Gamma: dollars by which delta changes then", gamma_of(result)),
        ("Theta: dollars gained in a day by time alone", table.theta),
    ]


def gamma_of(result: BacktestResult) -> Floats:
    """[P] dollars by which the book's delta changes when the underlying rises by one dollar.

    Black-76 with spot as the forward. Price, spot and strike fix the total volatility, and with it
    gamma: time to expiry cancels, so one year stands for any. NaN without time value.
    """
    table, trades = result.exposure, result.trades
    which = np.searchsorted([trade.entered_ts for trade in trades], table.ts, side="right") - 1
    seen = np.searchsorted(result.decisions.ts, table.ts).clip(max=result.decisions.ts.size - 1)
    strike = np.array([trade.contract.strike for trade in trades])[which]
    is_call = np.array([trade.contract.right is Right.CALL for trade in trades])[which]
    shares = np.array([trade.side * trade.quantity * trade.contract.multiplier for trade in trades])
    spot = result.decisions.spot[seen]
    return np.asarray(
        volatility_and_greeks(table.mid, spot, strike, 1.0, is_call).gamma * shares[which]
    )


def _held(axes: Axes, result: BacktestResult, minutes: Floats, number: Integers) -> None:
    """In how many of the sessions a put and a call were held, five minutes each."""
    trades = result.trades
    entered = [trade.entered_ts for trade in trades]
    which = np.searchsorted(entered, result.exposure.ts, side="right") - 1
    is_put = np.array([trade.contract.right is Right.PUT for trade in trades])[which]
    edges = np.arange(0, FULL_DAY_MINUTES + _BIN_MINUTES, _BIN_MINUTES)
    column = np.clip(minutes // _BIN_MINUTES, 0, edges.size - 2).astype(np.int64)
    shares = []
    for chosen in (is_put, ~is_put):
        pairs = np.unique(number[chosen] * edges.size + column[chosen])
        amounts = np.bincount(pairs % edges.size, minlength=edges.size)[: edges.size - 1]
        shares.append(100 * amounts / len(result.sessions))
    for values, colour, dashes, name in (
        (shares[0], PURPLE, "-", "put"),
        (shares[1], ORANGE, "--", "call"),
    ):
        axes.stairs(values, edges, color=colour, linewidth=1.5, linestyle=dashes, label=name)
    axes.set_ylim(0, 1.15 * max(1.0, float(np.max(shares))))
    axes.set_title("Held, per cent of all sessions")
    axes.legend(loc="lower left", bbox_to_anchor=(1.0, 0.0))


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
    steps = np.diff(minutes)
    usual = float(np.median(steps)) if steps.size else 0.0
    gaps = np.flatnonzero(steps > max(_BIN_MINUTES, 3 * usual))
    minutes = np.insert(minutes, gaps + 1, np.nan)
    values = np.insert(values, gaps + 1, np.nan)
    axes.plot(minutes, values, color=colour, linewidth=width, label=label or None)
