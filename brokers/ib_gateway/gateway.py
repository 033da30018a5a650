"""The stand-in for IB Gateway: a port on 127.0.0.1 that speaks the TWS protocol.

It runs in a thread of its own. Every public method may be called from any thread and has taken
effect when it returns.
"""

from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from brokers.ib_gateway.announcer import MARGIN_WORDS
from brokers.ib_gateway.core import Core
from brokers.ib_gateway.dispatch import Dispatch
from brokers.ib_gateway.faults import Faults
from brokers.ib_gateway.ledger import Ledger
from brokers.ib_gateway.line import Line, WireEntry
from brokers.ib_gateway.market import GatewayMarket
from brokers.ib_gateway.records import (
    GatewayExecution,
    GatewayOrder,
    Holding,
    Instrument,
    OrderTerms,
)
from brokers.ib_gateway.server import HOST, Server
from errors import SettingError
from feeds.contract import Contract
from settings import FillSettings

WIRE_ENTRIES = 100_000
LOST = (1100, "Connectivity between IB and Trader Workstation has been lost.")
LOST_SERVER = (2110, "Connectivity between Trader Workstation and server is broken.")
BACK = {
    1101: "Connectivity between IB and TWS has been restored- data lost.",
    1102: "Connectivity between IB and TWS has been restored- data maintained.",
}


