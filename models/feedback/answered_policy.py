"""A policy as a person like the one whose answers were learned would let it trade.

For the environment, so that a policy and the same policy behind a gate can be held against each
other: what a gate costs is what the person would have said y to. A refused sale is a hold. The
desk's wait after an n is not played: the person is asked again at the next decision and says the
same unless the suggestion has become better.
"""

import numpy as np
import numpy.typing as npt

from models.feedback.acceptance import AcceptanceModel
from strategies.baselines import draw
from vocabulary import Action, Moment, Policy

Floats = npt.NDArray[np.float64]


class AnsweredPolicy:
    """A policy whose sales are made with the probability of a y.

    The draw belongs to seed, session and action, so that with and without a gate the same person
    gives the same answer to the same question.
    """

    def __init__(self, policy: Policy, acceptance: AcceptanceModel, seed: int = 0) -> None:
        """`seed` of the person's mood; neither policy nor model is changed."""
        self.name = f"{policy.name}, as answered"
        self.actions, self.obeys_waits = policy.actions, policy.obeys_waits
        self._policy, self._acceptance, self._seed = policy, acceptance, seed

    def probabilities(self, moment: Moment) -> Floats:
        """[..., actions]; a certain hold where the person says n."""
        found = np.array(self._policy.probabilities(moment), np.float64)
        wish = np.where(moment.mask, found, -1.0).argmax(axis=-1)
        sells = (wish == Action.SELL_CALL) | (wish == Action.SELL_PUT)
        asked = np.where(sells, wish, int(Action.SELL_CALL))
        accepted = self._acceptance.probability(moment.features, asked)
        refused = sells & (draw(self._seed, moment.session, asked) >= accepted)
        hold = (np.arange(self.actions) == Action.HOLD).astype(np.float64)
        return np.where(refused[..., None], hold, found)
