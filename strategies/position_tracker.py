"""Positions, P&L and hold time from our own fills, apart from what a broker believes.

There is at most one position. `PositionTracker` follows it from the first fill of an entry to the
last fill of an exit and then hands out the round trip. Dollars; times in nanoseconds.
"""

from dataclasses import dataclass, field, replace

from feeds.contract import MULTIPLIER
from feeds.sessions import NANOSECONDS_A_MINUTE
from vocabulary import ExitReason, Fill, Position, RoundTrip, Suggestion


@dataclass
class _Leg:
    """Fills of one direction, weighted by quantity."""

    quantity: int = 0
    value: float = 0.0
    mid_value: float = 0.0
    underlying_value: float = 0.0
    fees: float = 0.0
    last_ts: int = 0

    def add(self, fill: Fill) -> None:
        """Count a fill."""
        self.quantity += fill.quantity
        self.value += fill.price * fill.quantity
        self.mid_value += fill.mid * fill.quantity
        self.underlying_value += fill.underlying * fill.quantity
        self.fees += fill.fee
        self.last_ts = fill.ts

    @property
    def price(self) -> float:
        """Average price."""
        return self.value / self.quantity

    @property
    def mid(self) -> float:
        """Average mid at the fills, NaN where one had none."""
        return self.mid_value / self.quantity

    @property
    def underlying(self) -> float:
        """Average spot at the fills."""
        return self.underlying_value / self.quantity


@dataclass
class PositionTracker:
    """The desk's own books.

    Attributes:
        model: name put on every round trip.
        position: the open position, None when flat.
        realised_pnl: dollars of closed round trips, after fees.
        round_trips: the closed ones, oldest first.
        mark: last known mark of the open position, dollars a share.
        mark_ts: when it was known, nanoseconds.
    """

    model: str = ""
    position: Position | None = None
    realised_pnl: float = 0.0
    round_trips: list[RoundTrip] = field(default_factory=list)
    mark: float = 0.0
    mark_ts: int = 0
    _shares: int = 0
    _entry: _Leg = field(default_factory=_Leg)
    _exit: _Leg = field(default_factory=_Leg)

    def entry_filled(self, fill: Fill, suggestion: Suggestion) -> None:
        """Count a fill of the entry that `suggestion` asked for."""
        if self.position is None:
            self._entry, self._exit = _Leg(), _Leg()
            self.mark, self.mark_ts = fill.price, fill.ts
        self._entry.add(fill)
        first = self.position.entered_ts if self.position is not None else fill.ts
        quantity = self._entry.quantity - self._exit.quantity
        self._shares = fill.side * quantity * MULTIPLIER
        self.position = Position(
            contract=fill.contract,
            side=fill.side,
            quantity=quantity,
            average_price=self._entry.price,
            decided_ts=suggestion.ts,
            entered_ts=first,
            risk_score=suggestion.risk_score,
            stop_multiple=suggestion.stop_multiple,
        )

    def exit_filled(
        self, fill: Fill, reason: ExitReason, decided_ts: int | None, was_working: bool = False
    ) -> RoundTrip | None:
        """Count a fill of an exit; the round trip once the position is flat.

        `decided_ts` None and `was_working` belong to settlements: whether an exit order was
        still looking for a fill when the session ended.
        """
        position = self.position
        if position is None:
            raise ValueError(f"an exit of {fill.contract} was filled without a position")
        self._exit.add(fill)
        left = position.quantity - fill.quantity
        self._shares = position.side * left * MULTIPLIER
        if left:
            self.position = replace(position, quantity=left)
            return None
        self.position = None
        trip = self._round_trip(position, reason, decided_ts, was_working)
        self.realised_pnl += trip.net_pnl
        self.round_trips.append(trip)
        return trip

    def see(self, mid: float, ts: int) -> None:
        """Take the mid of this snapshot as the mark, unless there is none (NaN)."""
        if mid == mid:
            self.mark, self.mark_ts = mid, ts

    def pnl(self, ts: int, age_limit_seconds: float) -> float:
        """Unrealised dollars, fees excluded; 0 when flat, NaN when the mark is too old."""
        if self.position is None:
            return 0.0
        if ts - self.mark_ts > age_limit_seconds * 1e9:
            return float("nan")
        return (self.mark - self.position.average_price) * self._shares

    def value(self) -> float:
        """Dollars the position is worth at its last mark: negative for a short."""
        return self.mark * self._shares

    def minutes_held(self, ts: int) -> float:
        """Exact minutes since the position's first fill, 0 when flat."""
        if self.position is None:
            return 0.0
        return (ts - self.position.entered_ts) / NANOSECONDS_A_MINUTE

    def _round_trip(
        self, position: Position, reason: ExitReason, decided_ts: int | None, was_working: bool
    ) -> RoundTrip:
        entry, closing = self._entry, self._exit
        settled = reason is ExitReason.SETTLEMENT
        gross = position.side * (closing.value - entry.value) * MULTIPLIER + 0.0  # never -0.0
        return RoundTrip(
            contract=position.contract,
            side=position.side,
            quantity=entry.quantity,
            decided_ts=position.decided_ts,
            entered_ts=position.entered_ts,
            entry_price=entry.price,
            entry_underlying=entry.underlying,
            exit_decided_ts=None if settled else decided_ts,
            exited_ts=closing.last_ts,
            exit_price=closing.price,
            exit_underlying=closing.underlying,
            exit_reason=reason,
            fees=entry.fees + closing.fees,
            gross_pnl=gross,
            model=self.model,
            mid_entry=entry.mid,
            mid_exit=float("nan") if settled else closing.mid,
            risk_score=position.risk_score,
            stop_multiple=position.stop_multiple,
            exit_was_working=was_working,
        )
