"""`docs/settings.md`, made from `settings.Settings` so that it cannot say anything else.

python -m commands.settings_page > docs/settings.md
"""

import json
import sys
from collections.abc import Mapping
from typing import Any

from settings import Settings

Schema = Mapping[str, Any]
"""A part of the JSON schema of the settings."""

_HEAD = """# Settings

This page is made by `python -m commands.settings_page > docs/settings.md`; a test keeps it true.

Every setting exists once, in `settings.py`. It can be given in three places, the later ones win:

1. `config.toml` in the working folder. A group is a table: `profit_target = 0.5` below `[rules]`.
   The `config.toml` of a run folder is a complete one.
2. The environment: `ZDTE_CAPITAL=50000`, `ZDTE_RULES__PROFIT_TARGET=0.5`.
3. The command line: `--capital 50000` where there is a flag (`--help` lists them), and
   `--set rules.profit_target=0.5` for every other one. `--set` may be repeated; a list is
   written `--set rules.quantities=3,2,1`, nothing as `none`.

A name or value that is not allowed stops the call with one line and exit code 2. Defaults are shown
as `config.toml` writes them; `none` there means: leave the line out.
"""
_COLUMNS = "| name | default | allowed | what it is |\n| --- | --- | --- | --- |"
_KINDS = {
    "number": "number",
    "integer": "whole number",
    "boolean": "true or false",
    "string": "text",
    "null": "none",
    "date": "date like 2026-10-30",
    "path": "path",
    "password": "secret text",
}
_BOUNDS = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}


def settings_page() -> str:
    """The page as Markdown: a table of the ungrouped settings, then one for each group."""
    schema = Settings.model_json_schema()
    single = {name: one for name, one in schema["properties"].items() if "$ref" not in one}
    groups = {
        name: schema["$defs"][one["$ref"].rpartition("/")[2]]
        for name, one in schema["properties"].items()
        if "$ref" in one
    }
    parts = [_HEAD, f"## Without a group\n\n{_table('', single)}\n"]
    for name, group in groups.items():
        parts.append(
            f"## {name}\n\n{group['description']}\n\n{_table(name, group['properties'])}\n"
        )
    return "\n".join(parts)


def _table(group: str, settings: Mapping[str, Schema]) -> str:
    prefix = f"{group}." if group else ""
    rows = [_row(f"{prefix}{name}", one) for name, one in settings.items()]
    return "\n".join([_COLUMNS, *rows])


def _row(name: str, one: Schema) -> str:
    default = "none" if one["default"] is None else json.dumps(one["default"])
    cells = (f"`{name}`", f"`{default}`", _allowed(one), one["description"])
    escaped = (cell.replace("|", r"\|") for cell in cells)
    return f"| {' | '.join(escaped)} |"


def _allowed(kind: Schema) -> str:
    """What a value may be, in words, from its JSON schema."""
    if "anyOf" in kind:
        return ", or ".join(_allowed(choice) for choice in kind["anyOf"])
    if "enum" in kind:
        return ", ".join(f"`{value}`" for value in kind["enum"])
    if "pattern" in kind:
        return f"`{kind['pattern']}`"
    if kind["type"] == "array":
        each = kind["prefixItems"][0] if "prefixItems" in kind else kind["items"]
        return f"{kind.get('maxItems', '')} {_allowed(each)}s".strip()
    bounds = [f"{sign} {kind[bound]:g}" for bound, sign in _BOUNDS.items() if bound in kind]
    return " ".join([_KINDS[kind.get("format", kind["type"])], ", ".join(bounds)]).strip()


if __name__ == "__main__":
    sys.stdout.write(settings_page())
