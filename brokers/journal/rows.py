"""Between Python values and the journal's columns, by the types that the tables declare."""

from collections.abc import Mapping
from datetime import date
from enum import Enum, IntEnum
from pathlib import Path
from typing import Any

import numpy as np

from brokers.journal import schema
from brokers.journal.payload import from_json, to_json
from errors import InternalError

OWN_COLUMNS = ("id", "session_id", "ts", "wall_utc")
"""Columns that every table has beside those of `vocabulary.JOURNAL_COLUMNS`."""


def stored(value: Any, declared: str) -> Any:
    """`value` as SQLite takes it in a column of this declared type. NaN is NULL.

    Raises `InternalError` where the type has no place in the column.
    """
    if value is None:
        return None
    if declared == schema.JSON:
        return to_json(value)
    if isinstance(value, np.generic):
        value = value.item()
    if declared == "REAL" and isinstance(value, int | float):
        return float(value)
    if "INTEGER" in declared and isinstance(value, int | float) and value == int(value):
        return int(value)
    if "TEXT" in declared:
        return _text(value)
    raise InternalError(f"the journal cannot keep {value!r} in a column of type {declared}")


def _text(value: Any) -> str:
    if isinstance(value, IntEnum):
        return value.name
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str | Path):
        return str(value)
    raise InternalError(f"the journal cannot keep {value!r} as text")


def taken(value: Any, declared: str) -> Any:
    """A stored value as Python takes it: JSON decoded, booleans as such, times as they are."""
    if value is None:
        return None
    if declared == schema.JSON:
        return from_json(value)
    return bool(value) if declared == schema.BOOLEAN else value


def stored_row(values: Mapping[str, Any], types: Mapping[str, str], table: str) -> tuple[Any, ...]:
    """The columns of `types` in order, None where `values` has none.

    Raises `InternalError` where `values` names a column that the table has not.
    """
    unknown = set(values) - set(types)
    if unknown:
        raise InternalError(f"the journal's table {table} has no column {sorted(unknown)[0]}")
    return tuple(stored(values.get(name), declared) for name, declared in types.items())
