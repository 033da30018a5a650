"""Suggestions come back from JSON to the last bit."""

import json
import math
from dataclasses import fields, is_dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from brokers.journal.payload import (
    from_json,
    suggestion_from_payload,
    suggestion_to_payload,
    to_json,
)
from errors import InternalError, JournalError
from feeds.contract import Contract, Right
from vocabulary import Action, ExitReason, Plan, Suggestion

numbers = some.floats(allow_nan=True, allow_infinity=True)
instants = some.integers(0, 2**62)
contracts = some.builds(
    Contract,
    some.sampled_from(["SPY", "QQQ"]),
    some.dates(date(2020, 1, 1), date(2030, 1, 1)),
    some.integers(1, 2_000_000),
    some.sampled_from(Right),
)
plans = some.builds(Plan, *[numbers] * 5, some.none() | instants, *[numbers] * 3)
suggestions = some.builds(
    Suggestion,
    id=some.text(),
    ts=instants,
    action=some.sampled_from(Action),
    contract=contracts,
    side=some.sampled_from([-1, 1]),
    quantity=some.integers(1, 1000),
    bid=numbers,
    ask=numbers,
    spot=numbers,
    risk_score=numbers,
    stop_multiple=numbers,
    features=some.lists(numbers, max_size=8).map(tuple),
    probabilities=some.lists(numbers, max_size=4).map(tuple),
    mask=some.lists(some.booleans(), max_size=4).map(tuple),
    model=some.text(),
    exit_reason=some.none() | some.sampled_from(ExitReason),
    plan=some.none() | plans,
)


def bits(value: Any) -> Any:
    """Something whose equality is that of every bit, but for the sign of NaN."""
    if is_dataclass(value):
        return [bits(getattr(value, field.name)) for field in fields(value)]
    if isinstance(value, tuple):
        return [bits(part) for part in value]
    if isinstance(value, float):
        return "nan" if math.isnan(value) else value.hex()
    return type(value), value


@given(suggestions)
def test_a_suggestion_comes_back_bit_by_bit(one: Suggestion) -> None:
    text = to_json(suggestion_to_payload(one))
    json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    assert bits(suggestion_from_payload(from_json(text))) == bits(one)


def test_arrays_enums_dates_and_paths_become_plain_json() -> None:
    value = {
        "probabilities": np.array([0.1, np.nan, np.inf]),
        "single": np.float32(0.5),
        "whole": np.int64(3),
        "yes": np.bool_(True),
        "right": Right.PUT,
        "reason": ExitReason.KILL,
        "day": date(2026, 10, 30),
        "path": Path("runs/x"),
    }
    assert from_json(to_json(value)) == {
        "probabilities": [0.1, None, "inf"],
        "single": 0.5,
        "whole": 3,
        "yes": True,
        "right": "PUT",
        "reason": "kill",
        "day": "2026-10-30",
        "path": "runs/x",
    }


def test_what_has_no_json_is_our_mistake() -> None:
    with pytest.raises(InternalError, match="object"):
        to_json({"a": object()})


def test_a_payload_that_is_not_complete_is_told() -> None:
    with pytest.raises(JournalError, match="cannot be read"):
        suggestion_from_payload({"id": "a"})
