"""The gate over a frozen policy: it may keep a suggestion from the person, and never makes one.

It is pure: the same suggestion gets the same verdict in a backtest, in a replay and live. A few
vetoed suggestions are shown all the same (probes), or the person's change of mind would never be
seen. The draw is by the hour of the session, not by the bar: at every bar it would let most vetoed
wishes through in the end.
"""

from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from feeds.sessions import FULL_DAY_MINUTES, Floats, to_new_york
from models.feedback.acceptance import AcceptanceModel
from strategies.baselines import draw
from vocabulary import FEATURES, Action, Moment, Policy, Suggestion

GateMode = Literal["off", "advise", "veto"]
Booleans = npt.NDArray[np.bool_]

WINDOW_MINUTES = 60.0
"""Length of a veto window, from the open on: one draw decides for all of it."""

PROBE_RATE = 0.1
"""Share of veto windows whose suggestions are shown."""

TIME = FEATURES.index("minutes_since_open")
"""Place of the feature that veto windows are made of."""
_ROUNDING = 1e-3
"""Minutes: float32 puts minute 60 a little before or after it."""


class Verdicts(NamedTuple):
    """What the gate says, each of any one shape.

    Args:
        probability: of y.
        vetoed: kept from the person.
        probe: would be vetoed, and is shown to learn.
        show_probability: P(shown) before the draw.
    """

    probability: Floats
    vetoed: Booleans
    probe: Booleans
    show_probability: Floats


@dataclass(frozen=True, slots=True)
class GateFacts:
    """The verdict on one suggestion, as the journal keeps it."""

    version: str
    probability: float
    tau: float
    vetoed: bool
    probe: bool
    show_probability: float


def gate_verdict(
    probability: Floats, tau: float, chosen: Booleans, probe_rate: float, *, vetoes: bool = True
) -> Verdicts:
    """The verdict on probabilities of y of any shape. NaN, which is not known, is never vetoed.

    Args:
        probability: [...] of y.
        tau: below this it is vetoed.
        chosen: [...] whether its veto window was drawn to be shown.
        probe_rate: the chance of that draw.
        vetoes: False only looks on: everything is shown.
    """
    refused = np.asarray(probability < tau) & vetoes
    return Verdicts(
        probability=np.asarray(probability),
        vetoed=refused & ~chosen,
        probe=refused & chosen,
        show_probability=np.where(refused, probe_rate, 1.0),
    )


def veto_window(time: Floats) -> npt.NDArray[np.int64]:
    """[...] number of the veto window, of the feature `minutes_since_open` [...]."""
    minutes = np.asarray(time, np.float64) * FULL_DAY_MINUTES
    return np.floor((minutes + _ROUNDING) / WINDOW_MINUTES).astype(np.int64)


@dataclass(frozen=True)
class Gate:
    """An acceptance model with its terms.

    Args:
        version: names it in the journal.
        acceptance: p(y | features, action).
        mode: "off" and "advise" look on, "veto" keeps suggestions back.
        tau: suggestions below this probability are vetoed.
        probe_rate: share of veto windows that are shown; 0 never.
        seed: of that draw.
        why: why it is off, or only advises; empty where nothing holds it back.
    """

    version: str
    acceptance: AcceptanceModel
    mode: GateMode
    tau: float
    probe_rate: float = PROBE_RATE
    seed: int = 0
    why: str = ""

    def without_probes(self) -> "Gate":
        """The gate for a live account: with money at stake nobody is asked to learn from it."""
        return replace(self, probe_rate=0.0)

    def judge(
        self,
        features: npt.NDArray[np.floating],
        action: npt.NDArray[np.integer],
        session: npt.ArrayLike,
    ) -> Verdicts:
        """Verdicts [...] on sales.

        Args:
            features: [..., 8].
            action: [...] the sale wanted.
            session: [...] the session's date as a proleptic ordinal.
        """
        probability = self.acceptance.probability(features, action)
        window = veto_window(np.asarray(features)[..., TIME])
        place = len(Action) * window + np.asarray(action)
        chosen = draw(self.seed, session, place) < self.probe_rate
        vetoes = self.mode == "veto"
        return gate_verdict(probability, self.tau, chosen, self.probe_rate, vetoes=vetoes)

    def facts(self, suggestion: Suggestion) -> GateFacts:
        """The verdict on one entry suggestion."""
        features = np.array(suggestion.features, np.float32)
        session = to_new_york(suggestion.ts).date().toordinal()
        verdicts = self.judge(features, np.asarray(int(suggestion.action)), session)
        return GateFacts(
            version=self.version,
            probability=float(verdicts.probability),
            tau=self.tau,
            vetoed=bool(verdicts.vetoed),
            probe=bool(verdicts.probe),
            show_probability=float(verdicts.show_probability),
        )


class GatedPolicy:
    """A policy behind a gate, for playing both over the same sessions: a vetoed sale is a hold."""

    def __init__(self, policy: Policy, gate: Gate) -> None:
        """Neither is changed."""
        self.name = f"{policy.name} behind {gate.version}"
        self.actions = policy.actions
        self.obeys_waits = policy.obeys_waits
        self._policy, self._gate = policy, gate

    def probabilities(self, moment: Moment) -> Floats:
        """The policy's [..., actions]; a certain hold where its wish is vetoed."""
        found = np.array(self._policy.probabilities(moment), np.float64)
        wish = np.where(moment.mask, found, -1.0).argmax(axis=-1)
        sells = (wish == Action.SELL_CALL) | (wish == Action.SELL_PUT)
        action = np.where(sells, wish, Action.SELL_CALL)
        vetoed = sells & self._gate.judge(moment.features, action, moment.session).vetoed
        hold = (np.arange(self.actions) == Action.HOLD).astype(np.float64)
        return np.where(vetoed[..., None], hold, found)
