"""Answers made by hand for tests: features, actions, and tables with what was said to them."""

from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from feeds.sessions import NEW_YORK
from models.feedback.answers import Answers
from models.feedback.dataset import typed
from models.feedback.inputs import inputs
from vocabulary import FEATURE_COLUMNS, Moment

MODEL = "a" * 64
FIRST_DAY = date(2026, 3, 2)


class Wants:
    """A policy that wants given sales at given decision slots, for many sessions at once."""

    name, actions, obeys_waits = "wants", 3, True

    def __init__(self, *at_slots: tuple[int, int]) -> None:
        """Pairs of slot and action."""
        self.wishes = dict(at_slots)

    def probabilities(self, moment: Moment) -> np.ndarray:
        """Certainty for the wish where it is legal, else for hold."""
        wish = np.array([self.wishes.get(int(slot), 0) for slot in np.ravel(moment.slot)])
        wish = wish.reshape(np.shape(moment.slot))
        legal = np.take_along_axis(moment.mask, wish[..., None], axis=-1)[..., 0]
        return (np.where(legal, wish, 0)[..., None] == np.arange(3)).astype(float)


def suggested(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """[n, 8] features of a flat desk at random times and volatilities, and [n] sales."""
    dice = np.random.default_rng(seed)
    features = np.zeros((count, 8), np.float32)
    features[:, 0] = dice.uniform(0.08, 0.9, count)
    features[:, 1] = 0.65
    features[:, 2] = dice.uniform(0.1, 0.35, count)
    features[:, 6] = 0.18 * features[:, 0] + features[:, 2]
    features[:, 7] = 1 - features[:, 0]
    return features, dice.integers(1, 3, count)


def fears(features: np.ndarray, threshold: float = 0.24) -> np.ndarray:
    """[n] a person's y (True) below a volatility."""
    return features[:, 2] < threshold


def feedback(
    count: int, seed: int = 0, said: np.ndarray | None = None, **more: Any
) -> pd.DataFrame:
    """A table of one suggestion a session, answered by who fears volatility unless told."""
    features, action = suggested(count, seed)
    yes = fears(features) if said is None else said
    rows = []
    for n in range(count):
        at = datetime(2026, 3, 2, 9, 30, tzinfo=NEW_YORK) + timedelta(days=n)
        at += timedelta(minutes=390 * float(features[n, 0]))
        rows.append(
            {
                "suggestion_id": f"s{n}",
                "session_id": f"d{n}",
                "ts": at,
                "session_date": at.date(),
                "mode": "mock",
                "source": "mock",
                "model_sha256": MODEL,
                **dict(zip(FEATURE_COLUMNS, features[n].tolist(), strict=True)),
                "action": int(action[n]),
                "shown": True,
                "show_probability": 1.0,
                "response": "y" if yes[n] else "n",
                "weight": 1.0,
                **more,
            }
        )
    return typed(rows)


def answers(count: int, seed: int = 0, said: np.ndarray | None = None) -> Answers:
    """`count` answers, one a day, by who fears volatility unless told."""
    features, action = suggested(count, seed)
    yes = fears(features) if said is None else said
    return Answers(
        phi=inputs(features, action),
        yes=np.asarray(yes, float),
        weight=np.ones(count),
        day=np.arange(count, dtype=float),
        row=np.arange(count),
    )
