"""Bodies of Theta's REST answers as columns: CSV, and the shapes of JSON a proxy may send.

CSV is what the desk asks for. JSON comes in three shapes, by the age of the account: an object of
equal arrays, rows below `response`, and rows grouped by contract; NDJSON is one row a line. All of
them become the same `Columns`. Nothing here knows of a socket.
"""

import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, time
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.csv

from errors import MalformedAnswerError
from feeds.chain import Integers, Sizes
from feeds.contract import Right
from feeds.quotes import UNLIMITED_SIZE
from feeds.sessions import NEW_YORK, Floats, Nanoseconds

TIMESTAMPS = ("timestamp", "underlying_timestamp", "created", "last_trade")
WORDS = ("symbol", "right", "expiration", "type", "date")
NUMBERS = (
    *("strike", "bid", "ask", "bid_size", "ask_size", "open", "high", "low", "close"),
    *("volume", "count", "vwap", "price", "size", "midpoint", "open_interest"),
    *("delta", "theta", "vega", "rho", "epsilon", "lambda", "gamma"),
    *("implied_vol", "bid_implied_vol", "ask_implied_vol", "iv_error", "underlying_price"),
)
CALENDAR = {"type", "open", "close"}
"""The calendar's open and close are times of day; elsewhere they are prices."""

LARGEST_STRIKE = 2_000_000.0
_WORD = pa.dictionary(pa.int32(), pa.string())
_INSTANT = pa.timestamp("ns")
_TYPES = {
    **dict.fromkeys(TIMESTAMPS, _INSTANT),
    **dict.fromkeys(WORDS, _WORD),
    **dict.fromkeys(NUMBERS, pa.float64()),
}
_FAILURES = (pa.ArrowException, ValueError, TypeError, KeyError, OverflowError, RecursionError)
_RIGHTS = {"C": Right.CALL, "CALL": Right.CALL, "P": Right.PUT, "PUT": Right.PUT}


@dataclass(frozen=True, eq=False)
class Columns:
    """An answer's table; every method raises `MalformedAnswerError` where a column does not fit.

    A table without rows has every column.
    """

    table: pa.Table

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def numbers(self, name: str) -> Floats:
        """A column as float64 [N], NaN where it is empty or where there is no such column."""
        if name not in self.table.column_names:
            return np.full(len(self), np.nan)
        return np.asarray(self._cast(name, pa.float64()).to_numpy(), np.float64)

    def prices(self, name: str) -> Floats:
        """Dollars [N]; the column must be there, negative and infinite ones are refused."""
        self._column(name)
        values = self.numbers(name)
        if (values < 0).any() or np.isinf(values).any():
            raise MalformedAnswerError(f"{name} is negative or infinite")
        return values

    def sizes(self, name: str) -> Sizes:
        """Contracts or shares, int32 [N], 0 where the column is empty."""
        values = np.nan_to_num(self.numbers(name), nan=0.0)
        return np.clip(values, 0, UNLIMITED_SIZE - 1).astype(np.int32)

    def strikes(self) -> Integers:
        """Strikes in thousandths of a dollar, int64 [N]."""
        dollars = self.prices("strike")
        if not ((dollars > 0) & (dollars < LARGEST_STRIKE)).all():
            raise MalformedAnswerError("a strike is missing or no price in dollars")
        return np.rint(dollars * 1000).astype(np.int64)

    def rights(self) -> npt.NDArray[np.int8]:
        """`feeds.contract.Right` of each row, int8 [N], whatever its case."""
        return self._decoded("right", lambda word: _RIGHTS[word.strip().upper()]).astype(np.int8)

    def dates(self, name: str) -> list[date]:
        """A column of dates, YYYY-MM-DD or YYYYMMDD."""
        ordinals = self._decoded(name, lambda word: date.fromisoformat(word).toordinal())
        return [date.fromordinal(int(ordinal)) for ordinal in ordinals]

    def instants(self, name: str = "timestamp") -> Nanoseconds:
        """New York wall times as nanoseconds since 1970 UTC, int64 [N]; none may be missing."""
        column = self._cast(name, _INSTANT)
        if column.null_count:
            raise MalformedAnswerError(f"{name} is missing in {column.null_count} rows")
        wall = pd.DatetimeIndex(column.to_numpy())
        try:
            zoned = wall.tz_localize(
                NEW_YORK, ambiguous=np.ones(len(wall), bool), nonexistent="shift_forward"
            )
        except ValueError as error:
            raise MalformedAnswerError(f"{name} holds no New York time: {error}") from error
        return np.asarray(zoned.asi8)

    def times(self, name: str) -> list[time | None]:
        """A column of times of day, None where it is empty."""
        try:
            return [time.fromisoformat(word) if word else None for word in self._words(name)]
        except (ValueError, TypeError) as error:
            raise MalformedAnswerError(f"{name} holds no times: {error}") from error

    def words(self, name: str) -> list[str]:
        """A column of words, '' where it is empty."""
        return [word or "" for word in self._words(name)]

    def _words(self, name: str) -> list[Any]:
        return list(self._cast(name, pa.string()).to_pylist())

    def _decoded(self, name: str, decode: Callable[[str], int]) -> Integers:
        """Words as numbers; each different word is decoded once."""
        column: Any = self._cast(name, _WORD).combine_chunks()
        if column.null_count:
            raise MalformedAnswerError(f"{name} is missing in {column.null_count} rows")
        if isinstance(column, pa.ChunkedArray):  # combining no chunks keeps it chunked
            return np.empty(0, np.int64)
        try:
            codes = [decode(word) for word in column.dictionary.to_pylist()]
        except (KeyError, ValueError) as error:
            raise MalformedAnswerError(f"{name} holds an unknown word: {error}") from error
        if not codes:
            return np.empty(0, np.int64)
        indices = column.indices.to_numpy(zero_copy_only=False)
        return np.asarray(np.array(codes, np.int64)[indices])

    def _column(self, name: str) -> "pa.ChunkedArray[Any]":
        if name in self.table.column_names:
            return self.table[name]
        if len(self):
            raise MalformedAnswerError(f"the answer has no column {name}")
        return pa.chunked_array([pa.array([], _TYPES.get(name, pa.string()))])

    def _cast(self, name: str, to: pa.DataType) -> "pa.ChunkedArray[Any]":
        column = self._column(name)
        if column.type == to:
            return column
        try:
            if to == _WORD:
                return column.cast(pa.string()).dictionary_encode()
            return column.cast(to)
        except pa.ArrowException as error:
            raise MalformedAnswerError(f"{name} cannot be read: {_first_line(error)}") from error


