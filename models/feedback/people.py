"""Scripted people: who they are, and what they say to a suggestion.

For tests and demonstrations. Each is a pure function of the suggestion, of how many answers the
person has given, and of a seed, so that a run can be repeated to the letter.
"""

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import exp, log

import numpy as np
import numpy.typing as npt

from errors import SettingError
from strategies.baselines import draw
from vocabulary import FEATURES, Action, Answer

SKIPS = 0.15
"""Share of questions that a person skips."""

LEAST, MOST = 0.04, 0.96
"""Nobody is ever sure: bounds of the probability of y."""

RICH_IV = 0.205
"""At-the-money volatility above which the simulated market's premium is worth its risk."""

FEARED_IV = 0.235
"""At-the-money volatility above which the biased person sees more danger than premium."""

DRIFTS_AFTER = 60
"""Answers after which the drifting person changes."""

FEW = 10
"""Answers that the person of few words gives."""

_TIME, _IV = FEATURES.index("minutes_since_open"), FEATURES.index("atm_iv")

Taste = Callable[[float, float, Action, int], float]
"""Probability of y given elapsed part of the day, volatility, sale, and answers so far."""

DISLIKE = 2.0
"""What an early or late entry costs with the biased person, in log-odds."""


@dataclass(frozen=True, slots=True)
class Person:
    """A scripted person: `patience` answers at most, then silence (every question times out).

    `reason` is the code of an n, given elapsed part of the day and volatility.
    """

    name: str
    taste: Taste
    skips: float = SKIPS
    patience: int | None = None
    reason: Callable[[float, float], str] = lambda time, iv: "volatility"

    def answer(
        self, features: npt.NDArray[np.floating], action: int, answered: int, seed: int
    ) -> Answer:
        """What the person says.

        Args:
            features: [8] of the suggestion.
            action: the sale wanted.
            answered: how many answers (y, n or skip) the person has given before.
            seed: another one gives other answers.
        """
        if self.patience is not None and answered >= self.patience:
            return Answer.TIMEOUT
        seen = np.asarray(features, np.float32)
        key = zlib.crc32(seen.tobytes() + bytes([int(action)]))
        skip, say = (float(draw(seed, key, 2 * answered + which)) for which in range(2))
        if skip < self.skips:
            return Answer.SKIP
        return Answer.YES if say < self.probability(seen, action, answered) else Answer.NO

    def probability(
        self, features: npt.NDArray[np.floating], action: int, answered: int = 0
    ) -> float:
        """P(y) where the person does not skip."""
        time, iv = float(features[_TIME]), float(features[_IV])
        return self.taste(time, iv, Action(int(action)), answered)

    def reason_code(self, features: npt.NDArray[np.floating], answer: Answer) -> str:
        """One of `vocabulary.REASON_CODES` for an n, empty otherwise."""
        if answer is not Answer.NO:
            return ""
        time, iv = float(features[_TIME]), float(features[_IV])
        return self.reason(time, iv)


def _bounded(logit: float) -> float:
    return LEAST + (MOST - LEAST) / (1 + exp(-max(-50.0, min(50.0, logit))))


def _comfortable(time: float) -> bool:
    return 0.1 <= time <= 0.7


def _aligned(time: float, iv: float, action: Action, answered: int) -> float:
    """Refuses cheap premium, where the simulated market loses."""
    return _bounded(8.0 * log(iv / RICH_IV))


def _biased(time: float, iv: float, action: Action, answered: int) -> float:
    """Fears high volatility, where the simulated market pays; dislikes early and late entries."""
    return _bounded(-_fear(iv) - _dislike(time))


def _fear(iv: float) -> float:
    return 40.0 * log(iv / FEARED_IV)


def _dislike(time: float) -> float:
    return 0.0 if _comfortable(time) else DISLIKE


def _worse(time: float, iv: float) -> str:
    """Which of the biased person's two dislikes weighs more."""
    return "timing" if _dislike(time) > _fear(iv) else "volatility"


def _drifting(time: float, iv: float, action: Action, answered: int) -> float:
    """Biased at first, aligned after `DRIFTS_AFTER` answers."""
    taste = _biased if answered < DRIFTS_AFTER else _aligned
    return taste(time, iv, action, answered)


PEOPLE: Mapping[str, Person] = {
    person.name: person
    for person in (
        Person("aligned", _aligned),
        Person("biased", _biased, reason=_worse),
        Person("random", lambda time, iv, action, answered: 0.5),
        Person("drifting", _drifting, reason=_worse),
        Person("always_yes", lambda time, iv, action, answered: 1.0, skips=0.0),
        Person("always_no", lambda time, iv, action, answered: 0.0, skips=0.0),
        Person("ten_answers", _biased, patience=FEW, reason=_worse),
    )
}


def find_person(text: str) -> tuple[Person, int]:
    """The person and seed of `NAME` or `NAME:SEED`.

    Raises `SettingError` in one line for a name or a seed that is none.
    """
    name, _, seed = text.partition(":")
    if name not in PEOPLE or not (seed or "0").isdecimal():
        raise SettingError(f"no person '{text}': write NAME or NAME:SEED of {', '.join(PEOPLE)}")
    return PEOPLE[name], int(seed or "0")
