"""When a live bar closes: a state machine without a clock, a socket or a thread of its own.

Bars stand at whole periods after the open and at the close, half days included; never before the
one or after the other. There are two ways to tell the time:

- **By the wall clock**, in real time. A bar closes when its time has come, whether anything traded
  or not. After a pause (a laptop asleep) only the newest one is made; the others are counted.
- **By the data's watermark**, in accelerated time. A bar closes once data *later* than it arrives,
  so that a fast run equals a slow one and a replay equals the backtest. Periods in which the
  market told nothing at all have no bar, as a recording with a gap has none; they are counted too.
"""

from collections.abc import Callable, Sequence

from errors import SettingError
from feeds.chain import ChainDay
from feeds.live.book import ChainBook
from feeds.sessions import Session

NANOSECONDS_A_SECOND = 1_000_000_000
LONGEST_PERIOD = 60


class BarClock:
    """Which bars of a session are due. Instants are nanoseconds since 1970 UTC."""

    def __init__(
        self,
        session: Session,
        period_seconds: int,
        by_watermark: bool = False,
        after: int | None = None,
    ) -> None:
        """Bars of `session` every `period_seconds`, by the wall clock or by the data's watermark.

        By the watermark, bars at or before `after` were given by an earlier clock.

        Raises `SettingError` unless the period is a whole number of seconds from 1 to 60.
        """
        if not 1 <= period_seconds <= LONGEST_PERIOD or period_seconds != int(period_seconds):
            raise SettingError(f"a bar of {period_seconds} s: choose whole seconds from 1 to 60")
        self.session = session
        self.by_watermark = by_watermark
        self.skipped = 0
        self._period = int(period_seconds) * NANOSECONDS_A_SECOND
        self._length = session.close_ns - session.open_ns
        self._last_bar = -(-self._length // self._period)
        self._given: int | None = None  # number of the newest bar given; None before the first look
        self._seen: int | None = None  # the watermark: the newest stamp of any data
        if by_watermark and after is not None and after >= session.open_ns:
            self._given = self._number_at(after)

    @property
    def is_over(self) -> bool:
        """Whether the closing bar was given."""
        return self._given == self._last_bar

    def due(self, instant: int) -> list[int]:
        """The bars to make now, oldest first: none, one, or at the end of a thin session two.

        `instant` is the wall clock, or the stamp of data that has arrived and is *not yet in the
        book*. The first look at the wall clock only sets the start: a bar that was over before is
        not made up afterwards.
        """
        numbers = self._by_data(instant) if self.by_watermark else self._by_wall(instant)
        return [self._instant(number) for number in numbers]

    def finish(self) -> list[int]:
        """The bars to make when no more data will come although the close may not have passed.

        By the watermark that is the bar of the last data; by the wall clock there is none. The
        closing bar is made by `due(close + 1)`.
        """
        numbers = self._covering() if self.by_watermark else []
        return [self._instant(number) for number in numbers]

    def next_bar(self) -> int | None:
        """The instant of the bar after the newest one; None when the session is over."""
        following = 0 if self._given is None else self._given + 1
        return self._instant(following) if following <= self._last_bar else None

    def _by_wall(self, now: int) -> list[int]:
        number = self._number_at(now)
        if self._given is None:
            on_time = number >= 0 and self._instant(number) == now
            self._given = number - 1 if on_time else number
        if number <= self._given:
            return []
        self.skipped += number - self._given - 1
        self._given = number
        return [number]

    def _by_data(self, stamp: int) -> list[int]:
        numbers = []
        covering = self._covering() if self._seen is not None else []
        if covering and stamp > self._instant(covering[0]):
            numbers += self._give(covering[0])
        if stamp > self.session.close_ns and not self.is_over:
            numbers += self._give(self._last_bar)
        self._seen = stamp if self._seen is None else max(self._seen, stamp)
        return numbers

    def _covering(self) -> list[int]:
        """The bar that ends the period of the newest data, unless it was given already."""
        if self._seen is None or not self.session.open_ns <= self._seen <= self.session.close_ns:
            return []
        number = -(-(self._seen - self.session.open_ns) // self._period)
        return [number] if number > (-1 if self._given is None else self._given) else []

    def _give(self, number: int) -> list[int]:
        before = number if self._given is None else self._given + 1  # a late start skips nothing
        self.skipped += number - before
        self._given = number
        return [number]

    def _number_at(self, now: int) -> int:
        """Number of the newest bar at or before `now`; -1 before the open."""
        if now >= self.session.close_ns:
            return self._last_bar
        return max((now - self.session.open_ns) // self._period, -1)

    def _instant(self, number: int) -> int:
        return self.session.open_ns + min(number * self._period, self._length)


class BarMaker:
    """Takes a snapshot of the book whenever the clock says so, and hands it to all who want it.

    `advance` costs nothing while no bar is due, so it may be called with every message.
    """

    def __init__(
        self, book: ChainBook, clock: BarClock, takers: Sequence[Callable[[ChainDay], object]]
    ) -> None:
        """`takers` get every row in this order: a recorder's `add` first, a `LiveFeed.put` last."""
        self.book = book
        self.clock = clock
        self.takers = tuple(takers)

    def advance(self, instant: int) -> int:
        """Make the bars due at `instant` (see `BarClock.due`); how many there were.

        By the watermark, call it before the data stamped `instant` goes into the book.
        """
        return self._make(self.clock.due(instant))

    def finish(self) -> int:
        """Make the bars of `BarClock.finish`; how many there were."""
        return self._make(self.clock.finish())

    def _make(self, instants: Sequence[int]) -> int:
        for ts in instants:
            row = self.book.snapshot(ts)
            for take in self.takers:
                take(row)
        return len(instants)
