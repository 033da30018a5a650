"""Walk-forward by session: train on what was, judge on what came after, and again with more.

Each fold trains on all sessions from the first up to a gap before the sessions it is judged on.
The gap is `PURGE` (a session whose results could reach into the next) and `EMBARGO` (days that are
alike because they are neighbours). Lopez de Prado (2018), "Advances in Financial Machine
Learning", chapter 7.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date

from errors import DataError
from feeds.sessions import sessions_between

PURGE, EMBARGO = 1, 5
FEWEST_TO_TRAIN = 10


@dataclass(frozen=True, slots=True)
class Fold:
    """Indices of sessions: to train on, then a gap, then to judge on. Folds count from 1."""

    number: int
    training: range
    testing: range


def expanding_folds(count: int, folds: int) -> list[Fold]:
    """`folds` folds over `count` sessions, oldest first.

    The judged parts are equally long, as long as the first training has about as many sessions or
    ten at least, and follow each other without a gap: one long stretch that nobody trained on.
    Raises `DataError` for less than one fold and for too few sessions.
    """
    if folds < 1:
        raise DataError(f"{folds} folds: at least one part must be judged")
    gap = PURGE + EMBARGO
    length = min(count // (folds + 1), (count - gap - FEWEST_TO_TRAIN) // folds)
    if length < 1:
        raise DataError(
            f"{count} sessions are too few for {folds} folds: {FEWEST_TO_TRAIN} are needed to "
            f"train on, {gap} are left out after them; take more sessions or fewer folds"
        )
    first = count - folds * length
    starts = [first + number * length for number in range(folds)]
    return [
        Fold(number, range(start - gap), range(start, start + length))
        for number, start in enumerate(starts, 1)
    ]


def unseen(dates: Sequence[date], testing: Sequence[int], learned: Collection[date]) -> list[int]:
    """Those of the `testing` sessions that a model which learned from `learned` has not seen.

    Left out are also the session before each learned one (`PURGE`) and the six after it (`PURGE` +
    `EMBARGO`), counted by the exchange's calendar. `dates` are those of all sessions, oldest first.
    """
    if not learned:
        return list(testing)
    first, last = min(*learned, dates[0]), max(*learned, dates[-1])
    calendar = sorted({*(each.date for each in sessions_between(first, last)), *dates, *learned})
    place = {day: number for number, day in enumerate(calendar)}
    near = {
        number
        for day in learned
        for number in range(place[day] - PURGE, place[day] + PURGE + EMBARGO + 1)
    }
    return [index for index in testing if place[dates[index]] not in near]
