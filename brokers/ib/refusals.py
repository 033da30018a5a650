"""What the broker does not even try: orders that make no sense, or that nothing may follow now."""

from typing import TYPE_CHECKING

import backtrader as bt

from brokers.ib.records import LinkState
from feeds.option_contract import OptionContract

if TYPE_CHECKING:
    from brokers.ib.broker import IBBroker


def refusal(broker: "IBBroker", order: bt.Order) -> str:
    """Why `broker` does not take an order; empty where it does."""
    if not isinstance(order.data, OptionContract):
        return "IBBroker trades single option contracts, no combos and no shares"
    if order.info.get("exit_reason") is not None:
        return _of_exit(broker, order)
    suggestion = order.info.get("suggestion")
    if suggestion is None or suggestion.plan is None:
        return "an entry needs a suggestion with a plan"
    if broker.halted or broker.room.state is not LinkState.UP:
        return broker.halted
    if broker.ledger.held() or broker.entries.alive():
        return "one position and one entry at a time"
    return ""


def _of_exit(broker: "IBBroker", order: bt.Order) -> str:
    held = broker.ledger.held().get(order.data.contract, 0)
    if held * order.size >= 0 or abs(order.size) > abs(held):
        return f"nothing to close: the desk holds {held:+d} {order.data.contract}"
    return "another exit works already" if broker.closing.exit is not None else ""
