"""What the gateway says, field by field, in the order of server versions 157 to 176."""

from collections.abc import Mapping

from brokers.ib_gateway.catalogue import VENUES
from brokers.ib_gateway.layouts import (
    COMPLETED_ORDER,
    CONTRACT,
    CONTRACT_DETAILS,
    CONTRACT_DETAILS_END,
    OPEN_ORDER,
    PEGGED,
    Layout,
    fill_in,
)
from brokers.ib_gateway.margin import Requirement
from brokers.ib_gateway.records import GatewayExecution, GatewayOrder, Holding, Instrument
from brokers.ib_gateway.wire import UNSET_DOUBLE
from feeds.sessions import Session, to_new_york

Message = tuple[object, ...]

MARKET_RULE = 110
"""One cent at every price; the number is made up, the client asks for the rule itself."""

ORDER_TYPES = ("LMT", "MKT", "STP", "STP LMT")


def clock(ts: int) -> str:
    """New York time as it stands in executions."""
    return f"{to_new_york(ts):%Y%m%d %H:%M:%S} US/Eastern"


def error(request: int, code: int, words: str, version: int) -> Message:
    """A message to a person; `request` is a request's or an order's id, -1 for none."""
    head: Message = (4, 2, request, code, words)
    return (*head, "") if version >= 166 else head


def order_status(order: GatewayOrder, why_held: str = "") -> Message:
    """Where an order stands."""
    return (
        3,
        order.order_id,
        order.status,
        order.filled,
        order.remaining,
        order.average_price,
        order.permanent_id,
        0,
        order.last_price,
        order.client_id,
        why_held,
        0.0,
    )


def _contract(one: Instrument, exchange: str = "SMART") -> dict[str, object]:
    return {
        "con_id": one.con_id,
        "symbol": one.symbol,
        "security": one.security,
        "expiration": one.expiration,
        "strike": one.strike,
        "right": one.right,
        "multiplier": one.multiplier if one.right else "",
        "exchange": exchange,
        "currency": "USD",
        "local_symbol": one.local_symbol,
        "trading_class": one.trading_class,
    }


def _order(order: GatewayOrder) -> dict[str, object]:
    terms = order.terms
    return {
        "action": "BUY" if terms.side > 0 else "SELL",
        "quantity": terms.quantity,
        "order_type": terms.order_type,
        "limit": terms.limit or 0.0,
        "stop": terms.stop or 0.0,
        "tif": terms.tif,
        "account": order.account,
        "order_ref": terms.order_ref,
        "permanent_id": order.permanent_id,
        "outside_hours": terms.outside_hours,
        "trigger_method": terms.trigger_method,
        "status": order.status,
    }


def open_order(
    order: GatewayOrder, one: Instrument, version: int, impact: Mapping[str, object] | None = None
) -> Message:
    """An order as the book has it; with `impact` (`impact_figures`), the answer to a whatIf."""
    values = {**_contract(one), **_order(order), **(impact or {})}
    values |= {"order_id": order.order_id, "client_id": order.client_id}
    fields = fill_in(OPEN_ORDER, values | {"what_if": impact is not None})
    fields += [""] * sum(version >= since for since in (159, 160, 162))
    return (*fields, *_pegged(version))


def completed_order(order: GatewayOrder, one: Instrument, version: int) -> Message:
    """An order that has ended; the wire has no order id here, only the permanent one."""
    ending = {"filled": order.filled, "ended_at": clock(order.ended_ts), "ended": order.ended}
    fields = fill_in(COMPLETED_ORDER, {**_contract(one), **_order(order), **ending})
    return (*fields, *_pegged(version))


def _pegged(version: int) -> list[object]:
    return fill_in(PEGGED, {}) if version >= 170 else []


def _named(one: Instrument, exchange: str = "SMART") -> list[object]:
    return fill_in(CONTRACT, _contract(one, exchange))


def execution(request: int, done: GatewayExecution, one: Instrument) -> Message:
    """A trade; `request` is -1 where nobody asked."""
    return (
        11,
        request,
        done.order_id,
        *_named(one),
        done.execution_id,
        clock(done.ts),
        done.account,
        "CBOE",
        "BOT" if done.side > 0 else "SLD",
        done.quantity,
        done.price,
        done.permanent_id,
        done.client_id,
        0,
        done.cumulative,
        done.average_price,
        done.order_ref,
        "",
        "",
        "",
        2,
    )


def commission_report(done: GatewayExecution) -> Message:
    """What a trade cost; the realised profit of one that opens is IB's largest number."""
    realised = UNSET_DOUBLE if done.realised is None else round(done.realised, 6)
    return (59, 1, done.execution_id, done.commission, "USD", realised, UNSET_DOUBLE, "")


def position(account: str, one: Instrument, held: Holding) -> Message:
    """A holding of an account."""
    return (61, 3, account, *_named(one, ""), held.quantity, round(held.average_cost, 6))


def portfolio(account: str, one: Instrument, held: Holding, mark: float) -> Message:
    """The same with what it is worth."""
    value = held.quantity * mark * one.multiplier
    gain = value - held.quantity * held.average_cost
    figures = (mark, value, held.average_cost, gain, 0.0)
    return (7, 8, *_named(one, ""), held.quantity, *figures, account)


def contract_details(
    request: int, one: Instrument, exchange: str, session: Session, shares: Instrument, version: int
) -> Message:
    """What an instrument is, on one exchange."""
    hours = f"{session.open:%Y%m%d:%H%M}-{session.close:%Y%m%d:%H%M}"
    values = _contract(one, exchange) | {
        "request": request,
        "market_name": one.trading_class,
        "order_types": ",".join(ORDER_TYPES),
        "exchanges": ",".join(VENUES),
        "long_name": "SPDR S&P 500 ETF TRUST" if one.symbol == "SPY" else one.symbol,
        "zone": "US/Eastern",
        "trading_hours": hours,
        "liquid_hours": hours,
        "market_rules": ",".join([str(MARKET_RULE)] * len(VENUES)),
        **(_option_facts(one, session, shares) if one.right else {"stock_type": "ETF"}),
    }
    new = version >= 164
    head, tail = (_part(what, values) for what in (CONTRACT_DETAILS, CONTRACT_DETAILS_END))
    sizes = (1, 1, 1) if new else (1,) if version == 163 else ()
    return (10, *(() if new else (8,)), *head, *(() if new else (100,)), *tail, *sizes)


def _part(what: Layout, values: Mapping[str, object]) -> list[object]:
    return [values.get(name, value) for name, value in what]


def _option_facts(one: Instrument, session: Session, shares: Instrument) -> dict[str, object]:
    return {
        "expiration": f"{one.expiration} {session.close:%H:%M} US/Eastern",
        "real_expiration": one.expiration,
        "month": one.expiration[:6],
        "under_id": shares.con_id,
        "under_symbol": shares.symbol,
        "under_security": shares.security,
    }


def impact_figures(
    before: Requirement, after: Requirement, equity: float, commission: float
) -> dict[str, object]:
    """What a whatIf tells: dollars before, their change, dollars after, and the commission."""
    left = equity - commission
    figures = {
        "initial_before": before.initial,
        "kept_before": before.kept,
        "equity_before": equity,
        "initial_change": after.initial - before.initial,
        "kept_change": after.kept - before.kept,
        "equity_change": left - equity,
        "initial_after": after.initial,
        "kept_after": after.kept,
        "equity_after": left,
    }
    words: dict[str, object] = {name: f"{dollars:.2f}" for name, dollars in figures.items()}
    return words | {"commission": round(commission, 6), "commission_currency": "USD"}
