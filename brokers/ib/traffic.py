"""What goes over the line: orders, questions, subscriptions. Runs in the link's loop.

An order leaves only while the line is up, and only on the line it was meant for; nothing is kept
for later and nothing is sent twice.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import date
from typing import Any

from brokers.ib.answers import RefusedRequest
from brokers.ib.api import Option, Order
from brokers.ib.line import Line
from brokers.ib.messages import NO_ORDER
from brokers.ib.qualifying import Pace, Qualified, Qualifier
from brokers.ib.reading_books import read_books
from brokers.ib.records import (
    Books,
    ErrorSeen,
    LinkEvent,
    MarginImpact,
    OrderSent,
    OrderTicket,
)
from brokers.ib.translate import option_fields, option_of, order_fields
from errors import BrokerError
from feeds.contract import Contract, Right


class Traffic:
    """Orders and questions of one link."""

    def __init__(
        self,
        line: Line,
        answer_seconds: float,
        event: Callable[[LinkEvent], None],
        wake: Callable[[], None],
    ) -> None:
        """Over `line`; `event` takes each record and `wake` says that some wait."""
        self._line = line
        self._seconds = answer_seconds
        self._event, self._wake = event, wake
        self._pace = Pace()
        self._qualifier = Qualifier(self._pace)
        self._to_qualify: dict[Contract, None] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._one_at_a_time = asyncio.Lock()
        line.came_up = self._begin_again

    # Orders.

    def place(self, ticket: OrderTicket, epoch: int) -> None:
        """Send a ticket now, or as soon as its contract is qualified; `epoch` is the asker's."""
        found = self._qualifier.known(ticket.contract)
        if found is not None or self._line.why_not(epoch):
            self._send(ticket, found, epoch)
        else:
            self._begin(self._qualify_and_send(ticket, epoch))

    async def _qualify_and_send(self, ticket: OrderTicket, epoch: int) -> None:
        try:
            found = await self._qualified(ticket.contract, urgent=True)
        except BrokerError as error:
            self.not_sent(ticket, str(error))
        else:
            self._send(ticket, found, epoch)

    def _send(self, ticket: OrderTicket, found: Qualified | None, epoch: int) -> None:
        why = self._line.why_not(epoch)
        if why or found is None or self._line.wire is None:
            self.not_sent(ticket, why)
            return
        fields = order_fields(ticket, self._line.account, found.ladder)
        if not any(fields.get(name, 0.0) > 0 for name in ("lmtPrice", "auxPrice")):
            self.not_sent(ticket, "the price is less than one tick")
            return
        try:
            order_id = ticket.order_id or self._line.wire.next_id()
            self._line.wire.place(order_id, found.library(), Order(orderId=order_id, **fields))
        except (BrokerError, ConnectionError) as error:
            self.not_sent(ticket, str(error))
            return
        self._event(OrderSent(ticket.order_ref, order_id))
        self._wake()

    def cancel(self, order_id: int) -> None:
        """Send a cancel at once."""
        try:
            self._line.connected().cancel(order_id)
        except (BrokerError, ConnectionError) as error:
            self._event(ErrorSeen(order_id, 0, f"the cancel was not sent: {error}"))
            self._wake()

    def not_sent(self, ticket: OrderTicket, why: str) -> None:
        """Tell that a ticket never left."""
        self._event(ErrorSeen(ticket.order_id, 0, f"not sent: {why}", ticket.order_ref))
        self._wake()

    # Questions.

    async def books(self) -> Books:
        """See `IBLink.books`."""
        wire, epoch = self._line.connected(), self._line.epoch
        why = self._line.why_not(epoch)
        if why:
            raise BrokerError(f"the books cannot be read: {why}")
        try:
            async with asyncio.timeout(self._seconds), self._one_at_a_time:
                books = await read_books(wire, self._line.account)
        except TimeoutError:
            seconds = self._seconds
            raise BrokerError(f"the books were not complete within {seconds:g} s") from None
        except ConnectionError as error:
            raise BrokerError(f"the line went while the books were read: {error}") from error
        why = self._line.why_not(epoch)
        if why:
            raise BrokerError(f"the books cannot be trusted: {why}")
        return books

    async def what_if(self, ticket: OrderTicket) -> MarginImpact:
        """See `IBLink.what_if`."""
        found = await self._qualified(ticket.contract, urgent=True)
        why = self._line.why_not(self._line.epoch)
        if why:
            raise BrokerError(f"no what-if: {why}")
        order = Order(**order_fields(ticket, self._line.account, found.ladder))
        return await self._line.connected().what_if(found.library(), order)

    async def strikes(self, underlying: str, expiration: date) -> tuple[int, ...]:
        """See `IBLink.strikes`."""
        fields = option_fields(Contract(underlying, expiration, 0, Right.PUT))
        try:
            found = await self._line.connected().details(Option(**fields))
        except RefusedRequest as refusal:
            words = f"IB lists no {underlying} options of {expiration}: {refusal.words}"
            raise BrokerError(words) from refusal
        listed = (option_of(one.contract) for one in found)
        return tuple(sorted({one.strike_thousandths for one in listed if one is not None}))

    def qualify(self, contract: Contract) -> None:
        """Qualify in the background, now or when the line is up again."""
        if self._qualifier.known(contract) is None and contract not in self._to_qualify:
            self._to_qualify[contract] = None
            self._begin(self._qualify(contract))

    async def _qualify(self, contract: Contract) -> None:
        wire = self._line.wire
        try:
            await self._qualified(contract)
        except BrokerError as error:
            if wire is not self._line.wire or wire is None:
                return  # the next UP begins again
            self._tell(str(error))
        self._to_qualify.pop(contract, None)

    def _tell(self, words: str) -> None:
        self._event(ErrorSeen(NO_ORDER, 0, words))
        self._wake()

    async def _qualified(self, contract: Contract, urgent: bool = False) -> Qualified:
        known = self._qualifier.known(contract)
        return known or await self._qualifier.qualify(contract, self._line.connected(), urgent)

    # Market data.

    def subscribe(self, contract: Contract) -> None:
        """Ask for a contract's ticks, now or at the next UP."""
        if self._line.wire is not None and not self._line.quotes.subscribed(contract):
            self._begin(self._subscribe(contract))

    def unsubscribe(self, contract: Contract) -> None:
        """Ask for no more."""
        request = self._line.quotes.ended(contract)
        if request is not None and self._line.wire is not None:
            with suppress(ConnectionError):  # it ended with the line
                self._line.wire.unsubscribe(request)

    async def _subscribe(self, contract: Contract) -> None:
        wire = self._line.wire
        try:
            found = await self._qualified(contract)
            await self._pace.turn()
            wanted = contract in self._line.quotes.wanted and not self._line.quotes.subscribed(
                contract
            )
            if wanted and wire is not None and wire is self._line.wire:
                self._line.quotes.began(wire.subscribe(found.library()), contract)
        except (BrokerError, ConnectionError) as error:
            if wire is self._line.wire:  # else the next UP begins again
                self._tell(f"no quotes of {contract}: {error}")

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Let something run by itself; the loop alone would forget it."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _begin_again(self) -> None:
        """The line came up: make the subscriptions, and ask for what was not answered."""
        for contract in list(self._line.quotes.wanted):
            self.subscribe(contract)
        for contract in self._to_qualify:
            self._begin(self._qualify(contract))
