"""From a snapshot to a suggestion: mask, precedence of refusals, waits, and the plan of one yes."""

from typing import Any

import numpy as np
import pytest
from market import CALL, EVERY_MINUTE, PUT, SESSION, Market, Scripted, at, contract, market

from feeds.snapshot import ChainSnapshot
from settings import RiskSettings, Settings
from strategies.entry import Choice, DeskState, EntryDecider, Waits, entry_plan
from strategies.events import Event
from strategies.features import feature_vector, risk_score
from strategies.rules import Refusal
from vocabulary import Action, Moment

FREE = DeskState(False, False, False, False, 0.0)
HOLDING = DeskState(True, False, False, True, 0.0)
NO_WAITS = Waits()
FOMC = Event("FOMC", at(SESSION, 100), at(SESSION, 160), True)


def ask(
    policy: Any,
    made: Market | None = None,
    minute: float = 60.0,
    *,
    state: DeskState = FREE,
    waits: Waits = NO_WAITS,
    risk: float | None = None,
    atm_iv: float | None = None,
    events: tuple[Event, ...] = (),
    **settings: Any,
) -> Choice:
    """One decision at `minute`."""
    made = made or market()
    snapshot = ChainSnapshot(made.day(), made.row(minute))
    since, iv = snapshot.minutes_since_open, snapshot.atm_iv if atm_iv is None else atm_iv
    risk = risk_score(0.0, since, iv, RiskSettings()) if risk is None else risk
    until = snapshot.minutes_until_close
    features = feature_vector(since, snapshot.spot, iv, 0, 0, 0, risk, until)
    decider = EntryDecider(policy, Settings(**settings), events)
    return decider.decide(snapshot, features, float(risk), state, waits, int(since // 5), -np.inf)


def wants(action: int, actions: int = 3, obeys_waits: bool = True) -> Scripted:
    return Scripted([action], actions, obeys_waits)


def blank(right: Any = None) -> Market:
    """A market without a bid, of one right or of both."""
    made = market()
    made.bid[:, slice(None) if right is None else right] = np.nan
    return made


def test_a_wish_that_is_legal_becomes_a_suggestion_with_everything_fixed() -> None:
    choice = ask(wants(2))
    suggestion = choice.suggestion
    assert suggestion is not None and suggestion.is_entry
    snapshot = ChainSnapshot(market().day(), 60)
    quote = snapshot.quote(contract())
    assert (suggestion.contract, suggestion.side) == (contract(), -1)
    assert (suggestion.quantity, suggestion.stop_multiple) == (1, 3.0)
    assert (suggestion.bid, suggestion.ask) == (quote.bid, quote.ask)
    assert (suggestion.ts, suggestion.spot) == (snapshot.ts, 628.2013)
    assert suggestion.action is Action.SELL_PUT
    assert (suggestion.mask, suggestion.probabilities) == ((True, True, True), (0.0, 0.0, 1.0))
    assert suggestion.model == "scripted"
    assert len(suggestion.features) == 8
    assert choice.allowed and choice.refusal is Refusal.NONE


def test_hold_suggests_nothing_though_it_was_free_to() -> None:
    choice = ask(wants(0))
    assert (choice.action, choice.suggestion, choice.allowed) == (Action.HOLD, None, True)


@pytest.mark.parametrize(
    ("expected", "case"),
    [
        (Refusal.POSITION, {"state": DeskState(True, True, True, False, 0.0)}),
        (Refusal.WORKING, {"state": DeskState(False, True, True, False, 0.0)}),
        (Refusal.DAILY_LOSS, {"state": DeskState(False, False, True, False, 0.0), "minute": 5.0}),
        (Refusal.FEATURES, {"minute": 5.0, "atm_iv": np.nan}),
        (Refusal.WINDOW, {"minute": 29.0, "made": blank(), "atm_iv": 0.2}),
        (Refusal.WINDOW, {"minute": 361.0}),
        (Refusal.EVENT, {"minute": 100.0, "events": (FOMC,), "made": blank(), "atm_iv": 0.2}),
        (Refusal.QUOTE, {"made": blank(), "atm_iv": 0.2}),
        (Refusal.WAIT, {"waits": Waits(answered=0.0), "risk": 0.5, "capital": 100.0}),
        (Refusal.WAIT, {"waits": Waits(skipped=46.0)}),
        (Refusal.QUANTITY, {"risk": 0.5, "capital": 100.0}),
        (Refusal.CAPITAL, {"capital": 62_000.0}),
    ],
)
def test_the_first_rule_that_says_no_is_the_one_that_is_told(
    expected: Refusal, case: dict[str, Any]
) -> None:
    choice = ask(wants(2), **case)
    assert choice.refusal is expected
    assert (choice.action, choice.allowed) == (Action.HOLD, False)
    np.testing.assert_array_equal(choice.probabilities, [1.0, 0.0, 0.0])


def test_a_policy_is_not_asked_when_only_hold_is_legal() -> None:
    policy = wants(2)
    ask(policy, minute=5.0)
    assert policy.asked == []
    ask(policy)
    assert [moment.slot for moment in policy.asked] == [12]


def test_one_right_may_be_refused_while_the_other_is_not() -> None:
    choice = ask(wants(2), blank(PUT), atm_iv=0.2)
    assert choice.mask == (True, True, False)
    assert choice.action is Action.HOLD
    assert ask(wants(1), blank(PUT), atm_iv=0.2).suggestion is not None
    wide = market().quote(CALL, 628, 60, ask=2.50)
    assert ask(wants(2), wide).mask == (True, False, True)


def test_a_policy_that_ignores_the_mask_cannot_break_the_rules() -> None:
    class Stubborn:
        name, actions, obeys_waits = "stubborn", 3, True

        def probabilities(self, moment: Moment) -> np.ndarray:
            return np.array([0.1, 0.2, 0.7])

    choice = ask(Stubborn(), blank(PUT), atm_iv=0.2)
    assert choice.action is Action.SELL_CALL


def test_the_first_of_equal_probabilities_is_taken() -> None:
    class Undecided:
        name, actions, obeys_waits = "undecided", 3, True

        def probabilities(self, moment: Moment) -> np.ndarray:
            return np.array([0.2, 0.4, 0.4])

    assert ask(Undecided()).action is Action.SELL_CALL


def test_a_policy_may_be_free_of_waits() -> None:
    waits = Waits(answered=59.0, skipped=59.0)
    assert ask(wants(2), waits=waits).refusal is Refusal.WAIT
    assert ask(wants(2, obeys_waits=False), waits=waits).suggestion is not None


def test_realised_profit_and_loss_count_as_capital() -> None:
    poorer = DeskState(False, False, False, False, -1.0)
    assert ask(wants(2), capital=62_800.0).suggestion is not None
    assert ask(wants(2), capital=62_800.0, state=poorer).refusal is Refusal.CAPITAL
    richer = DeskState(False, False, False, False, 800.0)
    assert ask(wants(2), capital=62_000.0, state=richer).suggestion is not None


def test_only_four_actions_can_close_and_only_with_valid_features() -> None:
    assert ask(wants(3, 4), state=HOLDING).action is Action.CLOSE
    assert ask(wants(3, 4), state=HOLDING).mask == (True, False, False, True)
    assert ask(wants(2), state=HOLDING).refusal is Refusal.POSITION
    assert ask(wants(3, 4), state=HOLDING, atm_iv=np.nan).action is Action.HOLD
    assert ask(wants(3, 4)).action is Action.HOLD  # nothing to close
    exiting = DeskState(True, True, False, False, 0.0)
    assert ask(wants(3, 4), state=exiting).refusal is Refusal.POSITION


@pytest.mark.parametrize("rule", ["otm", "delta=0.20"])
def test_the_strike_sold_follows_the_named_rule(rule: str) -> None:
    choice = ask(wants(1), rules={"strike": rule})
    assert choice.suggestion is not None
    assert choice.suggestion.contract.strike >= 629
    assert choice.suggestion.contract.right is CALL


def test_a_strike_rule_that_finds_nothing_is_a_missing_quote() -> None:
    assert ask(wants(1), blank(), atm_iv=0.2, rules={"strike": "otm"}).refusal is Refusal.QUOTE


@pytest.mark.parametrize(
    ("risk", "quantity", "multiple"), [(0.1, 3, 3.0), (0.3, 2, 4.0), (0.59, 2, 4.0), (0.6, 1, 5.0)]
)
def test_quantity_and_stop_are_fixed_from_the_risk_at_the_decision(
    risk: float, quantity: int, multiple: float
) -> None:
    suggestion = ask(wants(2), risk=risk, capital=300_000.0, contracts=3).suggestion
    assert suggestion is not None and suggestion.plan is not None
    assert (suggestion.quantity, suggestion.stop_multiple) == (quantity, multiple)
    assert suggestion.plan.margin == 62_800.0 * quantity


def test_one_yes_agrees_to_this_plan() -> None:
    made = market().quote(PUT, 628, 60, 2.35, 2.45)
    snapshot = ChainSnapshot(made.day(), 60)
    quote = snapshot.quote(contract())
    plan = entry_plan(snapshot, contract(), quote, 2, 3.0, Settings())
    assert plan.limit == pytest.approx(2.40)
    assert plan.worst_price == pytest.approx(2.32)
    assert plan.credit == pytest.approx(480.0)
    assert plan.stop_price == pytest.approx(7.20)
    assert plan.stop_loss == pytest.approx(960.0)
    assert plan.time_exit_ts == at(SESSION, 375)
    assert plan.pnl_up == pytest.approx(480.0)
    assert plan.pnl_down == pytest.approx(480 - (628 - 628.2013 * 0.99) * 200)
    assert plan.margin == 125_600.0


def test_a_plan_to_hold_has_no_time_exit_and_a_penny_option_a_tick_for_a_price() -> None:
    made = market().quote(PUT, 628, 60, 0.01, 0.01)
    snapshot = ChainSnapshot(made.day(), 60)
    keep = Settings(rules={"hold_to_expiry": True})
    plan = entry_plan(snapshot, contract(), snapshot.quote(contract()), 1, 3.0, keep)
    assert (plan.limit, plan.worst_price, plan.time_exit_ts) == (0.01, 0.01, None)
    assert made.ts.size == EVERY_MINUTE.size
