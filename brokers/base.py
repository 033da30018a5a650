"""What every broker of the desk shares: orders from Backtrader's calls, a queue of news."""

from collections import deque
from typing import Any

import backtrader as bt
from backtrader.order import BuyOrder, SellOrder


class DeskBroker(bt.broker.BrokerBase):
    """A Backtrader broker that builds an order once and tells its owner by clones.

    Subclasses define `submit`, `cancel`, `next`, `getcash`, `getvalue` and `getposition`; the
    spellings with an underscore follow, which Backtrader's own base class gets wrong.
    """

    def __init__(self) -> None:
        """A broker without news."""
        super().__init__()
        self._news: deque[bt.Order] = deque()

    def buy(self, owner: bt.Strategy, data: Any, size: float, **terms: Any) -> bt.Order:
        """A purchase of `size`; further terms as Backtrader's, all others become `order.info`."""
        return self.submit(self._order(BuyOrder, owner, data, size, **terms))

    def sell(self, owner: bt.Strategy, data: Any, size: float, **terms: Any) -> bt.Order:
        """A sale, as `buy`."""
        return self.submit(self._order(SellOrder, owner, data, size, **terms))

    def _order(
        self,
        kind: type[bt.Order],
        owner: bt.Strategy,
        data: Any,
        size: float,
        price: float | None = None,
        plimit: float | None = None,
        exectype: int | None = None,
        valid: Any = None,
        tradeid: int = 0,
        oco: bt.Order | None = None,
        trailamount: float | None = None,
        trailpercent: float | None = None,
        parent: bt.Order | None = None,
        transmit: bool = True,
        **info: Any,
    ) -> bt.Order:
        order = kind(
            owner=owner,
            data=data,
            size=size,
            price=price,
            pricelimit=plimit,
            exectype=exectype,
            valid=valid,
            tradeid=tradeid,
            oco=oco,
            trailamount=trailamount,
            trailpercent=trailpercent,
            parent=parent,
            transmit=transmit,
        )
        order.addinfo(**info)
        return order

    def tell(self, order: bt.Order) -> None:
        """Queue the order's present state for its owner."""
        self._news.append(order.clone())

    def get_notification(self) -> bt.Order | None:
        """The oldest news, None when there is none (Backtrader polls this on every loop)."""
        return self._news.popleft() if self._news else None

    def get_cash(self) -> float:
        """Cash in dollars."""
        return float(self.getcash())

    def get_value(self, datas: Any = None) -> float:
        """Cash and positions in dollars."""
        return float(self.getvalue(datas))
