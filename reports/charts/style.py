"""How every picture looks: colours that colour-blind eyes tell apart, axes, dates, money.

Figures are made without pyplot, so no window system, global figure list or backend is touched.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from io import BytesIO
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, Formatter, MaxNLocator

from feeds.sessions import NANOSECONDS_A_MINUTE
from reports.formatting import money
from reports.result import Floats, Integers, SessionFacts

# Okabe and Ito's palette, "Color Universal Design" (2008).
BLUE, VERMILION, GREEN, ORANGE = "#0072B2", "#D55E00", "#009E73", "#E69F00"
SKY, PURPLE, INK, GREY, PALE = "#56B4E9", "#CC79A7", "#24292f", "#6e7781", "#d8dee4"
GAIN, LOSS = BLUE, VERMILION

CURVES: Any = (
    (BLUE, "-", 2.2),
    (GREY, (0, (1, 1)), 1.3),
    (GREEN, "-", 1.1),
    (ORANGE, "--", 1.3),
    (PURPLE, (0, (5, 1, 1, 1)), 1.3),
    (SKY, "-", 1.3),
)
"""Colour, dash and width of each curve: told apart without colour too."""

Look = dict[str, Any]
"""Keyword arguments of a drawing call that several calls share."""

WIDTH, DOTS_PER_INCH = 9.6, 130

_STYLE: Any = {
    "text.parse_math": False,  # two dollar signs are money, not a formula
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "text.color": INK,
    "axes.labelcolor": GREY,
    "axes.edgecolor": PALE,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 8,
    "axes.titley": 1.0,  # where it would be anyway: nothing is labelled on top
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": PALE,
    "grid.linewidth": 0.6,
    "xtick.color": PALE,
    "ytick.color": PALE,
    "xtick.labelcolor": GREY,
    "ytick.labelcolor": GREY,
    "lines.linewidth": 1.4,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "axes.formatter.useoffset": False,
    "figure.constrained_layout.w_pad": 0.1,
    "figure.constrained_layout.h_pad": 0.07,
}


@contextmanager
def styled() -> Iterator[None]:
    """Draw and save inside this: the style holds there and nowhere else."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)
        yield


def blank(height: float) -> Figure:
    """An empty figure, `height` in inches, that lays itself out."""
    return Figure(figsize=(WIDTH, height), layout="constrained")


def png(figure: Figure) -> bytes:
    """The figure as a PNG; the same figure gives the same bytes.

    Laid out and drawn once: `Figure.savefig` draws all of it a second time to lay it out.
    """
    figure.set_dpi(DOTS_PER_INCH)
    canvas: Any = FigureCanvasAgg(figure)
    layout = figure.get_layout_engine()
    if layout is not None:
        _leave_out_of_layout(figure)
        layout.execute(figure)
        figure.set_layout_engine("none")
    buffer = BytesIO()
    canvas.print_png(buffer)
    return buffer.getvalue()


def _leave_out_of_layout(figure: Figure) -> None:
    """Spare the layout what it would measure for nothing: spines, and where no label is to be."""
    for axes in figure.axes:
        for spine in axes.spines.values():
            spine.set_in_layout(False)
        for axis in (axes.xaxis, axes.yaxis):
            if not axis.get_label_text():
                axis.set_label_coords(0.5, 0.5)


def money_axis(axes: Axes, axis: str = "y", most: int = 6) -> None:
    """Label an axis in whole dollars, in cents where its ticks need them."""
    which = axes.yaxis if axis == "y" else axes.xaxis
    which.set_major_locator(MaxNLocator(most, steps=[1, 2, 2.5, 5, 10]))
    which.set_major_formatter(_Dollars())


class _Dollars(Formatter):
    """Looks at all ticks of an axis once, not once a label."""

    decimals = 0

    def set_locs(self, locs: list[float]) -> None:
        """The ticks to be labelled."""
        self.decimals = 0 if all(abs(tick - round(tick)) <= 1e-6 for tick in locs) else 2

    def __call__(self, value: float, pos: int | None = None) -> str:
        """A tick in dollars."""
        return money(value, self.decimals)


