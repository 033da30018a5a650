"""The model card: everything one must know to use a model as it was trained.

A stable-baselines3 zip says which shape goes in and out, and nothing about what the figures mean.
The card does: features, actions, rules, risk score, strike, year convention, training days. It is
`card.json` beside the zip and an attribute inside it.
"""

import hashlib
import json
from collections.abc import Iterable
from datetime import date
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    ValidationError,
    field_validator,
    model_validator,
)

from errors import ModelError
from settings import RiskSettings, RuleSettings, Settings, YearConvention
from vocabulary import FEATURE_VERSION, FEATURES, Action

SCHEMA_VERSION: Final = 1
MASK_VERSION = 1
"""Version of what makes an action illegal: rules, an open position, a missing quote."""
RISK_VERSION = 1
"""Version of the formula of `risk_score`; its figures are in the card."""
RULES_VERSION = 1
"""Version of the meaning of the rules; their figures are in the card."""

ACTION_NAMES = tuple(action.name.lower() for action in Action)

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
EightFigures = Annotated[tuple[FiniteFloat, ...], Field(min_length=8, max_length=8)]
HyperParameter = bool | int | FiniteFloat | str | None


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SessionDays(_Section):
    """A set of sessions: their source, dates, and a hash by which two sets can be compared."""

    source: str
    first: date
    last: date
    count: int
    sha256: Sha256
    dates: tuple[date, ...] = Field(min_length=1)

    @classmethod
    def of(cls, source: str, dates: Iterable[date]) -> Self:
        """The set of these dates (New York sessions, any order, at least one)."""
        days = tuple(sorted(set(dates)))
        return cls(
            source=source,
            first=days[0],
            last=days[-1],
            count=len(days),
            sha256=_digest(days),
            dates=days,
        )

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        summary = (self.first, self.last, self.count, self.sha256)
        if summary != (self.dates[0], self.dates[-1], len(self.dates), _digest(self.dates)):
            raise ValueError("first, last, count or sha256 do not fit the dates")
        return self

    def overlap(self, dates: Iterable[date]) -> tuple[date, ...]:
        """Which of the given dates belong to the set, oldest first."""
        return tuple(sorted(set(self.dates) & set(dates)))


def _digest(dates: Iterable[date]) -> str:
    return hashlib.sha256("\n".join(day.isoformat() for day in dates).encode()).hexdigest()


class Standardisation(_Section):
    """Constants (x - mean) / sd of the 8 features in training; already folded into the zip."""

    mean: EightFigures
    sd: EightFigures

    @field_validator("sd")
    @classmethod
    def _positive(cls, sd: tuple[float, ...]) -> tuple[float, ...]:
        if min(sd) <= 0:
            raise ValueError("standard deviations must be positive")
        return sd


class TrainingRecord(_Section):
    """How a model was trained, in enough detail to train it again.

    `days` are the sessions it learned from, `validation` those its seed was chosen by.
    """

    days: SessionDays
    validation: SessionDays | None = None
    reward: str
    seed: int
    seeds: tuple[int, ...] = Field(description="all that were tried; `seed` was kept")
    steps: int
    hyper_parameters: dict[str, HyperParameter]
    library_versions: dict[str, str]
    code_commit: str | None = None


class EvaluationRecord(_Section):
    """Figures on days nobody looked at: policy (the model and each baseline) -> metric -> value."""

    days: SessionDays
    metrics: dict[str, dict[str, FiniteFloat | None]]


