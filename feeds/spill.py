"""Quotes on their way into the store, set down on disk by session so that memory stays small.

Files of vendors come in any order and size; one session at a time always fits in memory.
"""

import tempfile
from datetime import date
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt

from feeds.parquet_day import CENTS
from feeds.sessions import Floats

NO_PRICE = -1

QUOTE = np.dtype(
    [
        ("ts", np.int64),  # nanoseconds since 1970 UTC
        ("strike", np.int32),  # thousandths of a dollar
        ("right", np.int8),
        ("bid", np.int32),  # cents, NO_PRICE where there was none
        ("ask", np.int32),
        ("bid_size", np.int32),
        ("ask_size", np.int32),
        ("spot", np.float64),  # price of the underlying that came with the quote, or NaN
        ("file", np.int16),
        ("row", np.int64),
    ]
)

Quotes = npt.NDArray[np.void]
Cents = npt.NDArray[np.int32]


def to_cents(dollars: Floats) -> Cents:
    """Prices in dollars as whole cents (any shape), `NO_PRICE` for NaN."""
    return np.rint(np.nan_to_num(dollars * CENTS, nan=NO_PRICE)).astype(np.int32)


def to_dollars(cents: Cents) -> Floats:
    """The inverse of `to_cents`."""
    return np.where(cents == NO_PRICE, np.nan, cents / CENTS)


class Spill:
    """Quotes by session in a folder of its own beside the store, gone at the end of the `with`."""

    def __init__(self, root: Path) -> None:
        """The folder is made inside `root`, where there is room for the store anyway."""
        root.mkdir(parents=True, exist_ok=True)
        self._folder = tempfile.TemporaryDirectory(prefix=".import-", dir=root)
        self._days: set[date] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._folder.cleanup()

    @property
    def days(self) -> list[date]:
        """The sessions that have quotes, oldest first."""
        return sorted(self._days)

    def add(self, day: date, rows: Quotes) -> None:
        """Append quotes (dtype `QUOTE`) of one session. Raises `OSError` where the disk is full."""
        self._days.add(day)
        with self._path(day).open("ab") as file:
            file.write(rows.tobytes())  # rows.tofile would lose the last kilobytes in silence

    def read(self, day: date) -> Quotes:
        """All quotes of a session, by time, right and strike, whatever order they came in."""
        rows = np.fromfile(self._path(day), QUOTE)
        names = ("row", "file", "strike", "right", "ts")
        return rows[np.lexsort([rows[name] for name in names])]

    def _path(self, day: date) -> Path:
        return Path(self._folder.name) / f"{day}.quotes"
