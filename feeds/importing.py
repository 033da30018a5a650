"""Bringing tidy quotes of any vendor into the chain store.

First every row is checked and set down by session; whatever makes a file unusable is found before
the store is touched. Then each session becomes a `ChainDay` and is written, or is skipped with a
reason. Memory holds one chunk of a file or one session, never a whole file.
"""

import glob
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from errors import DataError
from feeds.assembling import AssembledSession, assemble_session
from feeds.data_quality import ImportSummary
from feeds.parquet_day import off_cent
from feeds.sessions import (
    NEW_YORK,
    Nanoseconds,
    is_session,
    session_on,
    sessions_between,
)
from feeds.source import SkippedSession
from feeds.spill import QUOTE, Quotes, Spill, to_cents
from feeds.store import ChainStore
from feeds.tidy import QuoteChunk, place, read_quotes
from feeds.underlying import Bars, load_bars

Progress = Callable[[str, float], None]
"""Called with what is being done and the fraction (0 to 1) of the import that is over."""

PERIODS = (1, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)
"""Usual periods in seconds; a spacing within a tenth of one is called that."""

THOUSANDTHS_RATIO = 50
"""Strikes that are this many times spot are no dollars."""

THOUSANDTHS_STEP = 500.0
"""No strikes are this many dollars apart; half a dollar in thousandths is."""

_EPOCH = date(1970, 1, 1)


def import_files(
    files: Sequence[str | Path],
    underlying_files: Sequence[str | Path],
    store: ChainStore,
    progress: Progress = lambda what, fraction: None,
    *,
    close_from_last_quote: bool = False,
    time_exit_minutes: float = 15.0,
) -> ImportSummary:
    """Import tidy option quotes (all of one underlying) and tell what was found.

    Args:
        files: tidy CSV or Parquet files, or patterns of them.
        underlying_files: bars of the underlying, stamped with their end, or patterns of them.
        store: where sessions go; those of the same day, source and period are replaced.
        progress: told how far the import is.
        close_from_last_quote: settle on the last snapshot's spot where no official close is known.
        time_exit_minutes: a session that ends longer than this before its close is thin.

    Raises `DataError`, before anything is stored, for a file that is not tidy (see `feeds.tidy`),
    several underlyings, duplicate quotes and strikes in thousandths.
    """
    paths, bar_paths = _matches(files), _matches(underlying_files)
    with Spill(store.root) as spill:
        summary = _sort_by_session(paths, spill, progress)
        bars = load_bars(bar_paths, summary.underlying)
        for day in spill.days:
            _refuse_unusable(spill.read(day), paths, bars.of(session_on(day)))
        assemble = partial(
            assemble_session,
            close_from_last_quote=close_from_last_quote,
            time_exit_minutes=time_exit_minutes,
        )
        for index, day in enumerate(spill.days):
            progress(f"storing {day}", 0.5 + 0.5 * index / len(spill.days))
            here = bars.of(session_on(day))
            try:
                found = assemble(session_on(day), summary.underlying, spill.read(day), here)
            except DataError as error:
                _skip(SkippedSession(day, str(error), here.range_pct), store, summary)
            else:
                _keep(found, store, summary)
        _skip_absent_sessions(spill.days, store, bars, summary)
    progress("done", 1.0)
    return summary


def _matches(files: Sequence[str | Path]) -> list[Path]:
    """Files and patterns as files, each once. Raises `DataError` for one that matches nothing."""
    paths: set[Path] = set()
    for name in map(str, files):
        found = [Path(name)] if Path(name).is_file() else [Path(one) for one in glob.glob(name)]
        if not found:
            raise DataError(f"no file matches {name}")
        paths.update(found)
    return sorted(paths)


def _sort_by_session(paths: list[Path], spill: Spill, progress: Progress) -> ImportSummary:
    """Check every row of the files and set the usable ones down by session."""
    summary = ImportSummary("", len(paths))
    for number, path in enumerate(paths):
        for chunk in read_quotes(path):
            summary.underlying = summary.underlying or chunk.underlying
            if chunk.underlying != summary.underlying:
                raise DataError(
                    f"{path} is of {chunk.underlying}, {paths[0]} of {summary.underlying}: "
                    "import one underlying at a time"
                )
            _sort_chunk(chunk, number, spill, summary)
            progress(f"reading {path.name}", 0.5 * (number + chunk.done) / len(paths))
    return summary


