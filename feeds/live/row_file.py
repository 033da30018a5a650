"""Rows of a chain in a file that grows: what a crash leaves of it can be read back.

A file is a sequence of frames: length, checksum, compressed content. Each is written by one call
and handed to the operating system at once, so that a killed process loses nothing but the frame it
was writing; the disk is waited for once a minute. A torn end is found by its checksum and cut off.
"""

import errno
import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from filelock import FileLock, Timeout

from errors import DataError
from feeds.chain import ChainDay, Integers, Sizes
from feeds.parquet_day import off_cent
from feeds.sessions import NANOSECONDS_A_MINUTE, Floats
from feeds.spill import to_cents, to_dollars

_FRAME = struct.Struct("<II")  # length and CRC-32 of what follows
_FACTS = struct.Struct("<qdddiH")  # ts, spot, underlying bid and ask, strikes, length of a name
_FASTEST = 1


@dataclass(frozen=True, slots=True, eq=False)
class RecordedRow:
    """One instant as it was recorded: nanoseconds UTC, dollars, thousandths; arrays [2, K]."""

    ts: int
    spot: float
    underlying_bid: float
    underlying_ask: float
    spot_source: str
    strikes: Integers
    bid: Floats
    ask: Floats
    bid_size: Sizes
    ask_size: Sizes


@dataclass(frozen=True, slots=True, eq=False)
class RowsRead:
    """The rows of a file in the order they were written; `torn_bytes` at its end are no row."""

    rows: list[RecordedRow]
    torn_bytes: int


class RowLock:
    """Holds `PATH.lock`, for a file of rows, until `release`, or the end of the process.

    Another process could cut off the row that is being written, and put half a session into the
    store.
    """

    def __init__(self, path: Path) -> None:
        """Takes it. Raises `DataError` where somebody else has it."""
        self._path = path
        self._lock = FileLock(f"{path}.lock", blocking=False, thread_local=False)
        try:
            self._lock.acquire()
        except Timeout:
            raise DataError(f"{path.name} is being recorded by another process") from None

    def release(self) -> None:
        """Let others have it; twice does no harm. Nothing stays where the rows are gone."""
        if self._lock.is_locked and not self._path.exists():
            Path(self._lock.lock_file).unlink(missing_ok=True)
        self._lock.release()


class RowFile:
    """A file of rows, opened to append. What a crash tore off at its end is cut first."""

    def __init__(self, path: Path) -> None:
        """Opens `path`, made with its folder where it is not there.

        Raises `DataError` where somebody else records into it.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path, self._lock = path, RowLock(path)
        self.off_cent = 0
        self.torn_bytes = 0
        if path.exists():
            self.torn_bytes = _torn_bytes(path)
            os.truncate(path, path.stat().st_size - self.torn_bytes)
        self._file = path.open("ab", buffering=0)
        self._synced_ts = 0

    def append(self, row: ChainDay) -> None:
        """Write the one row of `row` (T = 1). Prices off the cent are left out and counted.

        Raises `OSError` where the disk is full; the file is as before then.
        """
        content, dropped = _encode(row)
        packed = zlib.compress(content, _FASTEST)
        self._write(_FRAME.pack(len(packed), zlib.crc32(packed)) + packed)
        self.off_cent += dropped
        ts = int(row.ts[0])
        if ts - self._synced_ts >= NANOSECONDS_A_MINUTE:
            os.fsync(self._file.fileno())
            self._synced_ts = ts

    def _write(self, frame: bytes) -> None:
        """All of a frame, or nothing of it: half a frame would hide all that follow."""
        end = os.fstat(self._file.fileno()).st_size
        try:
            if self._file.write(frame) != len(frame):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))
        except OSError:
            self._file.truncate(end)
            raise

    def seal(self) -> None:
        """Close the file and keep the lock: it is read now. Twice does no harm."""
        self._file.close()

    def close(self) -> None:
        """Close the file and let others have it; twice does no harm."""
        self._file.close()
        self._lock.release()


def read_rows(path: Path) -> RowsRead:
    """All rows of a file, up to the first that is damaged; none where there is no file."""
    if not path.exists():
        return RowsRead([], 0)
    data = path.read_bytes()
    rows, good = [], 0
    for start, end in _frames(data):
        rows.append(_decode(zlib.decompress(data[start:end])))
        good = end
    return RowsRead(rows, len(data) - good)


def _torn_bytes(path: Path) -> int:
    data, good = path.read_bytes(), 0
    for _, end in _frames(data):
        good = end
    return len(data) - good


def _frames(data: bytes) -> Iterator[tuple[int, int]]:
    """Start and end of the content of each sound frame."""
    at = 0
    while at + _FRAME.size <= len(data):
        length, checksum = _FRAME.unpack_from(data, at)
        start, end = at + _FRAME.size, at + _FRAME.size + length
        if end > len(data) or zlib.crc32(data[start:end]) != checksum:
            return
        yield start, end
        at = end


def _encode(row: ChainDay) -> tuple[bytes, int]:
    prices = np.stack([row.bid[0], row.ask[0]])
    dropped = off_cent(prices)
    cents = to_cents(np.where(dropped, np.nan, prices))
    name = row.spot_source.encode()
    own = (float(column[0]) for column in (row.spot, row.underlying_bid, row.underlying_ask))
    facts = _FACTS.pack(int(row.ts[0]), *own, row.strikes.size, len(name))
    sizes = np.stack([row.bid_size[0], row.ask_size[0]])
    columns = (row.strikes.astype(np.int32), cents, sizes.astype(np.int32))
    return facts + name + b"".join(column.tobytes() for column in columns), int(dropped.sum())


def _decode(content: bytes) -> RecordedRow:
    ts, spot, bid, ask, strikes, letters = _FACTS.unpack_from(content)
    at = _FACTS.size + letters
    name = content[_FACTS.size : at].decode()
    numbers: npt.NDArray[Any] = np.frombuffer(content, np.int32, offset=at)
    shape = (2, 2, strikes)
    prices = to_dollars(numbers[strikes : 5 * strikes].reshape(shape))
    sizes = numbers[5 * strikes :].reshape(shape)
    ladder = numbers[:strikes].astype(np.int64)
    return RecordedRow(ts, spot, bid, ask, name, ladder, *prices, *sizes)
