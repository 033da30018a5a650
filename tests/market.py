"""Small markets for tests: quotes made by hand or at random, and Cerebro runs over them.

`Market` keeps the quotes as a source would deliver them, before anything is cleaned, so that a test
can spoil them and an oracle can read them. `markets()` draws whole runs of sessions for hypothesis.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import backtrader as bt
import numpy as np
import numpy.typing as npt
from hypothesis import strategies as some

from brokers.approval import ApprovalBroker
from brokers.approvers import AutomaticApprover
from brokers.chain_broker import ChainBroker
from feeds.chain import ChainDay, chain_day
from feeds.chain_feed import ChainFeed
from feeds.contract import Contract, Right
from feeds.option_maths import option_price, year_fraction
from feeds.quotes import UNLIMITED_SIZE
from feeds.sessions import NANOSECONDS_A_MINUTE, Session, session_on
from settings import Settings
from strategies.ppo_strategy import PPOStrategy
from vocabulary import Moment

SESSION = session_on(date(2026, 10, 30))
"""The Friday before the clocks go back in New York; the Monday after it is the next session."""

MONDAY = session_on(date(2026, 11, 2))
HALF_DAY = session_on(date(2026, 11, 27))
EVERY_MINUTE = np.arange(390.0)
CALL, PUT = Right.CALL, Right.PUT

Floats = npt.NDArray[np.float64]


@dataclass(repr=False)
class Market:
    """A session's raw quotes; arrays as in `ChainDay`, with neither cleaning nor a closing row."""

    session: Session
    ts: npt.NDArray[np.int64]
    spot: Floats
    strikes: npt.NDArray[np.int64]
    bid: Floats
    ask: Floats
    bid_size: npt.NDArray[np.int32]
    ask_size: npt.NDArray[np.int32]
    official_close: float | None
    flags: tuple[str, ...] = ()
    source: str = "recorded"
    made_with: str = ""

    def __repr__(self) -> str:
        return f"Market({self.session.date}, {self.ts.size} rows, {self.made_with})"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self))  # hypothesis would print every quote

    def day(self) -> ChainDay:
        """The session as the feed takes it."""
        names = ("session", "ts", "spot", "strikes", "bid", "ask", "bid_size", "ask_size")
        facts: dict[str, Any] = {name: getattr(self, name) for name in names}
        facts |= {"official_close": self.official_close, "source": self.source}
        return chain_day(underlying="SPY", flags=self.flags, **facts)

    def row(self, minute: float) -> int:
        """The first row at or after `minute`."""
        return int(np.searchsorted(self.ts, at(self.session, minute)))

    def between(self, start: float, end: float) -> slice:
        """The rows from minute `start` up to, not including, `end`."""
        return slice(self.row(start), self.row(end))

    def quote(
        self,
        right: Right,
        strike: float,
        rows: slice | int,
        bid: float | None = None,
        ask: float | None = None,
        size: int | None = None,
    ) -> "Market":
        """Change the quotes of a contract at some rows; returns itself."""
        k = int(np.flatnonzero(self.strikes == round(strike * 1000))[0])
        if bid is not None:
            self.bid[rows, right, k] = bid
        if ask is not None:
            self.ask[rows, right, k] = ask
        if size is not None:
            self.bid_size[rows, right, k] = self.ask_size[rows, right, k] = size
        return self

    def price(self, right: Right, strike: float, rows: slice | int, mid: float) -> "Market":
        """Quote a contract a cent to each side of `mid` at some rows; returns itself."""
        return self.quote(right, strike, rows, round(mid - 0.01, 2), round(mid + 0.01, 2))


def at(session: Session, minute: float) -> int:
    """The nanosecond `minute` minutes after the open."""
    return session.open_ns + round(minute * NANOSECONDS_A_MINUTE)


