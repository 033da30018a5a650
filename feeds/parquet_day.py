"""One session of an option chain as a Parquet file that any tool can read.

A long table, one row a quote, complete: every snapshot of every contract is there, so that
loading is a reshape. Rows run contract by contract (calls first, strikes rising), each contract
through the whole session. Row group 0 is the first contract alone: it gives the instants and spot
of the session at the cost of a few kilobytes. Prices are integers (options in cents, the
underlying in 1/10,000 dollar), null where there was no quote; a null size is one the source did
not name. The facts of the session are JSON under the key `chain_session` of the file's metadata.
"""

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from errors import DataError
from feeds.chain import ChainDay, Integers, Sizes, chain_day
from feeds.quotes import UNLIMITED_SIZE
from feeds.sessions import NEW_YORK, Floats, Nanoseconds, Session

SCHEMA_VERSION = 1
METADATA_KEY = b"chain_session"
CENTS = 100
UNDERLYING_UNITS = 10_000
CENT_TOLERANCE = 0.05
"""How far from a whole cent (in cents) a price may be: the single precision of some vendors."""

LARGEST_PRICE = 200_000.0
"""Dollars; 1/10,000 of a dollar in 32 bits reach no farther."""

_CLOCK = ["ts", "spot", "underlying_bid", "underlying_ask"]
_QUOTES = ["strike", "bid", "ask", "bid_size", "ask_size"]
_REPEATING = ["ts", "right", "strike", "spot", "underlying_bid", "underlying_ask"]


@dataclass(frozen=True, slots=True)
class SessionFacts:
    """What is known of a stored session beside its quotes; `open` and `close` are ISO times."""

    underlying: str
    date: str
    expiration: str
    open: str
    close: str
    source: str
    period_seconds: int
    official_close: float | None
    close_source: str
    spot_source: str
    flags: tuple[str, ...]
    has_sizes: bool
    schema_version: int = SCHEMA_VERSION

    @property
    def session(self) -> Session:
        """The trading day, without asking the exchange's calendar."""
        opening, closing = datetime.fromisoformat(self.open), datetime.fromisoformat(self.close)
        day = date.fromisoformat(self.date)
        return Session(day, opening.astimezone(NEW_YORK), closing.astimezone(NEW_YORK))


def session_facts(day: ChainDay, period_seconds: int) -> SessionFacts:
    """The facts of `day`, recorded about every `period_seconds` (0 where that is unknown)."""
    rows = slice(day.recorded)
    sized = (day.bid_size[rows] != UNLIMITED_SIZE) | (day.ask_size[rows] != UNLIMITED_SIZE)
    return SessionFacts(
        underlying=day.underlying,
        date=day.session.date.isoformat(),
        expiration=day.session.date.isoformat(),
        open=day.session.open.isoformat(),
        close=day.session.close.isoformat(),
        source=day.source,
        period_seconds=period_seconds,
        official_close=day.official_close,
        close_source=day.close_source,
        spot_source=day.spot_source,
        flags=day.flags,
        has_sizes=bool(sized.any()),
    )


def encode_day(day: ChainDay, facts: SessionFacts) -> bytes:
    """The bytes of a session's Parquet file: its recorded rows, never the added closing row.

    Raises `DataError` where the day has no snapshot or strike, a snapshot has no spot, instants do
    not rise within the session, or an option price is not a whole number of cents.
    """
    _check(day)
    table = _table(day).replace_schema_metadata({METADATA_KEY: json.dumps(asdict(facts))})
    sink = io.BytesIO()
    style: dict[str, Any] = {"compression": "zstd", "use_dictionary": _REPEATING}
    with pq.ParquetWriter(sink, table.schema, **style) as writer:
        writer.write_table(table.slice(0, day.recorded))
        writer.write_table(table.slice(day.recorded))
    return sink.getvalue()


def decode_clock(content: bytes) -> tuple[Nanoseconds, Floats]:
    """Recorded instants int64 [T] (nanoseconds UTC) and spot [T] (dollars).

    Raises `DataError` where `content` is no session's file.
    """
    with _readable():
        file = pq.ParquetFile(pa.BufferReader(content))
        table = file.read_row_group(0, columns=["ts", "spot"], use_threads=False)
    return _instants(table), _dollars(table["spot"], UNDERLYING_UNITS)


