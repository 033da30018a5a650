"""What the figures prove and what they do not, in sentences for the first page."""

from collections.abc import Sequence
from datetime import date

import numpy as np

from reports.formatting import count, day, listing, money, number, percent
from reports.metrics import Metrics
from reports.result import BacktestResult
from reports.trades import session_of
from vocabulary import ExitReason, RoundTrip

NEAR_STRIKE = 0.003
"""A close within this fraction of the strike could have gone either way."""

FEW_SESSIONS = 20
"""Fewer days than this prove nothing, and resampling them understates what could happen."""


def proof(metrics: Metrics) -> str:
    """How many sessions were seen, how many would be needed, and what follows."""
    seen = metrics["sessions"]
    if not seen:
        return "No session was kept: there is nothing to judge."
    if not metrics["trades"]:
        return f"{count(seen, 'session')} seen without a single trade: there is nothing to judge."
    if metrics["sessions_needed"] is None:
        return f"{count(seen, 'session')} seen, without a mean or a variance to judge: no proof."
    mean, deviation = metrics["daily_mean"], metrics["daily_sd"]
    start = (
        f"{count(seen, 'session')} seen, about {metrics['sessions_needed']:,.0f} needed for t = 2 "
        f"at this mean ({money(mean, signed=True)} a session) and variance (standard deviation "
        f"{money(deviation)}): "
    )
    t = metrics["t_statistic"]
    if abs(t) < 2 or seen < FEW_SESSIONS:
        return start + f"these figures prove nothing yet (t = {number(t)})."
    what = "a gain" if mean > 0 else "a loss"
    where = "of this simulated market" if metrics["simulated"] else "such as these"
    return start + f"{what} that chance alone seldom gives (t = {number(t)}), on days {where}."


def interval(metrics: Metrics) -> str:
    """The bootstrap interval of the mean, and how far to trust it."""
    between = metrics["daily_mean_interval"]
    if between is None:
        return "There are too few sessions for an interval of the mean."
    low, high = between
    text = (
        f"Resampling the sessions puts the mean daily P&L between {money(low)} and "
        f"{money(high)} (95 %, {metrics['bootstrap']['method']}, mean block "
        f"{count(metrics['bootstrap']['mean_block_sessions'], 'session')}, "
        f"{metrics['bootstrap']['resamples']:,} resamples)."
    )
    if metrics["sessions"] < FEW_SESSIONS:
        text += f" From {count(metrics['sessions'], 'session')} the interval is too narrow."
    return text


def clock(metrics: Metrics) -> str:
    """On how many days the run did what a clock does; empty where no clock was run."""
    alike, traded = metrics["clock_days"], metrics["sessions_traded"]
    if alike is None or not traded:
        return ""
    clocks = [f"{name} on {days}" for name, days in alike.items() if name != "any"]
    return (
        f"On {alike['any']} of {count(traded, 'day')} with a trade, {metrics['model']} did the "
        f"same as a clock: it entered the same right within 5 minutes of the clock's entry "
        f"({listing(clocks)})."
    )


def skipped(result: BacktestResult) -> str:
    """Which sessions were skipped, why, and how wild they were."""
    if not result.skipped:
        return "No session was skipped."
    items = [
        f"{day(each.date)} ({each.reason}; {_range(result.underlying, each.range_pct)})"
        for each in result.skipped
    ]
    text = f"{count(len(items), 'session')} skipped: {listing(items, most=4)}."
    known = [each.range_pct for each in result.skipped if each.range_pct is not None]
    if known and result.sessions:
        kept = float(np.median([session.range_pct for session in result.sessions]))
        text += (
            f" {result.underlying}'s median range was {number(float(np.median(known)))} % on "
            f"skipped sessions and {number(kept)} % on kept ones."
        )
    return text


def _range(underlying: str, range_pct: float | None) -> str:
    if range_pct is None:
        return f"{underlying}'s range unknown"
    return f"{underlying}'s range {number(range_pct)} %"


def in_sample(result: BacktestResult) -> str:
    """The text of the red banner; empty where the model was trained on none of the sessions."""
    days = result.in_sample
    if not days:
        return ""
    return (
        f"IN SAMPLE: the model was trained on {len(days)} of these "
        f"{count(len(result.sessions), 'session')}, {day(days[0])} to {day(days[-1])}. "
        "Figures on training days say nothing about other days."
    )


def simulated(result: BacktestResult) -> str:
    """The text of the banner of a simulated market; empty for a real one."""
    if not result.is_simulated:
        return ""
    return f"SIMULATED MARKET ({result.data_label}): no trade here met a real quote."


def cautions(result: BacktestResult, metrics: Metrics) -> list[str]:
    """What else the reader must know before believing a figure, a sentence each."""
    found = [
        _stops(metrics),
        _fills(metrics),
        *_settlement(result),
        _unfilled(metrics),
        _capital(metrics),
    ]
    return [sentence for sentence in found if sentence]


def _stops(metrics: Metrics) -> str:
    if not metrics["stops_approximate"]:
        return ""
    return (
        f"Stops are approximate: books are {metrics['resolution_seconds']:.0f} seconds apart "
        "(median), and what the price did between two of them is not known."
    )


def _fills(metrics: Metrics) -> str:
    best, worst = metrics["pnl_at_mid"], metrics["pnl_at_natural_plus_tick"]
    if not best > 0 > worst:
        return ""
    return (
        f"Gain or loss is a matter of the fills: {money(best, signed=True)} at the mid, "
        f"{money(worst, signed=True)} a tick worse than the quoted side."
    )


def _settlement(result: BacktestResult) -> list[str]:
    settled = [t for t in result.trades if t.exit_reason is ExitReason.SETTLEMENT]
    if not settled:
        return []
    text = (
        f"{count(len(settled), 'position')} settled at the official close, which is optimistic: "
        f"{result.underlying} options deliver shares, and shares gap overnight."
    )
    near = near_strike(result, settled)
    if not near:
        return [text]
    dates = listing([day(each) for each in near], most=5)
    return [
        text,
        f"Within {percent(NEAR_STRIKE, 1)} of the strike at the close, where assignment could "
        f"have gone either way: {dates}.",
    ]


def near_strike(result: BacktestResult, settled: Sequence[RoundTrip]) -> list[date]:
    """Sessions that closed within 0.3 % of the strike of a settled position."""
    closes = {session.date: session.official_close for session in result.sessions}
    return [
        session_of(trade)
        for trade in settled
        if abs(closes[session_of(trade)] / trade.contract.strike - 1) <= NEAR_STRIKE
    ]


def _unfilled(metrics: Metrics) -> str:
    amount = metrics["unfilled_exits"]
    return f"{count(amount, 'exit')} found no quote until the close: settled." if amount else ""


def _capital(metrics: Metrics) -> str:
    amount = metrics["capital_refusals"]
    if not amount:
        return ""
    return (
        f"The capital rule refused {count(amount, 'decision')}: another account would have "
        "traded more."
    )
