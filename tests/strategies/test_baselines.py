"""Baselines do what their name says, on one question and on many at once."""

import numpy as np
import pytest

from errors import SettingError
from strategies.baselines import KNOWN, baseline, draw
from vocabulary import Action, Moment


def moment(mask=(True, True, True), session=739_000, slot=6, minutes=30.0, previous=25.0):
    return Moment(np.zeros(8, np.float32), np.array(mask), session, slot, minutes, previous)


def choice(policy, question):
    probabilities = policy.probabilities(question)
    assert probabilities.sum() == 1
    return Action(int(probabilities.argmax()))


def test_hold_never_trades():
    assert choice(baseline("hold"), moment()) is Action.HOLD


@pytest.mark.parametrize(
    ("right", "action"), [("put", Action.SELL_PUT), ("call", Action.SELL_CALL)]
)
def test_a_clock_sells_at_the_first_decision_at_or_after_its_time(right, action):
    policy = baseline(f"sell_{right}@10:00")
    assert choice(policy, moment(minutes=30.0, previous=25.0)) is action
    assert choice(policy, moment(minutes=33.2, previous=29.9)) is action
    assert choice(policy, moment(minutes=60.0, previous=-np.inf)) is action
    assert choice(policy, moment(minutes=29.9, previous=25.0)) is Action.HOLD


def test_a_clock_never_tries_again():
    assert choice(baseline("sell_put@10:00"), moment(minutes=35.0, previous=30.0)) is Action.HOLD


def test_a_clock_gives_up_half_an_hour_after_its_time():
    policy = baseline("sell_put@10:00")
    assert choice(policy, moment(minutes=60.1, previous=10.0)) is Action.HOLD


def test_a_refused_clock_holds():
    policy = baseline("sell_put@10:00")
    assert choice(policy, moment(mask=(True, True, False))) is Action.HOLD


def test_clocks_obey_every_rule_but_the_wait():
    assert not baseline("sell_put@10:00").obeys_waits
    assert baseline("random").obeys_waits


@pytest.mark.parametrize(("name", "minutes"), [("9:30", 0), ("09:31", 1), ("15:59", 389)])
def test_the_minutes_of_a_clock_count_from_half_past_nine(name, minutes):
    policy = baseline(f"sell_put@{name}")
    assert choice(policy, moment(minutes=float(minutes), previous=-np.inf)) is Action.SELL_PUT


@pytest.mark.parametrize(
    "name", ["hodl", "sell_put", "sell_put@", "sell_put@25:00", "sell_put@09:29", "sell_put@10:60"]
)
def test_an_unknown_policy_is_refused_in_one_line(name):
    with pytest.raises(SettingError, match=name) as error:
        baseline(name)
    assert "\n" not in str(error.value)


def test_the_message_names_the_known_ones():
    with pytest.raises(SettingError, match=KNOWN):
        baseline("buy_everything")


def test_random_takes_each_legal_action_equally_often_and_no_other():
    policy = baseline("random")
    slots = np.arange(30_000)
    mask = np.ones((slots.size, 3), bool)
    mask[15_000:, 1] = False
    many = Moment(np.zeros((slots.size, 8), np.float32), mask, 739_000, slots, slots, slots)
    chosen = policy.probabilities(many).argmax(axis=-1)
    free = np.bincount(chosen[:15_000], minlength=3) / 15_000
    bound = np.bincount(chosen[15_000:], minlength=3) / 15_000
    np.testing.assert_allclose(free, 1 / 3, atol=0.02)
    np.testing.assert_allclose(bound, [0.5, 0, 0.5], atol=0.02)


def test_random_gives_the_same_answer_in_any_order_of_asking():
    policy = baseline("random", seed=3)
    slots = np.arange(50)
    mask = np.ones((50, 3), bool)
    many = Moment(np.zeros((50, 8), np.float32), mask, np.full(50, 739_000), slots, slots, slots)
    together = policy.probabilities(many).argmax(axis=-1)
    alone = [choice(policy, moment(slot=slot)) for slot in slots[::-1]]
    assert alone[::-1] == together.tolist()


def test_random_depends_on_seed_session_and_slot():
    slots = np.arange(1000)
    first = draw(0, 739_000, slots)
    for other in (draw(1, 739_000, slots), draw(0, 739_001, slots), draw(0, 739_000, slots + 1)):
        assert abs(np.corrcoef(first, other)[0, 1]) < 0.1
    assert ((first >= 0) & (first < 1)).all()


def splitmix64(state):
    """The published generator on plain integers: its first output from `state`."""
    bits = 2**64 - 1
    figure = (state + 0x9E3779B97F4A7C15) & bits
    figure = ((figure ^ figure >> 30) * 0xBF58476D1CE4E5B9) & bits
    figure = ((figure ^ figure >> 27) * 0x94D049BB133111EB) & bits
    return figure ^ figure >> 31


def test_the_draw_is_splitmix64_of_seed_session_and_slot():
    assert splitmix64(0) == 0xE220A8397B1DCDAF  # the first output of the reference code, seed 0
    mixed = splitmix64(splitmix64(splitmix64(7) ^ 739_000) ^ 12)
    assert float(draw(7, 739_000, 12)) == (mixed >> 11) / 2**53