def decode_day(content: bytes, year_convention: str = "calendar") -> ChainDay:
    """The session in a file's bytes. Raises `DataError` where they are no session's file."""
    with _readable():
        file = pq.ParquetFile(pa.BufferReader(content))
        facts = _facts(file)
        clock = file.read_row_group(0, columns=_CLOCK, use_threads=False)
        table = file.read(columns=_QUOTES, use_threads=False)
    snapshots = clock.num_rows
    strikes = table["strike"].to_numpy()[::snapshots]
    shape = (2, strikes.size // 2, snapshots)
    return chain_day(
        session=facts.session,
        underlying=facts.underlying,
        ts=_instants(clock),
        spot=_dollars(clock["spot"], UNDERLYING_UNITS),
        underlying_bid=_dollars(clock["underlying_bid"], UNDERLYING_UNITS),
        underlying_ask=_dollars(clock["underlying_ask"], UNDERLYING_UNITS),
        strikes=strikes[: shape[1]].astype(np.int64),
        bid=_time_first(_dollars(table["bid"], CENTS), shape),
        ask=_time_first(_dollars(table["ask"], CENTS), shape),
        bid_size=_sizes(table["bid_size"], shape) if facts.has_sizes else None,
        ask_size=_sizes(table["ask_size"], shape) if facts.has_sizes else None,
        official_close=facts.official_close,
        source=facts.source,
        spot_source=facts.spot_source,
        close_source=facts.close_source,
        year_convention=year_convention,
        flags=facts.flags,
    )


def off_cent(prices: Floats) -> npt.NDArray[np.bool_]:
    """Where prices in dollars (any shape) are no whole number of cents; NaN is not."""
    cents = prices * CENTS
    with np.errstate(invalid="ignore"):
        return np.asarray(np.abs(cents - np.rint(cents)) > CENT_TOLERANCE)


def _check(day: ChainDay) -> None:
    rows = slice(day.recorded)
    where = f"{day.underlying} {day.session.date} cannot be stored"
    ts = day.ts[rows]
    if not ts.size or not day.strikes.size:
        raise DataError(f"{where}: it has no snapshot or no strike")
    outside = ts[0] < day.session.open_ns or ts[-1] > day.session.close_ns
    if outside or (np.diff(ts) <= 0).any():
        raise DataError(f"{where}: its snapshots do not rise from the open to the close")
    if not np.isfinite(day.spot[rows]).all():
        raise DataError(f"{where}: a snapshot has no price of the underlying")
    highest = max(float(np.nanmax(one[rows], initial=0.0)) for one in (day.spot, day.bid, day.ask))
    if highest > LARGEST_PRICE:
        raise DataError(f"{where}: a price of {highest:,.2f} dollars is no price")
    if off_cent(day.bid[rows]).any() or off_cent(day.ask[rows]).any():
        raise DataError(f"{where}: an option price is no whole number of cents")


def _table(day: ChainDay) -> pa.Table:
    snapshots, strikes = day.recorded, day.strikes.size
    rows = slice(snapshots)
    instants = pa.array(np.tile(day.ts[rows], 2 * strikes)).cast(pa.timestamp("ns", "UTC"))
    rights = np.repeat(np.array([0, 1], np.int8), snapshots * strikes)
    ladder = np.tile(np.repeat(day.strikes.astype(np.int32), snapshots), 2)
    return pa.table(
        {
            "ts": instants,
            "right": pa.DictionaryArray.from_arrays(rights, pa.array(["C", "P"])),
            "strike": pa.array(ladder),
            "bid": _units(_contract_first(day.bid[rows]), CENTS),
            "ask": _units(_contract_first(day.ask[rows]), CENTS),
            "bid_size": _size_column(_contract_first(day.bid_size[rows])),
            "ask_size": _size_column(_contract_first(day.ask_size[rows])),
            "spot": _units(np.tile(day.spot[rows], 2 * strikes), UNDERLYING_UNITS),
            "underlying_bid": _units(
                np.tile(day.underlying_bid[rows], 2 * strikes), UNDERLYING_UNITS
            ),
            "underlying_ask": _units(
                np.tile(day.underlying_ask[rows], 2 * strikes), UNDERLYING_UNITS
            ),
        }
    )


def _contract_first(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """[T, 2, K] as one row of numbers, contract by contract."""
    return np.ascontiguousarray(values.transpose(1, 2, 0)).ravel()


def _time_first(values: npt.NDArray[Any], shape: tuple[int, int, int]) -> npt.NDArray[Any]:
    """The inverse: a [T, 2, K] view whose contracts lie together in memory."""
    return values.reshape(shape).transpose(2, 0, 1)


def _units(dollars: Floats, units: int) -> "pa.Array[Any]":
    missing = np.isnan(dollars)
    whole = np.rint(np.where(missing, 0.0, dollars) * units).astype(np.int32)
    column: pa.Array[Any] = pa.array(whole, mask=missing)
    return column


def _dollars(column: "pa.ChunkedArray[Any]", units: int) -> Floats:
    return np.asarray(column.to_numpy() / units, np.float64)


def _size_column(sizes: Sizes) -> "pa.Array[Any]":
    column: pa.Array[Any] = pa.array(sizes.astype(np.int32), mask=sizes == UNLIMITED_SIZE)
    return column


def _sizes(column: "pa.ChunkedArray[Any]", shape: tuple[int, int, int]) -> Sizes:
    if column.null_count:
        column = column.fill_null(pa.scalar(UNLIMITED_SIZE, pa.int32()))
    return np.asarray(_time_first(column.to_numpy(), shape), np.int32)


def _instants(table: pa.Table) -> Integers:
    return np.asarray(table["ts"].to_numpy().view(np.int64))


@contextmanager
def _readable() -> Iterator[None]:
    """Turn what Parquet says about a damaged file into a `DataError`."""
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"no readable Parquet file ({str(error).splitlines()[0]})") from error


def _facts(file: pq.ParquetFile) -> SessionFacts:
    text = (file.schema_arrow.metadata or {}).get(METADATA_KEY)
    if text is None:
        raise DataError("a Parquet file, but no session of a chain store")
    fields = json.loads(text)
    if fields.get("schema_version") != SCHEMA_VERSION:
        raise DataError(f"written by another version (schema {fields.get('schema_version')})")
    return SessionFacts(**(fields | {"flags": tuple(fields["flags"])}))
