"""What the gateway says, message by message: records for the desk, answers for requests.

The library's decoder calls one method a message, by the official names (EWrapper). Nothing is
filtered, merged or interpreted on the way: every openOrder, orderStatus, execDetails,
commissionReport and error becomes exactly one record, duplicates and corrections included.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from brokers.ib.answers import Answers, RefusedRequest
from brokers.ib.quote_watch import QuoteWatch
from brokers.ib.records import CommissionSeen, ErrorSeen, LinkEvent, StatusSeen
from brokers.ib.translate import (
    commission_seen,
    execution_seen,
    held_position,
    margin_impact,
    order_seen,
)

OPEN, COMPLETED, POSITIONS, CURRENT_TIME = "open orders", "completed orders", "positions", "time"
NO_ORDER = -1
CLIENT_ID_IN_USE = 326
READ_ONLY = "the gateway is in read-only mode: clear Read-Only API under Configure, API, Settings"

_INVALID = (320, 321)
REMARKS = {399, 404, 2109, 2137, 10349}
"""Codes about an order, or a what-if, that lives on."""


@dataclass(frozen=True, slots=True)
class Hearers:
    """Who is told, all in the link's thread.

    Args:
        event: a record for Cerebro's thread.
        wake: records are waiting.
        now: market time in nanoseconds.
        connectivity: (code, words) of messages about the line itself.
        accounts: the managed accounts, told again whenever the gateway tells them.
        used_id: an order id that the gateway knows; ours must be higher.
    """

    event: Callable[[LinkEvent], None]
    wake: Callable[[], None]
    now: Callable[[], int]
    connectivity: Callable[[int, str], None]
    accounts: Callable[[list[str]], None]
    used_id: Callable[[int], None]


class Messages:
    """The receiving end of one connection."""

    defaultTimezone = UTC

    def __init__(
        self, client_id: int, answers: Answers, watch: QuoteWatch, hearers: Hearers
    ) -> None:
        """To be made in the loop in which the connection will live."""
        self.lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.heard = time.monotonic()
        self.read_only = False
        self.unread = 0
        self.accounts: list[str] = []
        self.commissions: dict[tuple[str, int], CommissionSeen] = {}
        self._client_id = client_id
        self._answers = answers
        self._watch = watch
        self._tell = hearers
        self._news = False

    def lose(self, reason: str) -> None:
        """The line is gone; the first reason counts."""
        if not self.lost.done():
            self.lost.set_result(reason)
            self._answers.close(ConnectionError(reason))

    def unreadable(self, words: str) -> None:
        """A message that the decoder could not read: what it said is unknown, so say that.

        It is counted in `unread`: an answer around it may be incomplete.
        """
        self.unread += 1
        self._event(ErrorSeen(NO_ORDER, 0, f"a message could not be read: {words}"))

    # The socket.

    def tcpDataArrived(self) -> None:
        """Bytes came: the line lives."""
        self.heard = time.monotonic()

    def tcpDataProcessed(self) -> None:
        """A packet is through: whoever waits for records may look."""
        if self._news:
            self._news = False
            self._tell.wake()

    def connectAck(self) -> None:
        """The handshake is done; the library logs in by itself."""

    def setEventsDone(self) -> None:
        """The socket was closed, by whichever side."""
        self.lose("the gateway closed the connection")

    def connectionClosed(self) -> None:
        """The same for a connection that was up; `setEventsDone` has been called."""

    # Orders.

    def openOrder(self, orderId: int, contract: Any, order: Any, orderState: Any) -> None:
        """What the gateway holds an order to be, or the answer to a what-if."""
        self._tell.used_id(int(orderId))
        if order.whatIf:
            impact = margin_impact(orderState)
            if impact is not None:
                self._answers.add(orderId, impact)
                self._answers.end(orderId)
            return
        seen = order_seen(self._own(orderId, order.clientId), contract, order, orderState, False)
        self._answers.add(OPEN, (str(order.account), seen))
        self._event(seen)

    def openOrderEnd(self) -> None:
        """The list of open orders is complete."""
        self._answers.end(OPEN)

    def completedOrder(self, contract: Any, order: Any, orderState: Any) -> None:
        """An order of the day that is done; only ever an answer."""
        seen = order_seen(0, contract, order, orderState, True)
        self._answers.add(COMPLETED, (str(order.account), seen))

    def completedOrdersEnd(self) -> None:
        """The list of completed orders is complete."""
        self._answers.end(COMPLETED)

    def orderStatus(self, fields: list[str]) -> None:
        """orderStatus, from the fields of the message itself."""
        order, status, filled, remaining, _, permanent, _, _, client, held, *_ = fields[1:]
        self._event(
            StatusSeen(
                self._own(int(order), int(client or 0)),
                int(permanent or 0),
                status,
                float(filled or 0),
                float(remaining or 0),
                held,
            )
        )

    def execDetails(self, reqId: int, contract: Any, execution: Any) -> None:
        """An execution: live, or a part of an answer (then only that)."""
        seen = execution_seen(contract, execution, self._client_id)
        if self._answers.was_asked(reqId):
            self._answers.add(reqId, seen)
        else:
            self._event(seen)

    def execDetailsEnd(self, reqId: int) -> None:
        """The executions of the day are complete."""
        self._answers.end(reqId)

    def commissionReport(self, commissionReport: Any) -> None:
        """The commission of an execution; it comes again after every request for executions."""
        seen = commission_seen(commissionReport)
        self.commissions[seen.execution_id, seen.revision] = seen
        self._event(seen)

    # The account.

    def managedAccounts(self, accountsList: str) -> None:
        """Which accounts this login has."""
        self.accounts = [account for account in accountsList.split(",") if account]
        self._tell.accounts(self.accounts)

    def position(self, account: str, contract: Any, posSize: float, avgCost: float) -> None:
        """A position of the account."""
        seen = held_position(account, contract, posSize, avgCost)
        self._answers.add(POSITIONS, ((account, contract.conId), seen))

    def positionEnd(self) -> None:
        """The positions are complete."""
        self._answers.end(POSITIONS)

    def accountSummary(self, reqId: int, account: str, tag: str, value: str, currency: str) -> None:
        """A figure of the account."""
        self._answers.add(reqId, (account, tag, value, currency))

    def accountSummaryEnd(self, reqId: int) -> None:
        """The figures are complete."""
        self._answers.end(reqId)

    # Contracts, the time, market data.

    def contractDetails(self, reqId: int, contractDetails: Any) -> None:
        """One contract that fits what was asked for."""
        self._answers.add(reqId, contractDetails)

    def contractDetailsEnd(self, reqId: int) -> None:
        """All that fit."""
        self._answers.end(reqId)

    def marketRule(self, marketRuleId: int, priceIncrements: list[Any]) -> None:
        """The price steps of a market rule."""
        for one in priceIncrements:
            self._answers.add(("rule", marketRuleId), (float(one.lowEdge), float(one.increment)))
        self._answers.end(("rule", marketRuleId))

    def currentTime(self, seconds: int) -> None:
        """The gateway's clock, whole seconds since 1970 UTC."""
        self._answers.add(CURRENT_TIME, int(seconds))
        self._answers.end(CURRENT_TIME)

    def priceSizeTick(self, reqId: int, tickType: int, price: float, size: float) -> None:
        """A price with its size."""
        now = self._tell.now()
        self._watch.price(reqId, tickType, price, now)
        side = {1: 0, 2: 3, 66: 69, 67: 70}.get(tickType)
        if side is not None and size > 0:
            self._watch.size(reqId, side, size, now)

    def tickSize(self, reqId: int, tickType: int, size: float) -> None:
        """A size alone."""
        self._watch.size(reqId, tickType, size, self._tell.now())

    def marketDataType(self, reqId: int, dataType: int) -> None:
        """Whether what follows is live."""
        self._watch.data_type(reqId, dataType, self._tell.now())

    def tickOptionComputation(self, reqId: int, *figures: Any) -> None:
        """Greeks: only the underlying's price in them is of use."""
        self._watch.spot(reqId, float(figures[-1]), self._tell.now())

    # Errors.

    def error(
        self, reqId: int, errorCode: int, errorString: str, advancedOrderRejectJson: str = ""
    ) -> None:
        """An error or warning: of a request, of a subscription, of an order, or of the line."""
        words = " ".join(f"{errorString} {advancedOrderRejectJson}".split())
        if errorCode == CLIENT_ID_IN_USE:
            self.lose(f"client id {self._client_id} is in use at the gateway")
        if errorCode in _INVALID and "read-only" in words.lower():
            self._is_read_only(errorCode, words)
        if self._answers.waits(reqId):
            if errorCode not in REMARKS:
                self._answers.fail(reqId, RefusedRequest(errorCode, words))
        elif (watched := self._watch.contract(reqId)) is not None:
            self._watch.refused(reqId)
            self._event(ErrorSeen(NO_ORDER, errorCode, f"{watched}: {words}"))
        elif not self._answers.was_asked(reqId):
            self._event(ErrorSeen(reqId, errorCode, words))
            if reqId == NO_ORDER:
                self._tell.connectivity(errorCode, words)

    def _is_read_only(self, code: int, words: str) -> None:
        """In read-only mode the lists of orders never end: say so at once."""
        self.read_only = True
        for name in (OPEN, COMPLETED):
            self._answers.fail(name, RefusedRequest(code, READ_ONLY))

    def _own(self, order_id: int, client_id: int) -> int:
        """An order's id where it is ours, 0 where another client or a person placed it."""
        return order_id if client_id == self._client_id and order_id > 0 else 0

    def _event(self, event: LinkEvent) -> None:
        self._news = True
        self._tell.event(event)