def _sort_chunk(chunk: QuoteChunk, number: int, spill: Spill, summary: ImportSummary) -> None:
    days = _new_york_days(chunk.ts)
    rows = _quotes(chunk, number)
    refused = off_cent(chunk.bid) | off_cent(chunk.ask)
    summary.rows += len(chunk)
    for ordinal in np.unique(days):
        day = _EPOCH + timedelta(days=int(ordinal))
        mine = days == ordinal
        if not is_session(day):
            summary.closed_days[day] += int(mine.sum())
            continue
        session = session_on(day)
        other = mine & (chunk.expiration != ordinal)
        outside = (chunk.ts < session.open_ns) | (chunk.ts > session.close_ns)
        reasons = {
            "they do not expire on their session's day": other,
            "outside the session": mine & ~other & outside,
            "a price is no whole number of cents": mine & ~other & ~outside & refused,
        }
        summary.dropped.update({why: int(bad.sum()) for why, bad in reasons.items() if bad.any()})
        kept = mine & ~other & ~outside & ~refused
        if kept.any():
            spill.add(day, rows[kept])


def _new_york_days(ts: Nanoseconds) -> Nanoseconds:
    """The day in New York of each instant, days since 1970."""
    local = pd.DatetimeIndex(ts.view("datetime64[ns]"), tz="UTC").tz_convert(NEW_YORK)
    return np.asarray(local.tz_localize(None).to_numpy().astype("datetime64[D]").astype(np.int64))


def _quotes(chunk: QuoteChunk, number: int) -> Quotes:
    rows = np.empty(len(chunk), QUOTE)
    rows["ts"], rows["strike"], rows["right"] = chunk.ts, chunk.strike, chunk.right
    rows["bid"], rows["ask"] = to_cents(chunk.bid), to_cents(chunk.ask)
    rows["bid_size"], rows["ask_size"] = chunk.bid_size, chunk.ask_size
    rows["spot"] = chunk.underlying_price
    rows["file"], rows["row"] = number, chunk.first_row + np.arange(len(chunk))
    return rows


def _refuse_unusable(rows: Quotes, paths: list[Path], bars: Bars) -> None:
    """Raise `DataError` for duplicate quotes and strikes that are no dollars."""
    first, second = rows[:-1], rows[1:]
    names = ("ts", "strike", "right")
    twice = np.flatnonzero(np.all([first[name] == second[name] for name in names], axis=0))
    if twice.size:
        one, other = first[twice[0]], second[twice[0]]
        raise DataError(
            f"{place(paths[other['file']], other['row'])}: the quote of "
            f"{place(paths[one['file']], one['row'])} again (same ts, strike and right)"
        )
    if _in_thousandths(rows, bars):
        raise DataError(
            f"{place(paths[rows['file'][0]], rows['row'][0])}: strike "
            f"{rows['strike'][0] / 1000:g}: strikes look like thousandths, they must be dollars"
        )


def _in_thousandths(rows: Quotes, bars: Bars) -> bool:
    """Whether strikes are far above spot, or far apart where nothing tells spot."""
    known = rows["spot"][np.isfinite(rows["spot"])]
    known = known if known.size else bars.close
    strikes = np.unique(rows["strike"]) / 1000
    if known.size:
        return bool(np.median(strikes) > THOUSANDTHS_RATIO * np.median(known))
    return strikes.size > 1 and bool(np.diff(strikes).min() >= THOUSANDTHS_STEP)


def _keep(found: AssembledSession, store: ChainStore, summary: ImportSummary) -> None:
    store.write(found.day, _period(found.quality.spacing))
    summary.kept.append(found.quality)
    if found.unpriced:
        summary.dropped["nothing tells the price of the underlying"] += found.unpriced


def _skip_absent_sessions(
    days: Sequence[date], store: ChainStore, bars: Bars, summary: ImportSummary
) -> None:
    """Remember the sessions between the first and the last that have no quotes at all."""
    if not days:
        return
    symbol = summary.underlying
    stored = {one.date for one in store.entries if one.facts.underlying == symbol}
    for session in sessions_between(days[0], days[-1]):
        if session.date not in stored.union(days):
            move, reason = bars.move_across(session), "the files hold no quotes of it"
            reason += "" if move is None else f" ({symbol} moved {move:+.2f} % across it)"
            absent = SkippedSession(session.date, reason, bars.of(session).range_pct)
            _skip(absent, store, summary)


def _skip(skipped: SkippedSession, store: ChainStore, summary: ImportSummary) -> None:
    store.skip(skipped.date, skipped.reason, skipped.range_pct, summary.underlying)
    summary.skipped.append(skipped)


def _period(spacing: float) -> int:
    """The usual period nearest to a spacing in seconds, else the spacing itself."""
    near = [period for period in PERIODS if abs(spacing - period) <= period / 10]
    return near[0] if near else round(spacing)
