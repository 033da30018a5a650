"""The start of a session at IB: nothing is traded before journal and gateway agree.

The same code runs on the first start and after a crash. It waits, because nothing else may happen
meanwhile; the answers come in as they always do, through the order room.
"""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from brokers.ib.messages import READ_ONLY
from brokers.ib.order_room import STALE
from brokers.ib.orders import IBOrder, OrderState
from brokers.ib.records import LinkState
from brokers.ib.recovery import Recovery, past_orders, suggestion_of
from brokers.journal.reader import JournalReader
from errors import AccountRefusedError, BrokerError
from vocabulary import Fill

if TYPE_CHECKING:
    from brokers.ib.broker import IBBroker

_PAUSE_SECONDS = 0.01


class Restart:
    """Brings a broker that has just been made up to date."""

    def __init__(self, broker: "IBBroker") -> None:
        """`broker` has seen nothing yet; its journal has an open session."""
        self._broker = broker
        self._room = broker.room
        self._patience = 4 * broker.settings.ib.answer_seconds

    def run(self) -> Recovery:
        """Restore, compare, cancel stale entries. Raises `BrokerError` where IB does not answer."""
        bookings = self._broker.bookings
        bookings.restoring = True
        try:
            self._restore()
            self._wait(lambda: self._broker.books_seen > 0 and self._is_settled())
            self._wait(lambda: self._is_settled() and not self._entries())
            self._protect()
        finally:
            bookings.restoring = False
        return self._recovery()

    def _restore(self) -> None:
        """Orders, fills and the drawn stop of this session."""
        broker = self._broker
        journal, session = broker.journal, broker.journal.session_id
        with JournalReader(journal.path) as reader, reader.at_one_instant():
            everything = reader.rows("intents")
            intents = [row for row in everything if row["session_id"] == session]
            orders = reader.rows("orders", [session])
            executions = reader.rows("executions")
            memory = reader.memory(session)
        broker.past_refs = {row["order_ref"] for row in everything}
        for order in past_orders(intents, orders, executions):
            self._room.adopt(order)
        for row in intents:
            suggestion = suggestion_of(row)
            if suggestion is not None:
                broker.takers.suggestions[row["order_ref"]] = suggestion
                broker.closing.multiples[suggestion.contract] = suggestion.stop_multiple
        for past in memory.fills:
            broker.ledger.put(past.fill)
        broker.closing.drawn_stop = memory.stop_price
        broker.bookings.known_until = memory.last_ts or 0

    def _wait(self, done: Callable[[], bool]) -> None:
        until = time.monotonic() + self._patience
        self._look()
        while not done():
            if time.monotonic() > until:
                if self._broker.books_seen:
                    return  # known, but not clear: the broker is halted until it is
                raise BrokerError(f"Interactive Brokers does not tell its books: {self._why()}")
            time.sleep(_PAUSE_SECONDS)
            self._look()

    def _protect(self) -> None:
        """A position gets its native stop now, not with the first bar."""
        broker = self._broker
        broker.closing.turn(broker.clock.market_now())
        self._wait(lambda: self._is_settled() and all(map(_is_calm, self._room.live())))

    def _look(self) -> None:
        link = self._broker.link
        if link.state is LinkState.REFUSED:
            raise AccountRefusedError(link.line)
        if link.is_read_only:
            raise AccountRefusedError(READ_ONLY)
        self._room.turn()
        if self._room.state is LinkState.DOWN and link.state is LinkState.UP:
            self._room.line_is(link.state)

    def _is_settled(self) -> bool:
        return self._room.is_clear and not self._broker.disputes.pending

    def _entries(self) -> list[IBOrder]:
        return [one for one in self._room.live() if one.purpose == "entry"]

    def _why(self) -> str:
        doubts = self._room.doubts
        return "; ".join(doubts) if doubts else str(self._broker.link.line)

    def _recovery(self) -> Recovery:
        broker = self._broker
        missed, stale = broker.bookings.missed, self._stale()
        sentences = [
            *broker.disputes.latest.sentences,
            *map(_missed, missed),
            *map(_cancelled, stale),
            *(f"found working at IB: {line.text}" for line in broker.working()),
        ]
        return Recovery(tuple(sentences), broker.halted, len(missed), len(stale))

    def _stale(self) -> list[IBOrder]:
        """Entries that were cancelled; one that was filled meanwhile is none of them."""
        stale = [one for one in self._room.orders.values() if one.cancel_reason == STALE]
        return [one for one in stale if one.state is not OrderState.FILLED]


def _is_calm(order: IBOrder) -> bool:
    return order.can_act


def _cancelled(order: IBOrder) -> str:
    if order.is_final:
        return f"cancelled at the start: {order.order_ref}"
    return f"is being cancelled, its end is not proven yet: {order.order_ref}"


def _missed(fill: Fill) -> str:
    verb = "bought" if fill.side > 0 else "sold"
    return (
        f"filled while the desk was away: {verb} {fill.quantity} {fill.contract} "
        f"at {fill.price:.2f}"
    )
