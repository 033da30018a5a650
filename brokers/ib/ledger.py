"""Cash and positions from executions alone: every figure is recomputed from the fills.

A session has a handful of fills, so that a correction needs no arithmetic of its own. Backtrader's
positions are keyed by its data objects. Dollars; sides +1 bought, -1 sold.
"""

from typing import Any

import backtrader as bt
from backtrader.position import Position

from brokers.option_commission import OptionCommission
from feeds.contract import MULTIPLIER, Contract
from feeds.option_contract import OptionContract
from vocabulary import Fill

COMMISSION = OptionCommission()


class Ledger:
    """The account of a session.

    Attributes:
        cash: dollars now.
        positions: by Backtrader's data, open ones only.
    """

    def __init__(self, cash: float) -> None:
        """`cash` dollars and nothing else."""
        self._opening = float(cash)
        self.cash = self._opening
        self.positions: dict[OptionContract, Position] = {}
        self._fills: dict[str, Fill] = {}
        self._books: dict[Contract, Position] = {}

    def held(self) -> dict[Contract, int]:
        """Signed open contracts."""
        return {one: int(book.size) for one, book in self._books.items() if book.size}

    def average(self, contract: Contract) -> float:
        """Average price of the open contracts."""
        return float(self._books[contract].price)

    def fill(self, execution_id: str) -> Fill | None:
        """The fill of an execution, None where it is not booked."""
        return self._fills.get(execution_id)

    def put(self, fill: Fill) -> None:
        """Book a fill, or replace the one of the same execution."""
        self._fills[fill.execution_id] = fill
        books: dict[Contract, Position] = {}
        self.cash = self._opening
        for one in self._fills.values():
            books.setdefault(one.contract, Position()).update(one.side * one.quantity, one.price)
            self.cash -= one.side * one.quantity * one.price * MULTIPLIER + one.fee
        self._books = books

    def show(self, data: OptionContract) -> None:
        """Bring Backtrader's position of `data` up to date."""
        book = self._books.get(data.contract)
        if book is None or not book.size:
            self.positions.pop(data, None)
        else:
            self.positions[data] = Position(book.size, book.price)

    def execute(self, order: bt.Order, fill: Fill) -> None:
        """Book a new fill and write it into Backtrader's order and its `info["fills"]`."""
        size = fill.side * fill.quantity
        known = self._books.get(fill.contract)
        before = Position(known.size, known.price) if known is not None else Position()
        average = before.price
        total, price, opened, closed = before.update(size, fill.price)
        self.put(fill)
        self.show(order.data)
        fee_closed = fill.fee * abs(closed) / fill.quantity
        order.execute(
            order.data.datetime[0],
            size,
            fill.price,
            closed,
            COMMISSION.getvaluesize(-closed, average),
            fee_closed,
            opened,
            COMMISSION.getvaluesize(opened, fill.price),
            fill.fee - fee_closed,
            0.0,
            COMMISSION.profitandloss(-closed, average, fill.price),
            total,
            price,
        )
        order.info["fills"].append(fill)

    def replace(self, order: Any, fill: Fill) -> None:
        """Put a corrected fill in the place of the one with its execution id, order told or not."""
        self.put(fill)
        if order is None:
            return
        self.show(order.data)
        fills = order.info["fills"]
        for place, one in enumerate(fills):
            if one.execution_id == fill.execution_id:
                fills[place] = fill
