"""What a person's answers earned: figures from the journal's suggestions, decisions and outcomes.

One row an entry suggestion. A yes that was sent has the P&L of its trade; everything else has the
P&L of its shadow, the same order by the same rules without a person (`desk.outcomes`). Dollars
after fees.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from desk.journaled import SENT
from errors import DataError
from feeds.chain import ChainDay
from feeds.contract import MULTIPLIER
from feeds.sessions import to_new_york
from feeds.source import MemorySource
from models.evaluation import BASELINES
from models.playback import play
from models.session_arrays import read_sessions
from reports.statistics import NO_INTERVAL, Interval, bootstrap, interval
from settings import RuleSettings, Settings
from strategies import rules
from strategies.baselines import baseline
from vocabulary import Answer, Policy

FEWEST = 10
"""Fewer figures than this have no interval."""

ALL_YES = "model, all yes"
"""Name of the model without a person among those the person is held against."""

COLUMNS = (
    *("session_id", "ts", "hour", "risk_score", "response", "reason_code", "seconds"),
    *("is_sent", "earned", "shadow_pnl", "delay_cents", "delay_dollars"),
)
Row = Mapping[str, Any]

UNANSWERED = "unanswered"
"""Response of a question that was open when the desk died."""


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean with how many figures it is of, and its 95 % interval where they are enough."""

    n: int
    mean: float
    total: float
    interval: Interval = NO_INTERVAL


def mean_of(values: npt.ArrayLike) -> Mean:
    """The mean of `values` [n] in the order of time; what is NaN is not counted."""
    figures = np.asarray(values, float)
    known = figures[np.isfinite(figures)]
    if not known.size:
        return Mean(0, float("nan"), 0.0)
    between = NO_INTERVAL
    if known.size >= FEWEST:
        between = interval(bootstrap(known).means)
    return Mean(known.size, float(known.mean()), float(known.sum()), between)


def answered(
    suggestions: Sequence[Row], decisions: Sequence[Row], outcomes: Sequence[Row]
) -> pd.DataFrame:
    """One row an entry suggestion that was shown, oldest first.

    Args:
        suggestions, decisions, outcomes: rows of the journal's tables, of any sessions
            (`JournalReader.rows`).

    Columns: session_id, ts, hour (of the day in New York), risk_score, response, reason_code,
    seconds (until the answer), is_sent, earned (dollars of the real trade, NaN where there was
    none), shadow_pnl, delay_cents (what the mid moved against the person between question and
    answer), delay_dollars.
    """
    answers, ends = _by_key(decisions), _by_key(outcomes)
    entries = [
        row for row in suggestions if row["exit_reason"] is None and row["shown"] is not False
    ]
    entries.sort(key=lambda row: int(row["ts"]))
    rows = [_answered(row, answers.get(_key(row), {}), ends.get(_key(row), {})) for row in entries]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _key(row: Row) -> tuple[str, str]:
    return row["session_id"], row["suggestion_id"]


def _by_key(rows: Sequence[Row]) -> dict[tuple[str, str], Row]:
    """Rows by session and suggestion, the last one each."""
    return {_key(row): row for row in rows}


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)


def _answered(suggestion: Row, answer: Row, end: Row) -> dict[str, Any]:
    earned = _number(end.get("pnl"))
    is_traded = answer.get("outcome") == SENT or earned == earned
    is_sent = answer.get("response") == Answer.YES and is_traded
    mids = [
        (_number(row.get(f"bid{when}")) + _number(row.get(f"ask{when}"))) / 2
        for row, when in ((suggestion, ""), (answer, "_at_response"))
    ]
    moved = _number(suggestion["side"]) * (mids[1] - mids[0])
    figures = (
        suggestion["session_id"],
        int(suggestion["ts"]),
        to_new_york(int(suggestion["ts"])).hour,
        _number(suggestion["risk_score"]),
        answer.get("response") or UNANSWERED,
        answer.get("reason_code") or "",
        _number(answer.get("response_ms")) / 1000,
        is_sent,
        earned,
        _number(end.get("shadow_pnl")),
        100 * moved,
        MULTIPLIER * moved * _number(suggestion["quantity"]),
    )
    return dict(zip(COLUMNS, figures, strict=True))


@dataclass(frozen=True, slots=True)
class Group:
    """Suggestions that ended alike: what they earned, and what their shadows did."""

    name: str
    n: int
    earned: Mean
    shadow: Mean


