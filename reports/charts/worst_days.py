"""The worst sessions, a small chart each: the underlying, the trades, the option and its stop."""

from collections.abc import Sequence
from datetime import date
from math import ceil

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from reports.charts.session import TRADE_COLOURS, mark_trade_ends
from reports.charts.style import INK, VERMILION, blank, clock_axis, minutes_of, money_axis
from reports.formatting import day as day_name
from reports.formatting import money
from reports.result import BacktestResult, SessionFacts
from reports.trades import daily_pnl, session_of
from vocabulary import RoundTrip

WORST = 6
"""Small charts that a page has room for."""

IN_A_ROW = 3


def worst_sessions(result: BacktestResult, most: int = WORST) -> list[tuple[date, float]]:
    """The sessions that lost the most and their net dollars, worst first; none that gained."""
    daily = daily_pnl(result.trades, result.sessions)
    order = np.argsort(daily, kind="stable")[:most]
    return [(result.sessions[n].date, float(daily[n])) for n in order if daily[n] < 0]


def worst_days(result: BacktestResult, worst: Sequence[tuple[date, float]]) -> Figure:
    """Two small panels a session of `worst` (`worst_sessions`, not empty)."""
    rows = ceil(len(worst) / IN_A_ROW)
    figure = blank(2.9 * rows)
    grid = figure.add_gridspec(2 * rows, IN_A_ROW, height_ratios=[1.35, 1] * rows)
    facts = {session.date: session for session in result.sessions}
    for number, (day, pnl) in enumerate(worst):
        row, column = divmod(number, IN_A_ROW)
        upper = figure.add_subplot(grid[2 * row, column])
        lower = figure.add_subplot(grid[2 * row + 1, column], sharex=upper)
        _small(upper, lower, result, facts[day])
        upper.set_title(f"{day_name(day)}  {money(pnl, 0, signed=True)}", fontsize=9)
    return figure


def _small(upper: Axes, lower: Axes, result: BacktestResult, facts: SessionFacts) -> None:
    inside = slice(
        *np.searchsorted(result.decisions.ts, [facts.open_ns, facts.close_ns + 1]).tolist()
    )
    minutes = minutes_of(result.decisions.ts[inside], facts)
    upper.plot(minutes, result.decisions.spot[inside], color=INK, linewidth=0.9)
    trades = [trade for trade in result.trades if session_of(trade) == facts.date]
    for number, trade in enumerate(trades):
        _trade(upper, lower, result, facts, trade, TRADE_COLOURS[number % len(TRADE_COLOURS)])
    clock_axis(lower, 0, float(minutes_of(np.array(facts.close_ns), facts)), step=120)
    money_axis(lower, most=3)
    upper.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    lower.set_ylim(bottom=0)
    upper.tick_params(labelbottom=False, labelsize=7.5)
    lower.tick_params(labelsize=7.5)


def _trade(
    upper: Axes,
    lower: Axes,
    result: BacktestResult,
    facts: SessionFacts,
    trade: RoundTrip,
    colour: str,
) -> None:
    """Entry, exit and strike above; the option's mid, the fills and the stop below."""
    ends = minutes_of(np.array([trade.entered_ts, trade.exited_ts]), facts)
    strike = trade.contract.strike
    upper.hlines(strike, *ends, color=colour, linewidth=0.9, linestyle="--")
    mark_trade_ends(upper, ends, (trade.entry_underlying, trade.exit_underlying), trade, colour, 5)
    held = slice(
        *np.searchsorted(result.exposure.ts, [trade.entered_ts, trade.exited_ts + 1]).tolist()
    )
    mids = result.exposure.mid[held]
    lower.plot(minutes_of(result.exposure.ts[held], facts), mids, color=colour, linewidth=1)
    stop = trade.stop_multiple * trade.entry_price
    lower.hlines(stop, *ends, color=VERMILION, linewidth=1.1, linestyle=":")
    mark_trade_ends(lower, ends, (trade.entry_price, trade.exit_price), trade, colour, 5)
