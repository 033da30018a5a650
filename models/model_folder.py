"""Models on disk: `models/trained/<name>/` with policy.zip, policy.npz and card.json.

The zip is the model. `policy.npz` repeats its weights, tied to it by hash, so that a backtest need
not import torch; `card.json` says what it expects and is tied to it by hash as well.
"""

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from errors import ModelError
from models.card import (
    SCHEMA_VERSION,
    ModelCard,
    Standardisation,
    assumed_card,
    assumptions,
)
from models.model_zip import ZipDescription, describe, read_network
from models.policy_network import Network, NetworkPolicy, network_from_npz, network_to_npz

if TYPE_CHECKING:
    from sb3_contrib import MaskablePPO
    from stable_baselines3 import PPO

TRAINED_FOLDER = Path(__file__).resolve().parent / "trained"
ZIP_NAME, NPZ_NAME, CARD_NAME = "policy.zip", "policy.npz", "card.json"

_LARGEST_ZIP = 256 * 2**20


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model ready for use: its policy, card, the zip's sha256 and lines to tell the person."""

    policy: NetworkPolicy
    card: ModelCard
    sha256: str
    notes: list[str]


def trained_names(folder: Path = TRAINED_FOLDER) -> list[str]:
    """Names of the models in a folder of models, sorted."""
    return sorted(path.parent.name for path in folder.glob(f"*/{ZIP_NAME}"))


def find_model(name_or_path: str, folder: Path = TRAINED_FOLDER) -> Path:
    """The zip of a model: a name in `folder`, else a model's folder, else a .zip (suffix or not).

    Raises `ModelError` that lists the models there are.
    """
    path = Path(name_or_path)
    candidates = (
        *([folder / name_or_path / ZIP_NAME] if name_or_path == path.name else []),
        path / ZIP_NAME,
        path,
        Path(f"{name_or_path}.zip"),
    )
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    if path.is_dir():
        raise ModelError(f"model '{name_or_path}': the folder holds no {ZIP_NAME}")
    names = ", ".join(trained_names(folder)) or "no model yet"
    raise ModelError(
        f"no model '{name_or_path}': models/trained holds {names}; or give the path of a zip"
    )


def load_policy(
    name_or_path: str, *, assume_schema: int | None = None, folder: Path = TRAINED_FOLDER
) -> LoadedModel:
    """Load a model without running any code that its files may hold.

    Args:
        name_or_path: see `find_model`.
        assume_schema: 1 allows a bare stable-baselines3 zip without a card; `notes` then says
            what was assumed.
        folder: where names are looked up.

    Raises `ModelError` with one line: no such model, not a policy, other spaces, a card that does
    not fit the network, the zip or this desk.
    """
    zip_path = find_model(name_or_path, folder)
    try:
        return _load(zip_path, assume_schema)
    except ModelError as error:
        raise ModelError(f"model '{name_or_path}' cannot be used: {error}") from None


def save_model(
    folder: Path,
    trained: "PPO | MaskablePPO",
    standardisation: Standardisation | None,
    card: ModelCard,
) -> str:
    """Write policy.zip, policy.npz and card.json into `folder` and return the zip's sha256.

    Args:
        folder: made where it is missing; a model in it is replaced.
        trained: PPO or MaskablePPO with `MlpPolicy`.
        standardisation: the constants it was trained on, None for raw features.
        card: stored with the zip's hash filled in. Equal arguments give equal bytes.

    Each file is replaced at once, the card last: a crash between leaves a hash that does not fit,
    and `load_policy` refuses it. Raises `ModelError` where the desk could not load the result.
    """
    from models.export import plain_ppo_zip

    card = card.model_copy(update={"standardisation": standardisation, "policy_sha256": None})
    content = plain_ppo_zip(trained, standardisation, card)
    network = read_network(content, describe(content))
    card.check_fit(network.actions)
    sha256 = hashlib.sha256(content).hexdigest()
    folder.mkdir(parents=True, exist_ok=True)
    _replace(folder / ZIP_NAME, content)
    _replace(folder / NPZ_NAME, network_to_npz(network, sha256))
    tied = card.model_copy(update={"policy_sha256": sha256})
    _replace(folder / CARD_NAME, tied.to_json().encode())
    return sha256


def _load(zip_path: Path, assume_schema: int | None) -> LoadedModel:
    content = _read(zip_path)
    sha256 = hashlib.sha256(content).hexdigest()
    description = describe(content)
    card, notes = _card(zip_path, sha256, description, assume_schema)
    card.check_fit(description.actions)
    network, doubts = _network(zip_path, content, sha256, description)
    return LoadedModel(NetworkPolicy(card.name, network), card, sha256, notes + doubts)


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > _LARGEST_ZIP:
            raise ModelError(f"{path} is larger than {_LARGEST_ZIP >> 20} MB: not a policy")
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path} cannot be read ({error.strerror})") from None


def _card(
    zip_path: Path, sha256: str, description: ZipDescription, assume_schema: int | None
) -> tuple[ModelCard, list[str]]:
    """The card beside the zip, else the one inside, else the assumed one; and what to tell."""
    beside = zip_path.with_name(CARD_NAME)
    if zip_path.name == ZIP_NAME and beside.is_file():
        card = ModelCard.from_json(_read(beside))
        if card.policy_sha256 != sha256:
            raise ModelError(f"{beside} belongs to another {ZIP_NAME} (its sha256 differs)")
        return card, []
    if description.card is not None:
        return ModelCard.from_plain(description.card), []
    if assume_schema is None:
        raise ModelError("it has no card; if it takes the 8 features, say --assume-schema 1")
    if assume_schema != SCHEMA_VERSION:
        raise ModelError(f"--assume-schema {assume_schema} is not known, only {SCHEMA_VERSION}")
    is_named = zip_path.name == ZIP_NAME
    card = assumed_card(zip_path.parent.name if is_named else zip_path.stem, description.actions)
    return card, assumptions(card, description.version)


def _network(
    zip_path: Path, content: bytes, sha256: str, description: ZipDescription
) -> tuple[Network, list[str]]:
    """The network from policy.npz where it repeats this very zip, else from the zip by torch."""
    arrays = zip_path.with_name(NPZ_NAME)
    if zip_path.name != ZIP_NAME or not arrays.is_file():
        return read_network(content, description), []
    try:
        network = network_from_npz(_read(arrays), sha256)
        reason = "does not repeat this zip"
    except ModelError as error:
        network, reason = None, str(error)
    if network is not None and network.actions == description.actions:
        return network, []
    return read_network(content, description), [f"{arrays} {reason}: read {ZIP_NAME} instead"]


def _replace(path: Path, content: bytes) -> None:
    """Write a file so that a reader sees the old one or the new one, never a part."""
    handle, partial = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(partial, 0o644)
        os.replace(partial, path)
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise
