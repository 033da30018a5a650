"""Where the recording of a journaled session lies, and what the desk ran it with."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from desk.markets.known_day import RECORDED
from errors import DataError
from feeds.chain import ChainDay
from feeds.store import ChainStore
from settings import Settings


def session_settings(facts: Mapping[str, Any]) -> Settings:
    """The settings of a row of `sessions`. Raises `DataError` where they cannot be read."""
    try:
        return Settings(**(facts["settings"] or {}))
    except ValueError as error:
        fault = str(error).splitlines()[0]
        raise DataError(f"session {facts['id']}: its settings cannot be read: {fault}") from error


def recording_of(facts: Mapping[str, Any], settings: Settings) -> ChainDay:
    """The recorded day of a row of `sessions`, from its run's folder or the data folder.

    Raises `DataError` where neither has it.
    """
    day = date.fromisoformat(facts["session_date"])
    places = [settings.filled_folder]
    if facts["run_folder"]:
        places.insert(0, Path(facts["run_folder"]) / RECORDED)
    for place in places:
        found = _stored(place, day, settings.market.year_convention)
        if found is not None:
            return found
    told = " or ".join(map(str, places))
    raise DataError(f"session {facts['id']}: {day} was not recorded in {told}")


def _stored(place: Path, day: date, year_convention: str) -> ChainDay | None:
    """A session of a store, what was recorded before what was downloaded; None if it has none."""
    store = ChainStore(place, year_convention)
    if not place.is_dir() or all(entry.date != day for entry in store.entries):
        return None
    return store.select(day, day).load(0)
