"""Policies that are no model: the baselines of every report.

`hold` never trades. `random` draws uniformly among the legal actions, by a hash of seed, session
date and decision slot, so that the same question gets the same answer in any order of asking.
`sell_put@10:00` and `sell_call@10:00` (any time) try once a session, at the first decision at or
after that time and within 30 minutes of it; they obey every rule but the wait. All of them answer
arrays of any leading shape.
"""

import re

import numpy as np
import numpy.typing as npt

from errors import SettingError
from feeds.sessions import FULL_DAY_MINUTES
from vocabulary import Action, Moment, Policy

Floats = npt.NDArray[np.float64]

ACTIONS = 3
OPENING_MINUTE = 9 * 60 + 30
LATEST_ATTEMPT = 30.0
"""Minutes after its time at which a clock policy may still try."""

KNOWN = "hold, random, sell_put@HH:MM, sell_call@HH:MM"
_CLOCK_NAME = re.compile(r"(sell_put|sell_call)@(\d{1,2}):(\d{2})")

_GOLDEN, _MIX_1, _MIX_2 = (
    np.uint64(figure) for figure in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
)


def baseline(name: str, seed: int = 0) -> Policy:
    """The baseline of that name; `seed` matters to `random` alone.

    Raises `SettingError` for a name that is none, listing the known ones.
    """
    if name == "hold":
        return HoldPolicy()
    if name == "random":
        return RandomPolicy(seed)
    match = _CLOCK_NAME.fullmatch(name)
    if match is None:
        raise SettingError(f"no policy '{name}': known are {KNOWN}")
    action = Action[match[1].upper()]
    minutes = int(match[2]) * 60 + int(match[3]) - OPENING_MINUTE
    if int(match[3]) > 59 or not 0 <= minutes < FULL_DAY_MINUTES:
        raise SettingError(f"policy '{name}': the time must lie between 09:30 and 15:59 New York")
    return ClockPolicy(name, action, float(minutes))


class HoldPolicy:
    """Never trades."""

    name = "hold"
    actions = ACTIONS
    obeys_waits = True

    def probabilities(self, moment: Moment) -> Floats:
        """Hold with certainty [..., 3]."""
        return _certain(np.zeros(moment.mask.shape[:-1], np.int64))


class RandomPolicy:
    """Uniform over the legal actions; the draw is a pure function of seed, session and slot."""

    name = "random"
    actions = ACTIONS
    obeys_waits = True

    def __init__(self, seed: int = 0) -> None:
        """Another `seed` draws another sequence."""
        self.seed = seed

    def probabilities(self, moment: Moment) -> Floats:
        """The drawn action with certainty [..., 3]."""
        mask = moment.mask[..., :ACTIONS]
        legal = np.cumsum(mask, axis=-1)
        chosen = np.floor(draw(self.seed, moment.session, moment.slot) * legal[..., -1])
        return _certain((legal > chosen[..., None]).argmax(axis=-1))


class ClockPolicy:
    """One sale a session at a time of day, whatever the market does."""

    actions = ACTIONS
    obeys_waits = False

    def __init__(self, name: str, action: Action, minutes: float) -> None:
        """Tries `action` at `minutes` after the open."""
        self.name = name
        self.action = action
        self.minutes = minutes

    def probabilities(self, moment: Moment) -> Floats:
        """The sale with certainty at its one attempt, else hold [..., 3]."""
        late = moment.minutes - self.minutes
        is_attempt = (late >= 0) & (late <= LATEST_ATTEMPT) & (moment.previous < self.minutes)
        sells = is_attempt & moment.mask[..., self.action]
        return _certain(np.where(sells, self.action, Action.HOLD))


def draw(seed: int, session: npt.ArrayLike, slot: npt.ArrayLike) -> Floats:
    """Uniform figures in [0, 1) of any shape, one for each seed, session ordinal and slot.

    Each figure goes through the finaliser of splitmix64 (Steele, Lea, Flood 2014, "Fast
    splittable pseudorandom number generators").
    """
    mixed = _mix(np.asarray(seed, np.uint64))
    for figure in (session, slot):
        mixed = _mix(mixed ^ np.asarray(figure).astype(np.uint64))
    return np.asarray((mixed >> np.uint64(11)) * 2.0**-53)


def _mix(figure: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    with np.errstate(over="ignore"):
        mixed = figure + _GOLDEN
        mixed = (mixed ^ (mixed >> np.uint64(30))) * _MIX_1
        mixed = (mixed ^ (mixed >> np.uint64(27))) * _MIX_2
        return np.asarray(mixed ^ (mixed >> np.uint64(31)))


def _certain(action: npt.NDArray[np.integer]) -> Floats:
    """Probability one for `action` [...], as [..., 3]."""
    certain: Floats = (np.asarray(action)[..., None] == np.arange(ACTIONS)).astype(np.float64)
    return certain
