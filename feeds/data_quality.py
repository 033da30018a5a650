"""What an import found: figures a reader of results should know, session by session."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import date

import numpy as np

from feeds import quotes
from feeds.chain import ChainDay
from feeds.sessions import Floats
from feeds.source import SkippedSession

PARITY_TOLERANCE = 0.10
"""Dollars that strike + call - put may be from the forward near the money."""

PARITY_STRIKES = 5
"""Strikes on each side of the money where parity is looked at."""

GAP_SPACINGS = 2.0
"""A pause longer than this many median spacings is a gap."""

THIN_FRACTION = 0.20
"""A session with fewer of the snapshots its spacing promises is thin."""


@dataclass(frozen=True, slots=True)
class SessionQuality:
    """A kept session: how much there is of it and what is wrong with it.

    `spacing` is the median in seconds (0 with a single snapshot), `worst_gap` seconds; `crossed`,
    `zero_bids` and `one_sided` count quotes, `parity_breaks` counts strikes at snapshots.
    """

    date: date
    snapshots: int
    contracts: int
    rows: int
    spacing: float
    gaps: int
    worst_gap: float
    crossed: int
    zero_bids: int
    one_sided: int
    parity_breaks: int
    official_close: float
    close_source: str
    spot_source: str
    thin: str = ""


@dataclass(slots=True)
class ImportSummary:
    """The outcome of an import; `dropped` counts rows by reason, `closed_days` rows by date."""

    underlying: str
    files: int
    rows: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    closed_days: Counter[date] = field(default_factory=Counter)
    kept: list[SessionQuality] = field(default_factory=list)
    skipped: list[SkippedSession] = field(default_factory=list)

    def total(self, name: str) -> int:
        """Sum of a counting field of `SessionQuality` over the kept sessions."""
        return sum(int(getattr(one, name)) for one in self.kept)

    def to_text(self) -> list[str]:
        """The summary as lines of plain text."""
        lines = [
            f"{self.underlying}: {self.rows:,} rows in {self.files} files, "
            f"{self.total('rows'):,} kept in {len(self.kept)} sessions, "
            f"{len(self.skipped)} sessions skipped"
        ]
        lines += [f"dropped {count:,} rows: {why}" for why, count in sorted(self.dropped.items())]
        lines += [
            f"dropped {count:,} rows: {day} ({day:%A}) is no trading day"
            for day, count in sorted(self.closed_days.items())
        ]
        lines.append(
            f"crossed {self.total('crossed'):,}, zero bids {self.total('zero_bids'):,}, "
            f"one-sided {self.total('one_sided'):,}, "
            f"parity breaks {self.total('parity_breaks'):,}, gaps {self.total('gaps'):,}"
        )
        lines += [f"thin {one.date}: {one.thin}" for one in self.kept if one.thin]
        lines += [f"skipped {skipped_line(one)}" for one in self.skipped]
        return lines


def skipped_line(skipped: SkippedSession) -> str:
    """A skipped session in words, with the day's range where it is known."""
    wild = skipped.range_pct
    ranged = "range not known" if wild is None else f"range {wild:.2f} %"
    return f"{skipped.date}: {skipped.reason} ({ranged})"


def spacing_seconds(day: ChainDay) -> float:
    """Median seconds between recorded snapshots, 0 where there is only one."""
    steps = np.diff(day.ts[: day.recorded]) / 1e9
    return float(np.median(steps)) if steps.size else 0.0


def thinness(day: ChainDay, time_exit_minutes: float) -> str:
    """Why a session is thin, or nothing: too few snapshots, or none left for the time exit."""
    spacing, recorded = spacing_seconds(day), day.recorded
    if recorded < 2:
        return "a single snapshot"
    expected = int(day.session.minutes * 60 / spacing) + 1
    reasons = []
    if recorded < THIN_FRACTION * expected:
        reasons.append(f"{recorded} of about {expected} snapshots")
    left = float(day.until_close[recorded - 1])
    if left > time_exit_minutes:
        reasons.append(f"it ends {left:.0f} minutes before the close")
    return ", ".join(reasons)


def session_quality(day: ChainDay, bid: Floats, ask: Floats, thin: str = "") -> SessionQuality:
    """The figures of a session.

    Args:
        day: the session as it is stored.
        bid, ask: [N] its quotes in dollars as they came, NaN where there was none.
        thin: see `thinness`.
    """
    assert day.official_close is not None
    steps = np.diff(day.ts[: day.recorded]) / 1e9
    spacing = spacing_seconds(day)
    gaps = steps[steps > GAP_SPACINGS * spacing]
    return SessionQuality(
        date=day.session.date,
        snapshots=day.recorded,
        contracts=2 * day.strikes.size,
        rows=bid.size,
        spacing=spacing,
        gaps=gaps.size,
        worst_gap=float(gaps.max()) if gaps.size else 0.0,
        crossed=int(quotes.crossed(bid, ask).sum()),
        zero_bids=int((bid == 0).sum()),
        one_sided=int((np.isnan(bid) != np.isnan(ask)).sum()),
        parity_breaks=parity_breaks(day),
        official_close=day.official_close,
        close_source=day.close_source,
        spot_source=day.spot_source,
        thin=thin,
    )


def parity_breaks(day: ChainDay) -> int:
    """How often strike + call mid - put mid is over 10 cents from the forward near the money."""
    rows = slice(day.recorded)
    mid = quotes.mid(day.bid[rows], day.ask[rows])
    implied = day.strikes / 1000 + mid[:, 0] - mid[:, 1]
    away = np.abs(day.strikes / 1000 - day.spot[rows, None])
    places = np.abs(np.arange(day.strikes.size) - away.argmin(axis=1)[:, None])
    with np.errstate(invalid="ignore"):
        broken = np.abs(implied - day.forward[rows, None]) > PARITY_TOLERANCE
    return int((broken & (places <= PARITY_STRIKES)).sum())
