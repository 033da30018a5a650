"""Plausible finished runs without a backtester: a random walk, an option that decays, trades."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from feeds.contract import Contract, Right
from feeds.sessions import NANOSECONDS_A_MINUTE, Session, last_sessions
from feeds.source import SkippedSession
from reports.result import (
    BacktestResult,
    BaselineResult,
    DecisionTable,
    EquityTable,
    ExposureTable,
    Floats,
    Integers,
    SessionFacts,
)
from vocabulary import ExitReason, RoundTrip

BASELINES = ("hold", "random", "sell_put@10:00", "sell_call@10:00")
START_CASH = 80_000.0


@dataclass(frozen=True)
class Day:
    """One session's path: `ts` [T], `spot` [T], `iv` [T]."""

    session: Session
    ts: Integers
    spot: Floats
    iv: Floats

    def row_at(self, minutes: float) -> int:
        """The first row at or after `minutes` since the open."""
        target = self.session.open_ns + int(minutes * NANOSECONDS_A_MINUTE)
        return int(min(np.searchsorted(self.ts, target), self.ts.size - 1))

    def mid(self, contract: Contract) -> Floats:
        """A value that is at least intrinsic and decays with the square root of time."""
        left = np.maximum(self.session.close_ns - self.ts, 0) / (390 * NANOSECONDS_A_MINUTE)
        away = contract.right.sign * (self.spot - contract.strike)
        width = np.maximum(0.9 * self.iv / 0.15 * np.sqrt(left) * 2.2, 1e-6)
        return np.maximum(away, 0) + width * np.exp(-np.abs(away) / width)


def market(count: int, end: date, spacing: float, random: np.random.Generator) -> list[Day]:
    """`count` sessions up to `end`, a snapshot every `spacing` seconds."""
    days, price = [], 612.0
    for session in last_sessions(count, end):
        step = int(spacing * 1e9)
        ts = np.arange(session.open_ns, session.close_ns + 1, step, dtype=np.int64)
        width = 0.0004 * np.sqrt(spacing / 60) * random.lognormal(0, 0.35)
        spot = price * np.exp(np.cumsum(random.normal(0, width, ts.size)))
        fade = np.linspace(0, 0.05, ts.size)
        days.append(Day(session, ts, spot, 0.13 + fade + 4 * (width - 0.0004)))
        price = float(spot[-1] * np.exp(random.normal(0.0004, 0.004)))
    return days


def trade_on(
    day: Day, right: Right, minutes: float, model: str, *, hold: float = 1e9, settle: bool = False
) -> RoundTrip:
    """A short of the nearest strike: stopped at three times its price, else closed in time."""
    row = day.row_at(minutes)
    contract = Contract("SPY", day.session.date, round(day.spot[row]) * 1000, right)
    mid = day.mid(contract)
    entry = max(round(float(mid[row]) - 0.02, 2), 0.01)
    last = min(day.row_at(minutes + hold), day.row_at(day.session.minutes - 15))
    stopped = np.flatnonzero(mid[row:last] >= 3 * entry)
    reason = ExitReason.STOP_LOSS if stopped.size else ExitReason.TIME_EXIT
    out = row + int(stopped[0]) + 1 if stopped.size else max(last, row + 1)
    out = min(out, day.ts.size - 1)
    exit_price = round(float(mid[out]) + 0.02, 2)
    if settle and not stopped.size:
        out, reason = day.ts.size - 1, ExitReason.SETTLEMENT
        exit_price = round(contract.intrinsic(float(day.spot[-1])), 4)
    settled = reason is ExitReason.SETTLEMENT
    return RoundTrip(
        contract=contract,
        side=-1,
        quantity=1,
        decided_ts=int(day.ts[row - 1]),
        entered_ts=int(day.ts[row]),
        entry_price=entry,
        entry_underlying=round(float(day.spot[row]), 4),
        exit_decided_ts=None if settled else int(day.ts[out - 1]),
        exited_ts=int(day.session.close_ns if settled else day.ts[out]),
        exit_price=exit_price,
        exit_underlying=round(float(day.spot[out]), 4),
        exit_reason=reason,
        fees=1.05 if settled else 2.10,
        gross_pnl=round((entry - exit_price) * 100, 6),
        model=model,
        mid_entry=round(float(mid[row]), 4),
        mid_exit=float("nan") if settled else round(float(mid[out]), 4),
        risk_score=0.24,
        stop_multiple=3.0,
    )


def model_trades(
    days: Sequence[Day], per_day: float, random: np.random.Generator
) -> list[RoundTrip]:
    """About `per_day` trades a session, one after another, puts and calls."""
    trades = []
    for day in days:
        minutes = float(random.choice([30.0, 32.0, 45.0, 90.0, 150.0]))
        for _ in range(int(random.poisson(per_day)) if per_day != 1 else 1):
            if minutes > day.session.minutes - 60:
                break
            right = Right.PUT if random.random() < 0.6 else Right.CALL
            settle = bool(random.random() < 0.08)
            trade = trade_on(day, right, minutes, "bundled", hold=150, settle=settle)
            trades.append(trade)
            minutes = (trade.exited_ts - day.session.open_ns) / NANOSECONDS_A_MINUTE + 5
    return trades


def clock_trades(days: Sequence[Day], name: str) -> list[RoundTrip]:
    """One sale at 10:00 every session."""
    right = Right.PUT if "put" in name else Right.CALL
    return [trade_on(day, right, 31.0, name) for day in days]


