"""The windows of an evening's review: moments of past sessions, picked at random.

Half of the trades are what the model wanted there, half are drawn among the legal ones: a model
that sells in few states would otherwise teach nothing of the others. Each evening has a seed of its
own.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from errors import DataError
from feeds.chain import ChainDay
from feeds.snapshot import ChainSnapshot
from feeds.source import ChainSource
from models.reachable import decision_rows
from settings import Settings
from strategies.entry import DeskState, EntryDecider, Waits
from strategies.events import Event, read_events
from strategies.features import feature_vector, risk_score
from vocabulary import Action, Moment, Policy, Suggestion

FLAT = DeskState(
    has_position=False,
    has_working_order=False,
    daily_loss_reached=False,
    may_close=False,
    realised_pnl=0.0,
)
"""A desk without a position or a trade today: what every window is asked of."""

MODELS_OWN = 0.5
"""Share of single trades that are the model's own suggestion, where it has one."""

TRIES = 40
"""Sessions that are opened in search of a kind of window before it is given up."""


class Kind(StrEnum):
    """What is asked of a window."""

    TRADE = "trade"
    PAIR = "pair"
    HELD = "held"


@dataclass(frozen=True, eq=False)
class Scene:
    """A moment of a session and the entries that were possible there.

    Attributes:
        day: the session.
        snapshot: the moment.
        possible: an entry for each legal sale, with the model's probabilities.
        wanted: the model's choice.
    """

    day: ChainDay
    snapshot: ChainSnapshot
    possible: tuple[Suggestion, ...]
    wanted: Action


@dataclass(frozen=True, eq=False)
class Window:
    """A question of the evening: its scenes, the suggestions asked about, and whether it repeats.

    A trade has one scene and one suggestion, a pair two of each; what was held has one scene and
    every entry that was possible.
    """

    kind: Kind
    scenes: tuple[Scene, ...]
    suggestions: tuple[Suggestion, ...]
    repeats: bool = False


def plan(count: int) -> tuple[int, int, int, int]:
    """How many single trades, pairs, held moments and repeated trades `count` windows have."""
    pairs = held = repeats = count // 7 + (count >= 7)
    return count - pairs - held - repeats, pairs, held, repeats


def windows(
    source: ChainSource, policy: Policy, settings: Settings, count: int, seed: int
) -> Iterator[Window]:
    """`count` windows in the order in which they are asked; the same arguments, the same windows.

    Repeats come last, of the first half of the trades where they are enough. Sessions are opened
    as they are needed.
    Raises `DataError` where the sessions have no moment at which an entry is legal.
    """
    finder = _Finder(source, policy, settings, np.random.default_rng([seed, count]))
    trades, pairs, held, repeats = plan(count)
    kinds = [Kind.TRADE] * trades + [Kind.PAIR] * pairs + [Kind.HELD] * held
    asked: list[Window] = []
    for place in finder.random.permutation(len(kinds)):
        window = finder.find(kinds[place])
        if window.kind is Kind.TRADE:
            asked.append(window)
        yield window
    early = asked[: max(len(asked) // 2, repeats)]
    for place in finder.random.permutation(len(early))[:repeats]:
        yield replace(early[place], repeats=True)


class _Finder:
    """Draws scenes until one fits."""

    def __init__(
        self, source: ChainSource, policy: Policy, settings: Settings, random: np.random.Generator
    ) -> None:
        self.random = random
        self._source, self._policy, self._settings = source, policy, settings
        rules = settings.rules
        self._events = read_events(rules.events) if rules.events else []

    def find(self, kind: Kind) -> Window:
        """A window of the kind; where the model never holds or never sells, a trade."""
        if kind is Kind.PAIR:
            first, second = (self._scene(lambda scene: True) for _ in range(2))
            chosen = tuple(self._draw(scene) for scene in (first, second))
            return Window(kind, (first, second), chosen)
        if kind is Kind.HELD:
            scene = self._scene(lambda scene: scene.wanted is Action.HOLD)
            if scene.wanted is Action.HOLD:
                return Window(kind, (scene,), scene.possible)
        own = self.random.random() < MODELS_OWN
        scene = self._scene(lambda scene: not own or scene.wanted is not Action.HOLD)
        wanted = [one for one in scene.possible if one.action is scene.wanted]
        chosen = (wanted[0] if own and wanted else self._draw(scene),)
        return Window(Kind.TRADE, (scene,), chosen)

    def _draw(self, scene: Scene) -> Suggestion:
        return scene.possible[int(self.random.integers(len(scene.possible)))]

    def _scene(self, fits: Callable[[Scene], bool]) -> Scene:
        """A scene that fits, after `TRIES` sessions any scene with a legal entry."""
        found: Scene | None = None
        for _ in range(TRIES):
            for scene in self._scenes():
                if fits(scene):
                    return scene
                found = scene
        if found is None:
            raise DataError(
                f"{self._source.label}: no moment at which an entry is legal in {TRIES} sessions: "
                "nothing to review"
            )
        return found

    def _scenes(self) -> Iterator[Scene]:
        """Scenes of one session, drawn at random, in random order; nothing where it is unusable."""
        place = int(self.random.integers(len(self._source.sessions)))
        try:
            day = self._source.load(place)
        except DataError:
            return
        if day.official_close is None:
            return
        rows, slots = decision_rows(day, self._settings.rules.decision_minutes)
        for number in self.random.permutation(len(rows))[:12]:
            before = float(day.since_open[rows[number - 1]]) if number else -np.inf
            snapshot = ChainSnapshot(day, int(rows[number]))
            found = scene_at(
                day,
                snapshot,
                int(slots[number]),
                before,
                self._policy,
                self._settings,
                self._events,
            )
            if found is not None:
                yield found


def scene_at(
    day: ChainDay,
    snapshot: ChainSnapshot,
    slot: int,
    previous: float,
    policy: Policy,
    settings: Settings,
    events: Sequence[Event] = (),
) -> Scene | None:
    """What a flat desk could do at a decision, None where no entry is legal.

    Args:
        day, snapshot: the session and the moment.
        slot: index of the decision slot.
        previous: minutes since the open of the decision before, -inf at the first.
        policy, settings, events: of the desk.
    """
    since, iv = snapshot.minutes_since_open, snapshot.atm_iv
    risk = float(risk_score(0.0, since, iv, settings.risk))
    flat = (False, 0.0, 0.0)
    features = feature_vector(since, snapshot.spot, iv, *flat, risk, snapshot.minutes_until_close)
    at = snapshot, features, risk, FLAT, Waits(), slot, previous
    choice = EntryDecider(policy, settings, events).decide(*at)
    legal = [action for action in (Action.SELL_CALL, Action.SELL_PUT) if choice.mask[action]]
    if not legal:
        return None
    shown = tuple(choice.probabilities.tolist())
    entries = (
        EntryDecider(_Certain(policy, action), settings, events).decide(*at).suggestion
        for action in legal
    )
    possible = tuple(
        replace(one, probabilities=shown, model=policy.name) for one in entries if one is not None
    )
    return Scene(day, snapshot, possible, choice.action)


class _Certain:
    """A policy that wants one action for certain."""

    obeys_waits = True

    def __init__(self, policy: Policy, action: Action) -> None:
        self.name, self.actions, self._action = policy.name, policy.actions, action

    def probabilities(self, moment: Moment) -> npt.NDArray[np.float64]:
        """One for the action."""
        certain: npt.NDArray[np.float64] = np.eye(self.actions)[self._action]
        return certain
