"""Where a candidate stands: refused, in the shadow, or active; `promotion.json` beside the model.

A candidate that passes every check runs in the shadow: it judges, and nothing follows from it.
After `SHADOW_SESSIONS` sessions in which it was looked at, and with every check passed again, it is
active. Models themselves never change.
"""

import os
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from errors import ModelError
from models.feedback.promotion import Check, Outcome, verdict

SHADOW_SESSIONS = 10
PROMOTION_NAME = "promotion.json"


class CheckRecord(BaseModel):
    """A check as it is kept."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    outcome: Outcome
    why: str


class Promotion(BaseModel):
    """The state of a candidate, `promotion.json` beside it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal["promotion/1"] = "promotion/1"
    kind: Literal["gate", "policy"]
    parent_sha256: str
    status: Literal["refused", "shadow", "active"]
    decided: AwareDatetime
    answers: Annotated[int, Field(ge=0)]
    checks: tuple[CheckRecord, ...]
    shadow_needed: int = SHADOW_SESSIONS
    shadow_sessions: tuple[date, ...] = ()

    @property
    def line(self) -> str:
        """For a person: where it stands."""
        if self.status == "shadow":
            told = f"shadow, {len(self.shadow_sessions)} of {self.shadow_needed} sessions"
        elif self.status == "refused":
            first = next((one for one in self.checks if one.outcome is not Outcome.PASSED), None)
            told = "refused" if first is None else f"refused: {first.name}: {first.why}"
        else:
            told = "active"
        return f"{self.kind} {told}"


def decide(
    kind: Literal["gate", "policy"],
    parent_sha256: str,
    checks: Sequence[Check],
    answers: int,
    decided: datetime,
) -> Promotion:
    """A new candidate's state: shadow where every check is passed, else refused.

    `decided` is tz-aware; sessions that begin later count for the shadow.
    """
    passed = verdict(checks) is Outcome.PASSED
    return Promotion(
        kind=kind,
        parent_sha256=parent_sha256,
        status="shadow" if passed else "refused",
        decided=decided,
        answers=answers,
        checks=_records(checks),
    )


def advanced(promotion: Promotion, shadowed: Iterable[date], checks: Sequence[Check]) -> Promotion:
    """The state after further shadow sessions, with the checks as they stand now.

    Args:
        promotion: a refused one stays refused: a later candidate is another one.
        shadowed: dates of finished sessions in which the candidate was looked at.
        checks: all of them, on everything that is known by now.
    """
    if promotion.status == "refused":
        return promotion
    dates = tuple(sorted({*promotion.shadow_sessions, *shadowed}))
    update: dict[str, object] = {"shadow_sessions": dates, "checks": _records(checks)}
    if verdict(checks) is Outcome.FAILED:
        update["status"] = "refused"
    elif len(dates) >= promotion.shadow_needed and verdict(checks) is Outcome.PASSED:
        update["status"] = "active"
    return promotion.model_copy(update=update)


def _records(checks: Sequence[Check]) -> tuple[CheckRecord, ...]:
    return tuple(CheckRecord(name=one.name, outcome=one.outcome, why=one.why) for one in checks)


def write_promotion(folder: Path, promotion: Promotion) -> None:
    """Write the state beside the model, at once: a reader sees the old one or the new one.

    Raises `ModelError` where the folder cannot be written.
    """
    partial = folder / f".{PROMOTION_NAME}.{os.getpid()}"
    try:
        partial.write_text(promotion.model_dump_json(indent=2) + "\n", encoding="utf-8")
        partial.replace(folder / PROMOTION_NAME)
    except OSError as error:
        where = folder / PROMOTION_NAME
        raise ModelError(f"{where} cannot be written ({error.strerror})") from None


def read_promotion(folder: Path) -> Promotion | None:
    """The state in a model's folder, None where there is none.

    Raises `ModelError` where it cannot be read.
    """
    path = folder / PROMOTION_NAME
    if not path.is_file():
        return None
    try:
        return Promotion.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ModelError(f"{path} cannot be read ({error.strerror})") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "file"
        raise ModelError(
            f"{path} cannot be read: wrong at {where}: {first['msg']}; move it away, and the "
            "candidate is judged anew"
        ) from None
