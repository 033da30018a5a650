"""The feedback data set: one row an entry suggestion, shown or vetoed, with how it ended.

Rows come from the journal's tables (`feedback_table`), from files of earlier desks
(`models.feedback.importing`) or from Parquet. Schema "feedback/2"; docs/learning.md tells what the
columns mean. Prices are dollars a share, money is dollars, `ts` is New York's time.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from errors import DataError
from feeds.sessions import NEW_YORK
from vocabulary import FEATURE_COLUMNS, FEATURE_VERSION, Action, Answer

SCHEMA = "feedback/2"
LARGEST_WEIGHT = 5.0
"""Of a suggestion that was unlikely to be shown: min(1 / P(shown), 5)."""

SOURCE_WEIGHTS: Mapping[str, float] = {
    "live": 1.0,
    "paper": 1.0,
    "mock": 1.0,
    "replay": 1.0,
    "review": 0.5,
    "import": 0.5,
}
"""Sources of answers, and what one answer of each counts: with money or an order at stake, 1."""

_SOURCES = {"shadow": "paper", "rehearsal": "paper"}
NOBODY = "automatic"
"""Channel of answers that no person gave."""

_TEXT, _FLAG, _FIGURE = "text", "flag", "figure"
_ORDER = (
    *((name, _TEXT) for name in ("suggestion_id", "session_id")),
    *(("ts", "time"), ("session_date", "date")),
    *((name, _TEXT) for name in ("mode", "source", "model_sha256")),
    *((name, _FIGURE) for name in FEATURE_COLUMNS),
    *(("action", "action"), ("probabilities", "list"), ("policy_probability", _FIGURE)),
    *(("gate_version", _TEXT), ("gate_probability", _FIGURE), ("gate_tau", _FIGURE)),
    *((name, _FLAG) for name in ("shown", "vetoed", "probe")),
    *(("show_probability", _FIGURE), ("response", _TEXT), ("response_seconds", _FIGURE)),
    *(("reason_code", _TEXT), ("comment", _TEXT)),
    *((name, _FIGURE) for name in ("risk_score", "bid", "ask", "spot", "iv")),
    *(("right", _TEXT), ("strike", _FIGURE), ("quantity", _FIGURE)),
    *((name, _FIGURE) for name in ("fill_price", "shadow_pnl", "pnl", "weight")),
)
_KINDS = dict(_ORDER)
COLUMNS = tuple(_KINDS)

_NEEDED = {
    "suggestions": (
        *("session_id", "suggestion_id", "ts", "action", "exit_reason", "feature_version"),
        *FEATURE_COLUMNS,
    ),
    "decisions": ("session_id", "suggestion_id", "response", "channel"),
    "outcomes": ("session_id", "suggestion_id", "shadow_pnl", "pnl"),
    "sessions": ("id", "mode", "session_date", "model_sha256"),
}


def feedback_table(
    suggestions: pd.DataFrame,
    decisions: pd.DataFrame,
    outcomes: pd.DataFrame,
    sessions: pd.DataFrame,
    fill_prices: Mapping[tuple[str, str], float] | None = None,
) -> pd.DataFrame:
    """The table of one journal, oldest first: `COLUMNS`.

    Args:
        suggestions, decisions, outcomes, sessions: the journal's tables of these names
            (`JournalReader.table`), of any sessions.
        fill_prices: of entries by session and suggestion (`fill_prices_of`).

    An answer that no person gave (channel "automatic") counts as none. Raises `DataError` for
    frames of another schema, features of another version or actions that are not known.
    """
    frames = {
        "suggestions": suggestions,
        "decisions": decisions,
        "outcomes": outcomes,
        "sessions": sessions,
    }
    for name, frame in frames.items():
        _check_columns(name, frame)
    facts = {row["id"]: row for row in _rows(sessions)}
    answers, ends = _by_key(decisions), _by_key(outcomes)
    entries = [row for row in _rows(suggestions) if row["exit_reason"] is None]
    prices = fill_prices or {}
    rows = [
        {"fill_price": prices.get(_key(row))}
        | _row(row, answers.get(_key(row), {}), ends.get(_key(row), {}), facts[row["session_id"]])
        for row in entries
    ]
    return typed(rows)


def fill_prices_of(
    intents: Iterable[Mapping[str, Any]], executions: Iterable[Mapping[str, Any]]
) -> dict[tuple[str, str], float]:
    """Mean price a share at which each entry was filled, by session and suggestion.

    `intents` and `executions` are rows of the journal's tables.
    """
    entries = {row["order_ref"]: _key(row) for row in intents if row["suggestion_id"]}
    filled: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for row in executions:
        if row["order_ref"] in entries and row["quantity"]:
            filled.setdefault(entries[row["order_ref"]], []).append((row["price"], row["quantity"]))
    return {
        key: sum(price * count for price, count in parts) / sum(count for _, count in parts)
        for key, parts in filled.items()
    }


def combined(tables: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Several tables as one, oldest first; a suggestion that is in two of them counts once."""
    parts = [table for table in tables if len(table)]
    if not parts:
        return typed([])
    whole = pd.concat(parts, ignore_index=True)
    whole = whole.drop_duplicates(["session_id", "suggestion_id"], keep="last")
    return whole.sort_values("ts", kind="stable").reset_index(drop=True)


