"""What a backtest hands over to its files and its report: frozen types, nothing computed.

Times are int64 nanoseconds since 1970 UTC, prices dollars a share, money dollars. N counts the
snapshots of all kept sessions in order, A the actions of the policy's table.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

import numpy as np
import numpy.typing as npt

from feeds.source import SkippedSession
from vocabulary import FEATURES, RoundTrip

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionFacts:
    """A session that was kept.

    Args:
        date: the trading day.
        open_ns, close_ns: its open and close.
        snapshots: rows the source recorded.
        spot_open, spot_high, spot_low, spot_close: the underlying over those rows, dollars.
        official_close: what positions settle at, dollars.
        source: who recorded it; starts with "simulated" for the simulated market.
        flags: what a reader should know ("thin", "half day", ...).
        spacing_seconds: median time between snapshots.
    """

    date: date
    open_ns: int
    close_ns: int
    snapshots: int
    spot_open: float
    spot_high: float
    spot_low: float
    spot_close: float
    official_close: float
    source: str
    flags: tuple[str, ...] = ()
    spacing_seconds: float = 60.0

    @property
    def range_pct(self) -> float:
        """High less low in per cent of the first price."""
        return 100 * (self.spot_high - self.spot_low) / self.spot_open


@dataclass(frozen=True, slots=True, eq=False)
class DecisionTable:
    """One row a snapshot: what was seen, what the policy wanted, what the rules said.

    Args:
        ts: int64 [N].
        features: float32 [N, 8], in the order of `vocabulary.FEATURES`.
        action: int8 [N], index in the policy's table, -1 off decision slots.
        probabilities: float32 [N, A], NaN off decision slots.
        allowed: bool [N], whether the rules allowed anything but to hold.
        reason: int16 [N], index into `reasons`.
        reasons: the distinct reasons; "" is none. One with the word "capital" in it is the
            capital rule's, and the report says so.
    """

    ts: Integers
    features: npt.NDArray[np.float32]
    action: npt.NDArray[np.int8]
    probabilities: npt.NDArray[np.float32]
    allowed: npt.NDArray[np.bool_]
    reason: npt.NDArray[np.int16]
    reasons: tuple[str, ...] = ("",)

    @property
    def spot(self) -> Floats:
        """[N] price of the underlying in dollars, as the feature held it."""
        return self.features[:, FEATURES.index("spy_price")].astype(np.float64) * 1000

    @property
    def atm_iv(self) -> Floats:
        """[N] implied volatility at the money, a fraction a year."""
        return self.features[:, FEATURES.index("atm_iv")].astype(np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class EquityTable:
    """The account on M snapshots: int64 [M] times, cash and position at mid in dollars [M].

    Values are finite: a position without a quote is carried at its last known mark.
    """

    ts: Integers
    cash: Floats
    position_value: Floats

    @property
    def equity(self) -> Floats:
        """[M] cash and position together, dollars."""
        return self.cash + self.position_value


@dataclass(frozen=True, slots=True, eq=False)
class ExposureTable:
    """The open position on the P snapshots that had one.

    Args:
        ts: int64 [P].
        mid: [P] mark of the held option, dollars a share: its mid, else the last one known.
        delta: [P] dollars the position gains when the underlying rises by one dollar.
        theta: [P] dollars the position gains in a day by time alone.
    """

    ts: Integers
    mid: Floats
    delta: Floats
    theta: Floats

    @classmethod
    def empty(cls) -> "ExposureTable":
        """The table of a run that never held a position."""
        return cls(np.empty(0, np.int64), np.empty(0), np.empty(0), np.empty(0))


@dataclass(frozen=True, slots=True)
class BaselineResult:
    """What a policy that is no model did on the same sessions."""

    trades: list[RoundTrip]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class BacktestResult:
    """A finished run.

    Args:
        model: name of the model or policy.
        data_label: where the market came from ("simulated market, seed 0").
        underlying: symbol of the underlying.
        model_sha256: of the model's zip, empty for a policy that is none.
        starting_cash: dollars at the start.
        sessions: kept sessions, in order, idle ones included.
        skipped: sessions that were left out, in order.
        trades: round trips, in order.
        decisions, equity, exposure: see there.
        in_sample_dates: sessions the model was trained on.
        notes: what the reader should know about the data, a sentence each.
        baselines: results of `hold`, `random`, ... by name; empty where none were run.
    """

    model: str
    data_label: str
    starting_cash: float
    sessions: list[SessionFacts]
    skipped: list[SkippedSession]
    trades: list[RoundTrip]
    decisions: DecisionTable
    equity: EquityTable
    exposure: ExposureTable = field(default_factory=ExposureTable.empty)
    in_sample_dates: frozenset[date] = frozenset()
    notes: list[str] = field(default_factory=list)
    baselines: Mapping[str, BaselineResult] = field(default_factory=dict)
    underlying: str = "SPY"
    model_sha256: str = ""

    @property
    def is_simulated(self) -> bool:
        """Whether any of the market was simulated."""
        labels = [self.data_label, *(session.source for session in self.sessions)]
        return any(label.lower().startswith("simulated") for label in labels)

    @property
    def in_sample(self) -> list[date]:
        """Sessions of the run the model was trained on, in order."""
        return [session.date for session in self.sessions if session.date in self.in_sample_dates]
