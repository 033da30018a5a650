"""Which sessions a run is about: a chain store's, or the simulated market's."""

from pathlib import Path

from errors import DataError
from feeds.sessions import Session, sessions_between
from feeds.simulation.market import LAST_SIMULATED, SimulatedMarket, default_sessions
from feeds.source import ChainSource
from feeds.store import ChainStore
from settings import SIMULATED, Settings


def open_source(settings: Settings, year_convention: str) -> ChainSource:
    """The source that `--data`, `--from` and `--to` name.

    Raises `DataError` with one line where there is no such data.
    """
    if settings.data == SIMULATED:
        return SimulatedMarket(
            _simulated_sessions(settings), settings.seed, year_convention=year_convention
        )
    folder = Path(settings.data)
    if not folder.is_dir():
        raise DataError(f"there is no data folder {folder}; fill one with run.py import")
    return ChainStore(folder, year_convention).select(settings.start, settings.end)


def store_to_fill(folder: Path) -> ChainStore:
    """The chain store at `folder`, made by its first write. Raises `DataError` for a file."""
    if folder.exists() and not folder.is_dir():
        raise DataError(f"--data {folder} is a file; name a folder")
    return ChainStore(folder)


def is_simulated(label: str) -> bool:
    """Whether a source's label is that of a simulated market."""
    return label.startswith(SIMULATED)


def _simulated_sessions(settings: Settings) -> list[Session]:
    last = settings.end or LAST_SIMULATED
    if settings.start is None:
        return default_sessions(settings.sessions, last)
    sessions = sessions_between(settings.start, last)
    if not sessions:
        raise DataError(f"the exchange does not open from {settings.start} to {last}")
    return sessions
