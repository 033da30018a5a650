"""`run.py download`: sessions of SPY's same-day options from Theta into the chain store."""

import argparse
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from time import monotonic

from commands.market_data import store_to_fill
from commands.options import add_settings, add_theta
from commands.screen import progress, say
from errors import DataError, SettingError
from feeds.data_quality import SessionQuality, skipped_line
from feeds.sessions import NEW_YORK
from feeds.store import ChainStore
from feeds.theta.downloader import (
    PERIODS,
    DownloadPlan,
    SessionReport,
    download,
    official_prices,
    plan_download,
)
from feeds.theta.rest import ThetaRest
from feeds.theta.session_quotes import SessionReader
from feeds.theta.terminal import terminal_ready
from settings import DEFAULT_FOLDER, Settings

SYMBOL = "SPY"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `download`."""
    add_settings(parser, ("start", "end"))
    parser.add_argument(
        "--data",
        default=argparse.SUPPRESS,
        metavar="DIR",
        help=f"the chain store to fill (default {DEFAULT_FOLDER})",
    )
    add_theta(parser)


def main(arguments: argparse.Namespace, settings: Settings) -> int:
    """Download the range; 0 when all of it is in the store or known to be absent.

    Raises `SettingError` without a range, `DataError` where it holds nothing that can be had, and
    `FeedError` where the terminal stops answering; what came before is stored.
    """
    if settings.start is None or settings.end is None:
        raise SettingError("download needs a range: --from DATE --to DATE")
    if settings.start > settings.end:
        raise SettingError(f"the range {settings.start} to {settings.end} is reversed")
    now, period = datetime.now(NEW_YORK), PERIODS[settings.theta.interval]
    store = store_to_fill(settings.filled_folder)
    with terminal_ready(settings.theta) as rest:
        plan = plan_download(rest, store, SYMBOL, settings.start, settings.end, period, now)
        for line in plan_lines(plan):
            say(line)
        kept = _download(rest, store, plan, settings) if plan.wanted else 0
    if not kept and not plan.stored:
        raise DataError(f"nothing of {settings.start} to {settings.end} could be stored: see above")
    return 0


def plan_lines(plan: DownloadPlan) -> list[str]:
    """What will be asked for and what will not, in words."""
    lines = [f"{len(plan.wanted)} sessions to download"]
    if plan.stored:
        lines.append(f"{plan.stored} sessions are stored already")
    if plan.empty:
        lines.append(f"{plan.empty} sessions left out: Theta had no data of them before")
    if plan.unlisted:
        lines.append(f"{plan.unlisted} trading days left out: no {SYMBOL} option expires on them")
    if plan.unfinished:
        first = plan.unfinished[0]
        lines.append(
            f"{len(plan.unfinished)} sessions from {first} left out: they are complete at Theta "
            "from 17:30 New York, but for the night until 02:00"
        )
    return lines


def _download(rest: ThetaRest, store: ChainStore, plan: DownloadPlan, settings: Settings) -> int:
    """How many sessions were stored; says what was dropped, skipped and thin, whatever ends it."""
    first, last = plan.wanted[0].date, plan.wanted[-1].date
    period = PERIODS[settings.theta.interval]
    reader = SessionReader(
        rest,
        SYMBOL,
        settings.theta.interval,
        timedelta(seconds=period),
        official_prices(rest, SYMBOL, first, last),
        close_from_last_quote=settings.market.close_from_last_quote,
        time_exit_minutes=settings.rules.time_exit_minutes,
    )
    reports: list[SessionReport] = []
    begun, workers = monotonic(), settings.theta.concurrency
    try:
        with progress("download", len(plan.wanted)) as advance:
            for report in download(reader.read, plan.wanted, store, SYMBOL, period, workers):
                reports.append(report)
                advance()
    finally:
        for line in report_lines(reports, len(plan.wanted), monotonic() - begun):
            say(line)
    return sum(one.quality is not None for one in reports)


def report_lines(reports: Sequence[SessionReport], wanted: int, seconds: float) -> list[str]:
    """What came of a download that took `seconds`, in words."""
    kept = [one.quality for one in reports if one.quality is not None]
    rate = f" ({60 * len(reports) / seconds:.0f} a minute)" if seconds > 0 else ""
    lines = [f"stored {len(kept)} sessions, {sum(one.rows for one in kept):,} quotes{rate}"]
    if kept:
        lines.append(_quality_line(kept))
    dropped: Counter[str] = Counter()
    for one in reports:
        dropped.update(one.dropped)
    lines += [f"dropped {count:,} quotes: {why}" for why, count in sorted(dropped.items())]
    lines += [f"thin {one.date}: {one.thin}" for one in kept if one.thin]
    skipped = sorted((one.skipped for one in reports if one.skipped), key=lambda one: one.date)
    lines += [f"skipped {skipped_line(one)}" for one in skipped]
    if len(reports) < wanted:
        lines.append(f"{wanted - len(reports)} sessions are left: the same command goes on there")
    return lines


def _quality_line(kept: Sequence[SessionQuality]) -> str:
    contracts, snapshots = ([getattr(q, n) for q in kept] for n in ("contracts", "snapshots"))
    counts = {
        name: sum(getattr(one, name) for one in kept)
        for name in ("gaps", "crossed", "one_sided", "parity_breaks")
    }
    told = ", ".join(f"{name.replace('_', ' ')} {count:,}" for name, count in counts.items())
    return (
        f"{min(contracts)} to {max(contracts)} contracts, {min(snapshots)} to {max(snapshots)} "
        f"snapshots a session; {told}"
    )
