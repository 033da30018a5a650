"""The report of an evaluation, drawn from its run folder alone."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from errors import DataError
from reports import evaluation_text as text
from reports.charts import evaluation as charts
from reports.charts.style import png, styled
from reports.evaluation import BASELINE, CANDIDATE, Figures, Outcome, series
from reports.formatting import MINUS, listing
from reports.page import REPORT, Picture, keep_pictures, render_page, write_page

OUTCOMES, METRICS, CONFIGURATION = "outcomes.json", "metrics.json", "config.toml"
_JOINED = "\u2060"
"""Word joiner: no line ends between a minus and its amount."""


def write_evaluation(folder: Path, outcomes: Sequence[Outcome], figures: Figures) -> None:
    """Write outcomes.json and metrics.json; what is not known is null."""
    (folder / OUTCOMES).write_text(json.dumps(outcomes) + "\n", encoding="utf-8")
    plain = json.dumps(_known(figures), indent=2)
    (folder / METRICS).write_text(plain + "\n", encoding="utf-8")


def draw_evaluation(folder: Path) -> Path:
    """Draw report.html and pictures/*.png; the report's path.

    Raises `DataError` where the folder holds no finished evaluation.
    """
    try:
        outcomes = json.loads((folder / OUTCOMES).read_text(encoding="utf-8"))
        figures = json.loads((folder / METRICS).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{folder} holds no finished evaluation ({error})") from None
    pictures = list(_pictures(outcomes, figures))
    keep_pictures(folder, pictures)
    configuration = folder / CONFIGURATION
    shown = configuration.read_text(encoding="utf-8") if configuration.is_file() else ""
    return write_page(folder / REPORT, _page(figures, pictures, shown))


def verdicts(figures: Mapping[str, Any]) -> list[str]:
    """A sentence a candidate."""
    tried = figures["trials"]["tried"]
    return [text.verdict(name, each, tried) for name, each in figures["candidates"].items()]


def _page(figures: Mapping[str, Any], pictures: Sequence[Picture], configuration: str) -> str:
    return render_page(
        "evaluation.html.j2",
        pictures,
        figures=figures,
        names=listing(list(figures["candidates"])),
        verdicts=[each.replace(f"{MINUS}$", f"{MINUS}{_JOINED}$") for each in verdicts(figures)],
        text=text,
        configuration=configuration,
    )


def _pictures(outcomes: Sequence[Outcome], figures: Mapping[str, Any]) -> Iterator[Picture]:
    baselines = series(outcomes, BASELINE)
    with styled():
        for number, candidate in enumerate(series(outcomes, CANDIDATE), 1):
            own = figures["candidates"][candidate.name]
            rivals = [
                each.on(candidate.dates) for each in baselines if each.name != text.OTHER_RISK
            ]
            drawn = {
                "paths": (
                    "Added up over the sessions that were judged. Light lines part the folds; the "
                    "band holds all seeds. Buy and hold, on another scale, is in the table.",
                    charts.paths(candidate, rivals),
                ),
                "against": (
                    "Mean differences on the same sessions, with what blocks of resampled sessions "
                    "give. A line that crosses zero cannot tell the two apart.",
                    charts.against(candidate.name, own),
                ),
                "seeds": (
                    "Each dot is a seed, trained on all sessions before its fold.",
                    charts.seeds(candidate.name, own),
                ),
            }
            if own["luck"]:
                drawn["luck"] = (
                    "How the same number of sales at random legal times did.",
                    charts.luck(candidate.name, own),
                )
            for name, (caption, figure) in drawn.items():
                yield Picture(f"{name}_{number}", caption, png(figure))


def _known(value: Any) -> Any:
    """The same without NaN and infinity, which JSON does not have."""
    if isinstance(value, Mapping):
        return {name: _known(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_known(each) for each in value]
    if isinstance(value, float | np.floating):
        return float(value) if np.isfinite(value) else None
    return value
