"""A desk for tests: IBBroker in a real Cerebro, over a real socket to the gateway stand-in.

A test is a generator of conditions: it acts, yields what it waits for, and acts again.
"""

import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import backtrader as bt
from market import SESSION, at, market

from brokers.ib.broker import IBBroker
from brokers.ib.link import IBLink
from brokers.ib.orders import IBOrder
from brokers.ib.records import AccountRule
from brokers.ib.recovery import Recovery
from brokers.ib_gateway import ManualMarket, SimulatedGateway
from brokers.journal.journal import Journal
from brokers.journal.session import SessionFacts
from feeds.contract import Contract, Right
from feeds.live.live_feed import LiveFeed
from feeds.sessions import NEW_YORK
from settings import IBSettings, Settings
from vocabulary import Action, ExitReason, LiveQuote, Plan, Suggestion

PATIENCE = 8.0
NOON = at(SESSION, 150.0)
PUT_628 = Contract("SPY", SESSION.date, 628_000, Right.PUT)

Condition = Callable[[], object]
Script = Callable[["Desk"], Iterator[Condition]]


class HandClock:
    """Market time set by hand, wall time as it is."""

    def __init__(self) -> None:
        self.ts = NOON

    def market_now(self) -> int:
        return self.ts

    def wall_now(self) -> datetime:
        return datetime.now(NEW_YORK)

    def monotonic(self) -> float:
        return time.monotonic()

    def pass_seconds(self, seconds: float) -> None:
        self.ts += round(seconds * 1e9)


def manual_market(bid: float = 2.35, ask: float = 2.45) -> ManualMarket:
    made = ManualMarket(SESSION, [strike * 1000 for strike in range(620, 638)], 628.5)
    made.set_quote(PUT_628, bid, ask)
    return made


def suggestion(
    quantity: int = 1, limit: float = 2.40, worst: float = 2.32, multiple: float = 3.0
) -> Suggestion:
    plan = Plan(limit, worst, 240.0, 7.2, 480.0, at(SESSION, 375.0), 240.0, -388.0, 62_800.0)
    return Suggestion(
        id=f"{NOON}-sell_put",
        ts=NOON,
        action=Action.SELL_PUT,
        contract=PUT_628,
        side=-1,
        quantity=quantity,
        bid=2.35,
        ask=2.45,
        spot=628.5,
        risk_score=0.2,
        stop_multiple=multiple,
        features=(0.25,) * 8,
        probabilities=(0.1, 0.2, 0.7),
        mask=(True, True, True),
        model="test",
        plan=plan,
    )


class DrivenBroker(IBBroker):
    """Steps the test's script after each turn."""

    drive: Callable[[], None]

    def next(self) -> None:
        super().next()
        self.drive()


class Watcher(bt.Strategy):
    """Keeps the news of orders: (status, fills so far, reason)."""

    params = (("desk", None),)

    def notify_order(self, order: bt.Order) -> None:
        fills = tuple(order.info.get("fills") or ())
        self.p.desk.news.append((order.getstatusname(), fills, order.info.get("reason", "")))
        self.p.desk.told[order.ref] = order

    def notify_trade(self, trade: Any) -> None:
        self.p.desk.trades.append((trade.status, trade.size, trade.pnl))


