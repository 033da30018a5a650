"""`report.html`: one file with its pictures inside, readable on a screen, in the dark, on paper."""

from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from reports import findings, summary, trade_tables
from reports.charts.worst_days import worst_sessions
from reports.metrics import Metrics
from reports.result import BacktestResult
from reports.tables import is_loss

REPORT, PICTURES = "report.html", "pictures"
"""What a report is called in its run's folder, and the folder of its pictures there."""

_TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of a page: its file's name, what it shows, and the PNG."""

    name: str
    caption: str
    image: bytes

    @property
    def source(self) -> str:
        """The PNG as a data address, for the page itself."""
        return "data:image/png;base64," + b64encode(self.image).decode("ascii")


def render_page(template: str, pictures: Iterable[Picture] = (), **content: Any) -> str:
    """A page of `reports/templates` as HTML, complete in itself; all text is escaped."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.tests["loss"] = is_loss
    named = {picture.name: picture for picture in pictures}
    return environment.get_template(template).render(pictures=named, **content)


def keep_pictures(folder: Path, pictures: Iterable[Picture]) -> None:
    """Put the pictures of a report beside it, in the place of those of the one before."""
    place = folder / PICTURES
    place.mkdir(exist_ok=True)
    for former in place.glob("*.png"):
        former.unlink()
    for picture in pictures:
        (place / f"{picture.name}.png").write_bytes(picture.image)


def write_page(path: Path, text: str) -> Path:
    """Put a page at `path` at once and whole, its folder made where it is missing; the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.draft")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)
    return path


def render(
    result: BacktestResult, metrics: Metrics, pictures: Iterable[Picture], configuration: str
) -> str:
    """The report as HTML; `configuration` is the run's config.toml, "" where there is none."""
    return render_page(
        "report.html.j2",
        pictures,
        result=result,
        metrics=metrics,
        findings=findings,
        summary=summary,
        tables=trade_tables,
        worst=worst_sessions(result),
        configuration=configuration,
    )
