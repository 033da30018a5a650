"""The line to Interactive Brokers as Cerebro's thread sees it: plain values in, records out.

All of the client library lives in a thread of its own with one asyncio loop (`Line`). Nothing here
is held up by the gateway for longer than `answer_seconds`, and what is only sent does not wait at
all. After every UP the desk has to reconcile: the link resends nothing.
"""

import asyncio
import concurrent.futures
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from datetime import date
from typing import Any, TypeVar

from brokers.ib.line import Line
from brokers.ib.records import (
    AccountRule,
    Books,
    ErrorSeen,
    LinkEvent,
    LinkState,
    MarginImpact,
    OrderTicket,
)
from brokers.ib.traffic import Traffic
from brokers.ib.translate import ticket_problem
from errors import BrokerError
from feeds.contract import Contract
from feeds.sessions import to_new_york
from settings import IBSettings
from vocabulary import LiveQuote

T = TypeVar("T")

_CLOSE_SECONDS = 4.0
_GRACE_SECONDS = 1.0
"""Beyond the loop's own time-out, before a caller's thread gives up on the loop itself."""


class IBLink:
    """The account behind a gateway; every method but `books` and `what_if` returns at once."""

    def __init__(
        self,
        settings: IBSettings,
        rule: AccountRule,
        wake: Callable[[], None],
        now: Callable[[], int],
    ) -> None:
        """A link that does nothing yet.

        Args:
            settings: address, client id, time-outs.
            rule: which account may be traded.
            wake: called from the link's thread when records wait in `drain()`.
            now: market time in nanoseconds, for the ages of quotes; called from any thread.
        """
        self.settings = settings
        self._wake, self._now = wake, now
        self._events: deque[LinkEvent] = deque()
        self._line = Line(settings, rule, self._events.append, wake, now)
        self._traffic = Traffic(self._line, settings.answer_seconds, self._events.append, wake)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._door = threading.Lock()  # nothing goes to a loop that is about to end
        self._thread: threading.Thread | None = None
        self._books: concurrent.futures.Future[Books] | None = None
        self._margins: dict[str, concurrent.futures.Future[MarginImpact]] = {}

    # What a person sees.

    @property
    def state(self) -> LinkState:
        """What the line is worth now."""
        return self._line.status[0]

    @property
    def line(self) -> str:
        """The same in one line, and since when (market time, New York)."""
        state, reason, since = self._line.status
        return f"IB {state} since {to_new_york(since):%H:%M:%S}: {reason}"

    @property
    def account(self) -> str:
        """The account that is traded; empty before the first UP."""
        return self._line.account

    @property
    def server_version(self) -> int:
        """As negotiated with the library; `handshake.server_version_of` tells the gateway's own."""
        return self._line.server_version

    @property
    def skew_seconds(self) -> float:
        """The gateway's clock less this machine's, to about half a second; NaN while unknown."""
        return self._line.heartbeat.skew_seconds

    @property
    def is_read_only(self) -> bool:
        """Whether the gateway has said that it takes no orders (Read-Only API)."""
        return self._line.is_read_only

    # Life.

    def start(self) -> None:
        """Begin to connect, in a thread of its own; returns at once."""
        if self._thread is not None:
            return
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), name="ib", daemon=True)
        self._thread.start()
        ready.wait()

    def close(self) -> None:
        """End the line within 5 s; may be called twice. Orders at IB stay as they are."""
        self._post(self._line.stop)
        if self._thread is not None:
            self._thread.join(_CLOSE_SECONDS)

    def _run(self, ready: threading.Event) -> None:
        with asyncio.Runner() as runner:
            self._loop = runner.get_loop()
            ready.set()
            try:
                runner.run(self._line.live())
            finally:
                with self._door:
                    self._loop = None  # whoever comes later is told at once
                runner.run(asyncio.sleep(0))  # who came before is answered yet

    def drain(self) -> list[LinkEvent]:
        """All records since the last call, in the order in which they came."""
        return [self._events.popleft() for _ in range(len(self._events))]

    # Orders.

    def place(self, ticket: OrderTicket) -> None:
        """Send a new order, or with an `order_id` change that one; never blocks.

        `OrderSent` follows; or `ErrorSeen` with code 0 and the ticket's ids when nothing was sent.
        A ticket of before a loss of the line is not sent after it.
        """
        why = ticket_problem(ticket)
        if not why and not self._post(self._traffic.place, ticket, self._line.epoch):
            why = self._stopped
        if why:
            self._traffic.not_sent(ticket, why)

    def cancel(self, order_id: int) -> None:
        """Ask IB to cancel an order; never blocks. Only a status or a fresh `books()` tells."""
        if not self._post(self._traffic.cancel, order_id):
            words = f"the cancel was not sent: {self._stopped}"
            self._events.append(ErrorSeen(order_id, 0, words))
            self._wake()

    # Questions.

    def books(self) -> Books:
        """Orders, executions, positions and figures, asked anew; blocks up to `answer_seconds`.

        Raises `BrokerError` when anything of it is missing: unknown is never empty.
        """
        return self._wait(self._start(self._traffic.books()), "the books")

    def ask_books(self) -> None:
        """Ask for the books without waiting; a second call asks anew."""
        self._books = self._start(self._traffic.books())

    def take_books(self) -> Books | BrokerError | None:
        """What `ask_books` brought, once; None while it is under way or was not asked."""
        if self._books is None or not self._books.done():
            return None
        future, self._books = self._books, None
        return _outcome(future)

    def what_if(self, ticket: OrderTicket) -> MarginImpact:
        """Margin and commission a ticket would take; blocks up to `answer_seconds`.

        Raises `BrokerError` where IB does not answer; its no is in `refused`.
        """
        return self._wait(self._start(self._what_if(ticket)), "the what-if")

    def ask_what_if(self, ticket: OrderTicket) -> None:
        """Ask for a ticket's margin without waiting; the answer is kept under its `order_ref`."""
        self._margins[ticket.order_ref] = self._start(self._what_if(ticket))

    def take_what_if(self, order_ref: str) -> MarginImpact | BrokerError | None:
        """What `ask_what_if` brought, once; None while it is under way or was not asked."""
        future = self._margins.get(order_ref)
        if future is None or not future.done():
            return None
        del self._margins[order_ref]
        return _outcome(future)

    async def _what_if(self, ticket: OrderTicket) -> MarginImpact:
        problem = ticket_problem(ticket)
        return MarginImpact(refused=problem) if problem else await self._traffic.what_if(ticket)

    def qualify(self, contracts: Sequence[Contract]) -> None:
        """Qualify contracts in the background, in this order; the answers are kept."""
        for contract in contracts:
            self._post(self._traffic.qualify, contract)

    def strikes(self, underlying: str, expiration: date) -> tuple[int, ...]:
        """Strikes that IB lists for a day, thousandths of a dollar, ascending; blocks.

        Raises `BrokerError` where IB knows none or does not answer.
        """
        return self._wait(self._start(self._traffic.strikes(underlying, expiration)), "the strikes")

    # Market data.

    def watch(self, contract: Contract) -> None:
        """Subscribe to IB's quotes of a contract, again after every loss of the line."""
        self._line.quotes.wanted[contract] = None
        self._post(self._traffic.subscribe, contract)

    def unwatch(self, contract: Contract) -> None:
        """End a subscription."""
        self._line.quotes.wanted.pop(contract, None)
        self._post(self._traffic.unsubscribe, contract)

    def quote(self, contract: Contract) -> LiveQuote | None:
        """IB's newest quote of a watched contract, its age by market time; None for none."""
        return self._line.quotes.quote(contract, self._now())

    # Between the threads.

    @property
    def _stopped(self) -> str:
        return f"the link is not running: {self._line.status[1]}"

    def _post(self, act: Callable[..., object], *arguments: object) -> bool:
        """Run something in the loop, soon; False when there is none."""
        with self._door:
            if self._loop is None:
                return False
            self._loop.call_soon_threadsafe(act, *arguments)
            return True

    def _start(self, coroutine: Coroutine[Any, Any, T]) -> "concurrent.futures.Future[T]":
        with self._door:
            if self._loop is not None:
                return asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        coroutine.close()
        none: concurrent.futures.Future[T] = concurrent.futures.Future()
        none.set_exception(BrokerError(self._stopped))
        return none

    def _wait(self, future: "concurrent.futures.Future[T]", what: str) -> T:
        if threading.current_thread() is self._thread:
            future.cancel()
            raise BrokerError(f"{what}: the link's own thread cannot wait for itself")
        seconds = self.settings.answer_seconds + _GRACE_SECONDS
        try:
            return future.result(seconds)
        except concurrent.futures.CancelledError as error:
            raise BrokerError(self._stopped) from error
        except TimeoutError as error:
            future.cancel()
            raise BrokerError(f"{what}: the link has not answered within {seconds:g} s") from error


def _outcome(future: "concurrent.futures.Future[T]") -> T | BrokerError:
    """A done future's result, or its failure as a value."""
    try:
        return future.result()
    except BrokerError as error:
        return error
    except concurrent.futures.CancelledError:
        return BrokerError("the link was closed")
