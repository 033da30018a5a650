"""The page on a person's answers, with its pictures inside."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from reports.charts import answers
from reports.charts.style import png, styled
from reports.formatting import DASH, count, money, percent
from reports.human_figures import FEWEST, Choosing, HumanFigures, ReasonFigures
from reports.human_text import MeanFigures, cents_a_contract
from reports.page import Picture, render_page, write_page
from reports.statistics import wilson
from reports.summary import Tile
from reports.tables import Table, interval_cell, signed

MEANS = ("n", "Mean", "Total", "95 % of the mean")


def draw_human_page(figures: HumanFigures, page: Path) -> Path:
    """Write the page on `figures` (at least one suggestion); its path."""
    with styled():
        pictures = [Picture(name, told, png(draw())) for name, told, draw in _plan(figures)]
    return write_page(
        page,
        render_page(
            "human.html.j2",
            pictures,
            figures=figures,
            tiles_=tiles(figures),
            verdict=verdict(figures.choosing),
            few=count(len(figures.table), "suggestion") if len(figures.table) < FEWEST else "",
            outcomes=outcomes(figures),
            rivals=rivals(figures),
            reasons=reasons(figures.reasons),
            models=models(figures.models),
        ),
    )


def _plan(figures: HumanFigures) -> Iterator[tuple[str, str, Callable[[], Figure]]]:
    table = figures.table
    if answers.known_kinds(table):
        yield (
            "curves",
            "Dollars after fees, each answer by itself. What was not traded is simulated: the same "
            "order, by the rules, without you.",
            lambda: answers.curves(table),
        )
        yield (
            "means",
            "An interval that holds zero does not tell gain from loss; a hollow dot is of too few.",
            lambda: answers.means(figures.groups),
        )
        yield (
            "spread",
            f"A dot a suggestion up to {answers.EACH_UP_TO}; of more the middle half as a box, the "
            "middle 90 % as a line.",
            lambda: answers.spread(table),
        )
    if np.isfinite(table["seconds"][table["response"].isin(answers.ANSWERED)]).any():
        yield (
            "latency",
            "Answers y, n and skip. Above zero the price moved against the order meanwhile; a cent "
            "of the option's price is 100 cents a contract.",
            lambda: answers.latency(table),
        )
    if any(figures.agreement.values()):
        yield (
            "agreement",
            "Of those answered y or n; lines are 95 % of the share (Wilson).",
            lambda: answers.agreement(figures.agreement),
        )
    if figures.reasons:
        yield (
            "reasons",
            "Right: the trade would have lost. Lines are 95 %; a hollow dot is of too few.",
            lambda: answers.reasons(figures.reasons),
        )


def tiles(figures: HumanFigures) -> list[Tile]:
    """The figures of the first page."""
    one, table = figures.choosing, figures.table
    noes = [group for group in figures.groups if group.name in ("no", "skip")]
    spared = sum(group.shadow.total for group in noes)
    said = table[table["response"].isin(answers.ANSWERED)]
    seconds = said["seconds"].to_numpy(float)
    known = seconds[np.isfinite(seconds)]
    waited = f"{np.median(known):,.1f} s" if known.size else DASH
    return [
        Tile("Suggestions", f"{one.n:,}", f"in {count(one.sessions, 'session')}"),
        Tile("Yes", percent(one.yes / one.answers) if one.answers else DASH, "of y and n"),
        Tile("Earned by yes", signed(one.earned.total), f"{count(one.earned.n, 'trade')}"),
        Tile(
            "Not traded, simulated",
            signed(spared) if noes else DASH,
            f"{sum(group.shadow.n for group in noes):,} of no and skip",
        ),
        Tile("Median answer", waited, count(known.size, "answer")),
        Tile(
            "Cost of the delay",
            f"{cents_a_contract(figures.cents)} c a contract" if figures.cents.n else DASH,
            f"{money(figures.dollars.total)} in all, of {figures.cents.n:,} yes",
        ),
    ]


def verdict(one: Choosing) -> str:
    """Whether choosing helped, in a sentence that says how sure that is."""
    if one.added != one.added:
        return "Nothing can be said of your choosing yet: there must be yes and no with an outcome."
    amount = f"{money(abs(one.added))} {'more' if one.added >= 0 else 'less'}"
    start = (
        f"By the same rules, what you took made {amount} a suggestion than what you refused or "
        f"skipped ({one.taken.n:,} and {one.refused.n:,} figures)"
    )
    low, high = one.interval
    if low != low:
        return f"{start}: too few to say whether that is more than luck."
    where = f"95 %: {money(low)} to {money(high)}"
    if low <= 0 <= high:
        return f"{start}. That may be luck ({where})."
    return f"{start}; chance alone seldom does that ({where})."


def outcomes(figures: HumanFigures) -> Table:
    """By answer: what was earned, and what the same suggestions made simulated."""
    rows = []
    for group in figures.groups:
        if group.name == "yes":
            rows.append((f"{group.name}, as traded", *_mean(group.earned)))
        rows.append((f"{group.name}, simulated", *_mean(group.shadow)))
    return Table(("Answer", *MEANS), rows)


def _mean(figures: MeanFigures) -> tuple[str, ...]:
    if not figures.n:
        return "0", DASH, DASH, DASH
    return f"{figures.n:,}", signed(figures.mean), signed(figures.total), _between(figures.interval)


def _between(ends: Sequence[float]) -> str:
    return "too few" if ends[0] != ends[0] else interval_cell(ends)


def rivals(figures: HumanFigures) -> Table:
    """You and others on the same sessions, dollars a session."""
    if figures.you is None:
        return Table((), [])
    rows = [("you", *_mean(figures.you), *[DASH] * 2)]
    rows += [
        (one.name, *_mean(one.theirs), signed(one.ahead.mean), _between(one.ahead.interval))
        for one in figures.rivals
    ]
    return Table(("A session", *MEANS, "You less that", "95 %"), rows)


def reasons(found: Sequence[ReasonFigures]) -> Table:
    """The noes by reason: how many were right, what they saved."""
    rows = []
    for one in found:
        known, (low, high) = one.shadow.n, wilson(one.right, one.shadow.n)
        rows.append(
            (
                one.name,
                f"{one.n:,}",
                f"{one.right:,} of {known:,}",
                f"{percent(low)} to {percent(high)}" if known else DASH,
                signed(-one.shadow.mean) if known else DASH,
                signed(-one.shadow.total) if known else DASH,
            )
        )
    columns = ("Reason", "Noes", "Right", "95 %", "Saved by a no", "Saved in all")
    return Table(columns, rows)


def models(found: Sequence[Choosing]) -> Table:
    """Versions of the model: what they offered, how often you agreed, what choosing added."""
    columns = (
        *("Model", "Sessions", "Suggestions", "Yes", "Offered, simulated", "95 %"),
        *("Earned by yes", "Taken less refused", "95 %"),
    )
    rows = [
        (
            one.name,
            f"{one.sessions:,}",
            f"{one.n:,}",
            percent(one.yes / one.answers) if one.answers else DASH,
            signed(one.offered.mean) if one.offered.n else DASH,
            _between(one.offered.interval),
            signed(one.earned.total) if one.earned.n else DASH,
            signed(one.added),
            _between(one.interval),
        )
        for one in found
    ]
    return Table(columns, rows)
