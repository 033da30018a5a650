"""What is done in a fold: the same here and in a worker, and baselines that mean what they say."""

import json

import numpy as np
import pytest
from market import CALL, PUT, market

from errors import InternalError
from feeds.sessions import last_sessions
from feeds.simulation import SimulatedMarket
from feeds.simulation.market import default_sessions
from feeds.source import MemorySource
from models import timing
from models.contest import Contest, Model
from models.fold_tasks import HOLDING, NETWORK, RULE, judged, seed_task, training_values
from models.matched_random import MatchedRandom, calibrate
from models.model_folder import load_policy
from models.playback import play
from models.policy_network import network_to_npz
from models.session_arrays import read_sessions
from models.shared_sessions import at_spread, chosen
from models.task_processes import ProcessWorkers
from models.tasks import Task, TaskStore, perform
from models.timing import fit_timing, possible_sales
from models.walk_forward import expanding_folds
from settings import Settings
from strategies.baselines import baseline

SMALL = {"environments": 8, "rollout": 20, "batch": 80, "epochs": 1, "steps": 320, "layers": (8,)}
SETTINGS = Settings(training=SMALL)
SESSIONS = [each for each in last_sessions(6, market().session.date) if each.minutes == 390]


@pytest.fixture(scope="module")
def arrays():
    return read_sessions(SimulatedMarket(default_sessions(36)), SETTINGS, hedge=True)


class HereAndNow:
    """Workers without a process."""

    def run(self, tasks, arrays):
        for task in tasks:
            yield task, perform(task, arrays)


def decaying(session, steps):
    """The put at the money melts away, the call doubles; or the other way round."""
    made = market(session=session)
    for row in range(390):
        made.price(PUT, 628, row, round(2.0 - steps * row, 3))
        made.price(CALL, 628, row, round(2.0 + steps * row, 3))
    return made.day()


def test_a_training_is_the_same_here_and_in_a_worker(arrays, tmp_path):
    values = training_values(SETTINGS.training)
    task = seed_task("fold 1, seed 3", range(24), range(30, 36), 3, values)
    workers = ProcessWorkers(1, tmp_path / "shared")
    ((done, there),) = workers.run([task], arrays)
    workers.close()
    assert done is task or done == task
    here = perform(task, arrays)
    assert here == there
    told = json.loads(here)
    assert told["dates"] == [session.date.isoformat() for session in arrays.sessions[30:36]]
    assert len(told["network_sha256"]) == 64
    other = json.loads(perform(seed_task("x", range(24), range(30, 36), 4, values), arrays))
    assert other["network_sha256"] != told["network_sha256"]


def test_a_rule_earns_what_its_playback_earns(arrays):
    task = Task("x", RULE, {"name": "sell_put@10:00", "testing": [3, 4, 5]})
    told = json.loads(perform(task, arrays))
    some = chosen(arrays, [3, 4, 5])
    played = play(baseline("sell_put@10:00"), some, SETTINGS)
    assert told["net_pnl"] == played.net_pnl.tolist()
    assert told["less_delta"] == (played.net_pnl - played.hedge_gain).tolist()
    assert told["trades"] == [len(trips) for trips in played.trips]
    assert sum(told["wide"]) < sum(told["net_pnl"])


def test_twice_the_spread_costs_half_a_spread_more_at_each_fill(arrays):
    policy = baseline("sell_put@10:00")
    ours = play(policy, arrays, SETTINGS)
    wide = play(policy, at_spread(arrays, 2.0), SETTINGS)
    pairs = [
        (a, b)
        for some, others in zip(ours.trips, wide.trips, strict=True)
        for a, b in zip(some, others, strict=True)
        if a.exit_reason == b.exit_reason == "time_exit" and a.exit_price > 0.1
    ]
    assert pairs
    for a, b in pairs:
        assert b.mid_entry == pytest.approx(a.mid_entry)
        assert b.mid_entry - b.entry_price == pytest.approx(2 * (a.mid_entry - a.entry_price))
        assert b.exit_price - b.mid_exit == pytest.approx(2 * (a.exit_price - a.mid_exit))


def test_a_network_is_judged_by_its_own_weights_alone(arrays):
    loaded = load_policy("bundled")
    weights = network_to_npz(loaded.policy.network, loaded.sha256)
    given = {"name": "bundled", "testing": list(range(12)), "sha256": loaded.sha256}
    told = json.loads(perform(Task("x", NETWORK, given, weights), arrays))
    expected = judged(loaded.policy, chosen(arrays, range(12)), SETTINGS)
    assert told == json.loads(json.dumps(expected))
    with pytest.raises(InternalError, match="another model"):
        perform(Task("x", NETWORK, given | {"sha256": "0" * 64}, weights), arrays)


def test_buy_and_hold_ends_where_the_shares_end(arrays):
    """Whatever the folds: the nights between them are held through, too."""
    parts = [range(4, 20), range(20, 36)]
    tasks = [Task("x", HOLDING, {"testing": list(part), "bought": 4}) for part in parts]
    told = [json.loads(perform(task, arrays)) for task in tasks]
    shares = np.floor(SETTINGS.capital / arrays.spot[4, 0])
    gain = shares * (arrays.official_close[-1] - arrays.spot[4, 0])
    assert sum(sum(each["net_pnl"]) for each in told) == pytest.approx(gain)
    night = told[1]["net_pnl"][0] / shares
    assert night == pytest.approx(arrays.official_close[20] - arrays.official_close[19])