def groups(table: pd.DataFrame) -> list[Group]:
    """`answered` by how the questions ended, those that never happened left out."""
    yes = table["response"] == Answer.YES.value
    kinds = {
        "yes": table["is_sent"],
        "yes, refused by the desk": yes & ~table["is_sent"],
        "no": table["response"] == Answer.NO.value,
        "skip": table["response"] == Answer.SKIP.value,
        "timeout": table["response"] == Answer.TIMEOUT.value,
        "withdrawn": table["response"].isin([Answer.WITHDRAWN.value, UNANSWERED]),
    }
    return [
        Group(name, int(rows.sum()), *_means(table[rows]))
        for name, rows in kinds.items()
        if rows.any()
    ]


def _means(rows: pd.DataFrame) -> tuple[Mean, Mean]:
    return mean_of(rows["earned"]), mean_of(rows["shadow_pnl"])


@dataclass(frozen=True, slots=True)
class Agreement:
    """How often the person said yes to those answered y or n."""

    name: str
    yes: int
    answers: int


def agreement(table: pd.DataFrame, limits: RuleSettings) -> tuple[list[Agreement], list[Agreement]]:
    """Agreement by hour of the day, and by risk band."""
    said = table[table["response"].isin([Answer.YES.value, Answer.NO.value])]
    bands = rules.band(said["risk_score"].to_numpy(float), limits)
    names = (
        f"risk below {limits.band_low:g}",
        f"risk {limits.band_low:g} to {limits.band_high:g}",
        f"risk from {limits.band_high:g}",
    )
    hours = [f"{hour:02d}:00 to {hour + 1:02d}:00" for hour in said["hour"]]
    return _agreed(said, hours), _agreed(said, [names[int(band)] for band in bands])


def _agreed(said: pd.DataFrame, names: Sequence[str]) -> list[Agreement]:
    yes = (said["response"] == Answer.YES.value).to_numpy()
    which = np.array(names, dtype=object)
    return [
        Agreement(str(name), int(yes[which == name].sum()), int((which == name).sum()))
        for name in sorted(set(names))
    ]


@dataclass(frozen=True, slots=True)
class Reason:
    """Noes of one reason: in how many of the known ones the trade would have lost."""

    name: str
    n: int
    right: int
    shadow: Mean


def reasons(table: pd.DataFrame) -> list[Reason]:
    """What became of the noes, by the reason given."""
    noes = table[table["response"] == Answer.NO.value]
    names = noes["reason_code"].replace("", "no reason")
    return [
        Reason(
            str(name),
            int((names == name).sum()),
            int((noes["shadow_pnl"][names == name] < 0).sum()),
            mean_of(noes["shadow_pnl"][names == name]),
        )
        for name in sorted(set(names))
    ]


def by_session(table: pd.DataFrame, sessions: Sequence[str]) -> dict[str, float]:
    """Dollars the person's trades earned in each of `sessions` (ids); 0 without a trade."""
    earned = table.groupby("session_id")["earned"].sum()
    return {key: float(earned.get(key, 0.0)) for key in sessions}


@dataclass(frozen=True, slots=True)
class Rival:
    """Somebody who traded the same sessions: dollars a session, and the person's less theirs."""

    name: str
    theirs: Mean
    ahead: Mean


def rivals(earned: Mapping[str, float], played: Mapping[str, Mapping[str, float]]) -> list[Rival]:
    """The person held against each, on the sessions that both have.

    Args:
        earned: dollars of the person by session id, oldest first.
        played: dollars by name and session id (`play_session` of each).
    """
    found = []
    for name, theirs in played.items():
        both = [key for key in earned if key in theirs]
        if both:
            ahead = mean_of([earned[key] - theirs[key] for key in both])
            found.append(Rival(name, mean_of([theirs[key] for key in both]), ahead))
    return found


def play_session(day: ChainDay, policy: Policy, settings: Settings) -> dict[str, float]:
    """What the model with every answer yes, and each baseline, earned on a recorded day.

    Raises `DataError` where the day cannot be played.
    """
    arrays = read_sessions(MemorySource([day], day.source), settings)
    names = {ALL_YES: policy} | {name: baseline(name, settings.seed) for name in BASELINES}
    return {name: float(play(one, arrays, settings).net_pnl[0]) for name, one in names.items()}


def session_dates(table: pd.DataFrame) -> tuple[date, date]:
    """First and last day of the suggestions. Raises `DataError` where there are none."""
    if table.empty:
        raise DataError("the journal has no suggestion yet")
    ends = table["ts"].iloc[[0, -1]]
    first, last = (to_new_york(int(ts)).date() for ts in ends)
    return first, last
