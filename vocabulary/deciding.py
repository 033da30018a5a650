"""What a model is asked, and what it may want."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

FEATURES = (
    "minutes_since_open",
    "spy_price",
    "atm_iv",
    "has_position",
    "position_pnl",
    "time_in_position",
    "risk_score",
    "minutes_until_close",
)
"""Names of the 8 features, in order (version 1)."""

FEATURE_VERSION = 1


class Action(IntEnum):
    """What a model may want. The first three are the user's table; own models may append CLOSE."""

    HOLD = 0
    SELL_CALL = 1
    SELL_PUT = 2
    CLOSE = 3


@dataclass(frozen=True, slots=True)
class Moment:
    """What a policy is asked on: one decision, or an array of them (leading shape `...`).

    Args:
        features: float32 [..., 8].
        mask: bool [..., actions], True where the action is legal; hold always is.
        session: [...] the session's date as a proleptic ordinal (`date.toordinal`).
        slot: [...] index of the decision slot in the session.
        minutes: [...] exact minutes since the open.
        previous: [...] minutes since the open of the decision before, -inf at the first.
    """

    features: npt.NDArray[np.float32]
    mask: npt.NDArray[np.bool_]
    session: Any
    slot: Any
    minutes: Any
    previous: Any


class Policy(Protocol):
    """What a strategy is given: a model, a baseline, or anything with these three."""

    name: str
    actions: int
    obeys_waits: bool

    def probabilities(self, moment: Moment) -> npt.NDArray[np.float64]:
        """Probability of each action [..., actions], zero where the mask is False."""
