"""Tables and tiles of the report as rows of finished text; the template only lays them out."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np

from reports.formatting import DASH, clock, count, day, money, money_interval, number, percent
from reports.metrics import Metrics
from reports.result import BacktestResult, SessionFacts
from reports.tables import Table as Table
from reports.tables import interval_cell, time_cell
from reports.trades import daily_pnl, session_of
from vocabulary import RoundTrip


class Tile(NamedTuple):
    """A figure of the first page: its name, the figure, and a word of context."""

    name: str
    value: str
    context: str = ""


def tiles(metrics: Metrics) -> list[Tile]:
    """The figures of the first page."""
    won = metrics["win_rate"]
    return [
        Tile("Net P&L", money(metrics["net_pnl"], signed=True), f"{money(metrics['fees'])} fees"),
        Tile(
            "Mean a session",
            money(metrics["daily_mean"], signed=True),
            _between(metrics["daily_mean_interval"], money_interval),
        ),
        Tile(
            "Trades", f"{metrics['trades']:,}", f"on {count(metrics['sessions_traded'], 'session')}"
        ),
        Tile("Win rate", percent(won), f"profit factor {number(metrics['profit_factor'])}"),
        Tile("Max drawdown", money(metrics["max_drawdown"]), "marked at mid"),
        Tile(
            "Daily Sharpe",
            number(metrics["daily_sharpe"]),
            _between(metrics["daily_sharpe_interval"], _number_interval),
        ),
        Tile("In the market", percent(metrics["exposure"]), "of the session time"),
        Tile("Sessions", f"{metrics['sessions']:,}", f"{metrics['sessions_skipped']} skipped"),
    ]


def _between(ends: Sequence[float] | None, text: Any) -> str:
    return f"95 %: {text(ends[0], ends[1])}" if ends else "no interval"


def _number_interval(low: float, high: float) -> str:
    return f"{number(low)} to {number(high)}"


def trades(result: BacktestResult) -> Table:
    """One row a round trip."""
    columns = (
        *("Session", "Contract", "Qty", "In", "Price", "Out", "Price", "Exit"),
        *(f"{result.underlying} in", f"{result.underlying} out"),
        *("Stop at", "Risk", "Fees", "Net P&L"),
    )
    return Table(columns, [_trade(trade) for trade in result.trades], frozenset({0, 1, 7}))


def _trade(trade: RoundTrip) -> tuple[str, ...]:
    return (
        session_of(trade).isoformat(),
        f"{trade.contract.strike:g} {trade.contract.right.name.lower()}",
        f"{trade.side * trade.quantity:+d}".replace("-", "\N{MINUS SIGN}"),
        time_cell(trade.entered_ts, clock(trade.entered_ts)),
        money(trade.entry_price),
        time_cell(trade.exited_ts, clock(trade.exited_ts)),
        money(trade.exit_price),
        trade.exit_reason.value.replace("_", " "),
        number(trade.entry_underlying),
        number(trade.exit_underlying),
        money(trade.stop_multiple * trade.entry_price),
        number(trade.risk_score),
        money(trade.fees),
        money(trade.net_pnl, signed=True),
    )


def baselines(metrics: Metrics) -> Table:
    """The run and each baseline on the same sessions."""
    columns = (
        *("Policy", "Trades", "Win rate", "Net P&L", "At mid", "Mean a session", "95 %"),
        *("Max drawdown by day", "Run less it, a session", "95 %"),
    )
    rows = [_policy(metrics["model"], metrics)]
    rows += [_policy(name, figures) for name, figures in metrics["baselines"].items()]
    return Table(columns, rows)


def _policy(name: str, figures: Metrics) -> tuple[str, ...]:
    return (
        name,
        f"{figures['trades']:,}",
        percent(figures["win_rate"]),
        money(figures["net_pnl"], signed=True),
        money(figures["pnl_at_mid"], signed=True),
        money(figures["daily_mean"], signed=True),
        interval_cell(figures["daily_mean_interval"]),
        money(figures["max_drawdown_by_day"]),
        money(figures.get("model_less_baseline"), signed=True),
        interval_cell(figures.get("model_less_baseline_interval")),
    )


def months(result: BacktestResult) -> Table:
    """One row a month."""
    columns = ("Month", "Sessions", "Trades", "Days won", "Net P&L", "Best day", "Worst day")
    days = list(zip(result.sessions, daily_pnl(result.trades, result.sessions), strict=True))
    rows = []
    for month, members in groupby(days, key=lambda pair: f"{pair[0].date:%B %Y}"):
        facts, values = zip(*members, strict=True)
        pnl = np.array(values)
        dates = {each.date for each in facts}
        traded = [trade for trade in result.trades if session_of(trade) in dates]
        row = (month, f"{pnl.size}", f"{len(traded)}", f"{int((pnl > 0).sum())}")
        amounts = (pnl.sum(), pnl.max(), pnl.min())
        rows.append((*row, *(money(amount, signed=True) for amount in amounts)))
    return Table(columns, rows)


def sessions(result: BacktestResult) -> Table:
    """One row a kept session."""
    columns = (
        *("Session", "Trades", "Net P&L", "Open", "High", "Low", "Close", "Range"),
        *("Snapshots", "Spacing", "Source", "Remarks"),
    )
    daily = daily_pnl(result.trades, result.sessions)
    amounts = {each.date: 0 for each in result.sessions}
    for trade in result.trades:
        amounts[session_of(trade)] += 1
    rows = [
        _session(result, facts, amounts[facts.date], pnl)
        for facts, pnl in zip(result.sessions, daily, strict=True)
    ]
    return Table(columns, rows, frozenset({0, 10, 11}))


def _session(
    result: BacktestResult, facts: SessionFacts, amount: int, pnl: float
) -> tuple[str, ...]:
    trained = ("in sample",) if facts.date in result.in_sample_dates else ()
    prices = (facts.spot_open, facts.spot_high, facts.spot_low, facts.official_close)
    return (
        f"{facts.date:%a} {facts.date}",
        f"{amount}",
        money(pnl, signed=True),
        *(number(price) for price in prices),
        f"{number(facts.range_pct)} %",
        f"{facts.snapshots:,}",
        f"{facts.spacing_seconds:.0f} s",
        facts.source,
        ", ".join((*facts.flags, *trained)),
    )


def skipped(result: BacktestResult) -> Table:
    """One row a skipped session."""
    rows = [
        (
            day(each.date),
            each.reason,
            DASH if each.range_pct is None else f"{number(each.range_pct)} %",
        )
        for each in result.skipped
    ]
    return Table(("Session", "Reason", f"{result.underlying}'s range"), rows, frozenset({0, 1}))


def refusals(metrics: Metrics) -> Table:
    """Why decisions were not carried out, the most frequent reason first."""
    rows = [(reason, f"{amount:,}") for reason, amount in metrics["refusals"].items()]
    return Table(("Reason", "Decisions"), rows)


def span(sessions_seen: Sequence[SessionFacts]) -> str:
    """First and last session: "Wed 28 Oct 2026 to Fri 30 Oct 2026"."""
    if not sessions_seen:
        return "no session"
    first, last = day(sessions_seen[0].date), day(sessions_seen[-1].date)
    return first if first == last else f"{first} to {last}"
