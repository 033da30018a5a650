"""What `run.py rlhf` writes into models/trained: gates beside their policy, updated policies."""

from datetime import datetime
from pathlib import Path

from commands.policies import ChosenPolicy
from errors import ModelError
from models.feedback.gate_card import GateCard, write_gate
from models.feedback.lineage import free_name
from models.feedback.promotion_state import Promotion, read_promotion, write_promotion
from models.feedback.update import Update
from models.model_folder import (
    CARD_NAME,
    NPZ_NAME,
    TRAINED_FOLDER,
    ZIP_NAME,
    find_model,
    load_policy,
)
from models.policy_network import NetworkPolicy, network_to_npz


def check_folder(folder: Path, chosen: ChosenPolicy) -> None:
    """Raise `ModelError` where a gate over the policy may not be written into `folder`.

    It holds another policy, something else, or an updated policy with a state of its own.
    """
    state = read_promotion(folder)
    if state is not None and state.kind == "policy":
        raise ModelError(f"{folder} keeps the state of an updated policy: give another --name")
    if (folder / ZIP_NAME).is_file():
        other = load_policy(str(folder))
        if other.sha256 != chosen.sha256:
            raise ModelError(
                f"{folder} holds another policy ({other.sha256[:12]}) than {chosen.policy.name} "
                f"({chosen.sha256[:12]}): give another --name, or --model {folder.name}"
            )
    elif folder.exists() and any(folder.iterdir()):
        raise ModelError(f"{folder} exists and holds no model: give another --name")


def keep_gate(
    folder: Path, card: GateCard, promotion: Promotion, chosen: ChosenPolicy, model: str
) -> None:
    """Write the policy's own files where they are missing, gate.json and promotion.json."""
    _keep_policy(folder, chosen, model)
    write_gate(folder, card)
    write_promotion(folder, promotion)


def _keep_policy(folder: Path, chosen: ChosenPolicy, model: str) -> None:
    if (folder / ZIP_NAME).is_file():
        return
    assert chosen.card is not None and isinstance(chosen.policy, NetworkPolicy)
    content = find_model(model).read_bytes()
    folder.mkdir(parents=True, exist_ok=True)
    card = chosen.card.model_copy(update={"policy_sha256": chosen.sha256})
    (folder / CARD_NAME).write_text(card.to_json(), encoding="utf-8")
    (folder / NPZ_NAME).write_bytes(network_to_npz(chosen.policy.network, chosen.sha256))
    (folder / ZIP_NAME).write_bytes(content)


def keep_update(
    done: Update,
    chosen: ChosenPolicy,
    model: str,
    name: str,
    promotion: Promotion,
    now: datetime,
) -> Path:
    """Write a promoted update into a new folder of models/trained; its path."""
    from models.feedback.updated_model import save_updated

    assert chosen.card is not None and isinstance(chosen.policy, NetworkPolicy)
    parent = load_policy(model, assume_schema=1)
    if parent.sha256 != chosen.sha256:
        raise ModelError(f"{model} changed while it was updated: run it again")
    folder = TRAINED_FOLDER / free_name(f"{name}-policy", TRAINED_FOLDER)
    save_updated(folder, done, parent, find_model(model), now)
    write_promotion(folder, promotion)
    return folder
