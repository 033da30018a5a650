"""Reading tidy option quotes of any vendor, a chunk at a time, and refusing what is not tidy.

One row a quote, CSV or Parquet, with the columns `ts` (ISO with offset, or tz-aware),
`underlying`, `expiration`, `strike` (dollars), `right` (C, P, CALL or PUT), `bid`, `ask`, and
perhaps `bid_size`, `ask_size`, `underlying_price`; other columns are not read. Every refusal
names the file and its first offending row: the line of a CSV file (the header is line 1), the row
of a Parquet file (counted from 1).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from errors import DataError
from feeds.chain import Integers, Sizes
from feeds.parquet_day import LARGEST_PRICE
from feeds.quotes import UNLIMITED_SIZE
from feeds.sessions import FIRST_DAY, LAST_DAY, Floats, Nanoseconds

NEEDED = ("ts", "underlying", "expiration", "strike", "right", "bid", "ask")
OPTIONAL = ("bid_size", "ask_size", "underlying_price")
CHUNK_ROWS = 131_072
CSV_BLOCK_BYTES = 1_000_000  # the reader holds dozens of blocks ahead
_NUMBERS = ("strike", "bid", "ask", "bid_size", "ask_size", "underlying_price")
_BAR_NUMBERS = ("open", "high", "low", "close")
_EARLIEST = int(np.datetime64(FIRST_DAY, "ns").astype(np.int64))
_LATEST = int(np.datetime64(LAST_DAY, "ns").astype(np.int64))
_RIGHTS = pa.array(["C", "P", "CALL", "PUT"])

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class QuoteChunk:
    """Rows of a tidy file as arrays [N]: dollars, NaN where there was none; `ts` nanoseconds.

    `expiration` is days since 1970, `strike` thousandths of a dollar, `right` 0 call and 1 put,
    `first_row` the number of the first row (see `place`), `done` the fraction of the file read.
    """

    ts: Nanoseconds
    underlying: str
    expiration: Integers
    strike: Integers
    right: Integers
    bid: Floats
    ask: Floats
    bid_size: Sizes
    ask_size: Sizes
    underlying_price: Floats
    first_row: int
    done: float

    def __len__(self) -> int:
        return int(self.ts.size)


@dataclass(slots=True)
class RawRows:
    """Some rows of a tidy file as they stand in it, for checking and converting columns."""

    path: Path
    table: pa.Table
    first_row: int
    done: float = 1.0
    names: list[str] = field(init=False)

    def __post_init__(self) -> None:
        self.names = list(self.table.column_names)

    def refuse_where(self, bad: Flags, what: str) -> None:
        """Raise `DataError` at the first row where `bad` [N] is true."""
        if bad.any():
            raise self.refusal(int(np.argmax(bad)), what)

    def refusal(self, index: int, what: str) -> DataError:
        """The error that names this file and the row at `index`."""
        return DataError(f"{place(self.path, self.first_row + index)}: {what}")

    def numbers(self, name: str) -> Floats:
        """A column as float64 [N], NaN where it is empty."""
        try:
            values = self.table[name].cast(pa.float64())
        except pa.ArrowException as error:
            raise DataError(f"{self.path}: column {name} is not numeric") from error
        return np.asarray(values.to_numpy(), np.float64)

    def texts(self, name: str) -> "pa.ChunkedArray[Any]":
        """A column as strings without surrounding blanks."""
        try:
            return pc.utf8_trim_whitespace(self.table[name].cast(pa.string()))
        except pa.ArrowException as error:
            raise DataError(f"{self.path}: column {name} is not text") from error

    def instants(self, name: str = "ts") -> Nanoseconds:
        """A column of instants, nanoseconds UTC [N]; naive or missing ones are refused."""
        column = self.table[name]
        if pa.types.is_timestamp(column.type) and column.type.tz is None:
            raise self.refusal(0, f"{name} is naive ({column[0]}): it needs a UTC offset")
        if not pa.types.is_timestamp(column.type):
            column = self.texts(name)
        self.refuse_where(_mask(column.is_null()), f"{name} is missing")
        instants = _cast(self, column, pa.timestamp("ns", "UTC"), f"{name} needs a UTC offset")
        ts = np.asarray(instants.to_numpy().view(np.int64))
        years = f"{FIRST_DAY.year} to {LAST_DAY.year}"
        self.refuse_where((ts < _EARLIEST) | (ts > _LATEST), f"{name} is not in {years}")
        return ts

    def dates(self, name: str) -> Integers:
        """A column of dates as days since 1970 [N]."""
        column = self.table[name]
        if not (pa.types.is_date(column.type) or pa.types.is_timestamp(column.type)):
            column = self.texts(name)
        self.refuse_where(_mask(column.is_null()), f"{name} is missing")
        days = _cast(self, column, pa.date32(), f"{name} must be a date like 2026-07-17")
        return np.asarray(days.cast(pa.int32()).to_numpy(), np.int64)


def place(path: Path, row: int) -> str:
    """Where a row is: `quotes.csv line 7`, `quotes.parquet row 6`."""
    return f"{path} {'line' if _is_csv(path) else 'row'} {row}"


def read_quotes(path: Path) -> Iterator[QuoteChunk]:
    """The checked quotes of a tidy file, in the file's order.

    Raises `DataError` for a file that cannot be read, missing columns, naive or missing instants,
    a right or date that is none, several underlyings, and prices, strikes or sizes below zero.
    """
    underlying = ""
    for rows in _rows(path, NEEDED, OPTIONAL):
        underlying = underlying or str(rows.texts("underlying")[0])
        yield _quotes(rows, underlying)


def read_bars(path: Path) -> Iterator[RawRows]:
    """The rows of an underlying's file: `ts`, `open`, `high`, `low`, `close`, perhaps `symbol`.

    Raises `DataError` for a file that cannot be read or that lacks columns.
    """
    yield from _rows(path, ("ts", *_BAR_NUMBERS), ("symbol", "underlying"))


def _quotes(rows: RawRows, underlying: str) -> QuoteChunk:
    symbols = rows.texts("underlying")
    other = _mask(pc.not_equal(symbols, pa.scalar(underlying)).fill_null(True))
    if other.any():
        found = symbols[int(np.argmax(other))]
        rows.refuse_where(other, f"underlying {found} in a file of {underlying}: import one each")
    strike = rows.numbers("strike")
    rows.refuse_where(~((strike > 0) & (strike < 2e6)), "strike must be a price in dollars")
    return QuoteChunk(
        ts=rows.instants(),
        underlying=underlying,
        expiration=rows.dates("expiration"),
        strike=np.rint(strike * 1000).astype(np.int64),
        right=_rights(rows),
        bid=_prices(rows, "bid"),
        ask=_prices(rows, "ask"),
        bid_size=_sizes(rows, "bid_size"),
        ask_size=_sizes(rows, "ask_size"),
        underlying_price=_underlying_prices(rows),
        first_row=rows.first_row,
        done=rows.done,
    )


def _rights(rows: RawRows) -> Integers:
    known = pc.index_in(pc.utf8_upper(rows.texts("right")), value_set=_RIGHTS)
    rows.refuse_where(_mask(known.is_null()), "right must be C, P, CALL or PUT")
    return np.asarray(known.to_numpy(), np.int64) % 2


def _prices(rows: RawRows, name: str) -> Floats:
    prices = rows.numbers(name)
    rows.refuse_where(prices < 0, f"{name} is negative")
    rows.refuse_where(prices > LARGEST_PRICE, f"{name} is above {LARGEST_PRICE:,.0f} dollars")
    return prices


def _sizes(rows: RawRows, name: str) -> Sizes:
    """Contracts [N]: unlimited where the file has no such column, 0 where it says nothing."""
    if name not in rows.names:
        return np.full(rows.table.num_rows, UNLIMITED_SIZE, np.int32)
    sizes = np.nan_to_num(rows.numbers(name), nan=0.0)
    rows.refuse_where(sizes < 0, f"{name} is negative")
    return np.minimum(sizes, UNLIMITED_SIZE - 1).astype(np.int32)


def _underlying_prices(rows: RawRows) -> Floats:
    if "underlying_price" not in rows.names:
        return np.full(rows.table.num_rows, np.nan)
    prices = _prices(rows, "underlying_price")
    return np.where(prices > 0, prices, np.nan)


def _rows(path: Path, needed: tuple[str, ...], optional: tuple[str, ...]) -> Iterator[RawRows]:
    reader, start = (_csv_rows, 2) if _is_csv(path) else (_parquet_rows, 1)
    first_row = start
    try:
        for table, done in reader(path, needed, optional):
            if table.num_rows:
                yield RawRows(path, table, first_row, done)
            first_row += table.num_rows
    except (pa.ArrowException, OSError, EOFError) as error:
        raise DataError(f"{path} cannot be read: {str(error).splitlines()[0]}") from error
    if first_row == start:
        raise DataError(f"{path} has no rows")


def _is_csv(path: Path) -> bool:
    return path.name.lower().endswith((".csv", ".csv.gz"))


def _parquet_rows(
    path: Path, needed: tuple[str, ...], optional: tuple[str, ...]
) -> Iterator[tuple[pa.Table, float]]:
    with pq.ParquetFile(path) as file:
        columns = _columns(path, file.schema_arrow.names, needed, optional)
        total, seen = max(1, file.metadata.num_rows), 0
        for batch in file.iter_batches(CHUNK_ROWS, columns=columns, use_threads=False):
            seen += batch.num_rows
            yield pa.Table.from_batches([batch]), seen / total


def _csv_rows(
    path: Path, needed: tuple[str, ...], optional: tuple[str, ...]
) -> Iterator[tuple[pa.Table, float]]:
    header = pyarrow.csv.ReadOptions(use_threads=False, block_size=CSV_BLOCK_BYTES)
    with pyarrow.csv.open_csv(path, read_options=header) as probe:
        columns = _columns(path, probe.schema.names, needed, optional)
    types = {
        name: pa.float64() if name in (*_NUMBERS, *_BAR_NUMBERS) else pa.string()
        for name in columns
    }
    convert = pyarrow.csv.ConvertOptions(
        include_columns=columns, column_types=types, strings_can_be_null=True
    )
    size, read = max(1, path.stat().st_size), 0
    with pyarrow.csv.open_csv(path, read_options=header, convert_options=convert) as reader:
        for batch in reader:
            read += CSV_BLOCK_BYTES
            yield pa.Table.from_batches([batch]), min(1.0, read / size)


def _columns(
    path: Path, names: list[str], needed: tuple[str, ...], optional: tuple[str, ...]
) -> list[str]:
    missing = [name for name in needed if name not in names]
    if missing:
        found = ", ".join(names[:20])
        raise DataError(f"{path} lacks the columns {', '.join(missing)} (it has {found})")
    return [name for name in (*needed, *optional) if name in names]


def _cast(
    rows: RawRows, column: "pa.ChunkedArray[Any]", to: pa.DataType, what: str
) -> "pa.ChunkedArray[Any]":
    try:
        return column.cast(to, safe=False)
    except pa.ArrowException:
        index = next(i for i, value in enumerate(column) if not _casts(value, to))
        raise rows.refusal(index, f"{what}, not {column[index]}") from None


def _casts(value: "pa.Scalar[Any]", to: pa.DataType) -> bool:
    try:
        pa.array([value.as_py()], value.type).cast(to)
    except pa.ArrowException:
        return False
    return True


def _mask(flags: Any) -> Flags:
    return np.asarray(flags.to_numpy(), bool)
