"""The simulated market as a source of sessions."""

from collections.abc import Sequence
from datetime import date

import numpy as np

from errors import SettingError
from feeds.chain import ChainDay, chain_day
from feeds.sessions import NANOSECONDS_A_MINUTE, Floats, Nanoseconds, Session, last_sessions
from feeds.simulation.booking import book
from feeds.simulation.faults import Booleans, Integers, MarketFaults, kept_rows, kept_strikes, spoil
from feeds.simulation.paths import (
    FAULT_STREAM,
    QUOTE_STREAM,
    DayPath,
    generator,
    history,
)
from feeds.simulation.surface import fair_values
from feeds.source import SkippedSession

NO_FAULTS = MarketFaults()


def default_sessions(count: int = 60, end: date = date(2026, 10, 30)) -> list[Session]:
    """The last `count` sessions up to `end`: what is simulated when nothing else is asked for."""
    return last_sessions(count, end)


class SimulatedMarket:
    """Simulated SPY sessions; a `ChainSource`.

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
        """Prepare; nothing is generated yet.

        Args:
            sessions: the trading days, 2021 to 2027.
            seed: of everything random, not negative.
            step_minutes: spacing of the rows, a whole number of minutes; the close always has one.
            faults: what to spoil.
            strikes_within: strikes this fraction beyond the day's lowest and highest spot.
            year_convention: passed on to every `ChainDay`.

        Raises `SettingError` on a step that is no whole number of minutes or a negative seed.
        """
        if step_minutes < 1 or step_minutes != int(step_minutes):
            raise SettingError(
                f"step_minutes is {step_minutes:g}: the simulated market makes whole minutes, "
                "choose 1 or more"
            )
        if seed < 0:
            raise SettingError(f"seed is {seed}: choose 0 or more")
        self.sessions: Sequence[Session] = list(sessions)
        self.skipped: Sequence[SkippedSession] = ()
        self.label = f"simulated market, seed {seed}"
        self._seed = seed
        self._step = int(step_minutes)
        self._faults = faults
        self._strikes_within = strikes_within
        self._year_convention = year_convention

    def clock(self, index: int) -> tuple[Nanoseconds, Floats]:
        """Instants int64 [T] (nanoseconds) and spot [T] (dollars) of a session."""
        path = self._path(index)
        rows = self._rows(path)
        return self._instants(path, rows), _spot(path)[rows]

    def load(self, index: int) -> ChainDay:
        """The whole session, made on the spot."""
        path = self._path(index)
        rows = self._rows(path)
        strikes = self._strikes(path)
        day = path.session.date
        quotes = book(
            path, fair_values(path, strikes / 1000), generator(self._seed, day, QUOTE_STREAM)
        )
        spoil(quotes, self._faults, generator(self._seed, day, FAULT_STREAM + 1))
        spot = _spot(path)
        bid = np.floor(np.round(path.price * 100, 6)) / 100
        return chain_day(
            session=path.session,
            underlying=self.underlying,
            ts=self._instants(path, rows),
            spot=spot[rows],
            strikes=strikes,
            bid=quotes.bid[rows],
            ask=quotes.ask[rows],
            bid_size=quotes.bid_size[rows],
            ask_size=quotes.ask_size[rows],
            underlying_bid=bid[rows],
            underlying_ask=np.round(bid + 0.01, 2)[rows],
            official_close=float(spot[-1]),
            source="simulated",
            spot_source="simulated",
            close_source="simulated closing print",
            year_convention=self._year_convention,
            flags=("half day",) if path.session.minutes < 390 else (),
        )

    def _path(self, index: int) -> DayPath:
        return history(self._seed).path(self.sessions[index])

    def _rows(self, path: DayPath) -> Booleans:
        """Which minutes are rows: every step and the close, less the gaps."""
        count = path.price.size
        rng = generator(self._seed, path.session.date, FAULT_STREAM)
        kept = kept_rows(count, self._faults, rng) & (np.arange(count) % self._step == 0)
        kept[-1] = True
        return kept

    def _instants(self, path: DayPath, rows: Booleans) -> Nanoseconds:
        minutes = np.arange(path.price.size, dtype=np.int64)[rows]
        return path.session.open_ns + minutes * NANOSECONDS_A_MINUTE

    def _strikes(self, path: DayPath) -> Integers:
        """Whole-dollar strikes in thousandths, around everywhere the day went."""
        low = np.ceil(path.price.min() * (1 - self._strikes_within))
        high = np.floor(path.price.max() * (1 + self._strikes_within))
        strikes = np.arange(low, high + 1).astype(np.int64) * 1000
        rng = generator(self._seed, path.session.date, FAULT_STREAM + 2)
        return np.asarray(strikes[kept_strikes(strikes.size, self._faults, rng)])


def _spot(path: DayPath) -> Floats:
    """[N] last print in dollars: the price to the cent."""
    return np.asarray(np.round(path.price, 2))
