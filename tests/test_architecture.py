"""The walls of the house: who may import whom, and where heavy libraries may appear."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SHARED = {"errors", "settings", "vocabulary"}
ALLOWED = {
    "errors": set(),
    "settings": set(),
    "vocabulary": {"feeds.contract"},
    "feeds": {"errors", "settings"},
    "strategies": {*SHARED, "feeds"},
    "brokers": {*SHARED, "feeds"},
    "models": {*SHARED, "feeds", "strategies", "brokers.fills"},
    "reports": {*SHARED, "feeds"},
    "desk": {*SHARED, "feeds", "strategies", "brokers", "models", "reports"},
    "dashboard": {*SHARED, "feeds", "brokers", "desk"},
    "commands": {
        *(*SHARED, "feeds", "strategies", "brokers", "models", "reports"),
        *("desk", "dashboard"),
    },
    "run": {"errors", "commands"},
}
BOUND = {
    "torch": {"models"},
    "stable_baselines3": {"models"},
    "sb3_contrib": {"models"},
    "gymnasium": {"models"},
    "ib_insync": {"brokers"},
    "backtrader": {"feeds", "strategies", "brokers", "desk", "commands"},
    "prompt_toolkit": {"desk"},
    "filelock": {"feeds", "brokers", "desk"},
    "sklearn": {"models"},
    "optuna": {"models"},
    "matplotlib": {"reports", "models"},
    "requests": {"feeds"},
    "websockets": {"feeds"},
    "starlette": {"feeds", "dashboard"},
    "uvicorn": {"feeds", "dashboard"},
    "apprise": {"dashboard"},
    "ray": {"models"},
}
OURS = set(ALLOWED)


def sources() -> list[Path]:
    tops = [ROOT / f"{name}.py" for name in ALLOWED if (ROOT / f"{name}.py").exists()]
    folders = [ROOT / name for name in ALLOWED if (ROOT / name).is_dir()]
    return tops + [path for folder in folders for path in sorted(folder.rglob("*.py"))]


def imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path} imports relatively"
            names |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
    return names


def room(path: Path) -> str:
    relative = path.relative_to(ROOT)
    return relative.parts[0].removesuffix(".py")


def within(name: str, places: set[str]) -> bool:
    return any(name == place or name.startswith(f"{place}.") for place in places)


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_folders_depend_one_way(path: Path) -> None:
    here = room(path)
    for name in imports(path):
        if name.split(".")[0] in OURS - {here}:
            parents = {place for place in ALLOWED[here] if place.startswith(f"{name}.")}
            assert within(name, ALLOWED[here]) or parents, f"{path} must not import {name}"


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_heavy_libraries_stay_in_their_rooms(path: Path) -> None:
    for name in imports(path):
        rooms = BOUND.get(name.split(".")[0])
        assert rooms is None or room(path) in rooms, f"{path} must not import {name}"


@pytest.mark.parametrize(
    ("one", "stranger"),
    [
        ("feeds.theta", "feeds.theta_simulator"),
        ("feeds.theta_simulator", "feeds.theta"),
        ("brokers.ib", "brokers.ib_gateway"),
        ("brokers.ib_gateway", "brokers.ib"),
    ],
)
def test_a_connector_and_its_stand_in_read_the_reference_apart(one: str, stranger: str) -> None:
    for path in sorted((ROOT / one.replace(".", "/")).rglob("*.py")):
        for name in imports(path):
            assert not within(name, {stranger}), f"{path} must not import {name}"


def test_a_backtest_needs_no_torch() -> None:
    check = (
        "import sys, commands.backtest, commands.baselines; "
        "heavy = {'torch', 'stable_baselines3', 'gymnasium', 'matplotlib'} & set(sys.modules); "
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
