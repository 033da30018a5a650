"""The report on a person's answers as text: `run.py report --human`."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from desk import human
from reports import human_text as text
from reports.formatting import count
from settings import RuleSettings
from vocabulary import Answer

NOTHING = "there are no suggestions in this journal yet: nothing to report"


def human_report(
    table: pd.DataFrame,
    limits: RuleSettings,
    played: Mapping[str, Mapping[str, float]] | None = None,
    notes: Sequence[str] = (),
) -> str:
    """The report on `table` (`desk.human.answered`).

    Args:
        table: may be empty; then the report is one line.
        limits: for the risk bands.
        played: what others earned on the same sessions, by name and session id.
        notes: told at the end.
    """
    return "\n".join(_lines(table, limits, played or {}, notes)) if len(table) else NOTHING


def _lines(
    table: pd.DataFrame,
    limits: RuleSettings,
    played: Mapping[str, Mapping[str, float]],
    notes: Sequence[str],
) -> Iterator[str]:
    first, last = human.session_dates(table)
    sessions = count(table["session_id"].nunique(), "session")
    yield f"{count(len(table), 'suggestion')} in {sessions}, {first} to {last}. Dollars after fees."
    yield ""
    yield from _answers(table)
    yield ""
    yield _delay(table)
    yield from _rivals(table, played)
    yield from _agreement(table, limits)
    yield from _reasons(table)
    yield from (f"note: {note}" for note in notes)


def _answers(table: pd.DataFrame) -> Iterator[str]:
    found = human.groups(table)
    yield text.heading("answer")
    for group in found:
        if group.name == "yes":
            yield text.mean_line("yes, as traded", group.earned)
            yield text.mean_line("yes, simulated", group.shadow)
        else:
            yield text.mean_line(f"{group.name}, simulated", group.shadow)
    unknown = len(table) - int(np.isfinite(table["shadow_pnl"].to_numpy(float)).sum())
    if unknown:
        yield f"{count(unknown, 'suggestion')} without an outcome: not counted"
    for group in found:
        if group.name == "no":
            yield from text.saved(group.shadow)


def _delay(table: pd.DataFrame) -> str:
    yes = table[table["response"] == Answer.YES.value]
    cents, dollars = plain_mean(yes["delay_cents"]), plain_mean(yes["delay_dollars"])
    return text.delay(cents, dollars, float(yes["seconds"].median()))


def plain_mean(values: npt.ArrayLike) -> human.Mean:
    """`desk.human.mean_of` without an interval, where none is told: it is the slow part."""
    figures = np.asarray(values, float)
    known = figures[np.isfinite(figures)]
    mean = float(known.mean()) if known.size else float("nan")
    return human.Mean(known.size, mean, float(known.sum()))


def risks_as_they_rise(bands: Sequence[human.Agreement]) -> list[human.Agreement]:
    """Risk bands in their order: "risk below 0.3", "risk 0.3 to 0.6", "risk from 0.6"."""
    return sorted(
        bands, key=lambda one: 0 if "below" in one.name else 2 if "from" in one.name else 1
    )


def _rivals(table: pd.DataFrame, played: Mapping[str, Mapping[str, float]]) -> Iterator[str]:
    sessions = list(dict.fromkeys(key for theirs in played.values() for key in theirs))
    earned = human.by_session(table, sessions)
    found = human.rivals(earned, played)
    if not found:
        return
    yield ""
    yield text.heading("a session")
    yield text.mean_line("you", human.mean_of(list(earned.values())))
    for rival in found:
        yield text.mean_line(rival.name, rival.theirs)
        yield text.mean_line("  you less that", rival.ahead)


def _agreement(table: pd.DataFrame, limits: RuleSettings) -> Iterator[str]:
    hours, bands = human.agreement(table, limits)
    if hours:
        yield ""
        yield "yes of those answered y or n"
        shares = (*hours, *risks_as_they_rise(bands))
        yield from (text.share_line(one.name, one.yes, one.answers) for one in shares)


def _reasons(table: pd.DataFrame) -> Iterator[str]:
    found = human.reasons(table)
    if found:
        yield ""
        yield "noes that were right (the trade would have lost), by reason"
        for one in found:
            yield text.share_line(one.name, one.right, one.shadow.n)
