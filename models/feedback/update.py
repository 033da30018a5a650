"""A policy moved a little towards a person's answers, offline and on a leash.

Direct preference optimisation (Rafailov et al. 2023) of an action against hold: with
`z = beta [(log pi(a|s) - log pi_ref(a|s)) - (log pi(hold|s) - log pi_ref(hold|s))]` the loss of an
answer is `-log sigmoid(z)` for y and `-log sigmoid(-z)` for n, of a comparison
`-log sigmoid(z_better - z_worse)` (Bradley and Terry). Added is `eta` times the mean
KL(pi || pi_ref) on replayed states. Training ends before that KL passes `MOST_KL`: without the
leash such updates wreck a policy within a few hundred steps.

The parent is never changed. What is returned is the network as its zip will be read.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from errors import DataError
from models.card import Standardisation
from models.feedback.preferences import NO_PAIRS, Labels, Pairs
from models.folding import fold, measure
from models.playback import Decisions
from models.policy_network import Network
from vocabulary import Action

if TYPE_CHECKING:
    import torch

Floats = npt.NDArray[np.float64]

MOST_KL = 0.05
"""Mean KL(pi || pi_ref) in nats on replayed states that no update may pass."""

FEWEST_ANSWERS = 200
"""Fewer answers (y or n, comparisons counted in) move no weights: the gate learns from them."""

REPLAYED = 3_000
_ROUNDING = 1e-4
"""Of `MOST_KL` left free, for the weights' rounding to float32."""


@dataclass(frozen=True, slots=True)
class UpdateTerms:
    """Figures of an update; the defaults are those of docs/learning.md."""

    beta: float = 0.5
    eta: float = 0.5
    learning_rate: float = 3e-4
    steps: int = 600
    most_kl: float = MOST_KL


@dataclass(frozen=True, eq=False)
class Replay:
    """R states at which the parent was asked: float32 [R, 8] features, bool [R, actions] mask."""

    features: npt.NDArray[np.float32]
    mask: npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Update:
    """A finished update.

    Attributes:
        network: on the raw features, weights rounded to float32 as a zip keeps them.
        standardised: the same layers on standardised features, for the zip's export.
        constants: of the standardisation.
        kl: of `network` against the parent on the replayed states, nats.
        steps: gradient steps that were taken and kept.
        reached_leash: whether the next step would have passed the KL.
        losses: mean loss of the answers before the first and after the last step.
    """

    network: Network
    standardised: Network
    constants: Standardisation
    kl: float
    steps: int
    reached_leash: bool
    losses: tuple[float, float]


def replay_states(decisions: Decisions, count: int = REPLAYED, seed: int = 0) -> Replay:
    """At most `count` of the decisions at which something was legal, drawn without repetition.

    Raises `DataError` where there is none.
    """
    asked = decisions.mask[..., 1:].any(axis=-1) & np.isfinite(decisions.features).all(axis=-1)
    features, mask = decisions.features[asked], decisions.mask[asked]
    if not len(features):
        raise DataError("the sessions hold no decision at which the model was asked: no replay")
    rows = np.random.default_rng(seed).permutation(len(features))[:count]
    return Replay(features[rows], mask[rows])


def update_policy(
    parent: Network,
    answers: Labels,
    replay: Replay,
    pairs: Pairs = NO_PAIRS,
    constants: Standardisation | None = None,
    terms: UpdateTerms | None = None,
) -> Update:
    """Train a copy of `parent` on answers and comparisons; the same arguments, the same weights.

    Args:
        parent: the frozen reference.
        answers, pairs: what to learn from.
        replay: where the KL is measured.
        constants: of the parent's training; measured on `replay` where None.
        terms: figures; the defaults where None.

    Raises `DataError` where nothing tells one trade from another. Whether there are enough answers
    is for the caller to see (`refuse_too_few`), who may keep some of them to judge by.
    """
    _refuse_one_kind(answers, pairs)
    terms = UpdateTerms() if terms is None else terms
    constants = measure(replay.features) if constants is None else constants
    return _Trainer(parent, answers, pairs, replay, constants, terms).run()


def refuse_too_few(answers: Labels, pairs: Pairs = NO_PAIRS) -> None:
    """Raise `DataError` with the reason where no policy may be updated from this."""
    known = len(answers) + len(pairs)
    if known < FEWEST_ANSWERS:
        raise DataError(
            f"{known} answers are too few for an update of the policy: it needs {FEWEST_ANSWERS}"
        )
    _refuse_one_kind(answers, pairs)


def _refuse_one_kind(answers: Labels, pairs: Pairs) -> None:
    if min(answers.classes) == 0 and not len(pairs):
        said = "y" if answers.classes[1] else "n"
        raise DataError(f"every answer is {said}: nothing tells one trade from another")


def mean_kl(network: Network, parent: Network, replay: Replay) -> float:
    """Mean KL(network || parent) in nats over the states, illegal actions masked."""
    ours, theirs = (
        _log_softmax(one.logits(replay.features), replay.mask) for one in (network, parent)
    )
    terms = np.where(replay.mask, np.exp(ours) * (ours - theirs), 0.0)
    return float(terms.sum(axis=-1).mean())


def margins(
    network: Network, features: npt.NDArray[np.floating], action: npt.NDArray[Any]
) -> Floats:
    """[N] log pi(action) - log pi(hold): how much more the network wants it than nothing."""
    logits = network.logits(features)
    wanted = np.take_along_axis(logits, action[:, None], axis=-1)[:, 0]
    return np.asarray(wanted - logits[:, Action.HOLD])


def unfolded(network: Network, constants: Standardisation) -> Network:
    """The network on standardised features: what `models.folding.fold` turns into this one."""
    mean, sd = np.array(constants.mean), np.array(constants.sd)
    first = network.weights[0]
    weights = (first * sd, *network.weights[1:])
    biases = (network.biases[0] + first @ mean, *network.biases[1:])
    return Network(weights, biases, network.activation)


