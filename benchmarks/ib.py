"""From a person's y to the order on the wire to IB: milliseconds, the durable intent included.

Run `python benchmarks/ib.py [FOLDER]`. FOLDER must lie on the disk to be measured. The order goes
through everything of a live desk: approval, broker, journal, link, library, a TCP socket; it counts
as sent when the gateway's stand-in, a process of its own, has read it whole. Each entry is
cancelled before the next; between two of them the books are asked for more often than a desk does,
which no yes waits for. Wall times: the disk is waited for.
"""

import argparse
import multiprocessing
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import backtrader as bt
import numpy as np

from brokers.approval import ApprovalBroker
from brokers.ib import books_request
from brokers.ib.broker import IBBroker
from brokers.ib.link import IBLink
from brokers.ib.records import AccountRule
from brokers.ib_gateway import ManualMarket, SimulatedGateway
from brokers.journal.journal import Journal
from brokers.journal.session import SessionFacts
from desk.clock import DeskClock
from feeds.contract import Contract, Right
from feeds.live.live_feed import LiveFeed
from feeds.sessions import session_on
from feeds.simulation.market import SimulatedMarket
from settings import IBSettings, Settings
from vocabulary import Action, Answer, Decision, LiveQuote, Plan, Suggestion

DAY = date(2026, 10, 30)
SESSION = session_on(DAY)
ROW, GOAL = 60, 50.0
PLACE_ORDER = "3"
BETWEEN_BOOKS = 0.05
"""Seconds between two requests for books: a desk's second would be all of this benchmark's time."""
SHOWN_EVERY = 10


class Hand:
    """A person: says y from another thread, a moment after the margin is known."""

    channel = "hand"

    def __init__(self, wake: Callable[[], None]) -> None:
        """`wake` ends Cerebro's wait, as a terminal does."""
        self.said_at = 0.0
        self._wake = wake
        self._said = False

    def think(self) -> None:
        """Be ready to answer: y comes in 20 ms."""
        self._said = False
        threading.Timer(0.02, self._say).start()

    def _say(self) -> None:
        self.said_at, self._said = time.monotonic(), True
        self._wake()

    def ask(self, suggestion: Suggestion) -> None:
        """The question is on the screen."""

    def answer(self, suggestion: Suggestion) -> Decision | None:
        """The y once it was said."""
        if not self._said:
            return None
        self._said = False
        return Decision(suggestion.id, Answer.YES, self.channel)

    def withdraw(self, suggestion: Suggestion, reason: str) -> None:
        """Nothing to take back."""

    def conclude(self, suggestion: Suggestion, decision: Decision, outcome: str) -> None:
        """Nobody to tell."""


class StillClock(DeskClock):
    """Market time stands still, so that no order walks."""

    def __init__(self) -> None:
        """At ten o'clock or so."""
        super().__init__(lambda: SESSION.open_ns + ROW * 60_000_000_000)


class Desk(ApprovalBroker):
    """Approval over the broker; after each loop it does the next step of the measurement."""

    def __init__(self, broker: IBBroker, feed: LiveFeed, contract: Contract, entries: int) -> None:
        """`entries` are sent one after another."""
        self.hand = Hand(feed.wake)
        super().__init__(broker, self.hand, asked=self._asked, clock=broker.clock)
        self.said: dict[str, float] = {}
        self._feed, self._contract, self._left = feed, contract, entries
        self._steps = self._entries()
        self._wanted: Callable[[], object] = bool

    def _asked(self, order: bt.Order, suggestion: Suggestion, snapshot: Any) -> None:
        self.inner.prepare(order)

    def next(self) -> None:
        """One loop."""
        super().next()
        if len(self._feed) and (self._wanted is bool or self._wanted()):
            self._wanted = next(self._steps, self._feed.end)

    def _entries(self) -> Iterator[Callable[[], object]]:
        """One entry after another; each step waits for what it yields."""
        for number in range(self._left):
            yield lambda: self.inner.room.is_clear and not self.inner.halted
            yield from self._measured(suggestion(self._contract, number))
            if (number + 1) % SHOWN_EVERY == 0:
                print(f"  {number + 1} of {self._left} entries", flush=True)

    def _measured(self, wanted: Suggestion) -> Iterator[Callable[[], object]]:
        """Suggest, say y, see it acknowledged, cancel it."""
        broker, owner = self.inner, self.cerebro.runningstrats[0]
        order = self.sell(owner, self._feed.contract(self._contract), 1, suggestion=wanted)
        yield lambda: broker.margin.verdict(wanted, broker.excess_liquidity) is not None
        yield lambda: broker.room.is_clear
        self.hand.think()
        yield lambda: order.info.get("order_ref")
        placed = broker.room.orders[order.info["order_ref"]]
        self.said[placed.order_ref] = self.hand.said_at
        yield lambda: placed.can_act
        broker.cancel(order, "measured")
        yield lambda: not order.alive()