def test_random_sales_are_as_many_as_asked_for(arrays):
    chance = calibrate(0.8, 0.25, arrays, SETTINGS)
    plays = [play(MatchedRandom(chance, 0.25, seed), arrays, SETTINGS) for seed in range(20, 30)]
    trips = [trip for played in plays for session in played.trips for trip in session]
    assert len(trips) / (10 * len(arrays)) == pytest.approx(0.8, abs=0.1)
    calls = sum(trip.contract.right.sign > 0 for trip in trips)
    assert calls / len(trips) == pytest.approx(0.25, abs=0.06)


def test_more_than_the_rules_allow_cannot_be_asked_for(arrays):
    assert calibrate(50.0, 0.5, arrays, SETTINGS) == 1.0


def test_a_sale_in_the_fit_earns_what_a_clock_earns_with_it(arrays):
    """The clock sells at the first decision at or after 10:00, once a session, and so do we."""
    features, earned = possible_sales(arrays, SETTINGS, 1)
    at_ten = np.isclose(features[:, 0] * 390, 30, atol=1e-3)
    played = play(baseline("sell_put@10:00"), arrays, SETTINGS)
    trades = [trip.net_pnl for session in played.trips for trip in session]
    assert at_ten.sum() == len(trades) > 10
    np.testing.assert_allclose(np.sort(earned[at_ten]), np.sort(trades))


def test_sales_in_small_portions_earn_the_same_to_the_bit(arrays, monkeypatch):
    """Portions keep the memory flat however many sessions there are."""
    features, earned = possible_sales(arrays, SETTINGS, 0)
    portions = []

    class Counting(timing.Book):
        def __init__(self, some, settings, size):
            portions.append(size)
            super().__init__(some, settings, size)

    monkeypatch.setattr("models.timing.Book", Counting)
    monkeypatch.setattr("models.timing._AT_ONCE", 100)
    again, other = possible_sales(arrays, SETTINGS, 0)
    assert again.tobytes() == features.tobytes()
    assert other.tobytes() == earned.tobytes()
    assert max(portions) == 100 < len(earned)


@pytest.mark.parametrize(("steps", "right"), [(0.004, PUT), (-0.004, CALL)])
def test_logistic_timing_sells_the_side_that_pays(steps, right):
    days = [decaying(session, steps) for session in SESSIONS]
    arrays = read_sessions(MemorySource(days), SETTINGS, hedge=True)
    policy = fit_timing(arrays, SETTINGS)
    played = play(policy, arrays, SETTINGS)
    trips = [trip for session in played.trips for trip in session]
    assert {trip.contract.right for trip in trips} == {right}
    assert played.net_pnl.min() > 0


def test_logistic_timing_holds_where_nothing_pays():
    made = [market(session=session) for session in SESSIONS]
    for one in made:
        for row in range(390):
            one.price(PUT, 628, row, round(2.0 + 0.004 * row, 3))
            one.price(CALL, 628, row, round(2.0 + 0.004 * row, 3))
    arrays = read_sessions(MemorySource([one.day() for one in made]), SETTINGS, hedge=True)
    assert not any(play(fit_timing(arrays, SETTINGS), arrays, SETTINGS).trips)


def test_everybody_is_judged_on_the_same_unseen_sessions(arrays, tmp_path, monkeypatch):
    monkeypatch.setattr("models.contest.RANDOM_DRAWS", 4)
    monkeypatch.setattr("models.contest.DRAWS_A_TASK", 2)
    loaded = load_policy("bundled")
    weights = network_to_npz(loaded.policy.network, loaded.sha256)
    learned = frozenset(session.date for session in arrays.sessions[:21])
    model = Model("bundled", loaded.sha256, weights, learned)
    costs = []

    def advance(cost, was_kept):
        costs.append(cost)

    contest = Contest(
        arrays, expanding_folds(36, 2), HereAndNow(), TaskStore(tmp_path, ""), advance
    )
    outcomes = contest.of_models([model])
    assert sum(costs) == contest.total_cost(1, 1, 1) - 1  # a fold it has seen is not judged
    ours = [each for each in outcomes if each["role"] == "candidate"]
    assert [each["fold"] for each in ours] == [2]
    (dates,) = (each["dates"] for each in ours)
    assert dates == [session.date.isoformat() for session in arrays.sessions[27:36]]
    luck = [each for each in outcomes if each["role"] == "luck"]
    assert [each["seed"] for each in luck] == [0, 1, 2, 3]
    assert all(each["dates"] == dates and each["beside"] == "bundled" for each in luck)
    rivals = {each["policy"] for each in outcomes if each["role"] == "baseline"}
    assert rivals == {
        "hold",
        "sell_put@10:00",
        "sell_call@10:00",
        "logistic timing",
        "buy and hold",
    }
