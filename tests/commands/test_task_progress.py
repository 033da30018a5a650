"""The time left of a long evaluation is one that a person can plan by."""

import pytest

from commands.task_progress import Pace, in_words


def test_nothing_is_promised_before_the_first_task_is_done():
    pace = Pace(100, now=0.0)
    assert pace.seconds_left(50.0) is None
    assert "after the first task" in in_words(None)


def test_the_time_left_is_that_of_the_tasks_so_far_by_their_cost():
    pace = Pace(100, now=0.0)
    pace.step(20, was_kept=False, now=60.0)
    pace.step(20, was_kept=False, now=60.0)  # two workers finish at once: no infinite speed
    assert pace.seconds_left(60.0) == pytest.approx(90.0)
    assert pace.seconds_left(70.0) == pytest.approx(80.0)
    assert pace.seconds_left(900.0) == 0.0


def test_what_an_earlier_start_has_done_says_nothing_of_the_pace():
    pace = Pace(100, now=0.0)
    pace.step(60, was_kept=True, now=0.1)
    assert pace.seconds_left(5.0) is None
    pace.step(20, was_kept=False, now=30.0)
    assert pace.seconds_left(30.0) == pytest.approx(30.0)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (12.0, "less than a minute left"),
        (150.0, "about 2 min left"),
        (3 * 3600 + 290.0, "about 3 h 5 min left"),
    ],
)
def test_the_time_left_is_said_as_people_say_it(seconds, words):
    assert in_words(seconds) == words
