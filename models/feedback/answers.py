"""The answers as arrays, oldest first, and what each of them counts today."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from feeds.sessions import Floats
from models.feedback.dataset import features_of, is_labelled
from models.feedback.inputs import inputs
from vocabulary import Answer

HALF_LIFE = 90.0
"""Days after which an answer counts half."""

_DAY = 86_400e9


@dataclass(frozen=True, eq=False)
class Answers:
    """N answers of y or n.

    Args:
        phi: [N, 9] `inputs`.
        yes: [N] 1 for y, 0 for n.
        weight: [N] by source and show probability.
        day: [N] when, in days.
        row: [N] their places in the table.
    """

    phi: Floats
    yes: Floats
    weight: Floats
    day: Floats
    row: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.yes)

    @property
    def smaller_class(self) -> int:
        """How many answers the rarer one of y and n has."""
        return int(min(self.yes.sum(), len(self) - self.yes.sum()))

    def first(self, count: int) -> "Answers":
        """The oldest `count`."""
        parts = {
            name: getattr(self, name)[:count] for name in ("phi", "yes", "weight", "day", "row")
        }
        return replace(self, **parts)

    def weight_now(self, half_life: float) -> Floats:
        """[N] what each counts at the day of the newest."""
        if not len(self):
            return self.weight
        return np.asarray(self.weight * 0.5 ** ((self.day[-1] - self.day) / half_life))


def answers_of(table: pd.DataFrame) -> Answers:
    """The y and n of a feedback table; rows with a missing feature or no weight are left out."""
    phi = inputs(features_of(table), table["action"].to_numpy())
    counts = is_labelled(table) & (table["weight"] > 0).to_numpy(bool)
    row = np.flatnonzero(counts & np.isfinite(phi).all(axis=1))
    said = table.iloc[row]
    return Answers(
        phi=phi[row],
        yes=np.asarray(said["response"] == Answer.YES.value, np.float64),
        weight=said["weight"].to_numpy(np.float64),
        day=said["ts"].astype("int64").to_numpy() / _DAY,
        row=row,
    )
