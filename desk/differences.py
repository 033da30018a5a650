"""What differs between a journaled session and its replay, and why: pure comparisons.

A difference is counted where it begins. What follows from it - a fill changes every later bar - is
a consequence and counted in dollars only.
"""

from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from desk.difference import Cause, Difference, Kind
from desk.journaled import JournaledSession
from desk.legs import CENT, Leg, legs, same_leg
from desk.replayed import Replayed
from vocabulary import FEATURE_COLUMNS, Action, PastFill, Plan, Suggestion

MARKET = ("spot", "atm_iv", *(FEATURE_COLUMNS[n] for n in (0, 1, 2, 7)))
"""Figures of a bar that no order changes."""

MONEY = ("cash", "position_value")
STATE = (*MONEY, *(FEATURE_COLUMNS[n] for n in (3, 4, 5, 6)))

COMPARED_AT_THE_BAR = ("features", "probabilities", "mask")
"""Parts of a suggestion that its bar has too."""

TERMS_OF_AN_EXIT = ("id", "action", "contract", "side", "quantity", "exit_reason")
"""The rest of an exit's suggestion is its price between two bars, which no recording has."""

SPOT_GRID = 1e-4
"""The recording keeps spot to this many dollars (docs/data.md)."""


def differences(session: JournaledSession, again: Replayed) -> list[Difference]:
    """Everything that differs, oldest first, with its cause."""
    found = [
        *_bars(session, again),
        *_fills(session, again.fills),
        *_suggestions(session, again.suggestions),
    ]
    order = {kind: number for number, kind in enumerate(Kind)}
    found.sort(key=lambda one: (one.ts, order[one.kind]))
    return list(_with_consequences(found))


def _with_consequences(found: Iterable[Difference]) -> Iterable[Difference]:
    """Whatever is no market data and comes after a cause follows from it."""
    begun = False
    for one in found:
        if begun and one.kind is not Kind.BAR:
            yield replace(one, cause=Cause.CONSEQUENCE)
        else:
            begun = begun or one.cause not in (Cause.RECORDING, Cause.RESTART)
            yield one


# --- bars ----------------------------------------------------------------------------------------


def _bars(session: JournaledSession, again: Replayed) -> Iterable[Difference]:
    for ts in again.unrecorded:
        if ts in set(session.bar_ts.tolist()):
            yield Difference(Kind.BAR, ts, "the bar", "there", "not in the recording")
    ours, theirs = _aligned(session.bars, again.bars)
    rounded = _rounded(ours, theirs)
    yield from _columns(Kind.BAR, MARKET, ours, theirs, rounded)
    state = STATE[1:] if session.real_broker else STATE  # its cash waits for commissions
    yield from _columns(Kind.ACCOUNT, state, ours, theirs, rounded)
    yield from _decisions(ours, theirs)


