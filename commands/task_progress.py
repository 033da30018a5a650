"""A bar for tasks that take from seconds to minutes each: how much is done, and the time left.

The time left is what the tasks done so far took, weighed by their cost. Tasks that were kept from
an earlier start count as done and say nothing about the pace.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Step = Callable[[int, bool], None]
"""Told the cost of a finished task, and whether it was kept from an earlier start."""


class Pace:
    """How fast the work goes; `now` in seconds is given by whoever asks."""

    def __init__(self, total: int, now: float) -> None:
        """`total` cost of all tasks; work begins `now`."""
        self.total, self.done = total, 0
        self._worked, self._began, self._last = 0, now, now

    def step(self, cost: int, was_kept: bool, now: float) -> None:
        """Count a finished task."""
        self.done += cost
        if not was_kept:
            self._worked += cost
            self._last = now

    def seconds_left(self, now: float) -> float | None:
        """None until something has been worked on."""
        if not self._worked:
            return None
        expected = (self._last - self._began) / self._worked * (self.total - self.done)
        return max(0.0, expected - (now - self._last))


@contextmanager
def task_progress(what: str, total: int) -> Iterator[Step]:
    """A bar over tasks of `total` cost; yields the function that counts a finished one.

    Nothing is drawn where standard error is no terminal.
    """
    pace = Pace(total, time.monotonic())
    if not sys.stderr.isatty():
        yield lambda cost, was_kept: pace.step(cost, was_kept, time.monotonic())
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
    from rich.text import Text

    class Left(ProgressColumn):
        """The time left in words."""

        max_refresh = 0.5

        def render(self, task: Task) -> Text:
            return Text(in_words(pace.seconds_left(time.monotonic())))

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:.0f} %"))
    with Progress(*columns, Left(), console=Console(stderr=True), transient=True) as bars:
        bar = bars.add_task(what, total=total)

        def step(cost: int, was_kept: bool) -> None:
            pace.step(cost, was_kept, time.monotonic())
            bars.advance(bar, cost)

        yield step


def in_words(seconds: float | None) -> str:
    """The time left as a person says it."""
    if seconds is None:
        return "time left: known after the first task"
    if seconds < 60:
        return "less than a minute left"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"about {hours} h {minutes} min left" if hours else f"about {minutes} min left"
