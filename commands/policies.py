"""The policy a run uses: a trained model with its card, or a rule that is no model."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

from commands.market_data import is_simulated
from models.card import ModelCard, differences
from models.model_folder import load_policy
from settings import Settings
from strategies.baselines import baseline
from vocabulary import Policy


@dataclass(frozen=True, slots=True)
class ChosenPolicy:
    """A policy, the year convention of its `atm_iv`, and what the person should be told.

    `sha256` is that of the model's zip, empty for a rule.
    """

    policy: Policy
    year_convention: str
    notes: list[str] = field(default_factory=list)
    card: ModelCard | None = None
    sha256: str = ""

    def in_sample(self, dates: Sequence[date], label: str) -> frozenset[date]:
        """The days among `dates` of the data `label` that the model was trained on.

        A day of a simulated market is another day in every other market, the real one included.
        """
        if self.card is None or self.card.training is None:
            return frozenset()
        trained_on = self.card.training.days.source
        if label != trained_on and any(map(is_simulated, (label, trained_on))):
            return frozenset()
        return frozenset(self.card.training_overlap(dates))


def choose_policy(settings: Settings, assume_schema: int | None) -> ChosenPolicy:
    """The policy that `--policy` or `--model` names.

    Raises `SettingError` or `ModelError` with one line where there is no such policy.
    """
    if settings.policy is not None:
        rule = baseline(settings.policy, settings.seed)
        return ChosenPolicy(rule, settings.market.year_convention)
    loaded = load_policy(settings.model, assume_schema=assume_schema)
    notes = [*loaded.notes, *differences(loaded.card, settings)]
    card = loaded.card
    return ChosenPolicy(loaded.policy, card.year_convention, notes, card, loaded.sha256)