def room_for_zero(axes: Axes, values: Floats, axis: str = "y") -> None:
    """Show at least a dollar on each side where all `values` are zero."""
    if not np.any(values):
        (axes.set_ylim if axis == "y" else axes.set_xlim)(-1, 1)


def whole_numbers(axes: Axes) -> None:
    """Label the x axis, which counts things, in whole numbers."""
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1))


def zero_line(axes: Axes) -> None:
    """A firm line at zero dollars."""
    axes.axhline(0, color=GREY, linewidth=0.8, zorder=1.5)


def colours(pnl: Floats) -> list[str]:
    """A colour a bar: gains blue, losses vermilion."""
    return [GAIN if value >= 0 else LOSS for value in pnl]


def date_ticks(axes: Axes, days: Sequence[date], most: int = 10) -> None:
    """Label an axis where session i spans [i, i + 1): months by their start, else the days.

    Grid lines stand where a session begins, labels of days in the middle of theirs.
    """
    months = month_starts(days)
    by_month = len(months) > 4
    ticks = _thinned(months if by_month else list(range(len(days))), most + 3 * by_month)
    shown = [days[tick] for tick in ticks]
    middle = 0.0 if by_month else 0.5
    axes.set_xlim(0, max(len(days), 1))
    axes.set_xticks([tick + middle for tick in ticks])
    axes.set_xticklabels(
        month_labels(shown) if by_month else [f"{day.day} {day:%b}" for day in shown]
    )
    axes.grid(axis="x", visible=False)
    axes.set_xticks(ticks, minor=True)
    axes.grid(axis="x", which="minor", visible=True)
    axes.tick_params(axis="x", which="both", length=0)


def month_starts(days: Sequence[date]) -> list[int]:
    """Indices of the first session of each month, a first month cut short left out."""
    firsts = [i for i, day in enumerate(days) if not i or day.month != days[i - 1].month]
    return [i for i in firsts if i or days[i].day < 8]


def month_labels(days: Sequence[date]) -> list[str]:
    """Month names, the year below the first of each year."""
    years = [None, *(day.year for day in days)]
    return [
        f"{day:%b}\n{day.year}" if day.year != before else f"{day:%b}"
        for day, before in zip(days, years[:-1], strict=True)
    ]


def _thinned(items: list[int], most: int) -> list[int]:
    return items[:: max(1, -(-len(items) // most))]


def session_position(ts: Integers, sessions: Sequence[SessionFacts]) -> Floats:
    """[n] where `ts` lie on an axis of sessions without nights: session number + fraction."""
    opens = np.array([session.open_ns for session in sessions])
    closes = np.array([session.close_ns for session in sessions])
    number = np.clip(np.searchsorted(opens, ts, side="right") - 1, 0, None)
    fraction = (ts - opens[number]) / (closes[number] - opens[number])
    return np.asarray(number + np.clip(fraction, 0, 1))


def clock_axis(
    axes: Axes, first: float = 0.0, last: float = 390.0, step: int | None = None
) -> None:
    """Label an axis of minutes since the open (9:30) with New York times, `step` minutes apart."""
    if step is None:
        step = 60 if last - first > 150 else 30
    start = int(-(-(first + 30) // step)) * step - 30  # round hours: the open is at half past
    ticks = np.arange(start, last + 1, step)
    axes.xaxis.set_major_locator(FixedLocator(ticks.tolist()))
    axes.set_xticklabels([f"{int(t + 570) // 60}:{int(t + 570) % 60:02d}" for t in ticks])
    axes.set_xlim(first, last)


def minutes_of(ts: Integers, session: SessionFacts) -> Floats:
    """[n] minutes since the session's open."""
    return np.asarray((ts - session.open_ns) / NANOSECONDS_A_MINUTE)
