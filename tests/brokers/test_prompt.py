"""The prompt reads as the design document shows it, to the letter."""

from datetime import date, datetime

from brokers.prompt import suggestion_text
from feeds.contract import Contract, Right
from feeds.sessions import NEW_YORK, to_nanoseconds
from vocabulary import Action, ExitReason, Suggestion

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
