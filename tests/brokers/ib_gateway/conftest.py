"""A gateway over a market set by hand, and unmodified ib_insync connected to it."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import pytest

from brokers.ib_gateway import ManualMarket, SimulatedGateway
from brokers.ib_gateway.announcer import COMMISSION_SECONDS
from feeds.contract import Contract, Right
from feeds.sessions import session_on

ACCOUNT = "DU1234567"


def settle(ib: Any, gateway: SimulatedGateway) -> None:
    """Everything that was sent, or follows from the market now, has arrived when this returns."""
    ib.sleep(2 * COMMISSION_SECONDS)
    if not {"half-open", "silent", "slow"} & set(gateway.faults.names):
        gateway.settle()
        ib.reqCurrentTime()


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """The library wants a current event loop in its thread."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield loop
    loop.run_until_complete(asyncio.sleep(0.01))
    loop.close()
    asyncio.set_event_loop(None)


@pytest.fixture
def market() -> ManualMarket:
    market = ManualMarket(session_on(date(2026, 10, 30)), range(590_000, 611_000, 1000), 600.0)
    market.set_quote(market.contract(600, Right.CALL), 1.20, 1.25)
    return market


@pytest.fixture
def call(market: ManualMarket) -> Contract:
    return market.contract(600, Right.CALL)


@pytest.fixture
def gateway(market: ManualMarket) -> Iterator[SimulatedGateway]:
    with SimulatedGateway(market) as gateway:
        yield gateway


@pytest.fixture
def connect(loop: asyncio.AbstractEventLoop) -> Iterator[Callable[..., Any]]:
    """Connects a new client to a gateway; all are disconnected at the end."""
    from ib_insync import IB

    logging.getLogger("ib_insync").setLevel(logging.CRITICAL)
    clients: list[Any] = []

    def connected(gateway: SimulatedGateway, client_id: int = 17, **options: Any) -> Any:
        ib = IB()
        ib.RequestTimeout = 20
        ib.settle = lambda: settle(ib, gateway)
        ib.errors = []
        ib.errorEvent += lambda request, code, words, contract: ib.errors.append((request, code))
        clients.append(ib)
        ib.connect("127.0.0.1", gateway.port, client_id, **{"timeout": 20, **options})
        return ib

    yield connected
    for ib in clients:
        ib.disconnect()


@pytest.fixture
def ib(gateway: SimulatedGateway, connect: Callable[..., Any]) -> Any:
    return connect(gateway)


@pytest.fixture
def option(ib: Any) -> Any:
    """The qualified 600 call."""
    from ib_insync import Option

    option = Option("SPY", "20261030", 600, "C", "SMART", "100", "USD", tradingClass="SPY")
    assert ib.qualifyContracts(option) == [option]
    return option


@pytest.fixture
def buy(ib: Any, option: Any) -> Callable[..., Any]:
    """Places a limit order; returns the library's trade after a moment."""
    from ib_insync import Order

    def place(limit: float, quantity: int = 1, side: str = "BUY", **fields: Any) -> Any:
        terms = {"action": side, "totalQuantity": quantity, "orderType": "LMT", "lmtPrice": limit}
        fields = {"tif": "DAY", "account": ACCOUNT, "orderRef": "entry", **terms, **fields}
        trade = ib.placeOrder(option, Order(**fields))
        ib.settle()
        return trade

    return place
