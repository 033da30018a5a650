"""The simulated broker: fills options at the bid or ask of a later snapshot, settles at expiry.

It trades `OptionContract`s of one chain feed, market and limit orders, a session at a time. What a
fill is, costs and settles at is decided by `brokers.fills` alone. docs/execution.md tells the order
of things at a snapshot. Prices are dollars a share, cash is dollars.
"""

from dataclasses import dataclass
from typing import Any

import backtrader as bt
from backtrader.order import BuyOrder, SellOrder
from backtrader.position import Position

from brokers import fills
from brokers.base import DeskBroker
from brokers.option_commission import OptionCommission
from brokers.past_account import PastAccount, past_account
from feeds.chain_data import ChainData
from feeds.contract import MULTIPLIER
from feeds.option_contract import OptionContract
from feeds.quotes import is_last_minute
from feeds.snapshot import ChainSnapshot, Quote
from settings import FillSettings
from vocabulary import DeskMemory, ExitReason, Fill

_COMMISSION = OptionCommission()
_TRADABLE_TYPES = (bt.Order.Market, bt.Order.Limit)


@dataclass(frozen=True, slots=True)
class _Working:
    """An order at the market and the first nanosecond at which it may fill.

    `before` contracts of it were filled in the process before.
    """

    order: bt.Order
    due_ts: int
    before: int = 0


