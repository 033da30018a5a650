"""Where a model came from: each updated model names its parent by the sha256 of its zip."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from errors import ModelError
from models.card import ModelCard
from models.model_folder import CARD_NAME, TRAINED_FOLDER, trained_names

SHOWN = 12
"""Digits of a hash that a person is shown."""


@dataclass(frozen=True, slots=True)
class Ancestor:
    """A model of a line: its folder's name, its zip's hash, how it was made and when."""

    name: str
    sha256: str
    kind: str
    created: str

    @property
    def line(self) -> str:
        """For a person."""
        return f"{self.name}  {self.sha256[:SHOWN]}  {self.kind}  {self.created}".rstrip()


def lineage_of(card: ModelCard, folder: Path = TRAINED_FOLDER) -> list[Ancestor]:
    """The model of a card and its ancestors, the youngest first.

    A model without a parent ends the line. Raises `ModelError` where a parent is not in `folder`,
    where a card there is damaged, or where the line runs in a circle.
    """
    cards = _cards(folder)
    line = [_ancestor(card.name, card)]
    child = card
    while child.parent_sha256 is not None:
        parent = cards.get(child.parent_sha256)
        if parent is None:
            raise ModelError(
                f"the lineage of {card.name} is broken: the parent of {child.name}, "
                f"{child.parent_sha256[:SHOWN]}, is not in {folder}; put it back there"
            )
        if parent[1].policy_sha256 in {one.sha256 for one in line}:
            raise ModelError(f"the lineage of {card.name} runs in a circle at {parent[0]}")
        line.append(_ancestor(*parent))
        child = parent[1]
    return line


def hashes(line: Sequence[Ancestor]) -> frozenset[str]:
    """The sha256 of every model of a line: answers to any of them are answers to the line."""
    return frozenset(one.sha256 for one in line if one.sha256)


def free_name(wanted: str, folder: Path = TRAINED_FOLDER) -> str:
    """`wanted`, or `wanted-2`, `wanted-3`, ...: the first that is no file or folder yet."""
    name, number = wanted, 1
    while (folder / name).exists():
        number += 1
        name = f"{wanted}-{number}"
    return name


def _cards(folder: Path) -> dict[str, tuple[str, ModelCard]]:
    """Folder name and card of each model by its zip's hash."""
    found: dict[str, tuple[str, ModelCard]] = {}
    for name in trained_names(folder):
        path = folder / name / CARD_NAME
        if path.is_file():
            try:
                card = ModelCard.from_json(path.read_bytes())
            except (ModelError, OSError) as error:
                raise ModelError(f"{path} cannot be read: {error}") from None
            found.setdefault(card.policy_sha256 or "", (name, card))
    return found


def _ancestor(name: str, card: ModelCard) -> Ancestor:
    created = "" if card.created is None else f"{card.created:%Y-%m-%d}"
    kind = card.kind if card.parent_sha256 is None else "updated from answers"
    return Ancestor(name, card.policy_sha256 or "", kind, created)
