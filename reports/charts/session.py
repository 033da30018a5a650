"""One session drawn large: SPY with entries and exits, the held option, implied volatility."""

from datetime import date

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports.charts.style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    Look,
    blank,
    clock_axis,
    minutes_of,
    money_axis,
)
from reports.formatting import clock, money
from reports.formatting import day as day_name
from reports.result import BacktestResult, Floats, SessionFacts
from reports.trades import daily_pnl, session_of
from vocabulary import RoundTrip

TRADE_COLOURS = (PURPLE, ORANGE, BLUE, GREEN, SKY)


def most_eventful(result: BacktestResult) -> date | None:
    """The session with the largest absolute P&L, the first of them; None without sessions."""
    if not result.sessions:
        return None
    daily = np.abs(daily_pnl(result.trades, result.sessions))
    return result.sessions[int(daily.argmax())].date


def session(result: BacktestResult, day: date) -> Figure:
    """SPY, the held options and at-the-money volatility through the session of `day`."""
    facts = next(session for session in result.sessions if session.date == day)
    trades = [trade for trade in result.trades if session_of(trade) == day]
    figure = blank(6.6 if trades else 4.4)
    ratios = [2.4, 2.2, 1.2] if trades else [2.4, 1.2]
    panels = list(figure.subplots(len(ratios), 1, sharex=True, height_ratios=ratios))
    inside = (result.decisions.ts >= facts.open_ns) & (result.decisions.ts <= facts.close_ns)
    minutes = minutes_of(result.decisions.ts[inside], facts)
    panels[0].plot(minutes, result.decisions.spot[inside], color=INK, linewidth=1.1)
    panels[0].set_title(f"{result.underlying} on {day_name(day)}, dollars; dashed: the strike")
    for number, trade in enumerate(trades):
        colour = TRADE_COLOURS[number % len(TRADE_COLOURS)]
        _on_underlying(panels[0], facts, trade, colour)
        _on_option(panels[1], result, facts, trade, colour)
    panels[-1].plot(minutes, 100 * result.decisions.atm_iv[inside], color=GREY, linewidth=1.1)
    panels[-1].set_title("Implied volatility at the money, per cent a year")
    clock_axis(panels[-1], 0, float(minutes_of(np.array(facts.close_ns), facts)))
    if trades:
        panels[1].set_title("Mid of the option held; dotted: its stop")
        money_axis(panels[1])
        panels[1].set_ylim(bottom=0)
        figure.legend(loc="outside lower left", ncols=1, handlelength=1.2)
    return figure


def _on_underlying(axes: Axes, facts: SessionFacts, trade: RoundTrip, colour: str) -> None:
    """Entry, exit and strike; the legend tells the trade in a line."""
    start, end = minutes_of(np.array([trade.entered_ts, trade.exited_ts]), facts)
    axes.hlines(trade.contract.strike, start, end, color=colour, linewidth=1, linestyle="--")
    _mark(axes, start, trade.entry_underlying, _entry_marker(trade), colour, _story(trade))
    _mark(axes, end, trade.exit_underlying, "X", colour)


def _on_option(
    axes: Axes, result: BacktestResult, facts: SessionFacts, trade: RoundTrip, colour: str
) -> None:
    """The option's mid while it was held, the fills and the stop."""
    start, end = minutes_of(np.array([trade.entered_ts, trade.exited_ts]), facts)
    exposure = result.exposure
    held = (exposure.ts >= trade.entered_ts) & (exposure.ts <= trade.exited_ts)
    axes.plot(minutes_of(exposure.ts[held], facts), exposure.mid[held], color=colour)
    stop = trade.stop_multiple * trade.entry_price
    axes.hlines(stop, start, end, color=VERMILION, linewidth=1.2, linestyle=":")
    _mark(axes, start, trade.entry_price, _entry_marker(trade), colour)
    _mark(axes, end, trade.exit_price, "X", colour)


def _entry_marker(trade: RoundTrip) -> str:
    return "v" if trade.side < 0 else "^"


def _mark(
    axes: Axes,
    minutes: float,
    price: float,
    marker: str,
    colour: str,
    label: str | None = None,
    size: float = 9,
) -> None:
    edge: Look = {"markeredgecolor": "white", "markeredgewidth": 0.8, "clip_on": False}
    look: Look = {"linestyle": "none", "marker": marker, "markersize": size, "zorder": 4, **edge}
    axes.plot([minutes], [price], color=colour, label=label, **look)


def mark_trade_ends(
    axes: Axes,
    minutes: Floats,
    prices: tuple[float, float],
    trade: RoundTrip,
    colour: str,
    size: float,
) -> None:
    """A triangle at the entry, a cross at the exit, `minutes` [2] since the open."""
    _mark(axes, float(minutes[0]), prices[0], _entry_marker(trade), colour, size=size)
    _mark(axes, float(minutes[1]), prices[1], "X", colour, size=size)


def _story(trade: RoundTrip) -> str:
    verb = "bought" if trade.side > 0 else "sold"
    what = f"{trade.quantity} {trade.contract.strike:g} {trade.contract.right.name.lower()}"
    entry = f"{verb} {what} at {clock(trade.entered_ts)} for {money(trade.entry_price)}"
    reason = trade.exit_reason.value.replace("_", " ")
    left = f"{reason} at {clock(trade.exited_ts)} for {money(trade.exit_price)}"
    return f"{entry}, {left}: {money(trade.net_pnl, signed=True)}"
