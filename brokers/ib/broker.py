"""Interactive Brokers as a Backtrader broker: approved entries, exits until flat, a native stop.

What IB says comes in through `OrderRoom`; positions and cash follow executions alone. Everything
happens in Cerebro's thread, and only `recover` waits. docs/ib-orders.md tells the whole story.
"""

import math
from collections.abc import Callable
from typing import Any

import backtrader as bt
from backtrader.position import Position

from brokers.base import DeskBroker
from brokers.ib.bar_view import BarView
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
from brokers.ib.refusals import refusal
from brokers.ib.restart import Restart
from brokers.ib.takers import Takers
from brokers.option_commission import OptionCommission
from feeds.contract import Contract
from feeds.option_contract import OptionContract
from feeds.sessions import to_new_york
from settings import Settings
from vocabulary import Clock, OrderLine

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
        self.bars = BarView(self.ledger, settings.live.bar_seconds)
        self.takers = Takers(self)
        self.bookings = Bookings(
            self.room, self.ledger, self.quotes, self.takers, self.tell, self.stamp
        )
        self.past_refs: set[str] = set()
        self.books_seen = 0
        self.books: Books | None = None
        self.entries = EntryDesk(self)

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
            return self.ledger.cash + self.bars.worth
        return sum(self.bars.value(data) for data in datas if data in self.positions)

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
        if room.unwritten.fault:
            return f"the journal cannot be written: {room.unwritten.fault}"
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
        """Qualify the contract and ask for the margin while the person is asked about an entry."""
        if order.info.get("exit_reason") is not None:
            return
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

        Executions that are not ours and that reduce our position become a manual exit; contracts
        that became shares leave at what they were worth. What nothing explains stays shown and is
        never traded against.
        """
        accepted = self.disputes.accept()
        return accepted + self.takers.accept(accepted) if accepted else ()

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
        order.addinfo(fills=[], order_ref="")  # named once it is at IB: intents are ours to write
        order.submit(self)
        self.tell(order)
        self.takers.owner = order.owner
        fault = refusal(self, order)
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
        self.bars.look(self.cerebro.datas[0])
        self.room.turn()
        self.entries.turn()
        self._end_exit_when_flat()
        self.closing.turn(self.clock.market_now())

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

    # --- what became certain (the room's listener)

    @property
    def excess_liquidity(self) -> float:
        """Dollars, as IB's last books told them; NaN before."""
        return math.nan if self.books is None else self.books.figures.excess_liquidity

    def executed(self, order: IBOrder, now: ExecutionSeen, before: ExecutionSeen | None) -> None:
        """An execution, or its correction."""
        self.bookings.executed(order, now)

    def charged(self, order: IBOrder, execution_id: str, commission: float) -> None:
        """A commission, dollars."""
        self.bookings.charged(order, execution_id, commission)

    def settled(self, books: Books) -> None:
        """Complete books: compare, adopt and cancel what nobody wants any more."""
        self.books = books
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

    def stamp(self) -> int:
        """Market time of what happens now, as the order of bars has it (`BarView.stamp`)."""
        return self.bars.stamp(self.clock.market_now())

    def new_order(
        self, kind: type[bt.Order], owner: bt.Strategy, contract: Contract, size: int, **info: Any
    ) -> bt.Order:
        """An order that nobody submitted."""
        return self._order(kind, owner, self.bars.data(contract), size, **info)
