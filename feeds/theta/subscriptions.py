"""What is wanted of the stream, and how far each request got. No socket, no clock.

Ids grow over all connections of a process: an id used twice breaks the terminal's own
resubscription.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from feeds.theta.stream_events import Acknowledged, Refused
from feeds.theta.stream_frames import (
    INVALID_PERMISSIONS,
    SUBSCRIBED,
    TOO_MANY_STREAMS,
    HeaderFrame,
    Instrument,
    Key,
    key_of,
    quote_request,
)

ANSWER_SECONDS = 3.0
"""A request is asked again when it is not answered within this."""


class Phase(Enum):
    """How far the request for an instrument got."""

    TO_ASK = "to ask"
    ASKED = "asked"
    ACKNOWLEDGED = "acknowledged"
    REFUSED = "refused"


@dataclass(slots=True)
class Subscription:
    """An instrument that is wanted.

    Attributes:
        response: the terminal's word when it refused, else empty.
        known_ms: `ms_of_day` of its last quote on this connection, -1 before.
    """

    instrument: Instrument
    phase: Phase = Phase.TO_ASK
    response: str = ""
    known_ms: int = -1


@dataclass(frozen=True, slots=True)
class _Request:
    key: Key
    add: bool
    asked_at: float


class Subscriptions:
    """The instruments wanted, the most important first, and the requests that are open."""

    def __init__(self) -> None:
        """Nothing is wanted yet."""
        self._by_key: dict[Key, Subscription] = {}
        self._leaving: dict[Key, Instrument] = {}
        self._requests: dict[int, _Request] = {}
        self._last_id = 0
        self.find = self._by_key.get  # one lookup a message: a method around it would cost a tenth

    def __len__(self) -> int:
        return len(self._by_key)

    def count(self, *phases: Phase) -> int:
        """How many instruments are in one of `phases`."""
        return sum(one.phase in phases for one in self._by_key.values())

    @property
    def refused(self) -> dict[Instrument, str]:
        """The instruments that were refused, with the terminal's word."""
        every = self._by_key.values()
        return {one.instrument: one.response for one in every if one.phase is Phase.REFUSED}

    def want(self, instruments: Iterable[Instrument]) -> None:
        """Set what is wanted. What is given up makes room for what found no room before."""
        wanted = {key_of(instrument): instrument for instrument in instruments}
        given_up = [key for key in self._by_key if key not in wanted]
        for key in given_up:
            gone = self._by_key[key]
            if gone.phase in (Phase.ASKED, Phase.ACKNOWLEDGED):
                self._leaving[key] = gone.instrument
            if gone.phase is not Phase.REFUSED:
                self._ask_again_those_without_room()
        kept = [
            (key, self._by_key.get(key) or Subscription(instrument))
            for key, instrument in wanted.items()
        ]
        self._by_key.clear()  # the same dictionary: `find` belongs to it
        self._by_key.update(kept)

    def restart(self) -> None:
        """A connection begins or ended: nothing of a former one counts."""
        self._requests.clear()
        self._leaving.clear()
        for one in self._by_key.values():
            one.phase, one.response, one.known_ms = Phase.TO_ASK, "", -1

    def ask_again(self) -> None:
        """Ask once more, with new ids, for everything that was acknowledged."""
        for one in self._by_key.values():
            if one.phase is Phase.ACKNOWLEDGED:
                one.phase = Phase.TO_ASK

    def outgoing(self, now: float) -> list[str]:
        """The requests to send now, each given once; removals first, they make room."""
        frames = []
        for key, instrument in self._leaving.items():
            frames.append(quote_request(instrument, self._new_id(key, False, now), add=False))
        self._leaving.clear()
        for key, one in self._by_key.items():
            if one.phase is Phase.TO_ASK:
                one.phase = Phase.ASKED
                frames.append(quote_request(one.instrument, self._new_id(key, True, now), add=True))
        return frames

    def answered(self, message: HeaderFrame) -> Acknowledged | Refused | None:
        """Apply a REQ_RESPONSE; None for the answer to a removal.

        Raises `KeyError` for an answer to nothing: to STOP, or to a request given up meanwhile.
        """
        if message.request_id is None:
            raise KeyError("an answer without an id")
        request = self._requests.pop(message.request_id)
        one = self._by_key.get(request.key)
        if one is None or not request.add:
            return None
        if message.response == SUBSCRIBED:
            one.phase = Phase.ACKNOWLEDGED
            return Acknowledged(one.instrument, message.request_id)
        if message.response in (INVALID_PERMISSIONS, TOO_MANY_STREAMS):
            one.phase, one.response = Phase.REFUSED, message.response
        else:  # ERROR may pass: the request stays open, and is asked again when its time is over
            self._requests[message.request_id] = request
        return Refused(one.instrument, message.response)

    def expire(self, now: float) -> int:
        """Give up the requests without a good answer for too long, and how many they were.

        Subscriptions among them are asked again.
        """
        late = [i for i, one in self._requests.items() if now - one.asked_at > ANSWER_SECONDS]
        for request_id in late:
            request = self._requests.pop(request_id)
            one = self._by_key.get(request.key)
            if one is not None and request.add and one.phase is Phase.ASKED:
                one.phase = Phase.TO_ASK
        return len(late)

    def _new_id(self, key: Key, add: bool, now: float) -> int:
        self._last_id += 1
        self._requests[self._last_id] = _Request(key, add, now)
        return self._last_id

    def _ask_again_those_without_room(self) -> None:
        for one in self._by_key.values():
            if one.phase is Phase.REFUSED and one.response == TOO_MANY_STREAMS:
                one.phase, one.response = Phase.TO_ASK, ""
