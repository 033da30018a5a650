"""The words in which a suggestion is put before a person."""

from collections.abc import Sequence
from math import isfinite

from feeds.contract import TICK
from feeds.sessions import to_new_york
from vocabulary import Plan, Suggestion

QUESTION = "Execute? (y/n/skip):"


def suggestion_text(suggestion: Suggestion) -> str:
    """The block that asks for y, n or skip; times are New York's, prices dollars.

    An exit that has to be asked for carries its reason in the heading.
    """
    moment = f"{to_new_york(suggestion.ts):%I:%M %p}"
    heading = "TRADE SUGGESTION"
    if suggestion.exit_reason is not None:
        heading += f" (EXIT: {suggestion.exit_reason})"
    verb = "SELL" if suggestion.side < 0 else "BUY"
    contract = suggestion.contract
    terms = f"{contract.underlying} {contract.strike:g} {contract.right.name}"
    lines = (
        f"[{moment}] {heading}",
        f"Action: {verb} {suggestion.quantity} {terms}",
        f"{contract.underlying} Price: ${suggestion.spot:.2f}",
        f"Option Bid/Ask: ${suggestion.bid:.2f} / ${suggestion.ask:.2f}",
        f"Risk Score: {suggestion.risk_score:.2f}",
        "",
        QUESTION,
    )
    return "\n".join(lines)


def plan_text(
    suggestion: Suggestion,
    *,
    stop_at_broker: float | None = None,
    seconds: float | None = None,
    warnings: Sequence[str] = (),
) -> str:
    """What one yes agrees to, a few lines to stand above the block of `suggestion_text`.

    Args:
        suggestion: an entry with its plan, or an exit.
        stop_at_broker: price of the stop order that will rest at the broker, None for none: then
            the stop lives in this desk alone, and the text says so.
        seconds: how long an entry's question is open, None for no limit; exits have none.
        warnings: lines that deserve attention: events, a wide spread, a late hour.
    """
    plan = suggestion.plan
    lines = _exit_lines(suggestion) if plan is None else _plan_lines(suggestion, plan)
    if plan is not None:
        lines.append(_stop_line(plan, stop_at_broker))
    if seconds is not None and isfinite(seconds) and suggestion.is_entry:
        lines.append(f"  Answer within   {seconds:g} s")
    lines += [f"  ! {warning}" for warning in warnings]
    return "\n".join(lines)


def dollars(amount: float) -> str:
    """Dollars with their sign where they are lost: $240.00, -$388.50."""
    return f"{'-' if round(amount, 2) < 0 else ''}${abs(amount):,.2f}"


def gain(amount: float) -> str:
    """Dollars with their sign either way: +$240.00, -$388.50."""
    return f"{'+' if round(amount, 2) >= 0 else ''}{dollars(amount)}"


def _plan_lines(suggestion: Suggestion, plan: Plan) -> list[str]:
    sale, symbol = suggestion.side < 0, suggestion.contract.underlying
    verb, bound = ("sell", "below") if sale else ("buy", "above")
    exit_ts = plan.time_exit_ts
    leave = f"{to_new_york(exit_ts):%I:%M %p} New York" if exit_ts else "none: held to expiry"
    up, down = gain(plan.pnl_up), gain(plan.pnl_down)
    worst = max(plan.worst_price, TICK) if sale else plan.worst_price
    return [
        "PLAN (one yes agrees to all of it)",
        f"  Entry           {verb} {suggestion.quantity} at ${plan.limit:.2f}, "
        f"never {bound} ${worst:.2f}",
        f"  {'Credit' if sale else 'Cost  '}          {dollars(plan.credit)}",
        f"  Stop            at ${plan.stop_price:.2f}, loses {dollars(plan.stop_loss)}",
        f"  At expiry       {symbol} +1 %: {up}   {symbol} -1 %: {down}",
        f"  Margin          {dollars(plan.margin)}",
        f"  Time exit       {leave}",
    ]


def _stop_line(plan: Plan, at_broker: float | None) -> str:
    if at_broker is None:
        return "  Protection      this desk alone: no stop order rests at the broker"
    return f"  Protection      a stop order rests at the broker at ${at_broker:.2f}"


def _exit_lines(suggestion: Suggestion) -> list[str]:
    buys = suggestion.side > 0
    price = suggestion.ask if buys else suggestion.bid
    size = suggestion.quantity * suggestion.contract.multiplier
    worth = f"about {dollars(price * size)}" if isfinite(price) else "unknown: no quote"
    return [
        f"EXIT ({suggestion.exit_reason})",
        f"  Closes          {suggestion.quantity} of the open position",
        f"  {'Costs   ' if buys else 'Receives'}        {worth}",
    ]