def market(
    minutes: Floats = EVERY_MINUTE,
    spot: Floats | float = 628.2013,
    *,
    session: Session = SESSION,
    strikes: Sequence[float] = tuple(range(620, 638)),
    volatility: float = 0.18,
    official_close: float | None = None,
) -> Market:
    """Quotes two cents wide around Black-76 prices; spot stands still unless it is given.

    `minutes` after the open and `spot` have shape [T]; the official close is the last spot unless
    it is given.
    """
    minutes = minutes[minutes <= session.minutes]
    spot = np.broadcast_to(np.asarray(spot, float), minutes.shape).copy()
    dollars = np.array(strikes, float)
    years = year_fraction(session.minutes - minutes, "calendar")[:, None, None]
    is_call = np.array([True, False])[:, None]
    mid = option_price(spot[:, None, None], dollars, years, volatility, is_call)
    bid = np.maximum(np.round(mid * 100) - 1, 0) / 100
    sizes = np.full(bid.shape, UNLIMITED_SIZE, np.int32)
    return Market(
        session=session,
        ts=session.open_ns + np.rint(minutes * NANOSECONDS_A_MINUTE).astype(np.int64),
        spot=spot,
        strikes=np.rint(dollars * 1000).astype(np.int64),
        bid=bid,
        ask=np.round(bid + 0.02, 2),
        bid_size=sizes,
        ask_size=sizes.copy(),
        official_close=float(spot[-1]) if official_close is None else official_close,
    )


def contract(right: Right = PUT, strike: float = 628, session: Session = SESSION) -> Contract:
    """A contract of the test chains."""
    return Contract("SPY", session.date, round(strike * 1000), right)


@dataclass
class Scripted:
    """Wants `wishes[slot]` (the last one ever after) where it is legal, else holds."""

    wishes: Sequence[int]
    actions: int = 3
    obeys_waits: bool = True
    name: str = "scripted"

    def __post_init__(self) -> None:
        self.asked: list[Moment] = []

    def probabilities(self, moment: Moment) -> Floats:
        """Certainty for the wish, or for hold."""
        self.asked.append(moment)
        wish = self.wishes[min(int(moment.slot), len(self.wishes) - 1)]
        chosen = wish if moment.mask[wish] else 0
        return (np.arange(self.actions) == chosen).astype(float)


def wishes(*at_slots: tuple[int, int]) -> list[int]:
    """A script that holds except at the given (slot, action) pairs."""
    script = [0] * 79
    for slot, action in at_slots:
        script[slot] = action
    return script


def rules(**figures: Any) -> Settings:
    """The default settings with other rules."""
    return Settings(rules=figures)


def desk(
    days: Sequence[ChainDay],
    policy: Any,
    settings: Settings | None = None,
    approver: Any = None,
    strategy: type[PPOStrategy] = PPOStrategy,
    run: dict[str, Any] | None = None,
    set_up: Callable[[bt.Cerebro], None] = lambda cerebro: None,
    **terms: Any,
) -> PPOStrategy:
    """Run the whole path over `days`; the strategy that ran, its broker at `.broker`."""
    settings = settings or Settings()
    cerebro = bt.Cerebro(stdstats=False, quicknotify=True)
    cerebro.adddata(ChainFeed(days))
    inner = ChainBroker(settings.capital, settings.fills)
    cerebro.setbroker(ApprovalBroker(inner, approver or AutomaticApprover()))
    cerebro.addstrategy(strategy, policy=policy, settings=settings, **terms)
    set_up(cerebro)
    ran: PPOStrategy = cerebro.run(**(run or {}))[0]
    return ran


# --- at random -----------------------------------------------------------------------------------

SPACINGS = ("minute", "odd seconds", "five minutes", "sparse", "seconds")
SESSIONS = (SESSION, MONDAY, HALF_DAY, session_on(date(2026, 3, 6)), session_on(date(2026, 3, 9)))


@some.composite
def markets(draw: some.DrawFn, most: int = 3) -> list[Market]:
    """Up to `most` random sessions in order, clean or as spoiled as data can be."""
    sessions = draw(some.lists(some.sampled_from(SESSIONS), min_size=1, max_size=most, unique=True))
    return [draw(random_market(session)) for session in sorted(sessions)]


