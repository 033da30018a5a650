"""Reasons of noes as explicit rules: each is a setting that a person may switch on by hand.

Nothing here changes a run. A proposal names the setting, says which noes it would have spared, and
which yeses it would have cost; `commands.rlhf` backtests it.
"""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import ceil, floor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from feeds.sessions import FULL_DAY_MINUTES
from settings import RuleSettings
from strategies.events import COLUMNS, read_events
from vocabulary import Answer

FEWEST = 3
"""Noes of one reason from which a rule is proposed."""

EVENT_MINUTES = 30.0
"""Before and after an event, without entries."""

STEP = 5.0
"""Minutes that a proposed entry window moves by."""


@dataclass(frozen=True)
class Proposal:
    """A rule made of a reason.

    Attributes:
        reason: the code.
        words: the rule.
        rules: changed fields of `settings.RuleSettings`; empty where nothing can express it.
        line: what to add to a command to switch it on; or what is missing.
        spared, of: noes of this reason that the rule would have spared.
        cost, yeses: yeses that it would have cost, and how many there were.
    """

    reason: str
    words: str
    rules: Mapping[str, Any]
    line: str
    spared: int
    of: int
    cost: int
    yeses: int


def proposals(table: pd.DataFrame, rules: RuleSettings, folder: Path) -> list[Proposal]:
    """Rules for the reasons that at least `FEWEST` noes were given.

    Args:
        table: a feedback table.
        rules: in force.
        folder: where a widened events file is written.
    """
    said = table[table["response"].isin([Answer.YES.value, Answer.NO.value])]
    yes = said[said["response"] == Answer.YES.value]
    no = said[said["response"] == Answer.NO.value]
    found: list[Proposal] = []
    for reason, make in _MAKERS.items():
        theirs = no[no["reason_code"] == reason]
        if len(theirs) >= FEWEST:
            useful = [one for one in make(theirs, yes, rules, folder) if _tells_apart(one)]
            found += useful or _nothing(theirs, yes, rules, folder)
    return found


def _tells_apart(proposal: Proposal) -> bool:
    """Whether it spares a larger share of the noes than it costs of the yeses."""
    if not proposal.rules:
        return True
    return proposal.spared * max(proposal.yeses, 1) > proposal.cost * proposal.of


def widened_events(path: Path, target: Path, minutes: float = EVENT_MINUTES) -> None:
    """Write a copy of an events file in which every event blocks for `minutes` on both sides.

    An event that blocks for longer keeps its own. Raises `DataError` where it cannot be read.
    """
    read_events(path)
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        for side in ("before", "after"):
            row[side] = f"{max(float(row[side]), minutes):g}"
        row["action"] = "block"
    with target.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)


def _events(
    no: pd.DataFrame, yes: pd.DataFrame, rules: RuleSettings, folder: Path
) -> Iterator[Proposal]:
    words = f"no entry within {EVENT_MINUTES:g} minutes of an event"
    counts = {"spared": 0, "of": len(no), "cost": 0, "yeses": len(yes)}
    if rules.events is None:
        line = (
            f"write your events into a file ({','.join(COLUMNS)}; a line is "
            f"2026-12-16,14:00,FOMC,{EVENT_MINUTES:g},{EVENT_MINUTES:g},block) and name it: "
            "--set rules.events=events.csv"
        )
        yield Proposal("event", words, {}, line, **counts)
        return
    target = folder / "events_proposed.csv"
    widened_events(rules.events, target)
    blocked = [event for event in read_events(target) if event.blocks]

    def hits(rows: pd.DataFrame) -> int:
        ts = rows["ts"].astype("int64").to_numpy()
        inside = [(ts >= one.start_ts) & (ts <= one.end_ts) for one in blocked]
        return int(np.any(inside, axis=0).sum()) if inside else 0

    counts |= {"spared": hits(no), "cost": hits(yes)}
    yield Proposal("event", words, {"events": target}, f"--set rules.events={target}", **counts)