def is_labelled(table: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """[n] which rows a person answered with y or n: what the acceptance model learns from."""
    said = table["response"].isin([Answer.YES.value, Answer.NO.value])
    return np.asarray(said & table["shown"], bool)


def features_of(table: pd.DataFrame) -> npt.NDArray[np.float32]:
    """float32 [n, 8] the features of each row."""
    return np.asarray(table[list(FEATURE_COLUMNS)].to_numpy(np.float32))


def weight_of(source: str, show_probability: float) -> float:
    """What one answer counts, its age apart.

    Raises `DataError` for a source that is not known.
    """
    if source not in SOURCE_WEIGHTS:
        raise DataError(f"answers of the source {source!r}: known are {', '.join(SOURCE_WEIGHTS)}")
    return SOURCE_WEIGHTS[source] * min(1.0 / max(show_probability, 1e-9), LARGEST_WEIGHT)


def write_feedback(table: pd.DataFrame, path: Path) -> None:
    """Write the table as Parquet, whole or not at all. Raises `DataError` where it cannot be."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    content = pa.Table.from_pandas(table[list(COLUMNS)], preserve_index=False)
    metadata = {**(content.schema.metadata or {}), b"schema": SCHEMA.encode()}
    try:
        pq.write_table(content.replace_schema_metadata(metadata), unfinished)
        unfinished.replace(path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise DataError(f"{path} cannot be written: {error.strerror}") from error


def read_feedback(path: Path) -> pd.DataFrame:
    """The table of `write_feedback`. Raises `DataError` for any other file."""
    try:
        content = pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path} is no feedback table: {str(error).splitlines()[0]}") from None
    schema = (content.schema.metadata or {}).get(b"schema", b"").decode()
    if schema != SCHEMA or tuple(content.column_names) != COLUMNS:
        raise DataError(f"{path} has the schema {schema or 'unknown'}, this desk reads {SCHEMA}")
    return typed(_rows(content.to_pandas()))


def typed(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Rows as a frame of `COLUMNS`, each of its type, oldest first; a missing figure is NaN."""
    frame = pd.DataFrame(
        {name: _column([row.get(name) for row in rows], kind) for name, kind in _KINDS.items()}
    )
    return frame.sort_values("ts", kind="stable").reset_index(drop=True)


def _column(values: list[Any], kind: str) -> "pd.Series[Any]":
    known: list[Any] = [None if _is_missing(value) else value for value in values]
    if kind == "time":
        instants = pd.to_datetime(pd.Series(known, dtype=object), utc=True)
        return instants.astype("datetime64[ns, UTC]").dt.tz_convert(NEW_YORK)
    if kind == _FIGURE:
        return pd.Series(
            [np.nan if value is None else float(value) for value in known], dtype=float
        )
    if kind == _FLAG:
        return pd.Series([bool(value) for value in known], dtype=bool)
    if kind == "action":
        return pd.Series([int(value) for value in known], dtype=np.int8)
    if kind == "list":
        known = [[] if value is None else [float(part) for part in value] for value in known]
    return pd.Series(known, dtype=object)


def _is_missing(value: Any) -> bool:
    if value is None or value is pd.NA or value is pd.NaT:
        return True
    return isinstance(value, float) and value != value


def _check_columns(name: str, frame: pd.DataFrame) -> None:
    missing = [column for column in _NEEDED[name] if column not in frame.columns]
    if missing:
        raise DataError(f"the journal's {name} have no column {missing[0]}: it has another schema")


def _rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as dicts, what is missing None."""
    return [
        {str(name): None if _is_missing(value) else value for name, value in row.items()}
        for row in frame.to_dict("records")
    ]


def _key(row: Mapping[str, Any]) -> tuple[str, str]:
    return row["session_id"], row["suggestion_id"]


def _by_key(frame: pd.DataFrame) -> dict[tuple[str, str], dict[str, Any]]:
    """Rows by session and suggestion, the last one each."""
    return {_key(row): row for row in _rows(frame)}


def _row(
    suggestion: Mapping[str, Any],
    answer: Mapping[str, Any],
    end: Mapping[str, Any],
    session: Mapping[str, Any],
) -> dict[str, Any]:
    _check_row(suggestion, answer)
    mode = suggestion.get("mode") or session["mode"]
    source = _SOURCES.get(mode, mode)
    shown = suggestion.get("shown") is not False
    chance = suggestion.get("show_probability")
    chance = 1.0 if chance is None else float(chance)
    by_person = answer if answer.get("channel") != NOBODY else {}
    milliseconds = by_person.get("response_ms")
    return {
        **{name: suggestion.get(name) for name in COLUMNS if name != "fill_price"},
        "session_date": date.fromisoformat(str(session["session_date"])),
        "mode": mode,
        "source": source,
        "model_sha256": suggestion.get("model_sha256") or session["model_sha256"] or "",
        "shown": shown,
        "vetoed": suggestion.get("gate_vetoed"),
        "probe": suggestion.get("gate_probe"),
        "show_probability": chance,
        "response": by_person.get("response"),
        "response_seconds": None if milliseconds is None else milliseconds / 1000,
        "reason_code": by_person.get("reason_code"),
        "comment": by_person.get("comment"),
        "right": str(suggestion.get("right") or "")[:1].upper() or None,
        "shadow_pnl": end.get("shadow_pnl"),
        "pnl": end.get("pnl"),
        "weight": weight_of(source, chance),
    }


def _check_row(suggestion: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
    where = f"suggestion {suggestion['suggestion_id']} of session {suggestion['session_id']}"
    if suggestion["action"] not in (Action.SELL_CALL, Action.SELL_PUT):
        raise DataError(f"{where} has the unknown action {suggestion['action']}")
    version = suggestion["feature_version"]
    if version not in (None, FEATURE_VERSION):
        raise DataError(f"{where} has features of version {version}, not {FEATURE_VERSION}")
    if suggestion["ts"] is None:
        raise DataError(f"{where} has no time")
    response = answer.get("response")
    if response is not None and response not in set(Answer):
        raise DataError(f"{where} has the unknown answer {response!r}")
    chance = suggestion.get("show_probability")
    if chance is not None and not 0 <= chance <= 1:
        raise DataError(f"{where} was shown with the probability {chance:g}")
