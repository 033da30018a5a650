"""`report.html`: one file with its pictures inside, readable on a screen, in the dark, on paper."""

from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from reports import findings, summary
from reports.formatting import MINUS
from reports.metrics import Metrics
from reports.result import BacktestResult

_TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of the report: its file's name, what it shows, and the PNG."""

    name: str
    caption: str
    image: bytes

    @property
    def source(self) -> str:
        """The PNG as a data address, for the page itself."""
        return "data:image/png;base64," + b64encode(self.image).decode("ascii")


def render(
    result: BacktestResult, metrics: Metrics, pictures: Iterable[Picture], configuration: str
) -> str:
    """The report as HTML; `configuration` is the run's config.toml, "" where there is none."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.tests["loss"] = _is_loss
    return environment.get_template("report.html.j2").render(
        result=result,
        metrics=metrics,
        pictures={picture.name: picture for picture in pictures},
        findings=findings,
        summary=summary,
        configuration=configuration,
    )


def _is_loss(text: str) -> bool:
    """Whether a cell is a single negative amount; an interval is neither gain nor loss."""
    return text.startswith(f"{MINUS}$") and " " not in text
