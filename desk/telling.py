"""Orders in words: each fill and each end is told once, in the order in which it happened."""

from collections.abc import Callable
from typing import Any

import backtrader as bt

from desk.blind import masked_contract
from desk.markets.market import Mask
from feeds.contract import Contract
from feeds.sessions import to_new_york
from vocabulary import Fill

_ENDS = {
    bt.Order.Canceled: "canceled",
    bt.Order.Rejected: "rejected",
    bt.Order.Margin: "refused for margin",
    bt.Order.Expired: "expired",
}


class Teller:
    """Follows notifications of orders and says what a person should know of them."""

    def __init__(self, say: Callable[[str], None], mask: Mask) -> None:
        """`say` gets one line at a time."""
        self._say, self._mask = say, mask
        self._told: dict[int, tuple[Fill, ...]] = {}
        self._ended: set[int] = set()

    def told(self, order: bt.Order) -> None:
        """News of an order."""
        fills, restated = tuple(order.info.get("fills") or ()), order.info.get("restated")
        known = self._told.get(order.ref, () if restated is None else (restated,))
        for old, new in zip(known, fills, strict=False):
            if (old.price, old.quantity) != (new.price, new.quantity):
                self._say(f"CORRECTED by the broker: {self._filled(new, None)}, {_was(old)}")
        for fill in fills[len(known) :]:
            self._say(self._filled(fill, order.info.get("exit_reason")))
        self._told[order.ref] = fills
        end = _ENDS.get(order.status)
        if end is not None and order.ref not in self._ended and self._is_news(order):
            self._ended.add(order.ref)
            self._say(f"{self._name(order)} {end}: {order.info.get('reason') or 'no reason given'}")

    def _filled(self, fill: Fill, exit_reason: Any) -> str:
        verb = "BOUGHT" if fill.side > 0 else "SOLD"
        why = "" if exit_reason is None else f" ({exit_reason})"
        return (
            f"[{to_new_york(fill.ts):%H:%M:%S}] {verb} {fill.quantity} {self._of(fill.contract)} "
            f"at {fill.price:.2f}{why}"
        )

    def _name(self, order: bt.Order) -> str:
        what = "exit" if order.info.get("exit_reason") is not None else "entry"
        return f"{what} of {self._of(order.data.contract)}"

    def _of(self, contract: Contract) -> str:
        shown = masked_contract(contract, self._mask)
        return f"{shown.underlying} {shown.strike:g} {shown.right.name}"

    @staticmethod
    def _is_news(order: bt.Order) -> bool:
        """Not the exit placed in advance that gives way to another, nor what an answer led to."""
        was_asked = order.info.get("decision") is not None
        reached_broker = order.info.get("fills") is not None
        in_advance = order.info.get("good_after") is not None
        return (reached_broker or not was_asked) and not in_advance


def _was(old: Fill) -> str:
    return f"not {old.quantity} at {old.price:.2f}"
