"""The text of Theta's stream: requests as they are sent, frames as they are received.

Pure functions. One JSON object a frame, requests and events on the same connection. A strike is an
integer in thousandths of a dollar (as in `Contract`), dates are integers YYYYMMDD, `ms_of_day` is
milliseconds since midnight in New York, prices are dollars. What the terminal sends is trusted in
nothing: `read_frame` checks every field that is used.
"""

import json
from collections.abc import Callable
from math import isfinite
from typing import Any, NamedTuple

from feeds.contract import Contract, Right

Instrument = Contract | str
"""What quotes can be streamed of: an option, or a stock by its symbol."""

Key = tuple[Any, Any, Any, Any]
"""An instrument as frames name it: root, expiration, strike, right; a stock has None for three."""

STOP = '{"msg_type":"STOP"}'
"""Ends every subscription of the terminal; they belong to it and not to the connection."""

CONNECTED = "CONNECTED"
DISCONNECTED = "DISCONNECTED"
SUBSCRIBED = "SUBSCRIBED"
INVALID_PERMISSIONS = "INVALID_PERMS"
TOO_MANY_STREAMS = "MAX_STREAMS_REACHED"

MILLISECONDS_A_DAY = 86_400_000
_LARGEST_SIZE = 2**31 - 1


class MalformedFrame(ValueError):
    """A frame that is not JSON, or lacks a field that its type must have."""


class QuoteFrame(NamedTuple):
    """A quote as sent: `ms_of_day` and `date` of New York, dollars, contracts (or shares)."""

    status: str
    key: Key
    date: int
    ms_of_day: int
    bid: float
    ask: float
    bid_size: int
    ask_size: int


class HeaderFrame(NamedTuple):
    """Any other frame: its type and what its header says.

    `status` is the terminal's own connection to the vendor. `response` and `request_id` belong to
    REQ_RESPONSE, `state` (START or STOP of a session) to STATE; None or empty elsewhere.
    """

    kind: str
    status: str
    response: str
    request_id: int | None
    state: str


def key_of(instrument: Instrument) -> Key:
    """How frames name `instrument`."""
    if isinstance(instrument, str):
        return (instrument, None, None, None)
    expiration = int(instrument.expiration.strftime("%Y%m%d"))
    right = "C" if instrument.right is Right.CALL else "P"
    return (instrument.underlying, expiration, instrument.strike_thousandths, right)


def quote_request(instrument: Instrument, request_id: int, *, add: bool) -> str:
    """The frame that asks for quotes of `instrument`, or (`add` false) wants them no more."""
    root, expiration, strike, right = key_of(instrument)
    contract = {"root": root}
    if not isinstance(instrument, str):
        contract |= {"expiration": expiration, "strike": strike, "right": right}
    request = {
        "msg_type": "STREAM",
        "sec_type": "STOCK" if isinstance(instrument, str) else "OPTION",
        "req_type": "QUOTE",
        "add": add,
        "id": request_id,
        "contract": contract,
    }
    return json.dumps(request, separators=(",", ":"))


def read_frame(frame: str | bytes) -> QuoteFrame | HeaderFrame:
    """A frame, checked.

    Raises `MalformedFrame` for anything else than one JSON object with a header that has a type
    and a status, and for a quote without valid fields. NaN and infinite prices are malformed;
    negative or crossed ones are not: `feeds.quotes.clean` judges those.
    """
    try:
        text = frame.strip() if isinstance(frame, str) else frame.decode().strip()
        message, end = _decode(text)
        header = message["header"]
        status = header["status"]
        if type(status) is not str or end != len(text):
            raise MalformedFrame("no status, or more than one object")
        if header["type"] == "QUOTE":
            return _quote(status, message["contract"], message["quote"])
        return _header(status, header)
    except (ValueError, KeyError, TypeError, RecursionError, OverflowError) as error:
        raise MalformedFrame(str(error)) from None


def _quote(status: str, contract: dict[str, Any], quote: dict[str, Any]) -> QuoteFrame:
    key = (
        contract["root"],
        contract.get("expiration"),
        contract.get("strike"),
        contract.get("right"),
    )
    hash(key)  # a list or an object in it is a TypeError here, and not where it is looked up
    ms_of_day, bid, ask = quote["ms_of_day"], quote["bid"], quote["ask"]
    bid_size, ask_size = quote["bid_size"], quote["ask_size"]
    if not (
        type(ms_of_day) is int
        and 0 <= ms_of_day < MILLISECONDS_A_DAY
        and type(bid_size) is type(ask_size) is int
        and 0 <= bid_size <= _LARGEST_SIZE
        and 0 <= ask_size <= _LARGEST_SIZE
        and type(bid) is not bool
        and type(ask) is not bool
        and isfinite(bid)
        and isfinite(ask)
    ):
        raise MalformedFrame("a quote with impossible numbers")
    return QuoteFrame(status, key, quote["date"], ms_of_day, bid, ask, bid_size, ask_size)


def _header(status: str, header: dict[str, Any]) -> HeaderFrame:
    kind, request_id = header["type"], header.get("req_id")
    if type(kind) is not str:
        raise MalformedFrame("a type that is no text")
    if type(request_id) is str and request_id.isdecimal():
        request_id = int(request_id)
    return HeaderFrame(
        kind=kind,
        status=status,
        response=str(header.get("response", "")),
        request_id=request_id if type(request_id) is int else None,
        state=str(header.get("state", "")),
    )


def _no_number(word: str) -> float:
    raise MalformedFrame(f"{word} is no number")


_decode: Callable[[str], tuple[Any, int]] = json.JSONDecoder(parse_constant=_no_number).raw_decode
"""A quarter faster than `json.loads`, which looks for white space by regular expressions."""
