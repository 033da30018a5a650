"""Values as JSON and back: floats to the last bit, NaN and infinities included.

JSON has no NaN: it is null, and infinities are the strings "inf" and "-inf".
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import date, datetime
from enum import Enum, IntEnum
from pathlib import Path
from typing import Any

import numpy as np

from errors import InternalError, JournalError
from feeds.contract import MULTIPLIER, Contract, Right
from vocabulary import Action, ExitReason, Plan, Suggestion


def to_json(value: Any) -> str:
    """`value` as compact JSON; mappings, sequences, arrays, dates, enums, paths and numbers.

    Raises `InternalError` for anything else.
    """
    return json.dumps(_plain(value), allow_nan=False, separators=(",", ":"))


def from_json(text: str) -> Any:
    """What `to_json` wrote, as plain dicts, lists, numbers and strings."""
    return json.loads(text)


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.name if isinstance(value, IntEnum) else value.value
    if isinstance(value, np.generic | np.ndarray):
        return _plain(value.tolist())
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return _finite(value)
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, Sequence):
        return [_plain(part) for part in value]
    raise InternalError(f"the journal has no way to write a {type(value).__name__}: {value!r}")


def _finite(value: float) -> float | str | None:
    if math.isfinite(value):
        return value
    return None if math.isnan(value) else str(value)


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)


def suggestion_to_payload(suggestion: Suggestion) -> dict[str, Any]:
    """A suggestion, its contract and its plan as plain values, for a JSON column."""
    values = {field.name: getattr(suggestion, field.name) for field in fields(suggestion)}
    values["contract"] = contract_to_payload(suggestion.contract)
    if suggestion.plan is not None:
        plan = suggestion.plan
        values["plan"] = {field.name: getattr(plan, field.name) for field in fields(plan)}
    plain: dict[str, Any] = _plain(values)
    return plain


def suggestion_from_payload(values: Mapping[str, Any]) -> Suggestion:
    """The suggestion that `suggestion_to_payload` made `values` of.

    Raises `JournalError` where they are not complete.
    """
    try:
        return _suggestion(values)
    except (KeyError, TypeError, ValueError) as error:
        raise JournalError(f"a suggestion of the journal cannot be read: {error!r}") from error


def _suggestion(values: Mapping[str, Any]) -> Suggestion:
    reason, plan = values["exit_reason"], values["plan"]
    return Suggestion(
        id=values["id"],
        ts=int(values["ts"]),
        action=Action[values["action"]],
        contract=contract_from_payload(values["contract"]),
        side=int(values["side"]),
        quantity=int(values["quantity"]),
        bid=_number(values["bid"]),
        ask=_number(values["ask"]),
        spot=_number(values["spot"]),
        risk_score=_number(values["risk_score"]),
        stop_multiple=_number(values["stop_multiple"]),
        features=tuple(map(_number, values["features"])),
        probabilities=tuple(map(_number, values["probabilities"])),
        mask=tuple(map(bool, values["mask"])),
        model=values["model"],
        exit_reason=None if reason is None else ExitReason(reason),
        plan=None if plan is None else _plan(plan),
    )


def _plan(values: Mapping[str, Any]) -> Plan:
    figures = {name: _number(value) for name, value in values.items() if name != "time_exit_ts"}
    at = values["time_exit_ts"]
    return Plan(time_exit_ts=None if at is None else int(at), **figures)


def contract_to_payload(contract: Contract) -> dict[str, Any]:
    """A contract as plain values."""
    return {
        "underlying": contract.underlying,
        "expiration": contract.expiration.isoformat(),
        "strike_thousandths": contract.strike_thousandths,
        "right": contract.right.name,
        "multiplier": contract.multiplier,
    }


def contract_from_payload(values: Mapping[str, Any]) -> Contract:
    """The contract that `contract_to_payload` made `values` of."""
    return Contract(
        values["underlying"],
        date.fromisoformat(values["expiration"]),
        int(values["strike_thousandths"]),
        Right[values["right"]],
        int(values.get("multiplier", MULTIPLIER)),
    )
