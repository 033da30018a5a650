"""Interactive Brokers as a Backtrader broker: approved entries, exits until flat, a native stop.

What IB says comes in through `OrderRoom`; positions and cash follow executions alone. Everything
happens in Cerebro's thread, and only `recover` waits. docs/ib-orders.md tells the whole story.
"""

import math
from collections.abc import Callable
from typing import Any

import backtrader as bt
from backtrader.order import BuyOrder, SellOrder
from backtrader.position import Position

from brokers.base import DeskBroker
from brokers.ib.bookings import Bookings
from brokers.ib.closing import ClosingDesk
from brokers.ib.disputes import Disputes
from brokers.ib.entry_desk import EntryDesk
from brokers.ib.exit_order import ExitOrder
from brokers.ib.exit_quotes import ExitQuotes, Quotes
from brokers.ib.ledger import COMMISSION, Ledger
from brokers.ib.margin_check import MarginCheck
from brokers.ib.native_stop import trigger_price
from brokers.ib.order_lines import order_line
from brokers.ib.order_room import STALE, OrderRoom
from brokers.ib.orders import IBOrder
from brokers.ib.reconcile import compare
from brokers.ib.records import Books, ExecutionSeen, LinkState
from brokers.ib.recovery import Recovery
from brokers.ib.restart import Restart
from brokers.option_commission import OptionCommission
from feeds.contract import MULTIPLIER, Contract
from feeds.option_contract import OptionContract
from feeds.sessions import to_new_york
from settings import Settings
from vocabulary import Clock, ExitReason, OrderLine, Suggestion

_PATIENCE_SECONDS = 2.0
"""An order in doubt, or books on their way, halt new suggestions after so long."""


