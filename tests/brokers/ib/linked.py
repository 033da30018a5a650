"""A link on the gateway stand-in, and waiting for what it must do."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from typing import TypeVar

from brokers.ib.link import IBLink
from brokers.ib.records import AccountRule, LinkEvent, LinkState, OrderTicket
from brokers.ib_gateway.gateway import SimulatedGateway
from brokers.ib_gateway.market import ManualMarket
from feeds.contract import Contract, Right
from feeds.sessions import session_on
from settings import IBSettings

T = TypeVar("T")
DAY = date(2026, 10, 30)


def waited(what: Callable[[], T], seconds: float = 8.0) -> T:
    """The first true answer; fails when there is none in time."""
    deadline = time.monotonic() + seconds
    while not (answer := what()):
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.005)
    return answer


def a_market() -> ManualMarket:
    market = ManualMarket(session_on(DAY), range(600_000, 660_000, 1_000), 628.5)
    market.set_quote(market.contract(628, Right.PUT), 2.35, 2.45)
    market.set_quote(market.contract(628, Right.CALL), 2.45, 2.55)
    return market


def a_put(strike: float = 628) -> Contract:
    return Contract("SPY", DAY, round(strike * 1000), Right.PUT)


class Desk:
    """Cerebro's side of a link: all it ever drained, and how often it was woken."""

    def __init__(self, port: int, rule: AccountRule | None = None, **settings: object) -> None:
        self.wakes = 0
        self.seen: list[LinkEvent] = []
        figures = {"answer_seconds": 3.0, "silence_seconds": 5.0, "port": port} | settings
        self.now = 1_793_378_700_000_000_000
        self.link = IBLink(
            IBSettings.model_validate(figures), rule or AccountRule(), self._woken, lambda: self.now
        )

    def _woken(self) -> None:
        self.wakes += 1

    def all(self, kind: type[T]) -> list[T]:
        """Every record of a kind so far, in order."""
        self.seen += self.link.drain()
        return [event for event in self.seen if isinstance(event, kind)]

    def wait_for(self, kind: type[T], fits: Callable[[T], object], count: int = 1) -> list[T]:
        """The records of a kind that fit, once there are so many."""

        def found() -> list[T]:
            fitting = [one for one in self.all(kind) if fits(one)]
            return fitting if len(fitting) >= count else []

        return waited(found)

    def wait_state(self, state: LinkState) -> None:
        waited(lambda: self.link.state == state)


@contextmanager
def a_desk(
    gateway: SimulatedGateway, rule: AccountRule | None = None, **settings: object
) -> Iterator[Desk]:
    """A link that is up."""
    desk = Desk(gateway.port, rule, **settings)
    desk.link.start()
    try:
        desk.wait_state(LinkState.UP)
        yield desk
    finally:
        desk.link.close()


def sale(ref: str, limit: float, quantity: int = 1, order_id: int = 0) -> OrderTicket:
    return OrderTicket(ref, a_put(), -1, quantity, limit, order_id=order_id)
