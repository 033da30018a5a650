"""What the policy wants over the time of day and volatility: as it was seen, and as asked."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from feeds.sessions import NANOSECONDS_A_MINUTE
from reports.charts.style import PALE, blank, clock_axis
from reports.decision_grid import DecisionGrid
from reports.result import BacktestResult, Floats, Integers
from vocabulary import FEATURES, Action

FEWEST = 3
"""Decisions that a field needs to have a colour."""

STEP_MINUTES = 30
BANDS = 8
_SHADES = LinearSegmentedColormap.from_list(
    "wish", ["#f3f6f9", "#9ecae1", "#3182bd", "#08306b", "#041a3a"]
)
_TITLES = {Action.SELL_CALL: "sell a call", Action.SELL_PUT: "sell a put", Action.CLOSE: "close"}


@dataclass(frozen=True, slots=True, eq=False)
class DecisionMap:
    """Mean probabilities on fields of time and volatility.

    Args:
        minutes: [T + 1] bounds of the fields, minutes since the open.
        iv: [V + 1] bounds, a fraction a year.
        probabilities: [V, T, A], NaN where there were too few decisions.
    """

    minutes: Floats
    iv: Floats
    probabilities: Floats


def decision_map(result: BacktestResult) -> DecisionMap | None:
    """The map of a run's decisions; None where no field has enough free ones.

    Sales are counted where nothing was held, closes where something was, both only where the rules
    allowed more than to hold.
    """
    table = result.decisions
    free = table.allowed & (table.action >= 0) & np.isfinite(table.atm_iv)
    if not free.any():
        return None
    opens = np.array([session.open_ns for session in result.sessions])
    ts, iv = table.ts[free], table.atm_iv[free]
    minutes = (ts - opens[np.searchsorted(opens, ts, side="right") - 1]) / NANOSECONDS_A_MINUTE
    edges = _iv_edges(iv)
    is_held = table.features[free, FEATURES.index("has_position")] > 0
    probabilities = table.probabilities[free].astype(float)
    times = np.arange(0.0, minutes.max() + STEP_MINUTES, STEP_MINUTES)
    column = np.minimum(minutes // STEP_MINUTES, times.size - 2).astype(int)
    row = np.clip(np.searchsorted(edges, iv, side="right") - 1, 0, edges.size - 2)
    fields = row * (times.size - 1) + column
    shape = (edges.size - 1, times.size - 1)
    means = [
        _mean(fields, probabilities[:, action], is_held == (action == Action.CLOSE), shape)
        for action in range(probabilities.shape[1])
    ]
    found = DecisionMap(times, edges, np.stack(means, axis=-1))
    return found if np.isfinite(found.probabilities[:, :, 1:]).any() else None


def _mean(
    fields: Integers, values: Floats, counted: npt.NDArray[np.bool_], shape: tuple[int, int]
) -> Floats:
    """[V, T] mean of the counted `values` [n] in each of the `fields` [n]; NaN where too few."""
    size = shape[0] * shape[1]
    number = np.bincount(fields[counted], minlength=size)
    sums = np.bincount(fields[counted], values[counted], minlength=size)
    means = np.where(number >= FEWEST, sums / np.maximum(number, 1), np.nan)
    return np.asarray(means.reshape(shape))


def _iv_edges(iv: Floats) -> Floats:
    """Bounds over the middle 98 % of `iv`; what lies beyond is in the outermost bands."""
    low, high = np.percentile(iv, [1, 99])
    return np.linspace(low - 5e-4, high + 5e-4, BANDS + 1)


def caption(seen: DecisionMap | None, asked: DecisionGrid | None) -> str:
    """What the picture shows, and how far to trust it."""
    parts = ["How likely the policy chose each action"]
    if seen is not None:
        parts.append(
            f"in this run: the mean of decisions that the rules left free, fields with fewer than "
            f"{FEWEST} hatched; sales while nothing was held, closes while something was"
        )
    if asked is not None:
        parts.append(
            "asked: the policy's answers with nothing held and every sale allowed, the other "
            "features as in the middle of the run"
        )
    return "; ".join(parts) + "."


def wishes(seen: DecisionMap | None, asked: DecisionGrid | None) -> Figure:
    """A row of panels for what was seen, one for what was asked; a panel an action but hold.

    One of the two must be there.
    """
    rows: list[tuple[str, Floats, Floats, Floats]] = []
    if seen is not None:
        rows.append(("in this run", seen.minutes, seen.iv, seen.probabilities))
    if asked is not None:
        answers = asked.probabilities.copy()
        answers[:, :, Action.CLOSE :] = np.nan  # nothing was held: there was nothing to close
        rows.append(("asked", bounds(asked.minutes), bounds(asked.iv), answers))
    actions = [
        action
        for action in _TITLES
        if any(values.shape[2] > action and _has(values, action) for *_, values in rows)
    ]
    figure = blank(2.75 * len(rows))
    panels = figure.subplots(len(rows), len(actions), squeeze=False, sharex=True, sharey=True)
    most = max(float(np.nanmax(values[:, :, actions])) for *_, values in rows)
    for row, (name, minutes, iv, values) in zip(panels, rows, strict=True):
        for axes, action in zip(row, actions, strict=True):
            mesh = _panel(axes, minutes, iv, values[:, :, action], max(most, 0.01))
            axes.set_title(f"{_TITLES[action]}, {name}")
    _labels(panels, rows)
    bar = figure.colorbar(mesh, ax=panels, fraction=0.03, pad=0.01)
    bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.0f} %"))
    bar.outline.set_visible(False)
    return figure


def _has(values: Floats, action: int) -> bool:
    return bool(np.isfinite(values[:, :, action]).any())


def bounds(centres: Floats) -> Floats:
    """[n + 1] bounds of fields around `centres` [n]."""
    if centres.size == 1:
        return np.array([centres[0] - 0.5, centres[0] + 0.5])
    middle = (centres[1:] + centres[:-1]) / 2
    return np.array([2 * centres[0] - middle[0], *middle, 2 * centres[-1] - middle[-1]])


def _panel(axes: Axes, minutes: Floats, iv: Floats, values: Floats, most: float) -> QuadMesh:
    mesh = axes.pcolormesh(
        minutes, 100 * iv, np.ma.masked_invalid(values), cmap=_SHADES, vmin=0, vmax=most
    )
    axes.patch.set(hatch="////", edgecolor=PALE, linewidth=0)
    axes.grid(visible=False)
    return mesh


def _labels(
    panels: npt.NDArray[np.object_], rows: Sequence[tuple[str, Floats, Floats, Floats]]
) -> None:
    for row in panels:
        row[0].set_ylabel("ATM volatility, %")
    first = min(0.0, *(float(minutes[0]) for _, minutes, _, _ in rows))
    last = max(float(minutes[-1]) for _, minutes, _, _ in rows)
    for axes in panels[-1]:
        clock_axis(axes, first, last, step=120)
