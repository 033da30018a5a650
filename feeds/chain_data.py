"""What every Backtrader feed of chains shares: the bar, and the contracts beside it.

Strategies and brokers rely on this interface alone, so that they run unchanged on history and live.
Backtrader knows naive New York time only; every other instant is int64 nanoseconds or tz-aware.
"""

from datetime import datetime, time
from typing import Any

import backtrader as bt

from feeds.contract import Contract
from feeds.option_contract import OptionContract
from feeds.sessions import NEW_YORK, Floats, Nanoseconds, Session, to_nanoseconds
from feeds.snapshot import ChainSnapshot

NANOSECONDS_A_DAY = 86_400_000_000_000


class ChainData(bt.feed.DataBase):
    """A bar a snapshot: open = high = low = close = spot, and `atm_iv`; the chain beside it."""

    lines: Any = ("atm_iv",)
    params: Any = (
        ("timeframe", bt.TimeFrame.Minutes),
        ("sessionstart", time(9, 30)),
        ("sessionend", time(16, 0)),
    )

    def __init__(self) -> None:
        """A feed without contracts yet."""
        self._contracts: dict[Contract, OptionContract] = {}

    def snapshot(self) -> ChainSnapshot:
        """The chain at the current bar."""
        raise NotImplementedError

    def official_close(self, session: Session) -> float | None:
        """Official close of a session that is over at the current bar, in dollars."""
        raise NotImplementedError

    def contract(self, contract: Contract) -> OptionContract:
        """The one Backtrader data of `contract`; forgotten when its session is over."""
        data = self._contracts.get(contract)
        if data is None:
            data = self._contracts[contract] = OptionContract(self, contract)
        return data

    def _write_bar(self, moment: float, spot: float) -> None:
        """Fill the lines of the current bar, all but `atm_iv`."""
        self.lines.datetime[0] = moment
        for line in (self.lines.open, self.lines.high, self.lines.low, self.lines.close):
            line[0] = spot
        self.lines.volume[0] = self.lines.openinterest[0] = 0.0

    def __reduce__(self) -> Any:
        raise TypeError(f"a {type(self).__name__} reads while it runs and cannot be pickled")


def date_numbers(session: Session, ts: Nanoseconds) -> Floats:
    """Backtrader's date numbers (naive New York time, days) of instants of a session, any shape."""
    midnight = to_nanoseconds(datetime.combine(session.date, time(), NEW_YORK))
    return session.date.toordinal() + (ts - midnight) / NANOSECONDS_A_DAY
