"""`run.py evaluate --lookahead`: does anything depend on what came later?

A session is played twice: as it was, and with everything after an instant changed. What was seen
up to that instant (features, decisions, fills, the account) must be the same to the last bit. Both
ways that this desk plays a session are looked at: Cerebro with the strategy of the live desk, and
the environment that trains and evaluates. The idea is that of freqtrade's lookahead-analysis.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import backtrader as bt
import numpy as np

from brokers.approval import ApprovalBroker
from brokers.approvers import AutomaticApprover
from brokers.chain_broker import ChainBroker
from commands.other_futures import CHANGES, Change
from commands.screen import progress, say
from errors import DataError
from feeds.chain import ChainDay
from feeds.chain_feed import ChainFeed
from feeds.sessions import to_new_york
from feeds.source import ChainSource, MemorySource
from models.playback import play
from models.session_arrays import read_sessions
from settings import Settings
from strategies.events import read_events
from strategies.ppo_strategy import PPOStrategy
from strategies.recorder import OFF_SLOT
from vocabulary import FEATURES, Policy

SESSIONS, RANDOM_INSTANTS, TOLD_INSTANTS = 8, 3, 3

PolicyMaker = Callable[[ChainSource], Policy]
"""Makes the policy anew for each run; one that reads data beforehand gets the run's own source."""


class Seen(NamedTuple):
    """Something that was known at an instant: what, and its value to the last bit."""

    ts: int
    what: str
    value: str


Eye = Callable[[ChainDay, Settings, PolicyMaker], list[Seen]]


@dataclass(frozen=True)
class Finding:
    """Something that changed although only later things were changed."""

    where: str
    what: str
    ts: int
    change: str


@dataclass
class Analysis:
    """What was found, and how much was looked at.

    Attributes:
        findings: every difference.
        compared: how often a session was compared with a changed one.
        effective: how many of the changes were noticed later, as they must be.
        kinds: how many features, decisions and fills were compared.
    """

    findings: list[Finding] = field(default_factory=list)
    compared: int = 0
    effective: int = 0
    kinds: Counter[str] = field(default_factory=Counter)


def look_ahead(source: ChainSource, settings: Settings, policy: PolicyMaker) -> bool:
    """Analyse, and tell the person; whether anything looked ahead."""
    indices = _spread_out(len(source.sessions), SESSIONS)
    with progress("look-ahead", len(indices)) as advance:
        analysis = analyse(source, settings, policy, indices, advance)
    name = policy(source).name
    _tell(name, analysis, len(indices))
    return bool(analysis.findings)


def analyse(
    source: ChainSource,
    settings: Settings,
    policy: PolicyMaker,
    indices: Sequence[int],
    advance: Callable[[], None] = lambda: None,
) -> Analysis:
    """Look at the sessions `indices` of a source; what is drawn at random hangs on the seed.

    Raises `DataError` where none of them can be read.
    """
    analysis, dice = Analysis(), np.random.default_rng(settings.seed)
    days = list(_readable(source, indices))
    if not days:
        raise DataError(f"{source.label} holds no session that can be looked at")
    for day in days:
        for where, eye in EYES.items():
            as_it_was = eye(day, settings, policy)
            analysis.kinds.update(_kind(each.what) for each in as_it_was)
            for row in _instants(day, as_it_was, dice):
                for change in CHANGES:
                    changed = eye(change(day, row, dice), settings, policy)
                    _compare(analysis, where, change, int(day.ts[row]), as_it_was, changed)
        advance()
    return analysis


def _readable(source: ChainSource, indices: Sequence[int]) -> Iterator[ChainDay]:
    for index in indices:
        try:
            day = source.load(index)
        except DataError as error:
            say(f"note: {source.sessions[index].date} is left out: {error}")
            continue
        if day.official_close is not None and day.recorded > 1:
            yield day


def _spread_out(count: int, most: int) -> list[int]:
    """Up to `most` indices over 0 to `count` - 1, evenly."""
    return sorted({int(i) for i in np.linspace(0, count - 1, min(count, most))})


def _instants(day: ChainDay, seen: Sequence[Seen], dice: np.random.Generator) -> list[int]:
    """Rows to look from: some at random, and those of sales and fills and the rows before them."""
    told = sorted({each.ts for each in seen if each.what in ("fill", "sale")})
    picked = [told[i] for i in _spread_out(len(told), TOLD_INSTANTS)] if told else []
    rows = {int(np.searchsorted(day.ts, ts)) for ts in picked}
    rows |= {row - 1 for row in rows}
    rows |= {int(row) for row in dice.integers(0, day.recorded - 1, RANDOM_INSTANTS)}
    return sorted(row for row in rows if 0 <= row < day.recorded - 1)


