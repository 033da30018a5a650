"""The line, kept up: connect, check the account, heartbeat, and after any loss connect again.

The pauses grow, the client id stays the same, because orders belong to the id that placed them.
Everything here runs in the link's one asyncio loop, and ends when it is told to stop.
"""

import asyncio
import logging
from collections.abc import Callable

from brokers.ib.account_guard import permitted_account
from brokers.ib.heartbeat import Heartbeat
from brokers.ib.messages import Hearers
from brokers.ib.quote_watch import QuoteWatch
from brokers.ib.records import (
    AccountRule,
    LinkChanged,
    LinkEvent,
    LinkState,
)
from brokers.ib.wire import Wire
from errors import AccountRefusedError, BrokerError
from settings import IBSettings

FIRST_RETRY_SECONDS = 0.5
LONGEST_RETRY_SECONDS = 30.0

_BROKEN_BEYOND = {1100, 2110}
_FARMS_FINE = {2104, 2106, 2158}
_BACK_WITHOUT_DATA = 1101
_BACK = {1101, 1102}
_PORT_CHANGED = 1300


class Line:
    """One account behind a gateway, over as many connections as it takes.

    `status` is (state, reason, since: market time in nanoseconds), replaced as a whole; `epoch`
    counts the times the line came up, so that a ticket of before a loss is not sent after it.
    """

    def __init__(
        self,
        settings: IBSettings,
        rule: AccountRule,
        event: Callable[[LinkEvent], None],
        wake: Callable[[], None],
        now: Callable[[], int],
    ) -> None:
        """No line yet; the arguments are those of `IBLink`, `event` takes each record.

        `came_up` may be set: called when subscriptions have to be made, again after a loss.
        """
        self.status: tuple[LinkState, str, int] = (LinkState.DOWN, "not started", now())
        self.account = ""
        self.server_version = 0
        self.epoch = 0
        self.quotes = QuoteWatch()
        self.came_up: Callable[[], None] = _nothing
        self.heartbeat = Heartbeat(settings.silence_seconds)
        self._settings, self._rule = settings, rule
        self._event, self._wake, self._now = event, wake, now
        self.wire: Wire | None = None
        self._highest_id = 0
        self._logins = 0
        self._refusal: AccountRefusedError | None = None
        self._beyond = ""
        self._told_here = False
        self._main: asyncio.Task[None] | None = None

    # Keeping it up.

    async def live(self) -> None:
        """Keep a line up until `stop()`, or until the account is refused: that is final."""
        self._main = asyncio.current_task()
        try:
            self._become(LinkState.CONNECTING, f"connecting to {self._place}")
            await self._keep_up()
        except AccountRefusedError as refusal:
            self._become(LinkState.REFUSED, str(refusal))
        except asyncio.CancelledError:
            self._become(LinkState.DOWN, "closed")

    def stop(self) -> None:
        """End `live()`."""
        if self._main is not None:
            self._main.cancel()

    async def _keep_up(self) -> None:
        pause = FIRST_RETRY_SECONDS
        while True:
            logins = self._logins
            try:
                reason = await self._one_connection()
            except AccountRefusedError:
                raise
            except BrokerError as error:
                reason = str(error)
            except Exception as error:  # the desk must see the line go, and get it back
                logging.getLogger(__name__).exception("the line failed inside")
                reason = f"our own mistake: {error!r}"
            self._become(LinkState.DOWN, reason)
            pause = FIRST_RETRY_SECONDS if self._logins > logins else pause
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_RETRY_SECONDS)

    async def _one_connection(self) -> str:
        """Connect and stay; why the line was lost. Raises `BrokerError` where there was none."""
        settings, self._told_here = self._settings, False
        wire = Wire(settings.client_id, settings.answer_seconds, self.quotes, self._hearers())
        try:
            await wire.open(settings.host, settings.port)
            await self.heartbeat.settle(wire)
            self._admit(wire.messages.accounts)
            wire.never_below(self._highest_id + 1)
            self._up(wire)
            reason = await self.heartbeat.until_lost(wire)
            if self._refusal is not None:
                raise self._refusal
            return reason
        except asyncio.CancelledError:
            await wire.close()
            raise
        finally:
            self.wire = None
            self._highest_id = max(self._highest_id, wire.last_id)
            self.quotes.line_lost()
            wire.abort("the line was given up")

    def _hearers(self) -> Hearers:
        return Hearers(
            event=self._event,
            wake=self._wake,
            now=self._now,
            connectivity=self._connectivity,
            accounts=self._accounts_told,
            used_id=self._id_used,
        )

    def _admit(self, accounts: list[str]) -> None:
        """Raises `AccountRefusedError` for an account that may not be traded, or another one."""
        account = permitted_account(accounts, self._rule)
        if self.account and account != self.account:
            raise AccountRefusedError(
                f"the gateway now has account {account}, this desk began on {self.account}: log in "
                "there again, or start the desk anew"
            )
        self.account = account

    def _accounts_told(self, accounts: list[str]) -> None:
        """The gateway tells its accounts again: the guard looks again."""
        if self.wire is None:
            return  # told while connecting: `_one_connection` looks
        try:
            self._admit(accounts)
        except AccountRefusedError as refusal:
            self._refusal = refusal
            self.wire.abort(str(refusal))

    def _up(self, wire: Wire) -> None:
        self.wire, self.server_version = wire, wire.server_version
        self._logins += 1
        if self._beyond:
            self._become(LinkState.BROKEN_BEYOND, self._beyond, again=True)
        else:
            self._back_up(self._at_work)
        self.came_up()

    def _back_up(self, reason: str) -> None:
        self.epoch += 1
        self._become(LinkState.UP, reason, again=True)

    def _connectivity(self, code: int, words: str) -> None:
        """What the gateway says of its own line to IB.

        That it is broken outlives our connection to the gateway. It is whole again when 1101 or
        1102 say so, or when a gateway that was connected to anew finds its data farms.
        """
        was_beyond = self._beyond
        if code in _BROKEN_BEYOND:
            self._beyond, self._told_here = words, True
        elif code in _BACK or (code in _FARMS_FINE and not self._told_here):
            self._beyond = ""
        if self.wire is None:
            return  # `_up` looks at what was told during the login
        if self._beyond:
            self._become(LinkState.BROKEN_BEYOND, self._beyond)
        elif code in _BACK or was_beyond:
            if code == _BACK_WITHOUT_DATA:
                self.quotes.line_lost()
                self.came_up()
            self._back_up(words if code in _BACK else self._at_work)
        if code == _PORT_CHANGED:
            self.wire.abort(words)

    def _id_used(self, order_id: int) -> None:
        self._highest_id = max(self._highest_id, order_id)
        if self.wire is not None:
            self.wire.never_below(order_id + 1)

    @property
    def is_read_only(self) -> bool:
        """Whether the gateway has said on this connection that it takes no orders."""
        wire = self.wire
        return wire is not None and wire.messages.read_only

    @property
    def _at_work(self) -> str:
        return f"account {self.account} at {self._place}"

    @property
    def _place(self) -> str:
        return f"{self._settings.host}:{self._settings.port}"

    def _become(self, state: LinkState, reason: str, again: bool = False) -> None:
        before, told, since = self.status
        if (before, told) == (state, reason) and not again:
            return
        self.status = (state, reason, since if before == state else self._now())
        self._event(LinkChanged(state, reason, self.account))
        self._wake()

    # What may be done now.

    def why_not(self, epoch: int) -> str:
        """Why an order of `epoch` must not leave now, empty when it may."""
        state, reason, _ = self.status
        if state != LinkState.UP:
            return f"the line is {state}: {reason}"
        return "" if epoch == self.epoch else "the line was lost since: reconcile first"

    def connected(self) -> Wire:
        """The connection. Raises `BrokerError` where there is none."""
        if self.wire is None:
            raise BrokerError(f"the line is {self.status[0]}: {self.status[1]}")
        return self.wire


def _nothing() -> None:
    """Nobody subscribes to anything."""
