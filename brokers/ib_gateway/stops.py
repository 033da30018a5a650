"""When a stop triggers: IB's trigger methods, as its guide to TWS describes them.

A sale looks at the ask and triggers at or below the stop, a purchase at the bid, at or above.
Method 1 (and 0, the default for options) wants two consecutive such quotes, the second of greater
size if at the same price; 4 wants one, 8 the mid; 2 and 3 want one or two trades, and the only
trades here are the stand-in's own; 7 is 2 or 4.
"""

from math import isnan

from brokers.ib_gateway.ledger import Ledger
from brokers.ib_gateway.market import Quote
from brokers.ib_gateway.records import GatewayOrder

DEFAULT = 1


class StopWatch:
    """Remembers what the stops have seen, which lasts no longer than the process."""

    def __init__(self, ledger: Ledger) -> None:
        """`ledger` has the trades."""
        self._ledger = ledger
        self._seen: dict[int, tuple[float, int]] = {}

    def forget(self, permanent_id: int) -> None:
        """An order changed or ended."""
        self._seen.pop(permanent_id, None)

    def triggers(self, order: GatewayOrder, quote: Quote) -> bool:
        """Whether the quote in force sets it off."""
        method = order.terms.trigger_method or DEFAULT
        bid, ask, bid_size, ask_size = quote
        price, size = (bid, bid_size) if order.terms.side > 0 else (ask, ask_size)
        if method == 8:
            return self._beyond(order, (bid + ask) / 2)
        if method in (2, 3, 7) and self._by_trades(order, 2 if method == 3 else 1):
            return True
        if method in (4, 7):
            return self._beyond(order, price)
        return method == 1 and self._twice(order, price, size)

    def _twice(self, order: GatewayOrder, price: float, size: int) -> bool:
        before = self._seen.get(order.permanent_id)
        if not self._beyond(order, price):
            self.forget(order.permanent_id)
            return False
        self._seen[order.permanent_id] = (price, size)
        if before is None:
            return False
        return price != before[0] or size > before[1]

    def _by_trades(self, order: GatewayOrder, count: int) -> bool:
        trades = [
            one.price
            for one in self._ledger.executions
            if one.con_id == order.con_id and one.ts >= order.placed_ts
        ]
        return len(trades) >= count and all(self._beyond(order, p) for p in trades[-count:])

    @staticmethod
    def _beyond(order: GatewayOrder, price: float) -> bool:
        stop = order.terms.stop
        if stop is None or isnan(price) or price <= 0:
            return False
        return order.terms.side * (price - stop) >= -1e-9
