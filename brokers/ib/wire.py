"""One connection to TWS or IB Gateway: requests out, their answers in. Lives in the link's loop.

A connection is used once; after a loss the link makes a new one, so nothing of the old line (half
a message, an open request, a queue of the throttle) can reach into the new.
"""

import asyncio
from collections.abc import Awaitable, Hashable
from typing import Any, TypeVar

from brokers.ib.answers import Answers, RefusedRequest
from brokers.ib.api import Client, ExecutionFilter
from brokers.ib.messages import (
    COMPLETED,
    CURRENT_TIME,
    OPEN,
    POSITIONS,
    READ_ONLY,
    Hearers,
    Messages,
)
from brokers.ib.quote_watch import QuoteWatch
from brokers.ib.records import CommissionSeen, ExecutionSeen, HeldPosition, MarginImpact, OrderSeen
from brokers.ib.translate import execution_instant
from errors import BrokerError, GatewayUnreachableError

T = TypeVar("T")

SUMMARY_TAGS = "NetLiquidation,AvailableFunds,ExcessLiquidity,TotalCashValue"
GIVE_UP_SECONDS = 30.0
"""An answer without an id that is so late ends the line: only a new one can be asked again."""

_EXECUTION, _STATUS, _TIME_FIELD = 11, 3, 15
_HEARD = {1, 2, 3, 4, 5, 10, 11, 15, 21, 49, 52, 53, 55, 58, 59, 61, 62, 63, 64, 93, 101, 102}
"""Numbers of the messages that `Messages` understands; the others say nothing we need."""

_LISTEN = (
    "start IB Gateway or TWS there and switch on its socket clients, or name another --ib-port "
    "(paper: Gateway 4002, TWS 7497; live: 4001, 7496)"
)


class _Complaints:
    """Takes the place of the decoder's log, which is all it does with what it cannot read."""

    def __init__(self, messages: Messages) -> None:
        self._messages = messages

    def exception(self, text: object) -> None:
        """A message could not be decoded."""
        self._messages.unreadable(str(text)[:500])


