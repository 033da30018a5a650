"""The lines below the prompt."""

from dataclasses import replace
from math import nan

from market import SESSION, at, contract

from desk.terminal.toolbar import quote_text, toolbar
from vocabulary import (
    Action,
    DeskStatus,
    LiveQuote,
    OpenQuestion,
    OrderLine,
    Position,
    Suggestion,
)

QUOTE = LiveQuote(contract(), 0, 2.35, 2.45, 10, 10, 628.5, 0.42)
SUGGESTION = Suggestion(
    "1", 0, Action.SELL_PUT, contract(), -1, 2, 2.35, 2.45, 628.5, 0.2, 3.0, (), (), (), "m"
)
STATUS = DeskStatus(
    market_ts=at(SESSION, 97.5),
    mode="paper",
    account="DU1234567",
    feed_line="theta live",
    broker_line="IB up",
    spot=628.5,
    day_pnl=-12.5,
    loss_left=1587.5,
)


def lines(status: DeskStatus) -> list[str]:
    return "".join(fragment[1] for fragment in toolbar(status)).split("\n")


def test_a_flat_desk_takes_two_lines() -> None:
    assert lines(STATUS) == [
        "11:07:30 | SPY 628.50 | flat | day -$12.50 | loss left $1,587.50",
        "paper DU1234567 | theta live | IB up",
    ]


def test_a_question_shows_price_age_and_seconds_left() -> None:
    status = replace(STATUS, question=OpenQuestion(SUGGESTION, 47.4, QUOTE, "bid fell 2 ticks"))
    assert lines(status)[0] == (
        "SELL 2 SPY 628 PUT | bid 2.35 ask 2.45 (theta, 0.4 s old) | 47 s left | bid fell 2 ticks"
    )
    unlimited = replace(STATUS, question=OpenQuestion(SUGGESTION, float("inf")))
    assert lines(unlimited)[0] == "SELL 2 SPY 628 PUT | no quote"


def test_a_halt_stands_first_and_is_marked() -> None:
    fragments = toolbar(replace(STATUS, halted="quotes are 12 s old"))
    assert fragments[0][:2] == ("class:halted", "HALTED: quotes are 12 s old")


def test_a_position_shows_its_profit_and_stop() -> None:
    position = Position(contract(), -1, 2, 2.4, 0, 0, 0.2, 3.0)
    status = replace(STATUS, position=position, position_pnl=35.0, stop_price=7.2)
    assert "short 2 SPY 628 PUT @ 2.40 +$35.00 stop 7.20" in lines(status)[0]


def test_working_orders_have_their_line() -> None:
    order = OrderLine("zdte-1", "sell 1 SPY 628 PUT at 2.40", "working", 0, 1)
    assert lines(replace(STATUS, orders=(order,)))[1] == "orders: sell 1 SPY 628 PUT at 2.40"


def test_a_quote_with_one_side_shows_that_side() -> None:
    assert quote_text(replace(QUOTE, bid=nan)) == "bid - ask 2.45 (theta, 0.4 s old)"
    assert quote_text(replace(QUOTE, bid=nan, ask=nan)) == "no quote"
