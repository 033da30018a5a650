"""The environment speaks gymnasium and stable-baselines3, and pays what a session earns."""

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env as check_gymnasium
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as some
from market import HALF_DAY, MONDAY, PUT, SESSION, market, markets
from sb3_contrib.common.maskable.utils import get_action_masks
from stable_baselines3.common.env_checker import check_env as check_sb3

from feeds.source import MemorySource
from models.card import Standardisation
from models.env import SessionEnv, SessionVecEnv
from models.folding import standardise
from models.session_arrays import read_sessions
from settings import Settings

PLAIN = {"hedge": False, "spot_range": (1.0, 1.0)}


def moving(session=SESSION, seed=0, **terms):
    """A session in which spot wanders by some dollars."""
    spot = 628 + np.cumsum(np.random.default_rng(seed).normal(0, 0.15, 390))
    return market(spot=spot, session=session, strikes=range(612, 645), **terms)


DAYS = [moving().day(), moving(MONDAY, 1).day()]


def settings(actions=3, environments=4, rules=None, **training):
    return Settings(
        rules=rules or {"wait_minutes": (5, 5, 5)},
        training={"actions": actions, "environments": environments, **PLAIN, **training},
    )


def stacked(figures, days=None, hedge=True):
    return read_sessions(MemorySource(days or DAYS), figures, hedge=hedge)


def vec(figures, days=None, **terms):
    return SessionVecEnv(stacked(figures, days), figures, **terms)


def legal(rng, masks):
    return (rng.random(masks.shape) * masks).argmax(axis=-1)


@pytest.mark.parametrize("actions", [3, 4])
def test_the_single_environment_passes_both_checkers(actions):
    figures = settings(actions)
    arrays = stacked(figures)
    made = gymnasium.make("SessionEnv-v1", arrays=arrays, settings=figures)
    check_gymnasium(made.unwrapped, skip_render_check=True)
    check_sb3(SessionEnv(arrays, figures))


def test_the_same_seed_and_actions_give_the_same_episode():
    figures = settings(spot_range=(0.5, 1.5))

    def episode(seed):
        env, rng = SessionEnv(stacked(figures), figures), np.random.default_rng(0)
        seen = [env.reset(seed=seed)[0]]
        over = False
        while not over:
            observation, reward, over, _, _ = env.step(legal(rng, env.action_masks()))
            seen.append(np.append(observation, reward))
        return np.concatenate(seen)

    np.testing.assert_array_equal(episode(3), episode(3))
    assert not np.array_equal(episode(3), episode(4))


def test_the_same_seed_gives_the_same_many_sessions():
    figures = settings(spot_range=(0.5, 1.5))

    def run(seed):
        env, rng = vec(figures), np.random.default_rng(0)
        env.seed(seed)
        seen = [env.reset()]
        for _ in range(100):
            seen.append(env.step(legal(rng, get_action_masks(env)))[0])
        return np.stack(seen)

    np.testing.assert_array_equal(run(1), run(1))
    assert not np.array_equal(run(1), run(2))


@hypothesis_settings(max_examples=25)
@given(markets(), some.integers(0, 99), some.sampled_from([3, 4]))
def test_rewards_add_up_to_the_net_profit_of_the_session(sessions, seed, actions):
    figures = settings(actions, environments=3)
    env = vec(figures, [made.day() for made in sessions])
    rng, total = np.random.default_rng(seed), np.zeros(3)
    env.reset()
    ended = 0
    while ended < 6:
        _, rewards, done, infos = env.step(legal(rng, env.action_masks()))
        total += rewards
        for i in np.flatnonzero(done):
            assert total[i] * 100 == pytest.approx(infos[i]["net_pnl"], abs=0.02)
            total[i], ended = 0.0, ended + 1


def test_an_illegal_action_changes_nothing():
    figures = settings(environments=1)
    days = [moving().day()]
    held, forced = vec(figures, days), vec(figures, days)
    np.testing.assert_array_equal(held.reset(), forced.reset())
    for _ in range(6):  # before 10:00 nothing may be sold
        assert forced.action_masks().tolist() == [[True, False, False]]
        first, second = held.step(np.array([0])), forced.step(np.array([2]))
        np.testing.assert_array_equal(first[0], second[0])
    assert forced.action_masks().all()


def test_a_masked_action_is_never_one_that_the_rules_refuse():
    figures = settings(environments=8, rules={"wait_minutes": (60, 60, 60)})
    env, rng = vec(figures), np.random.default_rng(0)
    seen = env.reset()
    for _ in range(200):
        masks = env.action_masks()
        minutes, holding = seen[:, 0] * 390, seen[:, 3] > 0
        outside = (minutes < 29.99) | (seen[:, 7] * 390 < 29.99)
        assert masks[:, 0].all()
        assert not masks[holding | outside, 1:].any()
        seen = env.step(legal(rng, masks))[0]