def read_columns(body: bytes) -> Columns:
    """The table in a body of any of the formats; an empty body is a table without rows.

    Raises `MalformedAnswerError` with one line where it is none of them.
    """
    start = body[:64].lstrip()
    try:
        if not start:
            return Columns(pa.table({}))
        if start[:1] not in b"{[":
            return _csv(body)
        return Columns(pa.table(_from_json(body)))
    except MalformedAnswerError:
        raise
    except _FAILURES as error:
        raise MalformedAnswerError(f"the answer cannot be read: {_first_line(error)}") from error


def _csv(body: bytes) -> Columns:
    header = body[: body.find(b"\n") + 1 or None].decode("utf-8", "replace")
    names = [name.strip().strip('"') for name in header.split(",")]
    if len(set(names)) < len(names):
        raise MalformedAnswerError("the answer's header names a column twice")
    types = _TYPES | (dict.fromkeys(CALENDAR, _WORD) if set(names) >= CALENDAR else {})
    table = pyarrow.csv.read_csv(
        io.BytesIO(body),
        read_options=pyarrow.csv.ReadOptions(
            use_threads=False, column_names=names, skip_rows=1, block_size=max(len(body), 1024)
        ),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types=types,
            include_columns=[name for name in names if name in types],
            strings_can_be_null=True,
        ),
    )
    return Columns(table)


def _from_json(body: bytes) -> dict[str, Any]:
    text = body.decode("utf-8")
    try:
        content = json.loads(text)
    except json.JSONDecodeError:
        return _by_column([json.loads(line) for line in text.splitlines() if line.strip()])
    if isinstance(content, dict) and "response" in content:
        return _by_column(_rows(content["response"]))
    if isinstance(content, dict) and all(isinstance(one, list) for one in content.values()):
        return {name: _typed(name, values) for name, values in content.items()}
    return _by_column([content] if isinstance(content, dict) else content)


def _rows(response: Any) -> list[dict[str, Any]]:
    """The rows below `response`; those grouped by contract carry it in every row."""
    rows = []
    for one in response:
        if isinstance(one, dict) and "data" in one:
            contract = one.get("contract", {})
            rows += [contract | row for row in one["data"]]
        else:
            rows.append(one)
    return rows


def _by_column(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: _typed(name, [row.get(name) for row in rows]) for name in names}


def _typed(name: str, values: list[Any]) -> "pa.Array[Any]":
    """A column of JSON values; numbers stay numbers, everything else is a word."""
    if name not in WORDS and all(
        value is None or isinstance(value, int | float) for value in values
    ):
        return pa.array([None if value is None else float(value) for value in values], pa.float64())
    return pa.array([None if value is None else str(value) for value in values], pa.string())


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
