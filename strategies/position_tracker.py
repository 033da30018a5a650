"""Positions, P&L and hold time from our own fills, apart from what a broker believes.

There is at most one position. `PositionTracker` follows it from the first fill of an entry to the
last fill of an exit and then hands out the round trip. A fill may be corrected later (its
commission comes, its price is put right): every figure it went into follows. Dollars; times in
nanoseconds.
"""

import math
from dataclasses import dataclass, field

from feeds.contract import MULTIPLIER
from feeds.sessions import NANOSECONDS_A_MINUTE
from strategies.fill_leg import FillLeg
from vocabulary import DeskMemory, ExitReason, Fill, Position, RoundTrip, Suggestion


@dataclass(eq=False)
class _Books:
    """One position's fills, and how it was closed."""

    suggestion: Suggestion
    entry: FillLeg = field(default_factory=FillLeg)
    exit: FillLeg = field(default_factory=FillLeg)
    reason: ExitReason = ExitReason.SETTLEMENT
    decided_ts: int | None = None
    was_working: bool = False

    @property
    def open_quantity(self) -> int:
        """Contracts that are not closed."""
        return self.entry.quantity - self.exit.quantity


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
    _open: _Books | None = None
    _closed: list[_Books] = field(default_factory=list)

    def entry_filled(self, fill: Fill, suggestion: Suggestion) -> None:
        """Count a fill of the entry that `suggestion` asked for."""
        if self._open is None:
            self._open = _Books(suggestion)
            self.mark, self.mark_ts = fill.price, fill.ts
        self._open.entry.add(fill)
        self._carry(self._open)

    def exit_filled(
        self, fill: Fill, reason: ExitReason, decided_ts: int | None, was_working: bool = False
    ) -> RoundTrip | None:
        """Count a fill of an exit; the round trip once the position is flat.

        `decided_ts` None and `was_working` belong to settlements: whether an exit order was
        still looking for a fill when the session ended. Raises `ValueError` for a fill that no
        open position explains.
        """
        books = self._open
        if books is None:
            raise ValueError(f"an exit of {fill.contract} was filled without a position")
        if fill.quantity > books.open_quantity:
            raise ValueError(
                f"an exit of {fill.contract} was filled {fill.quantity} times, "
                f"{books.open_quantity} were open"
            )
        books.exit.add(fill)
        books.reason, books.decided_ts, books.was_working = reason, decided_ts, was_working
        if books.open_quantity:
            self._carry(books)
            return None
        return self._close(books)

    def correct(self, old: Fill, new: Fill) -> None:
        """Replace a fill that was counted by what it has become: fee, price or quantity.

        Raises `ValueError` where `old` was never counted, or where the books cannot follow: a
        closed position that would be open again beside another one.
        """
        books = self._books_of(old)
        is_entry = old in books.entry.fills
        more = (new.quantity - old.quantity) * (1 if is_entry else -1)
        self._check_correction(books, new, more)
        (books.entry if is_entry else books.exit).replace(old, new)
        if not books.entry.quantity:
            self._annul(books)
        elif books.open_quantity:
            self._carry_again(books)
        elif books is self._open:
            self._close(books)
        else:
            self.round_trips[self._closed.index(books)] = _round_trip(books, self.model)
            self._add_up()

    def _check_correction(self, books: _Books, new: Fill, more: int) -> None:
        """Raise where a correction by `more` open contracts leaves no books that can be."""
        left = books.open_quantity + more
        elsewhere = self._open is not None and books is not self._open
        if left < 0 or (left > 0 and elsewhere):
            raise ValueError(
                f"execution {new.execution_id} of {new.contract} was corrected to "
                f"{new.quantity} contracts: the books would be off by {left}"
            )

    def known(self, execution_id: str) -> Fill | None:
        """The fill of that id as it was counted, None where it was not (or has no id)."""
        if not execution_id:
            return None
        for books in self._all_books():
            for fill in (*books.entry.fills, *books.exit.fills):
                if fill.execution_id == execution_id:
                    return fill
        return None

    def restore(self, memory: DeskMemory, time_exit: int | None) -> None:
        """Count the fills of an earlier process; `time_exit` is the time exit's instant, if any."""
        for past in memory.fills:
            if past.exit_reason is None:
                if past.suggestion is None:
                    raise ValueError(f"the fill {past.fill.execution_id} has no suggestion")
                self.entry_filled(past.fill, past.suggestion)
            else:
                settled = past.exit_reason is ExitReason.SETTLEMENT
                late = settled and time_exit is not None and past.fill.ts >= time_exit
                self.exit_filled(past.fill, past.exit_reason, past.exit_decided_ts, late)

    def see(self, mid: float, ts: int) -> None:
        """Take the mid of this snapshot as the mark, unless there is none (NaN)."""
        if mid == mid:
            self.mark, self.mark_ts = mid, ts

    def see_value(self, value: float, ts: int) -> None:
        """Take the mark from what the position was worth (dollars), to the last bit of it."""
        if self.position is None:
            return
        mark = value / self._shares
        for candidate in (mark, math.nextafter(mark, math.inf), math.nextafter(mark, -math.inf)):
            if candidate * self._shares == value:
                self.mark, self.mark_ts = candidate, ts
                return
        self.mark, self.mark_ts = mark, ts

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

    def _carry(self, books: _Books) -> None:
        """Make `books` the open position."""
        first, suggestion = books.entry.fills[0], books.suggestion
        quantity = books.open_quantity
        self._open = books
        self._shares = first.side * quantity * MULTIPLIER
        self.position = Position(
            contract=first.contract,
            side=first.side,
            quantity=quantity,
            average_price=books.entry.price,
            decided_ts=suggestion.ts,
            entered_ts=first.ts,
            risk_score=suggestion.risk_score,
            stop_multiple=suggestion.stop_multiple,
        )

    def _close(self, books: _Books) -> RoundTrip:
        self.position, self._open, self._shares = None, None, 0
        trip = _round_trip(books, self.model)
        self.realised_pnl += trip.net_pnl
        self.round_trips.append(trip)
        self._closed.append(books)
        return trip

    def _all_books(self) -> list[_Books]:
        """The newest first."""
        newest = [] if self._open is None else [self._open]
        return newest + self._closed[::-1]

    def _books_of(self, fill: Fill) -> _Books:
        for books in self._all_books():
            if fill in books.entry.fills or fill in books.exit.fills:
                return books
        raise ValueError(f"execution {fill.execution_id} of {fill.contract} was never counted")

    def _carry_again(self, books: _Books) -> None:
        """Carry `books`, which may have been closed before a correction."""
        if books is not self._open:
            self.mark, self.mark_ts = books.entry.price, books.entry.fills[-1].ts
            self._forget_trip(books)
        self._carry(books)

    def _annul(self, books: _Books) -> None:
        """Nothing of the entry is left: there never was a position."""
        if books is self._open:
            self.position, self._open, self._shares = None, None, 0
        else:
            self._forget_trip(books)

    def _forget_trip(self, books: _Books) -> None:
        place = self._closed.index(books)
        del self._closed[place], self.round_trips[place]
        self._add_up()

    def _add_up(self) -> None:
        """Realised P&L in the order in which it was earned, so that no bit depends on when."""
        self.realised_pnl = 0.0
        for trip in self.round_trips:
            self.realised_pnl += trip.net_pnl


def _round_trip(books: _Books, model: str) -> RoundTrip:
    entry, closing, suggestion = books.entry, books.exit, books.suggestion
    settled = books.reason is ExitReason.SETTLEMENT
    side = entry.fills[0].side
    gross = side * (closing.value - entry.value) * MULTIPLIER + 0.0  # never -0.0
    return RoundTrip(
        contract=entry.fills[0].contract,
        side=side,
        quantity=entry.quantity,
        decided_ts=suggestion.ts,
        entered_ts=entry.fills[0].ts,
        entry_price=entry.price,
        entry_underlying=entry.underlying,
        exit_decided_ts=None if settled else books.decided_ts,
        exited_ts=closing.fills[-1].ts,
        exit_price=closing.price,
        exit_underlying=closing.underlying,
        exit_reason=books.reason,
        fees=entry.fees + closing.fees,
        gross_pnl=gross,
        model=model,
        mid_entry=entry.mid,
        mid_exit=float("nan") if settled else closing.mid,
        risk_score=suggestion.risk_score,
        stop_multiple=suggestion.stop_multiple,
        exit_was_working=books.was_working,
    )