def folded(network: Network, constants: Standardisation) -> Network:
    """The network on raw features, every weight rounded to float32 as its zip keeps it."""
    first = fold(network.weights[0], network.biases[0], constants)
    weights = (first[0], *network.weights[1:])
    biases = (first[1], *network.biases[1:])
    return Network(_rounded(weights), _rounded(biases), network.activation)


def _rounded(arrays: tuple[Floats, ...]) -> tuple[Floats, ...]:
    return tuple(array.astype(np.float32).astype(np.float64) for array in arrays)


def _log_softmax(logits: Floats, mask: npt.NDArray[np.bool_]) -> Floats:
    with np.errstate(invalid="ignore"):
        kept = np.where(mask, logits, -np.inf)
        top = kept.max(axis=-1, keepdims=True)
        odds = np.log(np.exp(kept - top).sum(axis=-1, keepdims=True))
        return np.asarray(np.where(mask, kept - top - odds, 0.0))


class _Trainer:
    """The layers as tensors, the loss, and the leash."""

    def __init__(
        self,
        parent: Network,
        answers: Labels,
        pairs: Pairs,
        replay: Replay,
        constants: Standardisation,
        terms: UpdateTerms,
    ) -> None:
        import torch

        torch.set_num_threads(1)
        self._torch, self._parent, self._replay = torch, parent, replay
        self._constants, self._terms = constants, terms
        start = unfolded(parent, constants)
        self._layers = [
            torch.tensor(array, dtype=torch.float64, requires_grad=True)
            for layer in zip(start.weights, start.biases, strict=True)
            for array in layer
        ]
        self._activate: Callable[[torch.Tensor], torch.Tensor] = getattr(
            torch.nn, parent.activation
        )()
        self._said = torch.tensor(np.where(answers.said, 1.0, -1.0))
        self._weight = torch.tensor(np.concatenate((answers.weight, pairs.weight)))
        sides = (
            (answers.features, answers.action),
            (pairs.better, pairs.better_action),
            (pairs.worse, pairs.worse_action),
        )
        self._sides = [self._side(features, action) for features, action in sides]
        self._states = self._scaled(replay.features)
        self._mask = torch.tensor(replay.mask)
        self._reference = torch.tensor(_log_softmax(parent.logits(replay.features), replay.mask))

    def run(self) -> Update:
        """Step until the leash or the last step; the last state within the leash counts."""
        torch, terms = self._torch, self._terms
        optimiser = torch.optim.Adam(self._layers, lr=terms.learning_rate)
        first = self._loss_of_answers().item()
        kept, last, steps, reached = self._network(), first, 0, False
        for _ in range(terms.steps):
            optimiser.zero_grad()
            loss = self._loss_of_answers() + terms.eta * self._kl()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            network = self._network()
            kl = mean_kl(folded(network, self._constants), self._parent, self._replay)
            if not kl <= terms.most_kl * (1 - _ROUNDING):
                reached = True
                break
            kept, last, steps = network, self._loss_of_answers().item(), steps + 1
        raw = folded(kept, self._constants)
        kl = mean_kl(raw, self._parent, self._replay)
        return Update(raw, kept, self._constants, kl, steps, reached, (first, last))

    def _side(
        self, features: npt.NDArray[np.float32], action: npt.NDArray[np.int64]
    ) -> "tuple[torch.Tensor, torch.Tensor, torch.Tensor]":
        """Scaled features, actions, and the parent's margins."""
        torch = self._torch
        reference = torch.tensor(margins(self._parent, features, action))
        return self._scaled(features), torch.tensor(action), reference

    def _scaled(self, features: npt.NDArray[np.float32]) -> "torch.Tensor":
        mean, sd = np.array(self._constants.mean), np.array(self._constants.sd)
        return self._torch.tensor((features.astype(np.float64) - mean) / sd)

    def _logits(self, scaled: "torch.Tensor") -> "torch.Tensor":
        hidden = scaled
        for weight, bias in zip(self._layers[:-2:2], self._layers[1:-2:2], strict=True):
            hidden = self._activate(hidden @ weight.T + bias)
        logits: torch.Tensor = hidden @ self._layers[-2].T + self._layers[-1]
        return logits

    def _z(self, side: "tuple[torch.Tensor, torch.Tensor, torch.Tensor]") -> "torch.Tensor":
        scaled, action, reference = side
        logits = self._logits(scaled)
        wanted = logits.gather(1, action[:, None])[:, 0]
        z: torch.Tensor = self._terms.beta * (wanted - logits[:, Action.HOLD] - reference)
        return z

    def _loss_of_answers(self) -> "torch.Tensor":
        answered, better, worse = (self._z(side) for side in self._sides)
        z = self._torch.cat((self._said * answered, better - worse))
        losses = self._torch.nn.functional.softplus(-z)
        loss: torch.Tensor = (self._weight * losses).sum() / self._weight.sum()
        return loss

    def _kl(self) -> "torch.Tensor":
        """Mean KL(pi || pi_ref) on the replayed states; zero where an action is masked."""
        logits = self._logits(self._states).masked_fill(~self._mask, -np.inf)
        log_pi = self._torch.log_softmax(logits, dim=1).masked_fill(~self._mask, 0.0)
        chance = self._torch.softmax(logits, dim=1)
        kl: torch.Tensor = (chance * (log_pi - self._reference)).sum(dim=1).mean()
        return kl

    def _network(self) -> Network:
        arrays = [layer.detach().numpy().copy() for layer in self._layers]
        return Network(tuple(arrays[::2]), tuple(arrays[1::2]), self._parent.activation)
