"""gate.json: an acceptance model with its terms, tied to the policy it stands over.

Plain JSON, written whole; the one before is kept beside it by its version, so that the lineage of a
gate can be followed. docs/learning.md.
"""

import hashlib
import os
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from errors import ModelError
from models.feedback.acceptance import AcceptanceModel
from models.feedback.gate import Gate, GateMode

GATE_NAME, FORMER = "gate.json", "gates"


class GateFigures(BaseModel):
    """What was known of the gate when it was made; each answer foretold from earlier ones alone.

    Args:
        foretold: how many answers were foretold.
        auc, p_value: of them, None where y or n is missing.
        log_loss, brier, base_brier: as `models.feedback.rolling.Foretold`, None without any.
        veto_share: share of veto windows with suggestions that it would keep back.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    foretold: int
    auc: FiniteFloat | None = None
    p_value: FiniteFloat | None = None
    log_loss: FiniteFloat | None = None
    brier: FiniteFloat | None = None
    base_brier: FiniteFloat | None = None
    veto_share: FiniteFloat


class GateCard(BaseModel):
    """All of gate.json.

    Args:
        policy_sha256: of the policy's zip, empty for a rule that is no model.
        mode: what it does.
        why: why it is off, or only advises.
        parent: version of the gate before, None for the first.
        created: when.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_name: Literal["gate/1"] = "gate/1"
    policy: str
    policy_sha256: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")]
    mode: GateMode
    why: str = ""
    tau: Annotated[FiniteFloat, Field(ge=0, le=1)]
    probe_rate: Annotated[FiniteFloat, Field(ge=0, le=1)]
    seed: int = 0
    acceptance: AcceptanceModel
    figures: GateFigures
    parent: str | None = None
    created: AwareDatetime

    @property
    def version(self) -> str:
        """Its name in the journal: the day of the newest answer and a hash of all it says."""
        content = self.model_dump_json(exclude={"created"})
        digest = hashlib.sha256(content.encode()).hexdigest()
        return f"gate-{self.acceptance.last:%Y%m%d}-{digest[:8]}"

    def gate(self) -> Gate:
        """The gate itself."""
        return Gate(
            version=self.version,
            acceptance=self.acceptance,
            mode=self.mode,
            tau=self.tau,
            probe_rate=self.probe_rate,
            seed=self.seed,
            why=self.why,
        )

    @classmethod
    def from_json(cls, content: str | bytes) -> Self:
        """The card of `model_dump_json`. Raises `ModelError` with the first thing wrong."""
        try:
            return cls.model_validate_json(content)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "file"
            raise ModelError(f"wrong at {where}: {first['msg']}") from None


def read_gate(folder: Path, policy_sha256: str) -> GateCard | None:
    """The gate in a model's folder, None where there is none.

    Raises `ModelError` in one line where it cannot be read or belongs to another policy.
    """
    path = folder / GATE_NAME
    if not path.is_file():
        return None
    try:
        card = GateCard.from_json(path.read_bytes())
    except OSError as error:
        raise ModelError(f"{path} cannot be read ({error.strerror})") from None
    except ModelError as error:
        raise ModelError(f"{path} is no gate: {error}; move it away") from None
    if card.policy_sha256 != policy_sha256:
        raise ModelError(
            f"{path} was learned over another policy (sha256 {card.policy_sha256[:12]}, this one "
            f"has {policy_sha256[:12]}): move it away and learn it anew with run.py rlhf"
        )
    return card


def write_gate(folder: Path, card: GateCard) -> Path:
    """Write gate.json; the one before goes to `gates/VERSION.json` first. Returns its path.

    Raises `ModelError` where the folder cannot be written, or `card.parent` is not the gate that
    is there: somebody else has learned meanwhile.
    """
    path = folder / GATE_NAME
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if path.is_file():
            _keep(folder, path, card.parent)
        _replace(path, card.model_dump_json(indent=2).encode() + b"\n")
    except OSError as error:
        raise ModelError(f"{path} cannot be written ({error.strerror})") from None
    return path


def _keep(folder: Path, path: Path, parent: str | None) -> None:
    content = path.read_bytes()
    former = GateCard.from_json(content).version
    if former != parent:
        raise ModelError(f"{path} is {former} and not {parent or 'missing'}: learn again")
    (folder / FORMER).mkdir(exist_ok=True)
    kept = folder / FORMER / f"{former}.json"
    if not kept.is_file():
        _replace(kept, content)


def _replace(path: Path, content: bytes) -> None:
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.write_bytes(content)
    unfinished.replace(path)
