"""Answers of earlier desks: files `suggestions_YYYYMMDD.jsonl`, one suggestion a line.

Fields: timestamp (ISO; New York's time where it has no offset), action, strike, contracts,
option_type, spy_price, option_bid, option_ask, iv, risk_score, features, user_response, and
optionally fill_price and user_comment. A line that cannot be used is named with its reason, and the
others count. Which model suggested is not known: `model_sha256` stays empty.
"""

import hashlib
import json
import math
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from errors import DataError
from feeds.sessions import NEW_YORK
from models.feedback.dataset import combined, typed, weight_of
from strategies.features import SPOT_SCALE, fault
from vocabulary import FEATURE_COLUMNS, FEATURES, Action, Answer

SOURCE = "import"

ACTIONS: Mapping[str, Action] = {
    "sell_call": Action.SELL_CALL,
    "sell_put": Action.SELL_PUT,
    "1": Action.SELL_CALL,
    "2": Action.SELL_PUT,
}
RESPONSES: Mapping[str, Answer] = {
    **dict.fromkeys(("y", "yes"), Answer.YES),
    **dict.fromkeys(("n", "no"), Answer.NO),
    **dict.fromkeys(("s", "skip"), Answer.SKIP),
    **dict.fromkeys(("timeout", ""), Answer.TIMEOUT),
}

SPOT_TOLERANCE = 0.01
"""Share by which the feature spy_price x 1000 may differ from the line's spy_price."""


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that could not be used."""

    path: Path
    number: int
    why: str

    def __str__(self) -> str:
        return f"{self.path}, line {self.number}: {self.why}"


@dataclass(frozen=True, eq=False)
class Imported:
    """The feedback table of some files, and the lines that are not in it."""

    table: pd.DataFrame
    bad: tuple[BadLine, ...]


def import_suggestions(paths: Iterable[Path]) -> Imported:
    """Read files of earlier desks; a line that is in two of them counts once.

    Raises `DataError` for a file that cannot be read, or in which no line can be used.
    """
    tables, bad = [], []
    for path in paths:
        rows: list[dict[str, Any]] = []
        wrong: list[BadLine] = []
        for number, line in enumerate(_lines(path), 1):
            if line.strip():
                try:
                    rows.append(_row(line.decode()))
                except (DataError, ValueError, TypeError, OverflowError, RecursionError) as error:
                    wrong.append(BadLine(path, number, _words(error)))
        if wrong and not rows:
            raise DataError(f"{wrong[0]}; and no other of its {len(wrong)} lines can be used")
        tables.append(typed(rows))
        bad += wrong
    return Imported(combined(tables), tuple(bad))


def _lines(path: Path) -> list[bytes]:
    """Lines as bytes: one in another encoding spoils no other, and only a newline ends one."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from None
    if content.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        content = content.decode("utf-16", errors="replace").encode()
    return content.removeprefix(BOM_UTF8).split(b"\n")


