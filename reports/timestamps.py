"""Nanoseconds since 1970 UTC to New York wall time and back, a whole column at a time."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from reports.result import Integers

ZONED = pa.timestamp("ns", "America/New_York")
"""How Parquet and CSV columns of times are typed."""

_UNITS = (("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1_000), ("ns", 1))


def zoned(ts: Integers) -> Any:
    """`ts` [n] as an Arrow array of New York times."""
    return pa.array(ts, pa.int64()).cast(ZONED)


def iso_new_york(ts: Integers) -> npt.NDArray[np.str_]:
    """`ts` [n] as ISO 8601 with New York's offset: 2026-10-30T10:00:00-04:00.

    All have the precision that the finest of them needs: seconds, or 3, 6 or 9 decimals.
    """
    wall = np.asarray(pc.local_timestamp(zoned(ts)).cast(pa.int64()))
    unit = next(name for name, size in _UNITS if not np.any(ts % size))
    texts = np.datetime_as_string(wall.view("datetime64[ns]").astype(f"datetime64[{unit}]"))
    hours, which = np.unique((wall - ts) // 3_600_000_000_000, return_inverse=True)
    offsets = np.array([f"{hour:+03d}:00" for hour in hours.tolist()], dtype="U6")
    return np.asarray(np.strings.add(texts, offsets[which]) if ts.size else texts)


def nanoseconds(column: Any) -> Integers:
    """An Arrow column of times as int64 [n] nanoseconds; it must have no empty cell."""
    return np.asarray(column.cast(pa.int64()))
