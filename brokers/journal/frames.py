"""Rows of the journal as pandas frames, and frames as files."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from brokers.journal import schema
from brokers.journal.payload import to_json
from errors import JournalError, SettingError
from feeds.sessions import NEW_YORK

FILE_KINDS = (".csv", ".parquet")

_KINDS = {"INTEGER": "Int64", "REAL": "float64", schema.BOOLEAN: "boolean"}


def frame(rows: Sequence[Mapping[str, Any]], types: Mapping[str, str]) -> pd.DataFrame:
    """Rows as a frame of the declared `types`, empty or not.

    Market times are nanosecond instants in New York, wall times in UTC; whole numbers and booleans
    are nullable, decoded JSON and text are objects.
    """
    return pd.DataFrame(
        {name: _column([row[name] for row in rows], kind) for name, kind in types.items()}
    )


def _column(values: list[Any], declared: str) -> "pd.Series[Any]":
    if declared == schema.TIME:
        instants = pd.to_datetime(pd.Series(values, dtype="Int64"), unit="ns", utc=True)
        return instants.astype("datetime64[ns, UTC]").dt.tz_convert(NEW_YORK)
    if declared == schema.UTC:
        moments = pd.to_datetime(pd.Series(values, dtype=object), format="ISO8601", utc=True)
        return moments.astype("datetime64[us, UTC]")
    return pd.Series(values, dtype=_KINDS.get(declared, object))


def write_frame(table: pd.DataFrame, path: Path) -> None:
    """Write a frame as CSV or Parquet, by the suffix; whole or not at all.

    JSON is text in both. Times are ISO 8601 with offset in CSV. Raises `SettingError` for another
    suffix or an unknown folder, `JournalError` where the file cannot be written.
    """
    if path.suffix not in FILE_KINDS:
        raise SettingError(f"{path}: export to a .csv or a .parquet file, or to a folder")
    if not path.parent.is_dir():
        raise SettingError(f"{path}: there is no folder {path.parent}")
    told = pd.DataFrame({name: _told(column, path.suffix) for name, column in table.items()})
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        if path.suffix == ".csv":
            told.to_csv(unfinished, index=False)
        else:
            told.to_parquet(unfinished, index=False)
        unfinished.replace(path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise JournalError(f"{path} cannot be written: {error}") from error


def _told(column: "pd.Series[Any]", suffix: str) -> "pd.Series[Any]":
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        isoformat = pd.Timestamp.isoformat
        return column.map(isoformat, na_action="ignore") if suffix == ".csv" else column
    return column.map(_plain, na_action="ignore") if column.dtype == object else column


def _plain(value: Any) -> Any:
    return to_json(value) if isinstance(value, list | dict) else value
