"""The documentation keeps its word: links lead somewhere, names exist, commands are understood."""

import argparse
import json
import pkgutil
import re
import shlex
from pathlib import Path

import pytest

import run
from commands.options import load_settings
from feeds.theta_simulator.faults import FAULTS

ROOT = Path(__file__).resolve().parent.parent
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
FENCED = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#\s]*)(?:#([^)\s]+))?\)")
FILE = re.compile(r"`([\w./-]+/[\w-]+\.(?:py|md|toml|txt))`")
NAME = re.compile(
    r"`((?:feeds|strategies|brokers|models|reports|commands|desk|dashboard|settings|vocabulary|run)(?:\.\w+)+)`"
)
FILE_ENDINGS = {"py", "md", "toml"}


def prose(page: Path) -> str:
    """The page without its fenced blocks."""
    return FENCED.sub("", page.read_text(encoding="utf-8"))


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.replace(" ", "-") for heading in plain}


def shell_lines(page: Path) -> list[str]:
    """The lines of the page's shell blocks."""
    blocks = [text for kind, text in FENCED.findall(page.read_text("utf-8")) if kind == "sh"]
    return [line for block in blocks for line in block.splitlines() if line]


def commands() -> list[str]:
    return [
        line for page in PAGES for line in shell_lines(page) if line.startswith("python run.py")
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    for target, anchor in LINK.findall(prose(page)):
        assert not target.startswith("http"), f"{page.name} names a host: {target}"
        found = (page.parent / target).resolve() if target else page
        assert found.exists(), f"{page.name} links to {target}"
        assert not anchor or anchor in anchors(found), f"{page.name} links to {target}#{anchor}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_and_name_of_ours_exists(page: Path) -> None:
    for path in FILE.findall(prose(page)):
        assert (ROOT / path).exists(), f"{page.name} names the file {path}"
    for name in NAME.findall(prose(page)):
        if name.rpartition(".")[2] not in FILE_ENDINGS:
            pkgutil.resolve_name(name)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_verb_exists(page: Path) -> None:
    for verb in re.findall(r"run\.py ([a-z]+)", page.read_text("utf-8")):
        assert verb in run.VERBS, f"{page.name} tells of run.py {verb}"


@pytest.mark.parametrize("command", commands())
def test_every_command_is_understood(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    _, _, verb, *words = shlex.split(command)
    parser = argparse.ArgumentParser()
    pkgutil.resolve_name(f"commands.{'import_' if verb == 'import' else verb}").add_arguments(
        parser
    )
    load_settings(parser.parse_args(words))


def test_the_tour_tells_of_every_verb() -> None:
    told = " ".join(shell_lines(ROOT / "README.md"))
    assert all(f"run.py {verb} " in told for verb in run.VERBS)


def test_every_make_target_exists() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^([\w]+):", makefile, re.MULTILINE)) | {".venv/.created"}
    assert "$(VENV)/.created:" in makefile
    for page in PAGES:
        for line in shell_lines(page):
            if line.startswith("make "):
                assert line.split()[1] in targets, f"{page.name}: {line}"


def test_every_decision_is_in_the_list_of_decisions() -> None:
    folder = ROOT / "docs" / "decisions"
    listed = re.findall(r"\((\d{4}-[^)]+)\)", (folder / "README.md").read_text("utf-8"))
    assert listed == sorted(path.name for path in folder.glob("0*.md"))


def test_the_bundled_models_figures_are_those_of_its_card() -> None:
    card = json.loads((ROOT / "models/trained/bundled/card.json").read_text("utf-8"))
    page = (ROOT / "docs" / "models.md").read_text("utf-8")
    assert card["policy_sha256"][:16] in page, "another model: describe it again"
    rows = [row for part in card["evaluations"].values() for row in part["metrics"].items()]
    for policy, figures in rows:
        cells = (
            f"`{policy}`",
            f"{figures['trades']:.0f}",
            f"{figures['mean']:,.2f} ± {figures['standard_error']:,.2f}",
            f"{figures['mean_less_delta']:,.2f} ± {figures['standard_error_less_delta']:,.2f}",
            f"{figures['worst_session']:,.2f}",
        )
        assert f"| {' | '.join(cells)} |" in page, policy


def test_every_fault_of_the_simulated_terminal_is_described() -> None:
    page = (ROOT / "docs" / "theta.md").read_text("utf-8")
    for name, what in FAULTS.items():
        assert f"| `{name}` | {what} |" in page
