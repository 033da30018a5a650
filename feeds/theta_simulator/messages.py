"""Messages of the WebSocket: requests read as leniently as the terminal reads them, frames written.

The vendor's own samples send Python's `str(dict)`: single quotes, `True`, numbers as strings.
"""

import ast
import json
from dataclasses import dataclass
from typing import Any

from feeds.sessions import to_new_york
from feeds.theta_simulator.formats import milliseconds_of_day

SECURITIES = ("OPTION", "STOCK")
KINDS = ("QUOTE", "TRADE")


class Unreadable(Exception):
    """A message that is no request."""


@dataclass(frozen=True, slots=True)
class Instrument:
    """What a stream is about; `root` alone for a stock.

    Attributes:
        security: OPTION or STOCK.
        root: the symbol.
        expiration: YYYYMMDD, 0 for a stock.
        strike: thousandths of a dollar, 0 for a stock.
        right: C or P, empty for a stock.
    """

    security: str
    root: str
    expiration: int = 0
    strike: int = 0
    right: str = ""

    @property
    def json(self) -> str:
        """As frames name it."""
        if self.security == "STOCK":
            return f'{{"security_type":"STOCK","root":"{self.root}"}}'
        return (
            f'{{"security_type":"OPTION","root":"{self.root}","expiration":{self.expiration},'
            f'"strike":{self.strike},"right":"{self.right}"}}'
        )


@dataclass(frozen=True, slots=True)
class StreamRequest:
    """A readable request: `action` is STREAM, STREAM_BULK or STOP; the rest of the first two."""

    action: str
    number: int = -1
    security: str = ""
    kind: str = ""
    add: bool = True
    instrument: Instrument | None = None


def parsed(text: str) -> StreamRequest:
    """The request of a frame, JSON or a Python literal. Raises `Unreadable`."""
    message = _loaded(text)
    action = str(message.get("msg_type", "")).upper()
    if action == "STOP":
        return StreamRequest(action, _integer(message.get("id", -1)))
    if action not in ("STREAM", "STREAM_BULK"):
        raise Unreadable(f"msg_type {action!r}")
    security = str(message.get("sec_type", "")).upper()
    kind = str(message.get("req_type", "")).upper()
    if security not in SECURITIES or kind not in KINDS:
        raise Unreadable(f"{security} {kind}")
    return StreamRequest(
        action=action,
        number=_integer(message.get("id", -1)),
        security=security,
        kind=kind,
        add=str(message.get("add", True)).lower() == "true",
        instrument=_instrument(security, message) if action == "STREAM" else None,
    )


def number_of(text: str) -> int:
    """The id of a message that cannot be served, -1 where it has none."""
    try:
        return _integer(_loaded(text).get("id", -1))
    except Unreadable:
        return -1


def _loaded(text: str) -> dict[str, Any]:
    try:
        message = json.loads(text)
    except ValueError:
        try:
            message = ast.literal_eval(text.strip())
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            raise Unreadable("neither JSON nor a Python literal") from None
    if not isinstance(message, dict):
        raise Unreadable("no object")
    return message


def _instrument(security: str, message: dict[str, Any]) -> Instrument:
    contract = message.get("contract")
    if not isinstance(contract, dict) or not contract.get("root"):
        raise Unreadable("no contract")
    root = str(contract["root"]).upper()
    if security == "STOCK":
        return Instrument(security, root)
    right = str(contract.get("right", "")).upper()[:1]
    if right not in ("C", "P"):
        raise Unreadable("right is neither C nor P")
    expiration, strike = (_integer(contract.get(name, "")) for name in ("expiration", "strike"))
    return Instrument(security, root, expiration, strike, right)


def _integer(value: object) -> int:
    try:
        return int(str(value).replace("-", "") if "-" in str(value)[1:] else str(value))
    except ValueError:
        raise Unreadable(f"{value!r} is no whole number") from None


def acknowledgement(status: str, response: str, number: int) -> str:
    """The answer to a request."""
    header = {"type": "REQ_RESPONSE", "status": status, "response": response, "req_id": number}
    return json.dumps({"header": header}, separators=(",", ":"))


def heartbeat(status: str) -> str:
    """The frame of every second."""
    return f'{{"header":{{"type":"STATUS","status":"{status}"}}}}'


def date_number(ts: int) -> int:
    """YYYYMMDD in New York of `ts` nanoseconds."""
    return int(f"{to_new_york(ts):%Y%m%d}")


def quote_frame(
    instrument: Instrument,
    ts: int,
    bid: tuple[float, int],
    ask: tuple[float, int],
    exchange: int,
    condition: int,
) -> str:
    """A QUOTE; bid and ask as (dollars, size)."""
    return (
        f'{{"header":{{"status":"CONNECTED","type":"QUOTE"}},"contract":{instrument.json},'
        f'"quote":{{"ms_of_day":{milliseconds_of_day(ts)},"bid_size":{bid[1]},'
        f'"bid_exchange":{exchange},"bid":{_dollars(bid[0])},"bid_condition":{condition},'
        f'"ask_size":{ask[1]},"ask_exchange":{exchange},"ask":{_dollars(ask[0])},'
        f'"ask_condition":{condition},"date":{date_number(ts)}}}}}'
    )


def trade_frame(
    instrument: Instrument, ts: int, price: float, size: int, sequence: int, codes: tuple[int, int]
) -> str:
    """A TRADE; `codes` are condition and exchange."""
    return (
        f'{{"header":{{"status":"CONNECTED","type":"TRADE"}},"contract":{instrument.json},'
        f'"trade":{{"ms_of_day":{milliseconds_of_day(ts)},"sequence":{sequence},"size":{size},'
        f'"condition":{codes[0]},"price":{_dollars(price)},"exchange":{codes[1]},'
        f'"date":{date_number(ts)}}}}}'
    )


def bar_frame(
    instrument: Instrument,
    ts: int,
    prices: tuple[float, float, float, float],
    sold: tuple[int, int],
) -> str:
    """An OHLC: the session's bar so far; `sold` is volume and count."""
    opening, high, low, close = map(_dollars, prices)
    return (
        f'{{"header":{{"status":"CONNECTED","type":"OHLC"}},"contract":{instrument.json},'
        f'"ohlc":{{"ms_of_day":{milliseconds_of_day(ts)},"open":{opening},"high":{high},'
        f'"low":{low},"close":{close},"volume":{sold[0]},"count":{sold[1]},'
        f'"date":{date_number(ts)}}}}}'
    )


def _dollars(price: float) -> str:
    return repr(round(price, 4))
