"""From a finished Cerebro run to the `BacktestResult` that files and reports are made of."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from commands.policies import ChosenPolicy
from feeds.chain import ChainDay
from feeds.live.live_feed import LAST_SPOT
from feeds.option_maths import greeks_at, volatility_and_greeks, year_fraction
from feeds.sessions import NANOSECONDS_A_MINUTE, Floats, Nanoseconds
from feeds.source import ChainSource, MemorySource, SkippedSession
from reports.result import (
    BacktestResult,
    DecisionTable,
    EquityTable,
    ExposureTable,
    SessionFacts,
)
from settings import Settings
from strategies.ppo_strategy import PPOStrategy
from strategies.recorder import RunRecorder
from strategies.rules import REASONS, Refusal
from vocabulary import RoundTrip


class SessionCollector:
    """Takes the facts of every session as the feed opens it; the chain itself is let go."""

    def __init__(self, advance: Callable[[], None]) -> None:
        """`advance` is called once a session, for a progress bar."""
        self.facts: list[SessionFacts] = []
        self._advance = advance

    def add(self, day: ChainDay) -> None:
        """Note a session."""
        self.facts.append(session_facts(day))
        self._advance()


def session_facts(day: ChainDay) -> SessionFacts:
    """What a report says about a session that was kept."""
    spot, ts = day.spot[: day.recorded], day.ts[: day.recorded]
    assert day.official_close is not None  # the feed leaves sessions without one out
    return SessionFacts(
        date=day.session.date,
        open_ns=day.session.open_ns,
        close_ns=day.session.close_ns,
        snapshots=day.recorded,
        spot_open=float(spot[0]),
        spot_high=float(np.nanmax(spot)),
        spot_low=float(np.nanmin(spot)),
        spot_close=float(spot[-1]),
        official_close=day.official_close,
        source=day.source,
        flags=day.flags,
        spacing_seconds=float(np.median(np.diff(ts)) / 1e9) if ts.size > 1 else 0.0,
    )


def backtest_result(
    strategy: PPOStrategy,
    source: ChainSource,
    failed: Sequence[SkippedSession],
    facts: Sequence[SessionFacts],
    chosen: ChosenPolicy,
    settings: Settings,
) -> BacktestResult:
    """Join what strategy, feed and source know.

    `failed` are sessions that could not be read on the way: their rows are left out.
    """
    recorder: RunRecorder = strategy.recorder
    trips = list(strategy.tracker.round_trips)
    decisions, equity = _decision_table(recorder), _equity_table(recorder)
    skipped: list[SkippedSession] = sorted([*source.skipped, *failed], key=lambda entry: entry.date)
    if failed:
        decisions, equity = _only_kept(decisions, equity, facts)
    return BacktestResult(
        model=chosen.policy.name,
        data_label=source.label,
        starting_cash=settings.capital,
        sessions=list(facts),
        skipped=skipped,
        trades=trips,
        decisions=decisions,
        equity=equity,
        exposure=_exposure(trips, decisions, equity, chosen.year_convention, facts),
        in_sample_dates=chosen.in_sample([one.date for one in facts], source.label),
        notes=[*chosen.notes, *_rule_notes(recorder)],
        underlying=source.underlying,
        model_sha256=chosen.sha256,
    )


def session_result(
    strategy: PPOStrategy, day: ChainDay, chosen: ChosenPolicy, settings: Settings
) -> BacktestResult:
    """The result of one live session, from its strategy and its recording."""
    if day.official_close is None:  # told later, if at all: the last spot stands in
        last = float(day.spot[day.recorded - 1])
        day = replace(day, official_close=last, close_source=LAST_SPOT)
    source = MemorySource([day], day.source)
    return backtest_result(strategy, source, (), [session_facts(day)], chosen, settings)


def _decision_table(recorder: RunRecorder) -> DecisionTable:
    return DecisionTable(
        ts=np.array(recorder.decision_ts, np.int64),
        features=recorder.features,
        action=recorder.action,
        probabilities=recorder.probabilities,
        allowed=recorder.allowed,
        reason=recorder.reason.astype(np.int16),
        reasons=tuple(REASONS[code] for code in Refusal),
    )


def _equity_table(recorder: RunRecorder) -> EquityTable:
    return EquityTable(
        ts=np.array(recorder.equity_ts, np.int64),
        cash=np.array(recorder.cash),
        position_value=np.array(recorder.position_value),
    )


def _only_kept(
    decisions: DecisionTable, equity: EquityTable, facts: Sequence[SessionFacts]
) -> tuple[DecisionTable, EquityTable]:
    kept, rows = _inside(decisions.ts, facts), _inside(equity.ts, facts)
    return (
        DecisionTable(
            ts=decisions.ts[kept],
            features=decisions.features[kept],
            action=decisions.action[kept],
            probabilities=decisions.probabilities[kept],
            allowed=decisions.allowed[kept],
            reason=decisions.reason[kept],
            reasons=decisions.reasons,
        ),
        EquityTable(equity.ts[rows], equity.cash[rows], equity.position_value[rows]),
    )


def _inside(ts: Nanoseconds, facts: Sequence[SessionFacts]) -> np.ndarray:
    """Whether each instant lies in one of the sessions (oldest first)."""
    opens = np.array([one.open_ns for one in facts])
    closes = np.array([one.close_ns for one in facts])
    which = np.searchsorted(opens, ts, side="right") - 1
    inside: np.ndarray = (which >= 0) & (ts <= closes[which])
    return inside


def _rule_notes(recorder: RunRecorder) -> list[str]:
    refused = recorder.refusals().get(Refusal.CAPITAL, 0)
    if not refused:
        return []
    return [f"The capital rule refused entries at {refused} decision slots."]


def _exposure(
    trips: Sequence[RoundTrip],
    decisions: DecisionTable,
    equity: EquityTable,
    convention: str,
    facts: Sequence[SessionFacts],
) -> ExposureTable:
    """Delta and theta of the open position, from its mark, spot and time (forward = spot)."""
    if not trips:
        return ExposureTable.empty()
    which, rows = _held_rows(trips, equity.ts)
    ts = equity.ts[rows]
    seen = np.searchsorted(decisions.ts, ts).clip(max=decisions.ts.size - 1)
    size = np.array([trip.side * trip.quantity for trip in trips])[which] * 100.0
    mark = equity.position_value[rows] / size
    spot, iv = decisions.spot[seen], decisions.atm_iv[seen]
    delta, theta = _greeks(trips, which, mark, spot, iv, _years(ts, convention, facts))
    return ExposureTable(ts=ts, mid=mark, delta=delta * size, theta=theta * size)


def _held_rows(trips: Sequence[RoundTrip], ts: Nanoseconds) -> tuple[np.ndarray, np.ndarray]:
    """For each equity row with an open position: which trip, and the row."""
    first = np.searchsorted(ts, [trip.entered_ts for trip in trips])
    last = np.searchsorted(ts, [trip.exited_ts for trip in trips])
    counts = last - first
    which = np.repeat(np.arange(len(trips)), counts)
    rows = np.concatenate([np.arange(a, b) for a, b in zip(first, last, strict=True)])
    return which, rows.astype(np.int64)


def _years(ts: Nanoseconds, convention: str, facts: Sequence[SessionFacts]) -> Floats:
    closes = np.array([one.close_ns for one in facts])
    until = (closes[np.searchsorted(closes, ts)] - ts) / NANOSECONDS_A_MINUTE
    return year_fraction(until, convention)


def _greeks(
    trips: Sequence[RoundTrip],
    which: np.ndarray,
    mark: Floats,
    spot: Floats,
    iv: Floats,
    years: Floats,
) -> tuple[Floats, Floats]:
    """Delta and theta a share; at `atm_iv` where the mark has no volatility of its own."""
    strike = np.array([trip.contract.strike for trip in trips])[which]
    is_call = np.array([trip.contract.right.sign > 0 for trip in trips])[which]
    own = volatility_and_greeks(mark, spot, strike, years, is_call)
    general = greeks_at(iv, spot, strike, years, is_call)
    delta = np.where(np.isfinite(own.iv), own.delta, general.delta)
    return delta, np.where(np.isfinite(own.iv), own.theta, general.theta)