def suggestion(contract: Contract, number: int) -> Suggestion:
    """A sale that rests between bid and ask."""
    return Suggestion(
        id=f"{number}-sell_put",
        ts=SESSION.open_ns + ROW * 60_000_000_000,
        action=Action.SELL_PUT,
        contract=contract,
        side=-1,
        quantity=1,
        bid=2.20,
        ask=2.60,
        spot=contract.strike,
        risk_score=0.2,
        stop_multiple=3.0,
        features=(0.25,) * 8,
        probabilities=(0.1, 0.2, 0.7),
        mask=(True, True, True),
        model="benchmark",
        plan=Plan(2.40, 2.32, 240.0, 7.2, 480.0, SESSION.close_ns, 240.0, -388.0, 62_800.0),
    )


def play_gateway(pipe: Connection, contract: Contract) -> None:
    """The stand-in: tells its port, and in the end every order that came and when."""
    market = ManualMarket(SESSION, [contract.strike_thousandths], contract.strike)
    market.set_quote(contract, 2.20, 2.60)
    with SimulatedGateway(market) as running:
        pipe.send(running.port)
        pipe.recv()
        pipe.send([(one.at, one.fields) for one in running.wire if one.direction == "in"])


@contextmanager
def gateway(contract: Contract) -> Iterator[tuple[int, Connection]]:
    """The stand-in in a process of its own: its port, and the pipe to it."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=play_gateway, args=(theirs, contract), daemon=True
    )
    process.start()
    yield ours.recv(), ours
    process.join(10)


def trade(port: int, folder: Path, entries: int) -> dict[str, float]:
    """Send the entries; when each y was said (monotonic seconds), by order_ref."""
    clock, feed = StillClock(), LiveFeed(newest_only=False)
    day = SimulatedMarket([SESSION]).load(0)
    contract = the_contract()
    quote = LiveQuote(contract, clock.market_now(), 2.20, 2.60, 10, 10, contract.strike, 0.0)
    settings = Settings(ib=IBSettings(port=port))
    link = IBLink(settings.ib, AccountRule(), feed.wake, clock.market_now)
    with Journal(folder / "ib.db") as journal:
        journal.open_session(SessionFacts("paper", DAY, "DU1234567", "benchmark"))
        broker = IBBroker(link, journal, clock, lambda _: quote, settings)
        desk = Desk(broker, feed, contract, entries)
        cerebro = bt.Cerebro(stdstats=False, quicknotify=True)
        cerebro.adddata(feed)
        cerebro.setbroker(desk)
        cerebro.addstrategy(bt.Strategy)
        link.start()
        try:
            broker.recover()
            feed.put(day.row(ROW))
            cerebro.run()
        finally:
            link.close()
    return desk.said


def the_contract() -> Contract:
    """A put near the simulated market."""
    return Contract("SPY", DAY, 628_000, Right.PUT)


def latencies(said: dict[str, float], came: list[tuple[float, tuple[str, ...]]]) -> np.ndarray:
    """Milliseconds from each y to its order at the gateway's socket."""
    taken = []
    for ref, moment in said.items():
        taken.append(
            next(
                1000 * (at - moment)
                for at, fields in came
                if fields[0] == PLACE_ORDER and ref in fields and at >= moment
            )
        )
    return np.array(taken)


def intents(folder: Path, number: int) -> np.ndarray:
    """Milliseconds of as many durable intents alone, on the same disk: what cannot be saved."""
    taken = []
    with Journal(folder / "intents.db") as journal:
        journal.open_session(SessionFacts("paper", DAY, "DU1234567", "benchmark"))
        for _ in range(number):
            start = time.perf_counter()
            journal.intend(
                SESSION.open_ns,
                purpose="entry",
                contract=the_contract(),
                side=-1,
                quantity=1,
                limit=2.4,
            )
            taken.append(1000 * (time.perf_counter() - start))
    return np.array(taken)


def report(what: str, taken: np.ndarray, goal: str = "") -> None:
    """Median and 99th percentile."""
    p50, p99 = np.percentile(taken, (50, 99))
    print(f"{what:34} p50 {p50:7.2f} ms   p99 {p99:7.2f} ms   {goal}")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=Path("runs"))
    parser.add_argument("--entries", type=int, default=120, help="about 0.4 s each")
    arguments = parser.parse_args()
    books_request.ASK_AGAIN_SECONDS = BETWEEN_BOOKS
    arguments.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        with gateway(the_contract()) as (port, pipe):
            said = trade(port, Path(folder), arguments.entries)
            pipe.send(None)
            taken = latencies(said, pipe.recv())
        alone = intents(Path(folder), arguments.entries)
    report(f"y to the wire, {len(taken)} entries", taken, f"at most {GOAL:g}")
    report("a durable intent alone", alone)
    ratio = float(np.percentile(taken, 99)) / GOAL
    print(
        f"p99 is {ratio:.2f} of the limit; the median {np.median(taken) / np.median(alone):.1f}"
        " times a durable intent alone"
    )


if __name__ == "__main__":
    main()
