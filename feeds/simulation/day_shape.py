"""What all days of one length share: the profile of variance, and the scale of its surprises."""

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from feeds.simulation import calibration as figures
from feeds.simulation.calibration import Floats

Booleans = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class DayShape:
    """Deterministic shapes of a day of N - 1 minutes.

    Attributes:
        profile: [N] profile minutes, 0 to 390.
        left: [N] total variance left, W(t) / W(10:00).
        closing_left: [N] the part of it that stands for the close.
        event_left: [N] share of an announcement's variance still to come.
        spent: [N - 1] realised variance of each minute, in units of that from 10:00 to the close.
        closing: [N - 1] which minutes belong to the close.
        deviation: [N - 1] of a minute's move of the log of total volatility.
        leverage: [N - 1] minus the correlation of that move with the minute's return.
        decay: [N] what is left of a move made at the open.
        growth: [N - 1] mean of exp(2 x) of the state x those moves add up to.
    """

    profile: Floats
    left: Floats
    closing_left: Floats
    event_left: Floats
    spent: Floats
    closing: Booleans
    deviation: Floats
    leverage: Floats
    decay: Floats
    growth: Floats


@cache
def day_shape(minutes: int) -> DayShape:
    """The shape of a session of so many minutes (390, or 210 on half days)."""
    profile = np.linspace(0.0, figures.PROFILE_MINUTES, minutes + 1)
    start = profile[:-1]
    left = np.interp(profile, figures.VARIANCE_LEFT_MINUTES, figures.VARIANCE_LEFT)
    moves = np.interp(start, figures.STATE_MINUTES, figures.STATE_DEVIATION)
    deviation = moves * np.sqrt(figures.PROFILE_MINUTES / minutes / 5)
    decay = figures.STATE_MEMORY**profile
    return DayShape(
        profile=profile,
        left=left,
        closing_left=np.minimum(figures.CLOSE_SHARE, figures.CLOSE_FRACTION * left),
        event_left=_event_left(minutes),
        spent=np.diff(np.interp(profile, np.arange(391.0), _cumulative_variance())),
        closing=start >= figures.PROFILE_MINUTES - figures.CLOSE_MINUTES,
        deviation=deviation,
        leverage=np.interp(start, figures.STATE_MINUTES, figures.STATE_LEVERAGE),
        decay=decay,
        growth=np.exp(2 * _state_variance(deviation, decay)),
    )


def _event_left(minutes: int) -> Floats:
    """[N] one until the announcement, then what the press conference still has to say."""
    since = np.arange(minutes + 1.0) - (minutes - figures.ANNOUNCEMENT_BEFORE_CLOSE)
    talk = np.clip(1 - since / figures.EVENT_TALK_MINUTES, 0, 1)
    return np.where(since <= 0, 1.0, (1 - figures.EVENT_FIRST_SHARE) * talk)


def _cumulative_variance() -> Floats:
    """[391] realised variance since the open; what comes after 10:00 adds up to one."""
    minutes = np.repeat(figures.FIVE_MINUTE_VARIANCE, 5)
    minutes[:5] *= figures.FIRST_MINUTES / figures.FIRST_MINUTES.mean()
    minutes[-5:] *= figures.LAST_MINUTES / figures.LAST_MINUTES.mean()
    sums = np.concatenate(([0.0], np.cumsum(minutes)))
    return np.asarray(sums / (sums[-1] - sums[figures.TEN_O_CLOCK]))


def _state_variance(deviation: Floats, decay: Floats) -> Floats:
    """[N - 1] variance of the state at the start of each minute."""
    added = np.concatenate(([0.0], np.cumsum((deviation / decay[1:]) ** 2)[:-1]))
    return np.asarray(decay[:-1] ** 2 * added)
