"""A person's answers as arrays: what was wanted or not, and which of two was better.

Only what says something of a preference is kept: y and n to entries. A skip, a time-out and a
question taken back say that nobody looked, and are left out, counted.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from errors import DataError
from models.feedback.dataset import SOURCE_WEIGHTS, features_of
from strategies.features import are_valid
from vocabulary import FEATURES, Action, Answer

Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]
Integers = npt.NDArray[np.int64]

FEWEST_REPEATS = 5
"""Repeated questions from which a reviewer's consistency is known."""

REVIEW = "review"
"""Source of answers that were given in an evening's review."""

SELLS = (Action.SELL_CALL, Action.SELL_PUT)


@dataclass(frozen=True, eq=False)
class Labels:
    """N answers of y or n to entries, oldest first.

    Attributes:
        features: float32 [N, 8] that the suggestion was made on.
        action: [N] `SELL_CALL` or `SELL_PUT`.
        said: bool [N], True for y.
        weight: [N] what each counts: by its source, and more where it was seldom shown.
        ts: [N] market time, nanoseconds since 1970 UTC.
        session: [N] proleptic ordinals of the session dates.
        source: [N] words: live, paper, mock, review, import, ...
    """

    features: npt.NDArray[np.float32]
    action: Integers
    said: Booleans
    weight: Floats
    ts: Integers
    session: Integers
    source: npt.NDArray[np.object_]

    def __len__(self) -> int:
        return len(self.said)

    @property
    def classes(self) -> tuple[int, int]:
        """How many n and how many y."""
        yes = int(self.said.sum())
        return len(self) - yes, yes

    def part(self, chosen: npt.NDArray[Any] | slice) -> "Labels":
        """The chosen answers, by mask, indices or slice."""
        return Labels(**{name: array[chosen] for name, array in vars(self).items()})


@dataclass(frozen=True, eq=False)
class Pairs:
    """P comparisons: the trade of `better` was preferred to the one of `worse`.

    Attributes:
        better, worse: float32 [P, 8] features.
        better_action, worse_action: [P].
        weight: [P] what each counts by its source.
    """

    better: npt.NDArray[np.float32]
    better_action: Integers
    worse: npt.NDArray[np.float32]
    worse_action: Integers
    weight: Floats

    def __len__(self) -> int:
        return len(self.weight)


@dataclass(frozen=True)
class Kept:
    """Answers that can be learned from, and a line for each kind that was left out."""

    labels: Labels
    notes: Sequence[str] = field(default_factory=tuple)


def labels_of(
    table: pd.DataFrame, models: Collection[str] | None = None, consistency: float | None = None
) -> Kept:
    """The answers of a feedback table that a model can learn from.

    Args:
        table: `models.feedback.dataset.feedback_table`.
        models: sha256 of models whose suggestions count; those without one (imported files,
            policies that are no model) always do. None: of any model.
        consistency: share of a reviewer's repeated questions that were answered alike, None where
            it is not known; lowers the weight of review answers.

    Raises `DataError` for an action the desk does not know.
    """
    unknown = sorted(set(table["action"].dropna().astype(int)) - {int(action) for action in Action})
    if unknown:
        raise DataError(f"the answers name action {unknown[0]}, which this desk does not know")
    kept, notes = as_reliable(table, consistency)
    for words, is_wanted in _tests(models):
        good = is_wanted(kept).to_numpy(bool)
        if not good.all():
            notes.append(f"{int((~good).sum())} of {len(good)} suggestions left out: {words}")
        kept = kept[good]
    return Kept(_arrays(kept.sort_values("ts", kind="stable")), tuple(notes))


