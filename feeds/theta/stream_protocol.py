"""What Theta's stream means: frames in, events and requests out. No socket, no clock, no thread.

The caller says what happens and when (`now`, monotonic seconds): `opened`, `receive`, `tick` a few
times a second, `lost`. It sends what `outgoing` gives. The rules:

- Subscriptions belong to the terminal and outlive a connection. So every connection begins with
  STOP, then asks for each instrument with an id never used before, and `leave` ends with STOP.
- An acknowledgement is found by its id; STATUS and quotes may come before it. A request without
  one is asked again after `subscriptions.ANSWER_SECONDS`, and so is one that the terminal answered
  with ERROR. INVALID_PERMS is final until the next connection, MAX_STREAMS_REACHED until
  something else is no longer wanted.
- Nothing is sent on subscribing, and what changed during a loss is never repeated. So a
  `SeedNeeded` follows, once the requests are answered: read the chain by REST then.
- The terminal tells its own connection to the vendor in every frame. When that comes back after a
  loss, everything is asked for again.
- Any frame is a sign of life; `SILENCE_SECONDS` without one is a dead socket. Heartbeats say
  nothing about data: `QUIET_SECONDS` without a quote is told, and needs a seed when it ends.
- Quotes of another date, of instruments nobody wants, and older ones than the last of the same
  instrument are dropped and counted. So are malformed frames: no frame raises an error.

Memory is bounded by the instruments wanted, whatever is received.
"""

from collections.abc import Iterable
from datetime import date, datetime

from feeds.sessions import NEW_YORK, to_nanoseconds
from feeds.theta.stream_events import (
    Acknowledged,
    Event,
    QuoteEvent,
    SeedNeeded,
    SessionState,
    Silent,
    StatusEvent,
    StreamCounters,
    StreamState,
)
from feeds.theta.stream_frames import (
    CONNECTED,
    DISCONNECTED,
    STOP,
    HeaderFrame,
    Instrument,
    MalformedFrame,
    QuoteFrame,
    read_frame,
)
from feeds.theta.subscriptions import ANSWER_SECONDS, Phase, Subscriptions

SILENCE_SECONDS = 3.0
"""The terminal sends a STATUS every second: this long without any frame, the socket is dead."""

NEW_SUBSCRIPTIONS = "new subscriptions"
"""The reason of a seed when nothing was missed: what streamed before still does."""

QUIET_SECONDS = 10.0
"""This long without a quote is told, though the connection lives."""


