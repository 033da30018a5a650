"""Settings as command-line flags, and the one place where they are loaded and checked.

Name, default and help of a flag come from `settings.Settings`; nothing is stated twice.
"""

import argparse
import math
import os
import re
import sys
from collections.abc import Iterable
from datetime import date
from typing import Any

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from errors import SettingError
from settings import SECRET, IBSettings, Settings, ThetaSettings

SECRETS = ("theta.key",)
KEY_WARNING = (
    "note: arguments can be read by every program on this machine; "
    "the environment's THETADATA_API_KEY is safer"
)
_FLAG_NAMES = {"start": "from", "end": "to"}
_METAVARS = {
    "data": "DIR",
    "start": "DATE",
    "end": "DATE",
    "model": "NAME|PATH",
    "policy": "NAME",
    "capital": "DOLLARS",
    "contracts": "N",
    "seed": "N",
    "broker": "simulated|ib",
    "out": "DIR",
}
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_OWN_FLAG = re.compile(r" \(--[a-z-]+\)")
"""What a description says of the flag: needless beside the flag itself."""


def add_settings(parser: argparse.ArgumentParser, names: Iterable[str]) -> None:
    """Add a flag for each named setting, and `--set` for all the others."""
    for name in names:
        field = Settings.model_fields[name]
        parser.add_argument(
            f"--{_FLAG_NAMES.get(name, name).replace('_', '-')}",
            dest=name,
            metavar=_METAVARS[name],
            default=argparse.SUPPRESS,
            help=_help(field),
        )
    parser.add_argument(
        "--set",
        dest="assignments",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="any setting of docs/settings.md, rules.profit_target=0.5 say; may be repeated",
    )


def add_theta(parser: argparse.ArgumentParser) -> None:
    """Add the flags of a Theta Terminal: its addresses and the key."""
    group = parser.add_argument_group("Theta Terminal")
    for name in ("url", "ws", "key"):
        group.add_argument(
            f"--theta-{name}",
            dest="assignments",
            action="append",
            type=f"theta.{name}={{}}".format,
            metavar=name.upper(),
            help=_help(ThetaSettings.model_fields[name]),
        )


def add_ib(parser: argparse.ArgumentParser) -> None:
    """Add the flags of Interactive Brokers: the gateway's address and a live account."""
    group = parser.add_argument_group("Interactive Brokers")
    for name, metavar in (("host", "HOST"), ("port", "PORT"), ("live_account", "ID")):
        group.add_argument(
            "--live-account" if name == "live_account" else f"--ib-{name}",
            dest="assignments",
            action="append",
            type=f"ib.{name}={{}}".format,
            metavar=metavar,
            help=_help(IBSettings.model_fields[name]),
        )


def _help(field: FieldInfo) -> str:
    default = field.default
    if isinstance(default, float):
        default = f"{default:g}" if default % 1 else f"{default:,.0f}"
    shown = "" if default is None else f" (default {default})"
    return f"{_OWN_FLAG.sub('', field.description or '')}{shown}".replace("%", "%%")


def load_settings(arguments: argparse.Namespace) -> Settings:
    """The settings of a call: flags over environment over config.toml.

    Raises `SettingError` with one line that names the setting, its value and what is allowed.
    """
    given: dict[str, Any] = {}
    for name in Settings.model_fields:
        if hasattr(arguments, name):
            given[name] = getattr(arguments, name)
    for name in ("start", "end"):  # pydantic alone would take figures for seconds since 1970
        if name in given:
            given[name] = date_of(given[name], f"--{_FLAG_NAMES[name]}")
    for assignment in getattr(arguments, "assignments", ()):
        _assign(given, assignment)
    _refuse_unknown_environment()
    try:
        settings = Settings(**given)
    except ValidationError as error:
        raise SettingError(_first_fault(error)) from error
    except (ValueError, OSError) as error:
        raise SettingError(f"config.toml cannot be read: {_reason(error)}") from error
    if "key" in given.get("theta", ()):
        print(KEY_WARNING, file=sys.stderr)
    return settings


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)


def _assign(given: dict[str, Any], assignment: str) -> None:
    name, equals, value = assignment.partition("=")
    if not equals or not name:
        raise SettingError(f"--set {assignment}: write NAME=VALUE, rules.profit_target=0.5 say")
    *groups, last = name.strip().split(".")
    for group in groups:
        given = given.setdefault(group, {})
        if not isinstance(given, dict):
            raise SettingError(f"--set {assignment}: {group} is no group of settings")
    given[last] = _value(value.strip())


def _value(text: str) -> Any:
    if text.lower() in ("none", ""):
        return None
    return [part.strip() for part in text.split(",")] if "," in text else text


def _first_fault(error: ValidationError) -> str:
    fault = error.errors()[0]
    name = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "extra_forbidden":
        return f"there is no setting {name}; docs/settings.md lists all of them"
    message = fault["msg"][0].lower() + fault["msg"][1:]
    if fault["type"].startswith("date"):
        message = "write a day as YYYY-MM-DD"
    value = SECRET if name.startswith(SECRETS) else repr(fault["input"])
    return f"setting {name} is {value}: {message}"


def _refuse_unknown_environment() -> None:
    """A misspelt ZDTE_ variable must not be ignored in silence."""
    groups = {f"ZDTE_{name.upper()}" for name in Settings.model_fields}
    for variable in os.environ:
        if variable.startswith("ZDTE_") and variable.upper().split("__")[0] not in groups:
            raise SettingError(f"the environment variable {variable} names no setting")


def date_of(text: str | None, name: str) -> date | None:
    """A day as it was typed after the flag `name`; None where nothing was.

    Raises `SettingError` for what is no date.
    """
    if text is None:
        return None
    try:
        if not _DAY.fullmatch(text):  # Python takes 20261030 and 2026-W44-5 too
            raise ValueError
        return date.fromisoformat(text)
    except ValueError as error:
        raise SettingError(f"{name} {text!r} is no date: write YYYY-MM-DD") from error


def speed_of(text: str) -> float:
    """Market seconds a wall second, infinity for `max`. Raises `SettingError` for what is none."""
    try:
        speed = math.inf if text == "max" else float(text)
    except ValueError:
        speed = math.nan
    if not speed > 0 or (math.isinf(speed) and text != "max"):
        raise SettingError(f"--speed {text}: write a number above 0, or max")
    return speed