class Desk:
    """Everything of one desk process."""

    def __init__(self, port: int, folder: Path, quotes: ManualMarket, **ib: Any) -> None:
        self.market, self.clock, self.news = quotes, HandClock(), []
        self.told: dict[int, bt.Order] = {}
        self.trades: list[Any] = []
        terms: dict[str, Any] = {"port": port, "answer_seconds": 1.0, **ib}
        self.settings = Settings(ib=IBSettings(**terms), contracts=5)
        self.feed = LiveFeed(newest_only=False)
        self.feed.p.qcheck = 0.01
        self.journal = Journal(folder / "journal.db")
        self.journal.open_session(SessionFacts("paper", SESSION.date, "DU1234567", "manual"))
        self.link = IBLink(self.settings.ib, AccountRule(), self.feed.wake, self.clock.market_now)
        self.broker = DrivenBroker(
            self.link, self.journal, self.clock, self.quote, self.settings, 80_000.0
        )
        self.broker.drive = self._drive
        self.recovery = Recovery()
        self._steps: Iterator[Condition] = iter(())
        self._awaited: Condition | None = None
        self._since = 0.0
        self.cerebro: Any = None

    @property
    def strategy(self) -> bt.Strategy:
        return self.cerebro.runningstrats[0]

    def quote(self, contract: Contract) -> LiveQuote | None:
        bid, ask, bid_size, ask_size = self.market.quote(contract)
        sizes = (bid_size, ask_size)
        return LiveQuote(contract, self.clock.ts, bid, ask, *sizes, self.market.spot(), 0.0)

    def run(self, script: Script) -> "Desk":
        """Recover, then run the script to its end inside Cerebro."""
        self.cerebro = bt.Cerebro(stdstats=False, quicknotify=True)
        self.cerebro.adddata(self.feed)
        self.cerebro.setbroker(self.broker)
        self.cerebro.addstrategy(Watcher, desk=self)
        self.link.start()
        try:
            self.recovery = self.broker.recover()
            self.feed.put(market().day().row(150))
            self._steps = script(self)
            self.cerebro.run()
        finally:
            self.link.close()
            self.journal.close()
        return self

    def _drive(self) -> None:
        if not len(self.feed):
            return
        if self._awaited is not None and not self._awaited():
            assert time.monotonic() - self._since < PATIENCE, self.picture()
            return
        self._awaited = next(self._steps, None)
        self._since = time.monotonic()
        if self._awaited is None:
            self.feed.end()

    def picture(self) -> str:
        orders = [
            (o.purpose, o.state, o.filled, o.ticket, o.doubt, o.message)
            for o in self.broker.room.orders.values()
        ]
        return (
            f"waited in vain: {orders} {self.news} halted={self.broker.halted!r} {self.broker.line}"
        )

    # --- what scripts do

    def enter(self, wanted: Suggestion | None = None) -> bt.Order:
        wanted = wanted or suggestion()
        data = self.feed.contract(wanted.contract)
        return self.strategy.sell(data=data, size=wanted.quantity, suggestion=wanted)

    def leave(self, quantity: int = 1, reason: ExitReason = ExitReason.MODEL, **terms: Any) -> Any:
        data, decided = self.feed.contract(PUT_628), self.clock.ts
        return self.strategy.buy(
            data=data, size=quantity, exit_reason=reason, exit_decided_ts=decided, **terms
        )

    def prepared(self, wanted: Suggestion) -> Iterator[Condition]:
        """The margin is known, as it is at the yes of a person who took a second."""
        self.link.qualify([wanted.contract])
        self.broker.margin.ask(wanted, 2.40)
        yield lambda: self.broker.margin.verdict(wanted, 1e9) is not None

    def flat(self) -> bool:
        """Whether the position is closed; a twentieth of a market second passes."""
        self.clock.pass_seconds(0.05)
        return self.held() == 0 and self.is_calm()

    def held(self) -> int:
        return self.broker.ledger.held().get(PUT_628, 0)

    def orders(self, purpose: str) -> list[IBOrder]:
        return [one for one in self.broker.room.orders.values() if one.purpose == purpose]

    def turns(self, count: int) -> Condition:
        """Nothing, for so many turns of Cerebro."""
        left = iter(range(count))
        return lambda: next(left, None) is None

    def is_calm(self) -> bool:
        room = self.broker.room
        return room.is_clear and all(one.can_act or one.is_final for one in room.orders.values())

    def is_charged(self) -> bool:
        """Whether the commission of every execution has come."""
        return all(
            order.commissions.keys() == order.executions.keys()
            for order in self.broker.room.orders.values()
        )

    def statuses(self) -> list[str]:
        return [status for status, *_ in self.news]


def their_position(gateway: SimulatedGateway, account: str = "DU1234567") -> int:
    """Signed option contracts at the gateway."""
    held = gateway.positions.get(account, {})
    return round(sum(one.quantity for key, one in held.items() if key.right))