def decisions_of(days: Sequence[Day], random: np.random.Generator) -> DecisionTable:
    """Features of every snapshot and an answer in every five-minute slot."""
    ts = np.concatenate([day.ts for day in days])
    features = np.zeros((ts.size, 8), np.float32)
    features[:, 0] = np.concatenate([_since_open(day) for day in days]) / 390
    features[:, 1] = np.concatenate([day.spot for day in days]) / 1000
    features[:, 2] = np.concatenate([day.iv for day in days])
    features[:, 7] = 1 - features[:, 0]
    slot = np.concatenate([np.diff(_since_open(day) // 5, prepend=-1.0) > 0 for day in days])
    probabilities = random.dirichlet((3, 1, 1.5), ts.size).astype(np.float32)
    probabilities[~slot] = np.nan
    action = np.where(slot, np.nan_to_num(probabilities).argmax(axis=1), -1).astype(np.int8)
    reason = np.where(slot, random.choice(4, ts.size, p=(0.4, 0.3, 0.2, 0.1)), 0)
    reasons = ("", "outside the entry window", "the wait is not over", "the spread is too wide")
    return DecisionTable(
        ts, features, action, probabilities, reason == 0, reason.astype(np.int16), reasons
    )


def _since_open(day: Day) -> Floats:
    return day.session.minutes_since_open(day.ts)


def account_of(
    days: Sequence[Day], trades: Sequence[RoundTrip]
) -> tuple[EquityTable, ExposureTable]:
    """Cash and the position at mid on every snapshot, and the exposure while there is one."""
    ts = np.concatenate([day.ts for day in days])
    cash = np.full(ts.size, START_CASH)
    value = np.zeros(ts.size)
    held = []
    by_date = {day.session.date: day for day in days}
    for trade in trades:
        day = by_date[trade.contract.expiration]
        open_fee = min(trade.fees, 1.05)
        first, last = np.searchsorted(ts, [trade.entered_ts, trade.exited_ts])
        cash[first:] += trade.entry_price * 100 - open_fee
        cash[last:] -= trade.exit_price * 100 + trade.fees - open_fee
        inside = (day.ts >= trade.entered_ts) & (day.ts < trade.exited_ts)
        mid = day.mid(trade.contract)[inside]
        value[first:last] = -100 * mid
        sign = trade.contract.right.sign
        delta = (
            -100
            * sign
            * np.clip(0.5 + 0.2 * sign * (day.spot[inside] - trade.contract.strike), 0, 1)
        )
        left = (day.session.close_ns - day.ts[inside]) / (390 * NANOSECONDS_A_MINUTE)
        held.append(np.column_stack([day.ts[inside], mid, delta, 120 / np.sqrt(left + 0.02)]))
    table = np.concatenate(held) if held else np.empty((0, 4))
    times = (
        np.concatenate([by_date[t.contract.expiration].ts[_inside(by_date, t)] for t in trades])
        if trades
        else np.empty(0, np.int64)
    )
    return EquityTable(ts, cash, value), ExposureTable(times, *table[:, 1:].T.copy())


def _inside(by_date: dict[date, Day], trade: RoundTrip) -> np.ndarray:
    ts = by_date[trade.contract.expiration].ts
    return (ts >= trade.entered_ts) & (ts < trade.exited_ts)


def facts_of(day: Day, source: str) -> SessionFacts:
    """What the run says about a session."""
    return SessionFacts(
        date=day.session.date,
        open_ns=day.session.open_ns,
        close_ns=day.session.close_ns,
        snapshots=day.ts.size,
        spot_open=round(float(day.spot[0]), 4),
        spot_high=round(float(day.spot.max()), 4),
        spot_low=round(float(day.spot.min()), 4),
        spot_close=round(float(day.spot[-1]), 4),
        official_close=round(float(day.spot[-1]), 4),
        source=source,
        flags=("half day",) if day.session.minutes < 390 else (),
        spacing_seconds=float(np.median(np.diff(day.ts))) / 1e9,
    )


def result(
    sessions: int = 3,
    per_day: float = 1,
    *,
    seed: int = 0,
    spacing: float = 60.0,
    source: str = "simulated",
    baselines: Sequence[str] = BASELINES,
    in_sample: int = 0,
    end: date = date(2026, 10, 30),
) -> BacktestResult:
    """A run of `sessions` sessions with about `per_day` trades each; two more were skipped."""
    random = np.random.default_rng(seed)
    days = market(sessions + 2, end, spacing, random)
    lost = {len(days) // 3, len(days) // 2} if sessions > 3 else {0, 1}
    kept = [day for number, day in enumerate(days) if number not in lost]
    reasons = ("no official close", "no snapshot")
    trades = model_trades(kept, per_day, random)
    equity, exposure = account_of(kept, trades)
    others = {name: _baseline(kept, name, random) for name in baselines}
    label = f"{source} market, seed {seed}" if source == "simulated" else source
    return BacktestResult(
        model="bundled",
        data_label=label,
        starting_cash=START_CASH,
        sessions=[facts_of(day, source) for day in kept],
        skipped=[
            SkippedSession(
                days[row].session.date, reason, 100 * float(np.ptp(days[row].spot)) / 600
            )
            for row, reason in zip(sorted(lost), reasons, strict=True)
        ],
        trades=trades,
        decisions=decisions_of(kept, random),
        equity=equity,
        exposure=exposure,
        in_sample_dates=frozenset(day.session.date for day in kept[:in_sample]),
        notes=["12 crossed quotes were left out", "2 rows fell outside the session"],
        baselines=others,
    )


def _baseline(days: Sequence[Day], name: str, random: np.random.Generator) -> BaselineResult:
    if name == "hold":
        return BaselineResult([])
    if name == "random":
        sold = [(day, random.uniform(35, 300)) for day in days if day.session.minutes == 390]
        return BaselineResult(
            [trade_on(day, Right(random.integers(2)), at, name) for day, at in sold]
        )
    return BaselineResult(clock_trades(days, name))
