"""The report of a backtest, drawn from its run folder alone."""

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

from matplotlib.figure import Figure

from errors import DataError
from reports.charts import account, comparison, exposure, session, trading
from reports.charts.style import png, styled
from reports.metrics import Metrics
from reports.page import Picture, render
from reports.result import BacktestResult
from reports.run_folder import read_run

_Planned = tuple[str, str, Callable[[], Figure]]

REPORT, PICTURES, CONFIGURATION = "report.html", "pictures", "config.toml"


def draw_report(folder: Path, chosen: date | None = None) -> Path:
    """Draw `report.html` and `pictures/*.png` from the files of a run; the report's path.

    The chart of one session shows `chosen`, by default the one with the largest absolute P&L.
    Raises `DataError` where the folder holds no finished run, or not the chosen session.
    """
    result, metrics = read_run(folder)
    pictures = list(draw_pictures(result, metrics, _chosen(result, chosen)))
    (folder / PICTURES).mkdir(exist_ok=True)
    for former in (folder / PICTURES).glob("*.png"):
        former.unlink()
    for picture in pictures:
        (folder / PICTURES / f"{picture.name}.png").write_bytes(picture.image)
    configuration = folder / CONFIGURATION
    text = configuration.read_text(encoding="utf-8") if configuration.is_file() else ""
    report = folder / REPORT
    report.write_text(render(result, metrics, pictures, text), encoding="utf-8")
    return report


def _chosen(result: BacktestResult, chosen: date | None) -> date | None:
    if chosen is None:
        return session.most_eventful(result)
    if chosen not in (each.date for each in result.sessions):
        raise DataError(f"{chosen} is not among the sessions of this run; choose one that is")
    return chosen


def draw_pictures(result: BacktestResult, metrics: Metrics, chosen: date | None) -> list[Picture]:
    """Every picture there is something to draw on; none without a chosen session."""
    with styled():
        return [
            Picture(name, caption, png(draw()))
            for name, caption, draw in _plan(result, metrics, chosen)
        ]


def _plan(result: BacktestResult, metrics: Metrics, chosen: date | None) -> Iterator[_Planned]:
    """File name, caption and drawing of each picture there is something to draw on."""
    if chosen is None:
        return
    yield (
        "equity",
        "The account on every snapshot, nights left out. Drawdown is counted from the highest "
        "equity so far.",
        lambda: account.equity(result),
    )
    yield (
        "sessions",
        "Blue won, orange lost. In a calendar an empty field is a day without a session.",
        lambda: account.by_session(result),
    )
    yield (
        "session",
        "Triangles are entries, crosses exits; prices are fills.",
        lambda: session.session(result, chosen),
    )
    if result.baselines:
        yield (
            "baselines",
            "Net P&L added up session by session, all policies on the same sessions.",
            lambda: comparison.baselines(result),
        )
    if result.exposure.ts.size:
        yield (
            "exposure",
            "The position's Greeks while one was held; a put sold has positive delta, a call "
            "negative.",
            lambda: exposure.through_the_day(result, chosen),
        )
    if metrics["daily_sd"]:
        yield (
            "bootstrap",
            "Means of resampled sessions; the inner bars hold 95 % of them. Where zero lies "
            "among the inner bars, the run cannot tell a gain from a loss.",
            lambda: comparison.bootstrap(result),
        )
    if result.trades:
        yield from _trade_pictures(result, metrics)


def _trade_pictures(result: BacktestResult, metrics: Metrics) -> Iterator[_Planned]:
    yield (
        "fill_ladder",
        "The same trades repriced: all filled at the mid, as they were, and a tick worse.",
        lambda: comparison.fill_ladder(metrics),
    )
    yield (
        "trades",
        "Every round trip in order, fees deducted.",
        lambda: trading.pnl_of_each(result),
    )
    yield (
        "entry_time",
        "Every round trip by the time of its entry.",
        lambda: trading.by_entry_time(result),
    )
    yield (
        "exits",
        "Why positions were closed, and what each kind of exit brought.",
        lambda: trading.exits(result),
    )
