"""The whole state of the account, asked anew: complete, or an error."""

import math

from brokers.ib.records import AccountFigures, Books, OrderSeen
from brokers.ib.wire import Wire
from errors import BrokerError


async def read_books(wire: Wire, account: str) -> Books:
    """Orders first, then executions, then positions: what fills meanwhile shows up in the later.

    Raises `BrokerError` when an answer is refused, does not come, or could not be read.
    """
    unread = wire.messages.unread
    orders = _of(await wire.open_orders(), account)
    completed = _of(await wire.completed_orders(), account)
    executions = await wire.executions(account)
    positions = await wire.positions(account)
    figures = await wire.summary(account)
    if wire.messages.unread != unread:
        raise BrokerError("a message could not be read while the books came: they are not complete")
    ids = {(one.execution_id, one.revision) for one in executions}
    return Books(
        account=account,
        orders=orders,
        completed=completed,
        executions=tuple(executions),
        commissions=tuple(
            one for one in wire.commissions() if (one.execution_id, one.revision) in ids
        ),
        positions=tuple(positions),
        figures=AccountFigures(
            net_liquidation=figures.get("NetLiquidation", math.nan),
            available_funds=figures.get("AvailableFunds", math.nan),
            excess_liquidity=figures.get("ExcessLiquidity", math.nan),
            cash=figures.get("TotalCashValue", math.nan),
        ),
    )


def _of(orders: list[tuple[str, OrderSeen]], account: str) -> tuple[OrderSeen, ...]:
    """Those of the account; an order without one could be ours."""
    return tuple(seen for owner, seen in orders if owner in (account, ""))