def _compare(
    analysis: Analysis,
    where: str,
    change: Change,
    until: int,
    as_it_was: Sequence[Seen],
    changed: Sequence[Seen],
) -> None:
    before, after = (Counter(s for s in seen if s.ts <= until) for seen in (as_it_was, changed))
    analysis.compared += 1
    analysis.effective += Counter(as_it_was) != Counter(changed)
    name = change.__name__.strip("_").replace("_", " ")
    different = sorted(((before - after) + (after - before)).elements())
    for what in dict.fromkeys(each.what for each in different):
        first = next(each.ts for each in different if each.what == what)
        analysis.findings.append(Finding(where, what, first, name))


def _kind(what: str) -> str:
    return "feature" if what.startswith("feature") else what


# --- the two ways a session is played ------------------------------------------------------------


class _Watched(PPOStrategy):
    """Keeps every fill as it came."""

    def __init__(self) -> None:
        super().__init__()
        self.fills: list[Seen] = []

    def notify_order(self, order: bt.Order) -> None:
        """Note what the order has been filled with so far."""
        super().notify_order(order)
        if order.info.get("fills"):
            told = order.getstatusname(), order.data._name, order.info.get("fills")
            self.fills.append(Seen(self.feed.snapshot().ts, "fill", repr(told)))


def in_cerebro(day: ChainDay, settings: Settings, policy: PolicyMaker) -> list[Seen]:
    """What the strategy of the desk saw and did, in Backtrader."""
    source = MemorySource([day])
    events = read_events(settings.rules.events) if settings.rules.events is not None else []
    cerebro = bt.Cerebro(stdstats=False, quicknotify=True)
    cerebro.adddata(ChainFeed(source))
    broker = ChainBroker(settings.capital, settings.fills)
    cerebro.setbroker(ApprovalBroker(broker, AutomaticApprover()))
    cerebro.addstrategy(_Watched, policy=policy(source), settings=settings, events=events)
    ran = cerebro.run()[0]
    record = ran.recorder
    ts = np.array(record.decision_ts, np.int64)
    asked = record.action != OFF_SLOT
    seen = _features_seen(ts, record.features)
    told = record.action, record.probabilities, record.allowed, record.reason
    seen += _decisions_seen(ts[asked], *(column[asked] for column in told))
    account = zip(record.equity_ts, record.cash, record.position_value, strict=True)
    seen += [Seen(int(at), "account line", f"{cash!r} {value!r}") for at, cash, value in account]
    fills: list[Seen] = ran.fills
    return seen + fills


def in_environment(day: ChainDay, settings: Settings, policy: PolicyMaker) -> list[Seen]:
    """What the environment of training and evaluation saw and did."""
    source = MemorySource([day])
    arrays = read_sessions(source, settings)
    played = play(policy(source), arrays, settings)
    decisions, count = played.decisions, int(arrays.decisions[0])
    ts = arrays.ts[0, arrays.decision_row[0, :count]]
    told = decisions.action, decisions.probabilities, decisions.mask, decisions.refusal
    seen = _features_seen(ts, decisions.features[0, :count])
    seen += _decisions_seen(ts, *(column[0, :count] for column in told))
    for trip in played.trips[0]:
        entry = trip.contract, trip.quantity, trip.entry_price, trip.entry_underlying
        seen.append(Seen(trip.entered_ts, "fill", repr(entry)))
        leaving = trip.contract, trip.exit_price, trip.exit_reason, trip.fees
        seen.append(Seen(trip.exited_ts, "fill", repr(leaving)))
    return seen


EYES: dict[str, Eye] = {"backtest": in_cerebro, "environment": in_environment}


def _features_seen(ts: Any, features: Any) -> list[Seen]:
    return [
        Seen(int(at), f"feature {name}", value.tobytes().hex())
        for at, row in zip(ts, features, strict=True)
        for name, value in zip(FEATURES, row, strict=True)
    ]


def _decisions_seen(ts: Any, action: Any, *columns: Any) -> list[Seen]:
    """Decisions; a sale is one that wants something, which is where a leak would show first."""
    return [
        Seen(
            int(at),
            "sale" if action[i] > 0 else "decision",
            " ".join(column[i].tobytes().hex() for column in (action, *columns)),
        )
        for i, at in enumerate(ts)
    ]


# --- what the person is told ---------------------------------------------------------------------


def _tell(name: str, analysis: Analysis, sessions: int) -> None:
    kinds = ", ".join(f"{n:,} {kind}s" for kind, n in sorted(analysis.kinds.items()))
    say(
        f"{name}: {sessions} sessions, {analysis.compared:,} changed futures, "
        f"{analysis.effective:,} of them noticed when they came ({kinds})"
    )
    if not analysis.kinds["fill"]:
        say("note: there was no fill on these sessions, so fills were not looked at")
    worst = Counter((each.where, each.what) for each in analysis.findings)
    for (where, what), times in worst.most_common():
        first = next(each for each in analysis.findings if (each.where, each.what) == (where, what))
        at = f"{to_new_york(first.ts):%Y-%m-%d %H:%M:%S}"
        say(f"LOOKED AHEAD in the {where}: {what} at {at} (later: {first.change}; {times} times)")
    if not analysis.findings:
        say(f"{name}: nothing looked ahead")
