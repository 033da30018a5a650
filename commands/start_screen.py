"""The start-up screen of a live session: what is traded, its limits, and what is missing."""

import io
from collections.abc import Iterator

from rich.console import Console
from rich.table import Table

from commands.policies import ChosenPolicy
from desk.open_session import OpenDesk
from settings import Settings

WIDTH = 100


def show_start(opened: OpenDesk, chosen: ChosenPolicy) -> None:
    """The start-up screen: what is traded, on what, under which limits, and what is missing."""
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    for what, words in _start_lines(opened, chosen):
        table.add_row(what, words)
    screen = io.StringIO()
    Console(file=screen, width=WIDTH).print(table)
    opened.person.say(screen.getvalue().rstrip())


def _start_lines(opened: OpenDesk, chosen: ChosenPolicy) -> Iterator[tuple[str, str]]:
    settings, market, facts = opened.settings, opened.market, opened.facts
    r, live = settings.rules, settings.live
    again = "goes on" if opened.resumed else "begins"
    yield "session", f"{market.mask.day(market.session.date)}, {facts.mode}, {again}"
    yield "market", market.label
    if market.advice:
        yield "missing", market.advice
    yield "account", f"{opened.account.name}, {settings.broker} broker"
    yield "suggests", f"{chosen.policy.name} ({_card_words(chosen)})"
    for note in chosen.notes:
        yield "note", note
    loss = r.daily_loss * settings.capital
    yield (
        "limits",
        (
            f"capital {settings.capital:,.0f} dollars, {settings.contracts} contract(s) at a time, "
            f"daily loss {loss:,.0f} dollars"
        ),
    )
    exits = "by the approved plan" if live.exits == "plan" else "asked for as well"
    at = f"time exit {r.time_exit_minutes:g} minutes before the close"
    yield "exits", f"{exits}; {'NO time exit: held to expiry' if r.hold_to_expiry else at}"
    yield "stop", _stop_words(settings)
    gate = opened.gate
    if gate is not None:
        words = gate.why or "by your earlier answers"
        yield "gate", f"{gate.mode}, {gate.version}: {words}"
    yield "watchdog", "on" if live.watchdog else "off"
    if r.events is None:
        yield "missing", "no events.csv (--set rules.events=FILE): FOMC and CPI block nothing"
    for sentence in opened.found:
        yield "found", sentence
    yield "files", f"{opened.folder}, journal {opened.journal.path}"
    yield "keys", "y, n, skip; help lists the rest; Ctrl-C stops, the same command goes on"


def _card_words(chosen: ChosenPolicy) -> str:
    if chosen.card is None:
        return "a rule, no model"
    return f"model {chosen.sha256[:12]}, {len(chosen.card.actions)} actions"


def _stop_words(settings: Settings) -> str:
    if settings.broker != "ib" or not settings.ib.native_stop:
        return "the desk's own alone: no stop rests at a broker"
    return f"the desk's own, and one at IB at {settings.ib.native_stop_factor:g} times its price"
