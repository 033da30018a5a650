"""An exit of the strategy: held until its time, then priced by the ladder until flat.

It is no order at IB: the position's one closing order takes on its terms (`native_stop`).
"""

from dataclasses import dataclass

import backtrader as bt

from brokers.ib.walking import LAST_RUNG, Sides, exit_limit, rung
from feeds.contract import Contract
from vocabulary import ExitReason


@dataclass(slots=True)
class ExitOrder:
    """The one exit.

    Attributes:
        order: Backtrader's.
        started_ts: market time at which it began to work, None while it is held.
        limit: its price now, None before the first.
    """

    order: bt.Order
    started_ts: int | None = None
    limit: float | None = None
    _step: int = -1

    @property
    def contract(self) -> Contract:
        """What is closed."""
        contract: Contract = self.order.data.contract
        return contract

    @property
    def side(self) -> int:
        """+1 buys back a short."""
        return 1 if self.order.isbuy() else -1

    @property
    def left(self) -> int:
        """Contracts that are still to be closed by it."""
        return abs(int(self.order.executed.remsize))

    @property
    def reason(self) -> ExitReason:
        """Why the position is closed."""
        return ExitReason(self.order.info["exit_reason"])

    @property
    def decided_ts(self) -> int | None:
        """When that was decided, market time."""
        decided = self.order.info.get("exit_decided_ts")
        return None if decided is None else int(decided)

    def is_due(self, now: int) -> bool:
        """Whether it works: its time has come."""
        good_after = self.order.info.get("good_after")
        return good_after is None or now >= good_after

    def price(self, sides: Sides, now: int, step_seconds: float) -> float | None:
        """Its limit now: a new one with every step, None where the side has no price at all."""
        if self.started_ts is None:
            self.started_ts = now
        step = rung((now - self.started_ts) / 1e9, step_seconds)
        if (step != self._step or self.limit is None) and sides.serves(self.side):
            self._step = step
            self.limit = exit_limit(self.side, min(step, LAST_RUNG), sides)
        return self.limit
