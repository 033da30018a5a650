"""Whatever looks ahead is found and named; what does not is left in peace."""

import numpy as np
import pytest
from market import market

import brokers.fills
import run
from commands.lookahead import analyse, look_ahead
from errors import DataError
from feeds import option_maths
from feeds.sessions import last_sessions
from feeds.simulation import SimulatedMarket
from feeds.simulation.market import default_sessions
from feeds.source import MemorySource
from settings import Settings
from strategies.baselines import ClockPolicy, baseline
from vocabulary import Action

SETTINGS = Settings(rules={"profit_target": 0.3})
SOURCE = SimulatedMarket(default_sessions(1))


@pytest.fixture(autouse=True)
def few_instants(monkeypatch):
    monkeypatch.setattr("commands.lookahead.RANDOM_INSTANTS", 1)
    monkeypatch.setattr("commands.lookahead.TOLD_INSTANTS", 2)


def put_clock(source):
    return baseline("sell_put@10:00")


class Prophet(ClockPolicy):
    """Knows from the data whether the underlying will close below where it opened."""

    def __init__(self, source):
        day = source.load(0)
        action = Action.SELL_CALL if day.official_close < day.spot[0] else Action.SELL_PUT
        super().__init__("prophet", action, 60.0)


def found(policy, source=SOURCE):
    analysis = analyse(source, SETTINGS, policy, [0])
    return {(each.where, each.what) for each in analysis.findings}, analysis


def test_what_is_shipped_does_not_look_ahead():
    nothing, analysis = found(put_clock)
    assert nothing == set()
    assert analysis.compared == analysis.effective > 10  # each change was noticed when it came
    assert set(analysis.kinds) >= {"feature", "decision", "sale", "fill", "account line"}


def test_a_policy_that_knows_the_close_is_named():
    names, _ = found(Prophet)
    assert {("backtest", "sale"), ("environment", "sale")} <= names
    assert not [what for _, what in names if what == "feature atm_iv"]


def test_a_feature_of_the_next_snapshot_is_named(monkeypatch):
    honest = option_maths.atm_volatility

    def ahead(*arguments):
        iv = honest(*arguments)
        return np.append(iv[1:], iv[-1])

    monkeypatch.setattr(option_maths, "atm_volatility", ahead)
    names, _ = found(put_clock)
    assert {("backtest", "feature atm_iv"), ("environment", "feature atm_iv")} <= names
    assert ("backtest", "feature spy_price") not in names


def test_a_mean_over_the_whole_day_is_named(monkeypatch):
    honest = option_maths.atm_volatility
    monkeypatch.setattr(
        option_maths, "atm_volatility", lambda *terms: honest(*terms) - np.nanmean(honest(*terms))
    )
    names, _ = found(put_clock)
    assert ("backtest", "feature atm_iv") in names


def test_a_fill_at_a_later_price_is_named(monkeypatch):
    """A broker that fills each sale at the best bid of the day, looked up beforehand."""
    honest = brokers.fills.fill_price
    best = {}

    def remember(source):
        best["bid"] = float(np.nanmax(source.load(0).bid))
        return put_clock(source)

    def ahead(side, bid, ask, slippage=0.0):
        return np.where(np.asarray(side) < 0, best["bid"], honest(side, bid, ask, slippage))

    monkeypatch.setattr(brokers.fills, "fill_price", ahead)
    names, _ = found(remember)
    assert {("backtest", "fill"), ("environment", "fill")} <= names


def test_the_command_ends_with_one_and_names_it(capsys):
    assert look_ahead(SOURCE, SETTINGS, Prophet)
    told = capsys.readouterr().out
    assert "LOOKED AHEAD in the backtest: sale at 2026-10-30 10:30:00" in told
    assert not look_ahead(SOURCE, SETTINGS, put_clock)
    assert "nothing looked ahead" in capsys.readouterr().out


def test_the_command_line_looks_at_a_model(desk, monkeypatch):
    monkeypatch.setitem(run.VERBS, "evaluate", "what a training is worth")
    done = desk("evaluate", "--lookahead", "--models", "bundled", "--set", "sessions=1")
    assert done.code == 0, done.err
    assert "bundled: nothing looked ahead" in done.out


def test_a_day_without_fills_is_said(desk, monkeypatch):
    monkeypatch.setitem(run.VERBS, "evaluate", "what a training is worth")
    done = desk("evaluate", "--lookahead", "--policy", "hold", "--set", "sessions=1")
    assert "fills were not looked at" in done.out


def test_nothing_to_look_at_is_one_line():
    session = last_sessions(1, market().session.date)[0]
    made = market(session=session)
    made.official_close = None
    with pytest.raises(DataError, match="no session that can be looked at"):
        analyse(MemorySource([made.day()]), SETTINGS, put_clock, [0])