class ChainBroker(DeskBroker):
    """Fills at the natural side of the next snapshot, by quoted size, with fees by the order.

    Orders may carry `good_after` (nanoseconds) in `order.info`: they work from that time on and
    fill at the first tradable snapshot at or after it. Each fill is appended to
    `order.info["fills"]`; Canceled orders say why in `order.info["reason"]`. Contracts are
    forgotten once closed.
    """

    def __init__(self, cash: float = 80_000.0, settings: FillSettings | None = None) -> None:
        """An account with `cash` dollars and nothing else."""
        super().__init__()
        self.settings = settings if settings is not None else FillSettings()
        self.startingcash = self._cash = float(cash)
        self.positions: dict[OptionContract, Position] = {}
        self._feed: ChainData | None = None
        self._worth = 0.0
        self._marks: dict[OptionContract, float] = {}
        self._owners: dict[OptionContract, bt.Strategy] = {}
        self._working: list[_Working] = []
        self._past: PastAccount | None = None

    def restore(
        self,
        memory: DeskMemory,
        exit_reason: ExitReason | None = None,
        exit_decided_ts: int | None = None,
    ) -> None:
        """Go on with the account of the process before; call it before the run.

        Cash and positions follow from the fills in `memory`, so the broker must have been made with
        the cash that session began with. The exit that worked when the process ended, if there was
        one (`exit_reason`, and when it was decided, nanoseconds), works on from the first bar, and
        its owner is told. Entries died with the process.
        """
        self._past = past = past_account(self._cash, memory, exit_reason, exit_decided_ts)
        self._cash = past.cash
        held = past.positions.values()
        self._worth = sum(_COMMISSION.getvalue(one, one.price) for one in held)

    def getcommissioninfo(self, data: Any) -> OptionCommission:
        """The same for every contract."""
        return _COMMISSION

    def getcash(self) -> float:
        """Cash in dollars, premium received included."""
        return self._cash

    def getvalue(self, datas: Any = None) -> float:
        """Cash and positions at their last mark (mid) in dollars; `datas` restricts positions."""
        if datas is None:
            return self._cash + self._worth
        return sum(self._value(contract) for contract in datas if contract in self.positions)

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
            order.addinfo(fills=[])
            self._feed = order.data.feed
            now, latency = self._feed.snapshot().ts, self.settings.latency_seconds
            due = fills.due_ts(now, latency, order.info.get("good_after"))
            self._working.append(_Working(order, due))
        self.tell(order)
        return order

    def cancel(self, order: bt.Order, reason: str = "canceled") -> None:
        """Cancel a working order; one that is done stays as it is."""
        working = next((one for one in self._working if one.order == order), None)
        if working is not None:  # its own order: news of an order are copies of it
            self._working.remove(working)
            working.order.addinfo(reason=reason)
            working.order.cancel()
            self.tell(working.order)

    def next(self) -> None:
        """One snapshot: fill working orders, then mark positions, or settle them at the close."""
        if self._past is not None:
            self._recall(self._past)
        if self._feed is None or not (self._working or self.positions):
            return
        snapshot = self._feed.snapshot()
        if snapshot.minutes_until_close <= 0:
            self._end_session(snapshot)
        elif not is_last_minute(snapshot.minutes_until_close):
            for working in tuple(self._working):
                if snapshot.ts >= working.due_ts:
                    self._try_fill(working, snapshot)
            self._mark(snapshot)

    def _recall(self, past: PastAccount) -> None:
        """Take over, at the first bar, what the process before held."""
        owner = self.cerebro.runningstrats[0]
        feed = owner.data
        if not len(feed):
            return
        feed.snapshot()  # opens its session, and a session that opens forgets contracts
        self._past, self._feed = None, feed
        for terms, position in past.positions.items():
            contract = feed.contract(terms)
            self.positions[contract] = position
            self._marks[contract], self._owners[contract] = position.price, owner
            if past.exit_reason is not None and past.exit_decided_ts is not None:
                self._work_on(contract, past.exit_reason, past.exit_decided_ts, past.exit_filled)

    def _work_on(
        self, contract: OptionContract, reason: ExitReason, decided_ts: int, filled: int
    ) -> None:
        """Put the exit back to the market that closes what is left of a position."""
        size = self.positions[contract].size
        kind = SellOrder if size > 0 else BuyOrder
        order = self._order(kind, self._owners[contract], contract, abs(size), exit_reason=reason)
        good_after = decided_ts if reason is ExitReason.TIME_EXIT else None
        order.addinfo(fills=[], exit_decided_ts=decided_ts, good_after=good_after)
        order.addcomminfo(_COMMISSION)
        order.submit(self)
        order.accept(self)
        due = good_after  # it was at the market before its time came
        if due is None:
            due = fills.due_ts(decided_ts, self.settings.latency_seconds)
        self._working.append(_Working(order, due, filled))
        self.tell(order)

    def _try_fill(self, working: _Working, snapshot: ChainSnapshot) -> None:
        order = working.order
        quote, side = snapshot.quote(order.data.contract), 1 if order.isbuy() else -1
        price = float(fills.fill_price(side, quote.bid, quote.ask, self.settings.slippage))
        limit = order.created.price if order.exectype == bt.Order.Limit else float("nan")
        if not price > 0 or not fills.limit_allows(side, price, limit):
            return
        wanted = abs(order.executed.remsize)
        quantity = int(fills.fill_quantity(side, wanted, quote.bid_size, quote.ask_size))
        if quantity > 0:
            self._fill(working, snapshot, quote, quantity, price)
        if not order.alive():
            self._working.remove(working)

    def _mark(self, snapshot: ChainSnapshot) -> None:
        """Value positions at the mid; without one the last mark stays."""
        self._worth = 0.0
        for contract, position in self.positions.items():
            mid = snapshot.quote(contract.contract).mid
            if mid == mid:
                self._marks[contract] = mid
            self._worth += position.size * self._marks[contract] * MULTIPLIER

    def _end_session(self, snapshot: ChainSnapshot) -> None:
        for contract in tuple(self.positions):
            self._settle(contract, snapshot)
        for working in tuple(self._working):
            self.cancel(working.order, "session_end")

    def _value(self, contract: OptionContract) -> float:
        return float(self.positions[contract].size * self._marks[contract] * MULTIPLIER)

    def _fill(
        self, working: _Working, snapshot: ChainSnapshot, quote: Quote, quantity: int, price: float
    ) -> None:
        order = working.order
        before = working.before + abs(order.executed.size)
        paid = fills.order_fee(before, self.settings)
        fee = float(fills.order_fee(before + quantity, self.settings) - paid)
        self._execute(order, snapshot, quantity, price, fee, snapshot.spot, quote.mid)

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
        self._worth = sum(map(self._value, self.positions))

    def _forget(self, contract: OptionContract) -> None:
        """Drop a closed contract: kept ones would slow every later bar."""
        self.positions.pop(contract, None)
        self._marks.pop(contract, None)
        self._owners.pop(contract, None)


def _fault(order: bt.Order) -> str:
    """Why the broker cannot take an order; empty when it can."""
    if not isinstance(order.data, OptionContract):
        return "ChainBroker trades option contracts of a chain feed only"
    if order.exectype not in _TRADABLE_TYPES:
        return f"order type {order.getordername()} is not simulated; use Market or Limit"
    if order.exectype == bt.Order.Limit and order.price is None:
        return "a limit order needs a price"
    if order.data.feed.snapshot().minutes_until_close <= 0:
        return "the session is over"
    return ""
