"""The half of a strategy that carries plans out: fills, positions, exits, and a person's commands.

It owns at most one entry order and one exit order. An exit is never sent while flat, never for more
than is open, and never beside another one. docs/execution.md fixes the order of things.
"""

from typing import Any

import backtrader as bt

from feeds.sessions import Session, session_on
from feeds.snapshot import ChainSnapshot, Quote
from settings import Settings
from strategies import rules
from strategies.position_tracker import PositionTracker
from vocabulary import NEVER_ASKED, Answer, DeskMemory, ExitReason, Fill, Position

NOT_YET = float("inf")
"""When an exit works that has not been sent."""


class PlanStrategy(bt.Strategy):
    """Follows orders and protects positions; subclasses decide on entries.

    Attributes:
        tracker: the desk's own books.
        books_fault: why the books cannot follow what the broker tells; empty when they can. It
            refuses entries until a person has looked.
    """

    settings: Settings
    tracker: PositionTracker
    feed: Any

    def _start_books(self, model: str, memory: DeskMemory | None) -> None:
        """Empty books, or those of the process before."""
        self.tracker = PositionTracker(model)
        self.books_fault = ""
        self._entry: bt.Order | None = None
        self._exit: bt.Order | None = None
        self._exit_works_from = NOT_YET
        self._fills_seen: dict[int, list[Fill]] = {}
        self._session: Session | None = None
        self._drawn_stop: float | None = None
        if memory is not None and memory.fills:
            self._restore_books(memory)

    def _restore_books(self, memory: DeskMemory) -> None:
        first = memory.fills[0].fill
        close = session_on(first.contract.expiration).close_ns
        limits = self.settings.rules
        time_exit = None if limits.hold_to_expiry else rules.time_exit_ts(close, limits)
        self.tracker.restore(memory, time_exit)
        if self.tracker.position is not None:
            self._drawn_stop = memory.stop_price

    # What a person or the desk tells it ----------------------------------------------------------

    @property
    def stop_price(self) -> float | None:
        """The stop in force, dollars a share; None when flat."""
        position = self.tracker.position
        if position is None:
            return None
        plan = position.stop_multiple * position.average_price
        return plan if self._drawn_stop is None else min(plan, self._drawn_stop)

    @property
    def exit_works(self) -> bool:
        """Whether an exit is looking for a fill: it has been sent, and its time has come."""
        if self._exit is None or not self._exit.alive() or self._session is None:
            return False
        return bool(self.feed.snapshot().ts >= self._exit_works_from)

    def close_position(self, reason: ExitReason) -> str:
        """Send an exit for all that is open; empty, or why there is nothing to send."""
        if self._session is None:
            return "no bar has arrived yet"
        if self.tracker.position is None:
            return "there is no open position"
        if self._exit is not None and self.exit_works and not self._is_asked(self._exit):
            return f"an exit works already ({self._exit.info['exit_reason']})"
        self._close_position(self.feed.snapshot(), reason)
        return ""

    def tighten_stop(self, price: float) -> str:
        """Draw the stop in to `price` (dollars a share); empty, or why not.

        It only comes nearer to the market, and is not taken where it would be hit at once.
        """
        position, present = self.tracker.position, self.stop_price
        if position is None or present is None or self._session is None:
            return "there is no open position"
        if self.exit_works:
            return "an exit works already"
        snapshot = self.feed.snapshot()
        mid = snapshot.quote(position.contract).mid
        value = position.contract.intrinsic(snapshot.spot)
        value = max(value, mid) if mid == mid else value
        fault = rules.stop_fault(price, present, value)
        if not fault:
            self._drawn_stop = price
        return fault

    def cancel_entry(self, reason: str) -> str:
        """Cancel a working entry or take its question back; empty, or why there is nothing."""
        if self._entry is None or not self._entry.alive():
            return "no entry is working"
        self.broker.cancel(self._entry, reason)
        return ""

    def _is_asked(self, order: bt.Order) -> bool:
        """Whether an exit is only a question yet: nobody said yes, nothing is at the market."""
        reason, decision = order.info["exit_reason"], order.info.get("decision")
        said_yes = decision is not None and decision.answer is Answer.YES
        is_held = order.status == bt.Order.Submitted and not said_yes
        is_put = self.settings.live.exits == "ask" and reason not in NEVER_ASKED
        return is_held and is_put

    # Exits ---------------------------------------------------------------------------------------

    def _protect(self, snapshot: ChainSnapshot, position: Position, quote: Quote) -> None:
        """Stop and profit target of an open position without a working exit."""
        intrinsic = position.contract.intrinsic(snapshot.spot)
        price, multiple = position.average_price, position.stop_multiple
        target = self.settings.rules.profit_target
        drawn = self._drawn_stop
        if rules.stop_is_hit(quote.mid, intrinsic, price, multiple) or (
            drawn is not None and rules.stop_is_hit(quote.mid, intrinsic, drawn, 1.0)
        ):
            self._close_position(snapshot, ExitReason.STOP_LOSS)
        elif target is not None and rules.profit_target_is_hit(quote.ask, price, target):
            self._close_position(snapshot, ExitReason.PROFIT_TARGET)

    def _close_position(self, snapshot: ChainSnapshot, reason: ExitReason) -> None:
        for order in (self._entry, self._exit):
            if order is not None and order.alive():
                self.broker.cancel(order, str(reason))
        self._exit = self._exit_order(reason, snapshot.ts)
        self._exit_works_from = snapshot.ts

    def _schedule_time_exit(self, snapshot: ChainSnapshot) -> None:
        """Place the time exit in advance, once the entry order is done."""
        entering = self._entry is not None and self._entry.alive()
        if entering or self.settings.rules.hold_to_expiry:
            return
        at = rules.time_exit_ts(snapshot.session.close_ns, self.settings.rules)
        self._exit = self._exit_order(ExitReason.TIME_EXIT, at, good_after=at)
        self._exit_works_from = at

    def _exit_order(self, reason: ExitReason, decided_ts: int, **terms: int) -> bt.Order:
        position = self.tracker.position
        assert position is not None
        send = self.buy if position.side < 0 else self.sell
        data = self.feed.contract(position.contract)
        return send(
            data=data,
            size=position.quantity,
            exit_reason=reason,
            exit_decided_ts=decided_ts,
            **terms,
        )

    # What the broker tells -----------------------------------------------------------------------

    def notify_order(self, order: bt.Order) -> None:
        """Follow our orders: fills into the books, answers into the waits, exits to their end."""
        self._adopt(order)
        self._count_fills(order)
        if self._entry is not None and order.ref == self._entry.ref:
            self._follow_answer(order)
        if self._exit is not None and order.ref == self._exit.ref and not order.alive():
            self._exit, self._exit_works_from = None, NOT_YET  # protect what is left anew
        if self._exit is not None:
            self._trim_exit(self._exit)

    def _follow_answer(self, order: bt.Order) -> None:
        """An entry order changed; subclasses start waits."""

    def _adopt(self, order: bt.Order) -> None:
        """Take over an exit that the broker kept working since the process before."""
        reason = order.info.get("exit_reason")
        if self._exit is not None or reason is None or not order.alive():
            return
        if reason is not ExitReason.SETTLEMENT:
            self._exit = order
            self._exit_works_from = order.info.get("good_after") or order.info["exit_decided_ts"]

    def _count_fills(self, order: bt.Order) -> None:
        fills = order.info.get("fills") or ()
        seen = self._fills_seen.setdefault(order.ref, [])
        for i, fill in enumerate(fills):
            try:
                if i >= len(seen):
                    seen.append(fill)
                    self._count_fill(order, fill)
                elif fill is not seen[i]:
                    old, seen[i] = seen[i], fill
                    self.tracker.correct(old, fill)
            except ValueError as error:
                if not self._survives_faults():
                    raise
                self.books_fault = str(error)
        if self.tracker.position is None:
            self._drawn_stop = None

    def _survives_faults(self) -> bool:
        """Whether books that cannot follow stop entries (live), or the run (a backtest)."""
        return False

    def _count_fill(self, order: bt.Order, fill: Fill) -> None:
        known = self.tracker.known(fill.execution_id)
        if known is not None:
            self.tracker.correct(known, fill)
        elif order.info.get("exit_reason") is None:
            self.tracker.entry_filled(fill, order.info["suggestion"])
        else:
            self._exit_filled(order, fill)

    def _exit_filled(self, order: bt.Order, fill: Fill) -> None:
        reason = order.info["exit_reason"]
        was_working = reason is ExitReason.SETTLEMENT and fill.ts >= self._exit_works_from
        decided_ts = order.info.get("exit_decided_ts")
        self.tracker.exit_filled(fill, reason, decided_ts, was_working)

    def _trim_exit(self, order: bt.Order) -> None:
        """Cancel an exit for more than is open: another order (a stop at the broker) closed it."""
        if not order.alive():
            return
        position = self.tracker.position
        filled = sum(fill.quantity for fill in order.info.get("fills") or ())
        if abs(order.created.size) - filled > (0 if position is None else position.quantity):
            self.broker.cancel(order, "the position it closes is smaller")
