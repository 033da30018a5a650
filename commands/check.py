"""`run.py check`: `--data`, here; `--full` in `full_check`; `--ready` in `ready`.

`--data` shows the data flow once, from a terminal to the 8 features of this minute.

Without `--theta-url` it starts from nothing: a simulated terminal over the simulated market, so
that the whole way can be seen on a fresh machine. The exit code tells whether such live data would
be good enough to trade on: 0 yes, 1 no.
"""

import argparse
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from queue import Empty, Queue

import numpy as np
from rich.console import Console
from rich.table import Table

from commands.market_data import open_source
from commands.options import add_ib, add_settings, add_theta
from commands.screen import say
from errors import DataError, SettingError
from feeds.chain import ChainDay
from feeds.contract import Right
from feeds.live.live_feed import LiveFeed
from feeds.sessions import (
    Session,
    is_session,
    last_sessions,
    session_on,
    to_nanoseconds,
    to_new_york,
)
from feeds.snapshot import ChainSnapshot
from feeds.theta.market import ThetaMarket
from feeds.theta.market_time import market_clock
from feeds.theta.rest import ThetaRest
from feeds.theta.terminal import terminal_ready
from feeds.theta.tiers import Tiers, probe_tiers
from feeds.theta_simulator.server import SimulatedTerminal
from settings import SIMULATED, Settings, ThetaSettings
from strategies.features import fault, feature_vector, risk_score
from vocabulary import FEATURES

SYMBOL = "SPY"
SHOWN_STRIKES = 5
STREAMING = "quotes of"
"""What the market's line says when quotes come by themselves."""

SIMULATED_TIME = timedelta(hours=1, minutes=37)
"""After the open: when the check of a simulated market takes place."""


