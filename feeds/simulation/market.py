"""The simulated market as a source of sessions."""

from collections.abc import Sequence
from datetime import date

import numpy as np
import numpy.typing as npt

from errors import SettingError
from feeds.chain import ChainDay, chain_day
from feeds.contract import TICK
from feeds.sessions import (
    FULL_DAY_MINUTES,
    NANOSECONDS_A_MINUTE,
    Floats,
    Nanoseconds,
    Session,
    last_sessions,
)
from feeds.simulation.booking import Book, book
from feeds.simulation.faults import MarketFaults, kept_rows, kept_strikes, spoil
from feeds.simulation.history import history
from feeds.simulation.paths import DayPath, Stream, generator
from feeds.simulation.surface import fair_values
from feeds.source import SkippedSession

NO_FAULTS = MarketFaults()


LAST_SIMULATED = date(2026, 10, 30)
"""The last session that is simulated when nothing else is asked for."""


def default_sessions(count: int = 60, end: date = LAST_SIMULATED) -> list[Session]:
    """The last `count` sessions up to `end`: what is simulated when nothing else is asked for."""
    return last_sessions(count, end)


def market_label(seed: int) -> str:
    """What the sessions of a seed are called wherever a source is named."""
    return f"simulated market, seed {seed}"


class SimulatedMarket:
    """Simulated SPY sessions; a `feeds.source.ChainSource`.

    A session depends on the seed, its date and the options alone, never on the range.
    """

    underlying = "SPY"

    def __init__(
        self,
        sessions: Sequence[Session],
        seed: int = 0,
        step_minutes: float = 1.0,
        faults: MarketFaults = NO_FAULTS,
        strikes_within: float = 0.05,
        year_convention: str = "calendar",
    ) -> None:
        """Nothing is generated yet.

        Args:
            sessions: the trading days, 2021 to 2027.
            seed: of everything random, not negative.
            step_minutes: spacing of the rows, a whole number of minutes; the close always has one.
            faults: what to spoil.
            strikes_within: strikes reach this fraction beyond the day's lowest and highest spot.
            year_convention: passed on to every `ChainDay`.

        Raises `SettingError` on a seed, step or reach of strikes that cannot be simulated.
        """
        if seed < 0:
            raise SettingError(f"seed is {seed}: choose 0 or more")
        if step_minutes < 1 or step_minutes != int(step_minutes):
            raise SettingError(
                f"step_minutes is {step_minutes:g}: the simulated market has a row a minute, "
                "choose a whole number from 1"
            )
        if not 0 < strikes_within < 1:
            raise SettingError(
                f"strikes_within is {strikes_within:g}: choose a fraction of spot between 0 and 1"
            )
        self.sessions: Sequence[Session] = list(sessions)
        self.skipped: Sequence[SkippedSession] = ()
        self.label = market_label(seed)
        self._seed = seed
        self._step = int(step_minutes)
        self._faults = faults
        self._strikes_within = strikes_within
        self._year_convention = year_convention

    def clock(self, index: int) -> tuple[Nanoseconds, Floats]:
        """Instants int64 [T] (nanoseconds) and spot [T] (dollars) of a session.

        Raises `DataError` outside 2021 to 2027.
        """
        path = self._path(index)
        rows = self._rows(path)
        return _instants(path, rows), _prints(path)[rows]

    def load(self, index: int) -> ChainDay:
        """The whole session, generated on the spot. Raises `DataError` outside 2021 to 2027."""
        path = self._path(index)
        strikes = self._strikes(path)
        quotes = self._quotes(path, strikes / 1000)
        rows = self._rows(path)
        spot, underlying_bid = _prints(path), np.floor(path.price * 100) / 100
        return chain_day(
            session=path.session,
            underlying=self.underlying,
            ts=_instants(path, rows),
            spot=spot[rows],
            strikes=strikes,
            bid=quotes.bid[rows],
            ask=quotes.ask[rows],
            bid_size=quotes.bid_size[rows],
            ask_size=quotes.ask_size[rows],
            underlying_bid=underlying_bid[rows],
            underlying_ask=np.round(underlying_bid[rows] + TICK, 2),
            official_close=float(spot[-1]),
            source="simulated",
            spot_source="simulated",
            close_source="simulated closing print",
            year_convention=self._year_convention,
            flags=("half day",) if path.session.minutes < FULL_DAY_MINUTES else (),
        )

    def _path(self, index: int) -> DayPath:
        return history(self._seed).path(self.sessions[index])

    def _generator(self, path: DayPath, stream: Stream) -> np.random.Generator:
        return generator(self._seed, path.session.date, stream)

    def _rows(self, path: DayPath) -> npt.NDArray[np.bool_]:
        """Which minutes are rows: every step and the close, less the gaps."""
        count = path.price.size
        kept = kept_rows(count, self._faults, self._generator(path, Stream.ROWS))
        kept &= np.arange(count) % self._step == 0
        kept[-1] = True
        return kept

    def _strikes(self, path: DayPath) -> npt.NDArray[np.int64]:
        """Whole-dollar strikes, in thousandths, around everywhere the day went."""
        low = np.ceil(path.price.min() * (1 - self._strikes_within))
        high = np.floor(path.price.max() * (1 + self._strikes_within))
        dollars = np.arange(int(low), int(high) + 1, dtype=np.int64)
        listed = self._generator(path, Stream.STRIKES)
        return dollars[kept_strikes(dollars.size, self._faults, listed)] * 1000

    def _quotes(self, path: DayPath, strikes: Floats) -> Book:
        fair = fair_values(path, strikes)
        quotes = book(path, fair, self._generator(path, Stream.QUOTES))
        spoil(quotes, self._faults, self._generator(path, Stream.SPOILED))
        return quotes


def _instants(path: DayPath, rows: npt.NDArray[np.bool_]) -> Nanoseconds:
    return path.session.open_ns + np.flatnonzero(rows) * NANOSECONDS_A_MINUTE


def _prints(path: DayPath) -> Floats:
    """[N] last trade in dollars: the price to the cent, at the bid or at the ask."""
    return np.round(path.price, 2)
