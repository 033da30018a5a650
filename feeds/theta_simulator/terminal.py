"""What REST and WebSocket share: market, clock, subscription, faults, and the terminal's state."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from feeds.theta_simulator.clock import MarketClock
from feeds.theta_simulator.faults import Faults
from feeds.theta_simulator.formats import JsonShape
from feeds.theta_simulator.market import Market
from feeds.theta_simulator.tiers import Subscription

DATA_FAULTS = frozenset({"crossed", "zero", "late-strikes"})
"""Faults that spoil quotes wherever they are given."""

SnapshotMemory = Literal["week", "midnight"]
SecondClient = Literal["replace", "refuse"]


@dataclass
class Terminal:
    """One simulated terminal.

    Attributes:
        market, clock, subscription, faults: as named.
        json_shape: which of the three JSON shapes the account has.
        snapshot_memory: "week": snapshots show the last seven days; "midnight": today alone, as
            terminals before the autumn of 2026, which do not know `current_day_only` either.
        second_client: whether a second WebSocket takes the place of the first or is turned away.
        permission_code: 403 or 471 for what the subscription does not cover.
        chain_snapshots: whether a Value subscription may ask for all strikes at once; the vendor's
            own pages disagree.
        queue_length: requests that wait for a slot before others are answered 429.
        largest_streams: fewer contracts than the subscription would stream, None for its own.
        outbox: frames that wait for a client that reads slowly before others are dropped.
        lossless: a client that reads slowly delays the market's news instead of losing frames.
        may_go: market time stands still while this says no.
        streaming_began: whether a first streaming request was made.
        frozen_at: market time at which snapshots stand still, None while they do not.
    """

    market: Market
    clock: MarketClock
    subscription: Subscription
    faults: Faults
    json_shape: JsonShape = "grouped"
    snapshot_memory: SnapshotMemory = "week"
    second_client: SecondClient = "replace"
    permission_code: int = 471
    chain_snapshots: bool = True
    queue_length: int = 16
    largest_streams: int | None = None
    outbox: int = 65_536
    lossless: bool = False
    may_go: Callable[[], bool] = lambda: True
    streaming_began: bool = False
    frozen_at: int | None = None
    counts: dict[str, int] = field(default_factory=dict)

    def count(self, name: str) -> None:
        """One more of what the control page shows."""
        self.counts[name] = self.counts.get(name, 0) + 1

    @property
    def data_status(self) -> str:
        """The word of /v3/terminal/mdds/status."""
        if self.faults.session_lost:
            return "UNVERIFIED"
        return "DISCONNECTED" if "474" in self.faults else "CONNECTED"

    @property
    def stream_status(self) -> str:
        """The word of /v3/terminal/fpss/status and of every frame's header."""
        if self.faults.session_lost:
            return "UNVERIFIED"
        down = self.faults.disconnected or not self.streaming_began
        return "DISCONNECTED" if down else "CONNECTED"

    def faults_changed(self) -> None:
        """Snapshots stand still from the moment they are told to."""
        if "stale" not in self.faults:
            self.frozen_at = None
        elif self.frozen_at is None:
            self.frozen_at = self.clock.now()
