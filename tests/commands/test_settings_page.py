"""The page of settings says what `settings.Settings` says."""

from pathlib import Path

import pytest

from commands.settings_page import settings_page
from settings import Settings

PAGE = Path(__file__).resolve().parents[2] / "docs" / "settings.md"


def row(name: str) -> str:
    return next(line for line in settings_page().splitlines() if line.startswith(f"| `{name}`"))


def test_the_committed_page_is_the_generated_one() -> None:
    advice = "run python -m commands.settings_page > docs/settings.md"
    assert PAGE.read_text(encoding="utf-8") == settings_page(), advice


def test_every_setting_has_a_row_and_its_help() -> None:
    for name, field in Settings.model_fields.items():
        group = field.get_default(call_default_factory=True)
        members = getattr(type(group), "model_fields", None)
        named = {name: field} if members is None else {f"{name}.{m}": members[m] for m in members}
        for full, one in named.items():
            assert one.description, f"{full} has no help"
            assert one.description.replace("|", r"\|") in row(full)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("contracts", "| `1` | whole number >= 1, <= 1000 |"),
        ("rules.profit_target", "| `none` | number >= 0, < 1, or none |"),
        ("rules.quantities", "| `[3, 2, 1]` | 3 whole numbers |"),
        ("rules.waits", "| `answered`, `strict` |"),
        ("rules.strike", r"`^(atm\|otm\|delta=0?\.\d+)$`"),
        ("start", "| date like 2026-10-30, or none |"),
    ],
)
def test_defaults_and_bounds_are_in_words(name: str, says: str) -> None:
    assert says in row(name)
