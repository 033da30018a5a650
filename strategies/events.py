"""Scheduled events (FOMC, CPI and the like) that block entries or warn of them.

`events.csv` has the columns date, time, name, before, after, action: New York date and time,
minutes before and after, and `block` or `warn`.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt

from errors import DataError
from feeds.sessions import NEW_YORK, Nanoseconds, to_nanoseconds, to_new_york

COLUMNS = ("date", "time", "name", "before", "after", "action")


@dataclass(frozen=True, slots=True)
class Event:
    """One event with the interval (nanoseconds, inclusive) in which it counts."""

    name: str
    start_ts: int
    end_ts: int
    blocks: bool


def read_events(path: Path) -> list[Event]:
    """The events of a file.

    Raises `DataError` with the line number where it cannot be understood.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            if tuple(reader.fieldnames or ()) != COLUMNS:
                raise DataError(f"{path}: the columns must be {','.join(COLUMNS)}")
            return [_event(path, reader.line_num, row) for row in reader]
    except OSError as error:
        raise DataError(f"cannot read the events file {path}: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is no events file: {error}") from error


def _event(path: Path, line: int, row: dict[str, str]) -> Event:
    try:
        moment = datetime.fromisoformat(f"{row['date']} {row['time']}").replace(tzinfo=NEW_YORK)
        before, after = (
            timedelta(minutes=float(row["before"])),
            timedelta(minutes=float(row["after"])),
        )
        blocks = {"block": True, "warn": False}[row["action"].strip()]
    except (KeyError, ValueError, TypeError, AttributeError, OverflowError) as error:
        raise DataError(
            f"{path}, line {line}: not an event ({error}); see docs/rules.md"
        ) from error
    start, end = to_nanoseconds(moment - before), to_nanoseconds(moment + after)
    return Event(row["name"].strip(), start, end, blocks)


def is_blocked(ts: Nanoseconds | int, events: Sequence[Event]) -> npt.NDArray[np.bool_]:
    """Whether a blocking event covers `ts` (nanoseconds, any shape)."""
    blocked = np.zeros(np.shape(ts), bool)
    for event in events:
        if event.blocks:
            blocked |= (ts >= event.start_ts) & (ts <= event.end_ts)
    return blocked


def warnings(ts: int, events: Sequence[Event]) -> list[str]:
    """A line for each warning event that covers `ts` (nanoseconds), in the order of the file."""
    return [
        f"{event.name}: until {to_new_york(event.end_ts):%H:%M} New York, by events.csv"
        for event in events
        if not event.blocks and event.start_ts <= ts <= event.end_ts
    ]
