"""Nobody is judged on a session it learned from, nor on its neighbours."""

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from errors import DataError
from feeds.sessions import last_sessions
from models.walk_forward import EMBARGO, PURGE, expanding_folds, unseen

DATES = [session.date for session in last_sessions(60, date(2026, 10, 30))]


@given(count=some.integers(10, 400), number=some.integers(1, 8))
def test_every_fold_is_judged_after_what_it_learned_and_a_gap(count, number):
    try:
        folds = expanding_folds(count, number)
    except DataError:
        assert count - PURGE - EMBARGO - 10 < number
        return
    assert [fold.number for fold in folds] == list(range(1, number + 1))
    for fold in folds:
        assert fold.training.start == 0
        assert len(fold.training) >= 10
        assert fold.testing.start - fold.training.stop == PURGE + EMBARGO
    tested = np.concatenate([fold.testing for fold in folds])
    assert tested.tolist() == list(range(folds[0].testing.start, count))
    assert len({len(fold.testing) for fold in folds}) == 1
    assert [len(f.training) for f in folds] == sorted(len(f.training) for f in folds)


def test_too_few_sessions_are_refused_in_one_line():
    with pytest.raises(DataError, match="19 sessions are too few for 4 folds"):
        expanding_folds(19, 4)
    with pytest.raises(DataError, match="0 folds: at least one"):
        expanding_folds(100, 0)


def test_a_model_is_judged_away_from_what_it_learned():
    learned = frozenset(DATES[10:20])
    assert unseen(DATES, range(40), learned) == [*range(9), *range(26, 40)]


def test_the_gap_holds_for_sessions_that_were_not_read():
    # learned up to the session before the first that is here
    before = last_sessions(61, date(2026, 10, 30))[0].date
    assert unseen(DATES, range(60), frozenset([before])) == list(range(6, 60))
    long_ago = frozenset([date(2024, 1, 2)])
    assert unseen(DATES, range(60), long_ago) == list(range(60))
    later = frozenset([date(2026, 11, 2)])
    assert unseen(DATES, range(60), later) == list(range(59))


def test_a_model_that_says_nothing_has_learned_nothing_known():
    assert unseen(DATES, range(3), frozenset()) == [0, 1, 2]