class ModelCard(_Section):
    """What a model expects and how it came to be; `policy_sha256` ties it to its zip."""

    schema_version: Literal[1] = SCHEMA_VERSION
    name: str
    kind: Literal["ppo", "maskable_ppo"]
    actions: tuple[str, ...]
    feature_version: int = FEATURE_VERSION
    feature_names: tuple[str, ...] = FEATURES
    mask_version: int = MASK_VERSION
    risk_version: int = RISK_VERSION
    risk: RiskSettings
    rules_version: int = RULES_VERSION
    rules: RuleSettings
    capital: float
    contracts: int
    year_convention: YearConvention
    standardisation: Standardisation | None = None
    training: TrainingRecord | None = None
    evaluations: dict[str, EvaluationRecord] = Field(default_factory=dict)
    parent_sha256: Sha256 | None = None
    created: AwareDatetime | None = None
    policy_sha256: Sha256 | None = None

    @property
    def strike_rule(self) -> str:
        """How the strike is chosen: `atm`, `otm` or `delta=0.20`."""
        return self.rules.strike

    def to_json(self) -> str:
        """The card as indented JSON; equal cards give equal text."""
        return self.model_dump_json(indent=2) + "\n"

    def to_plain(self) -> dict[str, Any]:
        """The card as JSON types, to be carried inside a zip."""
        plain: dict[str, Any] = self.model_dump(mode="json")
        return plain

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """The card of `to_json`. Raises `ModelError` with the first thing that is wrong."""
        try:
            plain = json.loads(text)
        except (ValueError, RecursionError):
            raise ModelError("its card is not JSON") from None
        return cls.from_plain(plain)

    @classmethod
    def from_plain(cls, plain: object) -> Self:
        """The card of `to_plain`. Raises `ModelError` with the first thing that is wrong."""
        try:
            # Through JSON, so that dates and tuples are read by the same rules from both places.
            return cls.model_validate_json(json.dumps(plain))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "card"
            raise ModelError(f"its card is wrong at {where}: {first['msg']}") from None

    def check_fit(self, actions: int) -> None:
        """Raise `ModelError` unless this desk can feed the model and read its `actions` outputs."""
        versions = (
            ("features", self.feature_version, FEATURE_VERSION),
            ("mask", self.mask_version, MASK_VERSION),
            ("risk score", self.risk_version, RISK_VERSION),
            ("rules", self.rules_version, RULES_VERSION),
        )
        for subject, card, desk in versions:
            if card != desk:
                raise ModelError(f"its card asks for {subject} version {card}, the desk has {desk}")
        if self.feature_names != FEATURES:
            raise ModelError(f"its card names other features: {', '.join(self.feature_names)}")
        if self.actions != ACTION_NAMES[:actions]:
            raise ModelError(
                f"its card's actions ({', '.join(self.actions)}) are not those of its network "
                f"({', '.join(ACTION_NAMES[:actions])})"
            )

    def training_overlap(self, dates: Iterable[date]) -> tuple[date, ...]:
        """Which of these sessions are IN SAMPLE, oldest first: learned from, or chosen by."""
        if self.training is None:
            return ()
        parts = (self.training.days, self.training.validation)
        days = set().union(*(part.overlap(dates) for part in parts if part is not None))
        return tuple(sorted(days))


def assumed_card(name: str, actions: int) -> ModelCard:
    """The card of schema 1 for a bare zip: the desk's defaults, nothing known of its training."""
    defaults = Settings.model_construct()
    return ModelCard(
        name=name,
        kind="ppo",
        actions=ACTION_NAMES[:actions],
        risk=RiskSettings(),
        rules=RuleSettings(),
        capital=defaults.capital,
        contracts=defaults.contracts,
        year_convention=defaults.market.year_convention,
    )


def assumptions(card: ModelCard, version: str) -> list[str]:
    """The lines that tell a person what `assumed_card` takes for granted.

    `version` is the stable-baselines3 that wrote the zip.
    """
    table = ", ".join(f"{index} {action}" for index, action in enumerate(card.actions))
    return [
        f"{card.name} (stable-baselines3 {version}) has no card; --assume-schema 1 assumes that",
        f"  its features are version {card.feature_version}: {', '.join(card.feature_names)}",
        f"  its actions are {table} (from the size of its action space)",
        f"  it was trained under the default rules and risk score, strike {card.strike_rule}, "
        f"with {card.contracts} contract and {card.capital:,.0f} dollars",
        f"  its atm_iv counts time by the '{card.year_convention}' year convention",
        "  its training days are unknown: IN SAMPLE days cannot be marked",
    ]


def differences(card: ModelCard, settings: Settings) -> list[str]:
    """A line for each figure of a run that is not the one the model was trained under."""
    trained = {
        "capital": card.capital,
        "contracts": card.contracts,
        "market.year_convention": card.year_convention,
        **_figures(card.risk, card.rules),
    }
    used = {
        "capital": settings.capital,
        "contracts": settings.contracts,
        "market.year_convention": settings.market.year_convention,
        **_figures(settings.risk, settings.rules),
    }
    return [
        f"this model was trained under {name} = {trained[name]}, this run uses {used[name]}"
        for name in trained
        if trained[name] != used[name]
    ]


def _figures(risk: RiskSettings, rules: RuleSettings) -> dict[str, object]:
    return {
        **{f"risk.{name}": value for name, value in risk},
        **{f"rules.{name}": value for name, value in rules},
    }