def _aligned(ours: pd.DataFrame, theirs: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The bars that both have, by instant."""
    ours, theirs = ours.set_index("ts"), theirs.set_index("ts")
    common = ours.index.intersection(theirs.index)
    return ours.loc[common], theirs.loc[common]


def _rounded(ours: pd.DataFrame, theirs: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Whether a bar's spot differs, by no more than the recording cannot hold."""
    away = np.abs(_numbers(ours["spot"]) - _numbers(theirs["spot"]))
    return np.asarray((away > 0) & (away <= SPOT_GRID / 2 + 1e-9))


def _columns(
    kind: Kind,
    names: Sequence[str],
    ours: pd.DataFrame,
    theirs: pd.DataFrame,
    rounded: npt.NDArray[np.bool_],
) -> Iterable[Difference]:
    """One difference a bar, naming the columns that differ."""
    apart = np.column_stack([_differs(name, ours[name], theirs[name]) for name in names])
    for row in np.flatnonzero(apart.any(axis=1)).tolist():
        which = [name for name, is_apart in zip(names, apart[row], strict=True) if is_apart]
        mine, its = (_figures(side, which, row) for side in (ours, theirs))
        cause = Cause.RECORDING if rounded[row] and kind is Kind.BAR else Cause.DRIFT
        money = [name for name in which if name in MONEY]
        dollars = sum(float(ours[name].iloc[row] - theirs[name].iloc[row]) for name in money)
        what = ", ".join(name.removeprefix("feature_") for name in which)
        ts = int(ours.index[row])
        yield Difference(kind, ts, what, mine, its, dollars if money else None, cause)


def _differs(
    name: str, ours: "pd.Series[float]", theirs: "pd.Series[float]"
) -> npt.NDArray[np.bool_]:
    """[N] whether figures differ: money by a cent, everything else as float32; NaN equals NaN."""
    a, b = _numbers(ours), _numbers(theirs)
    if name in MONEY:
        return np.asarray(~((np.abs(a - b) <= CENT) | (np.isnan(a) & np.isnan(b))))
    if name != "spot":
        a, b = a.astype(np.float32).astype(float), b.astype(np.float32).astype(float)
    return np.asarray((a != b) & ~(np.isnan(a) & np.isnan(b)))


def _numbers(column: "pd.Series[float]") -> npt.NDArray[np.float64]:
    return np.asarray(column.to_numpy(float, na_value=np.nan), np.float64)


def _figures(bars: pd.DataFrame, names: Sequence[str], row: int) -> str:
    return ", ".join(f"{bars[name].iloc[row]:.9g}" for name in names)


def _decisions(ours: pd.DataFrame, theirs: pd.DataFrame) -> Iterable[Difference]:
    names = ("action", "allowed", "reason", "probabilities")
    for ts, one, other in zip(
        ours.index,
        ours[list(names)].itertuples(index=False),
        theirs[list(names)].itertuples(index=False),
        strict=True,
    ):
        mine, its = _decision_words(*one), _decision_words(*other)
        if mine != its:
            yield Difference(Kind.DECISION, int(ts), "the decision", mine, its)


def _decision_words(action: float, allowed: float, reason: str, probabilities: object) -> str:
    """A decision in words that are equal exactly if it is; empty off decision slots."""
    if action is None or action != action:
        return ""
    words = Action(int(action)).name.lower()
    if isinstance(probabilities, Sequence | np.ndarray):
        figures = np.asarray(probabilities, np.float32)
        words += " (" + " ".join(f"{p:.9g}" for p in figures) + ")"
    return words + ("" if allowed else f": {reason}")


# --- fills ---------------------------------------------------------------------------------------


def _fills(session: JournaledSession, again: Sequence[PastFill]) -> Iterable[Difference]:
    ours, theirs = legs(session.fills), legs(again)
    for key in dict.fromkeys((*ours, *theirs)):
        mine, its = ours.get(key, Leg(key, [])), theirs.get(key, Leg(key, []))
        if not same_leg(mine, its):
            ts = min(one.fill.ts for one in (*mine.fills, *its.fills))
            dollars = mine.cash - its.cash
            cause = _leg_cause(mine, its)
            yield Difference(Kind.FILL, ts, key, mine.words(), its.words(), dollars, cause)


def _leg_cause(ours: Leg, theirs: Leg) -> Cause:
    settled = ours.is_settlement and theirs.is_settlement
    return Cause.CLOSE if settled else Cause.DRIFT


# --- suggestions ---------------------------------------------------------------------------------


def _suggestions(
    session: JournaledSession, theirs: dict[str, tuple[Suggestion, Suggestion]]
) -> Iterable[Difference]:
    ours = session.suggestions
    for one in ours:
        if one.id not in theirs:
            yield Difference(Kind.SUGGESTION, one.ts, one.id, _words(one), "never made")
        elif not any(_same_suggestion(one, other) for other in theirs[one.id]):
            yield _apart(one, theirs[one.id][0])
    known = {one.id for one in ours}
    for key, (first, _) in theirs.items():
        if key not in known:
            died = first.ts in session.restarts  # with this bar, before its question
            cause = Cause.RESTART if died else Cause.DRIFT
            words = _words(first)
            yield Difference(Kind.SUGGESTION, first.ts, key, "never made", words, cause=cause)


def _same_suggestion(one: Suggestion, other: Suggestion) -> bool:
    return not _fields_apart(one, other)


def _fields_apart(one: Any, other: Any) -> list[str]:
    """Names of the fields that differ; NaN equals NaN."""
    return [
        each.name
        for each in fields(one)
        if _is_compared(each.name, one)
        and not _equal(getattr(one, each.name), getattr(other, each.name))
    ]


def _is_compared(name: str, one: Any) -> bool:
    if isinstance(one, Suggestion) and not one.is_entry:
        return name in TERMS_OF_AN_EXIT
    return name not in COMPARED_AT_THE_BAR


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, Plan) and isinstance(b, Plan):
        return not _fields_apart(a, b)
    return bool(a == b) or bool(a != a and b != b)


def _apart(one: Suggestion, other: Suggestion) -> Difference:
    names = _fields_apart(one, other)
    mine, its = (", ".join(str(getattr(side, name)) for name in names) for side in (one, other))
    return Difference(Kind.SUGGESTION, one.ts, f"{one.id}: {', '.join(names)}", mine, its)


def _words(one: Suggestion) -> str:
    return f"{'SELL' if one.side < 0 else 'BUY'} {one.quantity} {one.contract}"
