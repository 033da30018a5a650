"""What a stream of quotes can tell: its state, its events and its counters."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from feeds.theta.stream_frames import Instrument


class StreamState(StrEnum):
    """What the stream is worth now."""

    OFFLINE = "offline"
    IDLE = "idle"
    SUBSCRIBING = "subscribing"
    LIVE = "live"
    QUIET = "quiet"
    UPSTREAM_DOWN = "upstream down"
    REFUSED = "refused"


class QuoteEvent(NamedTuple):
    """A quote to apply. `ts` is nanoseconds UTC (exchange time), prices dollars as sent.

    A named tuple because one is made for every message: it costs a quarter of a frozen dataclass.
    """

    instrument: Instrument
    ts: int
    bid: float
    ask: float
    bid_size: int
    ask_size: int
    received_at: float


@dataclass(frozen=True, slots=True)
class StatusEvent:
    """The stream's state changed at `since` (monotonic seconds)."""

    state: StreamState
    since: float


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The terminal took the subscription. No proof that the contract exists."""

    instrument: Instrument
    request_id: int


@dataclass(frozen=True, slots=True)
class Refused:
    """The terminal answered a subscription with INVALID_PERMS, MAX_STREAMS_REACHED or ERROR."""

    instrument: Instrument
    response: str


@dataclass(frozen=True, slots=True)
class SeedNeeded:
    """Quotes may have been missed: read the chain by REST, then go on with the stream."""

    reason: str


@dataclass(frozen=True, slots=True)
class SessionState:
    """The vendor says START or STOP of the trading session."""

    state: str


@dataclass(frozen=True, slots=True)
class Silent:
    """No frame for `seconds`: the socket is dead and must be closed. Said once a connection."""

    seconds: float


Event = QuoteEvent | StatusEvent | Acknowledged | Refused | SeedNeeded | SessionState | Silent


@dataclass(slots=True)
class StreamCounters:
    """What came since the start. Nothing is dropped uncounted.

    Every frame is one of: `quotes` applied, `late`, `other_day` and `unwanted` quotes dropped,
    `heartbeats`, `answers` to requests, `session_states`, `trades`, `bars`, `unknown`, `malformed`.

    Of the answers, `refused` were no SUBSCRIBED and `unmatched` answered nothing asked.
    `unanswered` requests were given up, `upstream_losses` are of the terminal's own connection,
    `connections` are ours.
    """

    frames: int = 0
    quotes: int = 0
    late: int = 0
    other_day: int = 0
    unwanted: int = 0
    heartbeats: int = 0
    answers: int = 0
    session_states: int = 0
    trades: int = 0
    bars: int = 0
    unknown: int = 0
    malformed: int = 0
    refused: int = 0
    unmatched: int = 0
    unanswered: int = 0
    upstream_losses: int = 0
    connections: int = 0
