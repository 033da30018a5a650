"""The terms of a question: an exit put at the price of now, an entry as a person changes it."""

from collections.abc import Callable
from dataclasses import replace
from math import isfinite, nan

import backtrader as bt

from brokers.questions import Question
from feeds.contract import TICK, Contract
from feeds.snapshot import ChainSnapshot
from vocabulary import Action, LiveQuote, Plan, Suggestion

Quotes = Callable[[Contract], LiveQuote | None]
"""Quotes between bars; None where there is none."""


def exit_suggestion(
    question: Question,
    snapshot: ChainSnapshot,
    quote: LiveQuote | None,
    entry: Suggestion | None,
    again: bool,
) -> Suggestion:
    """The suggestion in which an exit is put, at the price of now.

    Args:
        question: of the exit; asked `again` while it is open, its id stays.
        snapshot: the last bar.
        quote: a fresher quote, None where there is none.
        entry: the suggestion that opened the position: its risk score and model are told. Without
            one (a position of an earlier process) the risk score is NaN.
        again: whether it is before the person already.
    """
    order, contract = question.order, question.order.data.contract
    reason, bar = order.info["exit_reason"], snapshot.quote(contract)
    bid, ask, spot = bar.bid, bar.ask, snapshot.spot
    if quote is not None:
        bid, ask, spot = quote.bid, quote.ask, quote.spot
    known = question.suggestion.id if again and question.suggestion is not None else ""
    return Suggestion(
        id=known or f"{snapshot.ts}-{reason}-{question.times}",
        ts=quote.ts if quote is not None else snapshot.ts,
        action=Action.CLOSE,
        contract=contract,
        side=1 if order.isbuy() else -1,
        quantity=int(abs(order.executed.remsize)),
        bid=bid,
        ask=ask,
        spot=spot,
        risk_score=nan if entry is None else entry.risk_score,
        stop_multiple=nan if entry is None else entry.stop_multiple,
        features=(),
        probabilities=(),
        mask=(),
        model="" if entry is None else entry.model,
        exit_reason=reason,
    )


def refused_change(
    suggestion: Suggestion, quantity: int | None = None, limit: float | None = None
) -> str:
    """Why a person may not change the terms like this; empty when they may."""
    if not suggestion.is_entry or suggestion.plan is None:
        return "only an entry that comes with a plan can be changed"
    if quantity is not None and not 1 <= quantity <= suggestion.quantity:
        return f"the quantity can only go down: 1 to {suggestion.quantity}"
    if limit is None:
        return ""
    if not isfinite(limit) or limit < TICK - 1e-9:
        return f"a limit is at least ${TICK:.2f}"
    if abs(limit / TICK - round(limit / TICK)) > 1e-6:
        return f"a limit is in steps of ${TICK:.2f}"
    return ""


def changed(
    suggestion: Suggestion, quantity: int | None = None, limit: float | None = None
) -> Suggestion:
    """The suggestion under the person's terms, its plan computed anew.

    `limit` becomes the worst price; the price worked first follows where it would be worse than
    that. The stop stays `stop_multiple` times the entry price. Call `refused_change` before.
    """
    plan, number = suggestion.plan, quantity or suggestion.quantity
    assert plan is not None
    before = suggestion.quantity * suggestion.contract.multiplier
    dollars = number * suggestion.contract.multiplier
    worst = plan.worst_price if limit is None else round(round(limit / TICK) * TICK, 2)
    better = max if suggestion.side < 0 else min
    first = plan.limit if limit is None else better(plan.limit, worst)
    shift = -suggestion.side * (first - plan.limit)
    stop = plan.stop_price if first == plan.limit else suggestion.stop_multiple * first
    new = Plan(
        limit=first,
        worst_price=worst,
        credit=first * dollars,
        stop_price=stop,
        stop_loss=abs(stop - first) * dollars,
        time_exit_ts=plan.time_exit_ts,
        pnl_up=(plan.pnl_up / before + shift) * dollars,
        pnl_down=(plan.pnl_down / before + shift) * dollars,
        margin=plan.margin / suggestion.quantity * number,
    )
    return replace(suggestion, quantity=number, plan=new)


def change_order(order: bt.Order, suggestion: Suggestion, limit: float | None = None) -> None:
    """Give the held order the suggestion's quantity, and a person's limit if there is one."""
    size = suggestion.quantity if order.isbuy() else -suggestion.quantity
    order.size = order.created.size = order.executed.remsize = size
    order.addinfo(suggestion=suggestion)
    if limit is not None and suggestion.plan is not None:
        order.exectype = bt.Order.Limit
        order.price = order.created.price = suggestion.plan.worst_price