def _tests(
    models: Collection[str] | None,
) -> list[tuple[str, Callable[[pd.DataFrame], "pd.Series[bool]"]]]:
    """What a row must pass, in order, and the words for those that do not."""
    tests: list[tuple[str, Callable[[pd.DataFrame], pd.Series[bool]]]] = [
        ("never shown", lambda t: t["shown"]),
        ("no y and no n", lambda t: t["response"].isin([Answer.YES.value, Answer.NO.value])),
        ("no sale of a call or a put", lambda t: t["action"].isin([int(one) for one in SELLS])),
        ("features missing or out of bounds", _are_valid),
        ("counting nothing", lambda t: t["weight"] > 0),
    ]
    if models is not None:
        known = {"", *models}
        tests.append(
            ("of another model", lambda t: t["model_sha256"].fillna("").astype(str).isin(known))
        )
    return tests


def _are_valid(table: pd.DataFrame) -> "pd.Series[bool]":
    return pd.Series(are_valid(features_of(table)), index=table.index, dtype=bool)


def _arrays(table: pd.DataFrame) -> Labels:
    days = [pd.Timestamp(day).toordinal() for day in table["session_date"]]
    return Labels(
        features=features_of(table),
        action=table["action"].to_numpy(np.int64),
        said=(table["response"] == Answer.YES.value).to_numpy(bool),
        weight=table["weight"].to_numpy(np.float64),
        ts=np.asarray(table["ts"].astype("int64"), np.int64),
        session=np.array(days, np.int64),
        source=table["source"].astype(object).to_numpy(),
    )


def as_reliable(table: pd.DataFrame, consistency: float | None) -> tuple[pd.DataFrame, list[str]]:
    """The table with answers of reviews weighted by `reliability`, and a note where that changed.

    `consistency` is as in `labels_of`. The table itself is not changed.
    """
    share, reviewed = reliability(consistency), table["source"] == REVIEW
    if share == 1.0 or not reviewed.any():
        return table, []
    weight = table["weight"].where(~reviewed, table["weight"] * share)
    note = (
        f"answers of reviews count {share:.0%} of what they would: {consistency:.0%} of the "
        "repeated questions were answered alike, a coin has 50%"
    )
    return table.assign(weight=weight), [note]


def reliability(consistency: float | None) -> float:
    """What a review's answers count of their usual weight: 2c - 1, between 0 and 1.

    c is the share of repeated questions that were answered alike; a coin has 0.5. Where it is not
    known, 1.
    """
    return 1.0 if consistency is None else min(max(2.0 * consistency - 1.0, 0.0), 1.0)


def pairs_of(
    table: pd.DataFrame,
    comparisons: Sequence[Mapping[str, str]],
    consistency: float | None = None,
) -> tuple[Pairs, list[str]]:
    """Comparisons as arrays, and a line where some could not be used.

    Args:
        table: a feedback table with the suggestions that were compared.
        comparisons: `better` and `worse`, each a suggestion_id.
        consistency: as in `labels_of`.
    """
    share = reliability(consistency)
    if comparisons and not share:
        return NO_PAIRS, [f"{len(comparisons)} comparisons left out: no better than a coin's"]
    rows = table.drop_duplicates("suggestion_id", keep="last").set_index("suggestion_id")
    good = rows["action"].isin([int(one) for one in SELLS]).to_numpy(bool) & are_valid(
        features_of(rows)
    )
    usable = set(rows.index[good])
    kept = [one for one in comparisons if {one["better"], one["worse"]} <= usable]
    sides = {side: rows.loc[[one[side] for one in kept]] for side in ("better", "worse")}
    lost = len(comparisons) - len(kept)
    notes = [f"{lost} comparisons left out: a suggestion of them is not usable"] if lost else []
    pairs = Pairs(
        features_of(sides["better"]),
        sides["better"]["action"].to_numpy(np.int64),
        features_of(sides["worse"]),
        sides["worse"]["action"].to_numpy(np.int64),
        np.full(len(kept), SOURCE_WEIGHTS[REVIEW] * share),
    )
    return pairs, notes


NO_PAIRS = Pairs(
    np.empty((0, len(FEATURES)), np.float32),
    np.empty(0, np.int64),
    np.empty((0, len(FEATURES)), np.float32),
    np.empty(0, np.int64),
    np.empty(0),
)
"""No comparisons."""
