"""Alarms late in the day: a position near its time exit, near assignment, or open after the close.

SPY options are American and physically settled: an option that is a cent in the money at the close
is exercised, a short one is assigned, 100 shares a contract, and its holder may still decide after
the close. They trade until fifteen minutes after the stock's close.
"""

from dataclasses import dataclass, field

from feeds.sessions import NANOSECONDS_A_MINUTE, Session, to_new_york
from settings import Settings
from strategies import rules
from vocabulary import Position

NEAR_STRIKE = 0.003
"""A spot within this fraction of the strike may still end in the money."""
LAST_HOUR = 60.0
BEFORE_EXIT = (15.0, 5.0, 1.0)
"""Minutes before the time exit at which an open position is named."""
LATE_MINUTES = 1.0
"""An exit may look for its fill so long before it is called late."""
TRADING_AFTER_CLOSE = 15.0
"""Minutes after the close for which options still trade."""


@dataclass
class ExpiryAlarms:
    """Says each alarm once, and the pressing ones every minute; market time throughout."""

    session: Session
    settings: Settings
    _said: set[tuple[str, int]] = field(default_factory=set)

    def look(self, now: int, position: Position | None, spot: float) -> list[str]:
        """The alarms that are due at `now` (nanoseconds) for an open position, `spot` in dollars.

        A flat desk hears nothing.
        """
        if position is None:
            return []
        until_close = (self.session.close_ns - now) / NANOSECONDS_A_MINUTE
        minute = int(now // NANOSECONDS_A_MINUTE)
        if until_close <= 0:
            due = [(("closed", minute), self._after_close(position, until_close))]
        else:
            due = [*self._time_exit(now, position, minute), *self._assignment(now, position, spot)]
        new = [(key, words) for key, words in due if key not in self._said]
        self._said.update(key for key, _ in new)
        return [words for _, words in new]

    def _time_exit(
        self, now: int, position: Position, minute: int
    ) -> list[tuple[tuple[str, int], str]]:
        if self.settings.rules.hold_to_expiry:
            return []
        at = rules.time_exit_ts(self.session.close_ns, self.settings.rules)
        left = (at - now) / NANOSECONDS_A_MINUTE
        if left <= -LATE_MINUTES:
            words = f"{_name(position)} is still open, its time exit was due at {_clock(at)}"
            return [(("late", minute), words)]
        marks = [mark for mark in BEFORE_EXIT if 0 < left <= mark]
        if not marks:
            return []
        words = f"{_name(position)} will be closed at {_clock(at)}, in {left:.0f} minutes"
        return [(("soon", int(min(marks))), words)]

    def _assignment(
        self, now: int, position: Position, spot: float
    ) -> list[tuple[tuple[str, int], str]]:
        contract = position.contract
        until_close = (self.session.close_ns - now) / NANOSECONDS_A_MINUTE
        near = abs(spot - contract.strike) <= NEAR_STRIKE * spot
        inside = contract.intrinsic(spot) > 0
        if position.side > 0 or until_close > LAST_HOUR or not (near or inside):
            return []
        where = "in the money" if inside else "within 0.3 % of its strike"
        shares = contract.multiplier * position.quantity
        words = (
            f"{_name(position)} is {where} ({contract.underlying} {spot:.2f}): open at the close "
            f"it may become {'-' if contract.right.sign > 0 else '+'}{shares} shares"
        )
        return [(("assignment", int(until_close // 10)), words)]

    def _after_close(self, position: Position, until_close: float) -> str:
        left = TRADING_AFTER_CLOSE + until_close
        if left > 0:
            return (
                f"{_name(position)} IS OPEN AFTER THE CLOSE: it still trades for {left:.0f} "
                "minutes; close it now"
            )
        return (
            f"{_name(position)} WAS NOT CLOSED: it may be assigned; look at the account "
            "before the next session"
        )


def _name(position: Position) -> str:
    contract = position.contract
    side = "short" if position.side < 0 else "long"
    return f"{side} {position.quantity} {contract.underlying} {contract.strike:g} " + str(
        contract.right.name
    )


def _clock(ts: int) -> str:
    return f"{to_new_york(ts):%H:%M} New York"
