"""The prompt reads as the design document shows it, to the letter."""

from dataclasses import replace
from datetime import date, datetime

from brokers.prompt import plan_text, suggestion_text
from feeds.contract import Contract, Right
from feeds.sessions import NEW_YORK, to_nanoseconds
from vocabulary import Action, ExitReason, Plan, Suggestion

DAY = date(2026, 7, 17)
ASKED = datetime(2026, 7, 17, 11, 7, 30, tzinfo=NEW_YORK)


def suggestion(exit_reason: ExitReason | None = None, side: int = -1) -> Suggestion:
    return Suggestion(
        id="1",
        ts=to_nanoseconds(ASKED),
        action=Action.SELL_PUT,
        contract=Contract("SPY", DAY, 628_000, Right.PUT),
        side=side,
        quantity=1,
        bid=2.35,
        ask=2.45,
        spot=628.50,
        risk_score=0.20,
        stop_multiple=3.0,
        features=(0.25, 0.6285, 0.155, 0, 0, 0, 0.20, 0.75),
        probabilities=(0.1, 0.2, 0.7),
        mask=(True, True, True),
        model="bundled",
        exit_reason=exit_reason,
    )


def test_the_worked_example() -> None:
    assert suggestion_text(suggestion()) == (
        "[11:07 AM] TRADE SUGGESTION\n"
        "Action: SELL 1 SPY 628 PUT\n"
        "SPY Price: $628.50\n"
        "Option Bid/Ask: $2.35 / $2.45\n"
        "Risk Score: 0.20\n"
        "\n"
        "Execute? (y/n/skip):"
    )


def test_an_exit_says_why() -> None:
    text = suggestion_text(suggestion(ExitReason.STOP_LOSS, side=1))
    assert "TRADE SUGGESTION (EXIT: stop_loss)" in text
    assert "Action: BUY 1 SPY 628 PUT" in text


PLAN = Plan(
    limit=2.40,
    worst_price=2.32,
    credit=240.0,
    stop_price=7.20,
    stop_loss=480.0,
    time_exit_ts=to_nanoseconds(ASKED.replace(hour=15, minute=45, second=0)),
    pnl_up=240.0,
    pnl_down=-338.5,
    margin=62_800.0,
)


def test_the_plan_says_in_dollars_what_one_yes_agrees_to() -> None:
    text = plan_text(
        replace(suggestion(), plan=PLAN),
        stop_at_broker=9.0,
        seconds=60.0,
        warnings=["FOMC at 2:00 PM"],
    )
    assert text == (
        "PLAN (one yes agrees to all of it)\n"
        "  Entry           sell 1 at $2.40, never below $2.32\n"
        "  Credit          $240.00\n"
        "  Stop            at $7.20, loses $480.00\n"
        "  At expiry       SPY +1 %: +$240.00   SPY -1 %: -$338.50\n"
        "  Margin          $62,800.00\n"
        "  Time exit       03:45 PM New York\n"
        "  Protection      a stop order rests at the broker at $9.00\n"
        "  Answer within   60 s\n"
        "  ! FOMC at 2:00 PM"
    )


def test_a_plan_without_a_stop_at_the_broker_says_so() -> None:
    text = plan_text(replace(suggestion(), plan=replace(PLAN, time_exit_ts=None)))
    assert "this desk alone: no stop order rests at the broker" in text
    assert "none: held to expiry" in text
    assert "Answer within" not in text


def test_a_purchase_reads_as_one() -> None:
    text = plan_text(replace(suggestion(side=1), plan=PLAN))
    assert "buy 1 at $2.40, never above $2.32" in text
    assert "Cost " in text and "Credit" not in text


def test_an_exit_tells_what_it_costs_about() -> None:
    text = plan_text(suggestion(ExitReason.STOP_LOSS, side=1), seconds=60.0)
    assert text == (
        "EXIT (stop_loss)\n"
        "  Closes          1 of the open position\n"
        "  Costs           about $245.00"
    )
    blind = plan_text(replace(suggestion(ExitReason.STOP_LOSS, side=1), ask=float("nan")))
    assert "unknown: no quote" in blind
