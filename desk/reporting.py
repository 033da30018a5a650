"""What the desk tells while it runs: the status for screens, the heartbeat for the watchdog."""

import math
from typing import Any

from desk.heartbeat import Heartbeat
from desk.markets.market import LiveMarket
from desk.status import StatusBoard
from feeds.sessions import to_new_york
from vocabulary import Clock, OpenQuestion, OrderLine, Suggestion

EVERY_SECONDS = 0.1
"""Screens are told of moving prices and ages so often; of anything that happens at once."""


class Reporting:
    """Publishes the desk's state; for Cerebro's thread."""

    def __init__(
        self,
        market: LiveMarket,
        inner: Any,
        board: StatusBoard,
        heartbeat: Heartbeat,
        clock: Clock,
    ) -> None:
        """`inner` is the broker that executes."""
        self._market, self._inner, self._board = market, inner, board
        self._heartbeat, self._clock = heartbeat, clock
        self._due = -math.inf
        self._asked = ""

    def hurry(self) -> None:
        """Something happened: the next report goes out at once."""
        self._due = -math.inf

    def report(self, strategy: Any, question: Any, halted: str) -> None:
        """One loop's report. `question` is the approval broker's open one."""
        asked = "" if question is None else question[1].id
        now = self._clock.monotonic()
        if now < self._due and asked == self._asked:
            return
        self._due, self._asked = now + EVERY_SECONDS, asked
        position = None if strategy is None else strategy.tracker.position
        orders = working_orders(self._inner, strategy)
        self._board.publish(
            market_ts=self._clock.market_now(),
            feed_line=self._market.line,
            broker_line=getattr(self._inner, "line", "simulated fills at bid and ask"),
            halted=halted,
            question=None if question is None else self._question(question[1], question[2]),
            orders=orders,
            **self._money(strategy),
        )
        held = 0 if position is None else position.side * position.quantity
        self._heartbeat.beat(held, len(orders), halted)

    def _question(self, suggestion: Suggestion, seconds_left: float) -> OpenQuestion:
        quote = self._market.board.latest(suggestion.contract)
        return OpenQuestion(suggestion, seconds_left, quote)

    def _money(self, strategy: Any) -> dict[str, Any]:
        if strategy is None or not len(strategy):  # no bar yet
            return {}
        tracker, snapshot = strategy.tracker, self._market.feed.snapshot()
        position = tracker.position
        pnl = 0.0
        if position is not None:
            quote = self._market.board.latest(position.contract)
            mark = tracker.mark if quote is None else (quote.bid + quote.ask) / 2
            pnl = position.pnl(mark if math.isfinite(mark) else tracker.mark)
        return {
            "spot": snapshot.spot,
            "atm_iv": snapshot.atm_iv,
            "position": position,
            "position_pnl": pnl,
            "stop_price": strategy.stop_price,
            "day_pnl": strategy.equity - strategy.opening,
            "loss_left": strategy.loss_left,
            "wait_left": strategy.wait_left(self._clock.market_now()),
        }

    def message(self, text: str) -> None:
        """A line for every screen."""
        self._board.message(self._clock.market_now(), text)
        self.hurry()


def working_orders(inner: Any, strategy: Any) -> tuple[OrderLine, ...]:
    """Orders at the broker, as it tells them itself or as the strategy knows them."""
    told = getattr(inner, "working", None)
    if told is not None:
        return tuple(told())
    orders = [] if strategy is None else strategy.open_orders
    return tuple(_line(order) for order in orders)


def _line(order: Any) -> OrderLine:
    contract = order.data.contract
    side = "BUY" if order.isbuy() else "SELL"
    text = f"{side} {contract.strike:g} {contract.right.name}"
    reason = order.info.get("exit_reason")
    after = order.info.get("good_after")
    if reason is not None:
        text += f" ({reason}{f' at {to_new_york(after):%H:%M}' if after else ''})"
    filled = abs(order.executed.size)
    size = abs(order.created.size)
    return OrderLine(
        order.info.get("order_ref") or str(order.ref), text, order.getstatusname(), filled, size
    )
