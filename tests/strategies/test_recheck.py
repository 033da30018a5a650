"""At the moment of a yes: the freshest quote decides, and both prices are said."""

from dataclasses import dataclass, replace
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from market import PUT, SESSION, Scripted, at, contract, desk, market, rules, wishes

from feeds.contract import Contract
from feeds.sessions import NEW_YORK
from feeds.snapshot import ChainSnapshot
from settings import RuleSettings, Settings
from strategies import rules as rule
from strategies.events import Event
from strategies.recheck import Recheck
from strategies.rules import Refusal
from vocabulary import Action, ExitReason, LiveQuote, Suggestion

NOW = 60.0
PUT_628 = contract()


@dataclass
class At:
    """A clock that stands at a minute of the session."""

    minute: float

    def market_now(self) -> int:
        return at(SESSION, self.minute)

    def wall_now(self) -> datetime:
        return datetime.now(NEW_YORK)

    def monotonic(self) -> float:
        return 0.0


def suggestion(**changes: Any) -> Suggestion:
    facts: dict[str, Any] = {
        "id": "one",
        "ts": at(SESSION, 59),
        "action": Action.SELL_PUT,
        "contract": PUT_628,
        "side": -1,
        "quantity": 1,
        "bid": 2.35,
        "ask": 2.45,
        "spot": 628.2,
        "risk_score": 0.2,
        "stop_multiple": 3.0,
        "features": (),
        "probabilities": (),
        "mask": (),
        "model": "m",
    }
    return Suggestion(**facts | changes)


def quote(bid: float = 2.35, ask: float = 2.45, age: float = 0.5) -> LiveQuote:
    return LiveQuote(PUT_628, at(SESSION, NOW), bid, ask, 10, 10, 628.2, age)


def snapshot(minute: int = int(NOW)) -> ChainSnapshot:
    return ChainSnapshot(market().day(), minute)


def judge(
    fresh: LiveQuote | None, minute: float = NOW, settings: Settings | None = None, **terms: Any
) -> str:
    """Why a yes is refused; empty when it is not."""

    def ask(asked: Contract) -> LiveQuote | None:
        assert asked == PUT_628
        return fresh

    check = Recheck(settings or Settings(), ask, At(minute), **terms)
    verdict = check.judge(suggestion(), snapshot())
    assert verdict.allowed == (not verdict.reason)
    return verdict.reason


def test_a_market_that_stands_still_is_traded() -> None:
    assert judge(quote()) == ""


@pytest.mark.parametrize(("bid", "allowed"), [(2.32, True), (2.31, False), (2.60, True)])
def test_three_ticks_against_us_are_allowed_and_better_prices_are_no_drift(
    bid: float, allowed: bool
) -> None:
    reason = judge(quote(bid, bid + 0.10))
    assert (reason == "") is allowed
    if not allowed:
        assert reason == (
            "the price moved 4 ticks against us, 3 are allowed; "
            "bid/ask $2.35 / $2.45 at the question, $2.31 / $2.41 now"
        )


@pytest.mark.parametrize(
    ("fresh", "words"),
    [
        (quote(age=5.1), "the quote is 5.1 s old, 5 s are allowed"),
        (quote(ask=2.90), "the spread is too wide"),
        (quote(bid=0.0), "no tradable quote"),
        (quote(bid=np.nan), "no tradable quote; bid/ask $2.35 / $2.45 at the question, none / "),
        (quote(bid=2.50, ask=2.40), "no tradable quote"),
    ],
)
def test_a_quote_that_cannot_be_trusted_refuses(fresh: LiveQuote, words: str) -> None:
    assert words in judge(fresh)


@pytest.mark.parametrize("minute", [29.99, 360.01, 380.0, 391.0])
def test_outside_the_entry_window_a_yes_comes_too_late(minute: float) -> None:
    assert "outside the entry window" in judge(quote(), minute)


def test_the_time_exit_ends_entries_whatever_the_window_says() -> None:
    settings = rules(entry_before_close=1, time_exit_minutes=15)
    assert judge(quote(), 374.9, settings) == ""
    assert "outside the entry window" in judge(quote(), 375.0, settings)
    assert judge(quote(), 375.0, rules(entry_before_close=1, hold_to_expiry=True)) == ""


def test_the_desk_itself_may_have_been_halted_meanwhile() -> None:
    assert judge(quote(), gate=lambda: "the line is down").startswith("the line is down; bid/ask")
    assert "daily loss" in judge(quote(), daily_loss=lambda: True)
    assert "capital" in judge(quote(), realised_pnl=lambda: -20_000.0)
    event = Event("FOMC", at(SESSION, 55), at(SESSION, 65), True)
    assert "a scheduled event is near" in judge(quote(), events=[event])