class StreamProtocol:
    """One session's stream of quotes of the instruments wanted.

    Attributes:
        state: what the stream is worth, since `since` (monotonic seconds).
        counters: what was received; for reading.
        upstream: the terminal's own connection to the vendor as last heard, empty before.
        quote_at: when the last quote of this connection was applied, None before.
    """

    def __init__(self, day: date, now: float, *, quiet_seconds: float = QUIET_SECONDS) -> None:
        """Begin offline, wanting nothing.

        Args:
            day: the session; quotes of other dates are dropped.
            now: monotonic seconds.
            quiet_seconds: without a quote for this long, the state is QUIET.
        """
        self.state = StreamState.OFFLINE
        self.since = now
        self.counters = StreamCounters()
        self.upstream = ""
        self.quote_at: float | None = None
        self._quiet_seconds = quiet_seconds
        self._date = int(day.strftime("%Y%m%d"))
        self._midnight = to_nanoseconds(datetime(day.year, day.month, day.day, tzinfo=NEW_YORK))
        self._subscriptions = Subscriptions()
        self._stop = self._open = False
        self._opened_at = self._heard_at = now
        self._answered = self._upstream_lost = False
        self._seed_reason = ""
        self._seed_since = now

    @property
    def wanted(self) -> int:
        """How many instruments are wanted."""
        return len(self._subscriptions)

    @property
    def acknowledged(self) -> int:
        """How many of them the terminal acknowledged on this connection."""
        return self._subscriptions.count(Phase.ACKNOWLEDGED)

    @property
    def refused(self) -> dict[Instrument, str]:
        """The instruments the terminal refused for good, with its word."""
        return self._subscriptions.refused

    def want(self, instruments: Iterable[Instrument], now: float) -> tuple[Event, ...]:
        """Set what is wanted, the most important first (a limit of streams cuts the last ones)."""
        self._subscriptions.want(instruments)
        self._seed_since = now
        return self._settled(now)

    def opened(self, now: float) -> tuple[Event, ...]:
        """A socket was opened: STOP what a former one left behind, then ask for everything."""
        self._restart(now)
        self._open = self._stop = True
        self.counters.connections += 1
        self._need_seed("connected", now)
        return self._settled(now)

    def lost(self, now: float) -> tuple[Event, ...]:
        """The socket is gone, or could not be opened. Safe to say twice."""
        self._restart(now)
        self._open = self._stop = False
        self._seed_reason = ""
        return self._settled(now)

    def leave(self) -> None:
        """Give everything up: `outgoing` is STOP alone."""
        self._subscriptions.want(())
        self._subscriptions.restart()
        self._stop = True

    def outgoing(self, now: float) -> list[str]:
        """The frames to send now, each given once: STOP, then removals, then subscriptions."""
        if not self._open:
            return []
        stop = [STOP] if self._stop else []
        self._stop = False
        return stop + self._subscriptions.outgoing(now)

    def receive(self, frame: str | bytes, now: float) -> tuple[Event, ...]:
        """Apply one frame. Never raises: what cannot be read is counted as malformed."""
        self.counters.frames += 1
        self._heard_at = now
        try:
            message = read_frame(frame)
        except MalformedFrame:
            self.counters.malformed += 1
            return ()
        if message.status != self.upstream:
            self._hear_upstream(message.status, now)
            return (*self._read(message, now), *self._settled(now))
        return self._read(message, now)

    def tick(self, now: float) -> tuple[Event, ...]:
        """Let time pass; a few times a second."""
        silence = now - self._heard_at
        if self._open and silence > SILENCE_SECONDS:
            return (Silent(silence), *self.lost(now))
        self.counters.unanswered += self._subscriptions.expire(now)
        return self._settled(now)

    def _restart(self, now: float) -> None:
        self._subscriptions.restart()
        self._opened_at = self._heard_at = now
        self._answered = self._upstream_lost = False
        self.upstream = ""
        self.quote_at = None

    def _read(self, message: QuoteFrame | HeaderFrame, now: float) -> tuple[Event, ...]:
        if isinstance(message, QuoteFrame):
            return self._apply(message, now)
        return self._read_header(message, now)

    def _apply(self, quote: QuoteFrame, now: float) -> tuple[Event, ...]:
        subscription = self._subscriptions.find(quote.key)
        if quote.date != self._date:
            self.counters.other_day += 1
        elif subscription is None:
            self.counters.unwanted += 1
        elif quote.ms_of_day < subscription.known_ms:
            self.counters.late += 1
        else:
            subscription.known_ms = quote.ms_of_day
            self.counters.quotes += 1
            self.quote_at = now
            event = QuoteEvent(
                subscription.instrument,
                self._midnight + quote.ms_of_day * 1_000_000,
                quote.bid,
                quote.ask,
                quote.bid_size,
                quote.ask_size,
                now,
            )
            if self.state is StreamState.LIVE:
                return (event,)
            return (event, *self._settled(now))
        return ()

    def _read_header(self, message: HeaderFrame, now: float) -> tuple[Event, ...]:
        counters = self.counters
        events: tuple[Event, ...] = ()
        if message.kind == "STATUS":
            counters.heartbeats += 1
        elif message.kind == "REQ_RESPONSE":
            counters.answers += 1
            events = self._read_answer(message, now)
        elif message.kind == "STATE":
            counters.session_states += 1
            events = (SessionState(message.state),)
        elif message.kind == "TRADE":
            counters.trades += 1
        elif message.kind == "OHLC":
            counters.bars += 1
        else:
            counters.unknown += 1
        return (*events, *self._settled(now))

    def _read_answer(self, message: HeaderFrame, now: float) -> tuple[Event, ...]:
        try:
            event = self._subscriptions.answered(message)
        except KeyError:
            self.counters.unmatched += 1
            return ()
        self._answered = True
        if event is None:
            return ()
        if isinstance(event, Acknowledged):
            self._need_seed(NEW_SUBSCRIPTIONS, now)
        else:
            self.counters.refused += 1
        return (event,)

    def _hear_upstream(self, status: str, now: float) -> None:
        """Note the terminal's own connection. Until it is first asked, it is DISCONNECTED."""
        before, self.upstream = self.upstream, status
        if status == CONNECTED and self._upstream_lost:
            self._upstream_lost = False
            self._subscriptions.ask_again()
            self._need_seed("the terminal was reconnected", now)
        elif status != CONNECTED and not self._upstream_lost:
            not_asked_yet = not self._answered and before != CONNECTED and status == DISCONNECTED
            self._upstream_lost = not not_asked_yet
            self.counters.upstream_losses += self._upstream_lost

    def _need_seed(self, reason: str, now: float) -> None:
        if not self._seed_reason:
            self._seed_reason, self._seed_since = reason, now

    def _settled(self, now: float) -> tuple[Event, ...]:
        """Bring the state up to date, and ask for a seed once all requests are answered."""
        events: tuple[Event, ...] = ()
        state = self._judged(now)
        if state is not self.state:
            if self.state is StreamState.QUIET and state is StreamState.LIVE:
                self._need_seed("quotes had stopped", now)
            self.state, self.since = state, now
            events = (StatusEvent(state, now),)
        if self._seed_reason and self._seed_due(now):
            events = (*events, SeedNeeded(self._seed_reason))
            self._seed_reason = ""
        return events

    def _seed_due(self, now: float) -> bool:
        if not self._open or not self._subscriptions or self._upstream_lost:
            return False
        waited = now - self._seed_since > ANSWER_SECONDS
        return waited or not self._subscriptions.count(Phase.TO_ASK, Phase.ASKED)

    def _judged(self, now: float) -> StreamState:
        if not self._open:
            return StreamState.OFFLINE
        if not self._subscriptions:
            return StreamState.IDLE
        if self._upstream_lost:
            return StreamState.UPSTREAM_DOWN
        if self._subscriptions.count(Phase.REFUSED) == len(self._subscriptions):
            return StreamState.REFUSED
        last = self._opened_at if self.quote_at is None else self.quote_at
        if now - last > self._quiet_seconds:
            return StreamState.QUIET
        return StreamState.SUBSCRIBING if self.quote_at is None else StreamState.LIVE