@some.composite
def random_market(draw: some.DrawFn, session: Session = SESSION) -> Market:
    """A random session; hypothesis draws the knobs, a seeded generator the many figures."""
    knobs = {
        "seed": draw(some.integers(0, 2**32 - 1)),
        "spacing": draw(some.sampled_from(SPACINGS)),
        "step": draw(some.sampled_from([0.02, 0.12, 0.4])),
        "jump": draw(some.sampled_from([0.0, -6.0, -2.0, 2.0, 6.0])),
        "strikes": draw(some.sampled_from([25, 5, 2, 1])),
        "volatility": draw(some.sampled_from([0.12, 0.3, 0.8])),
        "faults": draw(some.sampled_from([0.0, 0.05, 0.4])),
        "sizes": draw(some.booleans()),
    }
    return from_knobs(session, **knobs)


def from_knobs(
    session: Session,
    seed: int,
    spacing: str,
    step: float,
    jump: float,
    strikes: int,
    volatility: float,
    faults: float,
    sizes: bool,
) -> Market:
    """The random session of these knobs, as a failing example names them."""
    dice = np.random.default_rng(seed)
    minutes = _clock(dice, spacing, session.minutes)
    steps = np.sqrt(np.diff(minutes, prepend=0.0)) * step
    path = 628 + np.cumsum(dice.normal(0, 1, minutes.size) * steps)
    path[dice.integers(0, minutes.size) :] += jump
    path = np.round(path, 2) + 0.0013  # off the half cents, where floats and decimals may differ
    lowest = round(float(path[0])) - strikes // 2
    made = market(
        minutes,
        path,
        session=session,
        strikes=range(lowest, lowest + strikes),
        volatility=volatility,
        official_close=round(float(path[-1]) + dice.normal(0, 0.3), 2),
    )
    _widen(made, dice)
    _spoil(made, dice, faults)
    if sizes:
        made.bid_size[:] = dice.integers(0, 4, made.bid.shape)
        made.ask_size[:] = dice.integers(0, 4, made.bid.shape)
    made.made_with = f"{seed=}, {spacing=}, {step=}, {jump=}, {strikes=}, {volatility=}, "
    made.made_with += f"{faults=}, {sizes=}"
    return made


def _clock(dice: np.random.Generator, spacing: str, length: float) -> Floats:
    """Minutes after the open of a session's rows."""
    every = np.arange(length + 1)
    if spacing == "minute":
        kept = every
    elif spacing == "odd seconds":
        kept = every + np.round(dice.uniform(0, 59.9, every.size), 3) / 60
    elif spacing == "five minutes":
        kept = np.arange(0.0, length, 5) + 43 / 60
    elif spacing == "sparse":
        kept = np.sort(dice.choice(every, 40, replace=False))
    else:
        burst = 29 + np.arange(240) / 60
        kept = np.concatenate([burst, every[every > 40]])
    kept = kept[kept <= length]
    if dice.random() < 0.4:  # a gap
        start = dice.uniform(0, length)
        kept = kept[(kept < start) | (kept > start + dice.choice([7, 25, 90]))]
    if dice.random() < 0.3:  # a thin session: the last rows are missing
        kept = kept[kept < length - dice.choice([0.5, 3, 14, 60])]
    return kept if kept.size else every[:1]


def _widen(made: Market, dice: np.random.Generator) -> None:
    """Spreads of two to eight cents, wider for some rows."""
    extra = dice.integers(0, 4, made.bid.shape) * (dice.random(made.bid.shape) < 0.5)
    made.ask[:] = np.round(made.ask + extra * 0.02, 2)


def _spoil(made: Market, dice: np.random.Generator, share: float) -> None:
    """Missing, crossed, one-sided and bidless quotes, for a share of all."""
    kind = np.where(dice.random(made.bid.shape) < share, dice.integers(1, 7, made.bid.shape), 0)
    made.bid[(kind == 1) | (kind == 2)] = np.nan
    made.ask[(kind == 1) | (kind == 3)] = np.nan
    made.bid[kind == 4] = 0.0
    made.bid[kind == 5] = np.round(made.ask[kind == 5] + 0.05, 2)
    made.ask[kind == 6] = 0.0
