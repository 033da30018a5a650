"""The report of `run.py rlhf`: one page with its pictures inside."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from reports.charts import feedback as charts
from reports.charts.style import png, styled
from reports.feedback import FeedbackFigures
from reports.formatting import count, money, money_interval, number, percent
from reports.page import REPORT, Picture, keep_pictures, render_page, write_page
from reports.tables import Table

METRICS = "metrics.json"


def draw_feedback(folder: Path, figures: FeedbackFigures) -> Path:
    """Write metrics.json, report.html and pictures/*.png of a run; the report's path."""
    write_metrics(folder, figures)
    with styled():
        pictures = list(_pictures(figures))
    keep_pictures(folder, pictures)
    return write_page(folder / REPORT, _page(figures, pictures))


def write_metrics(folder: Path, figures: FeedbackFigures) -> None:
    """Write metrics.json: the page's figures but for the maps; what is not known is null."""
    plain = {
        "model": figures.model,
        "model_sha256": figures.sha256,
        "verdict": figures.verdict,
        "answers": figures.answers,
        "yes": figures.yes,
        "sources": [list(one) for one in figures.sources],
        "calibration": [asdict(one) for one in figures.calibration],
        "earned": [asdict(one) for one in figures.earned],
        "contests": [
            {
                "name": one.name,
                "sessions": len(one.dates),
                "before": float(one.before.sum()),
                "after": float(one.after.sum()),
            }
            for one in figures.contests
        ],
        "checks": [asdict(one) for one in figures.checks],
        "learning": [list(one) for one in figures.learning],
        "lineage": list(figures.lineage),
        "notes": list(figures.notes),
    }
    text = json.dumps(_known(plain), indent=2, allow_nan=False)
    (folder / METRICS).write_text(text + "\n", encoding="utf-8")


def _known(value: Any) -> Any:
    """The same with None for what is not a number."""
    if isinstance(value, dict):
        return {key: _known(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_known(part) for part in value]
    return None if isinstance(value, float) and value != value else value


def _page(figures: FeedbackFigures, pictures: Sequence[Picture]) -> str:
    return render_page(
        "feedback.html.j2",
        pictures,
        figures=figures,
        contests=[(one, f"before_after_{place}") for place, one in enumerate(figures.contests)],
        told=f"{count(figures.answers, 'answer')}, {figures.yes} of them y",
        sources=sources(figures),
        earned=earned(figures),
        checks=checks(figures),
        learning=learning(figures),
    )


def _pictures(figures: FeedbackFigures) -> Iterator[Picture]:
    if figures.curve is not None and figures.curve.said.size:
        yield Picture(
            "agreement",
            "How often the person said y, and how often among what a gate fitted on the answers "
            "before would have let through. Each answer was foretold before it was known.",
            png(charts.agreement(figures.curve)),
        )
    if figures.calibration:
        yield Picture(
            "calibration",
            "Answers in groups of rising probability. On the line, 70 % means 7 of 10.",
            png(charts.calibration(figures.calibration)),
        )
    if figures.map is not None:
        yield Picture(
            "decision_map",
            "Policy: probability of a sale by a flat desk. Gate: probability of y to the likelier "
            "sale; the white line is its threshold. Person: share of y, with the number of "
            "answers; pale fields were never asked about.",
            png(charts.decision_map(figures.map)),
        )
    if figures.earned:
        yield Picture(
            "earned",
            "Executed trades as they were; everything else as its shadow, the same order by the "
            "same rules without a person. Bars without a line are too few for an interval.",
            png(charts.earned(figures.earned)),
        )
    for place, one in enumerate(figures.contests):
        if len(one.dates):
            yield Picture(f"before_after_{place}", one.sentence, png(charts.before_after(one)))


def sources(figures: FeedbackFigures) -> Table:
    """Answers by where they were given."""
    rows = [(name, f"{n}", f"{yes}", percent(yes / n)) for name, n, yes in figures.sources]
    return Table(("source", "answers", "y", "share of y"), rows)


def earned(figures: FeedbackFigures) -> Table:
    """What kinds of suggestions earned."""
    rows = [
        (
            one.name,
            "real" if one.is_real else "shadow",
            f"{one.n}",
            money(one.mean, signed=True),
            money_interval(*one.interval),
            money(one.total, signed=True),
        )
        for one in figures.earned
    ]
    columns = ("suggestions", "P&L", "n", "mean", "95 % of the mean", "total")
    return Table(columns, rows, words=frozenset({0, 1}))


def checks(figures: FeedbackFigures) -> Table:
    """Every check of a promotion."""
    rows = [(one.candidate, one.name, one.outcome, one.why) for one in figures.checks]
    return Table(("candidate", "check", "outcome", "why"), rows, words=frozenset(range(4)))


def learning(figures: FeedbackFigures) -> Table:
    """What fewer answers would have been worth."""
    rows = [
        (
            *(f"{answers}", f"{later}", number(auc), number(loss)),
            *(f"{shown}", percent(agreed), percent(base)),
        )
        for answers, later, auc, loss, shown, agreed, base in figures.learning
    ]
    heads = (
        *("first answers", "later ones", "AUC on these", "log-loss"),
        *("would be shown", "y of these", "y of all later"),
    )
    return Table(heads, rows, words=frozenset())
