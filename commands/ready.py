"""`run.py check --ready`: may the desk trade at Interactive Brokers today?

One table; the exit code gates `--broker ib`: 0 where nothing says no, 1 otherwise. What is only
worth knowing is a note and does not hold back. On paper accounts a person may run the drill.
"""

import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from brokers.journal.journal import Journal
from commands.ready_gateway import Check, Verdict, gateway
from errors import DataError, DeskError
from feeds.sessions import FULL_DAY_MINUTES, is_session, session_on, to_new_york
from settings import Settings
from strategies.events import read_events

JOURNAL = Path("runs/journal.db")


def check_ready(
    settings: Settings,
    ask: Callable[[str], str] | None = None,
    now: Callable[[], int] = time.time_ns,
) -> int:
    """Look at everything, show the table; 0 where the desk may trade, 1 where it must not.

    `ask` puts the question of the drill to a person; without one (None and no terminal) there is no
    drill. `now` is market time in nanoseconds.
    """
    ask = ask or (input if sys.stdin.isatty() else None)
    day = to_new_york(now()).date()
    checks = [calendar(day), events(settings, day), journal(settings)]
    checks += gateway(settings, day, ask, now)
    table = Table("check", "ready", "what was found", box=None)
    colours = {Verdict.YES: "green", Verdict.NOTE: "yellow", Verdict.NO: "red"}
    for one in checks:
        table.add_row(one.name, f"[{colours[one.verdict]}]{one.verdict}[/]", escape(one.words))
    Console().print(table)
    return 1 if any(one.verdict == Verdict.NO for one in checks) else 0


def calendar(day: date) -> Check:
    """Whether the exchange is open on a New York day, and until when."""
    if not is_session(day):
        return Check("calendar", Verdict.NO, f"{day} ({day:%A}) is no trading day")
    session = session_on(day)
    half = session.minutes < FULL_DAY_MINUTES
    words = f"{day}: {session.open:%H:%M} to {session.close:%H:%M} New York"
    return Check("calendar", Verdict.NOTE if half else Verdict.YES, words + ", HALF DAY" * half)


def events(settings: Settings, day: date) -> Check:
    """Whether the events file is there and reaches the day."""
    path = settings.rules.events
    if path is None:
        return Check(
            "events", Verdict.NOTE, "no rules.events: FOMC, CPI and the like block nothing"
        )
    try:
        known = read_events(path)
    except DataError as error:
        return Check("events", Verdict.NO, str(error))
    last = max((to_new_york(event.end_ts).date() for event in known), default=date.min)
    if last < day:
        return Check("events", Verdict.NO, f"{path} ends before {day}: bring it up to date")
    today = [
        f"{event.name} {'blocks' if event.blocks else 'warns'} until "
        f"{to_new_york(event.end_ts):%H:%M}"
        for event in known
        if to_new_york(event.start_ts).date() <= day <= to_new_york(event.end_ts).date()
    ]
    return Check("events", Verdict.YES, "; ".join(today) or f"none on {day}")


def journal(settings: Settings) -> Check:
    """Whether the journal takes writing, and nobody else writes it."""
    path = settings.live.journal or JOURNAL
    try:
        with Journal(path):
            return Check("journal", Verdict.YES, f"{path} can be written, no other desk has it")
    except DeskError as error:
        return Check("journal", Verdict.NO, str(error))
