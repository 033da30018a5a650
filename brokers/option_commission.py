"""Backtrader's view of what options are worth: every value carries the multiplier.

Fees are not here: they are a property of the order (`brokers.fills.order_fee`), not of the size.
"""

import backtrader as bt

from feeds.contract import MULTIPLIER


class OptionCommission(bt.CommInfoBase):
    """Stock-like (premium changes hands at once) with the multiplier that Backtrader drops there.

    A short has a negative value: the premium is cash, the obligation lowers the value by its mark.
    """

    params = (
        ("mult", float(MULTIPLIER)),
        ("stocklike", True),
        ("commtype", bt.CommInfoBase.COMM_FIXED),
    )

    def getvaluesize(self, size: float, price: float) -> float:
        """Dollars that `size` contracts are worth at `price`."""
        return float(size * price * self.p.mult)

    def getvalue(self, position: bt.Position, price: float) -> float:
        """Dollars that a position is worth at `price`."""
        return float(position.size * price * self.p.mult)

    def getoperationcost(self, size: float, price: float) -> float:
        """Dollars that change hands for `size` contracts at `price`."""
        return float(abs(size) * price * self.p.mult)