@dataclass(frozen=True, slots=True)
class Source:
    """A terminal to look at: its addresses, today's session, and the market's clock."""

    rest: ThetaRest
    ws_url: str
    session: Session
    now: Callable[[], int]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `check`."""
    add_settings(parser, ("seed",))
    parser.add_argument(
        "--data", dest="check_market", action="store_true", help="check market data"
    )
    parser.add_argument(
        "--full", action="store_true", help="play a session through all of the desk, simulated"
    )
    parser.add_argument(
        "--ready", action="store_true", help="before a session at Interactive Brokers"
    )
    add_ib(parser)
    parser.add_argument("--seconds", type=float, default=5.0, help="how long to watch (default 5)")
    add_theta(parser)


def main(arguments: argparse.Namespace, settings: Settings) -> int:
    """Show the data flow; 0 where it is good enough to trade on, 1 where it is not.

    Raises `SettingError` where nothing is asked to be checked, and `FeedError` where no terminal
    answers.
    """
    if arguments.full:
        return _full(settings)
    if arguments.ready:
        return _ready(settings)
    if not arguments.check_market:
        raise SettingError("say what to check: --data, --full or --ready")
    if not 0 < arguments.seconds < math.inf:
        raise SettingError(f"--seconds {arguments.seconds:g}: choose a number above 0")
    named = any(text.startswith("theta.") for text in arguments.assignments)
    opened = _real(settings) if named else _simulated(settings)
    with opened as source:
        doubts = check_data(source, settings, arguments.seconds)
    for doubt in doubts:
        say(f"not good enough: {doubt}")
    if not doubts:
        say("good enough to trade on")
    return 1 if doubts else 0


def _full(settings: Settings) -> int:
    from commands.full_check import check_full

    return check_full(settings)


def _ready(settings: Settings) -> int:
    from commands.ready import check_ready

    return check_ready(settings)


def check_data(source: Source, settings: Settings, seconds: float) -> list[str]:
    """Watch a terminal for so many seconds, show what it gives; why it would not do, if so."""
    say(f"terminal {source.rest.place}: {source.rest.status()}, session {source.session.date}")
    past = last_sessions(1, source.session.date - timedelta(days=1))[0].date
    tiers = probe_tiers(source.rest, SYMBOL, source.session.date, past)
    _show_tiers(tiers)
    if not tiers.chain_quotes:
        return [tiers.advice()]
    rows: Queue[ChainDay] = Queue()
    market = ThetaMarket(
        source.rest,
        source.ws_url,
        source.session,
        LiveFeed(),
        tiers,
        takers=[rows.put],
        period_seconds=1,
        year_convention=settings.market.year_convention,
        age_limit_seconds=settings.rules.quote_age_seconds,
        now=source.now,
    )
    with market:
        row = _newest(rows, seconds)
        line, counts = market.line, market.book.counts
    say(f"streaming: {'yes' if STREAMING in line else 'no, the chain is asked for at every bar'}")
    say(f"{line}; {counts.applied / seconds:,.0f} quotes a second")
    if counts.foreign or counts.out_of_order:
        say(f"refused: {counts.foreign} of another day, {counts.out_of_order} out of order")
    if row is None:
        return [f"no bar in {seconds:g} s: {market.line}"]
    return _look_at(ChainSnapshot(row, 0), settings)


def _newest(rows: "Queue[ChainDay]", seconds: float) -> ChainDay | None:
    """The last row that comes within so many wall seconds."""
    deadline, newest = time.monotonic() + seconds, None
    while (left := deadline - time.monotonic()) > 0:
        try:
            newest = rows.get(timeout=left)
        except Empty:
            break
    return newest


def _look_at(snapshot: ChainSnapshot, settings: Settings) -> list[str]:
    """Show a snapshot and its features; what is wrong with it."""
    _show_chain(snapshot)
    vector = _features(snapshot, settings)
    for name, value in zip(FEATURES, vector, strict=True):
        say(f"  {name:<20} {value:.6f}")
    doubts = [fault(vector)] if fault(vector) else []
    for right in Right:
        if snapshot.atm(right) is None:
            doubts.append(f"no {right.name.lower()} near the money can be traded now")
    return doubts


def _features(snapshot: ChainSnapshot, settings: Settings) -> np.ndarray:
    since, iv = snapshot.minutes_since_open, snapshot.atm_iv
    risk = risk_score(0.0, since, iv, settings.risk)
    until = snapshot.minutes_until_close
    return feature_vector(since, snapshot.spot, iv, 0, 0.0, 0.0, risk, until)


def _show_tiers(tiers: Tiers) -> None:
    table = Table("data", "allowed", "without it", box=None)
    for row in tiers.rows():
        table.add_row(*row)
    Console().print(table)


def _show_chain(snapshot: ChainSnapshot) -> None:
    """The strikes around the money with bid, ask, volatility and Greeks."""
    say(f"{snapshot.time:%H:%M:%S} {SYMBOL} {snapshot.spot:.2f}, IV {snapshot.atm_iv:.4f}")
    day, greeks = snapshot.chain(), snapshot.greeks()
    table = Table(
        "strike", "right", "bid", "ask", "IV", "delta", "gamma", "theta", "vega", box=None
    )
    middle = int(np.abs(day.strikes - snapshot.spot * 1000).argmin()) if day.strikes.size else 0
    first = max(0, middle - SHOWN_STRIKES // 2)
    for k in range(first, min(first + SHOWN_STRIKES, day.strikes.size)):
        for right in Right:
            figures = (one[0, right, k] for one in greeks)
            table.add_row(
                f"{day.strikes[k] / 1000:g}",
                right.name,
                *(f"{side[0, right, k]:.2f}" for side in (day.bid, day.ask)),
                *(f"{figure:.4f}" for figure in figures),
            )
    Console().print(table)


@contextmanager
def _simulated(settings: Settings) -> Iterator[Source]:
    """A simulated terminal in this process, an hour and a half after the open of its last day."""
    market = settings.model_copy(update={"data": SIMULATED, "sessions": 2})
    source = open_source(market, settings.market.year_convention)
    session = source.sessions[-1]
    say(f"no --theta-url: a simulated terminal over the {source.label}")
    with SimulatedTerminal(source, spread_quotes=True) as terminal:
        terminal.set_time(to_nanoseconds(session.open + SIMULATED_TIME))
        with ThetaRest(terminal.url, settings.theta.concurrency) as rest:
            yield Source(rest, terminal.ws_url, session, lambda: terminal.now)


@contextmanager
def _real(settings: Settings) -> Iterator[Source]:
    """The terminal of the settings, on its today."""
    theta: ThetaSettings = settings.theta
    with terminal_ready(theta) as rest:
        now = market_clock(theta.url)
        today = to_new_york(now()).date()
        if not is_session(today):
            raise DataError(f"{today} is no trading day: there is no live data to check")
        yield Source(rest, theta.ws, session_on(today), now)
