"""The closing drill: an order far from the market is sent, changed, cancelled, and seen gone.

It shows before the session that this login may trade, that a change arrives, and that a cancel
kills. One contract is bid for at a cent or two while its ask is far above. For paper accounts.
"""

import time
from collections.abc import Callable

from brokers.ib.account_guard import is_paper
from brokers.ib.link import IBLink
from brokers.ib.messages import REMARKS
from brokers.ib.records import Books, ErrorSeen, LinkEvent, OrderSeen, OrderSent, OrderTicket
from errors import BrokerError
from feeds.contract import TICK, Contract

DRILL_REF = "zdte-drill"
_POLL_SECONDS = 0.01
_CANCELS = 3


class Drill:
    """One drill on a link that is up; nobody else may drain the link meanwhile."""

    def __init__(self, link: IBLink, contract: Contract) -> None:
        """`contract` should be near the money, so that a cent is far from its market."""
        self._link = link
        self._contract = contract
        self._ref = f"{DRILL_REF}-{time.time_ns() // 1_000_000:x}"
        self._seen: list[LinkEvent] = []
        self._read = 0
        self._order_id = 0

    def run(self) -> list[str]:
        """Send, change, cancel, look; what was shown, a line each.

        Raises `BrokerError` with what did not go as it must. Whatever happens, an order that left
        is cancelled, and it is looked for in the books; where it may still live, the error says so.
        """
        if not is_paper(self._link.account):
            raise BrokerError(f"{self._link.account} is no paper account: no drill on real money")
        self._link.drain()
        try:
            self._send(TICK)
            self._send(2 * TICK)
        finally:
            self._cancel()
        return [
            f"a bid of {TICK} for 1 {self._contract} was taken as order {self._order_id}",
            f"changed to {2 * TICK}",
            "cancelled, and gone by fresh books",
        ]

    def _send(self, limit: float) -> None:
        ticket = OrderTicket(self._ref, self._contract, 1, 1, limit, order_id=self._order_id)
        self._link.place(ticket)
        sent = self._wait(lambda one: isinstance(one, OrderSent) and one.order_ref == self._ref)
        assert isinstance(sent, OrderSent)
        self._order_id = sent.order_id
        self._wait(lambda one: self._shows(one, limit))

    def _shows(self, event: LinkEvent, limit: float) -> bool:
        if not isinstance(event, OrderSeen):
            return False
        return event.order_ref == self._ref and event.limit == limit

    def _wait(self, fits: Callable[[LinkEvent], bool]) -> LinkEvent:
        """The first event that fits; IB's error about our order ends the wait."""
        deadline = time.monotonic() + self._link.settings.answer_seconds
        while time.monotonic() < deadline:
            self._seen += self._link.drain()
            while self._read < len(self._seen):
                event = self._seen[self._read]
                self._read += 1
                if fits(event):
                    return event
                if isinstance(event, ErrorSeen) and self._refuses_us(event):
                    raise BrokerError(f"IB says {event.code}: {event.message}")
            time.sleep(_POLL_SECONDS)
        raise BrokerError("IB did not acknowledge the order of the drill in time")

    def _refuses_us(self, error: ErrorSeen) -> bool:
        by_id = self._order_id > 0 and error.order_id == self._order_id
        return error.code not in REMARKS and (by_id or error.order_ref == self._ref)

    def _cancel(self) -> None:
        """Cancel until fresh books no longer have the order among the open ones."""
        if not self._sent_id():
            return
        for _ in range(_CANCELS):
            self._link.cancel(self._sent_id())
            deadline = time.monotonic() + self._link.settings.answer_seconds / _CANCELS
            while time.monotonic() < deadline:
                books = self._link.books()
                self._refuse_a_fill(books)
                if not any(one.order_ref == self._ref for one in books.orders):
                    return
                time.sleep(0.1)
        raise BrokerError(
            f"order {self._sent_id()} ({self._ref}) may still work at IB: cancel it in TWS"
        )

    def _sent_id(self) -> int:
        self._seen += self._link.drain()
        sent = [one for one in self._seen if isinstance(one, OrderSent)]
        return sent[-1].order_id if sent else self._order_id

    def _refuse_a_fill(self, books: Books) -> None:
        if any(one.order_ref == self._ref for one in books.executions):
            raise BrokerError(f"the drill's bid for {self._contract} was filled: close it in TWS")
