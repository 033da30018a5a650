"""`run.py check --full`: the whole desk once, with nothing but this machine.

A session of the simulated market by the real wire formats, from a stand-in for Theta Terminal to a
stand-in for IB Gateway, with scripted answers. A table tells what was suggested, answered, sent,
filled and journaled, and the exit code whether all of it agrees.
"""

import tempfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from brokers.journal.reader import JournalReader
from commands.policies import ChosenPolicy
from commands.screen import say
from desk.calls import LiveCall, Suggester
from desk.ending import Ended, end_session
from desk.opening import open_desk
from feeds.sessions import to_new_york
from settings import Settings
from strategies.baselines import baseline

POLICY = "random"
SPEED = 500.0
HALF_DAY = date(2026, 11, 27)
"""The day after Thanksgiving: everything a session has, in 210 minutes."""

ANSWERS = ("skip", "y", "y", "n not at this hour")
RULES = {
    "decision_minutes": 10.0,
    "wait_minutes": (20.0, 20.0, 20.0),
    "wait_after_skip": 10.0,
    "profit_target": 0.25,
}
"""So that half a day has room for several suggestions, and an entry for its walk at this speed."""

TABLES = ("bars", "suggestions", "decisions", "intents", "executions", "outcomes")


def check_full(settings: Settings) -> int:
    """Play the session and show the table; 0 when everything agrees, 1 otherwise."""
    say("a session of the simulated market, through Theta and IB stand-ins: half a minute")
    with tempfile.TemporaryDirectory(prefix="zdte-check-") as name:
        folder = Path(name)
        settings = _settings(settings, folder)
        answers = folder / "answers.txt"
        answers.write_text("\n".join(ANSWERS) + "\n", encoding="utf-8")
        call = LiveCall(
            kind="mock",
            day=HALF_DAY,
            speed=SPEED,
            answers=answers,
            rehearse=True,
            new_folder=lambda _: folder / "run",
        )
        ended = _play(call, settings)
        doubts = _show(folder / "journal.db", ended)
    for doubt in doubts:
        say(f"wrong: {doubt}")
    if not doubts:
        say("all of it agrees")
    return 1 if doubts else 0


def _settings(settings: Settings, folder: Path) -> Settings:
    live = {"journal": folder / "journal.db", "kill_file": folder / "KILL", "watchdog": False}
    return settings.model_copy(
        update={
            "broker": "ib",
            "policy": POLICY,
            "rules": settings.rules.model_copy(update=RULES),
            "live": settings.live.model_copy(update=live),
            "ib": type(settings.ib)(),
        }
    )


def _play(call: LiveCall, settings: Settings) -> Ended:
    chosen = ChosenPolicy(baseline(POLICY, settings.seed), settings.market.year_convention)
    with open_desk(call, settings, Suggester(chosen.policy), say) as opened:
        opened.market.start()
        opened.desk.run()
        opened.market.close()
        return end_session(opened.journal, chosen.policy, opened.settings)


def _show(journal: Path, ended: Ended) -> list[str]:
    """The table and the counts; what does not agree."""
    with JournalReader(journal) as reader:
        rows = {name: reader.rows(name) for name in TABLES}
    table = Table("time", "suggested", "answered", "sent", "filled", "outcome", box=None)
    for line in _lines(rows):
        table.add_row(*line)
    Console(width=100).print(table)
    say("journaled: " + ", ".join(f"{len(rows[name])} {name}" for name in TABLES))
    if ended.drift is None:
        return [*ended.notes, "the session could not be compared with its replay"]
    say(ended.drift.text())
    return list(_doubts(rows, ended))


def _lines(rows: dict[str, list[dict[str, Any]]]) -> Iterator[tuple[str, ...]]:
    answers = {row["suggestion_id"]: row for row in rows["decisions"]}
    outcomes = {row["suggestion_id"]: row for row in rows["outcomes"]}
    for one in rows["suggestions"]:
        key = one["suggestion_id"]
        answer, outcome = answers.get(key, {}), outcomes.get(key, {})
        entry = [row for row in rows["intents"] if row["suggestion_id"] == key]
        pnl = outcome.get("pnl")
        pnl = outcome.get("shadow_pnl") if pnl is None else pnl
        yield (
            f"{to_new_york(one['ts']):%H:%M}",
            f"{one['action_name']} {one['strike']:g}",
            f"{answer.get('response', 'nothing')}",
            ", ".join(f"{row['limit']:.2f}" for row in entry) or "nothing",
            ", ".join(_fills(rows, entry)) or "nothing",
            "unknown" if pnl is None else f"{pnl:+.2f}",
        )


def _fills(rows: dict[str, list[dict[str, Any]]], entry: list[dict[str, Any]]) -> Iterator[str]:
    refs = {row["order_ref"] for row in entry}
    for row in rows["executions"]:
        if row["order_ref"] in refs:
            yield f"{row['quantity']} at {row['price']:.2f}"


def _doubts(rows: dict[str, list[dict[str, Any]]], ended: Ended) -> Iterator[str]:
    if not any(row["response"] == "y" for row in rows["decisions"]):
        yield "no suggestion was answered y"
    if not rows["executions"]:
        yield "nothing was filled"
    if sum(row["side"] * row["quantity"] for row in rows["executions"]):
        yield "the position was not closed"
    if len(rows["outcomes"]) != len(rows["suggestions"]):
        yield "a suggestion has no outcome"
    if ended.drift is not None and not ended.drift.is_green:
        yield "the session and its replay differ"
