"""Orders in words: every fill and every end is told once, corrections too."""

from dataclasses import replace
from typing import Any

import backtrader as bt
from market import PUT, SESSION

from desk.markets import Mask
from desk.telling import Teller
from feeds.contract import Contract
from vocabulary import ExitReason, Fill

CONTRACT = Contract("SPY", SESSION.date, 628_000, PUT)
FILL = Fill(CONTRACT, -1, 1, 2.4, 1.05, SESSION.open_ns, 628.5, 2.4, "e1")


class Info(dict[str, Any]):
    """As Backtrader's."""


class Told:
    """What `Teller` reads of an order."""

    def __init__(self, ref: int, *fills: Fill, **info: Any) -> None:
        self.ref, self.status = ref, bt.Order.Completed
        self.info = Info(fills=list(fills), **info)
        self.data = self
        self.contract = CONTRACT


def said(*news: Told) -> list[str]:
    lines: list[str] = []
    teller = Teller(lines.append, Mask())
    for order in news:
        teller.told(order)
    return lines


def test_a_fill_is_told_once_and_its_commission_is_no_news() -> None:
    first, charged = Told(1, FILL), Told(1, replace(FILL, fee=1.3))
    assert said(first, first, charged) == ["[09:30:00] SOLD 1 SPY 628 PUT at 2.40"]


def test_a_price_that_the_broker_corrects_is_told() -> None:
    lines = said(Told(1, FILL), Told(1, replace(FILL, price=2.43)), Told(1, FILL))
    assert lines[1] == (
        "CORRECTED by the broker: [09:30:00] SOLD 1 SPY 628 PUT at 2.43, not 1 at 2.40"
    )
    assert lines[2].endswith("at 2.40, not 1 at 2.43")


def test_a_fill_of_an_earlier_process_is_not_told_again_but_its_correction_is() -> None:
    charged = Told(7, replace(FILL, fee=2.0), restated=FILL)
    assert said(charged) == []
    corrected = Told(7, replace(FILL, price=2.41), restated=FILL)
    assert said(charged, corrected)[0].startswith("CORRECTED by the broker")


def test_an_exit_says_why() -> None:
    bought = replace(FILL, side=1, price=0.05)
    (line,) = said(Told(2, bought, exit_reason=ExitReason.TIME_EXIT))
    assert line == "[09:30:00] BOUGHT 1 SPY 628 PUT at 0.05 (time_exit)"
