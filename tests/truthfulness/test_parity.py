"""The environment and Backtrader decide, fill and earn the same, to the last bit."""

from collections.abc import Sequence

import backtrader as bt
import numpy as np
import pytest

from brokers.approval import ApprovalBroker
from brokers.approvers import AutomaticApprover
from brokers.chain_broker import ChainBroker
from feeds.chain import ChainDay
from feeds.chain_feed import ChainFeed
from feeds.simulation import MarketFaults
from feeds.simulation.market import SimulatedMarket, default_sessions
from feeds.source import MemorySource
from models.playback import Playback, play
from models.session_arrays import read_sessions
from settings import Settings
from strategies.baselines import baseline
from strategies.ppo_strategy import PPOStrategy
from vocabulary import Moment, Policy

SESSIONS = 12
PROFILES = {
    "defaults": {},
    "profit target": {"rules": {"profit_target": 0.4}},
    "settled at once": {"rules": {"hold_to_expiry": True, "stop_multiples": (1.1, 1.2, 1.3)}},
    "three contracts": {"capital": 250_000.0, "contracts": 3},
    "slow and slipping": {"fills": {"latency_seconds": 90, "slippage": 0.02}},
    "short of capital": {"capital": 69_500.0},
    "daily loss": {"rules": {"daily_loss": 0.0005, "wait_minutes": (15, 20, 25)}},
    "by delta": {"rules": {"strike": "delta=0.20"}},
    "out of the money": {"rules": {"strike": "otm", "decision_minutes": 7}},
}


class Restless:
    """Wants something at every decision, by a hash of what it sees; closes with four actions."""

    obeys_waits = True

    def __init__(self, actions: int) -> None:
        self.actions = actions
        self.name = f"restless {actions}"

    def probabilities(self, moment: Moment) -> np.ndarray:
        features = np.asarray(moment.features, float)
        mixed = (features * np.arange(7, 15)).sum(-1)[..., None] * np.arange(3, 3 + self.actions)
        wish = np.where(moment.mask, 1 + np.sin(997 * mixed), 0.0)
        return wish / wish.sum(-1, keepdims=True)


def backtest(policy: Policy, days: Sequence[ChainDay], settings: Settings) -> PPOStrategy:
    cerebro = bt.Cerebro(stdstats=False, quicknotify=True)
    cerebro.adddata(ChainFeed(days))
    broker = ChainBroker(settings.capital, settings.fills)
    cerebro.setbroker(ApprovalBroker(broker, AutomaticApprover()))
    cerebro.addstrategy(PPOStrategy, policy=policy, settings=settings)
    return cerebro.run()[0]


def assert_same(strategy: PPOStrategy, played: Playback) -> None:
    trips = [trip for session in played.trips for trip in session]
    assert list(map(repr, strategy.tracker.round_trips)) == list(map(repr, trips))
    recorder, decisions = strategy.recorder, played.decisions
    on_slot = recorder.action >= 0
    real = np.isfinite(decisions.probabilities[..., 0])
    np.testing.assert_array_equal(recorder.action[on_slot], decisions.action[real])
    np.testing.assert_array_equal(recorder.features[on_slot], decisions.features[real])
    np.testing.assert_array_equal(
        recorder.probabilities[on_slot], decisions.probabilities[real].astype(np.float32)
    )


@pytest.fixture(scope="module")
def clean() -> list[ChainDay]:
    market = SimulatedMarket(default_sessions(SESSIONS), seed=3)
    return [market.load(index) for index in range(SESSIONS)]


@pytest.fixture(scope="module")
def faulty() -> list[ChainDay]:
    faults = MarketFaults(gaps=3, crossed_opening=0.5, missing_strikes=2, silent_contracts=0.1)
    market = SimulatedMarket(default_sessions(SESSIONS), seed=4, step_minutes=3, faults=faults)
    return [market.load(index) for index in range(SESSIONS)]


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("name", ["random", "sell_put@10:00", "sell_call@11:30"])
def test_baselines_agree(clean: list[ChainDay], profile: str, name: str) -> None:
    settings, policy = Settings(**PROFILES[profile]), baseline(name, 5)
    played = play(policy, read_sessions(MemorySource(clean), settings), settings)
    assert_same(backtest(policy, clean, settings), played)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("actions", [3, 4])
def test_a_restless_policy_agrees_on_a_faulty_market(
    faulty: list[ChainDay], profile: str, actions: int
) -> None:
    settings, policy = Settings(**PROFILES[profile]), Restless(actions)
    played = play(policy, read_sessions(MemorySource(faulty), settings), settings)
    strategy = backtest(policy, faulty, settings)
    assert strategy.tracker.round_trips
    assert_same(strategy, played)