def test_without_quotes_between_bars_the_bar_counts_and_grows_old() -> None:
    made = market().quote(PUT, 628, 60, 2.35, 2.45)
    bar = ChainSnapshot(made.day(), 60)
    for seconds, words in ((4.0, ""), (6.0, "6.0 s old")):
        check = Recheck(Settings(), lambda asked: None, At(NOW + seconds / 60))
        assert words in check.judge(suggestion(), bar).reason
        assert check.judge(suggestion(), bar).allowed is (words == "")


def test_an_exit_is_never_held_back() -> None:
    check = Recheck(Settings(), lambda asked: None, At(389.0), gate=lambda: "everything is wrong")
    leaving = SimpleNamespace(info={"exit_reason": ExitReason.STOP_LOSS})
    assert check(leaving, snapshot()).allowed
    asked = replace(suggestion(), exit_reason=ExitReason.STOP_LOSS)
    assert check.judge(asked, snapshot()).allowed
    entry = SimpleNamespace(info={"suggestion": suggestion()})
    assert not check(entry, snapshot()).allowed


def test_a_refused_yes_is_rejected_by_the_broker_and_starts_no_wait() -> None:
    ran = desk([market().day()], Scripted(wishes((6, 2))))
    assert ran.tracker.round_trips  # it would trade
    check = Recheck(Settings(), lambda asked: quote(0.10, 0.12), At(31.0))
    refused = desk(
        [market().day()],
        Scripted(wishes((6, 2))),
        set_up=lambda cerebro: setattr(cerebro.broker, "recheck", check),
    )
    assert refused.tracker.round_trips == [] and refused._waits.answered == -np.inf


# --- the pure rule -------------------------------------------------------------------------------

FIGURES = {
    "halted": some.booleans(),
    "lost": some.booleans(),
    "since_open": some.floats(0, 390),
    "blocked": some.booleans(),
    "bid": some.sampled_from([np.nan, 0.0, 1.0, 2.0]),
    "ask": some.sampled_from([np.nan, 0.5, 1.02, 2.02, 3.0]),
    "age_seconds": some.sampled_from([0.0, 5.0, 5.01, np.nan]),
    "drift": some.sampled_from([-1.0, 0.0, 0.03, 0.04, np.nan]),
    "required": some.sampled_from([0.0, 80_000.0, 80_001.0, np.nan]),
}


@given(some.fixed_dictionaries(FIGURES))
def test_it_allows_exactly_what_every_rule_allows(figures: dict[str, Any]) -> None:
    r = RuleSettings()
    until = 390 - figures["since_open"]
    code = rule.recheck_refusal(**figures, until_close=until, available=80_000.0, r=r)
    bid, ask = figures["bid"], figures["ask"]
    allowed = (
        not figures["halted"]
        and not figures["lost"]
        and not figures["blocked"]
        and figures["since_open"] >= 30
        and until >= 30
        and bid > 0
        and ask >= bid
        and ask - bid <= max(0.05, 0.10 * (bid + ask) / 2) + 1e-9
        and figures["age_seconds"] <= 5
        and figures["drift"] <= 0.03 + 1e-9
        and figures["required"] <= 80_000.0 + 1e-6
    )
    assert (int(code) == Refusal.NONE) is bool(allowed)
    if figures["halted"]:
        assert int(code) == Refusal.HALTED


def test_it_takes_arrays() -> None:
    n = 3
    codes = rule.recheck_refusal(
        np.array([False, True, False]),
        np.zeros(n, bool),
        np.full(n, 60.0),
        np.full(n, 330.0),
        np.zeros(n, bool),
        np.full(n, 2.35),
        np.full(n, 2.45),
        np.array([0.0, 0.0, 9.0]),
        np.zeros(n),
        np.full(n, 1.0),
        np.full(n, 2.0),
        RuleSettings(),
    )
    assert codes.tolist() == [Refusal.NONE, Refusal.HALTED, Refusal.AGE]


@pytest.mark.parametrize(
    ("side", "now", "expected"), [(-1, (2.30, 2.50), 0.05), (+1, (2.30, 2.50), 0.05)]
)
def test_drift_is_what_the_person_would_lose(
    side: int, now: tuple[float, float], expected: float
) -> None:
    drift = rule.adverse_drift(side, *now, 2.35, 2.45)
    assert float(drift) == pytest.approx(expected)
