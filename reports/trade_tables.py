"""Tables of the page on the run's falls, its groups of trades, and its worst days."""

from collections.abc import Sequence
from datetime import date

from feeds.sessions import to_new_york
from reports import breakdowns
from reports.breakdowns import TradeGroup
from reports.charts.calendar import months_of
from reports.drawdowns import drawdowns_of
from reports.formatting import DASH, count, day, listing, money, percent
from reports.result import BacktestResult
from reports.tables import Table, interval_cell, signed, time_cell
from reports.trades import session_of


def drawdowns(result: BacktestResult) -> Table:
    """The worst falls of the account, deepest first."""
    columns = (
        *("Depth", "Of the peak", "First below the peak", "Lowest", "Back at the peak"),
        *("Sessions", "Lowest to back"),
    )
    rows = [
        (
            money(one.fall.depth),
            percent(one.fall.depth / one.fall.peak, 1) if one.fall.peak > 0 else DASH,
            _moment(one.first_ts),
            _moment(one.lowest_ts),
            "not yet" if one.recovered_ts is None else _moment(one.recovered_ts),
            f"{one.sessions:,}",
            DASH if one.sessions_to_recover is None else f"{one.sessions_to_recover:,}",
        )
        for one in drawdowns_of(result)
    ]
    return Table(columns, rows, frozenset({2, 3, 4}))


def _moment(ts: int) -> str:
    moment = to_new_york(ts)
    return time_cell(ts, f"{day(moment.date())} {moment:%H:%M}")


def exits(result: BacktestResult) -> Table:
    """P&L by the reason of the exit."""
    return _groups("Exit", breakdowns.by_exit(result))


def rights(result: BacktestResult) -> Table:
    """P&L by what was traded."""
    return _groups("Traded", breakdowns.by_right(result))


def entry_iv(result: BacktestResult) -> Table:
    """P&L by at-the-money volatility when the entry was decided."""
    return _groups("Volatility at entry", breakdowns.by_entry_iv(result))


def _groups(what: str, groups: Sequence[TradeGroup]) -> Table:
    columns = (what, "Trades", "Win rate", "Net P&L", "Mean", "95 % of the mean", "Best", "Worst")
    rows = [
        (
            group.name,
            f"{group.pnl.size:,}",
            percent(group.win_rate),
            signed(group.pnl.sum()),
            signed(group.mean),
            interval_cell(group.interval),
            signed(group.pnl.max()),
            signed(group.pnl.min()),
        )
        for group in groups
    ]
    return Table(columns, rows)


def worst_days(result: BacktestResult, worst: Sequence[tuple[date, float]]) -> Table:
    """One row a worst day: what was lost, how, and what the market did."""
    facts = {session.date: session for session in result.sessions}
    rows = []
    for when, pnl in worst:
        trades = [trade for trade in result.trades if session_of(trade) == when]
        reasons = [breakdowns.words(trade.exit_reason) for trade in trades]
        session = facts[when]
        move = 100 * (session.spot_close / session.spot_open - 1)
        rows.append(
            (
                day(when),
                signed(pnl),
                count(len(trades), "trade"),
                listing(reasons, most=4),
                f"{move:+.2f} %".replace("-", "\N{MINUS SIGN}"),
                f"{session.range_pct:.2f} %",
            )
        )
    columns = ("Session", "Net P&L", "Trades", "Exits", "Open to close", "Range")
    return Table(columns, rows, frozenset({0, 2, 3}))


def calendar_words(result: BacktestResult) -> str:
    """How many months gained, in a sentence."""
    sums = months_of(result).sums
    return f"{int((sums > 0).sum())} of {count(sums.size, 'month')} gained."
