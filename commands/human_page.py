"""The page of `run.py report --human`: a journal's answers as figures, and where it lies."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from desk import human, human_report
from reports.breakdowns import band_names, iv_edges
from reports.formatting import count, day
from reports.human_figures import FEWEST, Choosing, HumanFigures
from reports.human_page import draw_human_page
from reports.statistics import NO_INTERVAL, difference_of_means
from settings import RuleSettings
from vocabulary import Answer

Row = Mapping[str, Any]


def page_beside(journal: Path) -> Path:
    """Where the page lies unless it is said: runs/journal.db has runs/journal_human.html."""
    return journal.with_name(f"{journal.stem}_human.html")


def draw_page(
    table: pd.DataFrame,
    suggestions: Sequence[Row],
    limits: RuleSettings,
    played: Mapping[str, Mapping[str, float]],
    notes: Sequence[str],
    page: Path,
) -> Path:
    """Write the page on `table` (`desk.human.answered`, not empty); its path.

    Args:
        suggestions: the journal's rows that the table is of.
        limits: for the risk bands.
        played: what others earned on the same sessions, by name and session id.
        notes: told on top.
    """
    return draw_human_page(human_figures(table, suggestions, limits, played, notes), page)


def human_figures(
    table: pd.DataFrame,
    suggestions: Sequence[Row],
    limits: RuleSettings,
    played: Mapping[str, Mapping[str, float]],
    notes: Sequence[str],
) -> HumanFigures:
    """All that the page shows; arguments as `draw_page`."""
    table = _with_origin(table, suggestions)
    hours, bands = human.agreement(table, limits)
    yes = table[table["response"] == Answer.YES.value]
    keys = list(dict.fromkeys(key for theirs in played.values() for key in theirs))
    earned = human.by_session(table, keys)
    first, last = human.session_dates(table)
    return HumanFigures(
        table=table,
        span=day(first) if first == last else f"{day(first)} to {day(last)}",
        groups=human.groups(table),
        cents=human.mean_of(yes["delay_cents"]),
        dollars=human_report.plain_mean(yes["delay_dollars"]),
        agreement={
            "hour": hours,
            "risk": human_report.risks_as_they_rise(bands),
            "volatility": _by_volatility(table),
        },
        reasons=human.reasons(table),
        choosing=choosing("all", table),
        models=[
            choosing(name, table[table["model"] == name])
            for name in dict.fromkeys(table["model"].tolist())
        ],
        you=human.mean_of(list(earned.values())) if earned else None,
        rivals=human.rivals(earned, played),
        notes=[*notes, *_unknown(table)],
    )


def _with_origin(table: pd.DataFrame, suggestions: Sequence[Row]) -> pd.DataFrame:
    """The table with `atm_iv` and `model` (name and the first signs of its zip's hash)."""
    entries = {
        (row["session_id"], int(row["ts"])): row
        for row in suggestions
        if row["exit_reason"] is None
    }
    rows = [entries[key] for key in zip(table["session_id"], table["ts"], strict=True)]
    iv = [row.get("feature_atm_iv") for row in rows]
    return table.assign(
        atm_iv=np.array([np.nan if value is None else float(value) for value in iv]),
        model=[_version(row) for row in rows],
    )


def _version(row: Row) -> str:
    name, sha256 = row.get("model") or "unknown", row.get("model_sha256") or ""
    return f"{name} {sha256[:8]}".strip()


def _by_volatility(table: pd.DataFrame) -> list[human.Agreement]:
    """Agreement by bands of at-the-money volatility with equally many answers in each."""
    said = table[table["response"].isin([Answer.YES.value, Answer.NO.value])]
    iv = said["atm_iv"].to_numpy(float)
    edges = iv_edges(iv)
    names = band_names(edges)
    band = np.clip(np.searchsorted(edges, iv, side="right") - 1, 0, max(len(names) - 1, 0))
    is_yes = (said["response"] == Answer.YES.value).to_numpy()
    known = np.isfinite(iv)
    return [
        human.Agreement(name, int((is_yes & known & inside).sum()), int((known & inside).sum()))
        for number, name in enumerate(names)
        if (inside := band == number).any()
    ]


def choosing(name: str, table: pd.DataFrame) -> Choosing:
    """What choosing among the suggestions of `table` added."""
    is_yes = table["response"] == Answer.YES.value
    is_no = table["response"] == Answer.NO.value
    passed = is_no | (table["response"] == Answer.SKIP.value)
    shadows = table["shadow_pnl"].to_numpy(float)
    one, other = (shadows[rows.to_numpy() & np.isfinite(shadows)] for rows in (is_yes, passed))
    enough = min(one.size, other.size) >= FEWEST
    return Choosing(
        name=name,
        sessions=table["session_id"].nunique(),
        n=len(table),
        yes=int(is_yes.sum()),
        answers=int((is_yes | is_no).sum()),
        offered=human.mean_of(shadows),
        earned=human_report.plain_mean(table["earned"]),
        taken=human_report.plain_mean(one),
        refused=human_report.plain_mean(other),
        added=float(one.mean() - other.mean()) if one.size and other.size else float("nan"),
        interval=difference_of_means(one, other) if enough else NO_INTERVAL,
    )


def _unknown(table: pd.DataFrame) -> list[str]:
    amount = len(table) - int(np.isfinite(table["shadow_pnl"].to_numpy(float)).sum())
    return [f"{count(amount, 'suggestion')} without an outcome: not counted."] if amount else []
