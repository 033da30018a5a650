"""Random legal sales, as many as a policy makes: what trading so often earns without an eye."""

from math import sqrt

import numpy as np
import numpy.typing as npt

from feeds.sessions import Floats
from models.playback import play
from models.session_arrays import SessionArrays
from settings import Settings
from strategies.baselines import draw
from vocabulary import Action, Moment

_TRIAL_SEEDS = range(3)
_HALVINGS = 9
_LEAST_CHANCE = 1e-4
_CLOSE = 0.02
"""Share of the rate by which it may be missed; a few draws tell no more."""
_SIDE = 1 << 32
"""Added to the seed for the draw of the side: it then says nothing about the draw of the time."""


class MatchedRandom:
    """Sells at a legal decision with `chance`, a call with `call_share`, else a put.

    The draw is a pure function of seed, session and decision slot. Waits hold as for a model.
    """

    name = "random legal"
    actions = 3
    obeys_waits = True

    def __init__(self, chance: float, call_share: float, seed: int) -> None:
        """Another `seed` draws another sequence."""
        self.chance, self.call_share, self.seed = chance, call_share, seed

    def probabilities(self, moment: Moment) -> Floats:
        """The drawn action with certainty [..., 3]; the other side where only that is legal."""
        mask = moment.mask[..., : self.actions]
        sells = draw(self.seed, moment.session, moment.slot) < self.chance
        wants_call = draw(self.seed + _SIDE, moment.session, moment.slot) < self.call_share
        call, put = mask[..., Action.SELL_CALL], mask[..., Action.SELL_PUT]
        side = np.where(call & (wants_call | ~put), Action.SELL_CALL, Action.SELL_PUT)
        action = np.where(sells & (call | put), side, Action.HOLD)
        certain: Floats = (action[..., None] == np.arange(self.actions)).astype(np.float64)
        return certain


def calibrate(rate: float, call_share: float, arrays: SessionArrays, settings: Settings) -> float:
    """The chance at which `MatchedRandom` makes `rate` trades a session on `arrays`.

    Found by halving the logarithm, to a fiftieth, on the same few draws each time; 1 where even
    that trades less.
    """
    low, high = _LEAST_CHANCE, 1.0
    if _trades(high, call_share, arrays, settings) <= rate:
        return high
    for _ in range(_HALVINGS):
        middle = sqrt(low * high)
        found = _trades(middle, call_share, arrays, settings)
        if abs(found - rate) <= _CLOSE * rate:
            return middle
        if found < rate:
            low = middle
        else:
            high = middle
    return sqrt(low * high)


def _trades(chance: float, call_share: float, arrays: SessionArrays, settings: Settings) -> float:
    """Trades a session, over a few draws."""
    counts: npt.NDArray[np.float64] = np.array(
        [
            sum(map(len, play(MatchedRandom(chance, call_share, seed), arrays, settings).trips))
            for seed in _TRIAL_SEEDS
        ],
        float,
    )
    return float(counts.mean() / len(arrays))
