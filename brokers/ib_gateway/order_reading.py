"""placeOrder as it comes over the wire, and what of it the stand-in refuses to pretend."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite

from brokers.ib_gateway.catalogue import ContractQuery
from brokers.ib_gateway.layouts import ASKED_CONTRACT, NOT_SIMULATED, PLACE_ORDER
from brokers.ib_gateway.records import OrderTerms
from brokers.ib_gateway.wire import Fields, WireError, number, whole

NOTHING = frozenset({"", "0", "0.0"})


@dataclass(frozen=True, slots=True)
class PlaceOrder:
    """A placeOrder request; `quantity` as it was asked, which may be a fraction."""

    order_id: int
    contract: ContractQuery
    account: str
    action: str
    quantity: float
    terms: OrderTerms
    what_if: bool
    unsupported: str = ""


def read_contract(fields: Fields) -> ContractQuery:
    """The twelve fields of a contract."""
    return _contract({name: fields.text() for name, _ in ASKED_CONTRACT})


def read_order(message: tuple[str, ...]) -> PlaceOrder:
    """A placeOrder message. Raises `WireError` where it cannot be read."""
    said = dict(zip((name for name, _ in PLACE_ORDER), message, strict=False))
    if len(said) < len(PLACE_ORDER):
        raise WireError("placeOrder is cut short")
    contract = _contract(said)
    quantity = number(said["quantity"]) or 0.0
    return PlaceOrder(
        order_id=whole(said["order_id"]),
        contract=contract,
        account=said["account"],
        action=said["action"],
        quantity=quantity,
        terms=_terms(said, quantity),
        what_if=said["what_if"] == "1",
        unsupported=_unsupported(said),
    )


def _contract(said: Mapping[str, str]) -> ContractQuery:
    return ContractQuery(
        con_id=whole(said["con_id"]),
        symbol=said["symbol"],
        security=said["security"],
        expiration=said["expiration"],
        strike=number(said["strike"]) or 0.0,
        right="" if said["right"] in ("0", "?") else said["right"],
        multiplier=said["multiplier"],
        exchange=said["exchange"],
        currency=said["currency"],
        local_symbol=said["local_symbol"],
        trading_class=said["trading_class"],
    )


def _terms(said: Mapping[str, str], quantity: float) -> OrderTerms:
    order_type = said["order_type"]
    return OrderTerms(
        side=1 if said["action"] == "BUY" else -1,
        quantity=int(quantity) if isfinite(quantity) else 0,
        order_type=order_type,
        limit=number(said["limit"]) if "LMT" in order_type else None,
        stop=number(said["stop"]) if order_type.startswith("STP") else None,
        tif=said["tif"],
        trigger_method=whole(said["trigger_method"]),
        order_ref=said["order_ref"],
        transmit=said["transmit"] == "1",
        outside_hours=said["outside_hours"] == "1",
    )


def _unsupported(said: Mapping[str, str]) -> str:
    """What the order uses that is not simulated; every field behind it may be another one."""
    if said["security"] == "BAG":
        return "a combination"
    for name, words in NOT_SIMULATED.items():
        if said[name] not in NOTHING:
            return words
    return ""