def _spread(
    no: pd.DataFrame, yes: pd.DataFrame, rules: RuleSettings, folder: Path
) -> Iterator[Proposal]:
    """Spreads up to the largest whole cent below those that were refused."""
    refused, accepted = (_cents(rows) for rows in (no, yes))
    limit = max(float(ceil(np.median(refused)) - 1), 0.0)
    words = f"no entry at a spread above {limit:g} cents"
    changed = {"spread_cents": limit, "spread_fraction": 0.0}
    line = f"--set rules.spread_cents={limit:g} --set rules.spread_fraction=0"
    counts = (int((refused > limit).sum()), len(no), int((accepted > limit).sum()), len(yes))
    yield Proposal("spread", words, changed, line, *counts)


def _cents(rows: pd.DataFrame) -> "np.ndarray[Any, np.dtype[np.float64]]":
    spread = 100 * (rows["ask"] - rows["bid"]).to_numpy(float)
    return np.asarray(np.round(spread[np.isfinite(spread)], 6))


def _timing(
    no: pd.DataFrame, yes: pd.DataFrame, rules: RuleSettings, folder: Path
) -> Iterator[Proposal]:
    """An entry window that begins later, and one that ends earlier: whichever noes there are."""
    refused, accepted = (_minutes(rows) for rows in (no, yes))
    middle = float(np.median(accepted)) if accepted.size else FULL_DAY_MINUTES / 2
    early, late = refused[refused < middle], refused[refused >= middle]
    if early.size >= FEWEST:
        start = STEP * (floor(float(np.median(early)) / STEP) + 1)
        if start > rules.entry_after_open:
            counts = int((early < start).sum()), len(no), int((accepted < start).sum()), len(yes)
            line = f"--set rules.entry_after_open={start:g}"
            words = f"no entry in the first {start:g} minutes"
            yield Proposal("timing", words, {"entry_after_open": start}, line, *counts)
    if late.size >= FEWEST:
        end = FULL_DAY_MINUTES - STEP * (ceil(float(np.median(late)) / STEP) - 1)
        if end > rules.entry_before_close:
            last = FULL_DAY_MINUTES - end
            counts = int((late > last).sum()), len(no), int((accepted > last).sum()), len(yes)
            line = f"--set rules.entry_before_close={end:g}"
            words = f"no entry in the last {end:g} minutes"
            yield Proposal("timing", words, {"entry_before_close": end}, line, *counts)


def _minutes(rows: pd.DataFrame) -> "np.ndarray[Any, np.dtype[np.float64]]":
    return np.asarray(FULL_DAY_MINUTES * rows["feature_minutes_since_open"].to_numpy(float))


def _risk(
    no: pd.DataFrame, yes: pd.DataFrame, rules: RuleSettings, folder: Path
) -> Iterator[Proposal]:
    """A lower bound of the risk score: for volatility there is no setting of its own."""
    refused, accepted = (rows["risk_score"].to_numpy(float) for rows in (no, yes))
    limit = floor(100 * float(np.nanmedian(refused))) / 100
    if not 0 < limit < rules.small_capital_risk:
        return
    words = (
        f"no entry from a risk score of {limit:g} (half of it is volatility, the rest size and "
        "time; holds below rules.small_capital alone)"
    )
    counts = int((refused >= limit).sum()), len(no), int((accepted >= limit).sum()), len(yes)
    line = f"--set rules.small_capital_risk={limit:g}"
    reason = str(no["reason_code"].iloc[0])
    yield Proposal(reason, words, {"small_capital_risk": limit}, line, *counts)


def _nothing(
    no: pd.DataFrame, yes: pd.DataFrame, rules: RuleSettings, folder: Path
) -> Iterator[Proposal]:
    words = "no setting tells these n from your y: it stays with the gate"
    yield Proposal(str(no["reason_code"].iloc[0]), words, {}, "", 0, len(no), 0, len(yes))


_MAKERS = {
    "event": _events,
    "spread": _spread,
    "timing": _timing,
    "volatility": _risk,
    "size": _risk,
    "direction": _nothing,
}