class Wire:
    """Requests of one connection. Every answer that does not come raises `BrokerError`."""

    def __init__(
        self, client_id: int, answer_seconds: float, watch: QuoteWatch, hearers: Hearers
    ) -> None:
        """To be made in the loop in which the connection will live."""
        self.client_id = client_id
        self.last_id = 0
        self._seconds = answer_seconds
        self._answers = Answers()
        self.messages = Messages(client_id, self._answers, watch, hearers)
        self._client = Client(self.messages)
        self._rewire_decoder()

    def _rewire_decoder(self) -> None:
        """Exact times, whole statuses, no silent failures: see `Messages`."""
        decoder = self._client.decoder
        decoder.logger = _Complaints(self.messages)
        read_execution = decoder.handlers[_EXECUTION]

        def execution(fields: list[str]) -> None:
            # The library takes every time without a zone for the machine's own.
            seconds = execution_instant(fields[_TIME_FIELD]) // 1_000_000_000
            fields[_TIME_FIELD] = str(seconds)
            read_execution(fields)

        decoder.handlers = {
            number: reader if number in _HEARD else _ignore
            for number, reader in decoder.handlers.items()
        }
        decoder.handlers[_EXECUTION] = execution
        decoder.handlers[_STATUS] = self.messages.orderStatus

    # The connection.

    async def open(self, host: str, port: int) -> None:
        """Connect and log in. Raises `BrokerError` in words."""
        place, lost = f"{host}:{port}", self.messages.lost
        connecting = asyncio.ensure_future(
            self._client.connectAsync(host, port, self.client_id, self._seconds)
        )
        await asyncio.wait({connecting, lost}, return_when=asyncio.FIRST_COMPLETED)
        if lost.done() and not connecting.done():
            connecting.cancel()
        failures: list[object] = await asyncio.gather(connecting, return_exceptions=True)
        failure = failures[0]
        if lost.done() and not isinstance(failure, OSError):
            raise BrokerError(f"{place}: {lost.result()}")
        if isinstance(failure, TimeoutError):
            raise GatewayUnreachableError(
                f"{place} does not log us in within {self._seconds:g} s: is it TWS or IB Gateway, "
                "logged in, with this address among its trusted ones?"
            )
        if isinstance(failure, OSError):
            raise GatewayUnreachableError(f"nothing answers at {place}: {_LISTEN}")
        if isinstance(failure, BaseException):
            raise BrokerError(f"{place}: {failure or type(failure).__name__}")
        self._client.reqMarketDataType(1)

    @property
    def server_version(self) -> int:
        """As negotiated: never above what the library speaks."""
        return int(self._client.serverVersion())

    async def close(self) -> None:
        """Say goodbye: what is written still leaves, then the socket closes."""
        self._client.disconnect()
        await asyncio.wait({self.messages.lost}, timeout=0.5)
        self.abort("closed")

    def abort(self, reason: str) -> None:
        """Drop the socket at once: a half-open line takes nothing any more."""
        self.messages.lose(reason)
        transport = self._client.conn.transport
        if transport is not None:
            transport.abort()

    def never_below(self, request: int) -> None:
        """All ids from now on are at least this: none is used twice."""
        self._client.updateReqId(request)

    def next_id(self) -> int:
        """A fresh id, for a request or an order. Raises `BrokerError` when the line is down."""
        try:
            self.last_id = int(self._client.getReqId())
        except ConnectionError as error:
            raise BrokerError("the line to the gateway is down") from error
        return self.last_id

    # Orders: sent at once, nothing is awaited.

    def place(self, order_id: int, contract: Any, order: Any) -> None:
        """Send a new order or a change. Raises `ConnectionError` when the line is down."""
        self._client.placeOrder(order_id, contract, order)

    def cancel(self, order_id: int) -> None:
        """Send a cancel. Raises `ConnectionError` when the line is down."""
        self._client.cancelOrder(order_id)

    # Requests.

    async def what_if(self, contract: Any, order: Any) -> MarginImpact:
        """Margin and commission of an order that is not placed; `refused` has IB's no."""
        request = self.next_id()
        future = self._answers.ask(request)
        order.whatIf = True
        self._client.placeOrder(request, contract, order)
        try:
            (impact,) = await self._answered("the what-if", future)
        except RefusedRequest as refusal:
            words = READ_ONLY if self.messages.read_only else refusal.words
            return MarginImpact(refused=f"{refusal.code}: {words}")
        return impact  # type: ignore[no-any-return]

    async def details(self, contract: Any) -> list[Any]:
        """Everything that fits a contract. Raises `RefusedRequest` (200: nothing does)."""
        request = self.next_id()
        future = self._answers.ask(request)
        self._client.reqContractDetails(request, contract)
        return await self._answered("the contract", future)

    async def market_rule(self, rule: int) -> list[tuple[float, float]]:
        """(low edge, increment) of a market rule."""
        future = self._ask(("rule", rule))
        self._client.reqMarketRule(rule)
        return await self._answered(f"market rule {rule}", future)

    async def current_time(self) -> int:
        """The gateway's clock in whole seconds."""
        future = self._ask(CURRENT_TIME)
        self._client.reqCurrentTime()
        return int((await self._answered("the time", future))[-1])

    async def open_orders(self) -> list[tuple[str, OrderSeen]]:
        """(account, order) of every client and of the person, the newest word of each."""
        future = self._ask(OPEN)
        self._client.reqAllOpenOrders()
        newest: dict[object, tuple[str, OrderSeen]] = {}
        for account, seen in await self._listed("open orders", future):
            newest[seen.permanent_id or (seen.order_ref, seen.order_id)] = (account, seen)
        return list(newest.values())

    async def completed_orders(self) -> list[tuple[str, OrderSeen]]:
        """(account, order) of the day's orders that are done."""
        future = self._ask(COMPLETED)
        self._client.reqCompletedOrders(False)
        return await self._listed("completed orders", future)

    async def executions(self, account: str) -> list[ExecutionSeen]:
        """Every execution of the account today, all revisions."""
        request = self.next_id()
        future = self._answers.ask(request)
        self._client.reqExecutions(request, ExecutionFilter(acctCode=account))
        return await self._listed("executions", future)

    def commissions(self) -> list[CommissionSeen]:
        """What this connection was told of commissions; later ones come as events."""
        return list(self.messages.commissions.values())

    async def positions(self, account: str) -> list[HeldPosition]:
        """What the account holds."""
        future = self._ask(POSITIONS)
        self._client.reqPositions()
        newest = dict(await self._listed("positions", future))
        self._client.cancelPositions()
        return [held for held in newest.values() if held.account == account and held.quantity]

    async def summary(self, account: str) -> dict[str, float]:
        """Dollar figures of the account by tag; those in another currency are left out."""
        request = self.next_id()
        future = self._answers.ask(request)
        self._client.reqAccountSummary(request, "All", SUMMARY_TAGS)
        rows = await self._listed("account figures", future)
        self._client.cancelAccountSummary(request)
        return {
            tag: float(value)
            for owner, tag, value, currency in rows
            if owner == account and currency == "USD"
        }

    def subscribe(self, contract: Any) -> int:
        """Ask for ticks; the request's id."""
        request = self.next_id()
        self._client.reqMktData(request, contract, "", False, False, [])
        return request

    def unsubscribe(self, request: int) -> None:
        """Ask for no more ticks."""
        self._client.cancelMktData(request)

    def _ask(self, name: Hashable) -> asyncio.Future[list[Any]]:
        """Ask for something whose answer has no id: one at a time, a late one is waited for."""
        seconds = self._answers.open_seconds(name)
        if seconds is None:
            return self._answers.ask(name)
        if seconds > GIVE_UP_SECONDS:
            self.abort(f"the gateway never answered for {name}")
        raise BrokerError(f"the gateway has not yet answered an earlier request for {name}")

    async def _listed(self, what: str, future: Awaitable[list[Any]]) -> list[Any]:
        try:
            return await self._answered(what, future)
        except RefusedRequest as refusal:
            raise BrokerError(f"the gateway refuses {what}: {refusal.words}") from refusal

    async def _answered(self, what: str, future: Awaitable[T]) -> T:
        try:
            return await asyncio.wait_for(future, self._seconds)
        except TimeoutError:
            raise BrokerError(
                f"the gateway has not answered for {what} within {self._seconds:g} s"
            ) from None
        except ConnectionError as error:
            raise BrokerError(f"the line went while {what} was asked for: {error}") from error


def _ignore(fields: list[str]) -> None:
    """A message of no use to the desk."""
