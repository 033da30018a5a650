"""The stream as a person reads it: what it is worth, since when, and one line that says so."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from websockets.exceptions import ConnectionClosed, InvalidStatus

from feeds.theta.stream_events import StreamCounters, StreamState
from feeds.theta.stream_frames import INVALID_PERMISSIONS, Instrument
from feeds.theta.stream_protocol import StreamProtocol

NORMAL_END = 1000
"""The code with which a terminal closes a connection it gave to another program."""

_LINES = {
    StreamState.OFFLINE: "no connection ({cause}), trying again",
    StreamState.IDLE: "connected, nothing is wanted",
    StreamState.SUBSCRIBING: "{acknowledged} of {wanted} acknowledged, no quote yet",
    StreamState.LIVE: "quotes of {acknowledged} instruments",
    StreamState.QUIET: "no quotes, though the terminal answers",
    StreamState.UPSTREAM_DOWN: "the terminal lost Theta Data ({upstream}), it reconnects by itself",
    StreamState.REFUSED: "{refusal}",
}
_NOT_SIGNED_IN = "the terminal is not signed in ({upstream}), another may have taken the session"


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamStatus:
    """The stream at an instant.

    Attributes:
        state: what it is worth.
        since: since when, tz-aware New York wall time.
        line: one line for a person.
        wanted, acknowledged: instruments.
        refused: the terminal's word for each instrument it refused.
        quote_age: seconds since the last quote of any instrument, None before the first of this
            connection.
        session_state: START or STOP as last said by the vendor, empty before.
        counters: what was received so far.
    """

    state: StreamState
    since: datetime
    line: str
    wanted: int
    acknowledged: int
    refused: Mapping[Instrument, str]
    quote_age: float | None
    session_state: str
    counters: StreamCounters


def status_of(
    protocol: StreamProtocol, now: float, wall: datetime, cause: str, session_state: str
) -> StreamStatus:
    """The status of `protocol` at `now` (monotonic seconds), which is `wall` (New York).

    `cause` says why there is no connection.
    """
    refused = protocol.refused
    since = wall - timedelta(seconds=now - protocol.since)
    line = _LINES[protocol.state]
    if protocol.state is StreamState.UPSTREAM_DOWN and protocol.upstream == "UNVERIFIED":
        line = _NOT_SIGNED_IN
    text = line.format(
        refusal=_refusal(refused),
        cause=cause,
        wanted=protocol.wanted,
        acknowledged=protocol.acknowledged,
        upstream=protocol.upstream,
    )
    words = f" ({', '.join(sorted(set(refused.values())))} for {len(refused)})" if refused else ""
    return StreamStatus(
        state=protocol.state,
        since=since,
        line=f"stream: {text}{words}, since {since:%H:%M:%S}",
        wanted=protocol.wanted,
        acknowledged=protocol.acknowledged,
        refused=refused,
        quote_age=None if protocol.quote_at is None else now - protocol.quote_at,
        session_state=session_state,
        counters=replace(protocol.counters),
    )


def _refusal(refused: Mapping[Instrument, str]) -> str:
    """What to do where everything was refused."""
    if INVALID_PERMISSIONS not in refused.values():
        return "the terminal has no room for more streams"
    asset = "stocks" if all(isinstance(one, str) for one in refused) else "options"
    return f"the account may not stream this, subscribe to {asset} Standard"


def why_not_opened(error: Exception, url: str) -> str:
    """Why a connection to `url` could not be opened, for a person."""
    if isinstance(error, InvalidStatus):
        return f"turned away with HTTP {error.response.status_code}"
    if isinstance(error, TimeoutError):
        return f"no greeting from {url}"
    if isinstance(error, OSError):
        return f"nothing answers at {url}"
    return f"no WebSocket at {url}"


def why_ended(error: BaseException) -> str:
    """Why a connection ended, for a person."""
    if not isinstance(error, ConnectionClosed):
        return "the terminal takes no requests"
    if error.rcvd is None:
        return "the connection broke"
    if error.rcvd.code == NORMAL_END:
        return "the terminal ended it, another program may have taken the stream"
    return f"the terminal ended it: {error.rcvd}"