def _words(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"no UTF-8 at byte {error.start + 1}"
    if isinstance(error, json.JSONDecodeError):
        return "no JSON"
    return str(error) or type(error).__name__


def _row(line: str) -> dict[str, Any]:
    fields = json.loads(line)
    if not isinstance(fields, dict):
        raise DataError("no JSON object")
    at = _timestamp(_field(fields, "timestamp"))
    action = _one_of(ACTIONS, fields, "action")
    spot = _figure(fields, "spy_price")
    _check_type(fields, action)
    _check_market(fields)
    return {
        "suggestion_id": _name(fields),
        "session_id": f"import-{at.date():%Y%m%d}",
        "ts": at,
        "session_date": at.date(),
        "mode": SOURCE,
        "source": SOURCE,
        "model_sha256": "",
        **_features(_field(fields, "features"), spot),
        "action": int(action),
        "shown": True,
        "vetoed": False,
        "probe": False,
        "show_probability": 1.0,
        "response": str(_one_of(RESPONSES, fields, "user_response")),
        "comment": str(fields.get("user_comment") or "") or None,
        "risk_score": _figure(fields, "risk_score"),
        "bid": _figure(fields, "option_bid"),
        "ask": _figure(fields, "option_ask"),
        "spot": spot,
        "iv": _figure(fields, "iv"),
        "right": "C" if action is Action.SELL_CALL else "P",
        "strike": _figure(fields, "strike"),
        "quantity": _figure(fields, "contracts"),
        "fill_price": None if _is_empty(fields, "fill_price") else _figure(fields, "fill_price"),
        "weight": weight_of(SOURCE, 1.0),
    }


def _name(fields: Mapping[str, Any]) -> str:
    """The same for the same suggestion, however its line is written: in another order, say."""
    content = json.dumps(fields, sort_keys=True).encode()
    return "import-" + hashlib.sha256(content).hexdigest()[:16]


def _is_empty(fields: Mapping[str, Any], name: str) -> bool:
    return fields.get(name) in (None, "")


def _field(fields: Mapping[str, Any], name: str) -> Any:
    if fields.get(name) is None:
        raise DataError(f"it has no {name}")
    return fields[name]


def _figure(fields: Mapping[str, Any], name: str) -> float:
    value = _field(fields, name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise DataError(f"{name} is {value!r}, no number")
    return float(value)


def _one_of(known: Mapping[str, Any], fields: Mapping[str, Any], name: str) -> Any:
    """The value a field stands for, in any spelling: "SELL PUT", "sell_put", 2."""
    said = str(_field(fields, name)).strip().lower().replace(" ", "_").replace("-", "_")
    if said not in known:
        raise DataError(f"{name} is {str(fields[name])[:40]!r}, none of {', '.join(known)}")
    return known[said]


def _check_type(fields: Mapping[str, Any], action: Action) -> None:
    """The option's type must be the action's; where it is not given the action tells."""
    said = str(fields.get("option_type") or "").strip().lower()
    if said and said[0] != ("c" if action is Action.SELL_CALL else "p"):
        raise DataError(f"option_type is {said[:20]!r} and action {action.name.lower()}")


def _check_market(fields: Mapping[str, Any]) -> None:
    """Figures that no market has."""
    for name in ("spy_price", "strike", "contracts", "iv"):
        if not _figure(fields, name) > 0:
            raise DataError(f"{name} is {fields[name]:g}, and must be above zero")
    bid, ask = _figure(fields, "option_bid"), _figure(fields, "option_ask")
    if not 0 <= bid <= ask:
        raise DataError(f"option_bid is {bid:g} and option_ask {ask:g}")


def _timestamp(text: Any) -> datetime:
    try:
        at = datetime.fromisoformat(str(text))
    except ValueError:
        raise DataError(f"timestamp is {str(text)[:40]!r}, no ISO time") from None
    return (at if at.tzinfo is not None else at.replace(tzinfo=NEW_YORK)).astimezone(NEW_YORK)


def _features(given: Any, spot: float) -> dict[str, float]:
    """The eight features by name; refused where they are of another kind or scaling."""
    values = [given.get(name) for name in FEATURES] if isinstance(given, Mapping) else given
    if not isinstance(values, list) or len(values) != len(FEATURES) or not _are_numbers(values):
        raise DataError(f"features are not {len(FEATURES)} numbers")
    level = values[FEATURES.index("spy_price")] * SPOT_SCALE
    if not abs(level - spot) <= SPOT_TOLERANCE * spot:
        raise DataError(
            f"feature spy_price stands for {level:g} dollars and spy_price is {spot:g}: features "
            "of another scaling"
        )
    wrong = fault(np.array(values, np.float32))
    if wrong:
        raise DataError(wrong)
    return dict(zip(FEATURE_COLUMNS, map(float, values), strict=True))


def _are_numbers(values: list[Any]) -> bool:
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