class SimulatedGateway:
    """A gateway with its accounts, its books and a market. Use it as a context manager."""

    def __init__(
        self,
        market: GatewayMarket,
        *,
        accounts: Sequence[str] = ("DU1234567",),
        port: int = 0,
        state: Path | None = None,
        server_version: int = 176,
        cash: float = 100_000.0,
        fees: FillSettings | None = None,
        faults: Sequence[str] = (),
        market_time: bool = False,
        expiry_seconds: float = 0.0,
        underlying: str = "SPY",
    ) -> None:
        """Over `market`; everything that lasts is in the file `state`, or in memory.

        `port` 0 takes a free one. `market_time`: reqCurrentTime tells the market's time.
        `expiry_seconds`: options leave the account so long after the close. Raises `SettingError`
        for an unknown fault and `DataError` for a file that is no state.
        """
        self.faults = Faults(faults)
        self._version = server_version
        self._expiry_ns = round(expiry_seconds * 1e9)
        self._wire: deque[WireEntry] = deque(maxlen=WIRE_ENTRIES)
        self._server = Server(self, self.faults, port)
        self._core = Core(
            accounts,
            Ledger(state, dict.fromkeys(accounts, cash)),
            market,
            self.faults,
            self._server.later,
            fees or FillSettings(),
            underlying,
        )
        self._dispatch = Dispatch(self._core, market_time, self._server.failed)

    @property
    def port(self) -> int:
        """Where it listens; 0 before it first did, if a free port was asked for."""
        return self._server.port

    def start(self) -> None:
        """Listen. Raises `SettingError` where the port is taken."""
        self._server.start()

    def stop(self) -> None:
        """Cut all lines and end. Raises `InternalError` where a request had failed inside."""
        self._server.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        return HOST, self.port

    @property
    def orders(self) -> list[GatewayOrder]:
        """Every order there ever was, oldest first."""
        return self._server.do(lambda: list(self._core.ledger.orders.values()))

    @property
    def executions(self) -> list[GatewayExecution]:
        """Every execution and correction, oldest first."""
        return self._server.do(lambda: list(self._core.ledger.executions))

    @property
    def positions(self) -> dict[str, dict[Instrument, Holding]]:
        """What each account holds."""
        return self._server.do(self._positions)

    @property
    def clients(self) -> list[int]:
        """Ids that are connected."""
        return self._server.do(lambda: sorted(self._core.lines))

    @property
    def wire(self) -> list[WireEntry]:
        """The messages that passed, oldest first."""
        return self._server.do(lambda: list(self._wire))

    def cash(self, account: str = "") -> float:
        """Dollars of an account, by default the first."""
        return self._server.do(lambda: self._core.ledger.cash[account or self._core.names[0]])

    def order(self, order_ref: str) -> GatewayOrder:
        """The newest order of that reference. Raises `SettingError` where there is none."""
        return self._server.do(lambda: self._find(order_ref))

    def fill(self, order_ref: str, quantity: int, price: float) -> GatewayExecution:
        """A living order trades, whatever the market says. Raises `SettingError` if it cannot."""

        def trade() -> GatewayExecution:
            order = self._find(order_ref)
            if not order.alive or not 0 < quantity <= order.remaining:
                raise SettingError(f"{order_ref} has no {quantity} contracts to fill")
            return self._core.book.fill(order, quantity, price)

        return self._server.do(trade)

    def manual_trade(
        self, contract: Contract, side: int, quantity: int, price: float, account: str = ""
    ) -> GatewayExecution:
        """A person trades at the screen: an order with id 0, filled at once."""

        def trade() -> GatewayExecution:
            book, name = self._core.book, account or self._core.names[0]
            terms = OrderTerms(side, quantity, "LMT", limit=price)
            order = book.enter(0, 0, name, self._option(contract).con_id, terms)
            return book.fill(order, quantity, price)

        return self._server.do(trade)

    def assign(self, contract: Contract, account: str = "") -> None:
        """Exercise or assignment of all that an account holds of an option."""
        name = account or self._core.names[0]
        self._server.do(lambda: self._core.book.assign(name, self._option(contract).con_id))

    def correct(self, execution_id: str, price: float) -> GatewayExecution:
        """A new revision of an execution, at another price."""

        def amend() -> GatewayExecution:
            for one in self._core.ledger.executions:
                if one.execution_id == execution_id:
                    return self._core.book.correct(one, price)
            raise SettingError(f"there is no execution {execution_id}")

        return self._server.do(amend)

    def kill(self, order_ref: str, words: str = MARGIN_WORDS) -> None:
        """IB rejects a living order: error 201, then Inactive."""

        def reject() -> None:
            dead = self._core.book.reject(self._find(order_ref), words)
            self._core.announcer.rejected(dead, 201, words)

        self._server.do(reject)

    def cancel(self, order_ref: str) -> None:
        """A person cancels an order at the screen."""
        self._server.do(lambda: self._core.book.cancel(self._find(order_ref)))

    def hold_fills(self, held: bool = True) -> None:
        """Nothing fills until it is let go."""
        if held:
            self.faults.switch_on("held")
        else:
            self.faults.clear("held")

    def drop(self) -> None:
        """Cut every line without a word."""
        self._server.do(self.cut_all)

    def restart(self, seconds: float) -> None:
        """Cut every line and refuse connections so long. Orders live on, at IB, and fill."""
        self._server.do(lambda: self._server.go_away(seconds))

    def lose_ib(self, code: int = 1100) -> None:
        """The gateway loses IB (1100 or 2110): orders fill on, nobody is told or answered."""

        def lose() -> None:
            self._core.announcer.everybody(*(LOST if code == 1100 else LOST_SERVER))
            self._core.announcer.cut_off = True

        self._server.do(lose)

    def restore_ib(self, code: int = 1102) -> None:
        """IB is back (1101 or 1102). What happened meanwhile is told to those who ask."""

        def back() -> None:
            self._core.announcer.cut_off = False
            self._core.announcer.everybody(code, BACK[code])
            if code == 1101:
                for line in self._core.lines.values():
                    line.subscriptions.clear()

        self._server.do(back)

    def set_accounts(self, *names: str, cash: float = 100_000.0) -> None:
        """Other accounts stand behind the port; clients hear of it when they connect anew."""

        def change() -> None:
            for name in names:
                self._core.ledger.cash.setdefault(name, cash)
            self._core.names[:] = names

        self._server.do(change)

    def say(self, code: int, words: str, order_ref: str = "") -> None:
        """A message to everybody, or about an order to its owner."""

        def tell() -> None:
            if order_ref:
                self._core.announcer.error(self._find(order_ref), code, words)
            else:
                self._core.announcer.everybody(code, words)

        self._server.do(tell)

    def settle(self) -> None:
        """Let the market's state as it is now have all its effects."""
        self._server.do(self.tick)

    def new_line(self) -> Line:
        """A client's connection: the server asks for it."""
        return Line(self._dispatch, self.faults, self._wire.append, self._version)

    def cut_all(self) -> None:
        """Drop every line: the server's own, on its thread. Others call `drop`."""
        for line in self._dispatch.sockets:
            line.cut()

    def tick(self) -> None:
        """One round of the market: the server's own, on its thread. Others call `settle`."""
        if "half-open" in self.faults:
            for line in self._dispatch.sockets:
                line.deaden()
        self._core.book.match()
        self._core.book.close_day(self._expiry_ns)
        if not self._core.cut_off:
            for line in list(self._core.lines.values()):
                self._dispatch.answers.tell_quotes(line)

    def _find(self, order_ref: str) -> GatewayOrder:
        for order in reversed(self._core.ledger.orders.values()):
            if order.terms.order_ref == order_ref:
                return order
        raise SettingError(f"there is no order {order_ref}")

    def _option(self, contract: Contract) -> Instrument:
        found = self._core.catalogue.option(contract)
        if found is None:
            raise SettingError(f"{contract} is not listed")
        return found

    def _positions(self) -> dict[str, dict[Instrument, Holding]]:
        return {
            account: {self._core.catalogue.of(con_id): one for con_id, one in mine.items()}
            for account, mine in self._core.ledger.holdings.items()
        }
