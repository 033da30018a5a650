"""Scripted people say what they are, and the same again; the stream is the desk's."""

import numpy as np
import pytest
from feedback_rows import Wants, suggested
from market import market

from errors import SettingError
from feeds.source import MemorySource
from models.feedback.people import DRIFTS_AFTER, FEW, PEOPLE, SKIPS, find_person
from models.feedback.stream import ExploringPolicy, play_stream
from models.playback import play
from models.session_arrays import read_sessions
from settings import Settings
from strategies.baselines import HoldPolicy
from vocabulary import Answer


def flat(time, iv):
    return np.array([time, 0.65, iv, 0, 0, 0, 0.3, 1 - time], np.float32)


def test_each_person_has_the_taste_of_the_name():
    calm, wild = flat(0.4, 0.12), flat(0.4, 0.35)
    biased, aligned, drifting = (PEOPLE[name] for name in ("biased", "aligned", "drifting"))
    assert biased.probability(calm, 1) > 0.9 and biased.probability(wild, 1) < 0.1
    assert biased.probability(flat(0.05, 0.215), 1) < biased.probability(flat(0.4, 0.215), 1)
    assert aligned.probability(calm, 1) < 0.1 and aligned.probability(wild, 1) > 0.9
    assert drifting.probability(wild, 2) < 0.1
    assert drifting.probability(wild, 2, DRIFTS_AFTER) > 0.9
    for person in PEOPLE.values():
        if person.skips:
            assert 0.04 <= person.probability(wild, 1) <= 0.96


@pytest.mark.parametrize("name", PEOPLE)
def test_the_same_question_gets_the_same_answer(name):
    person = PEOPLE[name]
    features, action = suggested(200)
    twice = [
        [person.answer(f, a, n, 3) for n, (f, a) in enumerate(zip(features, action, strict=True))]
        for _ in range(2)
    ]
    assert twice[0] == twice[1]
    skips = sum(answer is Answer.SKIP for answer in twice[0]) / 200
    assert person.patience or abs(skips - person.skips) < 0.1


def test_the_others_are_what_they_are_called():
    pairs = list(zip(*suggested(300), strict=True))
    said = {
        name: [PEOPLE[name].answer(f, a, n, 0) for n, (f, a) in enumerate(pairs)] for name in PEOPLE
    }
    assert set(said["always_yes"]) == {Answer.YES} and set(said["always_no"]) == {Answer.NO}
    share = np.mean([one is Answer.YES for one in said["random"]])
    assert abs(share - 0.5 * (1 - SKIPS)) < 0.1
    assert Answer.TIMEOUT not in said["ten_answers"][:FEW]
    assert set(said["ten_answers"][FEW:]) == {Answer.TIMEOUT}


def test_a_name_and_a_seed_find_a_person():
    assert find_person("biased:7") == (PEOPLE["biased"], 7)
    assert find_person("biased") == (PEOPLE["biased"], 0)
    for text in ("nobody", "biased:x", "biased:-1"):
        with pytest.raises(SettingError, match=f"no person '{text}'.*aligned, biased"):
            find_person(text)


@pytest.fixture(scope="module")
def arrays():
    moves = np.random.default_rng(3).normal(0, 0.1, 390)
    day = market(spot=628.2 + np.cumsum(moves).round(2)).day()
    return read_sessions(MemorySource([day]), Settings())


WISHES = Wants((7, 2), (8, 2), (9, 2), (10, 2), (40, 1))


def played(arrays, *answers):
    script = iter(answers)
    return play_stream(WISHES, arrays, Settings(), lambda features, action: next(script))


def test_with_every_answer_y_the_stream_is_the_backtest(arrays):
    stream = play_stream(WISHES, arrays, Settings(), lambda features, action: Answer.YES)
    again = play(WISHES, arrays, Settings())
    assert stream.net_pnl.tolist() == again.net_pnl.tolist()
    assert len(stream.rows) == (again.decisions.action > 0).sum() > 0


def test_an_n_starts_the_long_wait_and_a_skip_the_short_one(arrays):
    refused = played(arrays, Answer.NO, Answer.NO)
    assert refused.rows["minutes"].tolist() == [35.0, 200.0]
    skipped = played(arrays, Answer.SKIP, Answer.SKIP, Answer.NO)
    assert skipped.rows["minutes"].tolist() == [35.0, 50.0, 200.0]
    assert not skipped.net_pnl.any()


def test_a_share_of_decisions_is_explored_by_chance(arrays):
    never = play_stream(
        ExploringPolicy(HoldPolicy(), 0.0), arrays, Settings(), lambda f, a: Answer.NO
    )
    always = play_stream(
        ExploringPolicy(HoldPolicy(), 1.0), arrays, Settings(), lambda f, a: Answer.SKIP
    )
    assert never.rows.empty
    assert len(always.rows) > 10 and set(always.rows["action"]) == {1, 2}
