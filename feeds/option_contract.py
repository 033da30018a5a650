"""An option as Backtrader's `data`: orders, trades and positions need no feed of their own.

Backtrader asks little of the data behind an order: a few lines at [0], a name, a clock. A contract
borrows all of it from the chain feed, so that a chain of hundreds of contracts costs one feed.
"""

from typing import TYPE_CHECKING, Any

from feeds.contract import Contract
from feeds.snapshot import Quote

if TYPE_CHECKING:
    from feeds.chain_data import ChainData


class _MidLine:
    """A line whose value now is the contract's mid."""

    def __init__(self, data: "OptionContract") -> None:
        self._data = data

    def __getitem__(self, ago: int) -> float:
        return self._data.quote().mid


class OptionContract:
    """What Backtrader's Order, Trade, Position and CommInfo use of a data, and no more.

    Get one from `ChainData.contract`: there is one object a contract, because Backtrader keys
    positions and trades by identity.
    """

    _compensate = None
    _tz = None

    def __init__(self, feed: "ChainData", contract: Contract) -> None:
        """`contract` as seen through the clock and quotes of `feed`."""
        self.feed = feed
        self.contract = contract
        self._name = str(contract)
        self.p = feed.p
        self.datetime: Any = feed.lines.datetime
        self.date2num, self.num2date = feed.date2num, feed.num2date
        self.open = self.high = self.low = self.close = _MidLine(self)

    def __len__(self) -> int:
        return len(self.feed)

    def quote(self) -> Quote:
        """The quote at the feed's current snapshot."""
        return self.feed.snapshot().quote(self.contract)