class IBBroker(DeskBroker):
    """One entry, one exit, one position at a time.

    Entries carry `info["suggestion"]` with its plan, exits `info["exit_reason"]`; fills are
    appended to `info["fills"]`, the order at IB is named in `info["order_ref"]`.
    """

    def __init__(
        self,
        link: Any,
        journal: Any,
        clock: Clock,
        quotes: Quotes,
        settings: Settings,
        cash: float = 80_000.0,
    ) -> None:
        """`cash` dollars at the session's start; `link` is an `IBLink`, `journal` a `Journal`."""
        super().__init__()
        self.link, self.journal, self.clock, self.settings = link, journal, clock, settings
        self.startingcash = float(cash)
        ib = settings.ib
        self.room = OrderRoom(link, journal, clock, self, ib.answer_seconds)
        self.ledger = Ledger(cash)
        self.quotes = ExitQuotes(quotes, link, settings.rules.quote_age_seconds)
        self.closing = ClosingDesk(self.room, self.quotes, self.ledger, ib)
        self.margin = MarginCheck(link, clock, ib.margin_fraction, ib.answer_seconds)
        self.disputes = Disputes()
        self.bookings = Bookings(
            self.room, self.ledger, self.quotes, self._taker, self.tell, self._stamp
        )
        self.past_refs: set[str] = set()
        self.suggestions: dict[str, Suggestion] = {}
        self.books_seen = 0
        self._books: Books | None = None
        self.entries = EntryDesk(self)
        self._stopped_out: bt.Order | None = None
        self._owner: bt.Strategy | None = None
        self._worth = 0.0
        self._marks: dict[OptionContract, float] = {}
        self._bars = 0
        self._at_bar = False

    # --- Backtrader's questions, answered from memory

    @property
    def positions(self) -> dict[OptionContract, Position]:
        """Open positions by Backtrader's data."""
        return self.ledger.positions

    def getcommissioninfo(self, data: Any) -> OptionCommission:
        """The same for every contract."""
        return COMMISSION

    def getcash(self) -> float:
        """Cash in dollars, premium received included."""
        return self.ledger.cash

    def getvalue(self, datas: Any = None) -> float:
        """Cash and positions at the mid of the last bar, dollars; `datas` restricts positions."""
        if datas is None:
            return self.ledger.cash + self._worth
        return sum(self._value(data) for data in datas if data in self.positions)

    def getposition(self, data: Any) -> Position:
        """The position in a contract; an empty one where there is none."""
        known = self.positions.get(data)
        return known if known is not None else Position()

    # --- what the desk asks

    @property
    def halted(self) -> str:
        """Why no entry may be suggested now; empty when all is well."""
        room = self.room
        if room.state is not LinkState.UP:
            return f"Interactive Brokers: {self.link.line}"
        if not self.books_seen:
            return "IB's books have not been compared yet"
        if room.journal_fault:
            return f"the journal cannot be written: {room.journal_fault}"
        if self.disputes.confirmed:
            return f"books differ: {'; '.join(self.disputes.confirmed)}"
        if room.unclear_seconds > _PATIENCE_SECONDS:
            return f"orders are unclear: {'; '.join(room.doubts) or 'IB does not tell its books'}"
        return ""

    @property
    def line(self) -> str:
        """The state of the line, and what is wrong with the position's closing order."""
        parts = (self.link.line, self.closing.fault)
        return "; ".join(part for part in parts if part)

    def working(self) -> tuple[OrderLine, ...]:
        """Orders as a person sees them: those alive at IB, and entries that wait to be sent."""
        return tuple(map(order_line, self.room.live()))

    def prepare(self, order: bt.Order) -> None:
        """Qualify the contract and ask for the margin while the person is being asked."""
        suggestion = order.info["suggestion"]
        self.link.qualify([suggestion.contract])
        if suggestion.plan is not None and self.room.state is LinkState.UP:
            self.margin.ask(suggestion, suggestion.plan.limit)
            self.room.ask_for_books()

    def tighten_stop(self, price: float) -> str:
        """Move the desk's stop (dollars a share) nearer to the market; why not, else empty."""
        contract = next(iter(self.ledger.held()), None)
        if contract is None:
            return "there is no position"
        now = self.closing.stop_price(contract)
        if not price > 0 or (now is not None and price >= now):
            return f"a stop can only be tightened: below {now:.2f}" if now else "no such price"
        self.closing.drawn_stop = price
        return ""

    def native_stop_price(self) -> float | None:
        """Price of the stop at IB for the open position, None where there is none."""
        contract = next(iter(self.ledger.held()), None)
        price = None if contract is None else self.closing.stop_price(contract)
        factor = self.settings.ib.native_stop_factor
        return None if price is None else trigger_price(price, factor)

    def accept_books(self) -> tuple[str, ...]:
        """A person takes IB's books as they are; returns what was accepted.

        Executions that are not ours and that reduce our position become a manual exit. What has
        no execution (an assignment, say) stays shown and is never traded against.
        """
        accepted = self.disputes.accept()
        if self._books is not None:
            for seen in self.disputes.latest.foreign_executions:
                self._adopt_execution(seen)
            self.room.ask_for_books()
        return accepted

    def recover(self) -> Recovery:
        """Compare journal and IB before the first bar; waits for the line and for IB's books.

        Read `journal.memory()` after it: missed executions are in there then. Raises `BrokerError`
        where IB cannot be asked: unknown is never empty.
        """
        return Restart(self).run()

    # --- orders

    def submit(self, order: bt.Order) -> bt.Order:
        """Take an approved entry or an exit."""
        order.addcomminfo(COMMISSION)
        order.addinfo(fills=[])
        order.submit(self)
        self.tell(order)
        self._owner = order.owner
        fault = self._fault(order)
        if fault:
            self.end_order(order, order.reject, fault, self)
        elif order.info.get("exit_reason") is not None:
            self.closing.exit = ExitOrder(order)
            order.accept(self)
            self.tell(order)
            self.closing.turn(self.clock.market_now())
        else:
            self.entries.take(order)
        return order

    def cancel(self, order: bt.Order, reason: str = "canceled") -> None:
        """Cancel an order; an entry at IB is told as Canceled once IB's books prove it."""
        leaving = self.closing.exit
        if leaving is not None and leaving.order == order:
            self.closing.exit = None
            self.end_order(leaving.order, leaving.order.cancel, reason)
            return
        self.entries.cancel(order, reason)

    def next(self) -> None:
        """One turn: what IB said, then what is to be sent (idle loops included).

        Before the first bar Backtrader can hold no order: what IB says waits in the link.
        """
        if not len(self.cerebro.datas[0]):
            return
        self._look_at_bar()
        self.room.turn()
        self.entries.turn()
        self._end_exit_when_flat()
        self.closing.turn(self.clock.market_now())

    def _fault(self, order: bt.Order) -> str:
        if not isinstance(order.data, OptionContract):
            return "IBBroker trades single option contracts, no combos and no shares"
        if order.info.get("exit_reason") is not None:
            return self._exit_fault(order)
        suggestion = order.info.get("suggestion")
        if suggestion is None or suggestion.plan is None:
            return "an entry needs a suggestion with a plan"
        if self.halted or self.room.state is not LinkState.UP:
            return self.halted
        if self.ledger.held() or self.entries.alive():
            return "one position and one entry at a time"
        return ""

    def _exit_fault(self, order: bt.Order) -> str:
        held = self.ledger.held().get(order.data.contract, 0)
        if held * order.size >= 0 or abs(order.size) > abs(held):
            return f"nothing to close: the desk holds {held:+d} {order.data.contract}"
        return "another exit works already" if self.closing.exit is not None else ""

    def end_order(self, order: bt.Order, ending: Callable[..., Any], reason: str, *by: Any) -> None:
        """End Backtrader's order in one of its ways, with the reason in `info["reason"]`."""
        order.addinfo(reason=reason)
        ending(*by)
        self.tell(order)

    # --- exits

    def _end_exit_when_flat(self) -> None:
        """An exit whose position somebody else closed (the native stop) has nothing left to do."""
        leaving = self.closing.exit
        if leaving is None:
            return
        if not leaving.order.alive():
            self.closing.exit = None
        elif not self.ledger.held().get(leaving.contract):
            self.closing.exit = None
            self.end_order(leaving.order, leaving.order.cancel, "the position is closed")

    def _taker(self, order: IBOrder) -> bt.Order:
        """Backtrader's order that an execution of `order` belongs to."""
        entered = self.entries.behind(order)
        if entered is not None:
            return entered
        if order.purpose == "entry":
            return self._late_entry(order)
        leaving = self.closing.exit
        if leaving is not None and leaving.started_ts is not None and leaving.order.alive():
            leaving.order.addinfo(order_ref=order.order_ref)
            return leaving.order
        return self._stop_order(order)

    def _stop_order(self, order: IBOrder) -> bt.Order:
        """The native stop has fired: an exit that nobody ordered in this process."""
        known = self._stopped_out
        if known is not None and known.alive() and known.info["order_ref"] == order.order_ref:
            return known
        left = abs(self.ledger.held().get(order.ticket.contract, 0)) or order.ticket.quantity
        made = self._made(order, left, exit_reason=ExitReason.STOP_LOSS)
        made.addinfo(exit_decided_ts=self._stamp())
        self._stopped_out = made
        return made

    def _late_entry(self, order: IBOrder) -> bt.Order:
        """An entry of an earlier process that was filled while it was being cancelled."""
        suggestion = self.suggestions[order.order_ref]
        made = self._made(order, order.ticket.quantity, suggestion=suggestion)
        self.entries.adopt(made, suggestion, order)
        return made

    def _made(self, order: IBOrder, size: int, **info: Any) -> bt.Order:
        """An order that Backtrader's strategy has not made, told as Submitted and Accepted."""
        kind = BuyOrder if order.ticket.side > 0 else SellOrder
        data = self._data(order.ticket.contract)
        made = self._order(kind, self._strategy(), data, size, **info)
        made.addinfo(fills=[], order_ref=order.order_ref)
        made.addcomminfo(COMMISSION)
        made.submit(self)
        self.tell(made)
        made.accept(self)
        self.tell(made)
        return made

    def _adopt_execution(self, seen: ExecutionSeen) -> None:
        """Somebody else's execution that closes our position, as a manual exit of ours."""
        contract = seen.contract
        held = 0 if contract is None else self.ledger.held().get(contract, 0)
        if contract is None or held * seen.side >= 0 or seen.quantity > abs(held):
            return
        order = self.room.adopt_manual(seen, contract)
        made = self._made(order, seen.quantity, exit_reason=ExitReason.MANUAL)
        made.addinfo(exit_decided_ts=self._stamp())
        self.bookings.book_manual(order, seen, made)

    # --- what became certain (the room's listener)

    @property
    def excess_liquidity(self) -> float:
        """Dollars, as IB's last books told them; NaN before."""
        return math.nan if self._books is None else self._books.figures.excess_liquidity

    def executed(self, order: IBOrder, now: ExecutionSeen, before: ExecutionSeen | None) -> None:
        """An execution, or its correction."""
        self.bookings.executed(order, now)

    def charged(self, order: IBOrder, execution_id: str, commission: float) -> None:
        """A commission, dollars."""
        self.bookings.charged(execution_id, commission)

    def settled(self, books: Books) -> None:
        """Complete books: compare, adopt and cancel what nobody wants any more."""
        self._books = books
        self.books_seen += 1
        today = to_new_york(self.clock.market_now()).date()
        findings = compare(
            self.room.orders.values(), self.ledger.held(), books, today, past_refs=self.past_refs
        )
        if self.disputes.take(findings):
            self.room.ask_for_books(after_seconds=1.0)
        self.closing.disputed = self.disputes.held_by_them()
        self._tidy()

    def _tidy(self) -> None:
        """Orders that work at IB without anybody here who wants them."""
        wanted = self.entries.alive()
        closing = self.closing
        for order in self.room.live():
            if order.purpose == "entry" and not any(order is one.placed for one in wanted):
                self.room.cancel(order, STALE)
            elif order.purpose != "entry" and order is not closing.order:
                if closing.order is None or closing.order.is_final:
                    closing.order = order
                else:
                    self.room.cancel(order, "there is one closing order at a time")

    # --- small things

    def _look_at_bar(self) -> None:
        """Notice a new bar, and value positions at its mids."""
        bars = len(self.cerebro.datas[0])
        self._at_bar = bars != self._bars
        self._bars = bars
        if self._at_bar:
            self._show_restored()
            for data in self.positions:
                self._mark(data)
            self._worth = sum(map(self._value, self.positions))

    def _show_restored(self) -> None:
        """Positions of an earlier process get their Backtrader data with the first bar."""
        for contract in self.ledger.held():
            if self._data(contract) not in self.positions:
                self.ledger.show(self._data(contract))

    def _stamp(self) -> int:
        """Market time of what happens now; at a bar, never later than the bar."""
        now = self.clock.market_now()
        if not self._at_bar:
            return now
        return min(now, int(self.cerebro.datas[0].snapshot().ts))

    def _data(self, contract: Contract) -> OptionContract:
        data: OptionContract = self.cerebro.datas[0].contract(contract)
        return data

    def _strategy(self) -> bt.Strategy:
        return self._owner if self._owner is not None else self.cerebro.runningstrats[0]

    def _mark(self, data: OptionContract) -> None:
        mid = data.quote().mid
        if mid == mid:
            self._marks[data] = mid

    def _value(self, data: OptionContract) -> float:
        position = self.positions[data]
        return float(position.size * self._marks.get(data, position.price) * MULTIPLIER)