def test_the_price_level_is_observed_scaled_and_nothing_else_is():
    days = [moving().day()]
    plain = vec(settings(environments=1), days)
    scaled = vec(settings(environments=1, spot_range=(1.5, 1.5)), days)
    ordinary, higher = plain.reset(), scaled.reset()
    for step in range(70):
        factor = np.array([1, 1.5, 1, 1, 1.5, 1, 1, 1], np.float32)
        np.testing.assert_allclose(higher, ordinary * factor, rtol=1e-6)
        action = np.array([2 if step == 8 else 0])
        (ordinary, reward, _, _), (higher, same, _, _) = plain.step(action), scaled.step(action)
        np.testing.assert_array_equal(reward, same)


def test_the_hedge_takes_most_of_the_noise_and_little_of_the_mean():
    days = [moving(seed=seed).day() for seed in range(40)]
    returns = {}
    for hedge in (False, True):
        env = vec(settings(environments=40, hedge=hedge), days)
        env.reset()
        total = np.zeros(40)
        for step in range(78):
            rewards = env.step(np.full(40, 2 if step == 6 else 0))[1]
            total += rewards
        returns[hedge] = total * 100
    assert returns[True].std() < 0.5 * returns[False].std()
    spread = returns[False].std() / np.sqrt(40)
    assert abs(returns[True].mean() - returns[False].mean()) < 3 * spread


def test_a_penalty_for_the_tail_is_paid_once_at_the_end():
    fall = market(spot=np.where(np.arange(390) < 100, 628.2, 600.0), strikes=range(595, 640))
    days = [fall.day()]
    free = vec(settings(environments=1), days)
    fined = vec(settings(environments=1, tail_penalty=0.5, tail_loss=500), days)
    free.reset(), fined.reset()
    differences = []
    for step in range(78):
        action = np.array([2 if step == 6 else 0])
        (_, reward, _, infos), (_, less, _, _) = free.step(action), fined.step(action)
        differences.append(float(reward[0] - less[0]))
    loss = -infos[0]["net_pnl"]
    assert loss > 1000
    assert differences[-1] * 100 == pytest.approx(0.5 * (loss - 500), abs=0.1)
    assert not any(differences[:-1])


def test_a_penalty_for_drawdown_is_paid_on_what_is_new():
    made = market().price(PUT, 628, slice(None), 2.0).price(PUT, 628, slice(100, 200), 3.0)
    free = vec(settings(environments=1), [made.day()])
    fined = vec(settings(environments=1, drawdown_penalty=1.0), [made.day()])
    free.reset(), fined.reset()
    paid = 0.0
    for step in range(78):
        action = np.array([2 if step == 6 else 0])
        paid += 100 * float(free.step(action)[1][0] - fined.step(action)[1][0])
    # Sold at 1.99, at worst 3.01 to buy back, and an order's fee each way.
    assert paid == pytest.approx(102 + 2.10, abs=0.01)


def test_a_missing_figure_is_observed_as_zero_and_only_hold_is_legal():
    made = market()
    made.bid[made.row(100)], made.ask[made.row(100)] = np.nan, np.nan
    env = vec(settings(environments=1), [made.day()])
    seen = env.reset()
    for _ in range(20):
        seen = env.step(np.zeros(1, int))[0]
    assert seen[0, 2] == 0
    assert env.action_masks().tolist() == [[True, False, False]]


def test_observations_are_standardised_by_the_given_constants():
    constants = Standardisation(mean=tuple(range(8)), sd=tuple(range(1, 9)))
    figures = settings()
    raw, standard = vec(figures).reset(), vec(figures, standardisation=constants).reset()
    np.testing.assert_array_equal(standardise(raw, constants), standard)


def test_every_session_comes_once_before_any_comes_again():
    days = [moving(), market(100 * np.arange(3.0), session=MONDAY), market(session=HALF_DAY)]
    lengths = [78, 3, 42]  # decisions, by which a session is known
    env = vec(settings(environments=1), [made.day() for made in days])
    env.reset()
    seen = []
    while len(seen) < 9:
        _, _, _, infos = env.step(np.zeros(1, int))
        seen.extend(info["episode"]["l"] for info in infos if info)
    assert [sorted(seen[i : i + 3]) for i in (0, 3, 6)] == [sorted(lengths)] * 3
