"""The simulated broker: fills options at the bid or ask of a later snapshot, settles at expiry.

It trades `OptionContract`s of a `ChainFeed`, market and limit orders, one session at a time. What a
fill is, costs and settles at is decided by `brokers.fills` alone. docs/execution.md tells the order
of things at a snapshot. Prices are dollars a share, cash is dollars.
"""

from typing import Any

import backtrader as bt
from backtrader.order import BuyOrder, SellOrder
from backtrader.position import Position

from brokers import fills
from brokers.base import DeskBroker
from brokers.option_commission import OptionCommission
from feeds.chain import ChainSnapshot, Quote
from feeds.option_contract import OptionContract
from settings import FillSettings
from vocabulary import ExitReason, Fill

_COMMISSION = OptionCommission()
_TRADABLE_TYPES = (bt.Order.Market, bt.Order.Limit)


class ChainBroker(DeskBroker):
    """Fills at the natural side of the next snapshot, by quoted size, with fees by the order.

    Orders may carry `good_after` (nanoseconds) in `order.info`: they work from that time on and fill
    at the first tradable snapshot at or after it. Each fill is appended to `order.info["fills"]`;
    Canceled orders say why in `order.info["reason"]`. Contracts are forgotten once closed.
    """

    def __init__(self, cash: float = 80_000.0, settings: FillSettings | None = None) -> None:
        """An account with `cash` dollars and nothing else."""
        super().__init__()
        self.settings = settings if settings is not None else FillSettings()
        self.startingcash = self._cash = float(cash)
        self.positions: dict[OptionContract, Position] = {}
        self._marks: dict[OptionContract, float] = {}
        self._owners: dict[OptionContract, bt.Strategy] = {}
        self._working: list[bt.Order] = []

    def getcommissioninfo(self, data: Any) -> OptionCommission:
        """The same for every contract."""
        return _COMMISSION

    def getcash(self) -> float:
        """Cash in dollars, premium received included."""
        return self._cash

    def getvalue(self, datas: Any = None) -> float:
        """Cash and positions at their last mark (mid) in dollars; `datas` restricts positions."""
        held = self.positions if datas is None else {d: self.getposition(d) for d in datas}
        worth = sum(
            _COMMISSION.getvalue(position, self._marks.get(contract, position.price))
            for contract, position in held.items()
        )
        return worth if datas is not None else self._cash + worth

    def getposition(self, data: Any) -> Position:
        """The position in a contract; an empty one where there is none."""
        known = self.positions.get(data)
        return known if known is not None else Position()

    def submit(self, order: bt.Order) -> bt.Order:
        """Take an order; it can fill from the next snapshot on."""
        order.addcomminfo(_COMMISSION)
        order.submit(self)
        self.tell(order)
        fault = _fault(order)
        if fault:
            order.addinfo(reason=fault)
            order.reject(self)
        else:
            order.accept(self)
            order.addinfo(decided_ts=order.data.feed.snapshot().ts, fills=[])
            self._working.append(order)
        self.tell(order)
        return order

    def cancel(self, order: bt.Order, reason: str = "canceled") -> None:
        """Cancel a working order; one that is done stays as it is."""
        if order in self._working:
            self._working.remove(order)
            order.addinfo(reason=reason)
            order.cancel()
            self.tell(order)

    def next(self) -> None:
        """One snapshot: fill working orders, settle at the close, mark positions."""
        if not self._working and not self.positions:
            return
        for order in tuple(self._working):
            self._try_fill(order, order.data.feed.snapshot())
        for contract in tuple(self.positions):
            snapshot = contract.feed.snapshot()
            if snapshot.ts >= snapshot.session.close_ns:
                self._settle(contract, snapshot)
            else:
                self._mark(contract, snapshot)
        for order in tuple(self._working):
            snapshot = order.data.feed.snapshot()
            if snapshot.ts >= snapshot.session.close_ns:
                self.cancel(order, "session_end")

    def _try_fill(self, order: bt.Order, snapshot: ChainSnapshot) -> None:
        if fills.is_last_minute(snapshot.minutes_until_close) or not self._is_due(order, snapshot):
            return
        quote, side = snapshot.quote(order.data.contract), 1 if order.isbuy() else -1
        price = float(fills.fill_price(side, quote.bid, quote.ask, self.settings.slippage))
        limit = order.created.price if order.exectype == bt.Order.Limit else float("nan")
        if not price > 0 or not fills.limit_allows(side, price, limit):
            return
        wanted = abs(order.executed.remsize)
        quantity = int(fills.fill_quantity(side, wanted, quote.bid_size, quote.ask_size))
        if quantity > 0:
            self._fill(order, snapshot, quote, quantity, price)

    def _is_due(self, order: bt.Order, snapshot: ChainSnapshot) -> bool:
        good_after = order.info.get("good_after")
        if good_after is not None:
            return bool(snapshot.ts >= good_after and snapshot.ts > order.info["decided_ts"])
        latency = self.settings.latency_seconds
        return bool(fills.may_fill(snapshot.ts, order.info["decided_ts"], latency))

    def _fill(
        self, order: bt.Order, snapshot: ChainSnapshot, quote: Quote, quantity: int, price: float
    ) -> None:
        before = abs(order.executed.size)
        paid = fills.order_fee(before, self.settings)
        fee = float(fills.order_fee(before + quantity, self.settings) - paid)
        self._execute(order, snapshot, quantity, price, fee, snapshot.spot, quote.mid)
        if not order.alive():
            self._working.remove(order)

    def _settle(self, contract: OptionContract, snapshot: ChainSnapshot) -> None:
        """Cash settlement at intrinsic of the official close, without a fee."""
        close = contract.feed.official_close(snapshot.session)
        terms = contract.contract
        price = float(fills.settlement_price(terms.right.sign, terms.strike, close))
        position = self.positions[contract]
        kind = SellOrder if position.size > 0 else BuyOrder
        owner = self._owners[contract]
        order = self._order(kind, owner, contract, abs(position.size), reason=ExitReason.SETTLEMENT)
        order.addinfo(fills=[], exit_reason=ExitReason.SETTLEMENT)
        order.addcomminfo(_COMMISSION)
        order.submit(self)
        order.accept(self)
        self._execute(order, snapshot, abs(position.size), price, 0.0, float(close or 0), price)

    def _execute(
        self,
        order: bt.Order,
        snapshot: ChainSnapshot,
        quantity: int,
        price: float,
        fee: float,
        underlying: float,
        mid: float,
    ) -> None:
        """Book a fill: position, cash, the order's own record, and the news of it."""
        contract, side = order.data, 1 if order.isbuy() else -1
        size = side * quantity
        position = self.positions.setdefault(contract, Position())
        average = position.price
        total, new_average, opened, closed = position.update(size, price)
        self._cash -= _COMMISSION.getvaluesize(size, price) + fee
        self._owners[contract] = order.owner
        fee_closed = fee * abs(closed) / quantity
        order.execute(
            order.data.datetime[0],
            size,
            price,
            closed,
            _COMMISSION.getvaluesize(-closed, average),
            fee_closed,
            opened,
            _COMMISSION.getvaluesize(opened, price),
            fee - fee_closed,
            0.0,
            _COMMISSION.profitandloss(-closed, average, price),
            total,
            new_average,
        )
        fill = Fill(contract.contract, side, quantity, price, fee, snapshot.ts, underlying, mid)
        order.info["fills"].append(fill)
        self.tell(order)
        if not total:
            self._forget(contract)
        else:
            self._marks.setdefault(contract, new_average)

    def _mark(self, contract: OptionContract, snapshot: ChainSnapshot) -> None:
        """Value a position at the mid; without one, and in the last minute, the mark stays."""
        mid = snapshot.quote(contract.contract).mid
        if mid == mid and not fills.is_last_minute(snapshot.minutes_until_close):
            self._marks[contract] = mid

    def _forget(self, contract: OptionContract) -> None:
        """Drop a closed contract: kept ones would slow every later bar."""
        self.positions.pop(contract, None)
        self._marks.pop(contract, None)
        self._owners.pop(contract, None)


def _fault(order: bt.Order) -> str:
    """Why the broker cannot take an order; empty when it can."""
    if not isinstance(order.data, OptionContract):
        return "ChainBroker trades option contracts of a ChainFeed only"
    if order.exectype not in _TRADABLE_TYPES:
        return f"order type {order.getordername()} is not simulated; use Market or Limit"
    return ""
